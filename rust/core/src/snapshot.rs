//! The latest state of every domain, published for any number of readers that never wait for the writer.
//!
//! A few slots of plain atomics are filled in turn. Each carries a sequence number that is odd while it is written;
//! `latest` names the last complete one. A reader copies that slot and accepts it if the number was even and did not
//! change. The writer would have to lap all slots during one copy to make a reader try again.

use crate::sync::{AtomicU64, AtomicUsize, Ordering, fence};

use crate::counter::State;
use crate::error::Fault;

/// Slots in rotation: a reader fails only if the writer laps three publications within its copy of some 100 ns.
/// The model checker is given two, so that a few publications lap them.
const SLOTS: usize = if cfg!(loom) { 2 } else { 4 };
/// Words of one state.
const WORDS: usize = 20;
/// Words of a state's brief form.
pub const BRIEF: usize = 11;
/// Tries before a reader gives up; a torn slot in a forked child is the only way to use them up.
const TRIES: usize = if cfg!(loom) { 3 } else { 64 };

/// The states in a copy of their brief form: totals, times and flags, without what only the next reading needs.
pub fn states(words: &[u64]) -> impl Iterator<Item = State> {
    words.as_chunks().0.iter().map(unpack_brief)
}

/// One published copy.
#[derive(Debug)]
struct Slot {
    /// Odd while the words are being written.
    sequence: AtomicU64,
    words: Box<[AtomicU64]>,
}

/// The published states of all domains of one meter.
#[derive(Debug)]
pub struct Snapshot {
    slots: [Slot; SLOTS],
    /// Index of the last complete slot.
    latest: AtomicUsize,
}

impl Snapshot {
    /// A snapshot of `domains` states, none of them known yet.
    pub fn new(domains: usize) -> Self {
        Self { slots: std::array::from_fn(|_| Slot::new(domains)), latest: AtomicUsize::new(0) }
    }

    /// Publishes `states`. Only one thread may do so at a time; the meter's writer token sees to that.
    pub fn publish(&self, states: &[State]) {
        // Relaxed: only the writer stores `latest`, and writers follow one another through the token.
        let next = (self.latest.load(Ordering::Relaxed) + 1) % SLOTS;
        self.slots[next].write(states);
        // Release: pairs with the Acquire in read(), so that whoever sees the index sees the words.
        self.latest.store(next, Ordering::Release);
    }

    /// Appends the brief form of the latest states, in words: all that a reader in a hurry needs.
    /// `false` and nothing appended if a writer died in the middle (a forked child).
    pub fn copy(&self, words: &mut Vec<u64>) -> bool {
        let start = words.len();
        (0..TRIES).any(|_| {
            words.truncate(start);
            // Acquire: pairs with the Release in publish().
            let latest = self.latest.load(Ordering::Acquire);
            self.slots[latest].copy(words)
        })
    }

    /// Copies the latest states; `false` if a writer died in the middle (a forked child).
    pub fn read(&self, states: &mut [State]) -> bool {
        (0..TRIES).any(|_| {
            // Acquire: pairs with the Release in publish().
            let latest = self.latest.load(Ordering::Acquire);
            self.slots[latest].read(states)
        })
    }
}

impl Slot {
    fn new(domains: usize) -> Self {
        Self { sequence: AtomicU64::new(0), words: (0..domains * WORDS).map(|_| AtomicU64::new(0)).collect() }
    }

    fn write(&self, states: &[State]) {
        let sequence = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(sequence | 1, Ordering::Relaxed);
        // Release: no word below may become visible before the odd number; pairs with the Acquire fence in read().
        fence(Ordering::Release);
        for (words, state) in self.words.chunks_exact(WORDS).zip(states) {
            for (word, value) in words.iter().zip(pack(state)) {
                word.store(value, Ordering::Relaxed);
            }
        }
        // Release: the even number becomes visible after every word; pairs with the first load in read().
        self.sequence.store((sequence | 1) + 1, Ordering::Release);
    }

    fn copy(&self, words: &mut Vec<u64>) -> bool {
        // Relaxed: the sequence number around the copy tells whether these words belong together.
        self.consistently(|| {
            for state in self.words.chunks_exact(WORDS) {
                words.extend(state[..BRIEF].iter().map(|word| word.load(Ordering::Relaxed)));
            }
        })
    }

    fn read(&self, states: &mut [State]) -> bool {
        self.consistently(|| {
            for (words, state) in self.words.chunks_exact(WORDS).zip(states.iter_mut()) {
                // Relaxed: as in copy().
                *state = unpack(&std::array::from_fn(|index| words[index].load(Ordering::Relaxed)));
            }
        })
    }

    /// Whether nothing was written while `copy` ran.
    fn consistently(&self, copy: impl FnOnce()) -> bool {
        // Acquire: pairs with the Release at the end of write(): the words are at least as new as the number.
        let before = self.sequence.load(Ordering::Acquire);
        copy();
        // Acquire: if any word came from a newer write, the number read below is newer too; pairs with the fence in write().
        fence(Ordering::Acquire);
        before.is_multiple_of(2) && self.sequence.load(Ordering::Relaxed) == before
    }
}

