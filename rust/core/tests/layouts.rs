//! What is counted on each fixture machine, and the defects that trackers showed in such layouts: every zone's counter
//! goes on by an amount of its own, and the machine's energy must be the sum of those that count, each once.

#![allow(clippy::unwrap_used)] // helpers of tests

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eco2ai_fast_core::clock::Manual;
use eco2ai_fast_core::error::{Error, Fault};
use eco2ai_fast_core::meter::Meter;
use eco2ai_fast_core::sample::Sample;
use eco2ai_fast_core::source::root::Root;
use eco2ai_fast_core::source::{self, Availability, Finding, ModelFigures, Wanted};
use eco2ai_fast_core::units::{MICRO, NS_PER_S};

const POWERCAP: &str = "sys/devices/virtual/powercap";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures")
}

/// Zone ids whose energy is the machine's, as the makers of the fixtures say: the one-level JSON of `counted.json`.
fn counted(machine: &str) -> Vec<String> {
    let text = fs::read_to_string(fixtures().join("counted.json")).unwrap();
    let own = text.split_once(&format!("\"{machine}\": {{")).unwrap().1.split_once('}').unwrap().0;
    own.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// A copy of a fixture whose files may change.
struct Machine {
    directory: tempfile::TempDir,
    clock: Manual,
}

impl Machine {
    fn of(name: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        copy(&fixtures().join(name), directory.path());
        Self { directory, clock: Manual::new(NS_PER_S) }
    }

    fn empty() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), clock: Manual::new(NS_PER_S) }
    }

    fn write(&self, path: &str, text: &str) -> &Self {
        let path = self.directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// A zone of an ESU 14 register: `intel-rapl:0:1` lies in `intel-rapl/intel-rapl:0/intel-rapl:0:1`.
    fn zone(&self, id: &str, name: &str, energy_uj: u64) -> &Self {
        let at = zone_path(id);
        self.write(&format!("{at}/name"), &format!("{name}\n"));
        self.write(&format!("{at}/max_energy_range_uj"), "262143328850\n");
        self.write(&format!("{at}/energy_uj"), &format!("{energy_uj}\n"))
    }

    fn root(&self) -> Root {
        Root::new(self.directory.path())
    }

    fn meter(&self, wanted: Wanted) -> Result<(Meter, Vec<Finding>), Error> {
        let found = source::discover(&self.root(), wanted, &ModelFigures::default())?;
        Ok((Meter::with_sources(found.sources, Arc::new(self.clock.clone())), found.findings))
    }

    /// Every zone of the tree by its id.
    fn zones(&self) -> BTreeMap<String, PathBuf> {
        let mut zones = BTreeMap::new();
        collect(&self.directory.path().join(POWERCAP), &mut zones);
        zones
    }
}

fn zone_path(id: &str) -> String {
    let ends = id.match_indices(':').map(|(at, _)| at).chain([id.len()]);
    format!("{POWERCAP}/{}", ends.map(|end| &id[..end]).collect::<Vec<_>>().join("/"))
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_symlink() {
            symlink(fs::read_link(entry.path()).unwrap(), target).unwrap();
        } else if kind.is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn collect(directory: &Path, zones: &mut BTreeMap<String, PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.path().join("energy_uj").exists() {
            zones.insert(entry.file_name().into_string().unwrap(), entry.path());
        }
        if entry.path().is_dir() {
            collect(&entry.path(), zones);
        }
    }
}

fn read_uj(zone: &Path) -> u64 {
    fs::read_to_string(zone.join("energy_uj")).unwrap().trim().parse().unwrap()
}

/// Lets a second pass in which every zone draws an energy of its own; the energy of each counted domain by its file.
fn a_second_passes(machine: &Machine, meter: &Meter) -> u64 {
    let mut window = meter.window();
    window.begin().unwrap();
    machine.clock.advance(NS_PER_S);
    for (index, zone) in (0_u32..).zip(machine.zones().values()) {
        fs::write(zone.join("energy_uj"), format!("{}\n", read_uj(zone) + own_uj(index))).unwrap();
    }
    let readout = window.end().unwrap();
    meter.stop();
    let domains = meter.domains().into_iter().zip(&readout.domains);
    domains.filter(|(domain, _)| domain.counted).map(|(_, energy)| energy.energy_uj.unwrap()).sum()
}

