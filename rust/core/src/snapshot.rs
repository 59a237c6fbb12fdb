//! The latest state of every domain, published for any number of readers that never wait for the writer.

use crate::counter::State;
use crate::error::Fault;
use crate::published::Published;
use crate::sync::Ordering;

/// Words of one state.
const WORDS: usize = 20;
/// Words of a state's brief form.
pub const BRIEF: usize = 11;

/// The published states of all domains of one panel.
#[derive(Debug)]
pub struct Snapshot(Published);

impl Snapshot {
    /// A snapshot of `domains` states, none of them known yet.
    pub fn new(domains: usize) -> Self {
        Self(Published::new(domains * WORDS))
    }

    /// Publishes `states`. Only one thread may do so at a time; the panel's writer token sees to that.
    pub fn publish(&self, states: &[State]) {
        self.0.publish(states.iter().flat_map(pack));
    }

    /// Appends the brief form of the latest states, in words: all that a reader in a hurry needs.
    /// `false` if a writer died in the middle (a forked child).
    pub fn copy(&self, words: &mut Vec<u64>) -> bool {
        let start = words.len();
        self.0.read(|published| {
            words.truncate(start);
            for state in published.chunks_exact(WORDS) {
                // Relaxed: see Published::read().
                words.extend(state[..BRIEF].iter().map(|word| word.load(Ordering::Relaxed)));
            }
        })
    }

    /// Copies the latest states; `false` if a writer died in the middle (a forked child).
    pub fn read(&self, states: &mut [State]) -> bool {
        self.0.read(|published| {
            for (words, state) in published.chunks_exact(WORDS).zip(states.iter_mut()) {
                // Relaxed: see Published::read().
                *state = unpack(&std::array::from_fn(|index| words[index].load(Ordering::Relaxed)));
            }
        })
    }
}

/// The states in a copy of their brief form: totals, times and flags, without what only the next reading needs.
pub fn states(words: &[u64]) -> impl Iterator<Item = State> {
    words.as_chunks().0.iter().map(unpack_brief)
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
    use std::sync::atomic::{AtomicBool, Ordering};

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
                // The interpreter of Miri takes some 1,000 times as long.
                (1..if cfg!(miri) { 50 } else { 200_000 }).for_each(|value| snapshot.publish(&[state(value); 8]));
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
