//! The thread that reads when nobody else does: often enough that no counter goes round twice between two readings, and
//! that a meter which is set anew, stands still or goes away is found out while something is known of its power.
//!
//! It is started by the first window on a counter that wraps, so that no window pays for it, and ends by itself when no
//! window was open for a while. It touches nothing but the panel: no Python, no log.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::choice::Domain;
use crate::domain::{Range, Signal};
use crate::panel::{Buffers, Panel};
use crate::source::sys;
use crate::units::{MICRO, NS_PER_S};

/// Longest pause between two readings. Wraps alone would allow 30 s (law 3); but of what went wrong between two readings
/// no more is known than their distance, and one wake-up a second is less than 0.01 % of a core (docs/overhead.md).
const LONGEST_PERIOD_NS: u64 = NS_PER_S;
/// A gauge has a pace of its own, beyond which nothing new can be read.
const SLOWEST_GAUGE_NS: u64 = 30 * NS_PER_S;
/// Periods without a window after which the thread ends: starting it anew costs the next window more than they do.
const IDLE_PERIODS: u32 = 30;
/// Shortest: a range that would ask for more is a test's, and a hundred readings a second are cheap.
const SHORTEST_PERIOD_NS: u64 = NS_PER_S / 100;
/// Range assumed for a perf count whose hardware unit neither the PMU nor powercap tells: the smallest known, 16,384 J.
const ASSUMED_RANGE_UJ: u64 = 16_384 * MICRO;
/// Tries for a lock that a lost thread of a forked parent may hold for ever.
const LOCK_TRIES: usize = 1_000;

/// How often the panel must be read while a window is open; `None` if none of its counters wraps and it has no gauge.
pub fn keep_alive_period_ns(domains: &[Domain]) -> Option<u64> {
    domains.iter().filter_map(period_ns).min()
}

/// `min(1 s, R / (4 Pmax))`.
///
/// A gauge is read once a tick: what it showed between two readings nobody can tell later.
fn period_ns(domain: &Domain) -> Option<u64> {
    let channel = &domain.channel;
    if matches!(channel.signal, Signal::Gauge(_)) {
        return Some(channel.tick_ns.clamp(SHORTEST_PERIOD_NS, SLOWEST_GAUGE_NS));
    }
    let range_uj = match channel.range {
        Range::Modulo(range) | Range::Drops(range) => channel.scale.microjoules(range),
        Range::PowerOfTwo => ASSUMED_RANGE_UJ,
        Range::Unbounded => return None,
    };
    let seconds_over = |power_uw: u64| u128::from(range_uj) * u128::from(NS_PER_S) / u128::from(power_uw.max(1)) / 4;
    let period = u64::try_from(seconds_over(channel.max_power_uw)).unwrap_or(LONGEST_PERIOD_NS);
    Some(period.clamp(SHORTEST_PERIOD_NS, LONGEST_PERIOD_NS))
}

/// Keeps a panel's counters followed while windows are open.
#[derive(Debug)]
pub struct KeepAlive {
    panels: Vec<Arc<Panel>>,
    period_ns: Option<u64>,
    /// Windows open now.
    open: AtomicU64,
    /// Fork generation in which the thread runs; 0 when it does not.
    running: AtomicU64,
    /// Fork generation of the thread that holds the lock below to revive the thread; 0 when none does.
    reviving: AtomicU64,
    /// The running thread. Held only to start, to stop and to let go.
    thread: Mutex<Option<Running>>,
}

/// A running thread and its stop signal.
#[derive(Debug)]
struct Running {
    stop: Arc<Stop>,
    handle: JoinHandle<()>,
    generation: u64,
}

impl Running {
    /// Stops the thread and waits for it; not for one that stayed in the parent of a fork, nor for itself.
    fn end(self) {
        if self.generation != sys::generation() {
            std::mem::forget(self.handle);
            return;
        }
        self.stop.ask();
        if self.handle.thread().id() != std::thread::current().id() {
            let _ = self.handle.join();
        }
    }
}

#[derive(Debug, Default)]
struct Stop {
    asked: Mutex<bool>,
    wake: Condvar,
}

