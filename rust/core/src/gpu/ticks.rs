//! E(t) of one GPU: its energy at each update of its meter, as far back as memory reaches.

use std::collections::VecDeque;

use crate::units;

/// Updates that are remembered: seven minutes of a 100 ms meter. Longer windows keep their begin ([`super::close`]).
const KEPT: usize = 1 << 12;
/// Updates that are remembered for a meter whose whole past may be asked for: 14 hours at 100 ms, 3 at 20 ms. Memory
/// for them comes as they do, 64 bytes each: 2.3 MB an hour at 100 ms.
pub const KEPT_LONG: usize = 1 << 19;

/// The energy up to one update of the meter. All figures only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tick {
    /// When the meter was updated.
    pub t_ns: u64,
    /// How far off that can be.
    pub half_ns: u64,
    /// Energy since the first update, in microjoules.
    pub energy_uj: u64,
    /// The part of it that was estimated, not read.
    pub estimated_uj: u64,
    /// Time up to here that no unbroken pair of readings covers.
    pub uncovered_ns: u64,
    /// How often the counter began anew.
    pub resets: u64,
}

impl Tick {
    /// The latest instant at which it can have been.
    pub fn hi_ns(&self) -> u64 {
        self.t_ns + self.half_ns
    }

    /// The earliest.
    pub fn lo_ns(&self) -> u64 {
        self.t_ns.saturating_sub(self.half_ns)
    }

    /// Mean power from this update to a later one, in watts.
    pub fn power_to_w(&self, later: &Self) -> f64 {
        let energy_j = units::joules(later.energy_uj.saturating_sub(self.energy_uj));
        energy_j / units::seconds(later.t_ns.saturating_sub(self.t_ns).max(1))
    }
}

/// The latest updates, in order. Each keeps its number for as long as it is remembered.
#[derive(Debug)]
pub struct Ticks {
    ring: VecDeque<Entry>,
    /// The number of the oldest in the ring.
    first: usize,
    /// How many are remembered.
    kept: usize,
    /// Energy of the interval that the first update of all ended, if that began while the meter was not looked at yet.
    prologue_uj: Option<u64>,
}

/// An update and the interval that it ends.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    tick: Tick,
    /// Mean power of the interval.
    power_w: f64,
    /// The highest that it can have been: the interval may be longer than it was by the uncertainty of its ends.
    most_w: f64,
}

impl Entry {
    fn after(before: Option<&Tick>, tick: Tick) -> Self {
        let Some(before) = before else { return Self { tick, ..Self::default() } };
        let power_w = before.power_to_w(&tick);
        let uncertain_ns = (before.half_ns + tick.half_ns) as f64;
        let most_w = power_w * (1.0 + uncertain_ns / (tick.t_ns - before.t_ns) as f64);
        Self { tick, power_w, most_w }
    }
}

impl Default for Ticks {
    fn default() -> Self {
        Self { ring: VecDeque::with_capacity(KEPT), first: 0, kept: KEPT, prologue_uj: None }
    }
}

impl Ticks {
    /// Remembers everything: for curves that were written down.
    pub fn boundless() -> Self {
        Self { ring: VecDeque::new(), first: 0, kept: usize::MAX, prologue_uj: None }
    }

    /// Remembers the long past from now on: [`KEPT_LONG`] updates.
    pub fn remember(&mut self) {
        self.kept = KEPT_LONG;
    }

    /// Notes what the counter gained at its first update: the energy of an interval whose begin nobody saw.
    pub fn note_prologue(&mut self, energy_uj: u64) {
        self.prologue_uj = Some(energy_uj);
    }

    /// That energy in joules; `None` where it is not known.
    pub fn prologue_j(&self) -> Option<f64> {
        self.prologue_uj.map(units::joules)
    }

    /// Adds an update. Time moves on by at least a nanosecond, so that powers exist.
    pub fn push(&mut self, tick: Tick) {
        let before = self.last().copied();
        let earliest_ns = before.map_or(0, |before| before.t_ns + 1);
        let tick = Tick { t_ns: tick.t_ns.max(earliest_ns), ..tick };
        if self.ring.len() >= self.kept {
            self.ring.pop_front();
            self.first += 1;
        }
        self.ring.push_back(Entry::after(before.as_ref(), tick));
    }

