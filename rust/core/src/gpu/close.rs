//! Closes a window: which energy its two ends have, by which rule, and how far off the difference can be.
//!
//! A meter that moves every 100 ms says little about a window of 150 ms by itself: read at both ends it is off by a
//! third. But where the power outside the window is flat, the time between the window's end and the next update is
//! known to have that power, and what is left is the window's own. Where it is not flat, a straight line between the
//! updates is the best guess, and its bound says so.
//!
//! The bound of an end that is carried from flat power holds if what changed the power was the window: its load begins
//! and ends with it. A window that begins somewhere in a load that changes by itself is one in ten outside its bound.

use super::instant::{Flat, Instant};
use super::ticks::Tick;
use crate::units;

/// A power that no GPU draws, in watts: a board with more would be several.
pub(super) const BEYOND_W: f64 = 20_000.0;
/// How far above its limit a GPU can be for some milliseconds, sensor error included.
pub(super) const OVER_LIMIT: f64 = 1.25;
/// How far above the highest mean of an interval the power within it is taken to be.
const OVER_PEAK: f64 = 1.05;

/// How an end of a window was found. The later, the less is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Carried from flat power next to it.
    IdleAnchored,
    /// Carried back from the next update with the power before the window, which may not be that after it.
    Assumed,
    /// Straight between two updates.
    Linear,
    /// Before the first update: guessed from the first known power.
    Cold,
    /// The GPU stopped answering: known only up to its last update.
    Lost,
}

impl Rule {
    /// The word in results.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IdleAnchored => "idle-anchored",
            Self::Assumed => "idle-anchored, assuming that the power returned to what it was before",
            Self::Linear => "linear",
            Self::Cold => "cold: no update of the meter before the window",
            Self::Lost => "lost: the GPU stopped answering within the window",
        }
    }
}

/// The energy of a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Closed {
    /// Joules.
    pub energy_j: f64,
    /// 95 % half-width from the meter's updates, in joules; the sensor's own error comes on top.
    pub bound_j: f64,
    /// How its begin was found.
    pub begin: Rule,
    /// How its end was found.
    pub end: Rule,
    /// Share of the window that unbroken readings bracket, 0 to 1.
    pub coverage: f64,
    /// The part that was estimated: bridged resets and outages, and what a cold window misses.
    pub estimated_j: f64,
    /// How often the counter began anew.
    pub resets: u64,
    /// Whether later updates can no longer change the result.
    pub is_settled: bool,
}

impl Closed {
    /// The rule of the end of which less is known.
    pub fn rule(&self) -> Rule {
        self.begin.max(self.end)
    }
}

/// One end: energy up to it, how far off that can be, and the rule.
#[derive(Debug, Clone, Copy)]
struct End {
    energy_j: f64,
    bound_j: f64,
    rule: Rule,
}

impl End {
    fn flat(flat: &Flat) -> Self {
        Self { energy_j: flat.energy_j, bound_j: flat.bound_j, rule: Rule::IdleAnchored }
    }

    fn linear(at: &Instant) -> Self {
        let rule = if at.is_cold { Rule::Cold } else { Rule::Linear };
        Self { energy_j: at.linear_j.0, bound_j: at.linear_j.1, rule }
    }
}

/// The energy between two instants of one GPU. `limit_w` is its power limit, where known.
pub fn close(begin: &Instant, end: &Instant, limit_w: Option<f64>) -> Closed {
    let most_w = limit_w.map_or(BEYOND_W, |limit_w| OVER_LIMIT * limit_w);
    let (first, last) = ends(begin, end, most_w);
    let duration_ns = end.t_ns.saturating_sub(begin.t_ns);
    let missing_ns = if first.rule == Rule::Cold { begin.after.t_ns.saturating_sub(begin.t_ns) } else { 0 };
    let from = begin.before.unwrap_or_default();
    let uncovered_ns = (end.after.uncovered_ns.saturating_sub(from.uncovered_ns) + missing_ns).min(duration_ns);
    let bridged_j = units::joules(end.after.estimated_uj.saturating_sub(from.estimated_uj));
    let cold_j = if first.rule == Rule::Cold { first.bound_j } else { 0.0 };
    let energy_j = (last.energy_j - first.energy_j).max(0.0);
    Closed {
        energy_j,
        bound_j: first.bound_j.hypot(last.bound_j) + bridged_j,
        begin: first.rule,
        end: last.rule,
        coverage: if duration_ns == 0 { 1.0 } else { 1.0 - uncovered_ns as f64 / duration_ns as f64 },
        estimated_j: (bridged_j + cold_j).min(energy_j),
        resets: end.after.resets.saturating_sub(from.resets),
        is_settled: begin.is_settled && end.is_settled,
    }
}

