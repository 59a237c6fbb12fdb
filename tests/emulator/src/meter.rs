//! What a reader of one meter finds at an instant: the true energy, ticked, in units, wrapped, through its faults.

use std::time::Duration;

use crate::fault::{Fault, Kind};
use crate::random;
use crate::spec::{Domain, Spec};
use crate::ticks::Ticks;

/// Femtojoules per joule.
const FJ_PER_J: i128 = 1_000_000_000_000_000;

/// One meter. All times are nanoseconds after the machine's epoch.
#[derive(Debug)]
pub struct Meter {
    /// What the spec says of it.
    pub domain: Domain,
    ticks: Ticks,
}

/// What a read finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// The count, less than the range.
    Units(u64),
    /// Not a number.
    Garbage,
    /// Not a byte.
    Empty,
    /// EACCES.
    Denied,
    /// EIO.
    Failed,
    /// ENOENT when looked up, ENODEV when already open.
    Gone,
}

impl Meter {
    /// The `index`-th domain of the machine.
    pub fn new(spec: &Spec, index: u64, domain: Domain) -> Self {
        let tick_ns = domain.tick_ns.unwrap_or(spec.tick_ns);
        let ticks = Ticks::new(tick_ns, spec.jitter, random::at(spec.seed, index));
        Self { domain, ticks }
    }

    /// What is there at `t_ns`.
    pub fn read(&self, t_ns: u64) -> Reading {
        let mut acting = self.acting(t_ns).map(|fault| fault.kind);
        acting
            .find_map(|kind| match kind {
                Kind::Eacces => Some(Reading::Denied),
                Kind::Eio => Some(Reading::Failed),
                Kind::Enoent => Some(Reading::Gone),
                Kind::Garbage => Some(Reading::Garbage),
                Kind::Empty => Some(Reading::Empty),
                Kind::Zero => Some(Reading::Units(0)),
                Kind::Stuck | Kind::Reset | Kind::Back(_) | Kind::Slow(_) => None,
            })
            .unwrap_or_else(|| Reading::Units(self.shown_units(t_ns)))
    }

    /// How long a read takes that begins at `t_ns`.
    pub fn delay(&self, t_ns: u64) -> Duration {
        let slow_ms = self.acting(t_ns).map(|fault| if let Kind::Slow(ms) = fault.kind { ms } else { 0 });
        Duration::from_millis(slow_ms.max().unwrap_or(0))
    }

    /// Whether its zone is ever not there.
    pub fn vanishes(&self) -> bool {
        self.domain.faults.iter().any(|fault| fault.kind == Kind::Enoent)
    }

    /// Whether the zone vanished at some time in (`opened_ns`, `t_ns`]: such a descriptor stays dead.
    pub fn vanished_between(&self, opened_ns: u64, t_ns: u64) -> bool {
        let mut faults = self.domain.faults.iter();
        faults.any(|fault| fault.kind == Kind::Enoent && opened_ns < fault.start_ns && fault.start_ns <= t_ns)
    }

    /// Microjoules as powercap prints them: whole nanojoules per count, fraction dropped.
    pub fn microjoules(&self, units: u64) -> u128 {
        u128::from(units) * u128::from(self.domain.unit_nj()) / 1000
    }

    /// `max_energy_range_uj`: the greatest count, in the same unit.
    pub fn range_uj(&self) -> u128 {
        self.microjoules(self.domain.range_units - 1)
    }

    fn acting(&self, t_ns: u64) -> impl Iterator<Item = &Fault> {
        self.domain.faults.iter().filter(move |fault| fault.acts_at(t_ns))
    }

    fn shown_units(&self, t_ns: u64) -> u64 {
        let stuck = self.acting(t_ns).find(|fault| fault.kind == Kind::Stuck);
        let t_ns = stuck.map_or(t_ns, |fault| fault.start_ns);
        let shown = self.units_since_reset(t_ns) - self.lost_units(t_ns);
        u64::try_from(shown.rem_euclid(i128::from(self.domain.range_units))).unwrap_or(0)
    }

    fn units_since_reset(&self, t_ns: u64) -> i128 {
        let units = self.units(t_ns) + i128::from(self.domain.start_units);
        self.reset_ns(t_ns).map_or(units, |reset_ns| self.units(t_ns) - self.units(reset_ns))
    }

    fn reset_ns(&self, t_ns: u64) -> Option<u64> {
        self.acting(t_ns).filter(|fault| fault.kind == Kind::Reset).map(|fault| fault.start_ns).max()
    }

    fn lost_units(&self, t_ns: u64) -> i128 {
        let reset_ns = self.reset_ns(t_ns);
        let since = self.acting(t_ns).filter(|fault| Some(fault.start_ns) >= reset_ns);
        since.map(|fault| if let Kind::Back(j) = fault.kind { i128::from(j) << self.domain.esu } else { 0 }).sum()
    }

    /// Counts since the epoch, neither wrapped nor faulty.
    fn units(&self, t_ns: u64) -> i128 {
        let tick_ns =
            t_ns.checked_sub(self.domain.phase_ns).map_or(0, |t| self.ticks.last_ns(t) + self.domain.phase_ns);
        (self.domain.power.energy_fj(tick_ns) << self.domain.esu) / FJ_PER_J
    }
}
