//! The sampling thread: absolute deadlines, missed ones skipped and counted, its own cost measured.
//!
//! One thread for each panel, so that a slow meter never delays a fast one. It reads, publishes and records; it touches
//! neither Python nor a log, and allocates only before its first turn.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;

use crate::budget::Budget;
use crate::clock::slept_ns;
use crate::edges::Rhythm;
use crate::panel::{Buffers, Panel};
use crate::source::sys;

/// The thread's CPU clock is a system call: where nothing is hunted, it is read once in so many turns.
const COST_EVERY: u64 = 32;

/// What a sampling thread shall do.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Time from one deadline to the next.
    pub period_ns: u64,
    /// Whether to hunt for the instants at which counters change.
    pub edges: bool,
    /// CPUs to stay on; empty: any.
    pub cpus: Vec<u32>,
}

/// What a sampling thread did so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Deadlines kept, late or not.
    pub wakeups: u64,
    /// Deadlines kept more than a tenth of a period late.
    pub late: u64,
    /// Deadlines that passed before the thread came to them; skipped, never made up for.
    pub missed: u64,
    /// Readings of the meters.
    pub polls: u64,
    /// CPU time of the thread.
    pub cpu_ns: u64,
    /// Time that the machine was asleep while sampling ran.
    pub suspended_ns: u64,
}

impl Ledger {
    /// Adds what another thread did.
    pub fn add(&mut self, other: Self) {
        self.wakeups += other.wakeups;
        self.late += other.late;
        self.missed += other.missed;
        self.polls += other.polls;
        self.cpu_ns += other.cpu_ns;
        self.suspended_ns += other.suspended_ns;
    }
}

/// The ledger as the thread writes it and others read it: single numbers, each for itself.
#[derive(Debug, Default)]
struct SharedLedger {
    wakeups: AtomicU64,
    late: AtomicU64,
    missed: AtomicU64,
    polls: AtomicU64,
    cpu_ns: AtomicU64,
    suspended_ns: AtomicU64,
}

impl SharedLedger {
    /// Relaxed throughout: each number stands for itself and orders nothing.
    fn read(&self) -> Ledger {
        let load = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Ledger {
            wakeups: load(&self.wakeups),
            late: load(&self.late),
            missed: load(&self.missed),
            polls: load(&self.polls),
            cpu_ns: load(&self.cpu_ns),
            suspended_ns: load(&self.suspended_ns),
        }
    }

    fn add(number: &AtomicU64, more: u64) {
        // Relaxed: see read(). One writer, so load and store suffice.
        number.store(number.load(Ordering::Relaxed) + more, Ordering::Relaxed);
    }
}

/// A running sampling thread; dropping it stops and joins it, except in the child of a fork, which has no such thread.
#[derive(Debug)]
pub struct Sampler {
    stop: Arc<AtomicU32>,
    ledger: Arc<SharedLedger>,
    thread: Option<JoinHandle<()>>,
    generation: u64,
}

impl Sampler {
    /// Starts recording `panel`.
    pub fn start(panel: &Arc<Panel>, plan: Plan) -> std::io::Result<Self> {
        sys::watch_forks();
        panel.record();
        let (stop, ledger) = (Arc::new(AtomicU32::new(0)), Arc::new(SharedLedger::default()));
        let turns = Turns::new(panel, plan, stop.clone(), ledger.clone());
        let thread = std::thread::Builder::new().name("eco2ai-sampler".to_owned()).spawn(move || turns.run())?;
        Ok(Self { stop, ledger, thread: Some(thread), generation: sys::generation() })
    }

    /// Whether the thread runs in this process: not in the child of a fork.
    pub fn is_running(&self) -> bool {
        self.generation == sys::generation()
    }

    /// What the thread did so far.
    pub fn ledger(&self) -> Ledger {
        self.ledger.read()
    }

