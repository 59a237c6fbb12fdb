//! When a counter will change next: learned from its last changes, so that a thread can wake just before.
//!
//! RAPL counters move about once a millisecond, each domain at its own phase and with a jitter of some 20 us (clients) to
//! 300 us (Ice Lake servers). Waking shortly before and polling until the change stamps it to a few microseconds.

use crate::units;

/// Shortest and, as a share of the tick, longest time to wake before a predicted change.
const LEAST_LEAD_NS: u64 = 20_000;
const MOST_LEAD_SHARE: u64 = 2;
/// Weight of a new period or error against the old mean: a memory of some sixteen changes.
const WEIGHT: f64 = 1.0 / 16.0;
/// Turns that a counter which does not move is left alone, at most: it may come to life.
const MOST_REST_TURNS: u32 = 63;
/// Changes further apart than this many ticks tell too little about one period.
const LEARN_TICKS: u64 = 64;

/// The rhythm of one counter.
#[derive(Debug, Clone, Copy)]
pub struct Rhythm {
    tick_ns: u64,
    /// Learned mean period.
    period_ns: f64,
    /// The last change that was stamped sharply.
    edge_ns: Option<u64>,
    /// Mean distance of a change from its prediction.
    error_ns: f64,
    /// How long before a prediction to wake.
    lead_ns: u64,
    /// Turns for which it is left alone, from now and when that began.
    rest_turns: u32,
    long_rest_turns: u32,
}

impl Rhythm {
    /// A counter that is said to move every `tick_ns`.
    pub fn new(tick_ns: u64) -> Self {
        let lead_ns = tick_ns / MOST_LEAD_SHARE;
        let (rest_turns, long_rest_turns) = (0, 0);
        let (period_ns, error_ns) = (tick_ns as f64, lead_ns as f64);
        Self { tick_ns, period_ns, edge_ns: None, error_ns, lead_ns, rest_turns, long_rest_turns }
    }

    /// Where to look for the first change after `t_ns`: from when until when to poll.
    pub fn span_after(&self, t_ns: u64) -> (u64, u64) {
        match self.edge_ns {
            None => (t_ns, t_ns + 2 * self.tick_ns),
            Some(edge_ns) => {
                let predicted = self.prediction(edge_ns, t_ns + self.lead_ns);
                (predicted.saturating_sub(self.lead_ns), predicted + self.lead_ns + self.tick_ns / 4)
            }
        }
    }

    /// In which order to hunt: who is due first; then who may come at any time, and last who is left alone.
    pub fn rank(&self, t_ns: u64) -> (bool, bool, u64) {
        (self.is_resting(), self.edge_ns.is_none(), self.span_after(t_ns).0)
    }

    /// Whether to leave it alone.
    pub fn is_resting(&self) -> bool {
        self.rest_turns > 0
    }

    /// A turn begins.
    pub fn turn(&mut self) {
        self.rest_turns = self.rest_turns.saturating_sub(1);
    }

    /// Learns from a hunt: the change that it stamped, if any, and its readings.
    pub fn learn_from(&mut self, edge_ns: Option<u64>, polls: u32) {
        match edge_ns {
            Some(edge_ns) => self.seen(edge_ns),
            None if polls > 1 => self.stood_still(),
            None => self.missed(),
        }
    }

    /// Learns from a change that was stamped sharply.
    pub fn seen(&mut self, edge_ns: u64) {
        self.long_rest_turns = 0;
        if let Some(last_ns) = self.edge_ns.replace(edge_ns) {
            self.learn(last_ns, edge_ns);
        }
        let wanted = units::whole(3.0 * self.error_ns) + LEAST_LEAD_NS;
        self.lead_ns = (self.lead_ns + wanted).div_ceil(2).min(self.tick_ns / MOST_LEAD_SHARE);
    }

    /// The change came before the polling began, or not at all: wake earlier next time, and look anywhere if it goes on.
    pub fn missed(&mut self) {
        self.lead_ns = (2 * self.lead_ns).min(self.tick_ns / MOST_LEAD_SHARE);
        if self.lead_ns == self.tick_ns / MOST_LEAD_SHARE {
            self.edge_ns = None;
        }
    }

