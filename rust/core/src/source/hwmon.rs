//! Energy and power meters of `/sys/class/hwmon`: those whose meaning is known by their driver's name.
//!
//! The class also holds sensors of single rails and devices, of which nobody can say what they are a part of: they are
//! named in the findings, and not read.

use std::collections::BTreeMap;
use std::fs::File;

use crate::domain::{Kind, Place, Shape};
use crate::units::{MICRO, NS_PER_S, Scale};

use super::file::{self, Form, Spec, UNTRIED};
use super::root::Root;
use super::{Availability, Discovery, Finding};

const NAME: &str = "hwmon";
const CLASS: &str = "/sys/class/hwmon";
/// Firmware is asked once a second at most: a reading of ACPI's meter may take milliseconds of a controller's time.
const FIRMWARE_PAUSE_NS: u64 = NS_PER_S;
/// Counters in hardware are cheap, but a reading may wake their device.
const DEVICE_PAUSE_NS: u64 = NS_PER_S / 10;
const NS_PER_MS: u64 = 1_000_000;
/// The conversion time of an INA3221 where the driver shows none (`Documentation/hwmon/ina3221.rst`).
const INA_INTERVAL_MS: u64 = 100;
/// Largest plausible power of a computer.
const COMPUTER_UW: u64 = 20_000 * MICRO;
/// Package meters of AMD are models of the processor's own: as for RAPL.
const AMD_REL: f64 = 0.10;
/// Boards' power sensors, without better knowledge.
const BOARD_REL: f64 = 0.05;
/// Rails that are a whole board's input, by their labels in NVIDIA's documentation of the Jetson boards.
const INPUT_RAILS: [&str; 3] = ["VDD_IN", "POM_5V_IN", "VIN_SYS_5V0"];
/// Drivers of graphics cards, which are found by their card.
const OF_CARDS: [&str; 3] = ["i915", "xe", "amdgpu"];

/// Looks through every device of the class.
pub fn discover(root: &Root, found: &mut Discovery) {
    let mut grace = BTreeMap::new();
    for device in root.names(CLASS) {
        let path = format!("{CLASS}/{device}");
        let driver = root.text(&format!("{path}/name")).unwrap_or_default();
        match driver.as_str() {
            "amd_energy" => amd_energy(root, &path, found),
            "ina3221" => ina3221(root, &path, found),
            "power_meter" => power_meter(root, &path, &mut grace, found),
            card if OF_CARDS.contains(&card) => {}
            other => refuse(root, &path, other, found),
        }
    }
    for (socket, rails) in grace {
        grace_socket(root, socket, &rails, found);
    }
}

/// `amd_energy`: `energyN_input` in microjoules, labels `Esocket0`, `Ecore000`.
fn amd_energy(root: &Root, path: &str, found: &mut Discovery) {
    for input in numbered(root, path, "energy", "_input") {
        let label = root.text(&format!("{path}/energy{input}_label")).unwrap_or_default();
        let Some(socket) = label.strip_prefix("Esocket").and_then(|number| number.parse().ok()) else { continue };
        let file = format!("{path}/energy{input}_input");
        let place = Place::of_package(Kind::Package, socket);
        let spec = |file| Spec {
            source: NAME,
            place,
            form: Form::Counter(file),
            shape: Shape::Point,
            scale: Scale::MICROJOULE,
            pause_ns: DEVICE_PAUSE_NS,
            tick_ns: NS_PER_MS,
            max_power_uw: 2_000 * MICRO,
            sensor_rel: AMD_REL,
            detail: format!("{} ({label}, {UNTRIED})", root.path(path).display()),
        };
        file::add(file::open(root, NAME, &file).map(spec), found);
    }
}

/// The rail that feeds a Jetson board: millivolts times milliamperes are microwatts.
fn ina3221(root: &Root, path: &str, found: &mut Discovery) {
    let interval_ms = root.number(&format!("{path}/update_interval")).unwrap_or(INA_INTERVAL_MS).max(1);
    for rail in numbered(root, path, "in", "_label") {
        let label = root.text(&format!("{path}/in{rail}_label")).unwrap_or_default();
        if !INPUT_RAILS.contains(&label.as_str()) {
            let detail = format!("{} {label}: a part of the board's input", root.path(path).display());
            found.findings.push(Finding::of(NAME, Availability::NotSupported, detail));
            continue;
        }
        let one = |name: &str| file::open(root, NAME, &format!("{path}/{name}{rail}_input"));
        let files = one("in").and_then(|voltage| Ok((voltage, one("curr")?)));
        let spec = |(voltage, current)| Spec {
            form: Form::Product(voltage, current, 1),
            shape: Shape::Point,
            pause_ns: interval_ms * NS_PER_MS,
            tick_ns: interval_ms * NS_PER_MS,
            ..whole(root, path, &label)
        };
        file::add(files.map(spec), found);
    }
}

