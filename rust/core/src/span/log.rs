//! The log of one thread: its begins and ends, appended without a lock, drained by the resolver.
//!
//! A log is a chain of segments of plain atomics. Only its thread writes; `written` says how far, and `next` that the
//! thread went on to another segment. Drained segments are used again, so that a thread in its stride asks for no memory.

use std::sync::{Arc, Mutex, OnceLock};

use crate::keepalive::try_lock;
use crate::sync::{AtomicU64, AtomicUsize, Ordering};

/// Words of a segment: 32 KiB, some 580 spans.
const WORDS: usize = 1 << 12;
/// Words of a log's first segment, for threads that come and go: 1 KiB, 18 spans.
const FIRST_WORDS: usize = 1 << 7;
/// Words that wait to be drained, over all threads: 128 MiB, 2.4 million spans. Beyond, new spans are dropped and
/// counted; ends are always taken, and there are no more of them than open spans.
const MOST_WORDS: usize = 1 << 24;
/// Drained segments that are kept for further use.
const MOST_SPARES: usize = 64;
/// Attributes of one span.
pub const MOST_ATTRIBUTES: usize = 8;

const BEGIN: u64 = 1;
const END: u64 = 2;

/// The value of an attribute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// A count or any other whole number.
    Whole(i64),
    /// Any number.
    Number(f64),
    /// A word, by its code.
    Word(u32),
}

/// An attribute: the code of its key, and its value.
pub type Attribute = (u32, Value);

/// An attribute as it stands in a log.
pub type Packed = [u64; 2];

/// What a thread tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Event<'a> {
    /// A span began.
    Begin(Begin),
    /// A span ended.
    End {
        /// The span.
        id: u64,
        /// When, on the meter's clock.
        t_ns: u64,
        /// Whether an exception ended it.
        failed: bool,
        /// What its user said of it.
        attributes: &'a [Packed],
    },
}

/// The begin of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begin {
    /// The span: no other of this process has this number.
    pub id: u64,
    /// Code of its name.
    pub name: u32,
    /// Code of the stage it began in; 0 is none.
    pub stage: u16,
    /// What it nests within: a thread, a task, whatever the user names.
    pub lane: u64,
    /// When, on the meter's clock.
    pub t_ns: u64,
}

/// A piece of a log.
#[derive(Debug)]
struct Segment {
    words: Box<[AtomicU64]>,
    /// Words that hold whole events; only the log's thread stores it.
    written: AtomicUsize,
    /// Where the log goes on; set once, after the last word.
    next: OnceLock<Arc<Segment>>,
}

impl Segment {
    fn new(words: usize) -> Self {
        let words = (0..words).map(|_| AtomicU64::new(0)).collect();
        Self { words, written: AtomicUsize::new(0), next: OnceLock::new() }
    }
}

/// What all logs of a recorder share: drained segments, and how many words are under way.
#[derive(Debug, Default)]
pub struct Pool {
    spares: Mutex<Vec<Segment>>,
    in_flight: AtomicUsize,
}

impl Pool {
    /// Whether no further span should begin.
    pub fn is_full(&self) -> bool {
        // Relaxed: a bound of memory, not of order.
        self.in_flight.load(Ordering::Relaxed) >= MOST_WORDS
    }

    fn take(&self) -> Arc<Segment> {
        self.in_flight.fetch_add(WORDS, Ordering::Relaxed);
        // The resolver may hold the lock for an instant: rather ask for memory than wait.
        let spare = self.spares.try_lock().ok().and_then(|mut spares| spares.pop());
        Arc::new(spare.unwrap_or_else(|| Segment::new(WORDS)))
    }

    fn first(&self) -> Arc<Segment> {
        self.in_flight.fetch_add(FIRST_WORDS, Ordering::Relaxed);
        Arc::new(Segment::new(FIRST_WORDS))
    }