/// The energy from an instant to the last update of a GPU that has stopped answering since.
pub fn close_lost(begin: &Instant, last: &Tick, end_ns: u64) -> Closed {
    let first = first(begin, last.t_ns);
    let duration_ns = end_ns.saturating_sub(begin.t_ns).max(1);
    let from = begin.before.unwrap_or_default();
    let uncovered_ns = last.uncovered_ns.saturating_sub(from.uncovered_ns) + end_ns.saturating_sub(last.t_ns);
    let energy_j = (units::joules(last.energy_uj) - first.energy_j).max(0.0);
    let missing_j = begin.peak_w * units::seconds(end_ns.saturating_sub(last.t_ns));
    let bridged_j = units::joules(last.estimated_uj.saturating_sub(from.estimated_uj));
    Closed {
        energy_j,
        bound_j: first.bound_j.hypot(missing_j) + bridged_j,
        begin: first.rule,
        end: Rule::Lost,
        coverage: 1.0 - uncovered_ns.min(duration_ns) as f64 / duration_ns as f64,
        estimated_j: bridged_j.min(energy_j),
        resets: last.resets.saturating_sub(from.resets),
        is_settled: false,
    }
}

/// Both ends, each by its own surroundings, unless what is left for the window is no power that a GPU can have.
fn ends(begin: &Instant, end: &Instant, most_w: f64) -> (End, End) {
    let first = first(begin, end.t_ns);
    let last = last(end, begin, &first);
    let possible = |from_j: f64, from_ns: u64, to_j: f64, to_ns: u64| {
        let slack_ns = half_ns(begin) + half_ns(end);
        is_possible(to_j - from_j, to_ns.saturating_sub(from_ns), slack_ns, most_w)
    };
    if begin.after.t_ns >= end.t_ns {
        // Both in one interval: they stand or fall together.
        let together = possible(first.energy_j, begin.t_ns, last.energy_j, end.t_ns);
        return if together { (first, last) } else { (End::linear(begin), End::linear(end)) };
    }
    let after_j = units::joules(begin.after.energy_uj);
    let first_ok = possible(first.energy_j, begin.t_ns, after_j, begin.after.t_ns);
    let last_ok =
        end.before.is_none_or(|before| possible(units::joules(before.energy_uj), before.t_ns, last.energy_j, end.t_ns));
    (if first_ok { first } else { End::linear(begin) }, if last_ok { last } else { End::linear(end) })
}

/// How far off the updates around an instant can be.
fn half_ns(at: &Instant) -> u64 {
    at.after.half_ns.max(at.before.map_or(0, |before| before.half_ns))
}

/// Whether a GPU can use this energy in this time, give or take the uncertainty of the updates.
fn is_possible(energy_j: f64, duration_ns: u64, slack_ns: u64, most_w: f64) -> bool {
    let slack_j = most_w * units::seconds(slack_ns);
    energy_j >= -slack_j && energy_j <= most_w * units::seconds(duration_ns) + slack_j
}

/// The begin: on from flat power before the window, else back from flat power within it, else straight.
fn first(at: &Instant, end_ns: u64) -> End {
    // The right side is the window's own only where all that was seen of it is still in the window.
    let inside = at.right.filter(|flat| flat.far_ns <= end_ns);
    match (at.left, inside) {
        (Some(outside), Some(inside)) => step(at, &outside, &inside, &outside),
        (Some(flat), None) | (None, Some(flat)) => End::flat(&flat),
        (None, None) => End::linear(at),
    }
}

/// The end: back from flat power after the window, else on from flat power within it, else as the begin, else straight.
fn last(at: &Instant, begin: &Instant, first: &End) -> End {
    let inside = at.left.filter(|flat| flat.far_ns >= begin.t_ns);
    match (inside, at.right) {
        (Some(inside), Some(outside)) => step(at, &inside, &outside, &outside),
        (Some(flat), None) | (None, Some(flat)) => End::flat(&flat),
        (None, None) => assumed(at, begin, first).unwrap_or_else(|| End::linear(at)),
    }
}

/// Flat on both sides: one step lies in between, and the energy of the interval tells where. Before the step the left
/// line holds, after it the right: the upper of the two where power rises, the lower where it falls.
fn step(at: &Instant, left: &Flat, right: &Flat, outside: &Flat) -> End {
    let gap_s = units::seconds(at.after.t_ns.saturating_sub(at.before.map_or(at.t_ns, |before| before.t_ns)));
    let apart_j = (left.energy_j - right.energy_j).abs();
    let differ_w = (left.power_w - right.power_w).abs();
    // Parallel lines, or lines that meet outside the interval: something else happened in between.
    if apart_j > differ_w * gap_s {
        return End::flat(outside);
    }
    let rises = right.power_w > left.power_w;
    let chosen = if (left.energy_j > right.energy_j) == rises { left } else { right };
    End { bound_j: left.bound_j.max(right.bound_j), ..End::flat(chosen) }
}