    /// A copy of what is remembered from an instant on and of so many updates before it, under the same numbers.
    #[must_use]
    pub fn since(&self, t_ns: u64, before: usize) -> Self {
        let from = self.partition(|tick| tick.t_ns < t_ns).saturating_sub(before).max(self.first_number());
        let ring = self.ring.range(from - self.first..).copied().collect();
        Self { ring, first: from, kept: self.kept, prologue_uj: self.prologue_uj }
    }

    /// The number of the oldest that is remembered.
    pub fn first_number(&self) -> usize {
        self.first
    }

    /// The number that the next will have.
    pub fn next_number(&self) -> usize {
        self.first + self.ring.len()
    }

    /// An update by its number.
    pub fn get(&self, number: usize) -> Option<&Tick> {
        self.entry(number).map(|entry| &entry.tick)
    }

    /// Every update from a number on that is still remembered.
    pub fn from(&self, number: usize) -> impl Iterator<Item = &Tick> {
        let from = number.clamp(self.first, self.next_number());
        self.ring.range(from - self.first..).map(|entry| &entry.tick)
    }

    fn entry(&self, number: usize) -> Option<&Entry> {
        self.ring.get(number.checked_sub(self.first)?)
    }

    /// The latest.
    pub fn last(&self) -> Option<&Tick> {
        self.ring.back().map(|entry| &entry.tick)
    }

    /// The number of the first update for which `is_past` is false. It must be true up to some point and false after.
    pub fn partition(&self, is_past: impl Fn(&Tick) -> bool) -> usize {
        self.first + self.ring.partition_point(|entry| is_past(&entry.tick))
    }

    /// Mean power of the interval that ends with an update, in watts; the first update ends none.
    pub fn power_before_w(&self, number: usize) -> Option<f64> {
        self.entry(number).filter(|_| number > 0).map(|entry| entry.power_w)
    }

    /// The lowest and the highest power of the intervals that end with these updates, in watts; each as high as it can
    /// have been, so that no uncertain end makes a low one.
    pub fn range_w(&self, numbers: std::ops::Range<usize>) -> (f64, f64) {
        let first = numbers.start.max(self.first).max(1);
        let last = numbers.end.clamp(first, self.next_number().max(first));
        let entries = if first < self.next_number() { first - self.first..last - self.first } else { 0..0 };
        self.ring.range(entries).fold((f64::INFINITY, 0.0), |(least_w, most_w), entry| {
            (entry.most_w.min(least_w), entry.power_w.max(most_w))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(count: u64) -> Ticks {
        let mut ticks = Ticks::default();
        (0..count).for_each(|k| ticks.push(Tick { t_ns: k * 100, energy_uj: k * 30, ..Tick::default() }));
        ticks
    }

    #[test]
    fn updates_are_found_by_number_until_they_are_overwritten() {
        let ticks = ticks(KEPT as u64 + 10);
        assert_eq!(ticks.first_number(), 10);
        assert_eq!(ticks.get(9), None);
        assert_eq!(ticks.get(10).unwrap().t_ns, 1000);
        assert_eq!(ticks.last().unwrap().t_ns, (KEPT as u64 + 9) * 100);
    }

    #[test]
    fn an_instant_is_found_among_them() {
        let ticks = ticks(5000);
        assert_eq!(ticks.partition(|tick| tick.t_ns <= 300_050), 3001);
        assert_eq!(ticks.partition(|_| true), 5000);
        assert_eq!(ticks.partition(|_| false), 5000 - KEPT);
    }

    #[test]
    fn time_always_moves_on() {
        let mut ticks = ticks(2);
        ticks.push(Tick { t_ns: 50, energy_uj: 60, ..Tick::default() });
        assert_eq!(ticks.last().unwrap().t_ns, 101);
        assert!(ticks.power_before_w(2).unwrap().is_finite());
    }
}
