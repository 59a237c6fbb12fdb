//! RAPL through `/sys/class/powercap`: one pread per zone on a cached descriptor.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use crate::clock::Clock;
use crate::domain::{Channel, Range};
use crate::error::Fault;
use crate::sample::Sample;
use crate::units::{MICRO, Scale};

use super::cpuinfo::CpuInfo;
use super::root::Root;
use super::zones::{self, Zone};
use super::{Availability, Discovery, Finding, Source, rapl, sys};

const NAME: &str = "powercap";
/// Longest decimal of 64 bits, a newline, and one more to notice what is longer.
const TEXT_BYTES: usize = 22;

/// The counter of one zone.
#[derive(Debug)]
struct Counter {
    file: File,
    /// Where it was opened, to open it again there.
    energy_path: PathBuf,
    name_path: PathBuf,
    name: String,
}

/// The powercap route.
#[derive(Debug)]
pub struct Powercap {
    channels: Vec<Channel>,
    counters: Vec<Counter>,
}

/// Looks for RAPL zones and opens the counter of each domain once.
pub fn discover(root: &Root, found: &mut Discovery) {
    let zones = zones::all(root);
    if zones.is_empty() {
        found.findings.push(Finding::of(NAME, Availability::Absent, nothing(root)));
        return;
    }
    let powercap = Powercap::open(root, zones, &mut found.findings);
    if !powercap.channels.is_empty() {
        found.sources.push(Box::new(powercap));
    }
}

fn nothing(root: &Root) -> String {
    let base = root.path(zones::BASES[0]);
    match zones::dangling(root).first() {
        Some(id) => format!("{}/{id} points to nothing: a container hides the device behind it", base.display()),
        None => {
            format!("no intel-rapl zone below {}: a virtual machine, a container, or no driver", base.display())
        }
    }
}

impl Powercap {
    fn open(root: &Root, zones: Vec<Zone>, findings: &mut Vec<Finding>) -> Self {
        let info = CpuInfo::read(root);
        let mut powercap = Self { channels: Vec::new(), counters: Vec::new() };
        for zone in without_mirrors(root, zones, &info, findings) {
            match open_zone(root, &zone, &info) {
                Ok((channel, counter)) => {
                    findings.push(finding(&zone, Availability::Available, channel.detail.clone()));
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
            *sample = Sample::bracket(clock, || read_count(&counter.file).and_then(|raw| within(raw, channel.range)));
        }
    }

    fn retain(&mut self, keep: &[bool]) {
        super::retain_marked(&mut self.channels, keep);
        super::retain_marked(&mut self.counters, keep);
    }

    /// A zone that vanished for a while (the driver was loaded anew) is a new file: its old descriptor stays dead.
    fn mend(&self, samples: &[Sample]) -> bool {
        let vanished = |(_, sample): &(&Counter, &Sample)| sample.fault == Some(Fault::Vanished);
        let mended = self.counters.iter().zip(samples).filter(vanished).filter(|(counter, _)| counter.reopen());
        mended.count() > 0
    }
}

impl Counter {
    /// Puts a new descriptor in the old one's place, where readers on other threads find it; true if the same zone is
    /// there again. Allocates nothing.
    fn reopen(&self) -> bool {
        is_named(&self.name_path, &self.name).unwrap_or(false)
            && File::open(&self.energy_path).is_ok_and(|new| sys::replace_file(&self.file, new).is_ok())
    }
}

fn is_named(path: &PathBuf, name: &str) -> io::Result<bool> {
    let mut text = [0; 64];
    let length = File::open(path)?.read_at(&mut text, 0)?;
    Ok(text[..length].trim_ascii_end() == name.as_bytes())
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

/// Drops what repeats another zone's counter: the MMIO copy of a package, and the mirrored dies of AMD packages.
fn without_mirrors(root: &Root, zones: Vec<Zone>, info: &CpuInfo, findings: &mut Vec<Finding>) -> Vec<Zone> {
    let mut kept: Vec<Zone> = Vec::new();
    for zone in zones {
        if zone.is_mirror || kept.iter().any(|other| mirrors(root, other, &zone, info)) {
            let detail =
                format!("{} repeats the counter of another zone: counted once", root.path(&zone.path).display());
            findings.push(finding(&zone, Availability::NotSupported, detail));
        } else {
            kept.push(zone);
        }
    }
    zones::name_single_dies(&mut kept);
    kept
}

/// Two dies of one package that show one register: AMD's counts the package (`rapl_msrs_are_pkg_scope`, which older
/// kernels lack), and on any processor two counters within a joule of each other, which two real ones of 262 kJ meet
/// once in 100,000 times.
fn mirrors(root: &Root, one: &Zone, other: &Zone, info: &CpuInfo) -> bool {
    let (a, b) = (one.place, other.place);
    if a.kind != b.kind || a.package != b.package || a.die == b.die {
        return false;
    }
    if rapl::counts_single_cores(info) {
        return a.kind == crate::domain::Kind::Package;
    }
    let count = |zone: &Zone| root.number(&format!("{}/energy_uj", zone.path));
    count(one).zip(count(other)).is_some_and(|(a, b)| a.abs_diff(b) <= MICRO)
}

fn finding(zone: &Zone, availability: Availability, detail: String) -> Finding {
    Finding { source: NAME, domain: Some(zone.place.id()), availability, detail }
}

fn open_zone(root: &Root, zone: &Zone, info: &CpuInfo) -> Result<(Channel, Counter), Finding> {
    let energy_path = root.path(&format!("{}/energy_uj", zone.path));
    let shown = energy_path.display().to_string();
    let file = File::open(&energy_path)
        .map_err(|error| finding(zone, Availability::from_io(&error), format!("{shown}: {error}")))?;
    if let Err(fault) = read_count(&file) {
        return Err(finding(zone, Availability::from_fault(fault), format!("{shown}: {}", fault.as_str())));
    }
    let name_path = root.path(&format!("{}/name", zone.path));
    let counter = Counter { file, energy_path, name_path, name: zone.name.clone() };
    Ok((channel(root, zone, shown, info), counter))
}

fn channel(root: &Root, zone: &Zone, path: String, info: &CpuInfo) -> Channel {
    let is_one_core = zone.place.kind == crate::domain::Kind::Core && rapl::counts_single_cores(info);
    let detail = if is_one_core { format!("{path} (one core: AMD counts each by itself)") } else { path };
    let channel = rapl::channel(zone.place, Scale::MICROJOULE, range(root, zone), detail, info);
    Channel { max_power_uw: zone.max_power_uw(root), ..channel }
}

/// The largest value shown is one unit below the modulus; a microjoule stands for that unit.
fn range(root: &Root, zone: &Zone) -> Range {
    zone.largest_uj(root).map_or(Range::Unbounded, |largest| Range::Modulo(largest.saturating_add(1)))
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
