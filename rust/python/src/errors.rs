//! The exceptions, and the one place that maps the core's errors to them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use eco2ai_fast_core::error::Error;
use pyo3::PyErr;
use pyo3::create_exception;
use pyo3::exceptions::PyException;

create_exception!(eco2ai_fast, EnergyError, PyException, "Base of all errors of this package's core.");
create_exception!(eco2ai_fast, SourceError, EnergyError, "A source that was asked for cannot be used here.");
create_exception!(eco2ai_fast, HistoryLost, EnergyError, "An instant lies before the recorded history.");
create_exception!(eco2ai_fast, WindowError, EnergyError, "A window was opened or closed out of turn.");

fn to_python(error: &Error) -> PyErr {
    let text = error.to_string();
    match error {
        Error::WindowOpen | Error::WindowNotOpen => WindowError::new_err(text),
        Error::Lost(_) => HistoryLost::new_err(text),
        Error::Busy | Error::NoThread(_) => EnergyError::new_err(text),
        _ => SourceError::new_err(text),
    }
}

/// Runs core code. A panic there is a defect of ours, and must not end the user's run as a `PanicException` would.
pub fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, PyErr> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(answer) => answer.map_err(|error| to_python(&error)),
        Err(_) => Err(defect()),
    }
}

/// What a caught panic becomes.
pub fn defect() -> PyErr {
    EnergyError::new_err("defect in eco2ai_fast: please report the message above; your program goes on")
}
