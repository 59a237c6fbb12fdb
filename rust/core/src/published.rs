//! Words that one thread publishes together and any number of threads read together, without waiting for each other.
//!
//! Publications are numbered; number `n` lives in slot `n % SLOTS`. A slot's sequence number is `2n + 1` while publication
//! `n` is written and `2n + 2` from then on, and `latest` is the number of the last complete one. A reader copies the
//! slot of `latest` and accepts it only as that very publication: were it content with any whole one, it could find a
//! newer in a lapped slot, and go back to an older when it looks again. The writer would have to lap all slots during one
//! copy to make a reader try again.

use crate::sync::{AtomicU64, Ordering, fence};

/// Slots in rotation: a reader fails only if the writer laps three publications within its copy of some 100 ns.
/// The model checker is given two, so that a few publications lap them.
const SLOTS: usize = if cfg!(loom) { 2 } else { 4 };
/// Tries before a reader gives up; a torn slot in a forked child is the only way to use them up.
const TRIES: usize = if cfg!(loom) { 2 } else { 64 };

/// One published copy.
#[derive(Debug)]
struct Slot {
    /// `2n + 1` while publication `n` is written, `2n + 2` when it is whole.
    sequence: AtomicU64,
    words: Box<[AtomicU64]>,
}

/// Words that are published together.
#[derive(Debug)]
pub struct Published {
    slots: [Slot; SLOTS],
    /// Number of the last complete publication.
    latest: AtomicU64,
}

impl Published {
    /// `length` words, all 0: publication 0.
    pub fn new(length: usize) -> Self {
        let published = Self { slots: std::array::from_fn(|_| Slot::new(length)), latest: AtomicU64::new(0) };
        published.slot(0).write(0, std::iter::empty());
        published
    }

    /// Publishes `words`. Only one thread may do so at a time; the panel's writer token sees to that.
    pub fn publish(&self, words: impl Iterator<Item = u64>) {
        // Relaxed: only the writer stores `latest`, and writers follow one another through the token.
        let number = self.latest.load(Ordering::Relaxed) + 1;
        self.slot(number).write(number, words);
        // Release: pairs with the Acquire in read(), so that whoever sees the number sees the words, or newer ones.
        self.latest.store(number, Ordering::Release);
    }

    /// Lets `copy` read the latest words, again if they were overwritten meanwhile; `false` if a writer died in the
    /// middle (a forked child). What it copied stands only if the answer is `true`.
    ///
    /// `copy` loads Relaxed: the sequence number around it tells whether the words belong together.
    pub fn read(&self, mut copy: impl FnMut(&[AtomicU64])) -> bool {
        (0..TRIES).any(|_| {
            // Acquire: pairs with the Release in publish().
            let number = self.latest.load(Ordering::Acquire);
            self.slot(number).read(number, &mut copy)
        })
    }

    #[allow(clippy::cast_possible_truncation)] // the remainder is below SLOTS
    fn slot(&self, number: u64) -> &Slot {
        &self.slots[(number % SLOTS as u64) as usize]
    }
}

impl Slot {
    fn new(length: usize) -> Self {
        Self { sequence: AtomicU64::new(0), words: (0..length).map(|_| AtomicU64::new(0)).collect() }
    }

    fn write(&self, number: u64, values: impl Iterator<Item = u64>) {
        self.sequence.store(2 * number + 1, Ordering::Relaxed);
        // Release: no word below may become visible before the odd number; pairs with the Acquire fence in read().
        fence(Ordering::Release);
        let mut words = self.words.iter();
        // for_each, so that whole states are stored in a row: a loop over `zip` looks anew for the state at each word.
        values.for_each(|value| {
            if let Some(word) = words.next() {
                word.store(value, Ordering::Relaxed);
            }
        });
        // Release: the even number becomes visible after every word; pairs with the first load in read().
        self.sequence.store(2 * number + 2, Ordering::Release);
    }

    fn read(&self, number: u64, copy: &mut impl FnMut(&[AtomicU64])) -> bool {
        let wanted = 2 * number + 2;
        // Acquire: pairs with the Release at the end of write(): the words are at least those of this publication.
        if self.sequence.load(Ordering::Acquire) != wanted {
            return false;
        }
        copy(&self.words);
        // Acquire: if a word came from a newer write, the load below sees its odd number; pairs with the fence in write().
        fence(Ordering::Acquire);
        self.sequence.load(Ordering::Relaxed) == wanted
    }
}
