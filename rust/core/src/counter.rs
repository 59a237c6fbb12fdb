//! The energy counter of one domain, followed: what each further reading adds to what is known.
//!
//! Everything in a [`State`] that a window reports only ever grows, and a window is the difference of two states. That
//! makes energy, coverage and the estimated part of both additive over adjacent windows, with nothing to add up in floats.
//!
//! # When a meter fails
//! - A read that fails, shows no number, or shows 0 where there were counts, changes nothing: the counter may count on
//!   behind it. The next good reading bridges the outage; the energy is exact and the time uncovered.
//! - A counter that stands still for [`Channel::longest_rest_ns`] is *stuck*. When it moves again, its step tells whether
//!   it counted on unseen (about as much as the last power makes expect) or lost that time, which is then estimated.
//! - A change that no plausible power explains is a *reset*: one interval is estimated from the last power.
//! - A wrap that does not fit the last power, or time enough for several wraps, is *ambiguous*: flagged, and in the bound.

use crate::domain::{Channel, Provenance, Range};
use crate::error::Fault;
use crate::sample::Sample;
use crate::step::{Step, plausible_uj, step};
use crate::units;

/// Shortest time over which a mean power is taken: 20 updates of RAPL, below which it is mostly the phase of the tick.
const POWER_SPAN_NS: u64 = 20_000_000;

/// All that is known of one domain at an instant, since its first reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct State {
    /// The last valid raw reading.
    pub raw: u64,
    /// When it was taken last: the midpoint of its bracket.
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
    /// Counts by which `total` may be off beside that: wraps that may have been resets, rounds that may have been missed.
    pub doubtful: u64,
    /// Time that no unbroken pair of readings covers, in nanoseconds.
    pub uncovered_ns: u64,
    /// Mean power over the last span in microwatts; 0 before there was one.
    pub power_uw: u64,
    /// How often the counter was set anew.
    pub resets: u64,
    /// How often more than one explanation was possible.
    pub ambiguous: u64,
    /// How often the counter went round.
    pub wraps: u64,
    /// How many readings failed.
    pub faults: u64,
    /// Why the latest of them did.
    pub last_fault: Option<Fault>,
    /// Whether a first reading was taken.
    pub known: bool,
    /// Whether the latest attempt to read failed.
    pub failing: bool,
    /// Whether the counter stands still; its time is uncovered from `since_ns` on.
    pub stuck: bool,
    /// When `raw` was read first, or the first 0 in its place.
    pub since_ns: u64,
    /// Mean power over the span before the last one: that one may hold the beginning of a standstill.
    pub before_uw: u64,
    /// Where the span of the next mean power begins.
    pub span_ns: u64,
    /// `total` there.
    pub span_total: u64,
}

/// The state after one more sample.
pub fn advance(state: &State, sample: &Sample, channel: &Channel) -> State {
    match flaw(state, sample, channel) {
        Some(fault) => state.failed(fault, sample),
        None if !state.known => rebase(state, sample, channel),
        None => follow(state, sample, channel),
    }
}

/// The state at one end of a window, and why it could not be read if it could not: the last power then goes on.
pub fn at_end(published: &State, sample: &Sample, channel: &Channel) -> (State, Option<Fault>) {
    let next = advance(published, sample, channel);
    match flaw(published, sample, channel) {
        None => (next, None),
        fault => (next.extrapolated(sample.t_ns(), channel), fault),
    }
}

/// The state where the counter is taken as it stands, whatever it did since the last reading.
pub fn rebase(state: &State, sample: &Sample, channel: &Channel) -> State {
    if let Some(fault) = sample.fault {
        return State { known: false, ..state.failed(fault, sample) };
    }
    let t_ns = sample.t_ns();
    let gap_ns = if state.known { t_ns.saturating_sub(state.t_ns) } else { 0 };
    let uncovered_ns = state.uncovered_ns + gap_ns;
    let read =
        State { raw: sample.raw, t_ns, half_ns: sample.half_ns(), known: true, failing: false, uncovered_ns, ..*state };
    let mut next = State { stuck: false, since_ns: t_ns, span_ns: t_ns, span_total: state.total, ..read };
    // The last change lies anywhere within a tick before the reading.
    next.edge(channel.tick_ns, channel);
    next
}