/// No two subsets of zones draw the same sum: a power of two each, up to 131 W.
fn own_uj(index: u32) -> u64 {
    (MICRO / 100) << (index % 14)
}

#[test]
fn each_fixture_machine_is_counted_once_and_whole() {
    for name in [
        "intel-client",
        "laptop-psys-mmio",
        "server-2s-dram",
        "server-2s-framework-pmu",
        "amd-die-mirrors",
        "amd-1s",
        "sockets-12",
    ] {
        let machine = Machine::of(name);
        let (meter, _) = machine.meter(Wanted::Powercap).unwrap();
        let counted = counted(name);
        let truth: u64 = (0_u32..)
            .zip(machine.zones().keys())
            .filter(|(_, id)| counted.contains(id))
            .map(|(index, _)| own_uj(index))
            .sum();
        assert_eq!(a_second_passes(&machine, &meter), truth, "{name}: {:?}", meter.domains());
    }
}

#[test]
fn a_machine_that_shows_no_meter_is_modelled_and_says_why() {
    for (name, why) in [("vm-nothing", "no intel-rapl zone"), ("container-masked", "a container hides the device")] {
        let (meter, findings) = Machine::of(name).meter(Wanted::Auto).unwrap();
        assert!(meter.domains().iter().all(|domain| domain.source == "estimate"), "{name}");
        let finding = findings.iter().find(|finding| finding.source == "powercap").unwrap();
        assert_eq!(finding.availability, Availability::Absent, "{name}");
        assert!(finding.detail.contains(why), "{name}: {}", finding.detail);
    }
}

/// mlco2/codecarbon #1274 and #1379: a Threadripper's package counted twice, 137 W with 125 W at the wall.
#[test]
fn mirrored_dies_of_an_amd_package_are_one_meter() {
    let (meter, findings) = Machine::of("amd-die-mirrors").meter(Wanted::Powercap).unwrap();
    let packages: Vec<&str> =
        meter.domains().iter().map(|domain| domain.id.as_str()).filter(|id| id.starts_with("package")).collect();
    assert_eq!(packages, ["package-0"]);
    assert!(findings.iter().any(|finding| finding.detail.contains("repeats the counter")));
}

/// Dies whose counters differ are real on Intel (Cascade Lake-AP) and add up.
#[test]
fn dies_of_an_intel_package_with_counters_of_their_own_add_up() {
    let machine = Machine::empty();
    machine.write("proc/cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\n");
    machine.zone("intel-rapl:0", "package-0-die-0", 5_000 * MICRO).zone("intel-rapl:1", "package-0-die-1", 900 * MICRO);
    let (meter, _) = machine.meter(Wanted::Powercap).unwrap();
    assert_eq!(a_second_passes(&machine, &meter), own_uj(0) + own_uj(1));
}

/// joular/powerjoular PR #46: `intel-rapl:1` taken for psys. The number in an id is none of a package's.
#[test]
fn psys_is_known_by_its_name_wherever_it_stands() {
    let machine = Machine::empty();
    machine.zone("intel-rapl:0", "psys", 7).zone("intel-rapl:1", "package-0", 9).zone("intel-rapl:2", "package-1", 11);
    let (meter, _) = machine.meter(Wanted::Powercap).unwrap();
    assert_eq!(a_second_passes(&machine, &meter), own_uj(1) + own_uj(2));
    assert!(meter.domains().iter().any(|domain| domain.id == "psys" && !domain.counted));
}

/// ml-energy/zeus PR #115: a pattern of one decimal digit misses the zones of ten and more sockets.
#[test]
fn sixteen_sockets_and_more_are_found_by_hexadecimal_ids() {
    let machine = Machine::empty();
    for socket in 0..20 {
        machine.zone(&format!("intel-rapl:{socket:x}"), &format!("package-{socket}"), 1_000 * (socket + 1));
    }
    let (meter, _) = machine.meter(Wanted::Powercap).unwrap();
    assert_eq!(meter.domains().len(), 20);
}

