//! The thread that walks round the GPUs: started for the first window, warm for a while after the last.
//!
//! A sick driver hangs in its init. Nobody waits for this thread: what it has found is looked at, and after a limit the
//! GPUs count as failed until it comes back. It never touches Python.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use super::lane::Lane;
use super::latest::Latest;
use super::patrol::{Card, Patrol};
use super::window::Window;
use crate::clock::{Clock, Monotonic};
use crate::source::Availability;
use crate::source::nvml::code::Code;
use crate::source::nvml::device::Device;
use crate::source::nvml::probe::Scope;
use crate::source::sys;
use crate::units::NS_PER_S;

/// Time after which a start that has not come back counts as failed. A driver that loads takes up to two seconds.
pub const INIT_LIMIT_NS: u64 = 3 * NS_PER_S;
/// How long the round goes on after the last window: a window within it is not cold.
const WARM_NS: u64 = 30 * NS_PER_S;
/// Pause between looks at what windows can keep.
const SETTLE_NS: u64 = NS_PER_S / 4;
/// GPUs whose latest update can be read without waiting.
const MOST_GPUS: usize = 64;
/// What a stop waits for the thread.
const STOP_LIMIT: Duration = Duration::from_millis(200);

/// A GPU that is measured.
#[derive(Debug, Clone)]
pub struct Gpu {
    /// Who it is.
    pub device: Device,
    /// Its place in CUDA's order, where the program may use it.
    pub cuda_index: Option<usize>,
    /// What its energy covers.
    pub scope: Scope,
    /// Its latest update, for those who do not wait.
    pub latest: Arc<Latest>,
    lane: Arc<Mutex<Lane>>,
}

impl Gpu {
    /// Its energy; held for microseconds. Not to be locked in a forked child.
    pub fn lane(&self) -> MutexGuard<'_, Lane> {
        self.lane.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the round has found.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The GPUs that answer; later ones come behind earlier ones.
    pub gpus: Vec<Gpu>,
    /// Index and reason of those that do not.
    pub failed: Vec<(u32, Code)>,
    /// The entry of the wanted list that names nothing here.
    pub stopped_at: Option<String>,
    /// Whether numbers in the wanted list may mean other cards.
    pub order_uncertain: bool,
}

/// Why there are no GPUs to measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Which of the answers it is.
    pub availability: Availability,
    /// What happened and what helps.
    pub words: String,
}

/// How it stands with the round.
#[derive(Debug, Clone)]
pub enum Stand {
    /// The driver's init has not come back yet.
    Starting,
    /// It walks.
    Ready(Arc<Found>),
    /// It could not start, or has not within the limit.
    Failed(Trouble),
}

/// Who uses the round.
#[derive(Debug, Default)]
struct Turn {
    open: usize,
    last_ns: u64,
    windows: Vec<Weak<Window>>,
    is_asked: bool,
    is_over: bool,
}

impl Turn {
    fn follow(&mut self, window: &Arc<Window>) {
        if !self.is_over {
            self.windows.push(Arc::downgrade(window));
        }
    }
}

/// One thread's walk.
#[derive(Debug)]
pub struct Round {
    generation: u64,
    begun_ns: u64,
    stand: Mutex<Stand>,
    turn: Mutex<Turn>,
    /// Whether the GPUs are to remember a long past.
    remembers: AtomicBool,
    /// The latest updates of the GPUs in the order of [`Found::gpus`], for those who do not wait.
    latest: Box<[OnceLock<Arc<Latest>>]>,
    /// A stop is asked for, or the thread is done.
    changed: Condvar,
}

impl Round {
    /// A round whose thread makes its patrol by `start`; `None` if the machine has no thread left.
    pub fn begin<F>(start: F) -> Option<Arc<Self>>
    where
        F: FnOnce() -> Result<Patrol, Trouble> + Send + 'static,
    {
        let round = Arc::new(Self {
            generation: sys::generation(),
            begun_ns: Monotonic.now_ns(),
            stand: Mutex::new(Stand::Starting),
            turn: Mutex::default(),
            remembers: AtomicBool::new(false),
            latest: (0..MOST_GPUS).map(|_| OnceLock::new()).collect(),
            changed: Condvar::new(),
        });
        let walking = round.clone();
        let thread = std::thread::Builder::new().name("eco2ai-gpu".to_owned());
        thread.spawn(move || walking.live(start)).ok().map(|_| round)
    }

    /// The fork generation of its thread.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// When it began.
    pub fn begun_ns(&self) -> u64 {
        self.begun_ns
    }

    /// How it stands. Nothing waits.
    pub fn stand(&self) -> Stand {
        if self.generation != sys::generation() {
            let words = "measured before this process was forked: its parent can tell".to_owned();
            return Stand::Failed(Trouble { availability: Availability::Failed, words });
        }
        let stand = lock(&self.stand).clone();
        match stand {
            Stand::Starting if Monotonic.now_ns() > self.begun_ns + INIT_LIMIT_NS => Stand::Failed(Trouble {
                availability: Availability::Failed,
                words: "the driver's init did not come back within 3 s: `nvidia-smi` will hang as well".to_owned(),
            }),
            stand => stand,
        }
    }

    /// Lets the GPUs remember a long past from now on, those found later too.
    pub(super) fn remember(&self) {
        // Relaxed: a wish; the thread looks at it four times a second.
        self.remembers.store(true, Ordering::Relaxed);
    }