    /// Stops the thread and tells what it did in all.
    pub fn stop(self) -> Ledger {
        let ledger = self.ledger.clone();
        drop(self);
        ledger.read()
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        let thread = self.thread.take();
        if !self.is_running() {
            // The thread stayed in the parent: joining it would wait for ever, and so its handle is let go.
            std::mem::forget(thread);
            return;
        }
        // Release: pairs with the Acquire in Turns::stopped().
        self.stop.store(1, Ordering::Release);
        sys::wake(&self.stop);
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

/// The thread's own state.
struct Turns {
    panel: Weak<Panel>,
    plan: Plan,
    stop: Arc<AtomicU32>,
    ledger: Arc<SharedLedger>,
    buffers: Buffers,
    /// The counters whose changes are hunted: index in the panel and rhythm.
    rhythms: Vec<(usize, Rhythm)>,
    /// What the thread may still take if it is to hunt.
    budget: Budget,
    /// What it had taken at the end of its last turn.
    spent_ns: u64,
    /// As the panel's clock told it last.
    asleep_ns: u64,
}

impl Turns {
    fn new(panel: &Arc<Panel>, plan: Plan, stop: Arc<AtomicU32>, ledger: Arc<SharedLedger>) -> Self {
        let rhythms = if plan.edges { rhythms(panel) } else { Vec::new() };
        let (buffers, asleep_ns) = (panel.buffers(), panel.asleep_ns());
        let budget = Budget::new(rhythms.len(), sys::clock_ns(sys::ClockId::Monotonic));
        Self { panel: Arc::downgrade(panel), plan, stop, ledger, buffers, rhythms, budget, spent_ns: 0, asleep_ns }
    }

    fn run(mut self) {
        sys::want_exact_timers();
        if !self.plan.cpus.is_empty() {
            // Staying on a CPU is a wish: a container may forbid it, and sampling works anyhow.
            let _ = sys::pin_thread(&self.plan.cpus);
        }
        let mut deadline_ns = sys::clock_ns(sys::ClockId::Monotonic) + self.plan.period_ns;
        loop {
            let hunts = self.can_hunt();
            if !self.sleep_to_turn(deadline_ns, hunts) {
                break;
            }
            let Some(panel) = self.panel.upgrade() else { return };
            let now_ns = sys::clock_ns(sys::ClockId::Monotonic);
            let earliest_ns = now_ns.max(deadline_ns.saturating_sub(self.plan.period_ns / 2));
            deadline_ns = self.note(deadline_ns, now_ns);
            if hunts { self.hunt(&panel, earliest_ns, deadline_ns) } else { self.tick(&panel) }
        }
        self.note_cost();
    }

    /// Sleeps to the deadline, but not before a hunt, which sleeps until its change is due: half a period before or after
    /// the deadline is as good, and one wake-up is cheaper than two.
    fn sleep_to_turn(&self, deadline_ns: u64, hunts: bool) -> bool {
        if hunts { self.goes_on() } else { self.sleep_until(deadline_ns) }
    }

    /// Whether there is something to hunt in this turn, and CPU time left for it: settles what the turn before has taken.
    fn can_hunt(&mut self) -> bool {
        if self.rhythms.is_empty() {
            return false;
        }
        let spent_ns = sys::clock_ns(sys::ClockId::Thread);
        self.budget.spend(spent_ns.saturating_sub(self.spent_ns));
        self.spent_ns = spent_ns;
        self.budget.earn(sys::clock_ns(sys::ClockId::Monotonic));
        self.rhythms.iter_mut().for_each(|(_, rhythm)| rhythm.turn());
        self.budget.has_some() && self.rhythms.iter().any(|(_, rhythm)| !rhythm.is_resting())
    }

    /// Sleeps; false once the thread is asked to stop.
    fn sleep_until(&self, deadline_ns: u64) -> bool {
        sys::sleep_until(&self.stop, deadline_ns);
        self.goes_on()
    }

    fn goes_on(&self) -> bool {
        // Acquire: pairs with the Release in Sampler::drop().
        self.stop.load(Ordering::Acquire) == 0
    }

    fn tick(&mut self, panel: &Panel) {
        panel.tick(&mut self.buffers);
        SharedLedger::add(&self.ledger.polls, 1);
    }

    /// Stamps one change of each hunted counter, in the order in which they are due; the next deadline cuts it short.
    fn hunt(&mut self, panel: &Panel, earliest_ns: u64, until_ns: u64) {
        self.rhythms.sort_unstable_by_key(|(_, rhythm)| rhythm.rank(earliest_ns));
        for index in 0..self.rhythms.len() {
            let (target, rhythm) = self.rhythms[index];
            let (from_ns, to_ns) = rhythm.span_after(earliest_ns.max(sys::clock_ns(sys::ClockId::Monotonic)));
            let is_too_late = from_ns > until_ns && index > 0;
            if is_too_late || rhythm.is_resting() || !self.sleep_until(from_ns) {
                return;
            }
            let hunt = panel.hunt(&mut self.buffers, target, to_ns);
            SharedLedger::add(&self.ledger.polls, u64::from(hunt.polls));
            self.rhythms[index].1.learn_from(hunt.edge_ns, hunt.polls);
        }
    }

    /// Books a turn that was due at `deadline_ns`; the next deadline, the first one that is still to come.
    fn note(&mut self, deadline_ns: u64, now_ns: u64) -> u64 {
        let late_ns = now_ns.saturating_sub(deadline_ns);
        let missed = late_ns / self.plan.period_ns;
        SharedLedger::add(&self.ledger.wakeups, 1);
        SharedLedger::add(&self.ledger.missed, missed);
        SharedLedger::add(&self.ledger.late, u64::from(late_ns > self.plan.period_ns / 10));
        if self.ledger.wakeups.load(Ordering::Relaxed) % COST_EVERY == 1 {
            self.note_cost();
        }
        deadline_ns + (missed + 1) * self.plan.period_ns
    }

    fn note_cost(&mut self) {
        self.ledger.cpu_ns.store(sys::clock_ns(sys::ClockId::Thread), Ordering::Relaxed);
        let Some(asleep_ns) = self.panel.upgrade().map(|panel| panel.asleep_ns()) else { return };
        let slept_ns = slept_ns(self.asleep_ns, asleep_ns);
        if slept_ns > 0 {
            SharedLedger::add(&self.ledger.suspended_ns, slept_ns);
            self.asleep_ns = asleep_ns;
        }
    }
}

/// The counters whose instants of change matter: measured, counted, and moving about once a millisecond.
fn rhythms(panel: &Panel) -> Vec<(usize, Rhythm)> {
    let hunted =
        panel.domains().iter().enumerate().filter(|(_, domain)| domain.counted && domain.channel.is_fast_counter());
    hunted.map(|(index, domain)| (index, Rhythm::new(domain.channel.tick_ns))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Manual;
    use crate::units::NS_PER_S;

    fn asleep_ns(slept_ns: &[u64]) -> u64 {
        let clock = Manual::new(0);
        let panel = Arc::new(Panel::new(Arc::new(clock.clone()), Vec::new(), Vec::new()));
        let plan = Plan { period_ns: NS_PER_S / 1_000, edges: false, cpus: Vec::new() };
        let sampler = Sampler::start(&panel, plan).unwrap();
        slept_ns.iter().for_each(|ns| clock.suspend(*ns));
        sampler.stop().suspended_ns
    }

    #[test]
    fn the_time_that_the_machine_slept_while_sampling_is_told() {
        assert_eq!(asleep_ns(&[]), 0);
        assert_eq!(asleep_ns(&[60 * NS_PER_S, 5 * NS_PER_S]), 65 * NS_PER_S);
    }

    #[test]
    fn two_clocks_read_one_after_the_other_are_no_sleep() {
        assert_eq!(asleep_ns(&[20_000]), 0);
    }

    #[test]
    fn a_cpu_that_is_not_there_does_not_end_sampling() {
        let panel = Arc::new(Panel::new(Arc::new(Manual::new(0)), Vec::new(), Vec::new()));
        let plan = Plan { period_ns: NS_PER_S / 1_000, edges: false, cpus: vec![9_999] };
        let sampler = Sampler::start(&panel, plan).unwrap();
        while sampler.ledger().wakeups < 3 {
            std::thread::yield_now();
        }
        assert!(sampler.stop().wakeups >= 3);
    }
}
