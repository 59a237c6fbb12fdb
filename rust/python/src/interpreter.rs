//! One interpreter per process: the core's threads and the types of this module belong to the first that imports it.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicI64, Ordering};

use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;

/// Id of the interpreter that imported the module first; -1 before.
static OWNER: AtomicI64 = AtomicI64::new(-1);

/// Refuses a second interpreter. (CPython before 3.12 would let it in, and share this one's types with it.)
pub fn claim(_py: Python<'_>) -> PyResult<()> {
    // SAFETY: the token proves that this thread is attached, so that there is a current interpreter to ask.
    let id = unsafe { pyo3::ffi::PyInterpreterState_GetID(pyo3::ffi::PyInterpreterState_Get()) };
    // AcqRel, Acquire: a second claim must see the first; nothing else is published by it.
    match OWNER.compare_exchange(-1, id, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => Ok(()),
        Err(owner) if owner == id => Ok(()),
        Err(_) => Err(PyImportError::new_err(
            "eco2ai_fast works in one interpreter per process: import it in the main one, not in sub-interpreters",
        )),
    }
}
