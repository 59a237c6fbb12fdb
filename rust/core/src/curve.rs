//! E(t) of one domain: cumulative energy at the instants where it was seen to change, interpolated in between.
//!
//! The fine history holds every change; behind it one a second and one a minute, so that old instants still resolve,
//! with a wider bound. An instant before all of them is lost, and the answer says so.

use crate::domain::Channel;
use crate::error::Lost;
use crate::ring::{Entries, Entry, Ring};
use crate::units::{self, NS_PER_S, Scale};

/// Changes kept: 16 s at 1 kHz, 27 minutes at 10 Hz; 0.8 MB.
const FINE: usize = 1 << 14;
/// One a second for an hour, then one a minute for a week.
const COARSE: [(u64, usize); 2] = [(NS_PER_S, 3_600), (60 * NS_PER_S, 10_080)];
/// Intervals on each side whose power is compared, to tell how restless the load is.
const NEIGHBOURS: u64 = 6;
/// Two neighbouring powers that differ by less than this share of a step are one plateau.
const PLATEAU_REL: f64 = 0.2;
/// One sigma of the energy within a step's interval, as a share of the step; and of the energy within a restless one, as a
/// share of what uncorrelated power would give, between changes a few ticks apart and further apart. Fitted on seeds other than those of tests/accuracy.rs, so that 95 of 100
/// windows lie inside twice sigma.
const STEP_REL: f64 = 0.03;
const BRIDGE_REL: [f64; 2] = [0.5, 1.05];
const COARSE_TICKS: u64 = 3;
/// Changes behind an instant that its height looks at: the one that ends its interval, and two for a step.
const LOOK_AHEAD: u64 = 3;
/// How far behind its last recorded change a healthy meter that was read just now can be: entries of a resting one are
/// five ticks apart.
const OPEN_TICKS: u64 = 10;
/// What stands for one sigma of a uniform distribution, in half-widths: 1.96 of it hold a little over 95 %.
const UNIFORM: f64 = 0.52;

/// The energy of a domain up to an instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Height {
    /// Counts since the first reading.
    pub total: u64,
    /// Those of them that were estimated.
    pub estimated: u64,
    /// Time up to here that no unbroken readings cover.
    pub uncovered_ns: u64,
    /// One sigma of `total` in microjoules: from the stamps of the changes around, and from how restless the load is.
    pub sigma_uj: f64,
    /// Whether the instant lies after the last change: `total` goes on at the last power.
    pub is_open: bool,
}

/// The recorded curve of one domain.
#[derive(Debug)]
pub struct Curve {
    fine: Ring,
    coarse: [Ring; COARSE.len()],
}

impl Default for Curve {
    fn default() -> Self {
        Self { fine: Ring::new(FINE), coarse: COARSE.map(|(_, capacity)| Ring::new(capacity)) }
    }
}

impl Curve {
    /// Appends a change. Only the panel's writer calls it; instants ascend.
    pub fn push(&self, entry: &Entry) {
        self.fine.push(entry);
        for (ring, (period_ns, _)) in self.coarse.iter().zip(COARSE) {
            if last(ring).is_none_or(|last| entry.t_ns >= last.t_ns + period_ns) {
                ring.push(entry);
            }
        }
    }

    /// The last change.
    pub fn last(&self) -> Option<Entry> {
        last(&self.fine)
    }

    /// The energy up to `t_ns`.
    pub fn height(&self, t_ns: u64, channel: &Channel) -> Result<Height, Lost> {
        let segment = self.rings().find_map(|ring| Segment::around(ring, t_ns));
        segment.map(|segment| segment.height(t_ns, channel.tick_ns, channel.scale)).ok_or_else(|| self.lost())
    }

    /// For the heights at many instants, in ascending order.
    pub fn cursor<'a>(&'a self, channel: &'a Channel) -> Cursor<'a> {
        Cursor { curve: self, channel, segment: None }
    }

    /// The instant up to which heights are final: so many changes lie behind it that none to come can show another step
    /// there. `None` while nothing is final.
    pub fn settled_ns(&self) -> Option<u64> {
        let number = self.fine.pushed().checked_sub(1 + LOOK_AHEAD)?;
        self.fine.get(number).map(|entry| entry.t_ns)
    }

    /// Mean time from one change to the next, lately.
    pub fn pace_ns(&self) -> Option<u64> {
        let (last, back) = (self.last()?, 2 * NEIGHBOURS);
        let number = self.fine.pushed().checked_sub(1 + back)?;
        self.fine.get(number).map(|first| (last.t_ns - first.t_ns) / back)
    }

