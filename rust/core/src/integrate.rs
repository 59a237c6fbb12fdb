//! The rule by kind: counters by wrapped difference, gauges by holding and trapezoid or rectangle.

use crate::counter::{self, State};
use crate::domain::{Channel, Signal};
use crate::error::Fault;
use crate::gauge;
use crate::sample::Sample;

/// The state after one more sample.
pub fn advance(state: &State, sample: &Sample, channel: &Channel) -> State {
    match channel.signal {
        Signal::Counter => counter::advance(state, sample, channel),
        Signal::Gauge(shape) => gauge::advance(state, sample, channel, shape),
    }
}

/// The state where the meter is taken as it stands, whatever happened since the last reading. Totals stay.
pub fn rebase(state: &State, sample: &Sample, channel: &Channel) -> State {
    match channel.signal {
        Signal::Counter => counter::rebase(state, sample, channel),
        Signal::Gauge(_) if sample.fault.is_some() => State { failing: true, known: false, ..*state },
        Signal::Gauge(_) => gauge::begin(state, sample),
    }
}

/// What a reading at one end of a window says of one domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Point {
    /// The state at the instant of the reading.
    pub state: State,
    /// Why the reading failed, where it did; the state is then extrapolated.
    pub fault: Option<Fault>,
}

impl Point {
    /// The state as `sample` leaves it, without changing what is published.
    pub fn take(published: &State, sample: &Sample, channel: &Channel) -> Self {
        let (state, fault) = match channel.signal {
            Signal::Counter => counter::at_end(published, sample, channel),
            Signal::Gauge(shape) => gauge::at_end(published, sample, channel, shape),
        };
        Self { state, fault }
    }
}
