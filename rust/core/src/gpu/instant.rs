//! The energy up to one instant between two updates of the meter, as its surroundings tell it.
//!
//! Three ways: straight between the two updates; on from flat power before; back from flat power after. Which of them
//! is meant depends on the side of the window that the instant is ([`super::close`]).

use super::ticks::{Tick, Ticks};
use crate::units;

/// Deviation between neighbouring intervals that still counts as flat: share of the power, and watts. Idle cards sway
/// by a watt or two, trained ones by a few per cent.
const FLAT_SHARE: f64 = 0.05;
const FLAT_W: f64 = 3.0;
/// Distance from the lowest power seen that still counts as idle.
const IDLE_SHARE: f64 = 0.10;
const IDLE_W: f64 = 5.0;
/// Intervals over which the lowest power is sought: a minute of a 100 ms meter.
pub(super) const FLOOR_INTERVALS: usize = 600;
/// Intervals on each side whose extremes bound what a straight line can miss.
const NEIGHBOURS: usize = 4;
/// How much further apart powers can be than the means of neighbouring intervals show, and than any intervals did.
const HIDDEN_NEAR: f64 = 2.5;
const HIDDEN_EVER: f64 = 1.5;
/// How far off the length of an interval is that was seen from one end only, as a share: meters are updated within a
/// few milliseconds of 100.
const EDGE_SHARE: f64 = 0.05;
/// Intervals after an instant with which its right side is decided.
const DECIDING: usize = 3;

/// Power that stays the same, from an update on or back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flat {
    /// Energy up to the instant, in joules, if the power held until there.
    pub energy_j: f64,
    /// The power, in watts.
    pub power_w: f64,
    /// How far off the energy can be, in joules: by the instant of the update and the sway of the power.
    pub bound_j: f64,
    /// The far end of the time in which the power was seen to be flat.
    pub far_ns: u64,
}

/// What is known of an instant. It can be kept: the history behind it may be overwritten.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Instant {
    /// The instant.
    pub t_ns: u64,
    /// The last update wholly before it, if there is one.
    pub before: Option<Tick>,
    /// The first update wholly after it.
    pub after: Tick,
    /// On from flat power before.
    pub left: Option<Flat>,
    /// Back from flat power after.
    pub right: Option<Flat>,
    /// Whether all updates that decide the right side are there.
    pub is_settled: bool,
    /// Energy on the straight line between updates, and how far off it can be, both in joules.
    pub linear_j: (f64, f64),
    /// Whether it lies before the first update, so that the line is a guess.
    pub is_cold: bool,
    /// Highest power of an interval near it, in watts.
    pub peak_w: f64,
}

/// Why an instant has no energy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// The update after it is still to come.
    Pending,
    /// It lies before what is remembered.
    Forgotten,
    /// The GPU stopped answering before the window began.
    Silent,
}

/// Looks an instant up. With `reach_ns`, a gauge's window longer than its period, an update says something of the time
/// up to that far beyond its own interval.
pub fn look(ticks: &Ticks, t_ns: u64, reach_ns: u64) -> Result<Instant, Unknown> {
    let after = ticks.partition(|tick| tick.lo_ns() < t_ns + reach_ns);
    let after_tick = *ticks.get(after).ok_or(Unknown::Pending)?;
    let next = ticks.partition(|tick| tick.t_ns <= t_ns);
    let before = ticks.partition(|tick| tick.hi_ns() + reach_ns <= t_ns).checked_sub(1);
    let before = before.filter(|number| ticks.get(*number).is_some());
    let is_cold = next == ticks.first_number();
    if is_cold && next > 0 {
        return Err(Unknown::Forgotten);
    }
    let until = after + DECIDING;
    let range_w = ticks.range_w(until.saturating_sub(FLOOR_INTERVALS)..until);
    let linear_j = if is_cold {
        cold(ticks, t_ns).ok_or(Unknown::Pending)?
    } else {
        straight(ticks, t_ns, next, reach_ns, range_w)
    };
    let left = before.and_then(|number| side(ticks, number, t_ns, range_w.0, Direction::Back));
    let right = side(ticks, after, t_ns, range_w.0, Direction::On);
    Ok(Instant {
        t_ns,
        before: before.and_then(|number| ticks.get(number)).copied(),
        after: after_tick,
        left,
        right,
        is_settled: right.is_some() || ticks.next_number() > after + DECIDING,
        linear_j,
        is_cold,
        peak_w: extremes_w(ticks, next).1,
    })
}

