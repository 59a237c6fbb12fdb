//! The perf route on real perf events: a PMU directory that names a software event, whose count cpu-wide is wall time, so
//! that each opened CPU draws exactly 1 W at a scale of 1e-9 J. Skipped where the kernel refuses such events.
#![allow(clippy::unwrap_used, clippy::print_stderr)] // helpers of tests, and the reason of a skip

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use eco2ai_fast_core::clock::{Manual, Monotonic};
use eco2ai_fast_core::domain::Range;
use eco2ai_fast_core::meter::Meter;
use eco2ai_fast_core::source::root::Root;
use eco2ai_fast_core::source::{self, Discovery, ModelFigures, Wanted};

/// A machine whose PMU lists `mask`; `seats` gives package and core of each CPU.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new(vendor: &str, mask: &str, seats: &[(u32, u32)]) -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        machine.pmu("power", mask, &[("energy-pkg", "0x00", "1e-9"), ("energy-ram", "0x00", "1e-9")]);
        machine.write(
            "proc/cpuinfo",
            &format!("processor\t: 0\nvendor_id\t: {vendor}\ncpu family\t: 6\nmodel\t\t: 106\n"),
        );
        machine.write("sys/devices/system/cpu/online", &format!("0-{}", seats.len() - 1));
        for (cpu, (package, core)) in seats.iter().enumerate() {
            let topology = format!("sys/devices/system/cpu/cpu{cpu}/topology");
            machine.write(&format!("{topology}/physical_package_id"), &package.to_string());
            machine.write(&format!("{topology}/die_id"), "0");
            machine.write(&format!("{topology}/core_id"), &core.to_string());
        }
        machine
    }

    fn pmu(&self, name: &str, mask: &str, events: &[(&str, &str, &str)]) {
        let at = format!("sys/bus/event_source/devices/{name}");
        self.write(&format!("{at}/type"), "1\n"); // PERF_TYPE_SOFTWARE
        self.write(&format!("{at}/cpumask"), &format!("{mask}\n"));
        self.write(&format!("{at}/format/event"), "config:0-7\n");
        for (event, code, scale) in events {
            self.write(&format!("{at}/events/{event}"), &format!("event={code}\n"));
            self.write(&format!("{at}/events/{event}.scale"), &format!("{scale}\n"));
            self.write(&format!("{at}/events/{event}.unit"), "Joules\n");
        }
    }

    fn write(&self, path: &str, text: &str) {
        let path: &Path = &self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// What the perf route finds; `None`, with a word to the reader, where the kernel refuses cpu-wide events.
    fn discover(&self, wanted: Wanted) -> Option<Discovery> {
        let found = source::discover(&Root::new(self.0.path()), wanted, &ModelFigures::default());
        match found {
            Ok(found) if found.sources.iter().any(|source| source.name() == "perf") => Some(found),
            found => {
                eprintln!("skipped: {:?}", found.map(|found| found.findings));
                None
            }
        }
    }
}

/// Energy of each domain over a tenth of a second, as a mean power in watts.
fn powers(found: Discovery) -> Vec<(String, f64)> {
    let meter = Meter::with_sources(found.sources, Arc::new(Monotonic));
    let mut window = meter.window();
    window.begin().unwrap();
    std::thread::sleep(Duration::from_millis(100));
    let readout = window.end().unwrap();
    meter.stop();
    let seconds = (readout.t1_ns - readout.t0_ns) as f64 * 1e-9;
    let energies = readout.domains.iter().map(|energy| energy.energy_uj.unwrap() as f64 * 1e-6 / seconds);
    meter.domains().iter().map(|domain| domain.id.clone()).zip(energies).collect()
}

fn assert_watts(powers: &[(String, f64)], expected: &[(&str, f64)]) {
    let ids: Vec<&str> = powers.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, expected.iter().map(|(id, _)| *id).collect::<Vec<_>>());
    for ((id, power_w), (_, expected_w)) in powers.iter().zip(expected) {
        assert!((power_w - expected_w).abs() < 0.02 * expected_w, "{id}: {power_w} W");
    }
}

