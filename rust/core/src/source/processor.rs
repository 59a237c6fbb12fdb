//! What a person would write about this machine's processor: its name, how many there are, their TDP.

use super::cpuinfo::CpuInfo;
use super::root::Root;
use super::tdp;
use super::topology::Topology;

/// The processor as it is named in tables and reports.
#[derive(Debug, Clone, PartialEq)]
pub struct Processor {
    /// The kernel's brand string; empty where it shows none (ARM).
    pub brand: String,
    /// Packages in use.
    pub packages: usize,
    /// Logical processors online.
    pub logical: u32,
    /// Thermal design power of one package in watts; `None` for names that no table knows.
    pub tdp_w: Option<f64>,
}

impl Processor {
    /// Reads `/proc/cpuinfo` and the topology below `root`.
    pub fn read(root: &Root) -> Self {
        let info = CpuInfo::read(root);
        let topology = Topology::read(root, info.logical);
        let tdp_w = tdp::watts(&info.brand);
        Self { brand: info.brand, packages: topology.packages().len(), logical: topology.cpus(), tdp_w }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(cpuinfo: &str, online: &str) -> (tempfile::TempDir, Root) {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in [("proc/cpuinfo", cpuinfo), ("sys/devices/system/cpu/online", online)] {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let root = Root::new(dir.path());
        (dir, root)
    }

    #[test]
    fn a_known_server_has_a_name_and_a_tdp() {
        let (_dir, root) = machine("processor\t: 0\nmodel name\t: AMD EPYC 7763 64-Core Processor\n", "0-127");
        let found = Processor::read(&root);
        assert_eq!((found.packages, found.logical, found.tdp_w), (1, 128, Some(280.0)));
        assert_eq!(found.brand, "AMD EPYC 7763 64-Core Processor");
    }

    #[test]
    fn a_virtual_name_has_no_tdp_rather_than_a_guess() {
        let (_dir, root) = machine("processor\t: 0\nmodel name\t: AMD EPYC\n", "0-1");
        assert_eq!(Processor::read(&root).tdp_w, None);
    }
}
