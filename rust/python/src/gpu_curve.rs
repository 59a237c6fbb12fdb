//! `GpuCurve`: the recorded energy of one GPU, and what it says of windows and instants. Nothing here calls the driver.

use eco2ai_fast_core::gpu::close::{Closed, Rule};
use eco2ai_fast_core::gpu::common::{self, Height, Marks};
use eco2ai_fast_core::gpu::instant::Unknown;
use eco2ai_fast_core::gpu::lane::{Lane, State};
use eco2ai_fast_core::gpu::round::Gpu;
use eco2ai_fast_core::gpu::ticks::{Tick, Ticks};
use eco2ai_fast_core::source::nvml::code::Code;
use eco2ai_fast_core::source::nvml::condition::Condition;
use eco2ai_fast_core::source::nvml::probe::Scope;
use eco2ai_fast_core::units;
use numpy::ndarray::Array2;
use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::guarded;
use crate::gpu::{calibration, detail, remarks_of, sensor_rel, tick_s};

/// What a window says where it has no energy, after the rules of `Rule` in their order.
const PENDING: u8 = 5;
const FORGOTTEN: u8 = 6;
const SILENT: u8 = 7;
/// Words of the rules, by their code.
const RULES: [Rule; 5] = [Rule::IdleAnchored, Rule::Assumed, Rule::Linear, Rule::Cold, Rule::Lost];

type Column<'py> = PyReadonlyArray1<'py, u64>;
type Whole<'py> = Bound<'py, PyArray1<u64>>;
type Floats<'py> = Bound<'py, PyArray1<f64>>;
type Codes<'py> = Bound<'py, PyArray1<u8>>;
/// Energy, estimated part and one sigma in microjoules, uncovered time, rules.
type Heights<'py> = (Whole<'py>, Whole<'py>, Floats<'py>, Whole<'py>, Codes<'py>);
/// Energy and estimated part in microjoules, 95 % half-width in joules, coverage, rules, whether it is settled.
type Windows<'py> = (Whole<'py>, Whole<'py>, Floats<'py>, Floats<'py>, Codes<'py>, Bound<'py, PyArray1<bool>>);

#[pyclass(frozen, module = "eco2ai_fast._core")]
pub struct GpuCurve(pub Gpu);

#[pymethods]
#[allow(clippy::unused_self)] // some attributes that every domain has are constants of a GPU
impl GpuCurve {
    #[getter]
    fn id(&self) -> String {
        format!("gpu-{}", self.0.device.index)
    }

