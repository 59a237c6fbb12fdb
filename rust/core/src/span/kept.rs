//! The closed spans that are kept: the newest, up to a bound. Older ones make way and are counted.
//!
//! A span takes 48 bytes, 24 for each domain, and 16 for each attribute. What was estimated in place of failed readings,
//! and the time it covers, is kept only where it changes: in a clean run, nowhere.

use std::collections::VecDeque;

use super::level::Level;
use super::log::{Begin, Packed};

/// A closed span.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its begin.
    pub begin: Begin,
    /// Its end.
    pub t1_ns: u64,
    /// Whether an exception ended it.
    pub failed: bool,
    /// How many attributes it has.
    pub said: u8,
}

/// What is kept of a level.
const LOST: u64 = u64::MAX;

/// The kept spans, oldest end first.
#[derive(Debug)]
pub struct Kept {
    domains: usize,
    capacity: usize,
    rows: VecDeque<Row>,
    /// For each span the totals of all domains at its begin, then at its end.
    totals_uj: VecDeque<u64>,
    sigmas_uj: VecDeque<f32>,
    attributes: VecDeque<Packed>,
    faults: Box<[Faults]>,
    /// Spans that made way.
    pub overwritten: u64,
}

impl Kept {
    /// Room for `capacity` spans, asked for as they come.
    pub fn new(domains: usize, capacity: usize) -> Self {
        Self {
            domains,
            capacity: capacity.max(1),
            rows: VecDeque::new(),
            totals_uj: VecDeque::new(),
            sigmas_uj: VecDeque::new(),
            attributes: VecDeque::new(),
            faults: (0..domains).map(|_| Faults::default()).collect(),
            overwritten: 0,
        }
    }

    /// Keeps a span with its levels at begin and end.
    pub fn push(&mut self, row: Row, begin: &[Level], end: &[Level], attributes: &[Packed]) {
        if self.rows.len() == self.capacity {
            self.pop();
        }
        for (t_ns, levels) in [(row.begin.t_ns, begin), (row.t1_ns, end)] {
            for (level, faults) in levels.iter().zip(&mut self.faults) {
                self.totals_uj.push_back(if level.is_lost { LOST } else { level.total_uj });
                self.sigmas_uj.push_back(level.sigma_uj);
                faults.note(t_ns, level);
            }
        }
        self.attributes.extend(attributes);
        self.rows.push_back(Row { said: u8::try_from(attributes.len()).unwrap_or(u8::MAX), ..row });
    }

    fn pop(&mut self) {
        if let Some(row) = self.rows.pop_front() {
            self.totals_uj.drain(..2 * self.domains);
            self.sigmas_uj.drain(..2 * self.domains);
            self.attributes.drain(..usize::from(row.said));
            self.overwritten += 1;
        }
    }

    /// Forgets all spans.
    pub fn clear(&mut self) {
        *self = Self { overwritten: self.overwritten, ..Self::new(self.domains, self.capacity) };
    }

    /// Hands over every span: its levels at begin, then at end, and its attributes.
    pub fn visit(&self, mut tell: impl FnMut(&Row, &[Level], &[Packed])) {
        let (mut levels, mut attributes) = (Vec::new(), Vec::new());
        let (mut place, mut said) = (0, self.attributes.iter());
        for row in &self.rows {
            levels.clear();
            for t_ns in [row.begin.t_ns, row.t1_ns] {
                levels.extend((0..self.domains).map(|domain| self.level(place + domain, domain, t_ns)));
                place += self.domains;
            }
            attributes.clear();
            attributes.extend(said.by_ref().take(usize::from(row.said)));
            tell(row, &levels, &attributes);
        }
    }

    fn level(&self, place: usize, domain: usize, t_ns: u64) -> Level {
        match self.totals_uj[place] {
            LOST => Level::LOST,
            total_uj => {
                let (estimated_uj, uncovered_ns) = self.faults[domain].at(t_ns);
                Level { total_uj, estimated_uj, uncovered_ns, sigma_uj: self.sigmas_uj[place], is_lost: false }
            }
        }
    }
}

/// Estimated energy and uncovered time of a domain, where they change. Both only grow, so that an instant between two
/// others that say the same needs no entry.
#[derive(Debug, Default)]
struct Faults(Vec<(u64, u64, u64)>);

impl Faults {
    fn at(&self, t_ns: u64) -> (u64, u64) {
        let after = self.0.partition_point(|(from_ns, ..)| *from_ns <= t_ns);
        after.checked_sub(1).map_or((0, 0), |index| (self.0[index].1, self.0[index].2))
    }

    fn note(&mut self, t_ns: u64, level: &Level) {
        let told = (level.estimated_uj, level.uncovered_ns);
        if !level.is_lost && self.at(t_ns) != told {
            let after = self.0.partition_point(|(from_ns, ..)| *from_ns <= t_ns);
            self.0.insert(after, (t_ns, told.0, told.1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::log::{Value, pack};
    use super::*;

    fn level(total_uj: u64, estimated_uj: u64) -> Level {
        Level { total_uj, estimated_uj, uncovered_ns: 2 * estimated_uj, sigma_uj: 0.5, is_lost: false }
    }

    fn row(id: u64) -> Row {
        let begin = Begin { id, name: 1, stage: 0, lane: 1, t_ns: 10 * id };
        Row { begin, t1_ns: 10 * id + 5, failed: false, said: 0 }
    }

    #[test]
    fn what_is_kept_comes_back_as_it_was() {
        let mut kept = Kept::new(2, 100);
        let estimates = [0, 0, 3, 3, 7, 7];
        let levels = |id: u64| {
            let at = |end: u64| estimates[usize::try_from(2 * id + end).unwrap()];
            [0, 1].map(|end| {
                [level(id, at(end)), Level { is_lost: id == 1, ..Level::LOST }]
                    .map(|one| if one.is_lost { Level::LOST } else { one })
            })
        };
        for id in [2, 0, 1] {
            let [begin, end] = levels(id);
            kept.push(row(id), &begin, &end, &[pack((1, Value::Whole(3))); 2][..usize::try_from(id).unwrap()]);
        }
        let mut seen = Vec::new();
        kept.visit(|row, told, attributes| {
            assert_eq!(told, levels(row.begin.id).concat());
            assert_eq!(attributes.len() as u64, row.begin.id);
            seen.push(row.begin.id);
        });
        assert_eq!(seen, [2, 0, 1]);
    }

    #[test]
    fn when_it_is_full_the_oldest_makes_way_and_is_counted() {
        let mut kept = Kept::new(1, 3);
        (0..10).for_each(|id| kept.push(row(id), &[level(id, 0)], &[level(id, 0)], &[pack((9, Value::Number(1.5)))]));
        let mut seen = Vec::new();
        kept.visit(|row, levels, attributes| seen.push((row.begin.id, levels[0].total_uj, attributes.len())));
        assert_eq!((seen, kept.overwritten), (vec![(7, 7, 1), (8, 8, 1), (9, 9, 1)], 7));
    }
}
