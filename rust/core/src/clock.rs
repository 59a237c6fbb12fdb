//! What time it is: `CLOCK_MONOTONIC`, or a clock that a test moves by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::source::sys;
use crate::units::NS_PER_S;

/// A source of nanoseconds that never run backwards.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Nanoseconds of `CLOCK_MONOTONIC`: what `time.perf_counter_ns()` reads on Linux.
    fn now_ns(&self) -> u64;

    /// How far `CLOCK_BOOTTIME` is ahead of it: grows by the time that the machine is asleep, and by nothing else.
    fn asleep_ns(&self) -> u64;
}

/// The clocks of [`Clock::asleep_ns`] are read one after the other: what differs by less is no sleep.
const LEAST_SLEEP_NS: u64 = NS_PER_S / 1_000;

/// The time asleep between two readings of [`Clock::asleep_ns`].
pub fn slept_ns(before_ns: u64, after_ns: u64) -> u64 {
    Some(after_ns.saturating_sub(before_ns)).filter(|slept_ns| *slept_ns > LEAST_SLEEP_NS).unwrap_or(0)
}

/// The kernel's monotonic clock. It stands still while the machine is suspended.
#[derive(Debug, Clone, Copy, Default)]
pub struct Monotonic;

impl Clock for Monotonic {
    fn now_ns(&self) -> u64 {
        sys::clock_ns(sys::ClockId::Monotonic)
    }

    fn asleep_ns(&self) -> u64 {
        sys::clock_ns(sys::ClockId::Boottime).saturating_sub(sys::clock_ns(sys::ClockId::Monotonic))
    }
}

/// A clock that stands still until it is set: simulated time for tests. Clones share the hands.
#[derive(Debug, Clone, Default)]
pub struct Manual(Arc<Hands>);

#[derive(Debug, Default)]
struct Hands {
    now_ns: AtomicU64,
    asleep_ns: AtomicU64,
}

impl Manual {
    /// A clock that shows `now_ns`.
    pub fn new(now_ns: u64) -> Self {
        Self(Arc::new(Hands { now_ns: AtomicU64::new(now_ns), asleep_ns: AtomicU64::new(0) }))
    }

    /// Moves the hand to `now_ns`.
    pub fn set(&self, now_ns: u64) {
        // Release: pairs with the Acquire in now_ns(), so that what a script did before moving time is seen after.
        self.0.now_ns.store(now_ns, Ordering::Release);
    }

    /// Lets the machine sleep: the hand stands still, and what is asleep grows.
    pub fn suspend(&self, for_ns: u64) {
        // AcqRel: as in advance().
        self.0.asleep_ns.fetch_add(for_ns, Ordering::AcqRel);
    }

    /// Moves the hand forward.
    pub fn advance(&self, by_ns: u64) {
        // AcqRel: as in set(); the sum must not lose a concurrent advance.
        self.0.now_ns.fetch_add(by_ns, Ordering::AcqRel);
    }
}

impl Clock for Manual {
    fn now_ns(&self) -> u64 {
        // Acquire: pairs with the Release in set() and advance().
        self.0.now_ns.load(Ordering::Acquire)
    }

    fn asleep_ns(&self) -> u64 {
        // Acquire: pairs with the Release in suspend().
        self.0.asleep_ns.load(Ordering::Acquire)
    }
}

/// The same instant on the clocks of this machine: taken once per run, so that monotonic stamps can be dated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// `CLOCK_MONOTONIC`: what every stamp of a measurement is in.
    pub monotonic_ns: u64,
    /// `CLOCK_BOOTTIME`: runs on while suspended; its distance to the monotonic clock is the time asleep.
    pub boottime_ns: u64,
    /// `CLOCK_REALTIME`: Unix time, UTC; may be stepped by NTP, so never subtracted.
    pub utc_ns: u64,
}

impl Anchor {
    /// Reads the three clocks one after the other, well under a microsecond apart.
    pub fn now() -> Self {
        Self {
            monotonic_ns: sys::clock_ns(sys::ClockId::Monotonic),
            boottime_ns: sys::clock_ns(sys::ClockId::Boottime),
            utc_ns: sys::clock_ns(sys::ClockId::Realtime),
        }
    }
}
