//! One curve for all who divide a GPU's energy: through every update of its meter, and bent between two of them by who
//! was active.
//!
//! A window by itself is closed by what suits it ([`super::close`]); two such windows need not add up. Whoever divides
//! energy among many needs one curve whose differences telescope. Between two updates only the energy is known. Where
//! the power beside a stretch in which nobody was active is flat, that stretch has it, as at the ends of a window; what
//! is left belongs to those who were active, evenly over their time. Where it is not flat, the line is straight.

use super::close::{OVER_LIMIT, Rule};
use super::instant::{self, Side};
use super::ticks::{Tick, Ticks};
use crate::units::{self, NS_PER_S};

/// Half-widths of 95 % in one sigma.
pub(super) const Z_95: f64 = 1.96;
/// Updates before the first instant that can decide what flat and idle mean.
pub const CONTEXT: usize = instant::FLOOR_INTERVALS + 8;

/// The curve at one instant. Figures count from the first update that is remembered, and are negative before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Height {
    /// Energy in microjoules.
    pub energy_uj: i64,
    /// The part of it that was estimated, not read.
    pub estimated_uj: i64,
    /// Time up to here that no unbroken readings cover.
    pub uncovered_ns: i64,
    /// One sigma of the energy in microjoules.
    pub sigma_uj: f64,
    /// How it was found.
    pub rule: Rule,
    /// Whether it lies before what is remembered: then the figures are those of the oldest update.
    pub is_forgotten: bool,
}

/// Instants, ascending, each once, and whether anybody was active from each to the next.
#[derive(Debug, Clone, Copy)]
pub struct Marks<'a> {
    /// The instants.
    pub t_ns: &'a [u64],
    /// One for each; what is missing counts as false.
    pub is_active: &'a [bool],
}

/// The curve at all marks. With `reach_ns`, a gauge that looks further back than its period, lines are straight.
/// `limit_w` is the GPU's power limit. None where the meter was not updated twice.
pub fn heights(ticks: &Ticks, reach_ns: u64, limit_w: Option<f64>, marks: Marks<'_>) -> Option<Vec<Height>> {
    let (first, last) = (ticks.first_number(), ticks.next_number().checked_sub(1)?);
    if last == first {
        return None;
    }
    let active = Active::of(marks);
    let mut found = Vec::with_capacity(marks.t_ns.len());
    while let Some(t_ns) = marks.t_ns.get(found.len()) {
        let next = ticks.partition(|tick| tick.t_ns <= *t_ns);
        let ends = next.checked_sub(1).and_then(|number| Some((ticks.get(number)?, ticks.get(next)?)));
        match ends {
            Some((from, to)) => {
                let place = found.len();
                let count = marks.t_ns[place..].partition_point(|t_ns| *t_ns < to.t_ns);
                let bend = Bend::find(ticks, next, (reach_ns, limit_w), &active, place..place + count);
                found.extend(marks.t_ns[place..place + count].iter().map(|t_ns| bend.height(from, to, *t_ns)));
            }
            None if next > last => found.push(beyond(ticks, *t_ns)?),
            None => found.push(before(ticks, *t_ns)?),
        }
    }
    Some(found)
}

/// When somebody was active.
struct Active<'a> {
    marks: Marks<'a>,
    /// The first mark from each on at which somebody is active from there.
    next: Vec<usize>,
    /// The instant up to each mark until which somebody was active last; 0 if nobody was.
    until_ns: Vec<u64>,
}

impl<'a> Active<'a> {
    fn of(marks: Marks<'a>) -> Self {
        let count = marks.t_ns.len();
        let mut next = vec![count; count + 1];
        for place in (0..count).rev() {
            let is_active = marks.is_active.get(place).copied().unwrap_or(false);
            next[place] = if is_active { place } else { next[place + 1] };
        }
        let mut until_ns = vec![0; count + 1];
        for place in 1..=count {
            let was_active = next[place - 1] == place - 1;
            let at_ns = marks.t_ns.get(place).copied().unwrap_or(u64::MAX);
            until_ns[place] = if was_active { at_ns } else { until_ns[place - 1] };
        }
        Self { marks, next, until_ns }
    }

