//! How much CPU time may polling take? A share of all time, so that counters that move irregularly do not cost a core.
//!
//! A counter with a steady beat is met by a few readings. One whose beat wanders by 300 us (Ice Lake servers) is polled for
//! half a millisecond and more each time, and four of those at 1 kHz would keep a core busy with nothing else.

/// Percent of one core: hunting one steady counter at 1 kHz takes some six (benches/sampler.rs), and a program that is
/// measured on a machine of many cores does not miss ten.
const SHARE_PERCENT: i64 = 10;
/// What can be saved: polling learns a beat in some sixteen changes, which must not starve at the start.
const MOST_SAVED_NS: i64 = 20_000_000;

/// CPU time earned by time that passes, and spent.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Below 0 after a hunt that took more than there was.
    left_ns: i64,
    seen_ns: u64,
}

impl Budget {
    /// A full one.
    pub fn new(now_ns: u64) -> Self {
        Self { left_ns: MOST_SAVED_NS, seen_ns: now_ns }
    }

    /// Whether something is left, with what the time until now has brought.
    pub fn has_some_at(&mut self, now_ns: u64) -> bool {
        let passed_ns = i64::try_from(now_ns.saturating_sub(self.seen_ns)).unwrap_or(i64::MAX);
        // By hundredths first: no overflow, and what is lost is less than 10 ns a turn.
        let earned_ns = passed_ns / 100 * SHARE_PERCENT;
        self.left_ns = self.left_ns.saturating_add(earned_ns).min(MOST_SAVED_NS);
        self.seen_ns = now_ns;
        self.left_ns > 0
    }

    /// Takes away what a hunt took.
    pub fn spend(&mut self, cpu_ns: u64) {
        self.left_ns = self.left_ns.saturating_sub(i64::try_from(cpu_ns).unwrap_or(i64::MAX));
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
        let (mut budget, mut now_ns, mut cpu_ns, mut hunts) = (Budget::new(0), 0, 0, 0);
        for cost_ns in costs_ns {
            now_ns += TURN_NS;
            if budget.has_some_at(now_ns) {
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