    fn lost(&self) -> Lost {
        let oldest_ns = self.rings().filter_map(first).map(|entry| entry.t_ns).min();
        oldest_ns.map_or(Lost::Empty, |oldest_ns| Lost::Overwritten { oldest_ns })
    }

    /// Finest first.
    fn rings(&self) -> impl Iterator<Item = &Ring> {
        std::iter::once(&self.fine).chain(&self.coarse)
    }

    /// Every change that is still in the fine history, oldest first.
    pub fn entries(&self) -> Vec<Entry> {
        self.entries_since(0).1
    }

    /// The number of the next change to come, and every change from `number` on that is still in the fine history.
    pub fn entries_since(&self, number: u64) -> (u64, Vec<Entry>) {
        let next = self.fine.pushed();
        let kept = (number.max(self.fine.oldest())..next).filter_map(|number| self.fine.get(number));
        (next, kept.collect())
    }
}

/// Heights in ascending order of time: instants between the same two changes look for them once.
pub struct Cursor<'a> {
    curve: &'a Curve,
    channel: &'a Channel,
    segment: Option<Segment>,
}

impl Cursor<'_> {
    /// The energy up to `t_ns`, which is no earlier than the instant of the call before.
    pub fn height(&mut self, t_ns: u64) -> Result<Height, Lost> {
        if !self.segment.as_ref().is_some_and(|segment| segment.holds(t_ns)) {
            self.segment = self.curve.rings().find_map(|ring| Segment::around(ring, t_ns));
        }
        let (tick_ns, scale) = (self.channel.tick_ns, self.channel.scale);
        self.segment.as_ref().map(|segment| segment.height(t_ns, tick_ns, scale)).ok_or_else(|| self.curve.lost())
    }
}

fn last(ring: &impl Entries) -> Option<Entry> {
    ring.pushed().checked_sub(1).and_then(|number| ring.get(number))
}

/// The oldest entry that can be read; the writer may be overwriting the very first.
fn first(ring: &impl Entries) -> Option<Entry> {
    (ring.oldest()..ring.pushed()).find_map(|number| ring.get(number))
}

/// The changes around an instant.
pub(crate) struct Segment {
    before: Entry,
    /// `None` where the instant lies after the last change.
    after: Option<Entry>,
    /// Powers of the two intervals before `before` and of the two behind `after`, in counts per nanosecond, nearest first.
    powers_before: [Option<f64>; 2],
    powers_after: [Option<f64>; 2],
    /// Variance of the power from one interval to the next, in counts per nanosecond squared.
    restless: f64,
}

impl Segment {
    /// Finds the changes around `t_ns`; `None` if the ring does not reach so far back.
    pub(crate) fn around(ring: &impl Entries, t_ns: u64) -> Option<Self> {
        let number = search(ring, t_ns)?;
        let near = |from: u64, to: u64| Some(power(&ring.get(from)?, &ring.get(to)?));
        let back = |steps: u64| near(number.checked_sub(steps)?, number + 1 - steps);
        Some(Self {
            before: ring.get(number)?,
            after: ring.get(number + 1),
            powers_before: [back(1), back(2)],
            powers_after: [near(number + 1, number + 2), near(number + 2, number + 3)],
            restless: restlessness(ring, number),
        })
    }

    pub(crate) fn holds(&self, t_ns: u64) -> bool {
        self.before.t_ns <= t_ns && self.after.is_none_or(|after| t_ns < after.t_ns)
    }

    /// `tick_ns`: how often the meter moves; `scale`: of the entries' counts.
    pub(crate) fn height(&self, t_ns: u64, tick_ns: u64, scale: Scale) -> Height {
        let into_ns = t_ns.saturating_sub(self.before.t_ns);
        match &self.after {
            Some(after) => self.between(after, into_ns, tick_ns, scale),
            None => self.beyond(into_ns, tick_ns, scale),
        }
    }

    /// Between two changes: a step where the powers around show one, else evenly. The height is a function of the
    /// instant alone, in integers, so that differences telescope.
    fn between(&self, after: &Entry, into_ns: u64, tick_ns: u64, scale: Scale) -> Height {
        let before = &self.before;
        let length_ns = (after.t_ns - before.t_ns).max(1);
        let fraction = into_ns as f64 / length_ns as f64;
        let even = |from: u64, to: u64| from + share(to.saturating_sub(from), into_ns, length_ns);
        let step = self.step(after);
        let is_coarse = usize::from(length_ns > COARSE_TICKS * tick_ns);
        let bridge = step.map_or_else(
            || BRIDGE_REL[is_coarse] * (self.restless * fraction * (1.0 - fraction)).sqrt(),
            |step| STEP_REL * (step.from - step.to).abs(),
        );
        let stamps = power(before, after) * stamp_ns(before, after, fraction, tick_ns);
        let counts = step.map(|step| units::whole(step.share(fraction) * length_ns as f64));
        let total =
            counts.map_or_else(|| even(before.total, after.total), |counts| (before.total + counts).min(after.total));
        Height {
            total,
            estimated: even(before.estimated, after.estimated),
            uncovered_ns: even(before.uncovered_ns, after.uncovered_ns),
            sigma_uj: stamps.hypot(bridge * length_ns as f64) * scale.microjoules_per_count(),
            is_open: false,
        }
    }

