//! The latest update of one GPU's meter, published for any number of readers that never wait for the thread.

use super::ticks::Ticks;
use crate::published::Published;
use crate::sync::Ordering;
use crate::units;

/// Words of one state.
pub const WORDS: usize = 4;
/// Intervals whose mean power is shown: a second of a 100 ms meter.
const INTERVALS: usize = 10;

/// The latest update.
#[derive(Debug)]
pub struct Latest(Published);

impl Default for Latest {
    fn default() -> Self {
        Self(Published::new(WORDS))
    }
}

/// What is read of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// When the meter was updated; 0 if it was not yet.
    pub t_ns: u64,
    /// Energy since its first update, in microjoules.
    pub energy_uj: u64,
    /// Mean power of the last second or so, in microwatts.
    pub power_uw: u64,
    /// Time up to here that no unbroken readings cover.
    pub uncovered_ns: u64,
}

impl From<[u64; WORDS]> for State {
    fn from([t_ns, energy_uj, power_uw, uncovered_ns]: [u64; WORDS]) -> Self {
        Self { t_ns, energy_uj, power_uw, uncovered_ns }
    }
}

impl Latest {
    /// Publishes the last update, if it is another than before. Called by the GPUs' thread alone.
    pub fn follow(&self, ticks: &Ticks) {
        let Some(last) = ticks.last() else { return };
        if self.words().is_some_and(|words| words[0] == last.t_ns) {
            return;
        }
        let number = ticks.next_number() - 1;
        let earlier = ticks.get(number.saturating_sub(INTERVALS).max(ticks.first_number()));
        let power_uw = earlier.map_or(0, |earlier| units::microwatts(earlier.power_to_w(last)));
        self.0.publish([last.t_ns, last.energy_uj, power_uw, last.uncovered_ns].into_iter());
    }

    /// Its words, which [`State`] explains; `None` if the thread died in the middle (a forked child).
    pub fn words(&self) -> Option<[u64; WORDS]> {
        let mut words = [0; WORDS];
        // Relaxed: see Published::read().
        let copy = |published: &[crate::sync::AtomicU64]| {
            words.iter_mut().zip(published).for_each(|(word, one)| *word = one.load(Ordering::Relaxed));
        };
        self.0.read(copy).then_some(words)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::ticks::Tick;
    use super::*;

    #[test]
    fn the_last_update_is_read_with_the_power_of_the_last_second() {
        let (latest, mut ticks) = (Latest::default(), Ticks::default());
        latest.follow(&ticks);
        assert_eq!(latest.words().map(State::from).unwrap().t_ns, 0);
        for k in 1..=30 {
            let energy_uj = if k < 15 { 0 } else { (k - 15) * 30_000_000 };
            ticks.push(Tick { t_ns: k * 100_000_000, energy_uj, ..Tick::default() });
            latest.follow(&ticks);
        }
        let state = State::from(latest.words().unwrap());
        assert_eq!(
            state,
            State { t_ns: 3_000_000_000, energy_uj: 450_000_000, power_uw: 300_000_000, uncovered_ns: 0 }
        );
    }
}
