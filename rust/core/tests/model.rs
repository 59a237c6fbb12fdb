//! Does the model of the processor add up, however a time is cut into windows?

#![allow(clippy::unwrap_used, clippy::float_cmp)]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use eco2ai_fast_core::clock::Manual;
use eco2ai_fast_core::meter::Meter;
use eco2ai_fast_core::source::root::Root;
use eco2ai_fast_core::source::storage::Wish;
use eco2ai_fast_core::source::{self, ModelFigures, Wanted};
use eco2ai_fast_core::units::NS_PER_S;
use proptest::prelude::*;

/// Ticks of `/proc/stat` in a second.
const HZ: u64 = 100;

/// A machine of four logical CPUs in a directory, whose load and time a test moves.
struct Machine {
    tree: tempfile::TempDir,
    clock: Manual,
    busy_ticks: u64,
    meter: Meter,
}

impl Machine {
    fn new() -> Self {
        let tree = tempfile::tempdir().unwrap();
        fs::create_dir(tree.path().join("proc")).unwrap();
        let cpu = |number| format!("processor\t: {number}\nmodel name\t: AMD EPYC\nflags\t\t: hypervisor\n\n");
        fs::write(tree.path().join("proc/cpuinfo"), (0..4).map(cpu).collect::<String>()).unwrap();
        fs::write(tree.path().join("proc/meminfo"), "MemTotal:        8000000 kB\n").unwrap();
        write_stat(tree.path(), 1_000);
        let clock = Manual::new(50 * NS_PER_S);
        let found = source::discover(&Root::new(tree.path()), Wanted::Estimate, &ModelFigures::default()).unwrap();
        let meter = Meter::with_sources(found.sources, Arc::new(clock.clone()));
        Self { tree, clock, busy_ticks: 1_000, meter }
    }

    /// Lets time pass, of which `busy` of four CPUs are at work.
    fn run(&mut self, ticks: u64, busy: u64) {
        self.clock.advance(ticks * NS_PER_S / HZ);
        self.busy_ticks += ticks * busy;
        write_stat(self.tree.path(), self.busy_ticks);
    }

    /// Microjoules of every domain over what `work` does, in one window.
    fn window(&mut self, work: impl FnOnce(&mut Self)) -> Vec<u64> {
        let mut window = self.meter.window();
        window.begin().unwrap();
        work(self);
        window.end().unwrap().domains.iter().map(|domain| domain.energy_uj.unwrap()).collect()
    }
}

/// In place, as the kernel does: the meter keeps the file open.
fn write_stat(tree: &Path, busy_ticks: u64) {
    fs::write(tree.join("proc/stat"), format!("cpu  {busy_ticks} 0 0 90000 0 0 0 0 0 0\ncpu0 1 0 0 1 0 0 0 0 0 0\n"))
        .unwrap();
}

fn sum(windows: &[Vec<u64>]) -> Vec<u64> {
    (0..windows[0].len()).map(|domain| windows.iter().map(|window| window[domain]).sum()).collect()
}

#[test]
fn half_busy_and_half_idle_is_the_same_in_one_window_and_in_two() {
    let one = Machine::new().window(|machine| {
        machine.run(500, 4);
        machine.run(500, 0);
    });
    let mut machine = Machine::new();
    let two = [machine.window(|machine| machine.run(500, 4)), machine.window(|machine| machine.run(500, 0))];
    assert_eq!(one, sum(&two));
    assert!(two[0][0] > two[1][0] && two[1][0] > 0, "{two:?}");
}

#[test]
fn a_duty_cycle_of_ten_per_cent_is_the_same_in_one_window_and_in_a_hundred() {
    let one = Machine::new().window(|machine| (0..100).for_each(|_| cycle(machine)));
    let mut machine = Machine::new();
    let hundred: Vec<_> = (0..100).map(|_| machine.window(cycle)).collect();
    assert_eq!(one, sum(&hundred));
}

fn cycle(machine: &mut Machine) {
    machine.run(1, 4);
    machine.run(9, 0);
}

