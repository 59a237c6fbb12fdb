//! The book of a meter's spans: begins joined with ends, and both with the energy up to them.
//!
//! An instant gets its levels as soon as no change to come can alter them, long before the fine history has gone round,
//! and keeps them: so a span may last longer than the history.

use std::collections::HashMap;
use std::sync::Arc;

use super::kept::{Kept, Row};
use super::level::{Level, domains, levels, settled_ns};
use super::log::{Begin, Event, Packed, Pool, Reader};
use super::table::{Status, Table};
use crate::panel::Panel;

/// Spans that get their levels together: some megabytes of them.
const BATCH: usize = 1 << 14;

/// A span that has begun, with its levels then if they are final.
#[derive(Debug)]
struct Open {
    begin: Begin,
    levels: Option<Box<[Level]>>,
}

#[derive(Debug)]
struct End {
    id: u64,
    t_ns: u64,
    failed: bool,
    attributes: Box<[Packed]>,
}

/// Everything about the spans of one meter in one process.
#[derive(Debug)]
pub struct Book {
    readers: Vec<Reader>,
    open: HashMap<u64, Open>,
    /// Spans that have ended and whose levels are not final yet.
    ended: Vec<(Open, End)>,
    /// Ends whose begin stands in the log of another thread, and was not seen yet.
    strays: Vec<End>,
    kept: Kept,
    /// Ends whose begin was not found at all: dropped, forgotten or before a fork.
    pub unmatched: u64,
}

impl Book {
    /// An empty book that keeps `capacity` spans.
    pub fn new(domains: usize, capacity: usize) -> Self {
        Self {
            readers: Vec::new(),
            open: HashMap::new(),
            ended: Vec::new(),
            strays: Vec::new(),
            kept: Kept::new(domains, capacity),
            unmatched: 0,
        }
    }

    /// Takes over logs that threads have opened.
    pub fn take_over(&mut self, readers: impl Iterator<Item = Reader>) {
        self.readers.extend(readers);
    }

    /// Spans that made way for newer ones.
    pub fn overwritten(&self) -> u64 {
        self.kept.overwritten
    }

    /// Forgets every span that has ended.
    pub fn forget(&mut self) {
        self.kept.clear();
        self.ended.clear();
    }

    /// Drains the logs and gives levels to all instants that are settled.
    pub fn pass(&mut self, panels: &[Arc<Panel>], pool: &Pool, now_ns: u64) {
        self.drain(pool);
        let settled_ns = settled_ns(panels, now_ns);
        self.settle_ends(panels, settled_ns);
        self.settle_begins(panels, settled_ns);
    }

    fn drain(&mut self, pool: &Pool) {
        let mut strays = Vec::new();
        let (open, ended) = (&mut self.open, &mut self.ended);
        for reader in &mut self.readers {
            reader.drain(pool, |event| match event {
                Event::Begin(begin) => {
                    open.insert(begin.id, Open { begin, levels: None });
                }
                Event::End { id, t_ns, failed, attributes } => {
                    let end = End { id, t_ns, failed, attributes: attributes.into() };
                    match open.remove(&id) {
                        Some(open) => ended.push((open, end)),
                        None => strays.push(end),
                    }
                }
            });
        }
        let (done, readers) = std::mem::take(&mut self.readers).into_iter().partition(Reader::is_done);
        self.readers = readers;
        let done: Vec<Reader> = done;
        done.into_iter().for_each(|reader| reader.close(pool));
        self.match_strays(strays);
    }

    /// A begin in another thread's log is in the same pass, or, if its end was drained while it was noted, in the next.
    fn match_strays(&mut self, new: Vec<End>) {
        for end in std::mem::take(&mut self.strays) {
            match self.open.remove(&end.id) {
                Some(open) => self.ended.push((open, end)),
                None => self.unmatched += 1,
            }
        }
        for end in new {
            match self.open.remove(&end.id) {
                Some(open) => self.ended.push((open, end)),
                None => self.strays.push(end),
            }
        }
    }

    fn settle_ends(&mut self, panels: &[Arc<Panel>], settled_ns: u64) {
        let (settled, rest) = std::mem::take(&mut self.ended)
            .into_iter()
            .partition(|(open, end)| end.t_ns.max(open.begin.t_ns) <= settled_ns);
        self.ended = rest;
        let settled: Vec<(Open, End)> = settled;
        for batch in settled.chunks(BATCH) {
            let kept = &mut self.kept;
            with_levels(panels, batch, |row, begin, end, attributes| kept.push(row, begin, end, attributes));
        }
    }

    fn settle_begins(&mut self, panels: &[Arc<Panel>], settled_ns: u64) {
        let new: Vec<&mut Open> =
            self.open.values_mut().filter(|open| open.levels.is_none() && open.begin.t_ns <= settled_ns).collect();
        let at_ns: Vec<u64> = new.iter().map(|open| open.begin.t_ns).collect();
        let levels = levels(panels, &at_ns);
        let each = levels.chunks_exact(domains(panels).count().max(1));
        new.into_iter().zip(each).for_each(|(open, levels)| open.levels = Some(levels.into()));
    }

    /// Every span as it is known now: kept ones, those that ended lately, and open ones up to `now_ns`.
    pub fn table(&self, panels: &[Arc<Panel>], places: &[usize], now_ns: u64) -> Table {
        let mut table = Table::new(domains(panels), places);
        self.kept.visit(|row, levels, attributes| table.add(row, Status::Resolved, levels, attributes));
        for batch in self.ended.chunks(BATCH) {
            with_levels(panels, batch, |row, begin, end, attributes| {
                table.add(&row, Status::Provisional, &[begin, end].concat(), attributes);
            });
        }
        let end = levels(panels, &[now_ns]);
        for open in self.open.values().filter(|open| open.begin.t_ns <= now_ns) {
            let begin = open.levels.clone().unwrap_or_else(|| levels(panels, &[open.begin.t_ns]).into());
            let row = Row { begin: open.begin, t1_ns: now_ns, failed: false, said: 0 };
            table.add(&row, Status::Open, &[&*begin, &end].concat(), &[]);
        }
        table
    }
}

/// Looks up the levels that a batch lacks and hands over each span with those at its begin and at its end.
fn with_levels(panels: &[Arc<Panel>], batch: &[(Open, End)], mut tell: impl FnMut(Row, &[Level], &[Level], &[Packed])) {
    let width = domains(panels).count();
    let at_ns: Vec<u64> = batch.iter().flat_map(|(open, end)| [open.begin.t_ns, end.t_ns]).collect();
    let levels = levels(panels, &at_ns);
    for ((open, end), levels) in batch.iter().zip(levels.chunks_exact(2 * width.max(1))) {
        let (begin, last) = levels.split_at(width);
        let row = Row { begin: open.begin, t1_ns: end.t_ns, failed: end.failed, said: 0 };
        tell(row, open.levels.as_deref().unwrap_or(begin), last, &end.attributes);
    }
}
