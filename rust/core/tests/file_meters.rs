//! Is each file-shaped meter read exactly, no faster than it may be, and refused by name where it is not known?

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use eco2ai_fast_core::choice::Domain;
use eco2ai_fast_core::clock::Manual;
use eco2ai_fast_core::error::Fault;
use eco2ai_fast_core::meter::Meter;
use eco2ai_fast_core::source::root::Root;
use eco2ai_fast_core::source::{self, Availability, Discovery, Finding, ModelFigures, Wanted};
use eco2ai_fast_core::units::NS_PER_S;

const W: u64 = 1_000_000;

/// A tree of files, the clock of its meters, and what was found in it.
struct Machine {
    tree: tempfile::TempDir,
    clock: Manual,
    meter: Meter,
    findings: Vec<Finding>,
}

impl Machine {
    fn new(files: &[(&str, &str)]) -> Self {
        let tree = tempfile::tempdir().unwrap();
        files.iter().for_each(|(path, text)| write(tree.path(), path, text));
        Self::of(tree, Wanted::File)
    }

    fn of(tree: tempfile::TempDir, wanted: Wanted) -> Self {
        let clock = Manual::new(NS_PER_S);
        let found = source::discover(&Root::new(tree.path()), wanted, &ModelFigures::default()).unwrap();
        let Discovery { sources, findings } = found;
        let meter = Meter::with_sources(sources, Arc::new(clock.clone()));
        Self { tree, clock, meter, findings }
    }

    fn write(&self, path: &str, text: &str) {
        write(self.tree.path(), path, text);
    }

    /// Lets seconds pass in steps of 2, at each of which every meter is read: the pace of the slowest.
    fn pass(&self, seconds: u64) {
        for _ in 0..seconds / 2 {
            self.clock.advance(2 * NS_PER_S);
            self.meter.tick();
        }
    }

    /// Joules by domain over what `work` does.
    fn window(&self, work: impl FnOnce(&Self)) -> BTreeMap<String, f64> {
        let mut window = self.meter.window();
        window.begin().unwrap();
        work(self);
        let energies = window.end().unwrap().domains;
        let ids = self.meter.domains().into_iter().map(|domain| domain.id.clone());
        ids.zip(energies).map(|(id, energy)| (id, energy.energy_uj.unwrap() as f64 / W as f64)).collect()
    }

    fn counted(&self) -> Vec<&str> {
        self.meter.domains().into_iter().filter(|domain| domain.counted).map(|domain| domain.id.as_str()).collect()
    }
}

/// In place, as the kernel does: meters keep their files open.
fn write(tree: &Path, path: &str, text: &str) {
    let path = tree.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn near(actual: f64, expected: f64) -> bool {
    (actual - expected).abs() < 1e-5
}

fn findings_of(files: &[(&str, &str)]) -> Vec<Finding> {
    let tree = tempfile::tempdir().unwrap();
    files.iter().for_each(|(path, text)| write(tree.path(), path, text));
    write(tree.path(), "proc/stat", "cpu  1 0 0 1 0 0 0 0 0 0\n");
    let root = Root::new(tree.path());
    source::discover(&root, Wanted::Auto, &ModelFigures::default()).unwrap().findings
}

fn refusal<'a>(findings: &'a [Finding], words: &str) -> &'a Finding {
    findings.iter().find(|finding| finding.detail.contains(words)).unwrap_or_else(|| panic!("{words}: {findings:?}"))
}

fn is_untried(domain: &Domain) -> bool {
    domain.channel.detail.contains("from documentation")
}

#[test]
fn amd_energy_counts_its_sockets_and_not_their_cores() {
    let file = |index: u32| format!("sys/class/hwmon/hwmon3/energy{index}_input");
    let machine = Machine::new(&[
        ("sys/class/hwmon/hwmon3/name", "amd_energy\n"),
        ("sys/class/hwmon/hwmon3/energy1_label", "Ecore000\n"),
        ("sys/class/hwmon/hwmon3/energy1_input", "900\n"),
        ("sys/class/hwmon/hwmon3/energy65_label", "Esocket0\n"),
        ("sys/class/hwmon/hwmon3/energy65_input", "5000000000\n"),
        ("sys/class/hwmon/hwmon3/energy66_label", "Esocket1\n"),
        ("sys/class/hwmon/hwmon3/energy66_input", "7000000000\n"),
    ]);
    let energy = machine.window(|machine| {
        machine.clock.advance(NS_PER_S);
        machine.write(&file(65), "5123456789\n");
        machine.write(&file(66), "7000000001\n");
    });
    assert!(near(energy["package-0"], 123.456_789) && near(energy["package-1"], 0.000_001), "{energy:?}");
    assert_eq!(energy.len(), 2);
    assert!(machine.meter.domains().into_iter().all(is_untried));
}

