//! The binding of the energy core: `eco2ai_fast._core` translates and decides nothing.
//!
//! Every class is frozen; docs for users stand in `python/eco2ai_fast/_core.pyi`.
#![allow(missing_docs)] // the stub documents what Python sees

use pyo3::prelude::*;

mod calls;
mod cross_check;
mod errors;
mod gpu;
mod gpu_curve;
mod interpreter;
mod meter;
mod number_lists;
mod processor;
mod reading;
mod recorded;
mod share;
mod span;
mod testing;
mod window;
mod words;

#[pymodule]
mod _core {
    use std::path::PathBuf;

    use super::{Bound, PyModule, PyResult, pyfunction};

    #[pymodule_export]
    #[allow(non_upper_case_globals)] // the name is Python's
    const __version__: &str = env!("CARGO_PKG_VERSION");
    #[pymodule_export]
    use super::cross_check::{Comparison, Route, cross_check};
    #[pymodule_export]
    use super::errors::{EnergyError, HistoryLost, SourceError, WindowError};
    #[pymodule_export]
    use super::gpu::{GpuEnergy, GpuWindow, Gpus};
    #[pymodule_export]
    use super::gpu_curve::{GpuCurve, gpu_heights, gpu_rules};
    #[pymodule_export]
    use super::meter::{Domain, Finding, Meter, findings};
    #[pymodule_export]
    use super::number_lists::number_list;
    #[pymodule_export]
    use super::processor::Processor;
    #[pymodule_export]
    use super::reading::Reading;
    #[pymodule_export]
    use super::recorded::recorded_heights;
    #[pymodule_export]
    use super::share::{own_time, share_sigmas, shares};
    #[pymodule_export]
    use super::span::{Span, set_stage};
    #[pymodule_export]
    use super::testing::{ManualClock, ScriptedDomain};
    #[pymodule_export]
    use super::window::{DomainEnergy, Readout, Window};

    /// The same instant on `CLOCK_MONOTONIC`, `CLOCK_BOOTTIME` and `CLOCK_REALTIME`.
    #[pyfunction]
    #[allow(clippy::unnecessary_wraps)] // the form that pyfunction asks for
    fn clock_anchor() -> PyResult<(u64, u64, u64)> {
        let anchor = eco2ai_fast_core::clock::Anchor::now();
        Ok((anchor.monotonic_ns, anchor.boottime_ns, anchor.utc_ns))
    }

    /// Makes this process the parent of orphans below it; `False` where the system cannot.
    #[pyfunction]
    #[allow(clippy::unnecessary_wraps)] // the form that pyfunction asks for
    fn adopt_orphans() -> PyResult<bool> {
        Ok(eco2ai_fast_core::source::sys::adopt_orphans())
    }

    /// Which processor this machine has.
    #[pyfunction]
    #[pyo3(signature = (*, sysroot=None))]
    fn processor(sysroot: Option<PathBuf>) -> PyResult<Processor> {
        super::processor::read(sysroot)
    }

    /// Thermal design power of a processor by its brand string.
    #[pyfunction]
    fn tdp_w(brand: &str) -> Option<f64> {
        super::processor::tdp_of(brand)
    }

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        super::interpreter::claim(module.py())?;
        super::calls::add(module.py())
    }
}
