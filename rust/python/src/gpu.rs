//! `Gpus` and `GpuWindow`: the process's GPUs, and what they drew in a window. Nothing here calls the driver.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use eco2ai_fast_core::clock::{Clock, Monotonic};
use eco2ai_fast_core::gpu::calibration::Calibration;
use eco2ai_fast_core::gpu::close::{Closed, Rule};
use eco2ai_fast_core::gpu::instant::Unknown;
use eco2ai_fast_core::gpu::keeper::Keeper;
use eco2ai_fast_core::gpu::lane::State;
use eco2ai_fast_core::gpu::patrol::Wanted;
use eco2ai_fast_core::gpu::round::{Gpu, Stand};
use eco2ai_fast_core::gpu::window::{Answer, Window};
use eco2ai_fast_core::source::nvml::probe::{Primary, Scope};
use eco2ai_fast_core::units;
use pyo3::prelude::*;

use crate::errors::guarded;
use crate::gpu_curve::GpuCurve;

/// One standard deviation of a sensor of +-5 % (nvml.h, nvmlDeviceGetPowerUsage).
const SENSOR_REL: f64 = 0.025;
/// The same of a card whose gain and offset are known: 1 %, twice what a calibrated RTX 3090 was off against an external
/// meter (docs/gpus.md).
const CALIBRATED_REL: f64 = 0.005;

#[pyclass(frozen, module = "eco2ai_fast._core")]
pub struct Gpus(Keeper);

#[pymethods]
impl Gpus {
    /// `None` where nothing looks like a driver.
    #[staticmethod]
    #[pyo3(signature = (*, library=None, visible=None, device_order=None, calibrations=Vec::new()))]
    fn find(
        library: Option<PathBuf>,
        visible: Option<String>,
        device_order: Option<String>,
        calibrations: Vec<(String, f64, f64)>,
    ) -> Option<Self> {
        let known = |(uuid, gain, offset_w)| (uuid, Calibration { gain, offset_w });
        let calibrations = calibrations.into_iter().map(known).collect();
        let wanted = Wanted { visible, device_order, calibrations };
        Keeper::find(library.map(PathBuf::into_os_string), wanted).map(Self)
    }

    fn begin(&self) -> PyResult<Option<GpuWindow>> {
        guarded(|| Ok(self.0.begin().map(GpuWindow)))
    }

    /// Waits a moment for the thread, so the interpreter is let go meanwhile.
    fn stop(&self, py: Python<'_>) {
        py.detach(|| self.0.stop());
    }
}

#[pyclass(frozen, module = "eco2ai_fast._core")]
pub struct GpuWindow(pub Arc<Window>);

#[pymethods]
impl GpuWindow {
    #[pyo3(signature = (t1_ns=None))]
    fn end(&self, t1_ns: Option<u64>) {
        self.0.end(t1_ns.unwrap_or_else(|| Monotonic.now_ns()));
    }

    fn between(&self, t0_ns: u64, t1_ns: u64) -> Self {
        Self(self.0.between(t0_ns, t1_ns))
    }

    fn lap(&self, t1_ns: u64) -> Self {
        Self(self.0.lap(t1_ns))
    }

    fn remember(&self) {
        self.0.remember();
    }

    fn is_beside(&self, other: &Self) -> bool {
        self.0.is_beside(&other.0)
    }

    /// The GPUs that were found so far. After a fork they are the parent's.
    #[getter]
    fn curves(&self) -> Vec<GpuCurve> {
        match self.0.stand() {
            Stand::Ready(found) if !self.0.is_foreign() => found.gpus.iter().cloned().map(GpuCurve).collect(),
            _ => Vec::new(),
        }
    }

    #[getter]
    fn t0_ns(&self) -> u64 {
        self.0.t0_ns()
    }

    #[getter]
    fn is_foreign(&self) -> bool {
        self.0.is_foreign()
    }

    fn is_ready(&self, settled: bool) -> bool {
        self.0.is_ready(settled)
    }

    #[pyo3(signature = (settled, timeout_s=None))]
    fn wait(&self, py: Python<'_>, settled: bool, timeout_s: Option<f64>) -> bool {
        let limit = timeout_s.map(|limit_s| Duration::try_from_secs_f64(limit_s).unwrap_or_default());
        py.detach(|| self.0.wait(settled, limit))
    }

    /// "starting", "ready", or another word of `Finding.availability` with the reason.
    #[getter]
    fn stand(&self) -> (&'static str, String) {
        match self.0.stand() {
            Stand::Starting => ("starting", "the driver's init has not come back yet".to_owned()),
            Stand::Ready(_) => ("ready", String::new()),
            Stand::Failed(trouble) => (trouble.availability.as_str(), trouble.words),
        }
    }

    /// Domain and reason of GPUs that are wanted and do not answer, and of what is doubtful in the choice.
    #[getter]
    fn failed(&self) -> Vec<(String, String)> {
        let Stand::Ready(found) = self.0.stand() else { return Vec::new() };
        found.failed.iter().map(|(index, code)| (format!("gpu-{index}"), code.words().to_owned())).collect()
    }

    /// What is doubtful in the choice of GPUs.
    #[getter]
    fn doubts(&self) -> Vec<String> {
        let Stand::Ready(found) = self.0.stand() else { return Vec::new() };
        let stopped =
            found.stopped_at.as_ref().map(|entry| format!("the list of GPUs ends at {entry:?}: no GPU is called so"));
        let order = "CUDA may number these GPUs otherwise: set CUDA_DEVICE_ORDER=PCI_BUS_ID, or name GPUs by UUID";
        stopped.into_iter().chain(found.order_uncertain.then(|| order.to_owned())).collect()
    }

