//! A window on the GPUs: two instants, and what the round finds out about them later. Nothing here calls the driver.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::close::{Closed, Rule};
use super::instant::{Instant, Unknown};
use super::lane::{Lane, State};
use super::latest::Latest;
use super::round::{Found, INIT_LIMIT_NS, Round, Stand};
use crate::clock::{Clock, Monotonic};
use crate::source::sys;
use crate::units::NS_PER_S;

/// How long a result is waited for after the window's end: more than the slowest meter takes for an update.
const PATIENCE_NS: u64 = 3 * NS_PER_S / 2;
/// After so long what is still unsettled stays as it is: updates come no more.
const SETTLED_NS: u64 = 5 * NS_PER_S;
/// Pause between looks while waiting.
const PAUSE: Duration = Duration::from_millis(2);

/// What one GPU tells about a window.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    /// The energy, or why there is none.
    pub closed: Result<Closed, Unknown>,
    /// How it stands with the GPU now.
    pub state: State,
    /// What its meter cannot see.
    pub blind_to: Option<&'static str>,
    /// The counter's energy over the gauge's, where they disagree.
    pub disagreement: Option<f64>,
}

/// What is kept for one GPU beyond its history.
#[derive(Debug, Clone, Copy, Default)]
struct Kept {
    begin: Option<Instant>,
    done: Option<Result<Closed, Unknown>>,
}

/// A window. It keeps the round warm while it is open.
#[derive(Debug)]
pub struct Window {
    round: Arc<Round>,
    t0_ns: u64,
    /// 0 while it is open.
    t1_ns: AtomicU64,
    kept: Mutex<Vec<Kept>>,
}

impl Window {
    /// An open window, which the round was told of.
    pub(super) fn open(round: Arc<Round>, t0_ns: u64) -> Self {
        Self { round, t0_ns, t1_ns: AtomicU64::new(0), kept: Mutex::default() }
    }

    /// Closes the window; a second end changes nothing.
    pub fn end(&self, t1_ns: u64) {
        // AcqRel: whoever sees the end sees all that came before it.
        if self.t1_ns.compare_exchange(0, t1_ns.max(1), Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            self.round.leave();
        }
    }

    /// A window from this one's begin to `t1_ns`; this one stays open.
    pub fn lap(&self, t1_ns: u64) -> Arc<Self> {
        let begins = |kept: &Vec<Kept>| kept.iter().map(|one| Kept { done: None, ..*one }).collect();
        let kept = if self.is_foreign() { Vec::new() } else { begins(&self.lock()) };
        self.followed(self.t0_ns, t1_ns, kept)
    }

    /// A window between two instants of the past.
    pub fn between(&self, t0_ns: u64, t1_ns: u64) -> Arc<Self> {
        if t0_ns == self.t0_ns {
            return self.lap(t1_ns);
        }
        self.followed(t0_ns, t1_ns, Vec::new())
    }

    /// A window that is closed already, and that the round knows of.
    fn followed(&self, t0_ns: u64, t1_ns: u64, kept: Vec<Kept>) -> Arc<Self> {
        let t1_ns = AtomicU64::new(t1_ns.max(1));
        let window = Arc::new(Self { round: self.round.clone(), t0_ns, t1_ns, kept: Mutex::new(kept) });
        self.round.follow(&window);
        window
    }

    /// Lets the GPUs remember a long past from now on, for spans and series that are asked for later.
    pub fn remember(&self) {
        self.round.remember();
    }

