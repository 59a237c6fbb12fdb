//! A wrapping energy counter: what the next reading says, given the last one.
//!
//! Everything in a [`State`] only ever grows, and a window is the difference of two states. That makes energy, coverage
//! and the estimated part of both additive over adjacent windows, with nothing to add up in floats.

use crate::domain::{Channel, Range};
use crate::sample::Sample;
use crate::units;

/// Smallest range accepted for a counter whose wrap is learned: 2^(64-20), an energy unit of 2^-20 J.
/// The finest that RAPL is known to use is 2^-18 J, so that a counter set back by a joule is never taken for a wrap.
const LEAST_LEARNED_RANGE: u64 = 1 << 44;

/// Ticks over which a mean power is taken: the unseen phase of both ends is then below ten per cent of it.
const POWER_TICKS: u64 = 10;

/// What a second reading says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The counter went on by so many counts.
    Delta(u64),
    /// It passed its range once and went on by so many counts in all.
    Wrapped(u64),
    /// It went on by so many counts, but so much time passed that it may have gone round more often.
    Ambiguous(u64),
    /// No plausible power explains the change: the counter was set anew.
    Reset,
}

/// Compares two raw readings `dt_ns` apart (law 3: every difference is reduced modulo the range).
pub fn step(before: u64, after: u64, dt_ns: u64, channel: &Channel) -> Step {
    let Some((counts, range)) = forward(before, after, channel.range) else {
        return Step::Reset;
    };
    if channel.scale.microjoules(counts) > plausible_uj(channel, dt_ns) {
        return Step::Reset;
    }
    if range.is_some_and(|range| units::energy_uj(channel.max_power_uw, dt_ns) >= channel.scale.microjoules(range)) {
        return Step::Ambiguous(counts);
    }
    if after < before { Step::Wrapped(counts) } else { Step::Delta(counts) }
}

/// Counts from one reading to the next and the range they were reduced by; `None` where it can only be a reset.
fn forward(before: u64, after: u64, range: Range) -> Option<(u64, Option<u64>)> {
    match range {
        Range::Modulo(range) if before >= range || after >= range => None,
        Range::Modulo(range) if after < before => Some((after + (range - before), Some(range))),
        Range::Modulo(range) => Some((after - before, Some(range))),
        Range::PowerOfTwo if after < before => {
            let range = (before - after).checked_next_power_of_two()?.max(LEAST_LEARNED_RANGE);
            Some((range - (before - after), None))
        }
        _ => after.checked_sub(before).map(|counts| (counts, None)),
    }
}

/// The most that can have been used: the greatest power over the time and two ticks, since each reading may be one late.
fn plausible_uj(channel: &Channel, dt_ns: u64) -> u64 {
    units::energy_uj(channel.max_power_uw, dt_ns + 2 * channel.tick_ns)
}

/// All that is known of one domain at an instant, since its first reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct State {
    /// The last valid raw reading.
    pub raw: u64,
    /// When it was taken: the midpoint of its bracket.
    pub t_ns: u64,
    /// Half the width of that bracket.
    pub half_ns: u64,
    /// When the counter was last seen to change, and how far off that instant can be: the energy up to here is `total`.
    pub edge_ns: u64,
    /// Half-width of that instant.
    pub edge_half_ns: u64,
    /// Counts since the first reading, wraps undone.
    pub total: u64,
    /// What is left of a gauge's last sum below one count, in units of its own; 0 for counters.
    pub remainder: u64,
    /// Those of `total` that were estimated, not read.
    pub estimated: u64,
    /// Time that no unbroken pair of readings covers, in nanoseconds.
    pub uncovered_ns: u64,
    /// Mean power over the last interval of at least [`POWER_TICKS`] ticks in microwatts; 0 before there was one.
    pub power_uw: u64,
    /// Where that interval ended and the next begins: instant and total.
    pub mark_ns: u64,
    /// Total at `mark_ns`.
    pub mark_total: u64,
    /// How often the counter was set anew.
    pub resets: u64,
    /// How often more than one wrap was possible.
    pub ambiguous: u64,
    /// Whether a first reading was taken.
    pub known: bool,
    /// Whether the latest attempt to read failed.
    pub failing: bool,
}

/// The state after one more sample. A fault changes nothing but the mark: the counter may count on, so that the next
/// good reading bridges the outage, whose time is then uncovered.
pub fn advance(state: &State, sample: &Sample, channel: &Channel) -> State {
    if sample.fault.is_some() {
        return State { failing: true, ..*state };
    }
    if !state.known {
        return rebase(state, sample, channel);
    }
    follow(state, sample, channel)
}