/// The energy on the straight line between updates, where both are there: additive over any division of time.
pub fn linear_j(ticks: &Ticks, t_ns: u64) -> Option<f64> {
    let next = ticks.partition(|tick| tick.t_ns <= t_ns);
    let (from, to) = (ticks.get(next.checked_sub(1)?)?, ticks.get(next)?);
    Some(units::joules(from.energy_uj) + from.power_to_w(to) * units::seconds(t_ns - from.t_ns))
}

fn straight(ticks: &Ticks, t_ns: u64, next: usize, reach_ns: u64, range_w: (f64, f64)) -> (f64, f64) {
    let energy_j =
        linear_j(ticks, t_ns).unwrap_or_else(|| ticks.last().map_or(0.0, |tick| units::joules(tick.energy_uj)));
    let (Some(from), Some(to)) = (next.checked_sub(1).and_then(|number| ticks.get(number)), ticks.get(next)) else {
        return (energy_j, 0.0);
    };
    // The most that a line can miss is one power up to the instant and another after it: (Pmax - Pmin) T / 4. Means of
    // intervals hide part of how far apart the two can be.
    let (least_w, most_w) = extremes_w(ticks, next);
    let ever_w = (range_w.1 - range_w.0).max(most_w - least_w);
    let apart_w = (HIDDEN_NEAR * (most_w - least_w)).min(HIDDEN_EVER * ever_w);
    let interval_s = units::seconds(to.t_ns - from.t_ns + 2 * reach_ns);
    let timing_j = from.power_to_w(to) * units::seconds(from.half_ns.max(to.half_ns));
    (energy_j, apart_w * interval_s / 4.0 + timing_j)
}

/// How far off a straight line in the interval that ends with update `next` can be, in joules.
pub(super) fn straight_bound_j(ticks: &Ticks, next: usize, reach_ns: u64) -> f64 {
    let Some(tick) = next.checked_sub(1).and_then(|number| ticks.get(number)) else { return 0.0 };
    straight(ticks, tick.t_ns, next, reach_ns, range_around_w(ticks, next)).1
}

/// The lowest power around an interval: what idle means there.
pub(super) fn floor_w(ticks: &Ticks, next: usize) -> f64 {
    range_around_w(ticks, next).0
}

fn range_around_w(ticks: &Ticks, next: usize) -> (f64, f64) {
    let until = next + DECIDING;
    ticks.range_w(until.saturating_sub(FLOOR_INTERVALS)..until)
}

/// Flat power and its sway.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Side {
    /// The power, in watts.
    pub power_w: f64,
    /// How far the intervals next to each other were apart.
    pub sway_w: f64,
}

/// The power of the intervals up to an update, if it is flat.
pub(super) fn flat_before(ticks: &Ticks, number: usize, floor_w: f64) -> Option<Side> {
    flat_w(ticks, number, floor_w, Direction::Back).map(|(power_w, sway_w, _)| Side { power_w, sway_w })
}

/// The power of the intervals from an update on, if it is flat.
pub(super) fn flat_after(ticks: &Ticks, number: usize, floor_w: f64) -> Option<Side> {
    flat_w(ticks, number, floor_w, Direction::On).map(|(power_w, sway_w, _)| Side { power_w, sway_w })
}