    #[getter]
    fn kind(&self) -> &'static str {
        "gpu"
    }

    #[getter]
    fn package(&self) -> Option<u32> {
        None
    }

    #[getter]
    fn source(&self) -> &'static str {
        "nvml"
    }

    #[getter]
    fn provenance(&self) -> &'static str {
        "measured"
    }

    #[getter]
    fn counted(&self) -> bool {
        true
    }

    #[getter]
    fn parent(&self) -> Option<String> {
        None
    }

    #[getter]
    fn reason(&self) -> &'static str {
        "the driver's own meter"
    }

    #[getter]
    fn name(&self) -> &str {
        &self.0.device.name
    }

    #[getter]
    fn detail(&self) -> String {
        detail(&self.0)
    }

    #[getter]
    fn sensor_rel(&self) -> f64 {
        sensor_rel(&self.0)
    }

    #[getter]
    fn tick_s(&self) -> f64 {
        tick_s(&self.0)
    }

    #[getter]
    fn resolution_s(&self) -> f64 {
        0.0
    }

    #[getter]
    fn max_power_w(&self) -> Option<f64> {
        self.0.lane().limit_w()
    }

    #[getter]
    fn reach_ns(&self) -> u64 {
        self.0.lane().meter().reach_ns()
    }

    #[getter]
    fn uuid(&self) -> &str {
        &self.0.device.uuid
    }

    #[getter]
    fn cuda_index(&self) -> Option<usize> {
        self.0.cuda_index
    }

    #[getter]
    fn is_module(&self) -> bool {
        self.0.scope == Scope::Module
    }

    #[getter]
    fn calibration(&self) -> Option<(f64, f64)> {
        calibration(&self.0)
    }

    #[getter]
    fn remarks(&self) -> Vec<String> {
        let lane = self.0.lane();
        remarks_of(lane.blind_to(), lane.agreement().disagreement())
    }

    /// Why it does not answer now.
    #[getter]
    fn fault(&self) -> Option<&'static str> {
        match self.0.lane().state() {
            State::Good => None,
            State::Refusing(code) | State::Gone(code) | State::Off(code) => Some(code.words()),
        }
    }

    /// From when to when its energy is known.
    #[getter]
    fn span_ns(&self) -> Option<(u64, u64)> {
        let lane = self.0.lane();
        let ticks = lane.meter().ticks();
        Some((ticks.get(ticks.first_number())?.t_ns, ticks.last()?.t_ns))
    }

    /// From when on its energy is remembered, where earlier updates were forgotten.
    #[getter]
    fn forgotten_ns(&self) -> Option<u64> {
        let lane = self.0.lane();
        let first = lane.meter().ticks().first_number();
        lane.meter().ticks().get(first).filter(|_| first > 0).map(|tick| tick.t_ns)
    }

    /// How the GPU was when last looked at, once a second.
    #[getter]
    fn condition<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let condition = self.0.lane().condition().copied();
        condition.map(|condition| said(py, &condition)).transpose()
    }

    /// The number of the next update, and rows of those since `number`: instant, energy, half-width, estimated part,
    /// uncovered time.
    fn changes_since<'py>(&self, py: Python<'py>, number: usize) -> (usize, Bound<'py, PyArray2<u64>>) {
        let (next, rows) = {
            let lane = self.0.lane();
            let ticks = lane.meter().ticks();
            let row = |one: &Tick| [one.t_ns, one.energy_uj, one.half_ns, one.estimated_uj, one.uncovered_ns];
            (ticks.next_number(), ticks.from(number).map(row).collect::<Vec<_>>())
        };
        (next, Array2::from(rows).into_pyarray(py))
    }

    /// The energy of windows, each closed by what suits its ends.
    #[allow(clippy::needless_pass_by_value)] // PyO3 hands arrays over by value
    fn closed<'py>(&self, py: Python<'py>, t0_ns: Column<'py>, t1_ns: Column<'py>) -> PyResult<Windows<'py>> {
        let (t0_ns, t1_ns) = (t0_ns.as_slice()?, t1_ns.as_slice()?);
        if t0_ns.len() != t1_ns.len() {
            return Err(PyValueError::new_err("begins and ends must be of one length"));
        }
        let rows = py.detach(|| {
            guarded(|| {
                let lane = self.0.lane().since(t0_ns.iter().copied().min().unwrap_or(0));
                Ok(t0_ns.iter().zip(t1_ns).map(|(t0_ns, t1_ns)| Row::of(&lane, *t0_ns, *t1_ns)).collect::<Vec<_>>())
            })
        })?;
        Ok(windows(py, &rows))
    }

    /// The curve that all share who divide this GPU's energy, at ascending instants; None before two updates.
    #[allow(clippy::needless_pass_by_value)] // PyO3 hands arrays over by value
    fn heights<'py>(
        &self,
        py: Python<'py>,
        t_ns: Column<'py>,
        is_active: PyReadonlyArray1<'py, bool>,
    ) -> PyResult<Option<Heights<'py>>> {
        let marks = Marks { t_ns: ascending(t_ns.as_slice()?)?, is_active: is_active.as_slice()? };
        let found =
            py.detach(|| guarded(|| Ok(self.0.lane().since(marks.t_ns.first().copied().unwrap_or(0)).heights(marks))))?;
        Ok(found.map(|heights| columns(py, &heights)))
    }

    fn __repr__(&self) -> String {
        format!("<GpuCurve {}: {}>", self.id(), detail(&self.0))
    }
}

/// The same of a curve that was written down.
#[pyfunction]
#[pyo3(signature = (curve, t_ns, is_active, *, reach_ns=0, limit_w=None))]
#[allow(clippy::needless_pass_by_value)] // PyO3 hands arrays over by value
pub fn gpu_heights<'py>(
    py: Python<'py>,
    curve: (Column<'py>, Column<'py>, Column<'py>, Column<'py>, Column<'py>),
    t_ns: Column<'py>,
    is_active: PyReadonlyArray1<'py, bool>,
    reach_ns: u64,
    limit_w: Option<f64>,
) -> PyResult<Option<Heights<'py>>> {
    let curve =
        [curve.0.as_slice()?, curve.1.as_slice()?, curve.2.as_slice()?, curve.3.as_slice()?, curve.4.as_slice()?];
    if curve.iter().any(|column| column.len() != curve[0].len()) {
        return Err(PyValueError::new_err("the columns of a curve must be of one length"));
    }
    let marks = Marks { t_ns: ascending(t_ns.as_slice()?)?, is_active: is_active.as_slice()? };
    let found = py.detach(|| guarded(|| Ok(common::heights(&recorded(curve), reach_ns, limit_w, marks))))?;
    Ok(found.map(|heights| columns(py, &heights)))
}

/// The words of `GpuCurve`'s rule codes.
#[pyfunction]
#[allow(clippy::unnecessary_wraps)] // the form that pyfunction asks for
pub fn gpu_rules() -> PyResult<Vec<&'static str>> {
    let unknown = [
        "its meter was not updated since the window ended",
        "the window began before what is remembered of it",
        "it stopped answering before the window began",
    ];
    Ok(RULES.iter().map(|rule| rule.as_str()).chain(unknown).collect())
}

