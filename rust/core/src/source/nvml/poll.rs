//! One look at one GPU: its counter and gauges in a single call, without allocation.

use super::code::Code;
use super::probe::{Offer, Route, question};
use super::{FieldValue, Handle};
use crate::clock::Clock;

/// Readings of a look: energy, instant and average power, and those of memory and module.
const READINGS: usize = 6;

/// What one look at a GPU saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The clock just before.
    pub before_ns: u64,
    /// The clock just after.
    pub after_ns: u64,
    /// Energy counter in millijoules.
    pub energy_mj: Result<u64, Code>,
    /// Instant power in milliwatts.
    pub instant_mw: Result<u64, Code>,
    /// Power of the last second in milliwatts.
    pub average_mw: Result<u64, Code>,
    /// Power of the memory in milliwatts.
    pub memory_mw: Result<u64, Code>,
    /// Power of the module in milliwatts.
    pub module_mw: Result<u64, Code>,
    /// Energy counter of the module in millijoules.
    pub module_mj: Result<u64, Code>,
}

/// Looks at one GPU again and again.
#[derive(Debug)]
pub struct Poller {
    handle: Handle,
    offer: Offer,
    batch: [FieldValue; READINGS],
    length: usize,
    /// Place in the batch of each reading.
    places: [Option<usize>; READINGS],
}

impl Poller {
    /// A poller for what a GPU offers.
    pub fn new(handle: Handle, offer: Offer) -> Self {
        let routes =
            [offer.energy, offer.instant, offer.average, offer.memory_power, offer.module_power, offer.module_energy];
        let mut poller =
            Self { handle, offer, batch: [FieldValue::default(); READINGS], length: 0, places: [None; READINGS] };
        for (reading, field) in routes.map(question).into_iter().enumerate() {
            if let Some(field) = field {
                poller.batch[poller.length] = field;
                poller.places[reading] = Some(poller.length);
                poller.length += 1;
            }
        }
        poller
    }

    /// What the GPU offers.
    pub fn offer(&self) -> &Offer {
        &self.offer
    }

    /// Looks once. Only cards or drivers without fields cost a second and third call.
    pub fn poll(&mut self, clock: &dyn Clock) -> Reading {
        let before_ns = clock.now_ns();
        let batch = &mut self.batch[..self.length];
        let whole = if batch.is_empty() { Ok(()) } else { self.handle.fields(batch) };
        let energy_mj = self.value(whole, 0, self.offer.energy, || self.handle.energy());
        let power = || self.handle.power().map(u64::from);
        let instant_mw = self.value(whole, 1, self.offer.instant, power);
        let average_mw = self.value(whole, 2, self.offer.average, power);
        let after_ns = clock.now_ns();
        let only_field = |reading, route| self.value(whole, reading, route, || Err(Code::NOT_SUPPORTED));
        Reading {
            before_ns,
            after_ns,
            energy_mj,
            instant_mw,
            average_mw,
            memory_mw: only_field(3, self.offer.memory_power),
            module_mw: only_field(4, self.offer.module_power),
            module_mj: only_field(5, self.offer.module_energy),
        }
    }

    fn value(
        &self,
        whole: Result<(), Code>,
        reading: usize,
        route: Result<Route, Code>,
        call: impl FnOnce() -> Result<u64, Code>,
    ) -> Result<u64, Code> {
        match (route?, self.places[reading]) {
            (Route::Field { .. }, Some(place)) => whole.and_then(|()| self.batch[place].answer()),
            (Route::Call, _) => call(),
            (Route::Field { .. }, None) => Err(Code::NOT_SUPPORTED),
        }
    }
}