#[test]
fn a_modelled_window_says_that_it_is_modelled_and_how_far_off_it_may_be() {
    let machine = Machine::new();
    for domain in machine.meter.domains() {
        assert!(domain.channel.is_modelled() && domain.channel.sensor_rel >= 0.25, "{domain:?}");
    }
    let package = machine.meter.domains().into_iter().next().unwrap();
    assert!(package.channel.sensor_rel >= 0.4, "a virtual machine's band is wide: {package:?}");
    assert!(package.reason.contains("AMD EPYC, virtual, family unknown"), "{}", package.reason);
}

/// Domains of a machine with two disks, one of them virtual, and what a gigabyte read and ten seconds cost.
fn storage(figures: &ModelFigures) -> Option<(bool, f64)> {
    let machine = Machine::new();
    let stat = |sectors: u64| format!("5 0 {sectors} 1 5 0 0 1 0 1 1\n");
    for disk in ["nvme0n1", "vda"] {
        fs::create_dir_all(machine.tree.path().join("sys/block").join(disk).join("device")).unwrap();
        fs::write(machine.tree.path().join("sys/block").join(disk).join("stat"), stat(0)).unwrap();
    }
    let found = source::discover(&Root::new(machine.tree.path()), Wanted::Estimate, figures).unwrap();
    let refused = found.findings.iter().any(|finding| finding.detail.contains("vda"));
    assert_eq!(refused, figures.storage != Wish::Off, "{:?}", found.findings);
    let meter = Meter::with_sources(found.sources, Arc::new(machine.clock.clone()));
    let mut window = meter.window();
    window.begin().unwrap();
    machine.clock.advance(10 * NS_PER_S);
    fs::write(machine.tree.path().join("sys/block/nvme0n1/stat"), stat(1_000_000_000 / 512)).unwrap();
    let energies = window.end().unwrap().domains;
    let (place, domain) = meter.domains().into_iter().enumerate().find(|(_, domain)| domain.id == "storage")?;
    Some((domain.counted, energies[place].energy_uj.unwrap() as f64 / 1e6))
}

#[test]
fn disks_are_modelled_if_asked_for_and_counted_only_if_that_is_asked_for() {
    let figures = |storage| ModelFigures { storage, ..ModelFigures::default() };
    assert_eq!(storage(&figures(Wish::Off)), None);
    let (counted, energy_j) = storage(&figures(Wish::Show)).unwrap();
    // 1 W at rest, 1.5 nJ a byte.
    assert!(!counted && (energy_j - 11.5).abs() < 1e-3, "{energy_j}");
    assert!(storage(&figures(Wish::Count)).unwrap().0);
    let calibrated = ModelFigures { is_wall_power: true, ..figures(Wish::Count) };
    assert!(!storage(&calibrated).unwrap().0, "wall power has the disks in it");
}

#[test]
fn a_wattmeter_s_figures_are_the_sum_of_all_models_with_nothing_twice() {
    let mut machine = Machine::new();
    let figures =
        ModelFigures { cpu_idle_w: Some(52.0), cpu_max_w: Some(210.0), is_wall_power: true, ..ModelFigures::default() };
    let found = source::discover(&Root::new(machine.tree.path()), Wanted::Estimate, &figures).unwrap();
    machine.meter = Meter::with_sources(found.sources, Arc::new(machine.clock.clone()));
    for (busy, power_w) in [(0, 52.0), (4, 210.0)] {
        assert_eq!(machine.meter.idle_powers_w().into_iter().flatten().sum::<f64>(), 52.0);
        let energy_uj: u64 = machine.window(|machine| machine.run(1_000, busy)).iter().sum();
        assert!((energy_uj as f64 / 1e7 - power_w).abs() < 1e-3, "{energy_uj}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Law 2 for models: wherever a time is cut, and whatever the load, the parts are the whole.
    #[test]
    fn windows_add_up_wherever_they_are_cut(steps in prop::collection::vec((0_u64..300, 0_u64..5), 1..20)) {
        let whole = Machine::new().window(|machine| steps.iter().for_each(|(ticks, busy)| machine.run(*ticks, *busy)));
        let mut machine = Machine::new();
        let parts: Vec<_> = steps.iter().map(|(ticks, busy)| machine.window(|machine| machine.run(*ticks, *busy))).collect();
        prop_assert_eq!(whole, sum(&parts));
    }
}