    /// Whether the other is of the same walk round the GPUs: then both know the same past.
    pub fn is_beside(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.round, &other.round)
    }

    /// The latest updates of the GPUs that were found, in their order. Nothing waits, and nothing is told after a fork.
    pub fn latest(&self) -> impl Iterator<Item = &Arc<Latest>> {
        self.round.latest().filter(|_| !self.is_foreign())
    }

    /// Its begin.
    pub fn t0_ns(&self) -> u64 {
        self.t0_ns
    }

    /// Whether it was opened before a fork: its round is the parent's, and its locks may be held by lost threads.
    pub fn is_foreign(&self) -> bool {
        self.round.generation() != sys::generation()
    }

    /// How it stands with the GPUs that it is of.
    pub fn stand(&self) -> Stand {
        self.round.stand()
    }

    /// What each GPU of `found` tells now. Nothing waits.
    pub fn answers(&self, found: &Found) -> Vec<Answer> {
        if self.is_foreign() {
            return Vec::new();
        }
        let t1_ns = self.t1_ns.load(Ordering::Acquire);
        let kept = self.lock_for(found);
        found.gpus.iter().zip(&*kept).map(|(gpu, kept)| kept.answer(&gpu.lane(), self.t0_ns, t1_ns)).collect()
    }

    /// Keeps what updates to come can no longer change. True if there is nothing left to keep.
    pub(super) fn settle(&self, found: &Found, is_last: bool) -> bool {
        let t1_ns = self.t1_ns.load(Ordering::Acquire);
        let is_late = t1_ns > 0 && Monotonic.now_ns() > t1_ns + SETTLED_NS;
        let mut kept = self.lock_for(found);
        for (gpu, kept) in found.gpus.iter().zip(&mut *kept) {
            kept.settle(&gpu.lane(), self.t0_ns, t1_ns, is_late || is_last);
        }
        t1_ns > 0 && kept.iter().all(|one| one.done.is_some())
    }

    /// Whether every GPU has told what it can: the first answer, or the last with `settled`.
    pub fn is_ready(&self, settled: bool) -> bool {
        match self.stand() {
            Stand::Starting => false,
            Stand::Failed(_) => true,
            Stand::Ready(found) => {
                self.answers(&found).iter().all(|answer| is_final(answer, settled)) || self.round.is_over()
            }
        }
    }

    /// Waits until it is ready, at most `limit`, or by default as long as an update or a start of the driver may take.
    /// True if it is ready.
    pub fn wait(&self, settled: bool, limit: Option<Duration>) -> bool {
        let now_ns = Monotonic.now_ns();
        let patience_ns = (self.t1_ns.load(Ordering::Acquire) + PATIENCE_NS)
            .max(self.round.begun_ns() + INIT_LIMIT_NS + PATIENCE_NS)
            .saturating_sub(now_ns);
        let limit = limit.unwrap_or(Duration::from_nanos(patience_ns));
        let begun = std::time::Instant::now();
        while !self.is_ready(settled) {
            if begun.elapsed() >= limit {
                return false;
            }
            std::thread::sleep(PAUSE);
        }
        true
    }

    /// One place for each GPU: some are found later than others.
    fn lock_for(&self, found: &Found) -> std::sync::MutexGuard<'_, Vec<Kept>> {
        let mut kept = self.lock();
        if kept.len() < found.gpus.len() {
            kept.resize(found.gpus.len(), Kept::default());
        }
        kept
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.end(1);
    }
}

impl Kept {
    fn answer(&self, lane: &Lane, t0_ns: u64, t1_ns: u64) -> Answer {
        Answer {
            closed: self.done.unwrap_or_else(|| self.closed(lane, t0_ns, t1_ns)),
            state: lane.state(),
            blind_to: lane.blind_to(),
            disagreement: lane.agreement().disagreement(),
        }
    }

    fn closed(&self, lane: &Lane, t0_ns: u64, t1_ns: u64) -> Result<Closed, Unknown> {
        match &self.begin {
            Some(begin) => lane.window_from(begin, t1_ns),
            None => lane.window(t0_ns, t1_ns),
        }
    }

    fn settle(&mut self, lane: &Lane, t0_ns: u64, t1_ns: u64, is_last: bool) {
        if self.begin.is_none() {
            self.begin = lane.instant(t0_ns).ok().filter(|begin| begin.is_settled);
        }
        if t1_ns > 0 && self.done.is_none() {
            let closed = self.closed(lane, t0_ns, t1_ns);
            self.done = Some(closed).filter(|closed| is_last || matches!(closed, Ok(closed) if closed.is_settled));
        }
    }
}

fn is_final(answer: &Answer, settled: bool) -> bool {
    match answer.closed {
        // What a lost GPU drew after its last update is told when it comes back, if it does.
        Ok(closed) => !settled || closed.is_settled || closed.end == Rule::Lost,
        Err(Unknown::Pending) => false,
        Err(Unknown::Forgotten | Unknown::Silent) => true,
    }
}
