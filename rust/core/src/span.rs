//! Spans: two marks for each, whose energy is found later.
//!
//! The thread that runs a span reads the clock and appends a few words to a log of its own at each end, and does nothing
//! else. A resolver drains the logs four times a second, and whenever somebody asks, and looks up the energy at each mark
//! before the history has gone round. So a span costs the same whatever is measured, and may last for days.
//!
//! Memory is bounded twice, and what did not fit is counted: marks that wait to be drained ([`log`]), and spans that are
//! kept ([`kept`]).

pub mod book;
pub mod kept;
pub mod level;
pub mod log;
pub mod nest;
pub mod share;
pub mod table;

use std::cell::RefCell;
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::clock::Clock;
use crate::error::Error;
use crate::keepalive::try_lock;
use crate::panel::Panel;
use crate::source::sys;
use crate::units::NS_PER_S;
use book::Book;
use level::{domains, settle};
use log::{Begin, Packed, Pool, Reader, Writer};
use table::Table;

/// Time between two passes of the resolver: a small part of the shortest history, 16 s, and less than it takes threads to
/// fill the logs.
const PASS_NS: u64 = NS_PER_S / 4;
/// Bits of a span's number that count within its thread.
const SEQUENCE_BITS: u32 = 40;
/// Lanes that are no threads have this bit.
pub const NAMED_LANE: u64 = 1 << 63;

/// The stage that spans of this process now begin in; 0 is none.
static STAGE: AtomicU16 = AtomicU16::new(0);
/// Number of the next log of this process; 0 is none.
static NEXT_LANE: AtomicU64 = AtomicU64::new(1);
/// Number of the next recorder.
static NEXT_RECORDER: AtomicU64 = AtomicU64::new(1);

thread_local! {
    /// The logs that this thread writes, one for each recorder.
    static LOGS: RefCell<Vec<Own>> = const { RefCell::new(Vec::new()) };
}

/// A thread's own end of a log.
#[derive(Debug)]
struct Own {
    recorder: u64,
    generation: u64,
    lane: u64,
    /// Number of the next span.
    next_id: u64,
    writer: Writer,
    /// Gone when the recorder is.
    alive: Weak<()>,
}

/// Says in which stage spans begin from now on, in all threads.
pub fn set_stage(stage: u16) {
    // Relaxed: a label; the threads that it concerns are told by other means when to work.
    STAGE.store(stage, Ordering::Relaxed);
}

/// What was lost, by cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Losses {
    /// Spans that were not recorded, since their threads were faster than the resolver.
    pub dropped: u64,
    /// Spans that made way for newer ones.
    pub overwritten: u64,
    /// Ends without a begin.
    pub unmatched: u64,
}

/// The spans of one meter.
pub struct Spans {
    number: u64,
    panels: Vec<Arc<Panel>>,
    /// Sees to it that the panels are read in the child of a fork.
    follow_fork: Box<dyn Fn() + Send + Sync>,
    clock: Arc<dyn Clock>,
    capacity: usize,
    pool: Arc<Pool>,
    /// Logs that the resolver has not seen yet, with their generation.
    opened: Mutex<Vec<(u64, Reader)>>,
    /// This process's book, and the fork generation that it belongs to. Held for an instant, unlike the book itself.
    book: Mutex<(u64, Arc<Mutex<Book>>)>,
    dropped: AtomicU64,
    /// The resolver's stop signal, and the fork generation that it runs in.
    resolver: Mutex<Option<(u64, Arc<AtomicU32>)>>,
    alive: Arc<()>,
}

impl Spans {
    /// Spans on a meter's clock; the newest `capacity` of them are kept. With 0 nothing is recorded at all.
    ///
    /// `follow_fork` is called where a new thread, or the child of a fork, begins its first span.
    pub fn new(
        panels: &[Arc<Panel>],
        clock: &Arc<dyn Clock>,
        capacity: usize,
        follow_fork: impl Fn() + Send + Sync + 'static,
    ) -> Arc<Self> {
        sys::watch_forks();
        Arc::new(Self {
            number: NEXT_RECORDER.fetch_add(1, Ordering::Relaxed),
            panels: panels.to_vec(),
            follow_fork: Box::new(follow_fork),
            clock: clock.clone(),
            capacity,
            pool: Arc::default(),
            opened: Mutex::default(),
            book: Mutex::new((sys::generation(), new_book(panels, capacity))),
            dropped: AtomicU64::new(0),
            resolver: Mutex::default(),
            alive: Arc::default(),
        })
    }

    /// The time on the meter's clock.
    pub fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    /// Begins a span; its number, or 0 if there was no room for it, or none is kept. Its lane is the thread unless one is given.
    pub fn begin(self: &Arc<Self>, name: u32, lane: Option<u64>) -> u64 {
        if self.capacity == 0 {
            return 0;
        }
        let begun = self.with_log(|own| {
            let id = own.next_id;
            let stage = STAGE.load(Ordering::Relaxed);
            let begin = Begin { id, name, stage, lane: lane.unwrap_or(own.lane), t_ns: self.clock.now_ns() };
            own.writer.begin(&begin).then(|| {
                own.next_id += 1;
                id
            })
        });
        begun.unwrap_or_else(|| {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            0
        })
    }

    /// Ends a span at `t_ns`, in any thread.
    pub fn end(self: &Arc<Self>, id: u64, t_ns: u64, failed: bool, attributes: &[Packed]) {
        if id != 0 {
            self.with_log(|own| {
                own.writer.end(id, t_ns, failed, attributes);
                Some(())
            });
        }
    }