/// The state where the counter is taken as it stands, whatever it did since the last reading.
pub fn rebase(state: &State, sample: &Sample, channel: &Channel) -> State {
    if sample.fault.is_some() {
        return State { failing: true, known: false, ..*state };
    }
    let mut next = State { raw: sample.raw, known: true, failing: false, mark_total: state.total, ..*state };
    next.stamp(sample);
    next.mark_ns = next.t_ns;
    // The last change lies anywhere within a tick before the reading.
    next.edge(channel.tick_ns, channel);
    next
}

fn follow(state: &State, sample: &Sample, channel: &Channel) -> State {
    let dt_ns = sample.t_ns().saturating_sub(state.t_ns);
    let mut next = State { raw: sample.raw, failing: false, ..*state };
    next.stamp(sample);
    match step(state.raw, sample.raw, dt_ns, channel) {
        Step::Delta(0) => {}
        Step::Delta(counts) | Step::Wrapped(counts) => next.count(counts, dt_ns, channel),
        Step::Ambiguous(counts) => {
            next.count(counts, dt_ns, channel);
            next.ambiguous += 1;
        }
        Step::Reset => {
            next.estimate(dt_ns, channel);
            next.resets += 1;
        }
    }
    if state.failing && next.resets == state.resets {
        next.uncovered_ns += dt_ns;
    }
    next
}

impl State {
    fn stamp(&mut self, sample: &Sample) {
        self.t_ns = sample.t_ns().max(self.t_ns);
        self.half_ns = sample.half_ns();
    }

    /// Notes that the counter changed within the last `dt_ns`, and since it moves once a tick, within the last tick.
    fn edge(&mut self, dt_ns: u64, channel: &Channel) {
        let half_ns = dt_ns.min(channel.tick_ns) / 2;
        self.edge_ns = self.t_ns.saturating_sub(half_ns);
        self.edge_half_ns = half_ns + self.half_ns;
    }

    fn count(&mut self, counts: u64, dt_ns: u64, channel: &Channel) {
        self.total += counts;
        self.edge(dt_ns, channel);
        let since_mark_ns = self.t_ns.saturating_sub(self.mark_ns);
        // Over fewer ticks a mean power is mostly the phase of the tick: keep the older one.
        if since_mark_ns >= POWER_TICKS * channel.tick_ns {
            let energy_uj = channel.scale.microjoules(self.total - self.mark_total);
            self.power_uw = units::power_uw(energy_uj, since_mark_ns).unwrap_or(self.power_uw);
            self.mark();
        }
    }

    fn mark(&mut self) {
        (self.mark_ns, self.mark_total) = (self.t_ns, self.total);
    }

    /// Fills `dt_ns` with the last known power: estimated, and not covered.
    fn estimate(&mut self, dt_ns: u64, channel: &Channel) {
        let counts = channel.scale.counts(units::energy_uj(self.power_uw, dt_ns));
        self.total += counts;
        self.estimated += counts;
        self.uncovered_ns += dt_ns;
        self.edge(dt_ns, channel);
        self.mark();
    }

    /// The state at `t_ns` where it could not be read: the last power goes on, as an estimate.
    #[must_use]
    pub fn extrapolated(&self, t_ns: u64, channel: &Channel) -> Self {
        let mut next = Self { t_ns: t_ns.max(self.t_ns), failing: true, ..*self };
        next.estimate(next.t_ns - self.t_ns, channel);
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Kind, Place, Provenance, Signal};
    use crate::error::Fault;
    use crate::units::{MICRO, NS_PER_S, Scale};
    use proptest::prelude::*;

    const RANGE: u64 = 1_000 * MICRO;

    fn channel(range: Range) -> Channel {
        Channel {
            place: Place::of_package(Kind::Package, 0),
            signal: Signal::Counter,
            scale: Scale::MICROJOULE,
            range,
            max_power_uw: 200 * MICRO,
            tick_ns: 1_000_000,
            resolution_ns: 0,
            sensor_rel: 0.03,
            provenance: Provenance::Measured,
            detail: String::new(),
        }
    }

    fn good(raw: u64, t_ns: u64) -> Sample {
        Sample { raw, before_ns: t_ns, after_ns: t_ns, fault: None }
    }

    fn bad(t_ns: u64) -> Sample {
        Sample { fault: Some(Fault::Failed(libc::EIO)), ..good(0, t_ns) }
    }

    fn run(samples: &[Sample], channel: &Channel) -> State {
        samples.iter().fold(State::default(), |state, sample| advance(&state, sample, channel))
    }

    #[test]
    fn a_decrease_that_a_plausible_power_explains_is_a_wrap() {
        let step = step(RANGE - 5 * MICRO, 5 * MICRO, NS_PER_S, &channel(Range::Modulo(RANGE)));
        assert_eq!(step, Step::Wrapped(10 * MICRO));
    }

    #[test]
    fn a_decrease_that_no_plausible_power_explains_is_a_reset() {
        assert_eq!(step(500 * MICRO, 0, NS_PER_S, &channel(Range::Modulo(RANGE))), Step::Reset);
        assert_eq!(step(5 * MICRO, 4 * MICRO, NS_PER_S, &channel(Range::Unbounded)), Step::Reset);
    }

