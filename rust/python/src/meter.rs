//! `Meter`: what the machine's meters are, and windows on them.

use std::sync::{Arc, Mutex, OnceLock};

use eco2ai_fast_core::choice;
use eco2ai_fast_core::clock::{Clock, Monotonic};
use eco2ai_fast_core::domain::Provenance;
use eco2ai_fast_core::keepalive::try_lock;
use eco2ai_fast_core::source::replay::Replay;
use eco2ai_fast_core::source::root::Root;
use eco2ai_fast_core::source::storage::Wish;
use eco2ai_fast_core::source::{self, ModelFigures, Wanted};
use eco2ai_fast_core::window::Mode;
use eco2ai_fast_core::{gpu, meter, units};
use numpy::ndarray::Array2;
use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::guarded;
use crate::gpu::GpuWindow;
use crate::reading::Reading;
use crate::recorded::{self, Heights};
use crate::span::{Recorder, Span};
use crate::testing::{ManualClock, ScriptedDomain};
use crate::window::{Readout, Window};

/// Spans that are kept unless the meter says otherwise: about 100 MB with two domains.
const DEFAULT_CAPACITY: usize = 1 << 20;

/// Instants, and an array of numbers at each.
type Series<'py> = (Bound<'py, PyArray1<u64>>, Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<u64>>);

#[pyclass(frozen, subclass, module = "eco2ai_fast._core")]
pub struct Meter {
    meter: Arc<meter::Meter>,
    clock: Arc<dyn Clock>,
    /// From the first span on.
    recorder: OnceLock<Arc<Recorder>>,
    /// The GPUs beside it; locked for nanoseconds, and never waited for.
    gpus: Mutex<Option<Arc<gpu::window::Window>>>,
}

fn wish(storage: &str) -> PyResult<Wish> {
    match storage {
        "off" => Ok(Wish::Off),
        "show" => Ok(Wish::Show),
        "count" => Ok(Wish::Count),
        _ => Err(PyValueError::new_err(format!("storage is \"off\", \"show\" or \"count\", not {storage:?}"))),
    }
}

/// Route names, or scripted domains.
#[derive(FromPyObject)]
enum Sources<'py> {
    Route(String),
    Scripted(Vec<Bound<'py, ScriptedDomain>>),
}

#[pymethods]
impl Meter {
    #[new]
    #[pyo3(signature = (*, sources=None, sysroot=None, clock=None, cpu_tdp_w=None, cpu_idle_w=None, cpu_max_w=None, ram_w=None, calibration=None, is_wall_power=false, instance_type=None, storage="off"))]
    #[allow(clippy::too_many_arguments)] // keyword-only in Python, one setting each
    fn new(
        sources: Option<Sources<'_>>,
        sysroot: Option<std::path::PathBuf>,
        clock: Option<&Bound<'_, ManualClock>>,
        cpu_tdp_w: Option<f64>,
        cpu_idle_w: Option<f64>,
        cpu_max_w: Option<f64>,
        ram_w: Option<f64>,
        calibration: Option<String>,
        is_wall_power: bool,
        instance_type: Option<String>,
        storage: &str,
    ) -> PyResult<Self> {
        let storage = wish(storage)?;
        let figures = ModelFigures {
            cpu_tdp_w,
            cpu_idle_w,
            cpu_max_w,
            ram_w,
            calibration,
            is_wall_power,
            instance_type,
            storage,
        };
        let root = sysroot.map_or_else(Root::default, Root::new);
        match sources {
            Some(Sources::Scripted(scripts)) => {
                let scripts = scripts.iter().map(|script| script.get().script()).collect();
                let clock: Arc<dyn Clock> = match clock {
                    Some(clock) => Arc::new(clock.get().clock()),
                    None => Arc::new(Monotonic),
                };
                let meter =
                    guarded(|| Ok(meter::Meter::with_sources(vec![Box::new(Replay::new(scripts))], clock.clone())))?;
                Ok(Self { meter: Arc::new(meter), clock, recorder: OnceLock::new(), gpus: Mutex::default() })
            }
            route => {
                let name = if let Some(Sources::Route(name)) = &route { name } else { "auto" };
                let meter = guarded(|| meter::Meter::open(&root, Wanted::parse(name)?, &figures))?;
                let clock = Arc::new(Monotonic);
                Ok(Self { meter: Arc::new(meter), clock, recorder: OnceLock::new(), gpus: Mutex::default() })
            }
        }
    }

