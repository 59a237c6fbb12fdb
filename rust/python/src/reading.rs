//! `Reading`: the latest published states, copied without a system call.

use std::sync::Arc;

use eco2ai_fast_core::counter::State;
use eco2ai_fast_core::integrate::Point;
use eco2ai_fast_core::meter::Meter;
use eco2ai_fast_core::window::{self, between};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors::EnergyError;
use crate::window::Readout;

#[pyclass(frozen, module = "eco2ai_fast._core")]
pub struct Reading {
    meter: Arc<Meter>,
    states: Box<[State]>,
}

impl Reading {
    pub fn take(meter: &Arc<Meter>) -> PyResult<Self> {
        let mut states = vec![State::default(); meter.domain_count()].into_boxed_slice();
        if meter.read(&mut states) {
            Ok(Self { meter: meter.clone(), states })
        } else {
            Err(EnergyError::new_err("the states were torn by a fork: call tick() once in the child"))
        }
    }
}

#[pymethods]
impl Reading {
    /// When each domain was read.
    #[getter]
    fn t_ns(&self) -> Vec<u64> {
        self.states.iter().map(|state| state.t_ns).collect()
    }

    /// Microjoules of each domain since the meter was made.
    #[getter]
    fn energy_uj(&self) -> Vec<u64> {
        let pairs = self.states.iter().zip(self.meter.domains());
        pairs.map(|(state, domain)| domain.channel.scale.microjoules(state.total)).collect()
    }

    /// Mean power of each domain over its last interval, in watts.
    #[getter]
    fn power_w(&self) -> Vec<f64> {
        self.states.iter().map(|state| eco2ai_fast_core::units::joules(state.power_uw)).collect()
    }

    fn since(&self, earlier: &Self) -> PyResult<Readout> {
        if !Arc::ptr_eq(&self.meter, &earlier.meter) {
            return Err(PyValueError::new_err("these readings are of two meters"));
        }
        let points =
            |states: &[State]| states.iter().map(|state| Point { state: *state, fault: None }).collect::<Vec<_>>();
        let ends = points(&earlier.states).into_iter().zip(points(&self.states)).zip(self.meter.domains());
        let domains = ends.map(|((first, last), domain)| between(&first, &last, &domain.channel)).collect();
        let t_ns = |states: &[State]| states.first().map_or(0, |state| state.t_ns);
        Ok(Readout(window::Readout { t0_ns: t_ns(&earlier.states), t1_ns: t_ns(&self.states), domains }))
    }
}
