//! Which CPU belongs to which package: `/sys/devices/system/cpu/cpuN/topology`.

use std::collections::BTreeMap;

use super::root::Root;

/// Package of each online CPU.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topology(BTreeMap<u32, u32>);

impl Topology {
    /// Reads the topology; where the kernel shows none (some containers), one package holds every CPU of `cpus`.
    pub fn read(root: &Root, cpus: u32) -> Self {
        let online = root.text("/sys/devices/system/cpu/online").ok().and_then(|text| parse_cpu_list(&text));
        let cpus = online.unwrap_or_else(|| (0..cpus.max(1)).collect());
        Self(cpus.into_iter().map(|cpu| (cpu, package_of(root, cpu))).collect())
    }

    /// The package of a CPU, if the CPU is online.
    pub fn package(&self, cpu: u32) -> Option<u32> {
        self.0.get(&cpu).copied()
    }

    /// The packages, each once, in order.
    pub fn packages(&self) -> Vec<u32> {
        let mut packages: Vec<u32> = self.0.values().copied().collect();
        packages.sort_unstable();
        packages.dedup();
        packages
    }

    /// Number of online CPUs of a package.
    pub fn cpus_of(&self, package: u32) -> u32 {
        u32::try_from(self.0.values().filter(|of| **of == package).count()).unwrap_or(u32::MAX)
    }

    /// Number of online CPUs.
    pub fn cpus(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }
}

fn package_of(root: &Root, cpu: u32) -> u32 {
    let id = root.number(&format!("/sys/devices/system/cpu/cpu{cpu}/topology/physical_package_id"));
    // Some virtual machines and ARM boards say -1, which is no u32: one package then.
    id.and_then(|id| u32::try_from(id).ok()).unwrap_or(0)
}

/// Parses the kernel's list format, `0-3,8,10-11`; `None` for anything else or more CPUs than Linux supports (8192).
pub fn parse_cpu_list(text: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        if last < first || last >= 8192 {
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
        assert_eq!(parse_cpu_list("0-4294967295"), None);
    }

    #[test]
    fn without_a_topology_one_package_holds_every_cpu() {
        let topology = Topology::read(&Root::new("/nowhere"), 4);
        assert_eq!((topology.packages(), topology.cpus_of(0)), (vec![0], 4));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_cpu_list_panic(text in ".*") {
            let _ = parse_cpu_list(&text);
        }
    }
}