    #[getter]
    fn domains(&self) -> Vec<Domain> {
        self.meter.domains().into_iter().map(Domain::from).collect()
    }

    #[getter]
    fn findings(&self) -> Vec<Finding> {
        self.meter.findings().iter().map(Finding::from).collect()
    }

    #[getter]
    fn idle_powers_w(&self) -> Vec<Option<f64>> {
        self.meter.idle_powers_w()
    }

    #[getter]
    fn keep_alive_period_s(&self) -> Option<f64> {
        self.meter.keep_alive_period_ns().map(units::seconds)
    }

    #[getter]
    fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    #[pyo3(signature = (mode="direct"))]
    fn window(&self, mode: &str) -> PyResult<Window> {
        let mode = match mode {
            "direct" => Mode::Direct,
            "precise" => Mode::Precise,
            _ => return Err(PyValueError::new_err(format!("mode is \"direct\" or \"precise\", not {mode:?}"))),
        };
        Ok(Window::new(self.meter.window_with(mode)))
    }

    fn tick(&self) -> PyResult<()> {
        guarded(|| {
            self.meter.tick();
            Ok(())
        })
    }

    fn record(&self) -> PyResult<()> {
        guarded(|| {
            self.meter.record();
            Ok(())
        })
    }

    /// Joins the threads of an earlier start, so the interpreter is let go meanwhile.
    #[pyo3(signature = (rate_hz, edges=None, cpus=None))]
    fn sample(&self, py: Python<'_>, rate_hz: f64, edges: Option<bool>, cpus: Option<Vec<u32>>) -> PyResult<()> {
        if !(rate_hz.is_finite() && rate_hz > 0.0) {
            return Err(PyValueError::new_err(format!("rate_hz must be a number above 0, not {rate_hz}")));
        }
        let rate = meter::Rate { hz: rate_hz, edges, cpus: cpus.unwrap_or_default() };
        py.detach(|| {
            guarded(|| {
                self.meter.start(&rate)?;
                self.recorder.get().map_or(Ok(()), |recorder| recorder.spans.start())
            })
        })
    }

    #[pyo3(signature = (span, /, **attributes))]
    #[allow(clippy::unused_self)] // beside begin()
    fn end(&self, span: &Bound<'_, Span>, attributes: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        span.get().set(attributes)?;
        span.get().end(false)
    }

    /// Called once, before the first span: how many spans to keep.
    fn _prepare_spans(&self) -> PyResult<usize> {
        self.record()?;
        Ok(DEFAULT_CAPACITY)
    }

