//! `Window` and what it finds out.

use std::sync::{Mutex, PoisonError};

use eco2ai_fast_core::window;
use pyo3::prelude::*;

use crate::errors::guarded;

/// One thread's window; the mutex only makes misuse from two threads harmless.
#[pyclass(frozen, module = "eco2ai_fast._core")]
pub struct Window(Mutex<window::Window>);

impl Window {
    pub fn new(window: window::Window) -> Self {
        Self(Mutex::new(window))
    }
}

#[pymethods]
impl Window {
    fn begin(&self) -> PyResult<u64> {
        guarded(|| self.0.lock().unwrap_or_else(PoisonError::into_inner).begin())
    }

    fn end(&self) -> PyResult<Readout> {
        guarded(|| self.0.lock().unwrap_or_else(PoisonError::into_inner).end()).map(Readout)
    }

    fn lap(&self) -> PyResult<Readout> {
        guarded(|| self.0.lock().unwrap_or_else(PoisonError::into_inner).lap()).map(Readout)
    }

    fn split(&self) -> PyResult<Readout> {
        guarded(|| self.0.lock().unwrap_or_else(PoisonError::into_inner).split()).map(Readout)
    }
}

#[pyclass(frozen, module = "eco2ai_fast._core")]
pub struct Readout(pub window::Readout);

#[pymethods]
impl Readout {
    #[getter]
    fn t0_ns(&self) -> u64 {
        self.0.t0_ns
    }

    #[getter]
    fn t1_ns(&self) -> u64 {
        self.0.t1_ns
    }

    #[getter]
    fn suspended_ns(&self) -> u64 {
        self.0.suspended_ns
    }

    #[getter]
    fn domains(&self) -> Vec<DomainEnergy> {
        self.0.domains.iter().map(DomainEnergy::from).collect()
    }
}

#[pyclass(frozen, get_all, module = "eco2ai_fast._core")]
pub struct DomainEnergy {
    energy_uj: Option<u64>,
    modelled_uj: u64,
    sampling_uj: u64,
    coverage: f64,
    resets: u64,
    ambiguous: u64,
    fault: Option<&'static str>,
    below_resolution: bool,
}

impl From<&window::DomainEnergy> for DomainEnergy {
    fn from(energy: &window::DomainEnergy) -> Self {
        Self {
            energy_uj: energy.energy_uj,
            modelled_uj: energy.modelled_uj,
            sampling_uj: energy.sampling_uj,
            coverage: energy.coverage,
            resets: energy.resets,
            ambiguous: energy.ambiguous,
            fault: energy.fault.map(eco2ai_fast_core::error::Fault::as_str),
            below_resolution: energy.below_resolution,
        }
    }
}