/// What a reading shows comes first, in [`BRIEF`] words.
fn pack(state: &State) -> [u64; WORDS] {
    [
        state.t_ns,
        state.total,
        state.estimated,
        state.doubtful,
        state.uncovered_ns,
        state.power_uw,
        state.resets,
        state.ambiguous,
        state.wraps,
        state.faults,
        pack_marks(state),
        state.raw,
        state.half_ns,
        state.edge_ns,
        state.edge_half_ns,
        state.remainder,
        state.since_ns,
        state.before_uw,
        state.span_ns,
        state.span_total,
    ]
}

fn unpack(words: &[u64; WORDS]) -> State {
    let [brief @ .., raw, half_ns, edge_ns, edge_half_ns, remainder, since_ns, before_uw, span_ns, span_total] = *words;
    let state = unpack_brief(&brief);
    State { raw, half_ns, edge_ns, edge_half_ns, remainder, since_ns, before_uw, span_ns, span_total, ..state }
}

fn unpack_brief(words: &[u64; BRIEF]) -> State {
    let [t_ns, total, estimated, doubtful, uncovered_ns, power_uw, resets, ambiguous, wraps, faults, marks] = *words;
    State {
        t_ns,
        total,
        estimated,
        doubtful,
        uncovered_ns,
        power_uw,
        resets,
        ambiguous,
        wraps,
        faults,
        known: marks & 1 == 1,
        failing: marks & 2 == 2,
        stuck: marks & 4 == 4,
        last_fault: unpack_fault(marks >> FAULT_SHIFT),
        ..State::default()
    }
}

fn pack_marks(state: &State) -> u64 {
    u64::from(state.known)
        | u64::from(state.failing) << 1
        | u64::from(state.stuck) << 2
        | pack_fault(state.last_fault) << FAULT_SHIFT
}

/// Bit of the last word at which the fault begins: the errno in 32 bits, its kind above.
const FAULT_SHIFT: u32 = 8;

fn pack_fault(fault: Option<Fault>) -> u64 {
    let (kind, errno) = match fault {
        None => (0, 0),
        Some(Fault::NotPermitted) => (1, 0),
        Some(Fault::Vanished) => (2, 0),
        Some(Fault::Failed(errno)) => (3, errno),
        Some(Fault::Garbage) => (4, 0),
        Some(Fault::Zero) => (5, 0),
        Some(Fault::Stuck) => (6, 0),
    };
    kind << 32 | u64::from(errno.cast_unsigned())
}

fn unpack_fault(bits: u64) -> Option<Fault> {
    #[allow(clippy::cast_possible_truncation)] // the errno is the lower half
    let errno = (bits as u32).cast_signed();
    match bits >> 32 {
        1 => Some(Fault::NotPermitted),
        2 => Some(Fault::Vanished),
        3 => Some(Fault::Failed(errno)),
        4 => Some(Fault::Garbage),
        5 => Some(Fault::Zero),
        6 => Some(Fault::Stuck),
        _ => None,
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    const FAULTS: [Option<Fault>; 7] = [
        None,
        Some(Fault::NotPermitted),
        Some(Fault::Vanished),
        Some(Fault::Failed(-5)),
        Some(Fault::Garbage),
        Some(Fault::Zero),
        Some(Fault::Stuck),
    ];

    fn state(value: u64) -> State {
        State {
            raw: value,
            t_ns: value,
            half_ns: value,
            edge_ns: value,
            edge_half_ns: value,
            remainder: value,
            total: value,
            estimated: value,
            doubtful: value,
            uncovered_ns: value,
            power_uw: value,
            resets: value,
            ambiguous: value,
            wraps: value,
            faults: value,
            since_ns: value,
            before_uw: value,
            span_ns: value,
            span_total: value,
            known: true,
            failing: value % 2 == 1,
            stuck: value % 3 == 1,
            last_fault: FAULTS[usize::try_from(value).unwrap_or(0) % FAULTS.len()],
        }
    }

    #[test]
    fn what_was_published_is_read_back_whole() {
        let snapshot = Snapshot::new(7);
        let states: [State; 7] = std::array::from_fn(|index| state(index as u64));
        snapshot.publish(&states);
        let mut read = [State::default(); 7];
        assert!(snapshot.read(&mut read));
        assert_eq!(read, states);
    }

    #[test]
    fn a_reader_never_sees_half_of_a_publication() {
        let snapshot = Snapshot::new(8);
        snapshot.publish(&[state(0); 8]);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                (1..200_000).for_each(|value| snapshot.publish(&[state(value); 8]));
                done.store(true, Ordering::Release);
            });
            let mut last = 0;
            while !done.load(Ordering::Acquire) {
                let mut read = [State::default(); 8];
                assert!(snapshot.read(&mut read));
                assert!(read.iter().all(|one| *one == state(read[0].raw)), "torn: {read:?}");
                assert!(read[0].raw >= last, "older than before");
                last = read[0].raw;
            }
        });
    }
}
