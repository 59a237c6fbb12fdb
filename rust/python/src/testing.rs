//! Scripted meters and a clock moved by hand, for users' own tests.

use eco2ai_fast_core::clock::{Clock, Manual};
use eco2ai_fast_core::domain::{Channel, Kind, Place, Provenance, Range, Shape, Signal};
use eco2ai_fast_core::error::Fault;
use eco2ai_fast_core::source::replay::Script;
use eco2ai_fast_core::units::{self, MICRO, Scale};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

#[pyclass(frozen, module = "eco2ai_fast._core")]
pub struct ManualClock(Manual);

impl ManualClock {
    pub fn clock(&self) -> Manual {
        self.0.clone()
    }
}

#[pymethods]
impl ManualClock {
    #[new]
    #[pyo3(signature = (now_ns=0))]
    fn new(now_ns: u64) -> Self {
        Self(Manual::new(now_ns))
    }

    #[getter]
    fn now_ns(&self) -> u64 {
        self.0.now_ns()
    }

    fn set(&self, now_ns: u64) {
        self.0.set(now_ns);
    }

    fn advance(&self, seconds: f64) -> PyResult<()> {
        self.0.advance(nanoseconds(seconds)?);
        Ok(())
    }

    fn suspend(&self, seconds: f64) -> PyResult<()> {
        self.0.suspend(nanoseconds(seconds)?);
        Ok(())
    }
}

fn nanoseconds(seconds: f64) -> PyResult<u64> {
    let by =
        std::time::Duration::try_from_secs_f64(seconds).map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX))
}

#[pyclass(frozen, module = "eco2ai_fast._core")]
pub struct ScriptedDomain(Script);

impl ScriptedDomain {
    pub fn script(&self) -> Script {
        self.0.clone()
    }
}

#[pymethods]
impl ScriptedDomain {
    /// `readings` are pairs of an instant and a raw count in microjoules, or the name of a fault.
    #[new]
    #[pyo3(signature = (kind, readings, *, package=Some(0), range_uj=None, max_power_w=2000.0, tick_s=0.001, sensor_rel=0.0, modelled=false, signal="counter"))]
    #[allow(clippy::too_many_arguments)] // keyword-only in Python
    fn new(
        kind: &str,
        readings: Vec<(u64, Reading)>,
        package: Option<u32>,
        range_uj: Option<u64>,
        max_power_w: f64,
        tick_s: f64,
        sensor_rel: f64,
        modelled: bool,
        signal: &str,
    ) -> PyResult<Self> {
        let signal = parse_signal(signal)?;
        let channel = Channel {
            place: Place { kind: parse_kind(kind)?, package, die: None },
            signal,
            scale: if signal == Signal::Counter { Scale::MICROJOULE } else { Scale::NANOJOULE },
            range: range_uj.map_or(Range::Unbounded, Range::Modulo),
            max_power_uw: units::microwatts(max_power_w),
            tick_ns: units::microwatts(tick_s) * (units::NS_PER_S / MICRO),
            longest_rest_ns: u64::MAX, // a script may rest between its readings
            resolution_ns: 0,
            sensor_rel,
            provenance: if modelled { Provenance::Modelled } else { Provenance::Measured },
            detail: "scripted".to_owned(),
        };
        let readings = readings.into_iter().map(|(t_ns, reading)| Ok((t_ns, reading.parse()?)));
        Ok(Self(Script { channel, readings: readings.collect::<PyResult<_>>()? }))
    }
}

#[derive(FromPyObject)]
enum Reading {
    Count(u64),
    Fault(String),
}

impl Reading {
    fn parse(self) -> PyResult<Result<u64, Fault>> {
        match self {
            Self::Count(count) => Ok(Ok(count)),
            Self::Fault(name) => match name.as_str() {
                "not permitted" => Ok(Err(Fault::NotPermitted)),
                "vanished" => Ok(Err(Fault::Vanished)),
                "read failed" => Ok(Err(Fault::Failed(5))), // EIO
                "unreadable text" => Ok(Err(Fault::Garbage)),
                _ => Err(PyValueError::new_err(format!("no fault is called {name:?}"))),
            },
        }
    }
}

fn parse_kind(name: &str) -> PyResult<Kind> {
    let kinds =
        [Kind::Package, Kind::Core, Kind::Uncore, Kind::Dram, Kind::Psys, Kind::Card, Kind::Battery, Kind::Storage];
    let known = kinds.into_iter().find(|kind| kind.as_str() == name);
    known.ok_or_else(|| PyValueError::new_err(format!("no domain is of kind {name:?}")))
}

fn parse_signal(name: &str) -> PyResult<Signal> {
    match name {
        "counter" => Ok(Signal::Counter),
        "point gauge" => Ok(Signal::Gauge(Shape::Point)),
        "boxcar gauge" => Ok(Signal::Gauge(Shape::Boxcar)),
        _ => Err(PyValueError::new_err(format!(
            "a signal is \"counter\", \"point gauge\" or \"boxcar gauge\", not {name:?}"
        ))),
    }
}