/// ACPI's power meter: the whole computer, or a rail of NVIDIA's Grace, which is gathered by socket.
fn power_meter(root: &Root, path: &str, grace: &mut BTreeMap<u32, Vec<(String, String)>>, found: &mut Discovery) {
    let base = [path.to_owned(), format!("{path}/device")].into_iter();
    let Some(base) = base.into_iter().find(|base| root.path(&format!("{base}/power1_average")).exists()) else {
        found.findings.push(Finding::of(NAME, Availability::Absent, format!("{path}: no power1_average")));
        return;
    };
    let label = root.text(&format!("{base}/power1_oem_info")).unwrap_or_default();
    if let Some((rail, socket)) = label.split_once(" Power Socket ")
        && let Ok(socket) = socket.trim().parse()
    {
        grace.entry(socket).or_default().push((rail.to_owned(), base));
        return;
    }
    let file = file::open(root, NAME, &format!("{base}/power1_average"));
    let interval_ms = root.number(&format!("{base}/power1_average_interval")).unwrap_or(0);
    let spec =
        |file| Spec { tick_ns: interval_ms * NS_PER_MS, ..averaged(vec![file], vec![], whole(root, &base, "ACPI")) };
    file::add(file.map(spec), found);
}

/// Grace shows the socket, and of it the cores and the rest of the chip; what remains is its memory.
fn grace_socket(root: &Root, socket: u32, rails: &[(String, String)], found: &mut Discovery) {
    let base = |name: &str| rails.iter().find(|(rail, _)| rail == name).map(|(_, base)| base.as_str());
    let (Some(all), Some(cores), Some(rest)) = (base("Grace"), base("CPU"), base("SysIO")) else {
        let names: Vec<&str> = rails.iter().map(|(rail, _)| rail.as_str()).collect();
        let detail = format!("socket {socket} shows {} without Grace, CPU and SysIO", names.join(", "));
        found.findings.push(Finding::of(NAME, Availability::NotSupported, detail));
        return;
    };
    let open = |base: &str| file::open(root, NAME, &format!("{base}/power1_average"));
    let chip = || Ok(vec![open(cores)?, open(rest)?]);
    let of = |kind, plus, minus| {
        let detail = format!("Grace socket {socket} by ACPI's power meter ({UNTRIED})");
        let spec = Spec { place: Place::of_package(kind, socket), detail, ..whole(root, all, "") };
        averaged(plus, minus, spec)
    };
    file::add(chip().map(|chip| of(Kind::Package, chip, vec![])), found);
    file::add(chip().and_then(|chip| Ok(of(Kind::Dram, vec![open(all)?], chip))), found);
}

/// A firmware gauge of averages, in microwatts.
fn averaged(plus: Vec<File>, minus: Vec<File>, spec: Spec) -> Spec {
    Spec { form: Form::Gauges(plus, minus), shape: Shape::Boxcar, pause_ns: FIRMWARE_PAUSE_NS, ..spec }
}

/// A meter of the whole computer.
fn whole(root: &Root, path: &str, label: &str) -> Spec {
    Spec {
        source: NAME,
        place: Place::of_machine(Kind::Psys),
        form: Form::Gauges(vec![], vec![]),
        shape: Shape::Point,
        scale: Scale::NANOJOULE,
        pause_ns: 0,
        tick_ns: 0,
        max_power_uw: COMPUTER_UW,
        sensor_rel: BOARD_REL,
        detail: format!("{} ({label}, {UNTRIED})", root.path(path).display()),
    }
}

/// Names a device with meters that are not known here.
fn refuse(root: &Root, path: &str, driver: &str, found: &mut Discovery) {
    let has_meter = |(prefix, suffix): &(&str, &str)| !numbered(root, path, prefix, suffix).is_empty();
    if [("energy", "_input"), ("power", "_input"), ("power", "_average")].iter().any(has_meter) {
        let detail = format!("{}: what '{driver}' measures is not known here", root.path(path).display());
        found.findings.push(Finding::of(NAME, Availability::NotSupported, detail));
    }
}

/// The numbers `N` of files `prefixNsuffix`, in order.
fn numbered(root: &Root, path: &str, prefix: &str, suffix: &str) -> Vec<u32> {
    let number = |name: &String| name.strip_prefix(prefix)?.strip_suffix(suffix)?.parse().ok();
    let mut numbers: Vec<u32> = root.names(path).iter().filter_map(number).collect();
    numbers.sort_unstable();
    numbers
}
