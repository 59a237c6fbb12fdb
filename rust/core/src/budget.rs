//! How much CPU time may finding changes take? A share of all time, so that restless counters do not cost a core.
//!
//! A counter with a steady beat is met by a few readings. One whose beat wanders by 300 us (Ice Lake servers) is polled for
//! half a millisecond and more each time, and four of those at 1 kHz would keep a core busy with nothing else.

/// Percent of one core for the whole thread: hunting one steady counter at 1 kHz takes some six (benches/sampler.rs), and
/// a program that is measured on a machine of many cores does not miss ten.
const SHARE_PERCENT: i64 = 10;
/// What can be saved for each counter: a beat is learned in some 45 changes, polled for half a tick at first and closely
/// in the end.
const MOST_SAVED_NS: i64 = 20_000_000;

/// CPU time earned by time that passes, and spent.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Below 0 after a turn that took more than there was.
    left_ns: i64,
    most_ns: i64,
    earned_at_ns: u64,
}

impl Budget {
    /// A full one, for so many counters.
    pub fn new(counters: usize, now_ns: u64) -> Self {
        let most_ns = MOST_SAVED_NS.saturating_mul(i64::try_from(counters).unwrap_or(i64::MAX));
        Self { left_ns: most_ns, most_ns, earned_at_ns: now_ns }
    }

    /// Adds what the time until now has brought.
    pub fn earn(&mut self, now_ns: u64) {
        let passed_ns = i64::try_from(now_ns.saturating_sub(self.earned_at_ns)).unwrap_or(i64::MAX);
        // By hundredths first: no overflow, and what is lost is less than 10 ns a turn.
        let earned_ns = passed_ns / 100 * SHARE_PERCENT;
        self.left_ns = self.left_ns.saturating_add(earned_ns).min(self.most_ns);
        self.earned_at_ns = now_ns;
    }

    /// Takes away what a turn took.
    pub fn spend(&mut self, cpu_ns: u64) {
        self.left_ns = self.left_ns.saturating_sub(i64::try_from(cpu_ns).unwrap_or(i64::MAX));
    }

    /// Whether something is left.
    pub fn has_some(&self) -> bool {
        self.left_ns > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::NS_PER_S;
    use proptest::prelude::*;

    const TURN_NS: u64 = 1_000_000;

    /// CPU time and hunts of turns of a millisecond, each of which would take what is given.
    fn spent(costs_ns: impl IntoIterator<Item = u64>) -> (u64, u64) {
        let (mut budget, mut now_ns, mut cpu_ns, mut hunts) = (Budget::new(1, 0), 0, 0, 0);
        for cost_ns in costs_ns {
            now_ns += TURN_NS;
            budget.earn(now_ns);
            if budget.has_some() {
                budget.spend(cost_ns);
                cpu_ns += cost_ns;
                hunts += 1;
            }
        }
        (cpu_ns, hunts)
    }

    #[test]
    fn a_steady_counter_is_hunted_at_every_turn() {
        assert_eq!(spent(std::iter::repeat_n(60_000, 10_000)).1, 10_000);
    }

    #[test]
    fn a_costly_hunt_takes_its_share_and_no_more() {
        let (cpu_ns, hunts) = spent(std::iter::repeat_n(800_000, 60_000));
        assert!(hunts > 6_000, "still hunts now and then: {hunts}");
        assert!(cpu_ns < 60 * NS_PER_S / 10 + 25_000_000, "{cpu_ns} ns");
    }

    proptest! {
        #[test]
        fn whatever_hunts_cost_the_share_is_kept(costs_ns in prop::collection::vec(0..5_000_000_u64, 1..3_000)) {
            let most_ns = costs_ns.iter().copied().max().unwrap_or(0);
            let passed_ns = costs_ns.len() as u64 * TURN_NS;
            let saved_ns = MOST_SAVED_NS as u64;
            prop_assert!(spent(costs_ns).0 <= passed_ns / 10 + saved_ns + most_ns);
        }
    }
}
