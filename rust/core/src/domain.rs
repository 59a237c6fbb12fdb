//! What can be measured: kinds of domains, what contains what, and which of them add up.

use crate::units::Scale;

/// The part of the machine that a meter covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A processor package: cores, caches, memory controller and, on clients, the integrated GPU.
    Package,
    /// The cores of a package (PP0).
    Core,
    /// What is beside the cores in a package: on clients the integrated GPU (PP1).
    Uncore,
    /// Memory modules: beside the package, never inside it.
    Dram,
    /// The whole platform as the board's controller sees it: an alternative total.
    Psys,
    /// A graphics card that the kernel's own driver measures, numbered as in `/dev/dri/cardN`.
    Card,
    /// A battery: the whole computer while nothing else feeds it.
    Battery,
    /// Disks.
    Storage,
}

impl Kind {
    /// The word in identifiers, tables and files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Package => "package",
            Self::Core => "core",
            Self::Uncore => "uncore",
            Self::Dram => "dram",
            Self::Psys => "psys",
            Self::Card => "gpu-card",
            Self::Battery => "battery",
            Self::Storage => "storage",
        }
    }

    /// Whether energy of this kind is part of a machine's sum: packages, memory and cards, never what lies inside them or
    /// around.
    pub fn is_counted(self) -> bool {
        matches!(self, Self::Package | Self::Dram | Self::Card)
    }
}

/// Where a domain sits: its kind, package and, where a package has several meters, die.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The part of the package.
    pub kind: Kind,
    /// `physical_package_id` of the kernel; `None` for what belongs to the whole machine.
    pub package: Option<u32>,
    /// `die_id`, only where each die of a package has a meter of its own.
    pub die: Option<u32>,
}

impl Place {
    /// A domain of one package.
    pub fn of_package(kind: Kind, package: u32) -> Self {
        Self { kind, package: Some(package), die: None }
    }

    /// A domain of the whole machine.
    pub fn of_machine(kind: Kind) -> Self {
        Self { kind, package: None, die: None }
    }

    /// The stable identifier: `package-0`, `dram-1`, `package-0-die-1`, `psys`.
    pub fn id(self) -> String {
        let kind = self.kind.as_str();
        match (self.package, self.die) {
            (None, _) => kind.to_owned(),
            (Some(package), None) => format!("{kind}-{package}"),
            (Some(package), Some(die)) => format!("{kind}-{package}-die-{die}"),
        }
    }

    /// Whether the energy of `other` is part of this domain's.
    pub fn contains(self, other: Self) -> bool {
        let same_package = self.package == other.package && (self.die.is_none() || self.die == other.die);
        match (self.kind, other.kind) {
            (Kind::Psys, Kind::Psys | Kind::Battery) => false,
            (Kind::Psys, _) => true,
            (Kind::Package, Kind::Core | Kind::Uncore) => same_package,
            _ => false,
        }
    }
}

/// Whether a figure comes from a meter or from a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provenance {
    /// Read from a meter.
    Measured,
    /// Computed from load, time and size.
    Modelled,
}

/// At which value a counter starts again from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// It counts modulo this many counts.
    Modulo(u64),
    /// It drops by an unknown power of two at a wrap (the RAPL-framework PMU drops by 2^32 hardware units,
    /// and 2^(64-ESU) of its own; `drivers/powercap/intel_rapl_common.c`).
    PowerOfTwo,
    /// As before, and by how many counts is known.
    Drops(u64),
    /// It does not wrap within the life of a machine.
    Unbounded,
}

/// What a gauge's value means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The power at the instant of the refresh.
    Point,
    /// The mean power since the refresh before.
    Boxcar,
}

/// What a raw reading is: energy that only grows, or power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Counts of energy.
    Counter,
    /// Power in microwatts; energy is its integral, in nanojoules.
    Gauge(Shape),
}

/// What a source offers for one domain: everything but the reading.
#[derive(Debug, Clone)]
pub struct Channel {
    /// Which domain.
    pub place: Place,
    /// Counter or gauge.
    pub signal: Signal,
    /// Energy of one count.
    pub scale: Scale,
    /// Where the counter wraps.
    pub range: Range,
    /// Largest plausible power, in microwatts: what tells a wrap from a reset.
    pub max_power_uw: u64,
    /// How often the meter moves, in nanoseconds; for a model the grain of its inputs.
    pub tick_ns: u64,
    /// Longest time for which a healthy meter shows the same count, in nanoseconds: beyond it the meter is stuck.
    /// `u64::MAX` where what it measures may rest.
    pub longest_rest_ns: u64,
    /// Shortest window that says something, in nanoseconds; 0 where the bound alone tells.
    pub resolution_ns: u64,
    /// Systematic relative error, one sigma (the origin stands with each source).
    pub sensor_rel: f64,
    /// Meter or model.
    pub provenance: Provenance,
    /// What a person needs to recognise it: a path, an event, a model's formula.
    pub detail: String,
}

/// Meters that move this often or more are read at any rate and have edges worth hunting.
pub const FAST_TICK_NS: u64 = 5_000_000;

impl Channel {
    /// Whether this is a meter whose changes are worth waiting for: a counter that moves every few milliseconds.
    pub fn is_fast_counter(&self) -> bool {
        self.signal == Signal::Counter && !self.is_modelled() && self.tick_ns <= FAST_TICK_NS
    }

    /// Whether this is a model, not a meter.
    pub fn is_modelled(&self) -> bool {
        self.provenance == Provenance::Modelled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_contains_its_cores_and_no_memory() {
        let package = Place::of_package(Kind::Package, 0);
        assert!(package.contains(Place::of_package(Kind::Core, 0)));
        assert!(package.contains(Place::of_package(Kind::Uncore, 0)));
        assert!(!package.contains(Place::of_package(Kind::Dram, 0)));
        assert!(!package.contains(Place::of_package(Kind::Core, 1)));
    }

    #[test]
    fn counted_kinds_never_contain_each_other() {
        let kinds =
            [Kind::Package, Kind::Core, Kind::Uncore, Kind::Dram, Kind::Psys, Kind::Card, Kind::Battery, Kind::Storage];
        for (a, b) in kinds.iter().flat_map(|a| kinds.iter().map(move |b| (*a, *b))) {
            let overlap = Place::of_package(a, 0).contains(Place::of_package(b, 0));
            assert!(!(overlap && a.is_counted() && b.is_counted()), "{a:?} {b:?}");
        }
    }

    #[test]
    fn identifiers_name_kind_package_and_die() {
        assert_eq!(Place::of_package(Kind::Dram, 1).id(), "dram-1");
        assert_eq!(Place { kind: Kind::Package, package: Some(0), die: Some(1) }.id(), "package-0-die-1");
        assert_eq!(Place::of_machine(Kind::Psys).id(), "psys");
    }
}