fn ascending(t_ns: &[u64]) -> PyResult<&[u64]> {
    if t_ns.windows(2).all(|pair| pair[0] < pair[1]) {
        return Ok(t_ns);
    }
    Err(PyValueError::new_err("instants must ascend, each once"))
}

fn recorded(curve: [&[u64]; 5]) -> Ticks {
    let mut ticks = Ticks::boundless();
    for place in 0..curve[0].len() {
        let [t_ns, energy_uj, half_ns, estimated_uj, uncovered_ns] = curve.map(|column| column[place]);
        ticks.push(Tick { t_ns, half_ns, energy_uj, estimated_uj, uncovered_ns, resets: 0 });
    }
    ticks
}

/// What one window came to.
struct Row {
    closed: Option<Closed>,
    rule: u8,
}

impl Row {
    fn of(lane: &Lane, t0_ns: u64, t1_ns: u64) -> Self {
        match lane.window(t0_ns, t1_ns) {
            Ok(closed) => Self { rule: code(closed.rule()), closed: Some(closed) },
            Err(Unknown::Pending) => Self { closed: None, rule: PENDING },
            Err(Unknown::Forgotten) => Self { closed: None, rule: FORGOTTEN },
            Err(Unknown::Silent) => Self { closed: None, rule: SILENT },
        }
    }
}

fn windows<'py>(py: Python<'py>, rows: &[Row]) -> Windows<'py> {
    let uj = |of: fn(&Closed) -> f64| {
        let one = |row: &Row| row.closed.as_ref().map_or(0, |closed| units::whole(of(closed) * 1e6));
        PyArray1::from_vec(py, rows.iter().map(one).collect())
    };
    let number = |of: fn(&Closed) -> f64| {
        PyArray1::from_vec(py, rows.iter().map(|row| row.closed.as_ref().map_or(0.0, of)).collect())
    };
    (
        uj(|closed| closed.energy_j),
        uj(|closed| closed.estimated_j.min(closed.energy_j)),
        number(|closed| closed.bound_j),
        number(|closed| closed.coverage),
        PyArray1::from_vec(py, rows.iter().map(|row| row.rule).collect()),
        PyArray1::from_vec(py, rows.iter().map(|row| row.closed.is_some_and(|closed| closed.is_settled)).collect()),
    )
}

/// Columns of a curve, of which no figure is negative: they count from the first instant where that is the lower one.
fn columns<'py>(py: Python<'py>, heights: &[Height]) -> Heights<'py> {
    let column = |of: fn(&Height) -> i64| {
        let base = heights.first().map_or(0, of).min(0);
        PyArray1::from_vec(py, heights.iter().map(|height| (of(height) - base).max(0).cast_unsigned()).collect())
    };
    let rule = |height: &Height| if height.is_forgotten { FORGOTTEN } else { code(height.rule) };
    (
        column(|height| height.energy_uj),
        column(|height| height.estimated_uj),
        PyArray1::from_vec(py, heights.iter().map(|height| height.sigma_uj).collect()),
        column(|height| height.uncovered_ns),
        PyArray1::from_vec(py, heights.iter().map(rule).collect()),
    )
}

#[allow(clippy::cast_possible_truncation)] // there are five
fn code(rule: Rule) -> u8 {
    RULES.iter().position(|one| *one == rule).unwrap_or(RULES.len() - 1) as u8
}

fn said<'py>(py: Python<'py>, condition: &Condition) -> PyResult<Bound<'py, PyDict>> {
    fn known<T>(value: Result<T, Code>) -> Option<T> {
        value.ok()
    }
    let dict = PyDict::new(py);
    let [gpu, memory] = known(condition.utilisation_percent).map_or([None; 2], |both| both.map(Some));
    dict.set_item("utilisation_percent", gpu)?;
    dict.set_item("memory_utilisation_percent", memory)?;
    dict.set_item("memory_used_bytes", known(condition.memory_used_bytes))?;
    dict.set_item("temperature_c", known(condition.temperature_c))?;
    dict.set_item("sm_mhz", known(condition.sm_mhz))?;
    dict.set_item("memory_mhz", known(condition.memory_mhz))?;
    dict.set_item("limit_w", known(condition.limit_mw).map(|limit_mw| f64::from(limit_mw) / 1e3))?;
    dict.set_item("throttle_reasons", known(condition.throttle_reasons).map(reasons))?;
    Ok(dict)
}

/// Why clocks are below their maximum: `nvmlClocksEventReasons*` (nvml.h) in words.
fn reasons(bits: u64) -> Vec<&'static str> {
    const REASONS: [(u64, &str); 9] = [
        (0x1, "idle"),
        (0x2, "clocks set by the user"),
        (0x4, "power limit"),
        (0x8, "hardware slowdown"),
        (0x10, "sync boost"),
        (0x20, "temperature"),
        (0x40, "hardware: temperature"),
        (0x80, "hardware: power brake"),
        (0x100, "display clocks"),
    ];
    REASONS.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, words)| *words).collect()
}
