//! When to look next: often while a meter's rhythm is unknown, then only around its beats.
//!
//! The rate of looking is no accuracy: a meter that moves ten times a second says nothing new in between. What counts
//! is to know when it moved. Calls to the driver are serialised with those of the program that is measured, so that
//! each is worth saving.

use super::rhythm::{Beat, Rhythm};
use crate::units::NS_PER_S;

/// Pause between looks while learning: a tenth of the shortest known period (20 ms: Pascal, Volta; Yang et al. 2023).
pub const LEARN_STEP_NS: u64 = 2_000_000;
/// Longest time of learning in one go; then it pauses, since the value may simply not move.
pub const LEARN_NS: u64 = 2 * NS_PER_S;
/// Pause between looks at a meter without rhythm.
const SLOW_STEP_NS: u64 = 25_000_000;
/// Time after which learning may be tried again.
const RELEARN_NS: u64 = 10 * NS_PER_S;
/// Looks a second at one GPU, on average; below the 60 that are promised, so that a jittering period stays below too.
const BUDGET_PER_S: f64 = 52.0;
/// Looks around one beat at most.
const TRIES: u32 = 5;
/// Shortest pause between two looks around a beat.
const FINE_STEP_NS: f64 = 500_000.0;

/// Changes after which some beats may be looked at only once.
const SETTLED_CHANGES: usize = 12;

/// Plans the looks at one meter.
#[derive(Debug, Default)]
pub struct Plan {
    /// When the current round of learning began.
    learning_since_ns: Option<u64>,
    /// The beat that is awaited, and how many beats it is after the one before.
    awaited_ns: u64,
    stride: u64,
    /// Looks planned at it.
    tries: u32,
    /// Whether it is looked at closely.
    close: bool,
    /// Whether the first of the close looks saw a change already.
    first_changed: bool,
    /// Beats since one was looked at closely.
    loose: u32,
}

impl Plan {
    /// When to look after a look that ended at `now_ns` and did or did not see a change.
    pub fn next_ns(&mut self, rhythm: &mut Rhythm, now_ns: u64, changed: bool) -> u64 {
        self.first_changed |= changed && self.tries == 1;
        let over = self.is_over(rhythm.beat(), now_ns, changed);
        // The value moves, and yet not where it was awaited: it is sought more widely.
        if over && self.close && self.first_changed && !(changed && self.tries > 1) {
            rhythm.miss();
        }
        match rhythm.beat() {
            Some(beat) => {
                self.learning_since_ns = None;
                if over {
                    self.await_next(&beat, rhythm, now_ns);
                }
                self.around_beat(&beat, now_ns)
            }
            None => self.while_learning(now_ns),
        }
    }

    fn is_over(&self, beat: Option<Beat>, now_ns: u64, changed: bool) -> bool {
        // Where beats are skipped, the first close look sees the change of those.
        let heard = changed && (self.tries > 1 || self.stride <= 1);
        let passed = beat.is_none_or(|beat| now_ns > self.awaited_ns + whole(beat.spread_ns));
        heard || passed || self.tries >= TRIES || !self.close
    }

    fn while_learning(&mut self, now_ns: u64) -> u64 {
        let since_ns = *self.learning_since_ns.get_or_insert(now_ns);
        match now_ns.saturating_sub(since_ns) {
            0..LEARN_NS => now_ns + LEARN_STEP_NS,
            LEARN_NS..RELEARN_NS => now_ns + SLOW_STEP_NS,
            _ => {
                self.learning_since_ns = None;
                now_ns + LEARN_STEP_NS
            }
        }
    }

    fn around_beat(&mut self, beat: &Beat, now_ns: u64) -> u64 {
        self.tries += 1;
        if !self.close {
            // Halfway to the next beat the value is the last beat's for certain.
            return (self.awaited_ns + whole(beat.period_ns / 2.0)).max(now_ns + LEARN_STEP_NS / 4);
        }
        let first_ns = self.awaited_ns.saturating_sub(whole(beat.spread_ns));
        let step_ns = whole(FINE_STEP_NS.max(2.0 * beat.spread_ns / f64::from(TRIES - 2)));
        if self.tries == 1 { first_ns.max(now_ns + step_ns) } else { now_ns + step_ns }
    }