/// alumet-dev/alumet, `plugins/rapl/src/cpus.rs`: one event per CPU of the mask, which since Linux 7.0 lists all of them.
#[test]
fn a_mask_of_every_cpu_is_one_meter_per_package() {
    let machine = Machine::new("GenuineIntel", "0-1", &[(0, 0), (0, 1)]);
    let Some(found) = machine.discover(Wanted::Perf) else { return };
    assert_watts(&powers(found), &[("package-0", 1.0), ("dram-0", 1.0)]);
}

#[test]
fn each_package_is_read_through_a_cpu_of_its_own() {
    let machine = Machine::new("GenuineIntel", "0,1", &[(0, 0), (1, 0)]);
    let Some(found) = machine.discover(Wanted::Perf) else { return };
    let expected = [("package-0", 1.0), ("dram-0", 1.0), ("package-1", 1.0), ("dram-1", 1.0)];
    assert_watts(&powers(found), &expected);
}

#[test]
fn the_cores_of_an_amd_package_are_one_domain_when_perf_is_asked_for() {
    let machine = Machine::new("AuthenticAMD", "0", &[(0, 0), (0, 1)]);
    machine.pmu("power_core", "0-1", &[("energy-core", "0x00", "1e-9")]);
    let Some(found) = machine.discover(Wanted::Perf) else { return };
    assert_watts(&powers(found), &[("package-0", 1.0), ("dram-0", 1.0), ("core-0", 2.0)]);
    let found = machine.discover(Wanted::Auto).unwrap();
    assert!(found.findings.iter().any(|finding| finding.detail.starts_with("power_core")));
    assert_eq!(found.sources[0].channels().len(), 2);
}

/// The RAPL-framework PMU offers a domain that the package lacks and shows 0 for ever, as `PERF_COUNT_SW_DUMMY` does.
#[test]
fn memory_that_never_counts_is_absent_and_modelled_instead() {
    let machine = Machine::new("GenuineIntel", "0", &[(0, 0), (0, 1)]);
    machine.pmu("power", "0", &[("energy-pkg", "0x00", "1e-9"), ("energy-ram", "0x09", "1e-9")]);
    machine.write("proc/meminfo", "MemTotal: 16000000 kB\n");
    let Some(found) = machine.discover(Wanted::Auto) else { return };
    assert!(found.findings.iter().any(|finding| finding.detail.contains("never counts")), "{:?}", found.findings);
    let meter = Meter::with_sources(found.sources, Arc::new(Manual::new(1)));
    let routes: Vec<_> = meter.domains().iter().map(|domain| (domain.id.as_str(), domain.source)).collect();
    assert_eq!(routes, [("package-0", "perf"), ("dram", "estimate")]);
}

/// powercap shows the range of the same register also to those who may not read its energy.
#[test]
fn the_range_of_a_perf_count_is_learned_from_powercap() {
    let machine = Machine::new("GenuineIntel", "0", &[(0, 0), (0, 1)]);
    machine.pmu("power", "0", &[("energy-pkg", "0x00", "2.3283064365386962890625e-10")]);
    let zone = "sys/class/powercap/intel-rapl:0";
    machine.write(&format!("{zone}/name"), "package-0\n");
    machine.write(&format!("{zone}/max_energy_range_uj"), "262143328850\n");
    machine.write(&format!("{zone}/constraint_0_max_power_uw"), "270000000\n");
    let Some(found) = machine.discover(Wanted::Perf) else { return };
    let channels = found.sources[0].channels();
    assert_eq!((channels[0].range, channels[0].max_power_uw), (Range::Drops(1 << 50), 540_000_000));
    // Memory of an Ice Lake-SP counts 2^-16 J whatever powercap says: 65,536 J, here in counts of a nanojoule.
    assert_eq!(channels[1].range, Range::Drops(65_536_000_000_000));
}
