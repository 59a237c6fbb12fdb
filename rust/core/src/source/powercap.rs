//! RAPL through `/sys/class/powercap`: one pread per zone on a cached descriptor.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::clock::Clock;
use crate::domain::{Channel, Kind, Place, Provenance, Range, Signal};
use crate::error::Fault;
use crate::sample::Sample;
use crate::units::{MICRO, Scale};

use super::cpuinfo::CpuInfo;
use super::perf::{DEFAULT_MAX_POWER_UW, RAPL_TICK_NS, sensor_rel};
use super::root::Root;
use super::{Availability, Discovery, Finding, Source};

const NAME: &str = "powercap";
/// The class directory first; a container may show only the devices behind it.
const BASES: [&str; 3] = [
    "/sys/class/powercap",
    "/sys/devices/virtual/powercap/intel-rapl",
    "/sys/devices/virtual/powercap/intel-rapl-mmio",
];
/// Control types of RAPL. The MMIO one mirrors the package of the first on clients: it comes second and is dropped then.
const CONTROL_TYPES: [&str; 2] = ["intel-rapl", "intel-rapl-mmio"];
/// Least plausible power where a constraint is known: turbo and short peaks go far beyond small limits.
const LEAST_MAX_POWER_UW: u64 = 500 * MICRO;
/// Longest decimal of 64 bits, a newline, and one more to notice what is longer.
const TEXT_BYTES: usize = 22;

/// A zone of the tree, before its counter is opened.
#[derive(Debug, Clone)]
struct Zone {
    path: String,
    place: Place,
    is_mirror: bool,
}

/// The powercap route.
#[derive(Debug)]
pub struct Powercap {
    channels: Vec<Channel>,
    counters: Vec<File>,
}

/// Looks for RAPL zones and opens the counter of each domain once.
pub fn discover(root: &Root, found: &mut Discovery) {
    let zones = zones(root);
    if zones.is_empty() {
        let detail = format!(
            "no intel-rapl zone below {}: a virtual machine, a container that hides it, or no driver",
            root.path(BASES[0]).display()
        );
        found.findings.push(Finding::of(NAME, Availability::Absent, detail));
        return;
    }
    let powercap = Powercap::open(root, zones, &mut found.findings);
    if !powercap.channels.is_empty() {
        found.sources.push(Box::new(powercap));
    }
}

impl Powercap {
    fn open(root: &Root, zones: Vec<Zone>, findings: &mut Vec<Finding>) -> Self {
        let cpu_info = CpuInfo::read(root);
        let mut powercap = Self { channels: Vec::new(), counters: Vec::new() };
        for zone in without_mirrors(root, zones, findings) {
            match open_zone(root, &zone, &cpu_info) {
                Ok((channel, counter)) => {
                    findings.push(zone.finding(Availability::Available, channel.detail.clone()));
                    powercap.channels.push(channel);
                    powercap.counters.push(counter);
                }
                Err(finding) => findings.push(finding),
            }
        }
        powercap
    }
}

impl Source for Powercap {
    fn name(&self) -> &'static str {
        NAME
    }

    fn channels(&self) -> &[Channel] {
        &self.channels
    }

    fn read(&self, clock: &dyn Clock, samples: &mut [Sample]) {
        for ((counter, channel), sample) in self.counters.iter().zip(&self.channels).zip(samples) {
            *sample = Sample::bracket(clock, || read_count(counter).and_then(|raw| within(raw, channel.range)));
        }
    }

    fn retain(&mut self, keep: &[bool]) {
        super::retain_marked(&mut self.channels, keep);
        super::retain_marked(&mut self.counters, keep);
    }
}

impl Zone {
    fn finding(&self, availability: Availability, detail: String) -> Finding {
        Finding { source: NAME, domain: Some(self.place.id()), availability, detail }
    }
}

/// Reads a counter's text without allocating.
fn read_count(counter: &File) -> Result<u64, Fault> {
    let mut text = [0; TEXT_BYTES];
    let length = counter.read_at(&mut text, 0).map_err(|error| Fault::from(&error))?;
    parse_count(&text[..length]).ok_or(Fault::Garbage)
}

/// A count beyond its own range is no count.
fn within(raw: u64, range: Range) -> Result<u64, Fault> {
    match range {
        Range::Modulo(range) if raw >= range => Err(Fault::Garbage),
        _ => Ok(raw),
    }
}

