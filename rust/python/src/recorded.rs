//! `recorded_heights`: what a curve that was written down says of instants.

use eco2ai_fast_core::curve::Height;
use eco2ai_fast_core::recorded::Recorded;
use numpy::{PyArray1, PyReadonlyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors::guarded;

/// A column of Python's.
type Column<'py> = PyReadonlyArray1<'py, u64>;
/// Total and estimated part in microjoules, one sigma, uncovered time.
pub type Heights<'py> =
    (Bound<'py, PyArray1<u64>>, Bound<'py, PyArray1<u64>>, Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<u64>>);

/// Columns of the heights, with energies by `scale`.
pub fn columns<'py>(py: Python<'py>, heights: &[Height], scale: impl Fn(u64) -> u64) -> Heights<'py> {
    let column = |of: &dyn Fn(&Height) -> u64| PyArray1::from_vec(py, heights.iter().map(of).collect());
    (
        column(&|height| scale(height.total)),
        column(&|height| scale(height.estimated)),
        PyArray1::from_vec(py, heights.iter().map(|height| height.sigma_uj).collect()),
        column(&|height| height.uncovered_ns),
    )
}

/// The heights at `at_ns` of a curve that was written down.
#[pyfunction]
#[allow(clippy::needless_pass_by_value)] // PyO3 hands arrays over by value
pub fn recorded_heights<'py>(
    py: Python<'py>,
    curve: (Column<'py>, Column<'py>, Column<'py>, Column<'py>, Column<'py>),
    tick_ns: u64,
    at_ns: Column<'py>,
) -> PyResult<Heights<'py>> {
    let recorded = Recorded {
        t_ns: curve.0.as_slice()?,
        energy_uj: curve.1.as_slice()?,
        half_ns: curve.2.as_slice()?,
        estimated_uj: curve.3.as_slice()?,
        uncovered_ns: curve.4.as_slice()?,
    };
    let lengths = [recorded.energy_uj, recorded.half_ns, recorded.estimated_uj, recorded.uncovered_ns];
    if lengths.iter().any(|column| column.len() != recorded.t_ns.len()) {
        return Err(PyValueError::new_err("the columns of a curve must be of one length"));
    }
    let at_ns = at_ns.as_slice()?;
    let heights = py.detach(|| guarded(|| Ok(recorded.heights(at_ns, tick_ns)?)))?;
    Ok(columns(py, &heights, |energy_uj| energy_uj))
}
