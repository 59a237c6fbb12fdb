//! `Span`: two marks around a piece of code, and what all of them cost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use eco2ai_fast_core::clock::Clock;
use eco2ai_fast_core::span::log::{Attribute, MOST_ATTRIBUTES, Value};
use eco2ai_fast_core::span::{self, NAMED_LANE, Spans, level, nest, share};
use eco2ai_fast_core::{meter, units};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyString};

use crate::errors::{WindowError, guarded};

/// Names beyond this many are recorded as [`OTHER`]: a name that holds a request's number belongs into an attribute.
const MOST_NAMES: usize = 1 << 16;
const OTHER: &str = "(other names)";
/// A span that is not open.
const CLOSED: u64 = u64::MAX;

/// The spans of a meter, and the codes of their names.
pub struct Recorder {
    pub spans: Arc<Spans>,
    meter: Arc<meter::Meter>,
    /// From words to codes, in the order of the codes; names, keys and words of attributes, and lanes share it.
    names: Py<PyDict>,
    /// Attributes that could not be recorded.
    unusable: AtomicU64,
}

impl Recorder {
    pub fn new(py: Python<'_>, meter: &Arc<meter::Meter>, clock: &Arc<dyn Clock>, capacity: usize) -> Self {
        let names = PyDict::new(py).unbind();
        Self { spans: Spans::new(meter, clock, capacity), meter: meter.clone(), names, unusable: AtomicU64::new(0) }
    }

    fn code(&self, name: &Bound<'_, PyString>) -> PyResult<u32> {
        let names = self.names.bind(name.py());
        match names.get_item(name)? {
            Some(code) => code.extract(),
            None => Self::new_code(names, name),
        }
    }

    #[cold]
    fn new_code(names: &Bound<'_, PyDict>, name: &Bound<'_, PyString>) -> PyResult<u32> {
        let other = PyString::new(name.py(), OTHER);
        let name = if names.len() < MOST_NAMES { name } else { &other };
        names.call_method1("setdefault", (name, names.len()))?.extract()
    }

    fn lane(&self, lane: &Bound<'_, PyAny>) -> PyResult<u64> {
        if let Ok(name) = lane.cast::<PyString>() {
            return Ok(NAMED_LANE | u64::from(self.code(name)?));
        }
        let number: u64 = lane
            .extract()
            .map_err(|_| PyTypeError::new_err("lane is a name or a whole number of 0 or more, below 2**62"))?;
        Ok(NAMED_LANE | NUMBERED_LANE | number & (NUMBERED_LANE - 1))
    }

    fn attribute(&self, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> Option<Attribute> {
        let value = if value.is_instance_of::<PyBool>() || value.is_instance_of::<PyInt>() {
            Value::Whole(value.extract().ok()?)
        } else if value.is_instance_of::<PyFloat>() {
            Value::Number(value.extract().ok()?)
        } else if let Ok(word) = value.cast::<PyString>() {
            Value::Word(self.code(word).ok()?)
        } else {
            // What numpy and its like call a number.
            value.extract().map(Value::Whole).or_else(|_| value.extract().map(Value::Number)).ok()?
        };
        Some((self.code(key.cast().ok()?).ok()?, value))
    }
}

/// Lanes that the user numbered have this bit beside [`NAMED_LANE`].
const NUMBERED_LANE: u64 = 1 << 62;

#[pyclass(frozen, module = "eco2ai_fast._core")]
pub struct Span {
    recorder: Arc<Recorder>,
    name: u32,
    lane: Option<u64>,
    /// Number of the open span, 0 if there was no room for it, [`CLOSED`] if it is not open.
    id: AtomicU64,
    attributes: PyOnceLock<Py<PyDict>>,
}

impl Span {
    pub fn new(
        recorder: &Arc<Recorder>,
        name: &Bound<'_, PyString>,
        lane: Option<&Bound<'_, PyAny>>,
        attributes: Option<Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let said = PyOnceLock::new();
        if let Some(attributes) = attributes {
            let _ = said.set(name.py(), attributes.unbind());
        }
        let (name, lane) = (recorder.code(name)?, lane.map(|lane| recorder.lane(lane)).transpose()?);
        Ok(Self { recorder: recorder.clone(), name, lane, id: AtomicU64::new(CLOSED), attributes: said })
    }

    pub fn begin(&self) -> PyResult<()> {
        // Relaxed throughout: the interpreter's lock orders what threads do with one object.
        if self.id.load(Ordering::Relaxed) != CLOSED {
            return Err(WindowError::new_err("this span is open already: call meter.span() again for another one"));
        }
        self.id.store(self.recorder.spans.begin(self.name, self.lane), Ordering::Relaxed);
        Ok(())
    }

    pub fn end(&self, py: Python<'_>, failed: bool) -> PyResult<()> {
        let t_ns = self.recorder.spans.now_ns();
        let id = self.id.swap(CLOSED, Ordering::Relaxed);
        if id == CLOSED {
            return Err(WindowError::new_err("this span is not open: it ended before or never began"));
        }
        match self.attributes.get(py) {
            None => self.recorder.spans.end(id, t_ns, failed, &[]),
            Some(attributes) => self.end_with(id, t_ns, failed, attributes.bind(py)),
        }
        Ok(())
    }