/// The energy before the first update, and how far off it can be. Of the interval that this ended a counter told the
/// energy and nobody saw the begin: it is taken to be as long as the next one. What lies before it, and all of it for a
/// gauge, may have had any power.
pub(super) fn cold(ticks: &Ticks, t_ns: u64) -> Option<(f64, f64)> {
    let number = ticks.first_number();
    let (first, second) = (ticks.get(number)?, ticks.get(number + 1)?);
    let gap_s = units::seconds(first.t_ns.saturating_sub(t_ns));
    let interval_s = units::seconds(second.t_ns - first.t_ns);
    let next_w = first.power_to_w(second);
    let (missing_j, bound_j) = match ticks.prologue_j() {
        None => (next_w * gap_s, next_w * gap_s),
        Some(whole_j) if gap_s >= interval_s => {
            let before_j = whole_j * (gap_s / interval_s - 1.0);
            (whole_j + before_j, before_j + whole_j * EDGE_SHARE)
        }
        Some(whole_j) => {
            let part_j = whole_j * gap_s / interval_s;
            let most_w = HIDDEN_NEAR * next_w.max(whole_j / interval_s);
            (part_j, (most_w * gap_s.min(interval_s - gap_s)).min(part_j.max(whole_j - part_j)) + whole_j * EDGE_SHARE)
        }
    };
    Some((units::joules(first.energy_uj) - missing_j, bound_j))
}

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    Back,
    On,
}

/// Flat power beyond an update, carried to the instant.
fn side(ticks: &Ticks, number: usize, t_ns: u64, floor_w: f64, direction: Direction) -> Option<Flat> {
    let tick = ticks.get(number)?;
    let (power_w, sway_w, intervals) = flat_w(ticks, number, floor_w, direction)?;
    let far = if direction == Direction::Back { number.checked_sub(intervals)? } else { number + intervals };
    let gap_s = units::seconds(tick.t_ns.abs_diff(t_ns));
    let carried_j = power_w * gap_s;
    let sign = if direction == Direction::Back { 1.0 } else { -1.0 };
    let bound_j = power_w * units::seconds(tick.half_ns) + sway_w * gap_s;
    let energy_j = units::joules(tick.energy_uj) + sign * carried_j;
    Some(Flat { energy_j, power_w, bound_j, far_ns: ticks.get(far)?.t_ns })
}

/// The power of the intervals beyond an update if they agree, two at idle, three elsewhere; their sway and number.
///
/// A load that comes and goes in a rhythm of its own can make two intervals equal by chance; three, or two at the
/// lowest power known, it cannot so easily.
fn flat_w(ticks: &Ticks, number: usize, floor_w: f64, direction: Direction) -> Option<(f64, f64, usize)> {
    let interval = |away: usize| match direction {
        Direction::Back => ticks.power_before_w(number.checked_sub(away)?),
        Direction::On => ticks.power_before_w(number + away + 1),
    };
    let (near_w, far_w) = (interval(0)?, interval(1)?);
    let slack_w = (FLAT_SHARE * near_w).max(FLAT_W) + near_w * timing_share(ticks, number, direction);
    let is_idle = near_w <= floor_w + (IDLE_SHARE * floor_w).max(IDLE_W);
    let agrees = |power_w: f64| (power_w - near_w).abs() <= slack_w;
    if !agrees(far_w) || !(is_idle || interval(2).is_some_and(agrees)) {
        return None;
    }
    Some((near_w.midpoint(far_w), (near_w - far_w).abs(), if is_idle { 2 } else { 3 }))
}

/// How far off the power of an interval can be because its ends are uncertain.
fn timing_share(ticks: &Ticks, number: usize, direction: Direction) -> f64 {
    let other = if direction == Direction::Back { number.checked_sub(1) } else { number.checked_add(1) };
    let Some((own, other)) = ticks.get(number).zip(other.and_then(|number| ticks.get(number))) else { return 0.0 };
    (own.half_ns + other.half_ns) as f64 / own.t_ns.abs_diff(other.t_ns).max(1) as f64
}

/// Lowest and highest power of the intervals around the one that ends with an update.
fn extremes_w(ticks: &Ticks, number: usize) -> (f64, f64) {
    let around = number.saturating_sub(NEIGHBOURS)..=number + NEIGHBOURS;
    let powers = around.filter_map(|number| ticks.power_before_w(number));
    let (least, most) =
        powers.fold((f64::INFINITY, 0.0_f64), |(least, most), power| (least.min(power), most.max(power)));
    (least.min(most), most)
}