/// Why a sample is no reading: it failed, or it shows what a healthy meter cannot show.
fn flaw(state: &State, sample: &Sample, channel: &Channel) -> Option<Fault> {
    if sample.fault.is_some() || !state.known {
        return sample.fault;
    }
    // Of 2^32 readings one is 0 by chance, and the next bridges it. A model may begin again at 0 as it likes.
    if sample.raw == 0 && state.raw != 0 && channel.provenance == Provenance::Measured {
        return Some(Fault::Zero);
    }
    let rests = sample.raw == state.raw && sample.t_ns().saturating_sub(state.since_ns) >= channel.longest_rest_ns;
    rests.then_some(Fault::Stuck)
}

fn follow(state: &State, sample: &Sample, channel: &Channel) -> State {
    let t_ns = sample.t_ns().max(state.t_ns);
    let dt_ns = t_ns.saturating_sub(state.base_ns());
    let since_ns = if sample.raw == state.raw { state.since_ns } else { t_ns };
    let read = State { raw: sample.raw, t_ns, half_ns: sample.half_ns(), failing: false, stuck: false, ..*state };
    let mut next = State { since_ns, ..read };
    if sample.raw != state.raw {
        next.edge(t_ns - state.t_ns, channel);
    }
    match step(state.raw, sample.raw, dt_ns, channel) {
        Step::Delta(counts) => next.count(counts),
        Step::Wrapped(counts) => next.wrap(counts, dt_ns, channel),
        Step::Ambiguous { counts, range } => next.go_round(counts, range, dt_ns, channel),
        Step::Reset => return next.reset(state, dt_ns, channel),
    }
    if state.failing {
        next.bridge(state, dt_ns, channel);
    } else {
        next.measure_power(channel);
    }
    next
}

impl State {
    /// The state after a reading that failed. What is known stays: the next good reading bridges the outage.
    fn failed(&self, fault: Fault, sample: &Sample) -> Self {
        let mut next = Self { failing: true, faults: self.faults + 1, last_fault: Some(fault), ..*self };
        if fault == Fault::Zero && !self.stuck && !self.shows_zero() {
            next.since_ns = sample.t_ns();
        }
        if fault == Fault::Stuck {
            // A stuck counter is read all the same.
            next.t_ns = sample.t_ns();
            next.stuck = true;
            if !self.stuck && self.before_uw > 0 {
                next.power_uw = self.before_uw;
            }
        }
        next
    }

    /// Notes that the counter changed within the last `dt_ns`, and since it moves once a tick, within the last tick.
    fn edge(&mut self, dt_ns: u64, channel: &Channel) {
        let half_ns = dt_ns.min(channel.tick_ns) / 2;
        self.edge_ns = self.t_ns.saturating_sub(half_ns);
        self.edge_half_ns = half_ns + self.half_ns;
    }

    /// The last instant up to which everything is counted.
    fn base_ns(&self) -> u64 {
        if self.stuck { self.since_ns } else { self.t_ns }
    }

    fn count(&mut self, counts: u64) {
        self.total = self.total.saturating_add(counts);
    }

    fn guess(&mut self, counts: u64) {
        self.count(counts);
        self.estimated = self.estimated.saturating_add(counts);
    }

    fn doubt(&mut self, counts: u64) {
        self.doubtful = self.doubtful.saturating_add(counts);
    }

    /// Counts that the last power makes expect.
    fn expected(&self, dt_ns: u64, channel: &Channel) -> u64 {
        channel.scale.counts(units::energy_uj(self.power_uw, dt_ns))
    }

    /// A decrease that a plausible power explains. Where it does not go on as the power did, the counter may have been
    /// set anew instead.
    fn wrap(&mut self, counts: u64, dt_ns: u64, channel: &Channel) {
        self.count(counts);
        self.wraps += 1;
        let surprise = counts.abs_diff(self.expected(dt_ns, channel));
        if self.power_uw > 0 && surprise > self.usual_change(dt_ns, channel) {
            self.ambiguous += 1;
            self.doubt(surprise);
        }
    }

    /// By how many counts an interval may differ from what is expected and still be like the two spans before it.
    fn usual_change(&self, dt_ns: u64, channel: &Channel) -> u64 {
        let change_uw = if self.before_uw > 0 { 2 * self.power_uw.abs_diff(self.before_uw) } else { self.power_uw / 2 };
        let steady_uw = self.power_uw / 10;
        channel.scale.counts(units::energy_uj(change_uw.saturating_add(steady_uw), dt_ns))
            + self.expected(2 * channel.tick_ns, channel)
    }

