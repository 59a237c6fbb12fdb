//! One interpreter per process: the core's threads and the types of this module belong to the first that imports it.

use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;

/// Where the `sys` module of the interpreter that imported this one first lies: each interpreter has its own. 0 before.
static OWNER: AtomicUsize = AtomicUsize::new(0);

/// Refuses a second interpreter. (`CPython` before 3.12 would let it in, and share this one's types with it.)
pub fn claim(py: Python<'_>) -> PyResult<()> {
    let own = py.import("sys")?.as_ptr() as usize;
    // AcqRel, Acquire: a second claim must see the first; nothing else is published by it.
    match OWNER.compare_exchange(0, own, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => Ok(()),
        Err(owner) if owner == own => Ok(()),
        Err(_) => Err(PyImportError::new_err(
            "eco2ai_fast works in one interpreter per process: import it in the main one, not in sub-interpreters",
        )),
    }
}
