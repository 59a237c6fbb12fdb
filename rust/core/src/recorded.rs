//! The curve of a domain that was written down: the heights that the living curve would have answered.

use crate::curve::{Height, Segment};
use crate::error::Lost;
use crate::ring::{Entries, Entry};
use crate::units::Scale;

/// Changes of one domain in columns of one length, oldest first; instants ascend.
#[derive(Debug, Clone, Copy)]
pub struct Recorded<'a> {
    /// Instants of change.
    pub t_ns: &'a [u64],
    /// Half-widths of the instants.
    pub half_ns: &'a [u64],
    /// Energy up to each.
    pub energy_uj: &'a [u64],
    /// The part of it that was estimated.
    pub estimated_uj: &'a [u64],
    /// Time up to each that no unbroken readings cover.
    pub uncovered_ns: &'a [u64],
}

impl Entries for Recorded<'_> {
    fn oldest(&self) -> u64 {
        0
    }

    fn pushed(&self) -> u64 {
        self.t_ns.len() as u64
    }

    fn get(&self, number: u64) -> Option<Entry> {
        let place = usize::try_from(number).ok()?;
        Some(Entry {
            t_ns: *self.t_ns.get(place)?,
            half_ns: *self.half_ns.get(place)?,
            total: *self.energy_uj.get(place)?,
            estimated: *self.estimated_uj.get(place)?,
            uncovered_ns: *self.uncovered_ns.get(place)?,
        })
    }
}

impl Recorded<'_> {
    /// The heights at many instants; ascending ones are found quickest. `tick_ns`: how often the meter moves.
    pub fn heights(&self, at_ns: &[u64], tick_ns: u64) -> Result<Vec<Height>, Lost> {
        let mut near: Option<Segment> = None;
        let height = |t_ns: &u64| {
            if !near.as_ref().is_some_and(|segment| segment.holds(*t_ns)) {
                near = Segment::around(self, *t_ns);
            }
            near.as_ref().map(|segment| segment.height(*t_ns, tick_ns, Scale::MICROJOULE)).ok_or_else(|| self.lost())
        };
        at_ns.iter().map(height).collect()
    }

    fn lost(&self) -> Lost {
        self.t_ns.first().map_or(Lost::Empty, |oldest_ns| Lost::Overwritten { oldest_ns: *oldest_ns })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZEROS: [u64; 3] = [0; 3];

    #[test]
    fn a_written_curve_grows_evenly_between_its_changes_and_knows_where_it_begins() {
        let curve = Recorded {
            t_ns: &[1_000, 2_000, 3_000],
            half_ns: &ZEROS,
            energy_uj: &[0, 100, 400],
            estimated_uj: &ZEROS,
            uncovered_ns: &ZEROS,
        };
        let totals = |at_ns: &[u64]| {
            Ok::<_, Lost>(curve.heights(at_ns, 1_000)?.iter().map(|height| height.total).collect::<Vec<_>>())
        };
        assert_eq!(totals(&[1_000, 1_500, 2_500, 1_500]), Ok(vec![0, 50, 250, 50]));
        assert_eq!(totals(&[999]), Err(Lost::Overwritten { oldest_ns: 1_000 }));
    }
}
