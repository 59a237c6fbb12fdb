//! When a random telegraph has switched and what it has drawn until then.
//!
//! Time is cut into slots; at each slot boundary the level switches with probability 1/16, so dwell times
//! are geometric with a mean of 16 slots: the memoryless two-level power of a bursty program.

use std::sync::{Mutex, PoisonError};

use serde::Deserialize;

use crate::power::product;
use crate::random;

/// Slots per mean dwell time, and the inverse of the chance to switch at a boundary.
const SLOTS: u64 = 16;

/// Two powers and the mean time in each; starts low.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telegraph {
    low_uw: u64,
    high_uw: u64,
    /// Mean time between switches, at least 16 ns.
    dwell_ns: u64,
    seed: u64,
    #[serde(skip)]
    history: Mutex<History>,
}

/// The switches found so far; grows with the latest time asked for.
#[derive(Debug, Default)]
struct History {
    switches: Vec<Switch>,
    next_slot: u64,
}

#[derive(Debug, Clone, Copy)]
struct Switch {
    t_ns: u64,
    energy_fj: i128,
    /// The power from here on.
    power_uw: u64,
}

impl Telegraph {
    /// Femtojoules drawn from the epoch to `t_ns` after it.
    pub fn energy_fj(&self, t_ns: u64) -> i128 {
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        self.extend(&mut history, t_ns);
        let after = history.switches.partition_point(|switch| switch.t_ns <= t_ns);
        let last = after.checked_sub(1).map_or(self.start(), |i| history.switches[i]);
        last.energy_fj + product(last.power_uw, t_ns - last.t_ns)
    }

    /// What makes the form meaningless, if anything does.
    pub fn fault(&self) -> Option<&'static str> {
        (self.dwell_ns < SLOTS).then_some("telegraph needs dwell_ns >= 16")
    }

    fn start(&self) -> Switch {
        Switch { t_ns: 0, energy_fj: 0, power_uw: self.low_uw }
    }

    fn extend(&self, history: &mut History, t_ns: u64) {
        let slot_ns = self.dwell_ns / SLOTS;
        while history.next_slot * slot_ns <= t_ns {
            let slot = history.next_slot;
            if slot > 0 && random::at(self.seed, slot).is_multiple_of(SLOTS) {
                let last = history.switches.last().copied().unwrap_or(self.start());
                history.switches.push(self.switched(last, slot * slot_ns));
            }
            history.next_slot += 1;
        }
    }

    fn switched(&self, last: Switch, t_ns: u64) -> Switch {
        let energy_fj = last.energy_fj + product(last.power_uw, t_ns - last.t_ns);
        let is_low = last.power_uw == self.low_uw;
        Switch { t_ns, energy_fj, power_uw: if is_low { self.high_uw } else { self.low_uw } }
    }
}
