//! E(t) of one domain: cumulative energy at the instants where it was seen to change, interpolated in between.
//!
//! The fine history holds every change; behind it one a second and one a minute, so that old instants still resolve,
//! with a wider bound. An instant before all of them is lost, and the answer says so.

use crate::domain::Channel;
use crate::ring::{Entry, Ring};
use crate::units::NS_PER_S;

/// Changes kept: 16 s at 1 kHz, 27 minutes at 10 Hz; 0.8 MB.
const FINE: usize = 1 << 14;
/// One a second for an hour, then one a minute for a week.
const COARSE: [(u64, usize); 2] = [(NS_PER_S, 3_600), (60 * NS_PER_S, 10_080)];
/// Intervals on each side whose power is compared, to tell how restless the load is.
const NEIGHBOURS: u64 = 6;
/// One sigma of a uniform distribution, in half-widths.
const UNIFORM: f64 = 0.577;

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

/// Why an instant has no height.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// Older than the history reaches back.
    #[error("the instant lies before the history, which reaches back to {oldest_ns} ns on the monotonic clock")]
    Overwritten {
        /// The oldest instant that can still be told.
        oldest_ns: u64,
    },
    /// Nothing was recorded yet.
    #[error("nothing was recorded yet: is the meter started?")]
    Empty,
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
        segment.map(|segment| segment.height(t_ns, channel)).ok_or_else(|| self.lost())
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
        (self.fine.oldest()..self.fine.pushed()).filter_map(|number| self.fine.get(number)).collect()
    }
}

fn last(ring: &Ring) -> Option<Entry> {
    ring.pushed().checked_sub(1).and_then(|number| ring.get(number))
}

/// The oldest entry that can be read; the writer may be overwriting the very first.
fn first(ring: &Ring) -> Option<Entry> {
    (ring.oldest()..ring.pushed()).find_map(|number| ring.get(number))
}

/// The changes around an instant, and how restless the power is around them.
struct Segment {
    /// The change before `before`: what the last power is taken from.
    previous: Option<Entry>,
    before: Entry,
    /// `None` where the instant lies after the last change.
    after: Option<Entry>,
    /// Variance of the power from one interval to the next, in counts per nanosecond squared.
    restless: f64,
}

impl Segment {
    /// Finds the changes around `t_ns`; `None` if the ring does not reach so far back.
    fn around(ring: &Ring, t_ns: u64) -> Option<Self> {
        let number = search(ring, t_ns)?;
        let previous = number.checked_sub(1).and_then(|number| ring.get(number));
        let after = ring.get(number + 1);
        Some(Self { previous, before: ring.get(number)?, after, restless: restlessness(ring, number) })
    }

    /// Linear between two changes. Energies are interpolated in integers, so that heights telescope.
    fn height(&self, t_ns: u64, channel: &Channel) -> Height {
        let Some(after) = &self.after else { return self.beyond(t_ns, channel) };
        let before = &self.before;
        let (into_ns, length_ns) = (t_ns.saturating_sub(before.t_ns), (after.t_ns - before.t_ns).max(1));
        let part = |from: u64, to: u64| from + share(to.saturating_sub(from), into_ns, length_ns);
        let fraction = into_ns as f64 / length_ns as f64;
        let power = power(before, after);
        let stamps =
            power * ((1.0 - fraction) * before.half_ns as f64).hypot(fraction * after.half_ns as f64) * UNIFORM;
        let bridge = (self.restless * fraction * (1.0 - fraction)).sqrt() * length_ns as f64;
        Height {
            total: part(before.total, after.total),
            estimated: part(before.estimated, after.estimated),
            uncovered_ns: part(before.uncovered_ns, after.uncovered_ns),
            sigma_uj: stamps.hypot(bridge) * channel.scale.microjoules_per_count(),
            is_open: false,
        }
    }

    /// After the last change the last power goes on, and is as uncertain as it is restless.
    fn beyond(&self, t_ns: u64, channel: &Channel) -> Height {
        let before = &self.before;
        let beyond_ns = t_ns.saturating_sub(before.t_ns);
        let (counts, length_ns) = self
            .previous
            .map_or((0, 1), |previous| (before.total - previous.total, (before.t_ns - previous.t_ns).max(1)));
        let power = counts as f64 / length_ns as f64;
        let sigma =
            self.restless.sqrt().max(power * UNIFORM) * beyond_ns as f64 + power * before.half_ns as f64 * UNIFORM;
        Height {
            total: before.total + share(counts, beyond_ns, length_ns),
            estimated: before.estimated,
            uncovered_ns: before.uncovered_ns,
            sigma_uj: sigma * channel.scale.microjoules_per_count(),
            is_open: true,
        }
    }
}

/// Number of the last entry at or before `t_ns`; `None` if that is gone or never was.
fn search(ring: &Ring, t_ns: u64) -> Option<u64> {
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
fn restlessness(ring: &Ring, number: u64) -> f64 {
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
    use crate::units::Scale;
    use proptest::prelude::*;

    fn channel() -> Channel {
        Channel {
            place: Place::of_package(Kind::Package, 0),
            signal: Signal::Counter,
            scale: Scale::MICROJOULE,
            range: Range::Unbounded,
            max_power_uw: u64::MAX,
            tick_ns: 1_000_000,
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