    fn end_with(&self, id: u64, t_ns: u64, failed: bool, said: &Bound<'_, PyDict>) {
        let mut attributes = [(0, Value::Whole(0)); MOST_ATTRIBUTES];
        let mut count = 0;
        for (key, value) in said {
            match self.recorder.attribute(&key, &value).filter(|_| count < MOST_ATTRIBUTES) {
                Some(attribute) => {
                    attributes[count] = attribute;
                    count += 1;
                }
                // None says that there is nothing to say.
                None if value.is_none() => {}
                None => {
                    self.recorder.unusable.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        self.recorder.spans.end(id, t_ns, failed, &attributes[..count]);
    }
}

#[pymethods]
impl Span {
    fn __enter__(slf: PyRef<'_, Self>) -> PyResult<PyRef<'_, Self>> {
        slf.begin()?;
        Ok(slf)
    }

    fn __exit__(
        &self,
        kind: &Bound<'_, PyAny>,
        _error: &Bound<'_, PyAny>,
        _trace: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.end(kind.py(), !kind.is_none())
    }

    #[pyo3(signature = (**attributes))]
    pub fn set(&self, py: Python<'_>, attributes: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        match attributes {
            None => Ok(()),
            Some(more) => self.attributes.get_or_init(py, || PyDict::new(py).unbind()).bind(py).update(more.as_mapping()),
        }
    }

    /// Another span of the same name, lane and attributes.
    fn again(&self, py: Python<'_>) -> PyResult<Self> {
        let attributes = PyOnceLock::new();
        if let Some(said) = self.attributes.get(py) {
            let _ = attributes.set(py, said.bind(py).copy()?.unbind());
        }
        let id = AtomicU64::new(CLOSED);
        Ok(Self { recorder: self.recorder.clone(), name: self.name, lane: self.lane, id, attributes })
    }

    fn __call__<'py>(slf: &Bound<'py, Self>, function: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("eco2ai_fast.decorator")?.call_method1("spanned", (slf, function))
    }

    fn __repr__(&self) -> &'static str {
        if self.id.load(Ordering::Relaxed) == CLOSED { "<Span: not open>" } else { "<Span: open>" }
    }
}

impl Recorder {
    /// The columns of all spans over the domains at `places`, codes, and what was lost.
    pub fn table<'py>(&self, py: Python<'py>, places: &[usize]) -> PyResult<Bound<'py, PyDict>> {
        let (table, losses) = py.detach(|| guarded(|| self.spans.table(places)))?;
        let columns = PyDict::new(py);
        columns.set_item("name", table.name.into_pyarray(py))?;
        columns.set_item("stage", table.stage.into_pyarray(py))?;
        columns.set_item("lane", table.lane.into_pyarray(py))?;
        columns.set_item("t0_ns", table.t0_ns.into_pyarray(py))?;
        columns.set_item("t1_ns", table.t1_ns.into_pyarray(py))?;
        columns.set_item("failed", table.failed.into_pyarray(py))?;
        columns.set_item("status", table.status.into_pyarray(py))?;
        columns.set_item("measured_uj", table.measured_uj.map(|column| column.into_pyarray(py)))?;
        columns.set_item("modelled_uj", table.modelled_uj.map(|column| column.into_pyarray(py)))?;
        columns.set_item("sigma_uj", table.sigma_uj.map(|column| column.into_pyarray(py)))?;
        columns.set_item("coverage", table.coverage.into_pyarray(py))?;
        columns.set_item("sensor_rel", table.sensor_rel.into_pyarray(py))?;
        let said = table.attributes;
        columns.set_item("attribute_row", said.iter().map(|one| one.0).collect::<Vec<_>>().into_pyarray(py))?;
        columns.set_item("attribute_key", said.iter().map(|one| one.1).collect::<Vec<_>>().into_pyarray(py))?;
        columns.set_item("attribute_is_word", said.iter().map(|one| one.2).collect::<Vec<_>>().into_pyarray(py))?;
        columns.set_item("attribute_value", said.iter().map(|one| one.3).collect::<Vec<_>>().into_pyarray(py))?;
        columns.set_item("names", self.names.bind(py).keys())?;
        columns.set_item("grain_ns", level::grain_ns(&self.meter))?;
        columns.set_item("dropped", losses.dropped)?;
        columns.set_item("overwritten", losses.overwritten)?;
        columns.set_item("unmatched", losses.unmatched)?;
        columns.set_item("unusable_attributes", self.unusable.load(Ordering::Relaxed))?;
        Ok(columns)
    }
}

