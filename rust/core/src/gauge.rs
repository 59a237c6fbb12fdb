//! A power gauge: what the next reading says about the energy, given the last one.
//!
//! A gauge shows a value that the device refreshes once a period. Readings in between repeat it, and a repeated value is
//! still a value: a constant load is a constant reading. So the old value holds up to one period before it was seen to
//! change; only the last period is of the two values, by the gauge's own rule:
//! - a *point* gauge shows the power at the refresh: the trapezoid of old and new;
//! - a *boxcar* gauge shows the mean since the last refresh: the new value alone (the right rectangle).
//!
//! Energy is kept in nanojoules; what is left below one is carried on, so that a million readings lose nothing.

use crate::counter::State;
use crate::domain::{Channel, Shape};
use crate::error::Fault;
use crate::sample::Sample;

/// Twice the femtojoules of a nanojoule: sums are kept doubled, so that the trapezoid's half is exact.
const HALVES_PER_NJ: u128 = 2_000_000;

/// The state after one more reading of a gauge; `raw` is the power in microwatts.
pub fn advance(state: &State, sample: &Sample, channel: &Channel, shape: Shape) -> State {
    if let Some(fault) = sample.fault {
        return State { failing: true, faults: state.faults + 1, last_fault: Some(fault), ..*state };
    }
    if !state.known {
        return begin(state, sample);
    }
    let t_ns = sample.t_ns().max(state.t_ns);
    let mut next = State { half_ns: sample.half_ns(), failing: false, raw: sample.raw, power_uw: sample.raw, ..*state };
    if state.failing {
        next.uncovered_ns += t_ns - state.t_ns;
    }
    // Read more slowly than it is refreshed, every reading is fresh: the last period is the time since the last one.
    let period_ns = channel.tick_ns.max(t_ns - state.t_ns).min(t_ns.saturating_sub(state.edge_ns));
    next.hold(state.raw, t_ns - period_ns);
    if sample.raw != state.raw {
        next.change(state.raw, period_ns, shape);
    }
    next.t_ns = t_ns;
    if state.failing {
        // Nothing counted on behind the failure: that the old value held is a guess.
        next.estimated += held(&next, t_ns).total - held(state, state.t_ns).total;
    }
    next
}

/// A gauge is taken as it stands: before its first reading there is no energy.
pub fn begin(state: &State, sample: &Sample) -> State {
    let t_ns = sample.t_ns();
    let half_ns = sample.half_ns();
    let (edge_ns, edge_half_ns) = (t_ns, half_ns);
    let gap_ns = if state.known { t_ns.saturating_sub(state.t_ns) } else { 0 };
    State {
        raw: sample.raw,
        power_uw: sample.raw,
        t_ns,
        half_ns,
        edge_ns,
        edge_half_ns,
        known: true,
        failing: false,
        uncovered_ns: state.uncovered_ns + gap_ns,
        ..*state
    }
}

/// The state at one end of a window, and why the gauge could not be read if it could not: its last value then goes on.
pub fn at_end(published: &State, sample: &Sample, channel: &Channel, shape: Shape) -> (State, Option<Fault>) {
    match sample.fault {
        None => (held(&advance(published, sample, channel, shape), sample.t_ns()), None),
        fault => (held(published, published.t_ns).extrapolated(sample.t_ns(), channel), fault),
    }
}

/// The state at `t_ns` for a reader: the value that is shown now goes on to there. `total` up to `edge_ns` is final.
#[must_use]
pub fn held(state: &State, t_ns: u64) -> State {
    let mut next = *state;
    next.hold(state.raw, t_ns);
    next.t_ns = t_ns.max(state.t_ns);
    next
}

impl State {
    /// Lets `power_uw` stand from the last final instant up to `until_ns`.
    fn hold(&mut self, power_uw: u64, until_ns: u64) {
        let duration_ns = until_ns.saturating_sub(self.edge_ns);
        self.add(2 * u128::from(power_uw) * u128::from(duration_ns));
        self.edge_ns += duration_ns;
    }

    /// Closes the period in which the value changed.
    fn change(&mut self, old_uw: u64, period_ns: u64, shape: Shape) {
        let doubled = match shape {
            Shape::Point => u128::from(old_uw) + u128::from(self.raw),
            Shape::Boxcar => 2 * u128::from(self.raw),
        };
        self.add(doubled * u128::from(period_ns));
        self.edge_ns += period_ns;
        self.edge_half_ns = self.half_ns;
    }

    fn add(&mut self, halves: u128) {
        let sum = u128::from(self.remainder) + halves;
        self.total += u64::try_from(sum / HALVES_PER_NJ).unwrap_or(0);
        self.remainder = u64::try_from(sum % HALVES_PER_NJ).unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Kind, Place, Provenance, Range, Signal};
    use crate::units::{MICRO, NS_PER_S, Scale};
    use proptest::prelude::*;

    const PERIOD_NS: u64 = NS_PER_S / 10;

    fn gauge(shape: Shape) -> Channel {
        Channel {
            place: Place::of_machine(Kind::Psys),
            signal: Signal::Gauge(shape),
            scale: Scale::NANOJOULE,
            range: Range::Unbounded,
            max_power_uw: 10_000 * MICRO,
            tick_ns: PERIOD_NS,
            longest_rest_ns: u64::MAX,
            resolution_ns: 0,
            sensor_rel: 0.05,
            provenance: Provenance::Measured,
            detail: String::new(),
        }
    }