    fn give_back(&self, segment: Arc<Segment>) {
        self.in_flight.fetch_sub(segment.words.len(), Ordering::Relaxed);
        let Ok(mut segment) = Arc::try_unwrap(segment) else { return };
        segment.next = OnceLock::new();
        segment.written.store(0, Ordering::Relaxed);
        let spares = try_lock(&self.spares).filter(|spares| spares.len() < MOST_SPARES);
        if let Some(mut spares) = spares.filter(|_| segment.words.len() == WORDS) {
            spares.push(segment);
        }
    }
}

/// The writing end of a log; its thread owns it.
#[derive(Debug)]
pub struct Writer {
    pool: Arc<Pool>,
    segment: Arc<Segment>,
    at: usize,
}

/// The reading end of a log; the resolver owns it.
#[derive(Debug)]
pub struct Reader {
    segment: Arc<Segment>,
    at: usize,
}

/// A new log.
pub fn open(pool: &Arc<Pool>) -> (Writer, Reader) {
    let segment = pool.first();
    (Writer { pool: pool.clone(), segment: segment.clone(), at: 0 }, Reader { segment, at: 0 })
}

impl Writer {
    /// Notes a begin; false if the memory for what waits to be drained is used up.
    pub fn begin(&mut self, begin: &Begin) -> bool {
        if self.at + 4 > self.segment.words.len() && self.pool.is_full() {
            return false;
        }
        let head = BEGIN | u64::from(begin.stage) << 16 | u64::from(begin.name) << 32;
        self.append(&[head, begin.id, begin.lane, begin.t_ns]);
        true
    }

    /// Notes an end; of the attributes, the first [`MOST_ATTRIBUTES`].
    pub fn end(&mut self, id: u64, t_ns: u64, failed: bool, attributes: &[Packed]) {
        let count = attributes.len().min(MOST_ATTRIBUTES);
        let mut words = [0; 3 + 2 * MOST_ATTRIBUTES];
        words[0] = END | u64::from(failed) << 8 | (count as u64) << 16;
        (words[1], words[2]) = (id, t_ns);
        for (pair, attribute) in words[3..].chunks_exact_mut(2).zip(attributes) {
            pair.copy_from_slice(attribute);
        }
        self.append(&words[..3 + 2 * count]);
    }

    fn append(&mut self, words: &[u64]) {
        if self.at + words.len() > self.segment.words.len() {
            self.turn();
        }
        for (slot, word) in self.segment.words[self.at..].iter().zip(words) {
            slot.store(*word, Ordering::Relaxed);
        }
        self.at += words.len();
        // Release: pairs with the Acquire in Reader::drain(): whoever sees the number sees the words.
        self.segment.written.store(self.at, Ordering::Release);
    }

    fn turn(&mut self) {
        let next = self.pool.take();
        // Only this thread sets it, and once: the segment is left behind here.
        let _ = self.segment.next.set(next.clone());
        (self.segment, self.at) = (next, 0);
    }
}