    fn is_active(&self, place: usize) -> bool {
        self.next[place] == place
    }

    /// The first instant from a mark on at which somebody is active.
    fn begin_ns(&self, place: usize) -> u64 {
        self.marks.t_ns.get(self.next[place]).copied().unwrap_or(u64::MAX)
    }
}

/// How the curve runs between two updates: on from the first by a known power, evenly, and by a known power to the second.
#[derive(Debug, Clone, Copy, Default)]
struct Bend {
    lead: Option<Stretch>,
    trail: Option<Stretch>,
    /// Half-width of a straight line, in joules, and what an uncertain update adds.
    straight_j: f64,
}

/// Time of known power next to an update.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    length_ns: u64,
    side: Side,
}

impl Stretch {
    fn energy_j(&self) -> f64 {
        self.side.power_w * units::seconds(self.length_ns)
    }

    /// How far off the energy of a part of it can be.
    fn bound_j(&self, tick: &Tick, part_ns: u64) -> f64 {
        self.side.power_w * units::seconds(tick.half_ns) + self.side.sway_w * units::seconds(part_ns)
    }
}

impl Bend {
    /// The bend of the interval that ends with update `next`, in which the marks `places` lie.
    fn find(
        ticks: &Ticks,
        next: usize,
        (reach_ns, limit_w): (u64, Option<f64>),
        active: &Active<'_>,
        places: std::ops::Range<usize>,
    ) -> Self {
        let (Some(from), Some(to)) = (ticks.get(next - 1), ticks.get(next)) else { return Self::default() };
        let straight_j = instant::straight_bound_j(ticks, next, reach_ns);
        let straight = Self { straight_j, ..Self::default() };
        let begin_ns = if places.start > 0 && active.is_active(places.start - 1) {
            from.t_ns
        } else {
            active.begin_ns(places.start)
        };
        let last = places.end - 1;
        let end_ns = if active.is_active(last) { to.t_ns } else { active.until_ns[last] };
        if reach_ns > 0 || begin_ns >= to.t_ns || end_ns <= from.t_ns {
            return straight;
        }
        let floor_w = instant::floor_w(ticks, next);
        let earlier_ns = ticks.get(next.wrapping_sub(2)).map_or(u64::MAX, |tick| tick.t_ns);
        let is_quiet_before = active.until_ns[places.start] <= earlier_ns;
        let is_quiet_after = ticks.get(next + 1).is_some_and(|later| active.begin_ns(places.end) >= later.t_ns);
        let lead = (begin_ns > from.t_ns && is_quiet_before)
            .then(|| instant::flat_before(ticks, next - 1, floor_w))
            .flatten()
            .map(|side| Stretch { length_ns: begin_ns - from.t_ns, side });
        let trail = (end_ns < to.t_ns && is_quiet_after)
            .then(|| instant::flat_after(ticks, next, floor_w))
            .flatten()
            .map(|side| Stretch { length_ns: to.t_ns - end_ns, side });
        let bend = Self { lead, trail, straight_j };
        if bend.is_possible(from, to, limit_w) { bend } else { straight }
    }

    /// Whether what is left for those who were active is an energy that a GPU can use.
    fn is_possible(&self, from: &Tick, to: &Tick, limit_w: Option<f64>) -> bool {
        let (rest_j, rest_ns) = self.rest(from, to);
        let most_w = limit_w.map_or(super::close::BEYOND_W, |limit_w| OVER_LIMIT * limit_w);
        let slack_j = most_w * units::seconds(from.half_ns + to.half_ns);
        rest_j >= 0.0 && rest_j <= most_w * units::seconds(rest_ns) + slack_j
    }

    /// Energy and time between the known stretches.
    fn rest(&self, from: &Tick, to: &Tick) -> (f64, u64) {
        let known = |of: &Option<Stretch>| of.map_or((0.0, 0), |stretch| (stretch.energy_j(), stretch.length_ns));
        let ((lead_j, lead_ns), (trail_j, trail_ns)) = (known(&self.lead), known(&self.trail));
        let energy_j = units::joules(to.energy_uj - from.energy_uj);
        (energy_j - lead_j - trail_j, to.t_ns - from.t_ns - lead_ns - trail_ns)
    }