    /// Polls `power_uw(t)`, refreshed every period, at `poll_ns`, and returns the joules of `seconds`.
    fn integrate(shape: Shape, poll_ns: u64, seconds: u64, power_uw: impl Fn(u64) -> u64) -> f64 {
        let channel = gauge(shape);
        let mut state = State::default();
        let mut t_ns = 0;
        while t_ns <= seconds * NS_PER_S {
            let raw = power_uw(t_ns / PERIOD_NS * PERIOD_NS);
            let sample = Sample { raw, before_ns: t_ns, after_ns: t_ns, fault: None };
            state = advance(&state, &sample, &channel, shape);
            t_ns += poll_ns;
        }
        held(&state, seconds * NS_PER_S).total as f64 / 1e9
    }

    #[test]
    fn a_constant_gauge_is_exact_however_often_it_repeats_itself() {
        for shape in [Shape::Point, Shape::Boxcar] {
            for poll_ns in [1_000_000, 33_000_000, PERIOD_NS, 7 * PERIOD_NS] {
                let energy_j = integrate(shape, poll_ns, 10, |_| 300 * MICRO);
                assert!((energy_j - 3000.0).abs() < 1e-6, "{energy_j}");
            }
        }
    }

    fn reading(raw: Result<u64, Fault>, t_ns: u64) -> Sample {
        Sample { raw: raw.unwrap_or(0), before_ns: t_ns, after_ns: t_ns, fault: raw.err() }
    }

    /// 100 W read once a period for a second.
    fn a_second_of_100_w(shape: Shape) -> State {
        let readings = (0..=10).map(|number| reading(Ok(100 * MICRO), number * PERIOD_NS));
        readings.fold(State::default(), |state, sample| advance(&state, &sample, &gauge(shape), shape))
    }

    #[test]
    fn what_a_gauge_used_while_it_could_not_be_read_is_an_estimate() {
        for shape in [Shape::Point, Shape::Boxcar] {
            let channel = gauge(shape);
            let before = a_second_of_100_w(shape);
            let failed = advance(&before, &reading(Err(Fault::Failed(5)), 2 * NS_PER_S), &channel, shape);
            let after = advance(&failed, &reading(Ok(100 * MICRO), 3 * NS_PER_S), &channel, shape);
            let told = held(&after, 3 * NS_PER_S);
            assert_eq!(
                (told.total, told.estimated, told.uncovered_ns),
                (300_000_000_000, 200_000_000_000, 2 * NS_PER_S)
            );
        }
    }

    #[test]
    fn a_window_whose_end_cannot_be_read_loses_nothing_of_what_was() {
        for shape in [Shape::Point, Shape::Boxcar] {
            let (state, fault) = at_end(
                &a_second_of_100_w(shape),
                &reading(Err(Fault::Failed(5)), 3 * NS_PER_S / 2),
                &gauge(shape),
                shape,
            );
            assert_eq!((state.total, state.estimated), (150_000_000_000, 50_000_000_000));
            assert!(fault.is_some());
        }
    }

    #[test]
    fn a_long_plateau_before_a_step_is_held_and_not_averaged_away() {
        let step = |t_ns| if t_ns < 10 * NS_PER_S { 300 * MICRO } else { 50 * MICRO };
        let energy_j = integrate(Shape::Point, 10_000_000, 20, step);
        assert!((energy_j - 3500.0).abs() <= 0.5 * 250.0 * 0.1 + 1e-6, "{energy_j}");
    }

    #[test]
    fn a_ramp_of_point_readings_is_within_a_thousandth() {
        let energy_j =
            integrate(Shape::Point, 10_000_000, 10, |t_ns| t_ns / NS_PER_S * 30 * MICRO + t_ns % NS_PER_S * 30 / 1_000);
        assert!((energy_j / 1500.0 - 1.0).abs() < 1e-3, "{energy_j}");
    }

    #[test]
    fn a_boxcar_gauge_closes_each_window_with_its_own_mean() {
        // The refresh at t shows the mean of [t - period, t]; of a ramp from 0 that is the ramp half a period earlier.
        let mean = |t_ns: u64| (t_ns.saturating_sub(PERIOD_NS / 2)) / 1_000 * 30;
        let energy_j = integrate(Shape::Boxcar, 10_000_000, 10, mean);
        assert!((energy_j / 1500.0 - 1.0).abs() < 1e-3, "{energy_j}");
    }

    proptest! {
        /// Energy neither falls nor exceeds the largest power, whatever the readings.
        #[test]
        fn energy_lies_between_the_least_and_the_largest_power(
            readings in prop::collection::vec((0..1_000 * MICRO, 1_000_000..NS_PER_S), 2..50),
            boxcar: bool,
        ) {
            let shape = if boxcar { Shape::Boxcar } else { Shape::Point };
            let channel = gauge(shape);
            let (mut state, mut t_ns) = (State::default(), 0);
            for (raw, dt_ns) in &readings {
                let sample = Sample { raw: *raw, before_ns: t_ns, after_ns: t_ns, fault: None };
                let next = advance(&state, &sample, &channel, shape);
                prop_assert!(next.total >= state.total && next.edge_ns >= state.edge_ns);
                state = next;
                t_ns += dt_ns;
            }
            let end_ns = state.t_ns;
            let total = u128::from(held(&state, end_ns).total);
            let largest = readings.iter().map(|(raw, _)| *raw).max().unwrap();
            let least = readings.iter().map(|(raw, _)| *raw).min().unwrap();
            prop_assert!(total <= u128::from(largest) * u128::from(end_ns) / 1_000_000);
            prop_assert!(total + 1 >= u128::from(least) * u128::from(end_ns) / 1_000_000);
        }
    }
}
