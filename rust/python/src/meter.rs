//! `Meter`: what the machine's meters are, and windows on them.

use std::sync::Arc;

use eco2ai_fast_core::choice;
use eco2ai_fast_core::clock::{Clock, Monotonic};
use eco2ai_fast_core::domain::Provenance;
use eco2ai_fast_core::source::replay::Replay;
use eco2ai_fast_core::source::root::Root;
use eco2ai_fast_core::source::{self, ModelFigures, Wanted};
use eco2ai_fast_core::{meter, units};
use pyo3::prelude::*;

use crate::errors::guarded;
use crate::testing::{ManualClock, ScriptedDomain};
use crate::window::Window;

#[pyclass(frozen, module = "eco2ai_fast._core")]
pub struct Meter(meter::Meter);

/// Route names, or scripted domains.
#[derive(FromPyObject)]
enum Sources<'py> {
    Route(String),
    Scripted(Vec<Bound<'py, ScriptedDomain>>),
}

#[pymethods]
impl Meter {
    #[new]
    #[pyo3(signature = (*, sources=None, sysroot=None, clock=None, cpu_tdp_w=None, cpu_idle_w=None, cpu_max_w=None, ram_w=None))]
    #[allow(clippy::too_many_arguments)] // keyword-only in Python, one setting each
    fn new(
        sources: Option<Sources<'_>>,
        sysroot: Option<std::path::PathBuf>,
        clock: Option<&Bound<'_, ManualClock>>,
        cpu_tdp_w: Option<f64>,
        cpu_idle_w: Option<f64>,
        cpu_max_w: Option<f64>,
        ram_w: Option<f64>,
    ) -> PyResult<Self> {
        let figures = ModelFigures { cpu_tdp_w, cpu_idle_w, cpu_max_w, ram_w };
        let root = sysroot.map_or_else(Root::default, Root::new);
        match sources {
            Some(Sources::Scripted(scripts)) => {
                let scripts = scripts.iter().map(|script| script.get().script()).collect();
                let clock: Arc<dyn Clock> = match clock {
                    Some(clock) => Arc::new(clock.get().clock()),
                    None => Arc::new(Monotonic),
                };
                guarded(|| Ok(Self(meter::Meter::with_sources(vec![Box::new(Replay::new(scripts))], clock))))
            }
            Some(Sources::Route(name)) => {
                guarded(|| meter::Meter::open(&root, Wanted::parse(&name)?, &figures).map(Self))
            }
            None => guarded(|| meter::Meter::open(&root, Wanted::Auto, &figures).map(Self)),
        }
    }

    #[getter]
    fn domains(&self) -> Vec<Domain> {
        self.0.domains().iter().map(Domain::from).collect()
    }

    #[getter]
    fn findings(&self) -> Vec<Finding> {
        self.0.findings().iter().map(Finding::from).collect()
    }

    #[getter]
    fn keep_alive_period_s(&self) -> Option<f64> {
        self.0.keep_alive_period_ns().map(units::seconds)
    }

    fn window(&self) -> Window {
        Window::new(self.0.window())
    }

    fn keep_alive(&self) -> PyResult<()> {
        guarded(|| {
            self.0.keep_alive();
            Ok(())
        })
    }

    fn stop(&self) {
        self.0.stop();
    }

    fn __repr__(&self) -> String {
        let domains: Vec<String> = self.0.domains().iter().map(|one| format!("{} ({})", one.id, one.source)).collect();
        format!("<Meter: {}>", domains.join(", "))
    }
}

#[pyclass(frozen, get_all, module = "eco2ai_fast._core")]
pub struct Domain {
    id: String,
    kind: &'static str,
    package: Option<u32>,
    source: &'static str,
    provenance: &'static str,
    counted: bool,
    parent: Option<String>,
    reason: String,
    detail: String,
    sensor_rel: f64,
    tick_s: f64,
    resolution_s: f64,
    max_power_w: f64,
}

impl From<&choice::Domain> for Domain {
    fn from(domain: &choice::Domain) -> Self {
        let channel = &domain.channel;
        Self {
            id: domain.id.clone(),
            kind: channel.place.kind.as_str(),
            package: channel.place.package,
            source: domain.source,
            provenance: provenance(channel.provenance),
            counted: domain.counted,
            parent: domain.parent.clone(),
            reason: domain.reason.clone(),
            detail: channel.detail.clone(),
            sensor_rel: channel.sensor_rel,
            tick_s: units::seconds(channel.tick_ns),
            resolution_s: units::seconds(channel.resolution_ns),
            max_power_w: units::joules(channel.max_power_uw),
        }
    }
}

#[pymethods]
impl Domain {
    fn __repr__(&self) -> String {
        let counted = if self.counted { "counted" } else { "not counted" };
        format!("<Domain {}: {} through {}, {counted}>", self.id, self.provenance, self.source)
    }
}

#[pyclass(frozen, get_all, module = "eco2ai_fast._core")]
pub struct Finding {
    source: &'static str,
    domain: Option<String>,
    availability: &'static str,
    detail: String,
}

impl From<&source::Finding> for Finding {
    fn from(finding: &source::Finding) -> Self {
        Self {
            source: finding.source,
            domain: finding.domain.clone(),
            availability: finding.availability.as_str(),
            detail: finding.detail.clone(),
        }
    }
}

#[pymethods]
impl Finding {
    fn __repr__(&self) -> String {
        let domain = self.domain.as_deref().unwrap_or("all domains");
        format!("<Finding {} for {domain}: {}: {}>", self.source, self.availability, self.detail)
    }
}

fn provenance(provenance: Provenance) -> &'static str {
    match provenance {
        Provenance::Measured => "measured",
        Provenance::Modelled => "modelled",
    }
}