impl Stop {
    fn ask(&self) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.wake.notify_all();
    }

    /// Waits for a period; true if asked to stop meanwhile.
    fn wait(&self, period: Duration) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.wake.wait_timeout_while(asked, period, |asked| !*asked);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl KeepAlive {
    /// A keep-alive for those of `panels` whose counters wrap or that have gauges; starts nothing.
    pub fn new(mut panels: Vec<Arc<Panel>>) -> Self {
        sys::watch_forks();
        panels.retain(|panel| keep_alive_period_ns(panel.domains()).is_some());
        Self {
            period_ns: panels.iter().filter_map(|panel| keep_alive_period_ns(panel.domains())).min(),
            panels,
            open: AtomicU64::new(0),
            running: AtomicU64::new(0),
            reviving: AtomicU64::new(0),
            thread: Mutex::new(None),
        }
    }

    /// A window opens: from now on the counters are followed.
    pub fn enter(self: &Arc<Self>) {
        // SeqCst: with the load below it orders this against the thread's "running = 0, then look at open" in lapse():
        // one of the two sees the other.
        self.open.fetch_add(1, Ordering::SeqCst);
        if self.period_ns.is_some() && self.running.load(Ordering::SeqCst) != sys::generation() {
            self.revive();
        }
    }

    /// A window closes.
    pub fn leave(&self) {
        // SeqCst: as in enter().
        self.open.fetch_sub(1, Ordering::SeqCst);
    }

    /// Stops the thread and waits for it; a window opened later starts it again.
    pub fn stop(&self) {
        let running = try_lock(&self.thread).and_then(|mut thread| {
            self.running.store(0, Ordering::SeqCst);
            thread.take()
        });
        if let Some(running) = running {
            running.end();
        }
    }

    fn revive(self: &Arc<Self>) {
        let Some(mut thread) = self.wait_for_thread() else { return };
        // Relaxed: it only tells how long to wait, and the lock orders the rest.
        self.reviving.store(sys::generation(), Ordering::Relaxed);
        self.revive_locked(&mut thread);
        self.reviving.store(0, Ordering::Relaxed);
    }

    /// The lock, however long another thread is at reviving: a window that went on meanwhile would begin on states that
    /// nobody has brought up to now. `None` where the holder stayed in the parent of a fork.
    fn wait_for_thread(&self) -> Option<MutexGuard<'_, Option<Running>>> {
        loop {
            let thread = try_lock(&self.thread);
            // Relaxed: see revive().
            if thread.is_some() || self.reviving.load(Ordering::Relaxed) != sys::generation() {
                return thread;
            }
        }
    }

    fn revive_locked(self: &Arc<Self>, thread: &mut Option<Running>) {
        let before = self.running.load(Ordering::SeqCst);
        if before == sys::generation() {
            return;
        }
        let period_ns = self.period_ns.unwrap_or(0);
        for panel in &self.panels {
            let mut buffers = panel.buffers();
            // Not 0: the child of a fork. Its parent's thread read until just now, and windows may be open.
            if before == 0 {
                panel.resume(&mut buffers, period_ns);
            } else {
                panel.tick(&mut buffers);
            }
        }
        if let Some(lost) = std::mem::replace(thread, self.spawn()) {
            lost.end();
        }
        if thread.is_some() {
            self.running.store(sys::generation(), Ordering::SeqCst);
        }
    }

    /// Starts the thread. Where the machine has no thread left, windows work all the same; those long enough for two
    /// wraps are flagged ambiguous.
    fn spawn(self: &Arc<Self>) -> Option<Running> {
        let stop = Arc::new(Stop::default());
        let period = Duration::from_nanos(self.period_ns?);
        let (keeper, signal) = (Arc::downgrade(self), stop.clone());
        let thread = std::thread::Builder::new().name("eco2ai-keepalive".to_owned());
        let handle = thread.spawn(move || follow(&keeper, &signal, period)).ok()?;
        Some(Running { stop, handle, generation: sys::generation() })
    }

    /// Ends the thread's turn if no window is open; true if it may go.
    fn lapse(&self) -> bool {
        let Some(mut thread) = try_lock(&self.thread) else { return false };
        self.running.store(0, Ordering::SeqCst);
        if self.open.load(Ordering::SeqCst) > 0 {
            self.running.store(sys::generation(), Ordering::SeqCst);
            return false;
        }
        let own = std::thread::current().id();
        thread.take_if(|running| running.handle.thread().id() == own);
        true
    }
}

impl Drop for KeepAlive {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The thread: reads once a period until it is stopped, its keeper is gone, or no window was open for long.
fn follow(keeper: &Weak<KeepAlive>, stop: &Stop, period: Duration) {
    let mut idle = 0;
    let mut buffers: Vec<Buffers> = match keeper.upgrade() {
        Some(keeper) => keeper.panels.iter().map(|panel| panel.buffers()).collect(),
        None => return,
    };
    while !stop.wait(period) {
        let Some(keeper) = keeper.upgrade() else { return };
        keeper.panels.iter().zip(&mut buffers).for_each(|(panel, buffers)| {
            panel.tick(buffers);
        });
        idle = if keeper.open.load(Ordering::SeqCst) == 0 { idle + 1 } else { 0 };
        if idle >= IDLE_PERIODS && keeper.lapse() {
            return;
        }
    }
}

/// Locks without ever waiting for a thread that a fork left behind.
pub fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    for _ in 0..LOCK_TRIES {
        match mutex.try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => std::thread::yield_now(),
        }
    }
    None
}
