//! Which CPU belongs to which package, die and core: `/sys/devices/system/cpu/cpuN/topology`.

use std::collections::{BTreeMap, BTreeSet};

use super::root::{Root, decimal};

/// Where a CPU sits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seat {
    /// `physical_package_id`.
    pub package: u32,
    /// `die_id`, unique within the package; 0 where the kernel shows none (before 5.2).
    pub die: u32,
    /// `core_id`, unique within the die.
    pub core: u32,
}

/// The seat of each online CPU.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topology(BTreeMap<u32, Seat>);

impl Topology {
    /// Reads the topology; where the kernel shows none (some containers), one package holds every CPU of `cpus`.
    pub fn read(root: &Root, cpus: u32) -> Self {
        let online = root.text("/sys/devices/system/cpu/online").ok().and_then(|text| parse_cpu_list(&text));
        let cpus = online.unwrap_or_else(|| (0..cpus.max(1)).collect());
        Self(cpus.into_iter().map(|cpu| (cpu, seat_of(root, cpu))).collect())
    }

    /// A topology of given seats.
    pub fn of(seats: impl IntoIterator<Item = (u32, Seat)>) -> Self {
        Self(seats.into_iter().collect())
    }

    /// The package of a CPU, if the CPU is online.
    pub fn package(&self, cpu: u32) -> Option<u32> {
        self.seat(cpu).map(|seat| seat.package)
    }

    /// The seat of a CPU, if the CPU is online.
    pub fn seat(&self, cpu: u32) -> Option<Seat> {
        self.0.get(&cpu).copied()
    }

    /// Every online CPU and its seat, in order.
    pub fn seats(&self) -> impl Iterator<Item = (u32, Seat)> {
        self.0.iter().map(|(cpu, seat)| (*cpu, *seat))
    }

    /// The packages, each once, in order.
    pub fn packages(&self) -> Vec<u32> {
        self.0.values().map(|seat| seat.package).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Number of dies of a package.
    pub fn dies_of(&self, package: u32) -> usize {
        let own = self.0.values().filter(|seat| seat.package == package);
        own.map(|seat| seat.die).collect::<BTreeSet<_>>().len()
    }

    /// Number of online CPUs of a package.
    pub fn cpus_of(&self, package: u32) -> u32 {
        u32::try_from(self.0.values().filter(|seat| seat.package == package).count()).unwrap_or(u32::MAX)
    }

    /// Number of online CPUs.
    pub fn cpus(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }
}

fn seat_of(root: &Root, cpu: u32) -> Seat {
    // Some virtual machines and ARM boards say -1, which is no u32: one package then.
    let id = |name| root.number(&format!("/sys/devices/system/cpu/cpu{cpu}/topology/{name}"));
    let small = |name| id(name).and_then(|id| u32::try_from(id).ok());
    Seat {
        package: small("physical_package_id").unwrap_or(0),
        die: small("die_id").unwrap_or(0),
        core: small("core_id").unwrap_or(cpu),
    }
}

/// Parses the kernel's list format, `0-3,8,10-11`; `None` for anything else or more CPUs than Linux supports (8192).
pub fn parse_cpu_list(text: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (decimal(first)?, decimal(last)?);
        if last < first || last >= 8192 || cpus.len() > 8192 {
            return None;
        }
        cpus.extend(first..=last);
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_cpu_list_has_ranges_and_single_cpus() {
        assert_eq!(parse_cpu_list("0-2,5\n"), Some(vec![0, 1, 2, 5]));
        assert_eq!(parse_cpu_list(""), None);
        assert_eq!(parse_cpu_list("3-1"), None);
        assert_eq!(parse_cpu_list("+1"), None);
        assert_eq!(parse_cpu_list("0-4294967295"), None);
    }

    #[test]
    fn without_a_topology_one_package_holds_every_cpu() {
        let topology = Topology::read(&Root::new("/nowhere"), 4);
        assert_eq!((topology.packages(), topology.cpus_of(0), topology.dies_of(0)), (vec![0], 4, 1));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_cpu_list_panic(text in "[0-9,\\-\n ]*|.*") {
            let _ = parse_cpu_list(&text);
        }

        #[test]
        fn every_list_is_read_back(cpus in prop::collection::vec(0_u32..8192, 1..40)) {
            let text = cpus.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
            prop_assert_eq!(parse_cpu_list(&text), Some(cpus));
        }
    }
}