/// Places of instants in an ascending series, and whole weights: what the shares are computed from.
fn claims(t_ns: &[u64], t0_ns: &[u64], t1_ns: &[u64], weights: Option<&[f64]>) -> PyResult<Vec<share::Claim>> {
    let weights = weights.map_or_else(|| vec![1; t0_ns.len()], share::whole_weights);
    if t0_ns.len() != t1_ns.len() || t0_ns.len() != weights.len() || !t_ns.is_sorted_by(|a, b| a < b) {
        return Err(PyValueError::new_err("t0_ns, t1_ns and weights must be of one length, and t_ns ascending"));
    }
    let place = |at_ns: &u64| {
        let missing = |_| PyValueError::new_err(format!("the curve has no height at {at_ns} ns"));
        t_ns.binary_search(at_ns).map_err(missing)
    };
    let ends = t0_ns.iter().zip(t1_ns).zip(weights);
    ends.map(|((t0_ns, t1_ns), weight)| Ok(share::Claim { first: place(t0_ns)?, last: place(t1_ns)?, weight })).collect()
}

/// Parts, idle energy and rest, in microjoules.
#[pyfunction]
#[pyo3(signature = (t_ns, energy_uj, t0_ns, t1_ns, weights=None, idle_w=0.0))]
#[allow(clippy::needless_pass_by_value)] // PyO3 hands arrays over by value
pub fn shares<'py>(
    py: Python<'py>,
    t_ns: PyReadonlyArray1<'py, u64>,
    energy_uj: PyReadonlyArray1<'py, u64>,
    t0_ns: PyReadonlyArray1<'py, u64>,
    t1_ns: PyReadonlyArray1<'py, u64>,
    weights: Option<PyReadonlyArray1<'py, f64>>,
    idle_w: f64,
) -> PyResult<(Bound<'py, PyArray1<u64>>, u64, u64)> {
    let weights = weights.as_ref().map(PyReadonlyArray1::as_slice).transpose()?;
    let heights = share::Heights { t_ns: t_ns.as_slice()?, energy_uj: energy_uj.as_slice()? };
    let claims = claims(heights.t_ns, t0_ns.as_slice()?, t1_ns.as_slice()?, weights)?;
    if heights.t_ns.len() != heights.energy_uj.len() {
        return Err(PyValueError::new_err("t_ns and energy_uj must be of one length"));
    }
    let shares = guarded(|| Ok(share::share(heights, &claims, units::microwatts(idle_w))))?;
    Ok((shares.parts_uj.into_pyarray(py), shares.idle_uj, shares.rest_uj))
}

/// One sigma of each part, in microjoules.
#[pyfunction]
#[pyo3(signature = (t_ns, sigma_uj, t0_ns, t1_ns, weights=None, grain_ns=0))]
#[allow(clippy::needless_pass_by_value)] // PyO3 hands arrays over by value
pub fn share_sigmas<'py>(
    py: Python<'py>,
    t_ns: PyReadonlyArray1<'py, u64>,
    sigma_uj: PyReadonlyArray1<'py, f64>,
    t0_ns: PyReadonlyArray1<'py, u64>,
    t1_ns: PyReadonlyArray1<'py, u64>,
    weights: Option<PyReadonlyArray1<'py, f64>>,
    grain_ns: u64,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let weights = weights.as_ref().map(PyReadonlyArray1::as_slice).transpose()?;
    let (t_ns, sigma_uj) = (t_ns.as_slice()?, sigma_uj.as_slice()?);
    let claims = claims(t_ns, t0_ns.as_slice()?, t1_ns.as_slice()?, weights)?;
    if t_ns.len() != sigma_uj.len() {
        return Err(PyValueError::new_err("t_ns and sigma_uj must be of one length"));
    }
    Ok(guarded(|| Ok(share::sigmas(t_ns, sigma_uj, &claims, grain_ns)))?.into_pyarray(py))
}

/// Pieces of time: places of their owners, begins, ends.
type Pieces<'py> = (Bound<'py, PyArray1<usize>>, Bound<'py, PyArray1<u64>>, Bound<'py, PyArray1<u64>>);

/// The time of each lane cut into pieces, each owned by the span that began last and still lasts.
#[pyfunction]
#[allow(clippy::needless_pass_by_value)] // PyO3 hands arrays over by value
pub fn own_time<'py>(
    py: Python<'py>,
    lane: PyReadonlyArray1<'py, u64>,
    t0_ns: PyReadonlyArray1<'py, u64>,
    t1_ns: PyReadonlyArray1<'py, u64>,
) -> PyResult<Pieces<'py>> {
    let columns = lane.as_slice()?.iter().zip(t0_ns.as_slice()?).zip(t1_ns.as_slice()?);
    let extents: Vec<_> =
        columns.map(|((lane, t0_ns), t1_ns)| nest::Extent { lane: *lane, t0_ns: *t0_ns, t1_ns: *t1_ns }).collect();
    let pieces = guarded(|| Ok(nest::own_time(&extents)))?;
    Ok((
        pieces.iter().map(|piece| piece.owner).collect::<Vec<_>>().into_pyarray(py),
        pieces.iter().map(|piece| piece.t0_ns).collect::<Vec<_>>().into_pyarray(py),
        pieces.iter().map(|piece| piece.t1_ns).collect::<Vec<_>>().into_pyarray(py),
    ))
}

/// The stage that spans begin in from now on, in all threads; 0 is none.
#[pyfunction]
pub fn set_stage(code: u16) {
    span::set_stage(code);
}
