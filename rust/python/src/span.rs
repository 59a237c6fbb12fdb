//! `Span`: two marks around a piece of code, and what all of them cost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use eco2ai_fast_core::clock::Clock;
use eco2ai_fast_core::meter;
use eco2ai_fast_core::span::log::{MOST_ATTRIBUTES, Packed, Value, pack};
use eco2ai_fast_core::span::{self, NAMED_LANE, Spans};
use numpy::IntoPyArray;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyString};

use crate::errors::{WindowError, defect, guarded};
use crate::meter::Meter;
use crate::words::Words;

/// Lanes that the user numbered have this bit beside [`NAMED_LANE`].
const NUMBERED_LANE: u64 = 1 << 62;
/// A span that is not open.
const CLOSED: u64 = u64::MAX;

/// The spans of a meter, and the codes of their names.
pub struct Recorder {
    pub spans: Arc<Spans>,
    words: Words,
    /// Attributes that could not be recorded.
    unusable: AtomicU64,
}

impl Recorder {
    pub fn new(py: Python<'_>, meter: &Arc<meter::Meter>, clock: &Arc<dyn Clock>, capacity: usize) -> Self {
        let spans = meter.spans(clock, capacity);
        Self { spans, words: Words::new(py), unusable: AtomicU64::new(0) }
    }

    fn lane(&self, lane: &Bound<'_, PyAny>) -> PyResult<u64> {
        if let Ok(name) = lane.cast::<PyString>() {
            return Ok(NAMED_LANE | u64::from(self.words.code(name)?));
        }
        let number: u64 = lane.extract().map_err(|_| PyTypeError::new_err("lane is a name or a whole number"))?;
        Ok(NAMED_LANE | NUMBERED_LANE | number & (NUMBERED_LANE - 1))
    }

    fn value(&self, value: &Bound<'_, PyAny>) -> Option<Value> {
        if value.is_instance_of::<PyFloat>() {
            return value.extract().map(Value::Number).ok();
        }
        if let Ok(word) = value.cast::<PyString>() {
            return self.words.code(word).map(Value::Word).ok();
        }
        // Whole numbers, and what numpy and its like call a number.
        value.extract().map(Value::Whole).or_else(|_| value.extract().map(Value::Number)).ok()
    }
}

#[pyclass(frozen, freelist = 16, module = "eco2ai_fast._core")]
pub struct Span {
    /// The meter and not its recorder: a count of the interpreter's costs less than an atomic one.
    meter: Py<Meter>,
    name: u32,
    /// 0 for the thread's own.
    lane: AtomicU64,
    /// Number of the open span, 0 if there was no room for it, [`CLOSED`] if it is not open.
    id: AtomicU64,
    said: AtomicUsize,
    attributes: [[AtomicU64; 2]; MOST_ATTRIBUTES],
}

/// All atomic accesses here are relaxed: the interpreter's lock orders what threads do with one object.
impl Span {
    pub fn new(meter: &Bound<'_, Meter>, name: &Bound<'_, PyString>) -> PyResult<Self> {
        let code = Meter::recorder(meter)?.words.code(name)?;
        Ok(Self::blank(meter.clone().unbind(), code))
    }

    fn recorder(&self) -> PyResult<&Recorder> {
        self.meter.get().made_recorder().ok_or_else(defect)
    }

    fn blank(meter: Py<Meter>, name: u32) -> Self {
        Self {
            meter,
            name,
            lane: AtomicU64::new(0),
            id: AtomicU64::new(CLOSED),
            said: AtomicUsize::new(0),
            attributes: [const { [const { AtomicU64::new(0) }; 2] }; MOST_ATTRIBUTES],
        }
    }