    /// Time enough for several rounds: as many are added as the last power makes likely, and all of that is in doubt.
    fn go_round(&mut self, counts: u64, range: u64, dt_ns: u64, channel: &Channel) {
        let unexplained = self.expected(dt_ns, channel).saturating_sub(counts);
        // A range that was only assumed is no measure of anything.
        let rounds = if channel.range == Range::PowerOfTwo { 0 } else { (unexplained + range / 2) / range };
        self.count(counts);
        self.guess(rounds.saturating_mul(range));
        self.doubt(range);
        self.ambiguous += 1;
        self.wraps += rounds;
    }

    /// The counter was set anew. If it was set to 0, what it shows is the least that was used since; if a reading met
    /// it at 0, all that was used since.
    fn reset(mut self, before: &Self, dt_ns: u64, channel: &Channel) -> Self {
        let counts_for = |dt_ns| channel.scale.microjoules(self.raw) <= plausible_uj(channel, dt_ns);
        let since_zero_ns = self.t_ns.saturating_sub(before.since_ns);
        if before.shows_zero() && counts_for(since_zero_ns) {
            self.estimate(dt_ns.saturating_sub(since_zero_ns), 0, channel);
            self.count(self.raw);
        } else {
            let least = if counts_for(dt_ns) { self.raw } else { 0 };
            self.estimate(dt_ns, least, channel);
        }
        self.resets += 1;
        self.begin_span();
        self
    }

    /// Whether the latest readings were 0; the first of them was then at `since_ns`.
    fn shows_zero(&self) -> bool {
        self.failing && !self.stuck && self.last_fault == Some(Fault::Zero)
    }

    /// After an outage: its energy was just counted, its time is uncovered. Only a standstill may have lost energy.
    fn bridge(&mut self, before: &Self, dt_ns: u64, channel: &Channel) {
        self.uncovered_ns += dt_ns;
        if before.stuck {
            let counted = self.total - before.total;
            let (whole, lately) =
                (self.expected(dt_ns, channel), self.expected(self.t_ns.saturating_sub(before.t_ns), channel));
            if counted < whole.midpoint(lately) {
                self.guess(whole.saturating_sub(lately));
            } else if self.power_uw > 0 {
                self.doubt(counted.abs_diff(whole));
            }
        }
        self.begin_span();
    }

    /// Fills `dt_ns` with the last known power, or with `least` where that is more: estimated, and not covered.
    fn estimate(&mut self, dt_ns: u64, least: u64, channel: &Channel) {
        self.guess(self.expected(dt_ns, channel).max(least));
        self.uncovered_ns += dt_ns;
        if self.power_uw == 0 {
            self.doubt(channel.scale.counts(plausible_uj(channel, dt_ns)));
        }
    }

    /// Takes the mean power once the span is long enough.
    fn measure_power(&mut self, channel: &Channel) {
        let dt_ns = self.t_ns - self.span_ns;
        // A meter that never rests and did not move is not at 0 W; it will be called stuck if it goes on so.
        let waits = self.since_ns < self.t_ns && channel.longest_rest_ns < u64::MAX;
        if waits || dt_ns < POWER_SPAN_NS.max(2 * channel.tick_ns) {
            return;
        }
        let energy_uj = channel.scale.microjoules(self.total - self.span_total);
        self.before_uw = self.power_uw;
        self.power_uw = units::power_uw(energy_uj, dt_ns).unwrap_or(self.power_uw);
        self.begin_span();
    }

    fn begin_span(&mut self) {
        self.span_ns = self.t_ns;
        self.span_total = self.total;
    }

    /// The state at `t_ns` where it could not be read: the last power goes on, as an estimate.
    #[must_use]
    pub fn extrapolated(&self, t_ns: u64, channel: &Channel) -> Self {
        let mut next = *self;
        if self.known {
            next.estimate(t_ns.saturating_sub(self.base_ns()), 0, channel);
        }
        next.t_ns = t_ns.max(self.t_ns);
        next.since_ns = next.t_ns;
        next.failing = true;
        next
    }