    /// Looked for anywhere, it did not move: to be looked for more and more rarely, or a counter that stands would take what
    /// there is for all.
    fn stood_still(&mut self) {
        if self.edge_ns.is_none() {
            self.long_rest_turns = (2 * self.long_rest_turns + 1).min(MOST_REST_TURNS);
            self.rest_turns = self.long_rest_turns + 1;
        }
        self.missed();
    }

    fn learn(&mut self, last_ns: u64, edge_ns: u64) {
        let apart_ns = edge_ns.saturating_sub(last_ns) as f64;
        let periods = (apart_ns / self.period_ns).round();
        if periods < 1.0 || apart_ns > (LEARN_TICKS * self.tick_ns) as f64 {
            return;
        }
        let error_ns = (apart_ns - periods * self.period_ns).abs();
        self.error_ns += WEIGHT * (error_ns - self.error_ns);
        let period_ns = apart_ns / periods;
        // A period far from the tick is a change that was taken for another.
        if (period_ns / self.tick_ns as f64 - 1.0).abs() < 0.5 {
            self.period_ns += WEIGHT * (period_ns - self.period_ns);
        }
    }

    /// The first predicted change at or after `t_ns`.
    fn prediction(&self, edge_ns: u64, t_ns: u64) -> u64 {
        let periods = (t_ns.saturating_sub(edge_ns) as f64 / self.period_ns).ceil().max(1.0);
        edge_ns + units::whole(periods * self.period_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TICK_NS: u64 = 1_000_000;

    #[test]
    fn a_steady_rhythm_is_predicted_closely_after_a_few_changes() {
        let mut rhythm = Rhythm::new(TICK_NS);
        (0..200).for_each(|tick| rhythm.seen(tick * 977_000));
        let (from, until) = rhythm.span_after(200 * 977_000 - 400_000);
        assert!(from < 200 * 977_000 && 200 * 977_000 < until);
        assert!(200 * 977_000 - from < 30_000, "wakes {} ns early", 200 * 977_000 - from);
    }

    #[test]
    fn a_counter_that_does_not_come_is_looked_for_anywhere() {
        let mut rhythm = Rhythm::new(TICK_NS);
        (0..50).for_each(|tick| rhythm.seen(tick * TICK_NS));
        (0..10).for_each(|_| rhythm.missed());
        let (from, until) = rhythm.span_after(60_300_000);
        assert_eq!((from, until), (60_300_000, 62_300_000));
    }

    /// Turns out of a thousand in which a counter is hunted that gives this at each hunt.
    fn hunts(rhythm: &mut Rhythm, edge_ns: Option<u64>) -> usize {
        let mut count = 0;
        for _ in 0..1_000 {
            rhythm.turn();
            if !rhythm.is_resting() {
                rhythm.learn_from(edge_ns, 1_000);
                count += 1;
            }
        }
        count
    }

    #[test]
    fn a_counter_that_stands_is_looked_for_now_and_then_and_hunted_as_ever_once_it_moves() {
        let mut rhythm = Rhythm::new(TICK_NS);
        assert!((15..30).contains(&hunts(&mut rhythm, None)));
        let steady = Rhythm::new(TICK_NS);
        assert!(steady.rank(0) < rhythm.rank(0), "what moves comes first");
        assert!(hunts(&mut rhythm, Some(7)) > 900);
        assert!(!rhythm.is_resting());
    }

    #[test]
    fn what_may_come_at_any_time_does_not_keep_others_waiting() {
        let (mut steady, lost) = (Rhythm::new(TICK_NS), Rhythm::new(TICK_NS));
        (0..50).for_each(|tick| steady.seen(tick * TICK_NS));
        assert!(steady.rank(60_300_000) < lost.rank(60_300_000));
    }

    proptest! {
        #[test]
        fn the_span_never_lies_before_the_question_and_has_a_length(
            edges in prop::collection::vec(1..10_000_000_u64, 1..60), after in 0..10_000_000_u64,
        ) {
            let mut rhythm = Rhythm::new(TICK_NS);
            let mut t_ns = 0;
            for (number, dt_ns) in edges.iter().enumerate() {
                t_ns += dt_ns;
                if number % 5 == 4 { rhythm.missed() } else { rhythm.seen(t_ns) }
            }
            let (from, until) = rhythm.span_after(t_ns + after);
            prop_assert!(from >= t_ns + after && until > from && until - from <= 4 * TICK_NS);
        }
    }
}