    /// Takes one keyword of `meter.span()`.
    pub fn take(&self, key: &Bound<'_, PyString>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        if self.recorder()?.words.is_lane(key) {
            if !value.is_none() {
                self.lane.store(self.recorder()?.lane(value)?, Ordering::Relaxed);
            }
            return Ok(());
        }
        self.say(key, value)
    }

    /// Notes an attribute, in place of an earlier one of the same key. None says that there is nothing to say; what
    /// cannot be recorded is counted, for an attribute is no reason to end a program.
    fn say(&self, key: &Bound<'_, PyString>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        if value.is_none() {
            return Ok(());
        }
        let recorder = self.recorder()?;
        let key = recorder.words.code(key)?;
        let said = self.said.load(Ordering::Relaxed);
        let is_key = |pair: &[AtomicU64; 2]| pair[0].load(Ordering::Relaxed) >> 32 == u64::from(key);
        let place = self.attributes[..said].iter().position(is_key).unwrap_or(said);
        match (recorder.value(value), self.attributes.get(place)) {
            (Some(value), Some(pair)) => {
                pair.iter().zip(pack((key, value))).for_each(|(slot, word)| slot.store(word, Ordering::Relaxed));
                self.said.store(said.max(place + 1), Ordering::Relaxed);
            }
            _ => {
                recorder.unusable.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    pub fn begin(&self) -> PyResult<()> {
        if self.id.load(Ordering::Relaxed) != CLOSED {
            return Err(WindowError::new_err("this span is open already: call meter.span() again for another one"));
        }
        let lane = Some(self.lane.load(Ordering::Relaxed)).filter(|lane| *lane != 0);
        self.id.store(self.recorder()?.spans.begin(self.name, lane), Ordering::Relaxed);
        Ok(())
    }

    pub fn end(&self, failed: bool) -> PyResult<()> {
        let spans = &self.recorder()?.spans;
        let t_ns = spans.now_ns();
        let id = self.id.load(Ordering::Relaxed);
        if id == CLOSED {
            return Err(WindowError::new_err("this span is not open: it ended before or never began"));
        }
        self.id.store(CLOSED, Ordering::Relaxed);
        match self.said.load(Ordering::Relaxed) {
            0 => spans.end(id, t_ns, failed, &[]),
            said => spans.end(id, t_ns, failed, &self.packed()[..said]),
        }
        Ok(())
    }

    fn packed(&self) -> [Packed; MOST_ATTRIBUTES] {
        std::array::from_fn(|place| [0, 1].map(|half: usize| self.attributes[place][half].load(Ordering::Relaxed)))
    }
}

#[pymethods]
impl Span {
    #[pyo3(signature = (**attributes))]
    pub fn set(&self, attributes: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        attributes.into_iter().flatten().try_for_each(|(key, value)| self.say(key.cast()?, &value))
    }

    /// Another span of the same name, attributes and lane; if it has none, on the given one.
    #[pyo3(signature = (lane=None))]
    fn again(&self, py: Python<'_>, lane: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let other = Self::blank(self.meter.clone_ref(py), self.name);
        let copy = |from: &AtomicU64, to: &AtomicU64| to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        copy(&self.lane, &other.lane);
        if let Some(lane) = lane.filter(|_| self.lane.load(Ordering::Relaxed) == 0) {
            other.lane.store(self.recorder()?.lane(lane)?, Ordering::Relaxed);
        }
        self.attributes.iter().flatten().zip(other.attributes.iter().flatten()).for_each(|(from, to)| copy(from, to));
        other.said.store(self.said.load(Ordering::Relaxed), Ordering::Relaxed);
        Ok(other)
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
        columns.set_item("id", table.id.into_pyarray(py))?;
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
        columns.set_item("names", self.words.list(py))?;
        columns.set_item("grain_ns", self.spans.grain_ns())?;
        columns.set_item("dropped", losses.dropped)?;
        columns.set_item("overwritten", losses.overwritten)?;
        columns.set_item("unmatched", losses.unmatched)?;
        columns.set_item("unusable_attributes", self.unusable.load(Ordering::Relaxed))?;
        Ok(columns)
    }
}

/// The stage that spans begin in from now on, in all threads; 0 is none.
#[pyfunction]
pub fn set_stage(code: u16) {
    span::set_stage(code);
}