    fn height(&self, from: &Tick, to: &Tick, t_ns: u64) -> Height {
        let (past_ns, left_ns) = (t_ns - from.t_ns, to.t_ns - t_ns);
        let whole_uj = to.energy_uj - from.energy_uj;
        let uj = |energy_j: f64| units::microwatts(energy_j).min(whole_uj);
        let (lead, trail) = (self.lead.filter(|one| past_ns <= one.length_ns), self.trail);
        let (risen_uj, bound_j, rule) = if let Some(lead) = lead {
            let risen_j = lead.side.power_w * units::seconds(past_ns);
            (uj(risen_j), lead.bound_j(from, past_ns), Rule::IdleAnchored)
        } else if let Some(trail) = trail.filter(|one| left_ns <= one.length_ns) {
            let missing_j = trail.side.power_w * units::seconds(left_ns);
            (whole_uj - uj(missing_j), trail.bound_j(to, left_ns), Rule::IdleAnchored)
        } else {
            let (rest_j, rest_ns) = self.rest(from, to);
            let lead = self.lead.map_or((0.0, 0), |one| (one.energy_j(), one.length_ns));
            let risen_j = lead.0 + rest_j * (past_ns - lead.1) as f64 / rest_ns.max(1) as f64;
            let share = rest_ns as f64 / (to.t_ns - from.t_ns) as f64;
            (uj(risen_j), self.straight_j * share, Rule::Linear)
        };
        let part = past_ns as f64 / (to.t_ns - from.t_ns) as f64;
        let share = |rise: u64| units::whole(rise as f64 * part).min(rise);
        Height {
            energy_uj: signed(from.energy_uj + risen_uj),
            estimated_uj: signed(from.estimated_uj + share(to.estimated_uj - from.estimated_uj).min(risen_uj)),
            uncovered_ns: signed(from.uncovered_ns + share(to.uncovered_ns - from.uncovered_ns)),
            sigma_uj: bound_j * 1e6 / Z_95,
            rule,
            is_forgotten: false,
        }
    }
}

/// Before the first update: cold, or forgotten.
fn before(ticks: &Ticks, t_ns: u64) -> Option<Height> {
    let number = ticks.first_number();
    let (first, (energy_j, bound_j)) = (ticks.get(number)?, instant::cold(ticks, t_ns)?);
    let early_ns = first.t_ns.saturating_sub(t_ns);
    let missing_uj = signed(units::microwatts(units::joules(first.energy_uj) - energy_j));
    let is_forgotten = number > 0;
    let guessed_uj = if is_forgotten { 0 } else { missing_uj };
    Some(Height {
        energy_uj: signed(first.energy_uj) - guessed_uj,
        estimated_uj: signed(first.estimated_uj) - guessed_uj,
        uncovered_ns: signed(first.uncovered_ns) - signed(early_ns),
        sigma_uj: bound_j * 1e6 / Z_95,
        rule: Rule::Cold,
        is_forgotten,
    })
}