    fn energies(&self) -> Vec<GpuEnergy> {
        let Stand::Ready(found) = self.0.stand() else { return Vec::new() };
        let answers = self.0.answers(&found);
        found.gpus.iter().zip(&answers).map(|(gpu, answer)| GpuEnergy::new(gpu, answer)).collect()
    }
}

/// A GPU and what it drew: named as the attributes of `Domain` and `DomainEnergy`.
#[pyclass(frozen, get_all, module = "eco2ai_fast._core")]
pub struct GpuEnergy {
    id: String,
    kind: &'static str,
    parent: Option<String>,
    source: &'static str,
    provenance: &'static str,
    detail: String,
    name: String,
    counted: bool,
    sensor_rel: f64,
    tick_s: f64,
    calibration: Option<(f64, f64)>,
    uuid: String,
    cuda_index: Option<usize>,
    is_module: bool,
    energy_uj: Option<u64>,
    modelled_uj: u64,
    sampling_uj: u64,
    coverage: f64,
    resets: u64,
    ambiguous: u64,
    fault: Option<&'static str>,
    below_resolution: bool,
    rule: Option<&'static str>,
    remarks: Vec<String>,
}

impl GpuEnergy {
    fn new(gpu: &Gpu, answer: &Answer) -> Self {
        let closed = answer.closed.ok();
        let uj = |of: fn(&Closed) -> f64| closed.as_ref().map_or(0, |closed| units::whole(of(closed) * 1e6));
        Self {
            id: format!("gpu-{}", gpu.device.index),
            kind: "gpu",
            parent: None,
            source: "nvml",
            provenance: "measured",
            detail: detail(gpu),
            name: gpu.device.name.clone(),
            counted: true,
            sensor_rel: sensor_rel(gpu),
            tick_s: tick_s(gpu),
            calibration: calibration(gpu),
            uuid: gpu.device.uuid.clone(),
            cuda_index: gpu.cuda_index,
            is_module: gpu.scope == Scope::Module,
            energy_uj: closed.map(|closed| units::whole(closed.energy_j * 1e6)),
            modelled_uj: uj(|closed| closed.estimated_j.min(closed.energy_j)),
            sampling_uj: uj(|closed| closed.bound_j),
            coverage: closed.map_or(0.0, |closed| closed.coverage),
            resets: closed.map_or(0, |closed| closed.resets),
            ambiguous: 0,
            fault: fault(answer),
            below_resolution: false,
            rule: closed.map(|closed| closed.rule().as_str()),
            remarks: remarks(answer),
        }
    }
}

#[pymethods]
impl GpuEnergy {
    fn __repr__(&self) -> String {
        format!("<GpuEnergy {}: {}>", self.id, self.detail)
    }
}

/// How often its meter moves. A function of its own, so that the lane is let go before it is asked for more.
pub fn tick_s(gpu: &Gpu) -> f64 {
    units::seconds(gpu.lane().meter().period_ns())
}

/// One sigma of the sensor's own error.
pub fn sensor_rel(gpu: &Gpu) -> f64 {
    if gpu.lane().meter().calibration().is_identity() { SENSOR_REL } else { CALIBRATED_REL }
}

pub fn detail(gpu: &Gpu) -> String {
    let meter = match gpu.lane().primary() {
        Primary::Counter => "energy counter",
        Primary::Instant => "instant power",
        Primary::Average => "1 s average power",
        Primary::None => "no meter",
    };
    let scope = if gpu.scope == Scope::Module { ", the whole module with its processor and memory" } else { "" };
    let slices = if gpu.device.mig { ", all slices together" } else { "" };
    format!("{}, {meter}{scope}{slices}{}", gpu.device.name, calibrated(gpu))
}

fn calibrated(gpu: &Gpu) -> String {
    calibration(gpu)
        .map_or_else(String::new, |(gain, offset_w)| format!(", calibrated: gain {gain:.4}, offset {offset_w:+.2} W"))
}

/// Gain, and offset in watts, that the figures are corrected by.
pub fn calibration(gpu: &Gpu) -> Option<(f64, f64)> {
    let calibration = *gpu.lane().meter().calibration();
    (!calibration.is_identity()).then_some((calibration.gain, calibration.offset_w))
}

/// Why there is no number, or why a part of it is missing.
fn fault(answer: &Answer) -> Option<&'static str> {
    let state = match answer.state {
        State::Good => None,
        State::Refusing(code) | State::Gone(code) | State::Off(code) => Some(code.words()),
    };
    match answer.closed {
        Ok(closed) => state.filter(|_| closed.end == Rule::Lost),
        Err(Unknown::Pending) => state.or(Some("its meter was not updated since the window ended")),
        Err(Unknown::Silent) => state.or(Some("it stopped answering before the window began")),
        Err(Unknown::Forgotten) => Some("the window began before what is remembered of it"),
    }
}

fn remarks(answer: &Answer) -> Vec<String> {
    remarks_of(answer.blind_to, answer.disagreement)
}

/// What a meter cannot see, and whether counter and gauge disagree.
pub fn remarks_of(blind_to: Option<&'static str>, disagreement: Option<f64>) -> Vec<String> {
    let blind = blind_to.map(str::to_owned);
    let apart = disagreement.map(|ratio| {
        format!("its counter shows {:+.0} % against its power gauge: neither is ground truth", 100.0 * (ratio - 1.0))
    });
    blind.into_iter().chain(apart).collect()
}
