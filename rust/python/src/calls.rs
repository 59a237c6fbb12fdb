//! The calls that a span consists of, by the interpreter's fast convention: all unsafe code of the binding.
//!
//! A method of `PyO3` with `**attributes` builds a tuple and a dict for each call, which cost more than the span itself; here
//! keywords are read where the interpreter left them. The methods are added to their classes when the module is made.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::exceptions::PyTypeError;
use pyo3::ffi::{self, PyMethodDef, PyMethodDefPointer, PyObject};
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple, PyType};

use crate::errors::defect;
use crate::meter::Meter;
use crate::span::Span;

/// Adds `Meter.span`, `Meter.begin`, `Span.__enter__` and `Span.__exit__`.
pub fn add(py: Python<'_>) -> PyResult<()> {
    let (meter, span) = (py.get_type::<Meter>(), py.get_type::<Span>());
    method(&meter, c"span", SPAN_DOC, with_keywords(meter_span), ffi::METH_FASTCALL | ffi::METH_KEYWORDS)?;
    method(&meter, c"begin", BEGIN_DOC, with_keywords(meter_begin), ffi::METH_FASTCALL | ffi::METH_KEYWORDS)?;
    method(&span, c"__enter__", ENTER_DOC, PyMethodDefPointer { PyCFunction: span_enter }, ffi::METH_NOARGS)?;
    method(&span, c"__exit__", EXIT_DOC, PyMethodDefPointer { PyCFunctionFast: span_exit }, ffi::METH_FASTCALL)
}

const SPAN_DOC: &CStr =
    c"span($self, name, /, *, lane=None, **attributes)\n--\n\nA span: a context manager, or a decorator.";
const BEGIN_DOC: &CStr = c"begin($self, name, /, *, lane=None, **attributes)\n--\n\nAn open span, for end().";
const ENTER_DOC: &CStr = c"__enter__($self)\n--\n\nBegins the span.";
const EXIT_DOC: &CStr = c"__exit__($self, kind, error, trace, /)\n--\n\nEnds the span.";

fn with_keywords(call: ffi::PyCFunctionFastWithKeywords) -> PyMethodDefPointer {
    PyMethodDefPointer { PyCFunctionFastWithKeywords: call }
}

fn method(
    class: &Bound<'_, PyType>,
    name: &'static CStr,
    doc: &'static CStr,
    call: PyMethodDefPointer,
    flags: i32,
) -> PyResult<()> {
    let definition = PyMethodDef { ml_name: name.as_ptr(), ml_meth: call, ml_flags: flags, ml_doc: doc.as_ptr() };
    // The class keeps a pointer to it for ever.
    let definition = Box::leak(Box::new(definition));
    // SAFETY: `class` is a type object, `definition` lives for ever and its function matches its flags (see `add`); the
    // call returns a new reference or sets an error.
    let method = unsafe {
        let method = ffi::PyDescr_NewMethod(class.as_type_ptr(), definition);
        Bound::from_owned_ptr_or_err(class.py(), method)?
    };
    class.setattr(name.to_string_lossy().as_ref(), method)
}

/// Runs a call's body; its error, or that of a panic, becomes the interpreter's.
fn answer(py: Python<'_>, body: impl FnOnce() -> PyResult<*mut PyObject>) -> *mut PyObject {
    match catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| Err(defect())) {
        Ok(object) => object,
        Err(error) => {
            error.restore(py);
            std::ptr::null_mut()
        }
    }
}

fn none() -> *mut PyObject {
    // SAFETY: None is there as long as the interpreter is, and the call returns a new reference to it.
    unsafe { ffi::Py_NewRef(ffi::Py_None()) }
}

/// The arguments of a call with keywords.
///
/// # Safety
/// As the interpreter hands them over: `arguments` holds `count` positional ones and then one for each name in
/// `keywords`, which is a tuple of strings or null.
unsafe fn new_span(
    py: Python<'_>,
    meter: *mut PyObject,
    arguments: *const *mut PyObject,
    count: isize,
    keywords: *mut PyObject,
) -> PyResult<Bound<'_, Span>> {
    // SAFETY: a method's first argument is an instance of its class, and borrowed for the call.
    let meter = unsafe { Borrowed::from_ptr(py, meter).cast_unchecked::<Meter>() };
    // SAFETY: by this function's own condition the tuple is one, and borrowed for the call.
    let keywords = unsafe { Borrowed::from_ptr_or_opt(py, keywords).map(|one| one.cast_unchecked::<PyTuple>()) };
    let named = keywords.map_or(0, |keywords| keywords.len());
    let argument = |place: usize| {
        // SAFETY: `place` is below the number of arguments, each a borrowed reference for the call.
        unsafe { Borrowed::from_ptr(py, *arguments.add(place)) }
    };
    if count != 1 {
        return Err(PyTypeError::new_err("a span takes one name, and attributes as keywords"));
    }
    let name = argument(0);
    let name = name.cast::<PyString>().map_err(|_| PyTypeError::new_err("the name of a span is a str"))?;
    let span = Span::new(&meter, &name)?;
    for (place, key) in keywords.iter().flat_map(|keywords| keywords.iter_borrowed()).take(named).enumerate() {
        let key = key.cast::<PyString>()?;
        span.take(&key, &argument(1 + place))?;
    }
    Bound::new(py, span)
}

unsafe extern "C" fn meter_span(
    meter: *mut PyObject,
    arguments: *const *mut PyObject,
    count: isize,
    keywords: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the interpreter calls methods attached.
    let py = unsafe { Python::assume_attached() };
    // SAFETY: the arguments are handed on as they came.
    answer(py, || Ok(unsafe { new_span(py, meter, arguments, count, keywords) }?.into_ptr()))
}

unsafe extern "C" fn meter_begin(
    meter: *mut PyObject,
    arguments: *const *mut PyObject,
    count: isize,
    keywords: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: as in meter_span().
    let py = unsafe { Python::assume_attached() };
    answer(py, || {
        // SAFETY: as in meter_span().
        let span = unsafe { new_span(py, meter, arguments, count, keywords) }?;
        span.get().begin()?;
        Ok(span.into_ptr())
    })
}

unsafe extern "C" fn span_enter(span: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: as in meter_span(); a method's first argument is an instance of its class, and borrowed for the call.
    let (py, this) = unsafe { (Python::assume_attached(), Borrowed::from_ptr(Python::assume_attached(), span)) };
    answer(py, || {
        // SAFETY: see above.
        unsafe { this.cast_unchecked::<Span>() }.get().begin()?;
        // SAFETY: `span` is alive; the call returns a new reference to it.
        Ok(unsafe { ffi::Py_NewRef(span) })
    })
}

unsafe extern "C" fn span_exit(span: *mut PyObject, arguments: *mut *mut PyObject, count: isize) -> *mut PyObject {
    // SAFETY: as in span_enter().
    let (py, this) = unsafe { (Python::assume_attached(), Borrowed::from_ptr(Python::assume_attached(), span)) };
    // Whoever takes no more of a generator's items closes it; nothing failed.
    // SAFETY: `count` says how many arguments there are; the first is compared with two objects that live as long as the
    // interpreter, and not touched.
    let failed = count > 0 && unsafe { *arguments != ffi::Py_None() && *arguments != ffi::PyExc_GeneratorExit };
    answer(py, || {
        // SAFETY: see above.
        unsafe { this.cast_unchecked::<Span>() }.get().end(failed)?;
        Ok(none())
    })
}