    /// The step within this interval, if the power stood still on both sides of it and its mean lies in between.
    fn step(&self, after: &Entry) -> Option<Step> {
        let ([Some(from), Some(earlier)], [Some(to), Some(later)]) = (self.powers_before, self.powers_after) else {
            return None;
        };
        let height = (from - to).abs();
        let at = (power(&self.before, after) - to) / (from - to);
        let stands = (from - earlier).abs() < PLATEAU_REL * height && (to - later).abs() < PLATEAU_REL * height;
        (stands && (0.0..=1.0).contains(&at)).then_some(Step { from, to, at })
    }

    /// After the last change the last power goes on, and is as uncertain as it is restless. Where that change lies so far
    /// back that the meter ought to have shown another, it is an estimate and the time uncovered; so it is after a tick
    /// where it is the first, and no power is known.
    fn beyond(&self, beyond_ns: u64, tick_ns: u64, scale: Scale) -> Height {
        let before = &self.before;
        let power = self.powers_before[0].unwrap_or(0.0);
        let restless = self.restless.sqrt().max(power * UNIFORM) * beyond_ns as f64;
        let sigma = restless + power * before.half_ns as f64 * UNIFORM;
        let more = units::whole(power * beyond_ns as f64);
        let open_ticks = if self.powers_before[0].is_some() { OPEN_TICKS } else { 1 };
        let is_guess = beyond_ns > open_ticks * tick_ns;
        Height {
            total: before.total + more,
            estimated: before.estimated + if is_guess { more } else { 0 },
            uncovered_ns: before.uncovered_ns + if is_guess { beyond_ns } else { 0 },
            sigma_uj: sigma * scale.microjoules_per_count(),
            is_open: true,
        }
    }
}

/// A power that changes once within an interval.
#[derive(Clone, Copy)]
struct Step {
    /// Power before and behind, in counts per nanosecond.
    from: f64,
    to: f64,
    /// Where, as a share of the interval.
    at: f64,
}

impl Step {
    /// Energy of the first `fraction` of the interval, over the interval's length.
    fn share(&self, fraction: f64) -> f64 {
        self.from * fraction.min(self.at) + self.to * (fraction - self.at).max(0.0)
    }
}

/// One sigma of an interpolated instant. The stamps of sharp changes err independently; blurred ones, read once a tick or
/// slower, err together as the phase of reading and tick drifts slowly.
fn stamp_ns(before: &Entry, after: &Entry, fraction: f64, tick_ns: u64) -> f64 {
    let (first, last) = ((1.0 - fraction) * before.half_ns as f64, fraction * after.half_ns as f64);
    let is_blurred = before.half_ns.max(after.half_ns) > tick_ns / 4;
    UNIFORM * if is_blurred { first + last } else { first.hypot(last) }
}

/// Number of the last entry at or before `t_ns`; `None` if that is gone or never was.
fn search(ring: &impl Entries, t_ns: u64) -> Option<u64> {
    let (mut low, mut high) = (ring.oldest(), ring.pushed());
    while low < high {
        let middle = low.midpoint(high);
        match ring.get(middle) {
            Some(entry) if entry.t_ns > t_ns => high = middle,
            // What was overwritten meanwhile is older than all that is left.
            _ => low = middle + 1,
        }
    }
    low.checked_sub(1).filter(|number| ring.get(*number).is_some())
}

/// Half the mean square difference of neighbouring powers around entry `number`: the variance of the power per interval.
fn restlessness(ring: &impl Entries, number: u64) -> f64 {
    let from = number.saturating_sub(NEIGHBOURS).max(ring.oldest());
    let entries = (from..=number + 1 + NEIGHBOURS).map_while(|number| ring.get(number));
    let (mut last, mut last_power, mut sum, mut differences) = (None, None, 0.0, 0_u32);
    for entry in entries {
        let power = last.as_ref().map(|last| power(last, &entry));
        if let (Some(now), Some(before)) = (power, last_power) {
            let difference: f64 = now - before;
            sum += difference * difference;
            differences += 1;
        }
        (last, last_power) = (Some(entry), power);
    }
    sum / 2.0 / f64::from(differences.max(1))
}