    /// This thread's log. `None` while the thread is being torn down, or where the list of logs stays locked after a fork.
    fn with_log<T>(self: &Arc<Self>, write: impl FnOnce(&mut Own) -> Option<T>) -> Option<T> {
        LOGS.try_with(|logs| {
            let mut logs = logs.try_borrow_mut().ok()?;
            let generation = sys::generation();
            let mine = |own: &Own| own.recorder == self.number && own.generation == generation;
            if let Some(place) = logs.iter().position(mine) {
                return write(&mut logs[place]);
            }
            logs.retain(|own| own.alive.strong_count() > 0 && own.generation == generation);
            logs.push(self.open_log(generation)?);
            logs.last_mut().and_then(write)
        })
        .ok()
        .flatten()
    }

    #[cold]
    fn open_log(self: &Arc<Self>, generation: u64) -> Option<Own> {
        (self.follow_fork)();
        if self.resolver.try_lock().is_ok_and(|resolver| resolver.is_some()) {
            // Where there is no thread to be had, marks are resolved when somebody asks.
            let _ = self.start();
        }
        if self.pool.is_full() {
            return None;
        }
        let (writer, reader) = log::open(&self.pool);
        try_lock(&self.opened)?.push((generation, reader));
        let lane = NEXT_LANE.fetch_add(1, Ordering::Relaxed);
        let next_id = (lane << SEQUENCE_BITS) + 1;
        Some(Own { recorder: self.number, generation, lane, next_id, writer, alive: Arc::downgrade(&self.alive) })
    }

    /// Every span as it is known now, over the domains at the given places, and what was lost.
    pub fn table(&self, places: &[usize]) -> Result<(Table, Losses), Error> {
        let now_ns = self.clock.now_ns();
        settle(&self.panels, now_ns);
        self.with_book(now_ns, |book| {
            let losses = Losses {
                dropped: self.dropped.load(Ordering::Relaxed),
                overwritten: book.overwritten(),
                unmatched: book.unmatched,
            };
            (book.table(&self.panels, places, now_ns), losses)
        })
    }

    /// The distance of two changes of the slowest curve, lately: heights closer than that err together.
    pub fn grain_ns(&self) -> u64 {
        level::grain_ns(&self.panels)
    }

    /// Forgets every span that has ended.
    pub fn forget(&self) -> Result<(), Error> {
        self.with_book(self.clock.now_ns(), Book::forget)
    }

    /// Gives energy to all marks that are old enough: what the resolver does four times a second.
    pub fn resolve(&self) -> Result<(), Error> {
        self.with_book(self.clock.now_ns(), |_| ())
    }

    /// The book after a pass.
    fn with_book<T>(&self, now_ns: u64, work: impl FnOnce(&mut Book) -> T) -> Result<T, Error> {
        let generation = sys::generation();
        let book = self.book_of(generation)?;
        let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = std::mem::take(&mut *try_lock(&self.opened).ok_or(Error::Busy)?);
        book.take_over(opened.into_iter().filter(|(born, _)| *born == generation).map(|(_, reader)| reader));
        book.pass(&self.panels, &self.pool, now_ns);
        Ok(work(&mut book))
    }

    /// The book of this process. The child of a fork begins a new one: what happened before is its parent's to tell.
    fn book_of(&self, generation: u64) -> Result<Arc<Mutex<Book>>, Error> {
        let mut current = try_lock(&self.book).ok_or(Error::Busy)?;
        if current.0 != generation {
            let inherited = std::mem::replace(&mut *current, (generation, new_book(&self.panels, self.capacity)));
            // A thread of the parent's may have been in the middle of it, so that it must neither be locked nor dropped.
            std::mem::forget(inherited);
        }
        Ok(current.1.clone())
    }

    /// Starts the resolver, a thread that wakes four times a second; one that runs goes on.
    pub fn start(self: &Arc<Self>) -> Result<(), Error> {
        let mut resolver = try_lock(&self.resolver).ok_or(Error::Busy)?;
        let generation = sys::generation();
        if resolver.as_ref().is_none_or(|(born, _)| *born != generation) {
            let stop = Arc::new(AtomicU32::new(0));
            let work = (Arc::downgrade(self), stop.clone());
            let thread = std::thread::Builder::new().name("eco2ai-spans".to_owned());
            thread.spawn(move || follow(&work.0, &work.1)).map_err(Error::NoThread)?;
            *resolver = Some((generation, stop));
        }
        Ok(())
    }

    /// Resolves what can be resolved and ends the resolver. Spans can be taken and asked for all the same.
    pub fn stop(&self) {
        let _ = self.resolve();
        self.dismiss();
    }

    fn dismiss(&self) {
        if let Some((_, stop)) = try_lock(&self.resolver).and_then(|mut resolver| resolver.take()) {
            // Release: pairs with the Acquire in follow().
            stop.store(1, Ordering::Release);
            sys::wake(&stop);
        }
    }
}

fn new_book(panels: &[Arc<Panel>], capacity: usize) -> Arc<Mutex<Book>> {
    Arc::new(Mutex::new(Book::new(domains(panels).count(), capacity)))
}

impl std::fmt::Debug for Spans {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Spans").field("number", &self.number).field("book", &self.book).finish_non_exhaustive()
    }
}

impl Drop for Spans {
    fn drop(&mut self) {
        self.dismiss();
    }
}

/// The resolver: a pass every quarter of a second until it is told to stop or its spans are gone.
fn follow(spans: &Weak<Spans>, stop: &AtomicU32) {
    loop {
        sys::sleep_until(stop, sys::clock_ns(sys::ClockId::Monotonic) + PASS_NS);
        if stop.load(Ordering::Acquire) != 0 {
            return;
        }
        let Some(spans) = spans.upgrade() else { return };
        // Busy means that somebody asks right now, which is a pass as well.
        let _ = spans.resolve();
    }
}