/// hubblo-org/scaphandre #373 and #386, powerapi-ng/pyJoules #61: mounting the class shows links to nothing.
#[test]
fn a_container_that_mounts_the_devices_elsewhere_is_read_there() {
    let machine = Machine::of("intel-client");
    fs::remove_dir_all(machine.directory.path().join("sys/class/powercap")).unwrap();
    let (meter, _) = machine.meter(Wanted::Powercap).unwrap();
    let ids: Vec<&str> = meter.domains().iter().map(|domain| domain.id.as_str()).collect();
    assert_eq!(ids, ["package-0", "core-0", "uncore-0"]);
}

/// mlco2/codecarbon PR #1321: a read error became 0, and the next difference 262 kJ.
#[test]
fn a_zone_that_cannot_be_read_for_a_while_adds_nothing_and_loses_nothing() {
    let machine = Machine::of("server-2s-dram");
    let (meter, _) = machine.meter(Wanted::Powercap).unwrap();
    let energy = machine.zones()["intel-rapl:0"].join("energy_uj");
    let mut window = meter.window();
    window.begin().unwrap();
    for (text, seconds) in [("garbage\n", 1), ("", 1), ("200065000007\n", 1)] {
        fs::write(&energy, text).unwrap();
        machine.clock.advance(seconds * NS_PER_S);
        meter.tick();
    }
    let readout = window.end().unwrap();
    meter.stop();
    assert_eq!(readout.domains[0].energy_uj, Some(65 * MICRO));
    assert_eq!(readout.domains[0].coverage.to_bits(), 0.0_f64.to_bits());
}

/// joular/powerjoular #87: memory unwrapped at the package's range, 196 kJ too much in one step.
#[test]
fn each_domain_wraps_at_a_range_of_its_own() {
    let machine = Machine::of("server-2s-dram");
    let dram = machine.zones()["intel-rapl:0:0"].join("energy_uj");
    fs::write(&dram, "65712000000\n").unwrap();
    let (meter, _) = machine.meter(Wanted::Powercap).unwrap();
    let mut window = meter.window();
    window.begin().unwrap();
    machine.clock.advance(NS_PER_S);
    fs::write(&dram, "7000387\n").unwrap();
    let readout = window.end().unwrap();
    meter.stop();
    let index = meter.domains().iter().position(|domain| domain.id == "dram-0").unwrap();
    // The range of the memory's unit of 15.3 uJ is 65,712,999,614 uJ.
    assert_eq!((readout.domains[index].energy_uj, readout.domains[index].wraps), (Some(8_000_001), 1));
}

/// The driver is loaded anew: the zones are new files, and descriptors of the old ones answer ENODEV for ever.
#[test]
fn a_zone_that_vanished_is_opened_anew_and_only_if_it_is_the_same() {
    let machine = Machine::of("intel-client");
    let found = source::discover(&machine.root(), Wanted::Powercap, &ModelFigures::default()).unwrap();
    let powercap = &found.sources[0];
    let vanished = Sample { fault: Some(Fault::Vanished), ..Sample::default() };
    let samples = [vanished, Sample::default(), Sample::default()];
    let first = || {
        let mut samples = [Sample::default(); 3];
        powercap.read(&machine.clock, &mut samples);
        samples[0].raw
    };
    let zone = machine.zones()["intel-rapl:0"].clone();
    for (name, mended, raw) in [("package-1\n", false, 123_456_789_012), ("package-0\n", true, 5)] {
        fs::remove_file(zone.join("energy_uj")).unwrap();
        fs::write(zone.join("energy_uj"), "5\n").unwrap();
        fs::write(zone.join("name"), name).unwrap();
        assert_eq!((powercap.mend(&samples), first()), (mended, raw), "{name}");
    }
    assert!(!powercap.mend(&[Sample::default(); 3]), "what is not gone is left alone");
}
