//! The history of one domain: fixed memory, one writer, any number of readers; the oldest entry makes way for the newest.
//!
//! Entries are numbered from 0 on; entry `n` lives in slot `n % capacity`. A slot's sequence number is `2n + 1` while entry
//! `n` is written and `2n + 2` from then on, so a reader that looks for an entry that is gone finds another number and
//! is told so. The writer never waits and never looks at a reader.

use crate::sync::{AtomicU64, Ordering, fence};

/// What is known of a domain at an instant: one point of its energy curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Entry {
    /// The instant that `total` belongs to.
    pub t_ns: u64,
    /// Half-width of that instant.
    pub half_ns: u64,
    /// Counts since the first reading.
    pub total: u64,
    /// Those of `total` that were estimated.
    pub estimated: u64,
    /// Time that no unbroken readings cover.
    pub uncovered_ns: u64,
}

const WORDS: usize = 5;

#[derive(Debug)]
struct Slot {
    sequence: AtomicU64,
    words: [AtomicU64; WORDS],
}

/// Numbered entries, of which the oldest may be gone: a ring, or a curve that was written down.
pub trait Entries {
    /// Number of the oldest entry that can still be there.
    fn oldest(&self) -> u64;
    /// How many entries there ever were: the number of the next one.
    fn pushed(&self) -> u64;
    /// Entry `number`; `None` if it is gone or never was.
    fn get(&self, number: u64) -> Option<Entry>;
}

/// A ring of entries.
#[derive(Debug)]
pub struct Ring {
    slots: Box<[Slot]>,
    /// Number of entries ever pushed; only the writer stores it.
    pushed: AtomicU64,
}

impl Ring {
    /// An empty ring that keeps the last `capacity` entries, at least two.
    pub fn new(capacity: usize) -> Self {
        Self { slots: (0..capacity.max(2)).map(|_| Slot::new()).collect(), pushed: AtomicU64::new(0) }
    }

    /// Appends an entry. Only one thread may do so at a time; the panel's writer token sees to that.
    pub fn push(&self, entry: &Entry) {
        // Relaxed: only the writer stores it, and writers follow one another through the token.
        let number = self.pushed.load(Ordering::Relaxed);
        self.slot(number).write(number, entry);
        // Release: pairs with the Acquire in pushed(): whoever sees the number finds the entry, or a newer one.
        self.pushed.store(number + 1, Ordering::Release);
    }

    #[allow(clippy::cast_possible_truncation)] // the remainder is below a slice's length
    fn slot(&self, number: u64) -> &Slot {
        &self.slots[(number % self.slots.len() as u64) as usize]
    }
}

impl Entries for Ring {
    fn oldest(&self) -> u64 {
        self.pushed().saturating_sub(self.slots.len() as u64)
    }

    fn pushed(&self) -> u64 {
        // Acquire: pairs with the Release in push().
        self.pushed.load(Ordering::Acquire)
    }

    /// `None` also while it is being overwritten.
    fn get(&self, number: u64) -> Option<Entry> {
        self.slot(number).read(number)
    }
}

impl Slot {
    fn new() -> Self {
        Self { sequence: AtomicU64::new(0), words: std::array::from_fn(|_| AtomicU64::new(0)) }
    }

    fn write(&self, number: u64, entry: &Entry) {
        self.sequence.store(2 * number + 1, Ordering::Relaxed);
        // Release: no word below becomes visible before the odd number; pairs with the Acquire fence in read().
        fence(Ordering::Release);
        let values = [entry.t_ns, entry.half_ns, entry.total, entry.estimated, entry.uncovered_ns];
        for (word, value) in self.words.iter().zip(values) {
            word.store(value, Ordering::Relaxed);
        }
        // Release: pairs with the Acquire load in read(): the even number comes after every word.
        self.sequence.store(2 * number + 2, Ordering::Release);
    }

    fn read(&self, number: u64) -> Option<Entry> {
        let wanted = 2 * number + 2;
        // Acquire: pairs with the Release at the end of write(): the words are at least those of entry `number`.
        if self.sequence.load(Ordering::Acquire) != wanted {
            return None;
        }
        let [t_ns, half_ns, total, estimated, uncovered_ns] =
            std::array::from_fn(|index| self.words[index].load(Ordering::Relaxed));
        // Acquire: if a word came from a newer write, the load below sees its odd number; pairs with the fence in write().
        fence(Ordering::Acquire);
        let entry = Entry { t_ns, half_ns, total, estimated, uncovered_ns };
        (self.sequence.load(Ordering::Relaxed) == wanted).then_some(entry)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    fn entry(value: u64) -> Entry {
        Entry { t_ns: value, half_ns: value, total: value, estimated: value, uncovered_ns: value }
    }

    #[test]
    fn the_last_entries_are_kept_and_older_ones_are_lost() {
        let ring = Ring::new(4);
        (0..10).for_each(|value| ring.push(&entry(value)));
        assert_eq!((ring.oldest(), ring.pushed()), (6, 10));
        assert_eq!(ring.get(5), None);
        assert_eq!(
            (6..10).filter_map(|number| ring.get(number)).collect::<Vec<_>>(),
            (6..10).map(entry).collect::<Vec<_>>()
        );
        assert_eq!(ring.get(10), None);
    }

    #[test]
    fn a_slow_reader_gets_whole_entries_or_is_told_that_it_lost() {
        let ring = Ring::new(8);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // The interpreter of Miri takes some 1,000 times as long.
                (0..if cfg!(miri) { 300 } else { 300_000 }).for_each(|value| ring.push(&entry(value)));
                done.store(true, Ordering::Release);
            });
            let mut read = 0_u64;
            let mut is_last_round = false;
            while !is_last_round {
                // After the writer's end there is a round in any case: on a busy machine it may be the only one.
                is_last_round = done.load(Ordering::Acquire);
                for number in ring.oldest()..ring.pushed() {
                    if let Some(found) = ring.get(number) {
                        assert_eq!(found, entry(number));
                        read += 1;
                    }
                }
            }
            assert!(read > 0);
        });
    }
}
