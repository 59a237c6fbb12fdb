//! `cross_check`: whether the routes to each domain agree.

use std::path::PathBuf;
use std::time::Duration;

use eco2ai_fast_core::source::root::Root;
use eco2ai_fast_core::{cross_check as core, units};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors::guarded;

/// Reads every route over one window and compares what belongs to one domain.
#[pyfunction]
#[pyo3(signature = (*, sysroot=None, window_s=0.25))]
pub fn cross_check(py: Python<'_>, sysroot: Option<PathBuf>, window_s: f64) -> PyResult<Vec<Comparison>> {
    let window = Duration::try_from_secs_f64(window_s).map_err(|error| PyValueError::new_err(error.to_string()))?;
    let root = sysroot.map_or_else(Root::default, Root::new);
    let (comparisons, _) = py.detach(|| guarded(|| core::machine(&root, window)))?;
    comparisons.iter().map(|comparison| Comparison::new(py, comparison)).collect()
}

#[pyclass(frozen, get_all, module = "eco2ai_fast._core")]
pub struct Comparison {
    id: String,
    routes: Vec<Py<Route>>,
    agrees: bool,
}

impl Comparison {
    fn new(py: Python<'_>, comparison: &core::Comparison) -> PyResult<Self> {
        let routes = comparison.routes.iter().map(|route| Py::new(py, Route::from(route)));
        Ok(Self { id: comparison.id.clone(), routes: routes.collect::<PyResult<_>>()?, agrees: comparison.agrees() })
    }
}

#[pymethods]
impl Comparison {
    fn __repr__(&self) -> String {
        let verdict = if self.agrees { "agree" } else { "disagree" };
        format!("<Comparison {}: {} routes {verdict}>", self.id, self.routes.len())
    }
}

#[pyclass(frozen, get_all, module = "eco2ai_fast._core")]
pub struct Route {
    source: &'static str,
    power_w: Option<f64>,
    bound_w: f64,
    detail: String,
}

impl From<&core::Route> for Route {
    fn from(route: &core::Route) -> Self {
        Self {
            source: route.source,
            power_w: route.power_uw.map(units::joules), // microwatts to watts
            bound_w: units::joules(route.bound_uw),
            detail: route.detail.clone(),
        }
    }
}