    #[test]
    fn time_enough_for_two_wraps_is_ambiguous() {
        let step = step(0, 10 * MICRO, 6 * NS_PER_S, &channel(Range::Modulo(RANGE)));
        assert_eq!(step, Step::Ambiguous(10 * MICRO));
    }

    #[test]
    fn a_perf_count_that_drops_by_one_hardware_range_is_repaired() {
        let mut channel = channel(Range::PowerOfTwo);
        channel.scale = Scale::power_of_two(32).unwrap();
        let range = 1_u64 << 50; // ESU 14: 262,144 J
        let before = 3 * range + (range - (20 << 32));
        assert_eq!(step(before, before - range + (65 << 32), NS_PER_S, &channel), Step::Wrapped(65 << 32));
        assert_eq!(step(before, before - (1 << 32), NS_PER_S, &channel), Step::Reset);
    }

    #[test]
    fn an_outage_is_bridged_and_its_time_uncovered() {
        let samples = [good(0, 0), good(50 * MICRO, NS_PER_S), bad(2 * NS_PER_S), good(150 * MICRO, 3 * NS_PER_S)];
        let state = run(&samples, &channel(Range::Modulo(RANGE)));
        assert_eq!((state.total, state.estimated), (150 * MICRO, 0));
        assert_eq!(state.uncovered_ns, 2 * NS_PER_S);
    }

    #[test]
    fn a_reset_loses_one_interval_and_says_so() {
        let samples = [
            good(900 * MICRO, 0),
            good(950 * MICRO, NS_PER_S),
            good(10, 2 * NS_PER_S),
            good(50 * MICRO + 10, 3 * NS_PER_S),
        ];
        let state = run(&samples, &channel(Range::Unbounded));
        assert_eq!((state.total, state.estimated, state.resets), (150 * MICRO, 50 * MICRO, 1));
        assert_eq!(state.uncovered_ns, NS_PER_S);
    }

    #[test]
    fn a_domain_that_cannot_be_read_goes_on_at_its_last_power_as_an_estimate() {
        let state = run(&[good(0, 0), good(50 * MICRO, NS_PER_S)], &channel(Range::Unbounded));
        let later = state.extrapolated(3 * NS_PER_S, &channel(Range::Unbounded));
        assert_eq!((later.total, later.estimated), (150 * MICRO, 100 * MICRO));
        assert_eq!(later.uncovered_ns, 2 * NS_PER_S);
    }

    proptest! {
        /// Law 3: a wrap changes nothing, wherever the counter starts and however often it goes round.
        #[test]
        fn a_wrap_changes_nothing(start in 0..RANGE, steps in prop::collection::vec(0..150 * MICRO, 1..60)) {
            let modulo = channel(Range::Modulo(RANGE));
            let unbounded = channel(Range::Unbounded);
            let mut at = start;
            let mut wrapped = run(&[good(start, 0)], &modulo);
            let mut plain = run(&[good(start, 0)], &unbounded);
            for (second, counts) in (1_u64..).zip(&steps) {
                at += counts;
                wrapped = advance(&wrapped, &good(at % RANGE, second * NS_PER_S), &modulo);
                plain = advance(&plain, &good(at, second * NS_PER_S), &unbounded);
            }
            prop_assert_eq!(wrapped.total, plain.total);
            prop_assert_eq!(wrapped.resets + wrapped.ambiguous, 0);
        }

        /// Law 2: a reading in between adds nothing and takes nothing.
        #[test]
        fn a_reading_in_between_changes_no_total(raws in prop::collection::vec(0..100 * MICRO, 3)) {
            let channel = channel(Range::Modulo(RANGE));
            let a = good(0, 0);
            let b = good(raws[0], NS_PER_S);
            let c = good(raws[0] + raws[1], 2 * NS_PER_S);
            prop_assert_eq!(run(&[a, b, c], &channel).total, run(&[a, c], &channel).total);
        }

        /// No sequence of readings, however broken, makes energy fall or arithmetic overflow.
        #[test]
        fn totals_never_fall(raws in prop::collection::vec((any::<u64>(), any::<bool>(), 0..20 * NS_PER_S), 1..50), kind in 0_usize..3) {
            let channel = channel([Range::Modulo(RANGE), Range::PowerOfTwo, Range::Unbounded][kind]);
            let mut state = State::default();
            let mut t_ns = 0;
            for (raw, fails, dt_ns) in raws {
                t_ns += dt_ns;
                let sample = if fails { bad(t_ns) } else { good(raw, t_ns) };
                let next = advance(&state, &sample, &channel);
                prop_assert!(next.total >= state.total && next.uncovered_ns >= state.uncovered_ns);
                prop_assert!(next.estimated <= next.total);
                state = next;
            }
        }
    }
}