/// Parses decimal digits with a newline at most behind them; `None` for anything else.
pub fn parse_count(text: &[u8]) -> Option<u64> {
    let digits = text.strip_suffix(b"\n").unwrap_or(text);
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

/// Every RAPL zone of the tree, parents before children, `intel-rapl` before its MMIO mirror.
fn zones(root: &Root) -> Vec<Zone> {
    let mut paths: BTreeMap<(usize, String), String> = BTreeMap::new();
    for base in BASES {
        collect(root, base, &mut paths);
    }
    let mut zones: Vec<Zone> = Vec::new();
    for ((_, id), path) in &paths {
        let Ok(name) = root.text(&format!("{path}/name")) else { continue };
        let parent = id.rsplit_once(':').and_then(|(parent, _)| zones.iter().find(|zone| zone.path.ends_with(parent)));
        let Some(place) = place_of(&name, parent.map(|zone| zone.place)) else { continue };
        let is_mirror = zones.iter().any(|zone| zone.place == place);
        zones.push(Zone { path: path.clone(), place, is_mirror });
    }
    zones
}

/// Finds zones directly below `base` and nested in them. A zone's id is unique, so a second path to it is ignored.
fn collect(root: &Root, base: &str, paths: &mut BTreeMap<(usize, String), String>) {
    for id in root.names(base) {
        let Some(control) = CONTROL_TYPES.iter().position(|control| is_zone_of(&id, control)) else { continue };
        let path = format!("{base}/{id}");
        if paths.insert((control, id), path.clone()).is_none() {
            collect(root, &path, paths);
        }
    }
}

/// `intel-rapl:0`, `intel-rapl:a:1`: the control type and hexadecimal numbers.
fn is_zone_of(id: &str, control: &str) -> bool {
    let mut numbers = id.split(':');
    numbers.next() == Some(control)
        && numbers.clone().next().is_some()
        && numbers.all(|number| u32::from_str_radix(number, 16).is_ok())
}

/// What a zone's name means. Names alone tell: the number in a zone's id is not the package's.
fn place_of(name: &str, parent: Option<Place>) -> Option<Place> {
    if let Some(rest) = name.strip_prefix("package-") {
        let (package, die) = rest.split_once("-die-").map_or((rest, None), |(package, die)| (package, Some(die)));
        let die = die.map(str::parse).transpose().ok()?;
        return Some(Place { kind: Kind::Package, package: Some(package.parse().ok()?), die });
    }
    if let Some(rest) = name.strip_prefix("psys") {
        let package = rest.strip_prefix('-').map(str::parse).transpose().ok()?;
        return Some(Place { kind: Kind::Psys, package, die: None });
    }
    let kind = match name {
        "core" => Kind::Core,
        "uncore" => Kind::Uncore,
        "dram" => Kind::Dram,
        _ => return None,
    };
    parent.map(|parent| Place { kind, ..parent })
}

/// Drops what repeats another zone's counter: the MMIO copy of a package, and the mirrored dies of AMD packages.
fn without_mirrors(root: &Root, zones: Vec<Zone>, findings: &mut Vec<Finding>) -> Vec<Zone> {
    let mut kept: Vec<Zone> = Vec::new();
    for zone in zones {
        if zone.is_mirror || kept.iter().any(|other| mirrors(root, other, &zone)) {
            let detail =
                format!("{} repeats the counter of another zone: counted once", root.path(&zone.path).display());
            findings.push(zone.finding(Availability::NotSupported, detail));
        } else {
            kept.push(zone);
        }
    }
    name_single_dies(&mut kept);
    kept
}

/// Two dies of one package whose counters stand within a joule of each other: one register shown twice
/// (before the kernel knew that AMD's is per package). Two real counters of 262 kJ meet so closely once in 100,000 times.
fn mirrors(root: &Root, one: &Zone, other: &Zone) -> bool {
    let (a, b) = (one.place, other.place);
    if a.kind != b.kind || a.package != b.package || a.die == b.die {
        return false;
    }
    let count = |zone: &Zone| root.number(&format!("{}/energy_uj", zone.path));
    count(one).zip(count(other)).is_some_and(|(a, b)| a.abs_diff(b) <= MICRO)
}

/// A die that is alone in its package is the package.
fn name_single_dies(zones: &mut [Zone]) {
    let places: Vec<Place> = zones.iter().map(|zone| zone.place).collect();
    for zone in zones {
        let place = zone.place;
        let dies = places.iter().filter(|other| other.kind == place.kind && other.package == place.package).count();
        if dies == 1 {
            zone.place.die = None;
        }
    }
}

fn open_zone(root: &Root, zone: &Zone, cpu_info: &CpuInfo) -> Result<(Channel, File), Finding> {
    let path = format!("{}/energy_uj", zone.path);
    let shown = root.path(&path).display().to_string();
    let refused = |error: &io::Error| zone.finding(Availability::from_io(error), format!("{shown}: {error}"));
    let counter = root.open(&path).map_err(|error| refused(&error))?;
    match read_count(&counter) {
        Ok(_) => Ok((channel(root, zone, shown, cpu_info), counter)),
        Err(fault) => Err(zone.finding(availability(fault), format!("{shown}: {}", fault.as_str()))),
    }
}

fn availability(fault: Fault) -> Availability {
    match fault {
        Fault::NotPermitted => Availability::NotPermitted,
        Fault::Vanished => Availability::Absent,
        Fault::Failed(_) | Fault::Garbage => Availability::Failed,
    }
}

fn channel(root: &Root, zone: &Zone, detail: String, cpu_info: &CpuInfo) -> Channel {
    Channel {
        place: zone.place,
        signal: Signal::Counter,
        scale: Scale::MICROJOULE,
        range: range(root, zone),
        max_power_uw: max_power_uw(root, zone),
        tick_ns: RAPL_TICK_NS,
        resolution_ns: 0,
        sensor_rel: sensor_rel(zone.place.kind, cpu_info),
        provenance: Provenance::Measured,
        detail,
    }
}

/// The largest value shown is one unit below the modulus; a microjoule stands for that unit.
fn range(root: &Root, zone: &Zone) -> Range {
    let largest = root.number(&format!("{}/max_energy_range_uj", zone.path));
    largest.filter(|largest| *largest > 0).map_or(Range::Unbounded, |largest| Range::Modulo(largest.saturating_add(1)))
}

/// Twice the largest constraint of the zone, which leaves room for turbo; 2 kW where the zone names none.
fn max_power_uw(root: &Root, zone: &Zone) -> u64 {
    let constraint = |index| root.number(&format!("{}/constraint_{index}_max_power_uw", zone.path));
    let largest = [0, 1].into_iter().filter_map(constraint).max().filter(|power| *power > 0);
    largest.map_or(DEFAULT_MAX_POWER_UW, |power| {
        power.saturating_mul(2).clamp(LEAST_MAX_POWER_UW, DEFAULT_MAX_POWER_UW * 2)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_count_is_digits_and_one_newline() {
        assert_eq!(parse_count(b"262143328850\n"), Some(262_143_328_850));
        assert_eq!(parse_count(b"0"), Some(0));
        for text in [&b""[..], b"\n", b"-1\n", b"1 2", b"12x\n", b"1\n\n", b"18446744073709551616\n"] {
            assert_eq!(parse_count(text), None, "{text:?}");
        }
    }

    #[test]
    fn zone_ids_are_hexadecimal() {
        assert!(is_zone_of("intel-rapl:a:1", "intel-rapl"));
        for id in ["intel-rapl", "intel-rapl:", "intel-rapl:0:x", "intel-rapl-mmio:0", "dtpm:0"] {
            assert!(!is_zone_of(id, "intel-rapl"), "{id}");
        }
    }

    #[test]
    fn names_tell_what_a_zone_covers() {
        let package = place_of("package-1-die-3", None);
        assert_eq!(package, Some(Place { kind: Kind::Package, package: Some(1), die: Some(3) }));
        assert_eq!(place_of("dram", package), Some(Place { kind: Kind::Dram, package: Some(1), die: Some(3) }));
        assert_eq!(place_of("psys", None), Some(Place::of_machine(Kind::Psys)));
        assert_eq!(place_of("dram", None), None);
        assert_eq!(place_of("battery", package), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_wrong_count(bytes in prop::collection::vec(any::<u8>(), 0..24)) {
            let expected = std::str::from_utf8(&bytes).ok().map(|text| text.strip_suffix('\n').unwrap_or(text))
                .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit())).and_then(|text| text.parse().ok());
            prop_assert_eq!(parse_count(&bytes), expected);
        }

        #[test]
        fn every_count_is_read_back(count: u64) {
            prop_assert_eq!(parse_count(format!("{count}\n").as_bytes()), Some(count));
        }
    }
}