#[test]
fn the_firmware_s_gauge_of_a_whole_computer_is_the_sum_where_no_package_has_a_meter() {
    let tree = tempfile::tempdir().unwrap();
    let power = "sys/class/hwmon/hwmon0/device/power1_average";
    for (path, text) in [
        ("sys/class/hwmon/hwmon0/name", "power_meter\n"),
        (power, "250000000\n"),
        ("sys/class/hwmon/hwmon0/device/power1_average_interval", "1000\n"),
        ("proc/stat", "cpu  1 0 0 1 0 0 0 0 0 0\n"),
        ("proc/meminfo", "MemTotal:  8000000 kB\n"),
    ] {
        write(tree.path(), path, text);
    }
    let machine = Machine::of(tree, Wanted::Auto);
    assert_eq!(machine.counted(), ["psys"]);
    let energy = machine.window(|machine| machine.pass(60));
    assert!(near(energy["psys"], 250.0 * 60.0), "{energy:?}");
    // An average of the second before: what it says counts for the time since the reading before.
    let energy = machine.window(|machine| {
        machine.write(power, "100000000\n");
        machine.pass(2);
    });
    assert!(near(energy["psys"], 100.0 * 2.0), "{energy:?}");
}

#[test]
fn the_rail_that_feeds_a_jetson_is_voltage_times_current_and_its_parts_are_named() {
    let machine = Machine::new(&[
        ("sys/class/hwmon/hwmon1/name", "ina3221\n"),
        ("sys/class/hwmon/hwmon1/update_interval", "20\n"),
        ("sys/class/hwmon/hwmon1/in1_label", "VDD_IN\n"),
        ("sys/class/hwmon/hwmon1/in1_input", "5064\n"),
        ("sys/class/hwmon/hwmon1/curr1_input", "1480\n"),
        ("sys/class/hwmon/hwmon1/in2_label", "VDD_CPU_GPU_CV\n"),
        ("sys/class/hwmon/hwmon1/in2_input", "5048\n"),
        ("sys/class/hwmon/hwmon1/curr2_input", "240\n"),
    ]);
    let energy = machine.window(|machine| machine.pass(10));
    assert!(near(energy["psys"], 5.064 * 1.480 * 10.0), "{energy:?}");
    assert_eq!(machine.counted(), ["psys"]);
    assert_eq!(refusal(&machine.findings, "VDD_CPU_GPU_CV").availability, Availability::NotSupported);
}

#[test]
fn of_a_grace_socket_the_chip_and_the_memory_add_up_to_the_socket() {
    let names = [("Module", 700 * W), ("Grace", 310 * W), ("CPU", 200 * W), ("SysIO", 50 * W)];
    let files: Vec<(String, String)> = (0..)
        .zip(names)
        .flat_map(|(index, (rail, power_uw))| {
            let base = format!("sys/class/hwmon/hwmon{index}");
            [
                (format!("{base}/name"), "power_meter\n".to_owned()),
                (format!("{base}/device/power1_average"), format!("{power_uw}\n")),
                (format!("{base}/device/power1_oem_info"), format!("{rail} Power Socket 0\n")),
            ]
        })
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let machine = Machine::new(&files);
    let energy = machine.window(|machine| machine.pass(10));
    assert!(near(energy["package-0"], 2500.0) && near(energy["dram-0"], 600.0), "{energy:?}");
    assert_eq!(machine.counted(), ["package-0", "dram-0"]);
}