/// Mean power between two changes, in counts per nanosecond.
fn power(before: &Entry, after: &Entry) -> f64 {
    after.total.saturating_sub(before.total) as f64 / (after.t_ns.saturating_sub(before.t_ns)).max(1) as f64
}

/// `counts * part / whole`, in integers.
fn share(counts: u64, part: u64, whole: u64) -> u64 {
    u64::try_from(u128::from(counts) * u128::from(part) / u128::from(whole)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Kind, Place, Provenance, Range, Signal};
    use proptest::prelude::*;

    fn channel() -> Channel {
        Channel {
            place: Place::of_package(Kind::Package, 0),
            signal: Signal::Counter,
            scale: Scale::MICROJOULE,
            range: Range::Unbounded,
            max_power_uw: u64::MAX,
            tick_ns: 1_000_000,
            longest_rest_ns: u64::MAX,
            resolution_ns: 0,
            sensor_rel: 0.0,
            provenance: Provenance::Measured,
            detail: String::new(),
        }
    }

    fn entry(t_ns: u64, total: u64) -> Entry {
        Entry { t_ns, total, ..Entry::default() }
    }

    #[test]
    fn between_two_changes_energy_grows_evenly() {
        let curve = Curve::default();
        [entry(0, 0), entry(1_000, 100), entry(2_000, 400)].iter().for_each(|one| curve.push(one));
        let total = |t_ns| curve.height(t_ns, &channel()).unwrap().total;
        assert_eq!([0, 500, 1_000, 1_500, 1_999].map(total), [0, 50, 100, 250, 399]);
        let beyond = curve.height(2_500, &channel()).unwrap();
        assert_eq!((beyond.total, beyond.is_open), (550, true));
    }

    #[test]
    fn far_behind_the_last_change_the_energy_is_an_estimate_and_the_time_uncovered() {
        let curve = Curve::default();
        [entry(0, 0), entry(1_000_000, 100)].iter().for_each(|one| curve.push(one));
        let open = |beyond_ns: u64| {
            let height = curve.height(1_000_000 + beyond_ns, &channel()).unwrap();
            (height.total, height.estimated, height.uncovered_ns)
        };
        assert_eq!(open(10_000_000), (1_100, 0, 0));
        assert_eq!(open(50_000_000), (5_100, 5_000, 50_000_000));
    }

    #[test]
    fn behind_the_first_change_no_power_is_known_and_the_time_is_uncovered() {
        let curve = Curve::default();
        curve.push(&entry(1_000_000, 100));
        let height = curve.height(4_000_000, &channel()).unwrap();
        assert_eq!((height.total, height.uncovered_ns), (100, 3_000_000));
    }

    #[test]
    fn an_instant_before_the_history_is_lost_and_not_zero() {
        let curve = Curve::default();
        assert_eq!(curve.height(5, &channel()), Err(Lost::Empty));
        curve.push(&entry(1_000, 0));
        assert_eq!(curve.height(5, &channel()), Err(Lost::Overwritten { oldest_ns: 1_000 }));
    }

    #[test]
    fn what_the_fine_history_lost_the_seconds_and_minutes_still_tell() {
        let curve = Curve::default();
        let tick_ns = 10_000_000;
        let ticks = 3 * 3_600 * 100;
        (0..ticks).for_each(|tick| curve.push(&entry(tick * tick_ns, tick * 7)));
        for (t_ns, slack) in [((ticks - 50) * tick_ns, 7), (ticks * tick_ns - 1_000 * NS_PER_S, 7), (60 * NS_PER_S, 7)]
        {
            let height = curve.height(t_ns, &channel()).unwrap();
            assert!(height.total.abs_diff(t_ns / tick_ns * 7) <= slack, "{t_ns}: {height:?}");
        }
    }

    proptest! {
        /// Law 2: heights never fall, and differences of heights telescope.
        #[test]
        fn heights_never_fall(
            steps in prop::collection::vec((1..5_000_000_u64, 0..1_000_000_u64), 2..200),
            mut at in prop::collection::vec(0..1_000_000_000_u64, 3),
        ) {
            let curve = Curve::default();
            let (mut t_ns, mut total) = (0, 0);
            curve.push(&entry(0, 0));
            for (dt_ns, counts) in steps {
                (t_ns, total) = (t_ns + dt_ns, total + counts);
                curve.push(&entry(t_ns, total));
            }
            at.iter_mut().for_each(|one| *one %= t_ns);
            at.sort_unstable();
            let heights: Vec<u64> = at.iter().map(|one| curve.height(*one, &channel()).unwrap().total).collect();
            prop_assert!(heights.is_sorted());
            prop_assert!(heights.iter().all(|height| *height <= total));
        }
    }
}
