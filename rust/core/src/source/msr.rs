//! RAPL through `/dev/cpu/N/msr`: registers read as they stand. Only when asked for: the right to read one register
//! is the right to write all of them.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::clock::Clock;
use crate::domain::{Channel, Kind, Place, Range};
use crate::error::Fault;
use crate::sample::Sample;

use super::cpuinfo::CpuInfo;
use super::rapl::{self, COUNTER_BITS, Registers, Unit};
use super::root::Root;
use super::topology::{Seat, Topology};
use super::{Availability, Discovery, Finding, Source};

const NAME: &str = "msr";

/// One energy counter: a register of one CPU, or of one CPU of each core whose counts are added up.
#[derive(Debug)]
struct Counter {
    files: Vec<File>,
    register: u64,
}

/// The MSR route.
#[derive(Debug)]
pub struct Msr {
    channels: Vec<Channel>,
    counters: Vec<Counter>,
}

/// Reads the unit register of one CPU per package and opens the counters that it has.
pub fn discover(root: &Root, found: &mut Discovery) {
    let info = CpuInfo::read(root);
    let Some(registers) = rapl::registers(&info) else {
        let detail = format!("no RAPL registers are known of vendor {:?}", info.vendor);
        found.findings.push(Finding::of(NAME, Availability::NotSupported, detail));
        return;
    };
    let mut msr = Msr { channels: Vec::new(), counters: Vec::new() };
    for (package, cpus) in leaders(&Topology::read(root, info.logical), &info) {
        if let Err(finding) = msr.open(root, package, &cpus, registers, &info, &mut found.findings) {
            found.findings.push(finding);
        }
    }
    if !msr.channels.is_empty() {
        found.sources.push(Box::new(msr));
    }
}

/// The CPUs of each package (or die) that has counters of its own: one of each core, the first for the package.
fn leaders(topology: &Topology, info: &CpuInfo) -> BTreeMap<Place, Vec<u32>> {
    let mut seen: Vec<Seat> = Vec::new();
    let mut leaders: BTreeMap<Place, Vec<u32>> = BTreeMap::new();
    for (cpu, seat) in topology.seats() {
        if !seen.contains(&seat) {
            seen.push(seat);
            let has_dies = !rapl::counts_packages(info) && topology.dies_of(seat.package) > 1;
            let place = Place { die: has_dies.then_some(seat.die), ..Place::of_package(Kind::Package, seat.package) };
            leaders.entry(place).or_default().push(cpu);
        }
    }
    leaders
}

impl Msr {
    fn open(
        &mut self,
        root: &Root,
        package: Place,
        cpus: &[u32],
        registers: Registers,
        info: &CpuInfo,
        findings: &mut Vec<Finding>,
    ) -> Result<(), Finding> {
        let first = open_cpu(root, cpus[0])?;
        let unit = read_register(&first, registers.unit).map_err(|fault| failed(cpus[0], registers.unit, fault))?;
        for (kind, register) in registers.counters {
            let all_cores = *kind == Kind::Core && rapl::counts_single_cores(info);
            let cpus = if all_cores { cpus } else { &cpus[..1] };
            let files = cpus.iter().map(|cpu| open_cpu(root, *cpu)).collect::<Result<Vec<_>, _>>()?;
            let place = if *kind == Kind::Psys && package.package == Some(0) {
                Place::of_machine(Kind::Psys)
            } else {
                Place { kind: *kind, ..package }
            };
            let counter = Counter { files, register: *register };
            findings.push(self.add(place, counter, cpus, Unit::of(*kind, unit, info), info));
        }
        Ok(())
    }

    /// Keeps a counter that counts. The kernel's drivers, too, leave out a domain whose register shows 0 at first.
    fn add(&mut self, place: Place, counter: Counter, cpus: &[u32], unit: Unit, info: &CpuInfo) -> Finding {
        let (domain, at) = (Some(place.id()), format!("register {:#x} of CPU {}", counter.register, cpus[0]));
        let (availability, detail) = match (counter.read(), unit.scale()) {
            (Ok(0), _) => (Availability::Absent, format!("{at} shows 0")),
            (Err(fault), _) => (availability(fault), format!("{at}: {}", fault.as_str())),
            (_, None) => (Availability::NotSupported, format!("{at}: unit {unit:?}")),
            (Ok(_), Some(scale)) => {
                let more = if cpus.len() > 1 { format!(" and {} more cores", cpus.len() - 1) } else { String::new() };
                let detail = format!("{at}{more}, {unit:?}");
                self.channels.push(rapl::channel(place, scale, Range::Modulo(1 << COUNTER_BITS), detail.clone(), info));
                self.counters.push(counter);
                (Availability::Available, detail)
            }
        };
        Finding { source: NAME, domain, availability, detail }
    }
}

