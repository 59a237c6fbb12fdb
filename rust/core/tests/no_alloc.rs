//! Nothing in the hot path allocates: not a read by any route, not a publication, not the end of a window, not a fault.
#![allow(clippy::unwrap_used)] // helpers of tests

use std::fs;
use std::path::Path;
use std::sync::Arc;

use allocation_counter::measure;
use eco2ai_fast_core::choice;
use eco2ai_fast_core::clock::Monotonic;
use eco2ai_fast_core::error::Fault;
use eco2ai_fast_core::integrate::Point;
use eco2ai_fast_core::panel::Panel;
use eco2ai_fast_core::sample::Sample;
use eco2ai_fast_core::source::root::Root;
use eco2ai_fast_core::source::{self, ModelFigures, Source, Wanted};

fn write(root: &Path, path: &str, bytes: &[u8]) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A machine of five domains by powercap, MSR and the models; by perf where the kernel opens software events.
fn machine() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    write(root, "proc/cpuinfo", b"processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\n");
    write(root, "proc/stat", b"cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 2 3 4 5 6 7 8 9 10\n");
    write(root, "proc/meminfo", b"MemTotal: 16000000 kB\n");
    let zones = [("0", "package-0"), ("0:0", "core"), ("0:1", "uncore"), ("0:2", "dram"), ("1", "psys")];
    for (id, name) in zones {
        let zone = format!("sys/class/powercap/intel-rapl:{id}");
        write(root, &format!("{zone}/name"), name.as_bytes());
        write(root, &format!("{zone}/energy_uj"), b"123456789\n");
        write(root, &format!("{zone}/max_energy_range_uj"), b"262143328850\n");
    }
    let mut registers = vec![0; 0x680];
    registers[0x606..0x60E].copy_from_slice(&0xA_0E03_u64.to_ne_bytes());
    for register in [0x611, 0x619, 0x639, 0x641, 0x64D] {
        registers[register..register + 8].copy_from_slice(&77_u64.to_ne_bytes());
    }
    write(root, "dev/cpu/0/msr", &registers);
    let pmu = "sys/bus/event_source/devices/power";
    write(root, &format!("{pmu}/type"), b"1");
    write(root, &format!("{pmu}/cpumask"), b"0");
    for event in ["energy-pkg", "energy-ram", "energy-cores", "energy-gpu", "energy-psys"] {
        write(root, &format!("{pmu}/events/{event}"), b"event=0x00");
        write(root, &format!("{pmu}/events/{event}.scale"), b"1e-9");
        write(root, &format!("{pmu}/events/{event}.unit"), b"Joules");
    }
    directory
}

/// The sources of one route; none where perf is refused.
fn sources(root: &Path, wanted: Wanted) -> Vec<Box<dyn Source>> {
    source::discover(&Root::new(root), wanted, &ModelFigures::default()).map(|found| found.sources).unwrap_or_default()
}

#[test]
fn no_route_allocates_when_it_reads() {
    let machine = machine();
    for wanted in [Wanted::Perf, Wanted::Powercap, Wanted::Msr, Wanted::Estimate] {
        for source in sources(machine.path(), wanted) {
            let mut samples = vec![Sample::default(); source.channels().len()];
            let info = measure(|| (0..100).for_each(|_| source.read(&Monotonic, &mut samples)));
            assert_eq!(info.count_total, 0, "{wanted:?}");
            assert!(samples.iter().all(|sample| sample.fault.is_none()), "{wanted:?}: {samples:?}");
            assert!(samples.len() == 5 || wanted == Wanted::Estimate, "{wanted:?}: {samples:?}");
        }
    }
}

#[test]
fn neither_a_publication_nor_an_end_of_a_window_allocates() {
    let machine = machine();
    let mut sources = sources(machine.path(), Wanted::Auto);
    let domains = choice::choose(&mut sources, &[]);
    let panel = Panel::new(Arc::new(Monotonic), sources, domains);
    let mut buffers = panel.buffers();
    let mut points = vec![Point::default(); panel.domains().len()];
    let info = measure(|| {
        for _ in 0..100 {
            panel.tick(&mut buffers);
            panel.point(&mut buffers, &mut points);
        }
    });
    assert_eq!(info.count_total, 0);
}

#[test]
fn looking_for_a_vanished_zone_allocates_nothing_found_or_not() {
    let machine = machine();
    let powercap = sources(machine.path(), Wanted::Powercap).remove(0);
    let vanished = [Sample { fault: Some(Fault::Vanished), ..Sample::default() }; 5];
    assert_eq!(measure(|| assert!(powercap.mend(&vanished))).count_total, 0);
    fs::remove_dir_all(machine.path().join("sys/class")).unwrap();
    assert_eq!(measure(|| assert!(!powercap.mend(&vanished))).count_total, 0);
}
