//! `number_list`: the plain numbers of a long JSON list.

use eco2ai_fast_core::number_lists;
use numpy::PyArray1;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors::guarded;

/// The elements from `at` on, and where the next one begins.
#[pyfunction]
pub fn number_list<'py>(
    py: Python<'py>,
    text: &str,
    at: usize,
    is_nested: bool,
) -> PyResult<(Bound<'py, PyArray1<f64>>, usize)> {
    if !text.is_ascii() {
        return Err(PyValueError::new_err("places are counted in ASCII text"));
    }
    let taken = guarded(|| Ok(number_lists::take(text, at, is_nested)))?;
    Ok((PyArray1::from_vec(py, taken.values), taken.end))
}