impl Reader {
    /// Hands over what was noted since the last call.
    pub fn drain(&mut self, pool: &Pool, mut tell: impl FnMut(Event<'_>)) {
        loop {
            // Looked at before `written`: a thread that went on had written its last word here.
            let next = self.segment.next.get().cloned();
            // Acquire: pairs with the Release in Writer::append().
            let written = self.segment.written.load(Ordering::Acquire);
            while self.at < written {
                self.at += decode(&self.segment.words[self.at..written], &mut tell);
            }
            let Some(next) = next else { return };
            pool.give_back(std::mem::replace(&mut self.segment, next));
            self.at = 0;
        }
    }

    /// Whether the thread is gone and all it noted was drained.
    pub fn is_done(&self) -> bool {
        // The thread's writer holds the last segment as long as it lives.
        Arc::strong_count(&self.segment) == 1
            && self.segment.next.get().is_none()
            && self.at == self.segment.written.load(Ordering::Acquire)
    }

    /// Gives the last segment back.
    pub fn close(self, pool: &Pool) {
        pool.give_back(self.segment);
    }
}

/// Reads one event; the number of its words.
#[allow(clippy::cast_possible_truncation)] // fields of a word are cut out of it
fn decode(words: &[AtomicU64], tell: &mut impl FnMut(Event<'_>)) -> usize {
    let word = |index: usize| words[index].load(Ordering::Relaxed);
    let head = word(0);
    if head & 0xFF == BEGIN {
        let (stage, name) = ((head >> 16) as u16, (head >> 32) as u32);
        tell(Event::Begin(Begin { id: word(1), name, stage, lane: word(2), t_ns: word(3) }));
        return 4;
    }
    let count = (head >> 16) as usize & 0xFF;
    let mut attributes = [[0; 2]; MOST_ATTRIBUTES];
    for (index, attribute) in attributes.iter_mut().enumerate().take(count) {
        *attribute = [word(3 + 2 * index), word(4 + 2 * index)];
    }
    let failed = head >> 8 & 1 == 1;
    tell(Event::End { id: word(1), t_ns: word(2), failed, attributes: &attributes[..count] });
    3 + 2 * count
}

/// An attribute in two words.
pub fn pack((key, value): Attribute) -> Packed {
    let (kind, bits) = match value {
        Value::Whole(number) => (0, number.cast_unsigned()),
        Value::Number(number) => (1, number.to_bits()),
        Value::Word(code) => (2, u64::from(code)),
    };
    [u64::from(key) << 32 | kind, bits]
}

/// The attribute in two words.
#[allow(clippy::cast_possible_truncation)] // see decode()
pub fn unpack([head, bits]: Packed) -> Attribute {
    let value = match head & 0xFF {
        0 => Value::Whole(bits.cast_signed()),
        1 => Value::Number(f64::from_bits(bits)),
        _ => Value::Word(bits as u32),
    };
    ((head >> 32) as u32, value)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn begin(id: u64) -> Begin {
        Begin { id, name: 7, stage: 3, lane: u64::MAX, t_ns: 1_000 + id }
    }

    #[test]
    fn what_a_thread_notes_is_handed_over_in_order_and_whole() {
        let pool = Arc::new(Pool::default());
        let (mut writer, mut reader) = open(&pool);
        let said = [(1, Value::Whole(-5)), (2, Value::Number(0.25)), (3, Value::Word(9))];
        let attributes = said.map(pack);
        assert_eq!(attributes.map(unpack), said);
        let (mut begun, mut ended) = (0, 0);
        for round in 0..3 {
            for id in round * 5_000..(round + 1) * 5_000 {
                assert!(writer.begin(&begin(id)));
                writer.end(id, 2_000 + id, id % 2 == 1, &attributes);
            }
            reader.drain(&pool, |event| match event {
                Event::Begin(told) => {
                    assert_eq!(told, begin(begun));
                    begun += 1;
                }
                Event::End { id, t_ns, failed, attributes: told } => {
                    assert_eq!((id, t_ns, failed, told), (ended, 2_000 + ended, ended % 2 == 1, &attributes[..]));
                    ended += 1;
                }
            });
        }
        assert_eq!((begun, ended), (15_000, 15_000));
        assert_eq!(pool.in_flight.load(Ordering::Relaxed), WORDS);
    }

    #[test]
    fn a_log_that_nobody_drains_stops_at_its_bound_and_takes_every_end() {
        let pool = Arc::new(Pool::default());
        let (mut writer, mut reader) = open(&pool);
        let taken = (0..5_000_000).take_while(|id| writer.begin(&begin(*id))).count() as u64;
        assert!(taken < 5_000_000);
        (0..taken).for_each(|id| writer.end(id, 0, false, &[]));
        let mut told = 0;
        reader.drain(&pool, |_| told += 1);
        assert_eq!(told, 2 * taken);
        assert!(writer.begin(&begin(1)));
    }

    #[test]
    fn a_log_is_done_when_its_thread_is_gone_and_it_was_drained() {
        let pool = Arc::new(Pool::default());
        let (mut writer, mut reader) = open(&pool);
        writer.begin(&begin(1));
        drop(writer);
        assert!(!reader.is_done());
        reader.drain(&pool, |_| ());
        assert!(reader.is_done());
        reader.close(&pool);
        assert_eq!(pool.in_flight.load(Ordering::Relaxed), 0);
    }
}