#[test]
fn intel_cards_count_microjoules() {
    let base = |card: u32| format!("sys/class/drm/card{card}/device/hwmon/hwmon{card}");
    let files = [
        (format!("{}/name", base(1)), "i915\n".to_owned()),
        (format!("{}/energy1_input", base(1)), "10\n".to_owned()),
        (format!("{}/name", base(2)), "xe\n".to_owned()),
        (format!("{}/energy1_input", base(2)), "4294967295\n".to_owned()),
        (format!("{}/energy2_input", base(2)), "77\n".to_owned()),
        ("sys/class/drm/card1-DP-1/status".to_owned(), "connected\n".to_owned()),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let machine = Machine::new(&files);
    let energy = machine.window(|machine| {
        machine.clock.advance(NS_PER_S);
        machine.write(&format!("{}/energy1_input", base(1)), "30000010\n");
        machine.write(&format!("{}/energy1_input", base(2)), "4294967296\n");
    });
    assert!(near(energy["gpu-card-1"], 30.0) && near(energy["gpu-card-2"], 0.000_001), "{energy:?}");
    assert_eq!(machine.counted(), ["gpu-card-1", "gpu-card-2"]);
    assert!(machine.meter.keep_alive_period_ns().unwrap() <= 30 * NS_PER_S, "the driver loses a double wrap");
}

/// A `gpu_metrics` table of 120 bytes with an energy counter at an offset.
fn metrics(layout: (u8, u8), offset: usize, counts: u64) -> Vec<u8> {
    let mut table = vec![0; 120];
    table[..4].copy_from_slice(&[120, 0, layout.0, layout.1]);
    table[offset..offset + 8].copy_from_slice(&counts.to_le_bytes());
    table
}

fn amd_card(tree: &Path, table: &[u8]) {
    write(tree, "sys/class/drm/card0/device/hwmon/hwmon5/name", "amdgpu\n");
    write(tree, "sys/class/drm/card0/device/hwmon/hwmon5/power1_average", "42000000\n");
    fs::write(tree.join("sys/class/drm/card0/device/gpu_metrics"), table).unwrap();
}

#[test]
fn the_energy_counter_of_gpu_metrics_is_read_where_its_layout_is_known() {
    for (layout, offset) in [((1, 4), 24), ((1, 5), 88), ((1, 6), 88)] {
        let tree = tempfile::tempdir().unwrap();
        amd_card(tree.path(), &metrics(layout, offset, 1_000));
        let machine = Machine::of(tree, Wanted::File);
        let energy = machine.window(|machine| {
            machine.clock.advance(NS_PER_S);
            let table = metrics(layout, offset, 1_000 + 100 * 65_536);
            fs::write(machine.tree.path().join("sys/class/drm/card0/device/gpu_metrics"), table).unwrap();
        });
        assert!(near(energy["gpu-card-0"], 100.0), "{layout:?} {energy:?}");
    }
}

#[test]
fn a_table_whose_energy_has_no_unit_leaves_the_gauge() {
    let tree = tempfile::tempdir().unwrap();
    amd_card(tree.path(), &metrics((1, 3), 24, 5));
    let machine = Machine::of(tree, Wanted::File);
    assert_eq!(refusal(&machine.findings, "v1.3").availability, Availability::NotSupported);
    let energy = machine.window(|machine| machine.pass(10));
    assert!(near(energy["gpu-card-0"], 420.0), "{energy:?}");
}

#[test]
fn unknown_tables_and_processors_with_graphics_are_refused_by_name() {
    for (layout, words) in [((2, 4), "v2.4"), ((3, 0), "v3.0"), ((1, 9), "v1.9"), ((7, 1), "v7.1")] {
        let tree = tempfile::tempdir().unwrap();
        amd_card(tree.path(), &metrics(layout, 24, 5));
        write(tree.path(), "proc/stat", "cpu  1 0 0 1 0 0 0 0 0 0\n");
        let machine = Machine::of(tree, Wanted::Auto);
        assert_eq!(refusal(&machine.findings, words).availability, Availability::NotSupported);
        assert!(machine.meter.domains().into_iter().all(|domain| domain.id != "gpu-card-0"));
    }
}

#[test]
fn a_table_that_turns_into_another_is_a_failed_reading_and_no_energy() {
    let tree = tempfile::tempdir().unwrap();
    amd_card(tree.path(), &metrics((1, 6), 88, 1_000));
    let machine = Machine::of(tree, Wanted::File);
    let mut window = machine.meter.window();
    window.begin().unwrap();
    machine.clock.advance(NS_PER_S);
    amd_card(machine.tree.path(), &metrics((1, 7), 88, 9_999_999));
    let energy = window.end().unwrap().domains[0];
    assert_eq!((energy.energy_uj, energy.fault.map(Fault::as_str)), (None, Some("unreadable text")));
    assert!(energy.coverage < 1.0);
}

#[test]
fn a_battery_counts_while_it_discharges_and_says_so_when_it_does_not() {
    let base = "sys/class/power_supply/BAT1";
    let files = [
        (format!("{base}/type"), "Battery\n"),
        (format!("{base}/status"), "Discharging\n"),
        (format!("{base}/current_now"), "1250000\n"),
        (format!("{base}/voltage_now"), "12000000\n"),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    let machine = Machine::new(&files);
    let energy = machine.window(|machine| machine.pass(10));
    assert!(near(energy["battery-1"], 150.0), "{energy:?}");
    assert!(machine.counted().is_empty(), "a battery feeds what has meters of its own");

    let mut window = machine.meter.window();
    window.begin().unwrap();
    machine.write(&format!("{base}/status"), "Charging\n");
    machine.pass(2);
    let energy = window.end().unwrap().domains[0];
    assert_eq!(energy.fault.map(Fault::as_str), Some("no value now"));
    assert!(energy.coverage < 1.0);

    let mut plugged = files.clone();
    plugged[1].1 = "Full\n";
    assert_eq!(refusal(&findings_of(&plugged), "while discharging").availability, Availability::NotSupported);
}

#[test]
fn a_mouse_s_battery_is_none_of_ours() {
    let base = "sys/class/power_supply/hidpp_battery_0";
    let files = [("type", "Battery\n"), ("scope", "Device\n"), ("status", "Discharging\n"), ("power_now", "1\n")];
    let files: Vec<(String, &str)> = files.iter().map(|(name, text)| (format!("{base}/{name}"), *text)).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    assert!(findings_of(&files).iter().all(|finding| finding.source != "battery"));
}

#[test]
fn a_driver_that_nobody_knows_is_refused_by_its_name_and_a_thermometer_is_no_finding() {
    let findings = findings_of(&[
        ("sys/class/hwmon/hwmon0/name", "corsairpsu\n"),
        ("sys/class/hwmon/hwmon0/power1_input", "42000000\n"),
        ("sys/class/hwmon/hwmon1/name", "coretemp\n"),
        ("sys/class/hwmon/hwmon1/temp1_input", "42000\n"),
    ]);
    assert_eq!(refusal(&findings, "corsairpsu").availability, Availability::NotSupported);
    assert!(findings.iter().all(|finding| !finding.detail.contains("coretemp")));
}

#[test]
fn a_driver_s_word_for_no_value_is_no_power() {
    let path = "sys/class/hwmon/hwmon0/power1_average";
    let findings = findings_of(&[("sys/class/hwmon/hwmon0/name", "power_meter\n"), (path, "4294967295000\n")]);
    assert_eq!(refusal(&findings, "ACPI").availability, Availability::Failed);
}

#[test]
fn firmware_is_not_asked_twice_within_a_second_by_whomever() {
    let path = "sys/class/hwmon/hwmon0/power1_average";
    let machine = Machine::new(&[("sys/class/hwmon/hwmon0/name", "power_meter\n"), (path, "100000000\n")]);
    let energy = machine.window(|machine| {
        // Whoever read the file now would see a gigawatt.
        machine.write(path, "999999999999\n");
        for _ in 0..9 {
            machine.clock.advance(NS_PER_S / 10);
            machine.meter.tick();
            assert!(machine.window(|_| ())["psys"] < 1e-6);
        }
        machine.write(path, "100000000\n");
        machine.clock.advance(NS_PER_S);
    });
    assert!(near(energy["psys"], 190.0), "{energy:?}");
}

#[test]
fn what_was_read_when_it_was_found_is_not_asked_for_again_at_once() {
    let path = "sys/class/hwmon/hwmon0/power1_average";
    let tree = tempfile::tempdir().unwrap();
    write(tree.path(), "sys/class/hwmon/hwmon0/name", "power_meter\n");
    write(tree.path(), path, "100000000\n");
    let found = source::discover(&Root::new(tree.path()), Wanted::File, &ModelFigures::default()).unwrap();
    write(tree.path(), path, "999000000\n");
    let clock = Manual::new(5 * NS_PER_S);
    let mut samples = [eco2ai_fast_core::sample::Sample::default()];
    let mut read = |at_ns| {
        clock.set(at_ns);
        found.sources[0].read(&clock, &mut samples);
        samples[0].raw
    };
    assert_eq!([5 * NS_PER_S, 6 * NS_PER_S - 1, 6 * NS_PER_S].map(&mut read), [100 * W, 100 * W, 999 * W]);
}

#[test]
fn a_meter_s_own_pace_is_slower_than_it_may_be_asked() {
    let machine = Machine::new(&[
        ("sys/class/hwmon/hwmon0/name", "power_meter\n"),
        ("sys/class/hwmon/hwmon0/power1_average", "1\n"),
    ]);
    let tick_ns = machine.meter.domains().into_iter().next().unwrap().channel.tick_ns;
    assert!(tick_ns > NS_PER_S, "{tick_ns}");
    assert_eq!(machine.meter.keep_alive_period_ns(), Some(tick_ns), "a gauge is followed while a window is open");
}