/// Until the updates after the window are there: the power is taken to return to what it was before.
fn assumed(at: &Instant, begin: &Instant, first: &End) -> Option<End> {
    let power_w = begin.left.filter(|_| first.rule == Rule::IdleAnchored && !at.is_settled)?.power_w;
    let gap_s = units::seconds(at.after.t_ns.saturating_sub(at.t_ns));
    let bound_j = (OVER_PEAK * at.peak_w.max(begin.peak_w) - power_w).max(0.0) * gap_s;
    Some(End { energy_j: units::joules(at.after.energy_uj) - power_w * gap_s, bound_j, rule: Rule::Assumed })
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::instant::look;
    use super::super::ticks::Ticks;
    use super::*;
    use proptest::prelude::*;

    const MS: u64 = 1_000_000;

    /// An ideal meter that moves every 100 ms, of a power given for each millisecond from one second on.
    pub fn curve(power_w: impl Fn(u64) -> u64, updates: u64) -> Ticks {
        let mut ticks = Ticks::default();
        for k in 0..updates {
            let energy_mj: u64 = (0..k * 100).map(&power_w).sum();
            ticks.push(Tick { t_ns: (1_000 + k * 100) * MS, energy_uj: energy_mj * 1_000, ..Tick::default() });
        }
        ticks
    }

    fn window(ticks: &Ticks, from_ms: u64, to_ms: u64) -> Closed {
        let at = |ms: u64| look(ticks, (1_000 + ms) * MS, 0).unwrap();
        close(&at(from_ms), &at(to_ms), Some(700.0))
    }

    #[test]
    fn a_burst_between_two_updates_is_what_exceeds_the_idle_power_around_it() {
        let ticks = curve(|ms| if (450..480).contains(&ms) { 700 } else { 90 }, 12);
        let closed = window(&ticks, 450, 480);
        assert!((closed.energy_j - 21.0).abs() < 1e-6 && closed.rule() == Rule::IdleAnchored, "{closed:?}");
        assert!(closed.is_settled && closed.bound_j < 0.1);
    }

    #[test]
    fn a_load_that_goes_on_after_the_window_is_found_out_by_the_updates_after_it() {
        let ticks = curve(|ms| if ms >= 450 { 700 } else { 90 }, 12);
        let closed = window(&ticks, 450, 620);
        assert!((closed.energy_j - 119.0).abs() < 1e-6 && closed.rule() == Rule::IdleAnchored, "{closed:?}");
        let early = window(&curve(|ms| if ms >= 450 { 700 } else { 90 }, 8), 450, 620);
        assert!(!early.is_settled && (early.energy_j - 119.0).abs() <= early.bound_j, "{early:?}");
    }

    #[test]
    fn a_step_within_a_long_window_is_put_where_the_energy_says() {
        let ticks = curve(|ms| if ms >= 450 { 500 } else { 100 }, 20);
        // Begins 30 ms before the load does: flat power on either side, and the interval's energy tells when it rose.
        assert!((window(&ticks, 420, 1_500).energy_j - (3.0 + 525.0)).abs() < 1e-6);
        assert!((window(&ticks, 470, 1_500).energy_j - 515.0).abs() < 1e-6);
    }

    #[test]
    fn no_flat_power_means_a_straight_line_and_a_bound() {
        let ticks = curve(|ms| if (ms / 70).is_multiple_of(2) { 600 } else { 100 }, 20);
        let closed = window(&ticks, 620, 1_010);
        assert_eq!(closed.rule(), Rule::Linear);
        let true_j = (620..1_010).map(|ms: u64| if (ms / 70).is_multiple_of(2) { 0.6 } else { 0.1 }).sum::<f64>();
        assert!((closed.energy_j - true_j).abs() <= closed.bound_j, "{closed:?} {true_j}");
    }

    #[test]
    fn an_anchor_that_asks_for_an_impossible_power_is_refused() {
        // The load began 80 ms before the window did, in the same interval: what is left of it would be 4,000 W.
        let ticks = curve(|ms| if ms >= 410 { 600 } else { 90 }, 6);
        let closed = window(&ticks, 488, 495);
        assert_eq!(closed.rule(), Rule::Linear, "{closed:?}");
        assert!((closed.energy_j - 4.2).abs() < 0.5, "{closed:?}");
    }

    proptest! {
        /// Whatever the load, no window has a negative energy, a coverage beyond 0 to 1, or less than nothing to doubt.
        #[test]
        fn a_window_is_never_negative(
            powers in prop::collection::vec(0..700_u64, 20), from_ms in 0..1_000_u64, length_ms in 0..600_u64,
        ) {
            let ticks = curve(|ms| powers[usize::try_from(ms / 100).unwrap() % 20], 20);
            let closed = window(&ticks, from_ms, from_ms + length_ms);
            prop_assert!(closed.energy_j >= 0.0 && closed.bound_j >= 0.0);
            prop_assert!((0.0..=1.0).contains(&closed.coverage));
            prop_assert!((closed.coverage - 1.0).abs() < 1e-9);
        }
    }
}