    /// The latest updates of the GPUs that were found, in their order. Nothing waits.
    pub(super) fn latest(&self) -> impl Iterator<Item = &Arc<Latest>> {
        self.latest.iter().map_while(OnceLock::get)
    }

    /// Whether its thread has ended.
    pub fn is_over(&self) -> bool {
        lock(&self.turn).is_over
    }

    /// A window from now on; `None` once the round was ended. One that ended by itself has no GPU to look at, and answers
    /// without a thread.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Arc<Window>> {
        let mut turn = lock(&self.turn);
        if turn.is_asked {
            return None;
        }
        turn.open += 1;
        let window = Arc::new(Window::open(self.clone(), Monotonic.now_ns()));
        turn.follow(&window);
        Some(window)
    }

    /// A window has ended.
    pub(super) fn leave(&self) {
        if self.generation == sys::generation() {
            let mut turn = lock(&self.turn);
            turn.open = turn.open.saturating_sub(1);
            turn.last_ns = Monotonic.now_ns();
        }
    }

    /// Keeps what is found out about a window that is closed already.
    pub(super) fn follow(&self, window: &Arc<Window>) {
        if self.generation == sys::generation() {
            lock(&self.turn).follow(window);
        }
    }

    /// Asks the thread to end and waits a little; not for one that hangs in the driver, nor for a parent's.
    pub(super) fn stop(&self) {
        if self.generation != sys::generation() {
            return;
        }
        let mut turn = lock(&self.turn);
        turn.is_asked = true;
        self.changed.notify_all();
        drop(self.changed.wait_timeout_while(turn, STOP_LIMIT, |turn| !turn.is_over));
    }

    /// The thread.
    fn live(&self, start: impl FnOnce() -> Result<Patrol, Trouble>) {
        match start() {
            Ok(mut patrol) => self.walk(&mut patrol),
            Err(trouble) => *lock(&self.stand) = Stand::Failed(trouble),
        }
        lock(&self.turn).is_over = true;
        self.changed.notify_all();
    }

    fn walk(&self, patrol: &mut Patrol) {
        let (mut settle_ns, mut known) = (0, (usize::MAX, 0));
        loop {
            let next_ns = patrol.step(&Monotonic);
            if known != (patrol.cards().len(), patrol.failed().len()) {
                known = (patrol.cards().len(), patrol.failed().len());
                self.tell(patrol);
            }
            let now_ns = Monotonic.now_ns();
            if now_ns >= settle_ns {
                self.settle(false);
                if self.remembers.load(Ordering::Relaxed) {
                    patrol.cards().iter().for_each(|card| lock(&card.lane).remember());
                }
                settle_ns = now_ns + SETTLE_NS;
                if self.lapse(now_ns) {
                    break;
                }
            }
            let Some(next_ns) = next_ns else { break };
            if self.pause(next_ns.saturating_sub(now_ns).min(SETTLE_NS)) {
                break;
            }
        }
        self.settle(true);
    }

    /// Says what was found.
    fn tell(&self, patrol: &Patrol) {
        let found = found(patrol);
        for (place, gpu) in self.latest.iter().zip(&found.gpus) {
            place.get_or_init(|| gpu.latest.clone());
        }
        *lock(&self.stand) = Stand::Ready(Arc::new(found));
    }

    /// Lets windows keep what is theirs; with `is_last` as it stands, since no update comes any more.
    fn settle(&self, is_last: bool) {
        let Stand::Ready(found) = lock(&self.stand).clone() else { return };
        let windows = std::mem::take(&mut lock(&self.turn).windows);
        let is_open = |weak: &Weak<Window>| weak.upgrade().is_some_and(|window| !window.settle(&found, is_last));
        let mut rest: Vec<Weak<Window>> = windows.into_iter().filter(is_open).collect();
        let turn = &mut lock(&self.turn);
        rest.append(&mut turn.windows);
        turn.windows = rest;
    }

    /// Ends the walk if no window was open for long.
    fn lapse(&self, now_ns: u64) -> bool {
        let mut turn = lock(&self.turn);
        let used_ns = turn.last_ns.max(self.begun_ns);
        turn.is_asked |= turn.open == 0 && now_ns > used_ns + WARM_NS;
        turn.is_asked
    }

    /// Waits; true if asked to stop meanwhile.
    fn pause(&self, pause_ns: u64) -> bool {
        let turn = lock(&self.turn);
        let waited = self.changed.wait_timeout_while(turn, Duration::from_nanos(pause_ns), |turn| !turn.is_asked);
        waited.unwrap_or_else(PoisonError::into_inner).0.is_asked
    }
}

fn found(patrol: &Patrol) -> Found {
    let selection = patrol.selection();
    let gpu = |card: &Card| {
        let chosen = selection.chosen.iter().find(|one| one.index == card.device.index as usize);
        let lane = card.lane.clone();
        let (scope, latest) = {
            let lane = lock(&lane);
            (lane.scope(), lane.latest().clone())
        };
        let cuda_index = chosen.and_then(|one| one.cuda_index);
        Gpu { device: card.device.clone(), cuda_index, scope, latest, lane }
    };
    Found {
        gpus: patrol.cards().iter().map(gpu).collect(),
        failed: patrol.failed().to_vec(),
        stopped_at: selection.stopped_at.clone(),
        order_uncertain: selection.order_uncertain,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
