//! The processor's name and TDP.

use std::path::PathBuf;

use eco2ai_fast_core::source::root::Root;
use eco2ai_fast_core::source::{processor, tdp};
use pyo3::prelude::*;

use crate::errors::guarded;

#[pyclass(frozen, get_all, module = "eco2ai_fast._core")]
pub struct Processor {
    brand: String,
    packages: usize,
    logical: u32,
    tdp_w: Option<f64>,
}

pub fn read(sysroot: Option<PathBuf>) -> PyResult<Processor> {
    guarded(|| {
        let found = processor::Processor::read(&sysroot.map_or_else(Root::default, Root::new));
        let processor::Processor { brand, packages, logical, tdp_w } = found;
        Ok(Processor { brand, packages, logical, tdp_w })
    })
}

pub fn tdp_of(brand: &str) -> Option<f64> {
    tdp::watts(brand)
}