    /// For how long the counter had not moved when it was read.
    pub fn rest_ns(&self) -> u64 {
        self.t_ns.saturating_sub(self.since_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Kind, Place, Signal};
    use crate::units::{MICRO, NS_PER_S, Scale};
    use proptest::prelude::*;

    const RANGE: u64 = 1_000 * MICRO;
    const TENTH_NS: u64 = NS_PER_S / 10;

    fn channel(range: Range) -> Channel {
        Channel {
            place: Place::of_package(Kind::Package, 0),
            signal: Signal::Counter,
            scale: Scale::MICROJOULE,
            range,
            max_power_uw: 200 * MICRO,
            tick_ns: 1_000_000,
            longest_rest_ns: u64::MAX,
            resolution_ns: 0,
            sensor_rel: 0.03,
            provenance: Provenance::Measured,
            detail: String::new(),
        }
    }

    /// A meter whose counter never rests for a tenth of a second.
    fn restless() -> Channel {
        Channel { longest_rest_ns: TENTH_NS, ..channel(Range::Modulo(100_000 * MICRO)) }
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

    /// Ten readings a second of what `raw` shows at each tenth.
    fn sampled(channel: &Channel, tenths: u64, raw: impl Fn(u64) -> u64) -> State {
        run(&(0..=tenths).map(|tenth| good(raw(tenth), tenth * TENTH_NS)).collect::<Vec<_>>(), channel)
    }

    #[test]
    fn an_outage_is_bridged_and_its_time_uncovered() {
        let samples = [good(1, 0), good(50 * MICRO, NS_PER_S), bad(2 * NS_PER_S), good(150 * MICRO, 3 * NS_PER_S)];
        let state = run(&samples, &channel(Range::Modulo(RANGE)));
        assert_eq!((state.total, state.estimated), (150 * MICRO - 1, 0));
        assert_eq!((state.uncovered_ns, state.faults), (2 * NS_PER_S, 1));
        assert_eq!(state.last_fault, Some(Fault::Failed(libc::EIO)));
    }

    #[test]
    fn a_zero_where_there_were_counts_is_an_outage_and_no_reset() {
        let samples = [good(500 * MICRO, 0), good(550 * MICRO, NS_PER_S), good(0, 2 * NS_PER_S)];
        let state = run(&samples, &channel(Range::Modulo(RANGE)));
        assert_eq!((state.total, state.resets, state.last_fault), (50 * MICRO, 0, Some(Fault::Zero)));
        let state = advance(&state, &good(650 * MICRO, 3 * NS_PER_S), &channel(Range::Modulo(RANGE)));
        assert_eq!((state.total, state.resets, state.uncovered_ns), (150 * MICRO, 0, 2 * NS_PER_S));
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
    fn a_reset_that_is_met_at_zero_loses_no_more_than_up_to_there() {
        let count = |tenth: u64| if tenth < 30 { 1 + (1_000 + 5 * tenth) * MICRO } else { (tenth - 30) * 5 * MICRO };
        let state = sampled(&restless(), 80, count);
        assert_eq!((state.total, state.estimated, state.resets), (400 * MICRO, 5 * MICRO, 1));
        assert_eq!((state.uncovered_ns, state.last_fault), (TENTH_NS, Some(Fault::Zero)));
    }

    #[test]
    fn a_reset_before_any_power_was_known_counts_what_it_shows_and_doubts_the_rest() {
        let state = run(&[good(900 * MICRO, 0), good(70 * MICRO, NS_PER_S)], &channel(Range::Unbounded));
        assert_eq!((state.total, state.estimated), (70 * MICRO, 70 * MICRO));
        assert!(state.doubtful >= 200 * MICRO);
    }

    #[test]
    fn a_domain_that_cannot_be_read_goes_on_at_its_last_power_as_an_estimate() {
        let state = run(&[good(1, 0), good(50 * MICRO + 1, NS_PER_S)], &channel(Range::Unbounded));
        let (end, fault) = at_end(&state, &bad(3 * NS_PER_S), &channel(Range::Unbounded));
        assert_eq!((end.total, end.estimated), (150 * MICRO, 100 * MICRO));
        assert_eq!((end.uncovered_ns, fault), (2 * NS_PER_S, Some(Fault::Failed(libc::EIO))));
    }

    #[test]
    fn a_wrap_that_needs_far_more_than_the_last_power_is_flagged() {
        let modulo = channel(Range::Modulo(RANGE));
        let before = [good(800 * MICRO, 0), good(830 * MICRO, NS_PER_S)];
        let likely = advance(&run(&before, &modulo), &good(10 * MICRO, 5_800_000_000), &modulo);
        assert_eq!((likely.wraps, likely.ambiguous, likely.doubtful), (1, 0, 0));
        let odd = advance(&run(&before, &modulo), &good(1, 2 * NS_PER_S), &modulo);
        assert_eq!((odd.wraps, odd.ambiguous), (1, 1));
        assert!(odd.doubtful > 120 * MICRO, "{odd:?}");
    }

    #[test]
    fn rounds_missed_while_nobody_read_are_guessed_from_the_power_and_doubted() {
        let modulo = channel(Range::Modulo(RANGE));
        let state = run(&[good(0, 0), good(100 * MICRO, NS_PER_S), good(200 * MICRO, 32 * NS_PER_S)], &modulo);
        assert_eq!((state.total, state.estimated), (3_200 * MICRO, 3_000 * MICRO));
        assert_eq!((state.ambiguous, state.doubtful), (1, RANGE));
    }

    #[test]
    fn a_counter_that_stood_still_and_held_its_energy_is_bridged() {
        let display = |tenth: u64| if (30..50).contains(&tenth) { 30 } else { tenth };
        let state = sampled(&restless(), 80, |tenth| 1 + display(tenth) * 5 * MICRO);
        assert_eq!((state.total, state.estimated), (400 * MICRO, 0));
        assert_eq!((state.uncovered_ns, state.last_fault), (20 * TENTH_NS, Some(Fault::Stuck)));
    }

    #[test]
    fn a_counter_that_lost_the_time_it_stood_still_is_estimated() {
        let count = |tenth: u64| if tenth <= 30 { tenth } else { tenth.max(50) - 20 };
        let state = sampled(&restless(), 80, |tenth| 1 + count(tenth) * 5 * MICRO);
        assert_eq!((state.total, state.estimated), (400 * MICRO, 100 * MICRO));
    }

    #[test]
    fn a_counter_that_stands_still_to_the_end_goes_on_at_its_last_power() {
        let state = sampled(&restless(), 60, |tenth| 1 + tenth.min(30) * 5 * MICRO);
        let end = good(1 + 150 * MICRO, 80 * TENTH_NS);
        let (end, fault) = at_end(&state, &end, &restless());
        assert_eq!((end.total, end.estimated, fault), (400 * MICRO, 250 * MICRO, Some(Fault::Stuck)));
        assert_eq!(end.uncovered_ns, 50 * TENTH_NS);
    }

    #[test]
    fn what_may_rest_is_never_stuck() {
        let state = sampled(&channel(Range::Unbounded), 60, |_| 77);
        assert_eq!((state.total, state.faults, state.uncovered_ns), (0, 0, 0));
    }

    proptest! {
        /// Law 3: a wrap changes nothing, wherever the counter starts and however often it goes round.
        #[test]
        fn a_wrap_changes_nothing(start in 1..RANGE, steps in prop::collection::vec(1..150 * MICRO, 1..60)) {
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
            prop_assume!(at % RANGE != 0);
            prop_assert_eq!(wrapped.total, plain.total);
            prop_assert_eq!(wrapped.resets, 0);
        }

        /// Law 2: a reading in between adds nothing and takes nothing.
        #[test]
        fn a_reading_in_between_changes_no_total(raws in prop::collection::vec(1..100 * MICRO, 3)) {
            let channel = channel(Range::Modulo(RANGE));
            let a = good(1, 0);
            let b = good(1 + raws[0], NS_PER_S);
            let c = good(1 + raws[0] + raws[1], 2 * NS_PER_S);
            prop_assert_eq!(run(&[a, b, c], &channel).total, run(&[a, c], &channel).total);
        }

        /// No sequence of readings, however broken, makes energy fall or arithmetic overflow.
        #[test]
        fn totals_never_fall(
            readings in prop::collection::vec((any::<u64>(), 0_u8..4, 0..20 * NS_PER_S), 1..50), kind in 0_usize..4
        ) {
            let range = [Range::Modulo(RANGE), Range::Drops(RANGE), Range::PowerOfTwo, Range::Unbounded][kind];
            let channel = Channel { longest_rest_ns: TENTH_NS, ..channel(range) };
            let mut state = State::default();
            let mut t_ns = 0;
            for (raw, how, dt_ns) in readings {
                t_ns += dt_ns;
                let sample = match how { 0 => bad(t_ns), 1 => good(state.raw, t_ns), 2 => good(raw % RANGE, t_ns), _ => good(raw, t_ns) };
                let (end, _) = at_end(&state, &sample, &channel);
                let next = advance(&state, &sample, &channel);
                for next in [&next, &end] {
                    prop_assert!(next.total >= state.total && next.uncovered_ns >= state.uncovered_ns);
                    prop_assert!(next.estimated <= next.total && next.doubtful >= state.doubtful);
                }
                state = next;
            }
        }
    }
}
