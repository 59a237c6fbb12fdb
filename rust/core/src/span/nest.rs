//! Self time: within a lane every instant belongs to the span that began last and still lasts.

use std::collections::BTreeSet;

/// A span as nesting sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// What it nests within.
    pub lane: u64,
    /// Begin.
    pub t0_ns: u64,
    /// End.
    pub t1_ns: u64,
}

/// A stretch of time that belongs to one span alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Place of the span among the extents.
    pub owner: usize,
    /// Begin.
    pub t0_ns: u64,
    /// End.
    pub t1_ns: u64,
}

/// Cuts the time of each lane into pieces, one owner each. Together they cover what the spans cover.
pub fn own_time(extents: &[Extent]) -> Vec<Piece> {
    let mut order: Vec<usize> =
        (0..extents.len()).filter(|index| extents[*index].t0_ns < extents[*index].t1_ns).collect();
    // Of two that begin together the longer one is the parent.
    order.sort_by_key(|index| {
        let extent = &extents[*index];
        (extent.lane, extent.t0_ns, std::cmp::Reverse(extent.t1_ns))
    });
    let mut pieces = Vec::with_capacity(2 * order.len());
    for lane in order.chunk_by(|a, b| extents[*a].lane == extents[*b].lane) {
        cut(lane, extents, &mut pieces);
    }
    pieces
}

/// One lane: `spans` in the order in which they began.
fn cut(spans: &[usize], extents: &[Extent], pieces: &mut Vec<Piece>) {
    // Begins and ends by time, ends first; ranks are places in `spans`.
    let mut events: Vec<(u64, bool, usize)> = Vec::with_capacity(2 * spans.len());
    for (rank, span) in spans.iter().enumerate() {
        events.push((extents[*span].t0_ns, true, rank));
        events.push((extents[*span].t1_ns, false, rank));
    }
    events.sort_unstable();
    let mut active: BTreeSet<usize> = BTreeSet::new();
    let mut since_ns = 0;
    for (t_ns, is_begin, rank) in events {
        let innermost = active.last().copied();
        if innermost.is_none_or(|innermost| rank >= innermost) {
            if let Some(owner) = innermost.filter(|_| since_ns < t_ns) {
                pieces.push(Piece { owner: spans[owner], t0_ns: since_ns, t1_ns: t_ns });
            }
            since_ns = t_ns;
        }
        if is_begin {
            active.insert(rank)
        } else {
            active.remove(&rank)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn extent(lane: u64, t0_ns: u64, t1_ns: u64) -> Extent {
        Extent { lane, t0_ns, t1_ns }
    }

    fn piece(owner: usize, t0_ns: u64, t1_ns: u64) -> Piece {
        Piece { owner, t0_ns, t1_ns }
    }

    #[test]
    fn a_parent_keeps_what_its_children_leave() {
        let spans = [extent(1, 0, 100), extent(1, 10, 40), extent(1, 20, 30), extent(1, 40, 90)];
        let pieces = own_time(&spans);
        assert_eq!(
            pieces,
            [
                piece(0, 0, 10),
                piece(1, 10, 20),
                piece(2, 20, 30),
                piece(1, 30, 40),
                piece(3, 40, 90),
                piece(0, 90, 100)
            ]
        );
    }

    #[test]
    fn lanes_do_not_nest_in_each_other_and_gaps_belong_to_nobody() {
        let pieces = own_time(&[extent(1, 0, 10), extent(2, 5, 15), extent(1, 20, 30), extent(1, 25, 25)]);
        assert_eq!(pieces, [piece(0, 0, 10), piece(2, 20, 30), piece(1, 5, 15)]);
    }

    proptest! {
        /// Against the definition, at every instant.
        #[test]
        fn every_instant_belongs_to_the_one_that_began_last(
            spans in prop::collection::vec((0..3_u64, 0..40_u64, 0..40_u64), 0..30),
        ) {
            let spans: Vec<Extent> =
                spans.iter().map(|(lane, a, b)| extent(*lane, *a.min(b), *a.max(b))).collect();
            let pieces = own_time(&spans);
            for (lane, t_ns) in (0..3).flat_map(|lane| (0..40).map(move |t_ns| (lane, t_ns))) {
                let covers = |t0_ns: u64, t1_ns: u64| t0_ns <= t_ns && t_ns < t1_ns;
                let active = spans.iter().filter(|one| one.lane == lane && covers(one.t0_ns, one.t1_ns));
                let last = active.map(|one| (one.t0_ns, std::cmp::Reverse(one.t1_ns))).max();
                let owners: Vec<_> = pieces.iter().filter(|one| covers(one.t0_ns, one.t1_ns))
                    .map(|one| spans[one.owner]).filter(|one| one.lane == lane)
                    .map(|one| (one.t0_ns, std::cmp::Reverse(one.t1_ns))).collect();
                prop_assert_eq!(owners, last.into_iter().collect::<Vec<_>>());
            }
        }
    }
}