impl Source for Msr {
    fn name(&self) -> &'static str {
        NAME
    }

    fn channels(&self) -> &[Channel] {
        &self.channels
    }

    fn read(&self, clock: &dyn Clock, samples: &mut [Sample]) {
        for (counter, sample) in self.counters.iter().zip(samples) {
            *sample = Sample::bracket(clock, || counter.read());
        }
    }

    fn retain(&mut self, keep: &[bool]) {
        super::retain_marked(&mut self.channels, keep);
        super::retain_marked(&mut self.counters, keep);
    }
}

impl Counter {
    /// The low half of the register; of several cores the sum, which wraps where each of them does.
    fn read(&self) -> Result<u64, Fault> {
        let sum = self
            .files
            .iter()
            .try_fold(0_u64, |sum, file| read_register(file, self.register).map(|value| sum.wrapping_add(value)))?;
        Ok(sum & ((1 << COUNTER_BITS) - 1))
    }
}

fn open_cpu(root: &Root, cpu: u32) -> Result<File, Finding> {
    let path = format!("/dev/cpu/{cpu}/msr");
    root.open(&path).map_err(|error| {
        let hint = match error.raw_os_error() {
            Some(libc::ENOENT) => " (the module msr makes it: modprobe msr)",
            Some(libc::EPERM | libc::EACCES) => " (needs root or CAP_SYS_RAWIO, and no kernel lockdown)",
            _ => "",
        };
        let detail = format!("{}: {error}{hint}", root.path(&path).display());
        Finding::of(NAME, Availability::from_io(&error), detail)
    })
}

/// Eight bytes at the offset that is the register's number.
fn read_register(file: &File, register: u64) -> Result<u64, Fault> {
    let mut bytes = [0; 8];
    match file.read_at(&mut bytes, register) {
        Ok(8) => Ok(u64::from_ne_bytes(bytes)),
        Ok(_) => Err(Fault::Garbage),
        Err(error) => Err(Fault::from(&error)),
    }
}

fn failed(cpu: u32, register: u64, fault: Fault) -> Finding {
    Finding::of(NAME, availability(fault), format!("register {register:#x} of CPU {cpu}: {}", fault.as_str()))
}

/// EIO is how the driver says that a processor lacks a register.
fn availability(fault: Fault) -> Availability {
    match fault {
        Fault::Failed(libc::EIO) => Availability::NotSupported,
        _ => Availability::from_fault(fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Manual;
    use proptest::prelude::*;
    use std::io::Write as _;

    fn register(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    #[test]
    fn cores_add_up_modulo_32_bits() {
        let core = |value: u64| register(&value.to_ne_bytes());
        let counter = Counter { files: vec![core(u64::from(u32::MAX)), core(0xdead_beef_0000_0003)], register: 0 };
        assert_eq!(counter.read(), Ok(2));
    }

    #[test]
    fn a_short_register_is_no_number() {
        assert_eq!(read_register(&register(&[1, 2, 3]), 0), Err(Fault::Garbage));
        assert_eq!(read_register(&register(&[]), 0x611), Err(Fault::Garbage));
    }

    #[test]
    fn an_amd_machine_has_one_leader_per_core_and_an_intel_package_one() {
        let cpu = |core| Seat { package: 0, die: core / 2, core };
        let topology = Topology::of([(0, cpu(0)), (1, cpu(1)), (2, cpu(2)), (3, cpu(0))]);
        let amd = CpuInfo { vendor: "AuthenticAMD".to_owned(), ..CpuInfo::default() };
        let package = Place::of_package(Kind::Package, 0);
        assert_eq!(leaders(&topology, &amd), BTreeMap::from([(package, vec![0, 1, 2])]));
    }

    proptest! {
        #[test]
        fn whatever_a_register_holds_is_a_count_below_its_range(value: u64) {
            let counter = Counter { files: vec![register(&value.to_ne_bytes())], register: 0 };
            let mut sample = [Sample::default()];
            let channel = rapl::channel(
                Place::of_machine(Kind::Psys), crate::units::Scale::MICROJOULE, Range::Unbounded, String::new(), &CpuInfo::default(),
            );
            Msr { channels: vec![channel], counters: vec![counter] }.read(&Manual::new(0), &mut sample);
            prop_assert_eq!(sample[0].raw, value & 0xffff_ffff);
        }
    }
}