    /// Chooses the next beat to look at, and whether closely.
    fn await_next(&mut self, beat: &Beat, rhythm: &Rhythm, now_ns: u64) {
        let period_s = beat.period_ns / NS_PER_S as f64;
        self.stride = whole((1.0 / (BUDGET_PER_S * period_s)).ceil()).max(1);
        // The beat that was awaited is over, changed or not, even where its spread reaches beyond now.
        let after_ns = now_ns.max(self.awaited_ns + whole(beat.period_ns / 2.0));
        let next = beat.next_after(after_ns) + i64::try_from(self.stride).unwrap_or(1) - 1;
        self.awaited_ns = beat.at_ns(next);
        self.tries = 0;
        self.first_changed = false;
        // Looks ahead half as far as it looked back at most: the error of the period adds up over the beats.
        let loose_ns = f64::from(self.loose) * self.stride as f64 * beat.period_ns;
        let wanted = loose_between(period_s, self.stride);
        let is_young = rhythm.changes() < SETTLED_CHANGES || 2.0 * loose_ns >= rhythm.span_ns() as f64;
        self.close = is_young || f64::from(self.loose) >= wanted;
        self.loose = if self.close { 0 } else { self.loose + 1 };
    }
}

/// Beats to look at once for each that is looked at closely, within the budget.
fn loose_between(period_s: f64, stride: u64) -> f64 {
    // A close look costs up to TRIES calls, a loose one 1: (TRIES + loose) / (1 + loose) calls a beat on average.
    let calls_per_beat = BUDGET_PER_S * period_s * stride as f64;
    if calls_per_beat >= f64::from(TRIES) {
        return 0.0;
    }
    let loose = (f64::from(TRIES) - calls_per_beat) / (calls_per_beat - 1.0);
    if (0.0..=50.0).contains(&loose) { loose.ceil() } else { 50.0 }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a float-to-integer cast saturates
fn whole(value: f64) -> u64 {
    value.round() as u64
}

#[cfg(test)]
mod tests {
    use super::super::rhythm::Bracket;
    use super::*;
    use proptest::prelude::*;

    /// Looks at a meter of this period for ten seconds; looks in the last eight, and the widest bracket in those.
    fn run(period_ms: f64, jitter_ms: f64, seed: u64) -> (u64, u64) {
        let beat =
            fake_nvml::sensor::Beat { period_s: period_ms / 1e3, phase_s: 0.01, jitter_s: jitter_ms / 1e3, seed };
        let (mut plan, mut rhythm) = (Plan::default(), Rhythm::default());
        let (mut now_ns, mut last_ns, mut value) = (NS_PER_S, NS_PER_S, beat.last(1.0));
        let (mut looks, mut widest_ns) = (0, 0);
        while now_ns < 11 * NS_PER_S {
            let shown = beat.last(now_ns as f64 / 1e9);
            let changed = shown != value;
            if changed {
                let bracket = Bracket { lo_ns: last_ns, hi_ns: now_ns };
                let known = rhythm.beat().and_then(|beat| beat.narrow(bracket)).unwrap_or(bracket);
                widest_ns = if now_ns > 3 * NS_PER_S { widest_ns.max(known.half_ns()) } else { 0 };
                rhythm.learn(bracket);
            }
            looks += u64::from(now_ns > 3 * NS_PER_S);
            (value, last_ns) = (shown, now_ns);
            let next_ns = plan.next_ns(&mut rhythm, now_ns, changed);
            assert!(next_ns > now_ns, "time stands still at {now_ns}");
            // A thread wakes a little late.
            now_ns = next_ns + 60_000;
        }
        (looks / 8, widest_ns)
    }

    #[test]
    fn a_100_ms_meter_costs_under_60_looks_a_second_and_its_updates_are_known_within_a_millisecond() {
        let (looks_per_s, widest_ns) = run(100.0, 0.5, 5);
        assert!(looks_per_s <= 60, "{looks_per_s} looks a second");
        assert!(widest_ns <= 1_000_000, "{widest_ns} ns");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_period_costs_more_than_60_looks_a_second(
            period_ms in 10.0..150.0_f64, jitter_ms in 0.0..0.5_f64, seed: u64,
        ) {
            let (looks_per_s, _) = run(period_ms, jitter_ms, seed);
            prop_assert!(looks_per_s <= 60, "{looks_per_s} looks a second");
        }
    }

    #[test]
    fn a_meter_that_never_moves_is_looked_at_at_most_40_times_a_second_after_two_seconds() {
        let (mut plan, mut rhythm) = (Plan::default(), Rhythm::default());
        let (mut now_ns, mut looks) = (NS_PER_S, 0);
        while now_ns < 8 * NS_PER_S {
            now_ns = plan.next_ns(&mut rhythm, now_ns, false);
            looks += u64::from(now_ns > 4 * NS_PER_S);
        }
        assert!(looks <= 4 * 41, "{looks}");
    }
}