/// After the last update: the energy stands still, and the time is not covered.
fn beyond(ticks: &Ticks, t_ns: u64) -> Option<Height> {
    let last = ticks.last()?;
    let late_ns = t_ns.saturating_sub(last.t_ns);
    let power_w = ticks.power_before_w(ticks.next_number() - 1).unwrap_or(0.0);
    Some(Height {
        energy_uj: signed(last.energy_uj),
        estimated_uj: signed(last.estimated_uj),
        uncovered_ns: signed(last.uncovered_ns + late_ns),
        sigma_uj: power_w * late_ns as f64 / NS_PER_S as f64 * 1e6 / Z_95,
        rule: if late_ns == 0 { Rule::IdleAnchored } else { Rule::Lost },
        is_forgotten: false,
    })
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::close::tests::curve;
    use super::*;
    use proptest::prelude::*;

    const MS: u64 = 1_000_000;

    /// Joules between marks, given in milliseconds, that are active where `is_active` says so.
    fn parts_j(ticks: &Ticks, at_ms: &[u64], is_active: &[bool]) -> Vec<f64> {
        let t_ns: Vec<u64> = at_ms.iter().map(|ms| (1_000 + ms) * MS).collect();
        let found = heights(ticks, 0, Some(700.0), Marks { t_ns: &t_ns, is_active }).unwrap();
        found.windows(2).map(|pair| (pair[1].energy_uj - pair[0].energy_uj) as f64 / 1e6).collect()
    }

    fn near(found: &[f64], expected: &[f64]) {
        let apart = found.iter().zip(expected).all(|(one, other)| (one - other).abs() < 1e-4);
        assert!(found.len() == expected.len() && apart, "{found:?}");
    }

    #[test]
    fn what_exceeds_the_idle_power_around_it_belongs_to_who_was_active() {
        let burst = curve(|ms| if (450..480).contains(&ms) { 700 } else { 90 }, 12);
        near(&parts_j(&burst, &[450, 480], &[true]), &[21.0]);
        let over_an_update = curve(|ms| if (450..620).contains(&ms) { 700 } else { 90 }, 12);
        near(&parts_j(&over_an_update, &[400, 450, 620, 700], &[false, true]), &[4.5, 119.0, 7.2]);
        // The load goes on after the second mark, in somebody else's name.
        let handed_on = curve(|ms| if (450..930).contains(&ms) { 700 } else { 90 }, 16);
        near(&parts_j(&handed_on, &[450, 700, 930], &[true, true]), &[175.0, 161.0]);
    }

    #[test]
    fn without_flat_power_beside_it_the_line_is_straight() {
        let square = curve(|ms| if (ms / 70).is_multiple_of(2) { 600 } else { 100 }, 20);
        let (from, to) = (square.get(5).unwrap(), square.get(6).unwrap());
        let rise_j = (to.energy_uj - from.energy_uj) as f64 / 1e6;
        near(&parts_j(&square, &[520, 540], &[true]), &[rise_j / 5.0]);
    }

    #[test]
    fn an_instant_without_updates_around_it_says_so() {
        let ticks = curve(|_| 300, 4);
        let t_ns = [900, 1_100, 1_300, 1_500].map(|ms| ms * MS);
        let found = heights(&ticks, 0, None, Marks { t_ns: &t_ns, is_active: &[true; 4] }).unwrap();
        let rules: Vec<Rule> = found.iter().map(|height| height.rule).collect();
        assert_eq!(rules[0], Rule::Cold);
        assert_eq!(rules[3], Rule::Lost);
        assert_eq!((found[0].energy_uj, found[0].estimated_uj), (-30_000_000, -30_000_000));
        assert_eq!(found[3].uncovered_ns - found[2].uncovered_ns, 200 * i64::try_from(MS).unwrap());
        assert_eq!(heights(&curve(|_| 300, 1), 0, None, Marks { t_ns: &t_ns, is_active: &[] }), None);
    }

    proptest! {
        /// Law 2 and law 6: the curve never falls, goes through every update, and so parts and rest are the whole.
        #[test]
        fn the_curve_never_falls_and_goes_through_every_update(
            powers in prop::collection::vec(0..700_u64, 30), mut at_ms in prop::collection::btree_set(0..2_900_u64, 2..60),
            is_active in prop::collection::vec(any::<bool>(), 100),
        ) {
            let ticks = curve(|ms| powers[usize::try_from(ms / 37).unwrap() % 30], 30);
            at_ms.extend((0..30).map(|k| k * 100));
            let t_ns: Vec<u64> = at_ms.iter().map(|ms| (1_000 + ms) * MS).collect();
            let found = heights(&ticks, 0, Some(700.0), Marks { t_ns: &t_ns, is_active: &is_active }).unwrap();
            prop_assert!(found.windows(2).all(|pair| pair[0].energy_uj <= pair[1].energy_uj));
            for (ms, height) in at_ms.iter().zip(&found) {
                if ms.is_multiple_of(100) {
                    let tick = ticks.get(usize::try_from(ms / 100).unwrap()).unwrap();
                    prop_assert_eq!(height.energy_uj, signed(tick.energy_uj));
                }
                prop_assert!(height.sigma_uj.is_finite() && height.sigma_uj >= 0.0);
            }
        }
    }
}