    #[allow(clippy::needless_pass_by_value)] // PyO3 hands lists over by value
    fn span_table<'py>(&self, py: Python<'py>, domains: Vec<usize>) -> PyResult<Bound<'py, PyDict>> {
        match self.recorder.get() {
            Some(recorder) => recorder.table(py, &domains),
            None => Recorder::new(py, &self.meter, &self.clock, 0).table(py, &domains),
        }
    }

    fn forget_spans(&self, py: Python<'_>) -> PyResult<()> {
        let forget = || guarded(|| self.recorder.get().map_or(Ok(()), |recorder| recorder.spans.forget()));
        py.detach(forget)
    }

    fn halt(&self, py: Python<'_>) {
        py.detach(|| {
            if let Some(recorder) = self.recorder.get() {
                // A last change behind the last mark, so that what can be settled is.
                self.meter.tick();
                recorder.spans.stop();
            }
            self.meter.stop();
        });
    }

    #[getter]
    fn is_sampling(&self) -> bool {
        self.meter.is_sampling()
    }

    fn read(&self) -> PyResult<Reading> {
        let gpus = try_lock(&self.gpus).and_then(|gpus| gpus.clone());
        Reading::take(&self.meter, gpus.as_ref())
    }

    /// Readings show these GPUs from now on.
    fn attach_gpus(&self, window: &Bound<'_, GpuWindow>) {
        if let Some(mut gpus) = try_lock(&self.gpus) {
            *gpus = Some(window.get().0.clone());
        }
    }

    fn readout_between(&self, t0_ns: u64, t1_ns: u64) -> PyResult<Readout> {
        guarded(|| self.meter.energy_between(t0_ns, t1_ns)).map(Readout)
    }

    /// Total, estimated part and one sigma in microjoules, and uncovered time, of one domain at each instant.
    #[allow(clippy::needless_pass_by_value)] // PyO3 hands arrays over by value
    fn heights<'py>(
        &self,
        py: Python<'py>,
        domain: usize,
        at_ns: PyReadonlyArray1<'py, u64>,
    ) -> PyResult<Heights<'py>> {
        let scale = self.scale(domain)?;
        let at_ns = at_ns.as_slice()?;
        let heights = guarded(|| self.meter.heights(domain, at_ns))?;
        Ok(recorded::columns(py, &heights, |counts| scale.microjoules(counts)))
    }

    /// The number of the next change, and rows of those since `number`: instant, energy, half-width, estimated part,
    /// uncovered time.
    fn changes_since<'py>(
        &self,
        py: Python<'py>,
        domain: usize,
        number: u64,
    ) -> PyResult<(u64, Bound<'py, PyArray2<u64>>)> {
        let scale = self.scale(domain)?;
        let (next, entries) = guarded(|| self.meter.changes_since(domain, number))?;
        let energy = |counts| scale.microjoules(counts);
        let rows = entries
            .iter()
            .map(|one| [one.t_ns, energy(one.total), one.half_ns, energy(one.estimated), one.uncovered_ns]);
        let rows = Array2::from(rows.collect::<Vec<_>>());
        Ok((next, rows.into_pyarray(py)))
    }

    /// Instants of change, energy since the first reading in joules, half-widths of the instants.
    fn changes<'py>(&self, py: Python<'py>, domain: usize) -> PyResult<Series<'py>> {
        let scale = self.scale(domain)?;
        let entries = guarded(|| self.meter.trace(domain))?;
        let energy_j = entries.iter().map(|entry| units::joules(scale.microjoules(entry.total))).collect();
        Ok((
            PyArray1::from_vec(py, entries.iter().map(|entry| entry.t_ns).collect()),
            PyArray1::from_vec(py, energy_j),
            PyArray1::from_vec(py, entries.iter().map(|entry| entry.half_ns).collect()),
        ))
    }

    /// Wake-ups, late and missed deadlines, polls, CPU and suspended nanoseconds of each sampling thread.
    #[getter]
    fn ledgers(&self) -> Vec<(u64, u64, u64, u64, u64, u64)> {
        let row = |one: &eco2ai_fast_core::sampler::Ledger| {
            (one.wakeups, one.late, one.missed, one.polls, one.cpu_ns, one.suspended_ns)
        };
        self.meter.ledgers().iter().map(row).collect()
    }

    fn __repr__(&self) -> String {
        let domains: Vec<String> =
            self.meter.domains().into_iter().map(|one| format!("{} ({})", one.id, one.source)).collect();
        format!("<Meter: {}>", domains.join(", "))
    }
}

impl Meter {
    /// The spans' recorder; the first call makes it, and starts what it needs.
    pub fn recorder<'a>(meter: &'a Bound<'_, Self>) -> PyResult<&'a Arc<Recorder>> {
        match meter.get().recorder.get() {
            Some(recorder) => Ok(recorder),
            None => Self::first_recorder(meter),
        }
    }

    /// The spans' recorder, if there is one.
    pub fn made_recorder(&self) -> Option<&Recorder> {
        self.recorder.get().map(AsRef::as_ref)
    }

    #[cold]
    fn first_recorder<'a>(meter: &'a Bound<'_, Self>) -> PyResult<&'a Arc<Recorder>> {
        let capacity: usize = meter.call_method0("_prepare_spans")?.extract()?;
        let this = meter.get();
        let new = Arc::new(Recorder::new(meter.py(), &this.meter, &this.clock, capacity));
        let recorder = this.recorder.get_or_init(|| new);
        if this.meter.is_sampling() {
            guarded(|| recorder.spans.start())?;
        }
        Ok(recorder)
    }

    fn scale(&self, domain: usize) -> PyResult<units::Scale> {
        let found = self.meter.domains().get(domain).copied().map(|domain| domain.channel.scale);
        found.ok_or_else(|| PyValueError::new_err(format!("this meter has no domain number {domain}")))
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

/// What is found below `sysroot`, also where no meter can be made of it.
#[pyfunction]
#[pyo3(signature = (*, sysroot=None))]
pub fn findings(py: Python<'_>, sysroot: Option<std::path::PathBuf>) -> PyResult<Vec<Finding>> {
    let root = sysroot.map_or_else(Root::default, Root::new);
    let found = py.detach(|| guarded(|| Ok(source::look(&root, Wanted::Auto, &ModelFigures::default()))))?;
    Ok(found.findings.iter().map(Finding::from).collect())
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
