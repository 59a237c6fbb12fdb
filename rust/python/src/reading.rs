//! `Reading`: the latest published states, copied without a system call.

use std::sync::Arc;

use eco2ai_fast_core::gpu::latest::{State as GpuState, WORDS as GPU_WORDS};
use eco2ai_fast_core::gpu::window::Window;
use eco2ai_fast_core::integrate::Point;
use eco2ai_fast_core::meter::Meter;
use eco2ai_fast_core::snapshot::states;
use eco2ai_fast_core::units;
use eco2ai_fast_core::window::{self, between};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors::EnergyError;
use crate::window::Readout;

/// Unpacked when it is looked at: taking a reading is to cost no more than a clock.
#[pyclass(frozen, freelist = 16, module = "eco2ai_fast._core")]
pub struct Reading {
    meter: Arc<Meter>,
    words: Vec<u64>,
    /// Of each GPU, in the order in which they were found.
    gpus: Vec<[u64; GPU_WORDS]>,
}

impl Reading {
    pub fn take(meter: &Arc<Meter>, gpus: Option<&Arc<Window>>) -> PyResult<Self> {
        match meter.read() {
            Some(words) => Ok(Self { meter: meter.clone(), words, gpus: gpus.map(latest).unwrap_or_default() }),
            None => Err(EnergyError::new_err("the states were torn by a fork: call tick() once in the child")),
        }
    }

    fn gpus(&self) -> impl Iterator<Item = GpuState> {
        self.gpus.iter().copied().map(GpuState::from)
    }

    fn points(&self) -> impl Iterator<Item = Point> {
        states(&self.words).map(|state| Point { state, fault: None })
    }

    fn first_ns(&self) -> u64 {
        states(&self.words).next().map_or(0, |state| state.t_ns)
    }
}

#[pymethods]
impl Reading {
    #[getter]
    fn t_ns(&self) -> Vec<u64> {
        states(&self.words).map(|state| state.t_ns).chain(self.gpus().map(|gpu| gpu.t_ns)).collect()
    }

    #[getter]
    fn energy_uj(&self) -> Vec<u64> {
        let pairs = states(&self.words).zip(self.meter.domains());
        let known = pairs.map(|(state, domain)| domain.channel.scale.microjoules(state.total));
        known.chain(self.gpus().map(|gpu| gpu.energy_uj)).collect()
    }

    #[getter]
    fn power_w(&self) -> Vec<f64> {
        let powers_uw = states(&self.words).map(|state| state.power_uw).chain(self.gpus().map(|gpu| gpu.power_uw));
        powers_uw.map(units::joules).collect()
    }

    fn since(&self, earlier: &Self) -> PyResult<Readout> {
        if !Arc::ptr_eq(&self.meter, &earlier.meter) {
            return Err(PyValueError::new_err("these readings are of two meters"));
        }
        let ends = earlier.points().zip(self.points()).zip(self.meter.domains());
        let domains = ends.map(|((first, last), domain)| between(&first, &last, &domain.channel)).collect();
        Ok(Readout(window::Readout { t0_ns: earlier.first_ns(), t1_ns: self.first_ns(), suspended_ns: 0, domains }))
    }
}

/// The latest update of each GPU, without waiting.
fn latest(window: &Arc<Window>) -> Vec<[u64; GPU_WORDS]> {
    window.latest().map_while(|one| one.words()).collect()
}
