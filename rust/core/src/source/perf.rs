//! RAPL through the kernel's `power` PMU: one group read per package, no text, no interprocessor interrupt from inside it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};

use crate::clock::Clock;
use crate::domain::{Channel, Kind, Place, Provenance, Range, Signal};
use crate::error::Fault;
use crate::sample::Sample;
use crate::units::{MICRO, Scale};

use super::cpuinfo::CpuInfo;
use super::root::Root;
use super::topology::{Topology, parse_cpu_list};
use super::{Availability, Discovery, Finding, Source, sys};

const NAME: &str = "perf";
const PMU: &str = "/sys/bus/event_source/devices/power";
/// The events of the PMU and what they cover (`arch/x86/events/rapl.c`); the leader of a group comes first.
const EVENTS: [(&str, Kind); 5] = [
    ("energy-pkg", Kind::Package),
    ("energy-ram", Kind::Dram),
    ("energy-cores", Kind::Core),
    ("energy-gpu", Kind::Uncore),
    ("energy-psys", Kind::Psys),
];
/// A group holds at most one event of each kind, and its read begins with their number.
const GROUP_BYTES: usize = 8 * (1 + EVENTS.len());
/// The counter moves about every millisecond (Intel SDM, MSR 0x611; measured: facts in docs/how-it-measures.md).
pub const RAPL_TICK_NS: u64 = 1_000_000;
/// Largest plausible power of a package where nothing better is known.
pub const DEFAULT_MAX_POWER_UW: u64 = 2_000 * MICRO;
/// Relative error of a DRAM meter, one sigma: -1 to +21 % loaded, far more idle (raw data of Haswell-EP to Ice Lake-SP).
pub const DRAM_SENSOR_REL: f64 = 0.15;
/// psys against a battery gauge on two laptops: -5 to +30 %.
pub const PSYS_SENSOR_REL: f64 = 0.15;

/// One event of the PMU, as its directory describes it.
#[derive(Debug, Clone)]
struct Event {
    name: &'static str,
    kind: Kind,
    config: u64,
    scale: Scale,
}

/// The opened events of one package.
#[derive(Debug)]
struct Group {
    leader: File,
    /// Held open: closing a member takes it out of the group.
    _members: Vec<File>,
    events: usize,
    /// Which of the group's values belong to the kept channels.
    kept: Vec<usize>,
}

/// The perf route.
#[derive(Debug)]
pub struct Perf {
    channels: Vec<Channel>,
    groups: Vec<Group>,
}

/// Looks for the PMU and opens one group per package.
pub fn discover(root: &Root, found: &mut Discovery) {
    if !root.path(PMU).is_dir() {
        let detail = format!("no RAPL PMU at {}: a virtual machine, or a kernel without it", root.path(PMU).display());
        found.findings.push(Finding::of(NAME, Availability::Absent, detail));
        return;
    }
    match Perf::open(root, &mut found.findings) {
        Ok(perf) => found.sources.push(Box::new(perf)),
        Err(finding) => found.findings.push(finding),
    }
}

impl Perf {
    fn open(root: &Root, findings: &mut Vec<Finding>) -> Result<Self, Finding> {
        let kind = pmu_type(root)?;
        let events = events(root, findings)?;
        let cpu_info = CpuInfo::read(root);
        let mut perf = Self { channels: Vec::new(), groups: Vec::new() };
        for (package, cpu) in leaders(root, cpu_info.logical)? {
            let opened = open_group(kind, cpu, &events).map_err(|error| refused(package, cpu, &error))?;
            perf.add(package, cpu, opened, &cpu_info, findings);
        }
        Ok(perf)
    }

    fn add(&mut self, package: u32, cpu: u32, opened: Opened, cpu_info: &CpuInfo, findings: &mut Vec<Finding>) {
        let Opened { leader, members, events, refused } = opened;
        for event in &events {
            let channel = channel(event, package, cpu, cpu_info);
            findings.push(Finding {
                source: NAME,
                domain: Some(channel.place.id()),
                availability: Availability::Available,
                detail: channel.detail.clone(),
            });
            self.channels.push(channel);
        }
        for (event, error) in refused {
            let detail = format!("{PMU}/events/{} on CPU {cpu}: {error}", event.name);
            findings.push(Finding::of(NAME, Availability::from_io(&error), detail));
        }
        self.groups.push(Group { leader, _members: members, kept: (0..events.len()).collect(), events: events.len() });
    }
}

impl Source for Perf {
    fn name(&self) -> &'static str {
        NAME
    }

    fn channels(&self) -> &[Channel] {
        &self.channels
    }

    fn read(&self, clock: &dyn Clock, samples: &mut [Sample]) {
        let mut rest = samples;
        for group in &self.groups {
            let (own, others) = rest.split_at_mut(group.kept.len());
            group.read(clock, own);
            rest = others;
        }
    }

    fn retain(&mut self, keep: &[bool]) {
        let mut marks = keep.iter().copied();
        for group in &mut self.groups {
            group.kept.retain(|_| marks.next().unwrap_or(false));
        }
        self.groups.retain(|group| !group.kept.is_empty());
        super::retain_marked(&mut self.channels, keep);
    }
}

impl Group {
    fn read(&self, clock: &dyn Clock, samples: &mut [Sample]) {
        let mut bytes = [0; GROUP_BYTES];
        let before_ns = clock.now_ns();
        let answer = (&self.leader).read(&mut bytes);
        let after_ns = clock.now_ns();
        let fault = self.fault(answer);
        for (sample, value) in samples.iter_mut().zip(&self.kept) {
            let raw = if fault.is_none() { word(&bytes, 1 + value) } else { 0 };
            *sample = Sample { raw, before_ns, after_ns, fault };
        }
    }

    /// A full answer has the number of events and a value for each.
    fn fault(&self, answer: io::Result<usize>) -> Option<Fault> {
        match answer {
            Ok(length) if length == 8 * (1 + self.events) => None,
            // 0 bytes: the event is in error state, for instance because its CPU went offline.
            Ok(0) => Some(Fault::Vanished),
            Ok(_) => Some(Fault::Garbage),
            Err(error) => Some(Fault::from(&error)),
        }
    }
}

fn word(bytes: &[u8], index: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[8 * index..8 * index + 8]);
    u64::from_ne_bytes(word)
}

fn pmu_type(root: &Root) -> Result<u32, Finding> {
    let path = format!("{PMU}/type");
    let text = root.text(&path).map_err(|error| unreadable(&path, &error))?;
    text.parse().map_err(|_| Finding::of(NAME, Availability::NotSupported, format!("{path} is no number: {text:?}")))
}

fn unreadable(path: &str, error: &io::Error) -> Finding {
    Finding::of(NAME, Availability::from_io(error), format!("{path}: {error}"))
}

/// The events whose files are whole; the others are named in the findings.
fn events(root: &Root, findings: &mut Vec<Finding>) -> Result<Vec<Event>, Finding> {
    let shift = config_shift(root)?;
    let mut events = Vec::new();
    for (name, kind) in EVENTS {
        let path = format!("{PMU}/events/{name}");
        let Ok(terms) = root.text(&path) else { continue };
        let scale = root.text(&format!("{path}.scale")).ok().and_then(|text| Scale::from_joules_text(&text));
        let is_joules = root.text(&format!("{path}.unit")).is_ok_and(|unit| unit == "Joules");
        match (event_code(&terms), scale) {
            (Some(code), Some(scale)) if is_joules => events.push(Event { name, kind, config: code << shift, scale }),
            _ => findings.push(Finding::of(
                NAME,
                Availability::NotSupported,
                format!("{path}: {terms:?} or its .scale or .unit"),
            )),
        }
    }
    if events.is_empty() {
        Err(Finding::of(NAME, Availability::Absent, format!("no energy event in {PMU}/events")))
    } else {
        Ok(events)
    }
}

/// Bit of `config` at which the event code begins: `format/event` says `config:0-7`.
fn config_shift(root: &Root) -> Result<u32, Finding> {
    let Ok(text) = root.text(&format!("{PMU}/format/event")) else { return Ok(0) };
    let first = text.strip_prefix("config:").and_then(|bits| bits.split('-').next()?.parse().ok());
    first
        .filter(|bit| *bit < 56)
        .ok_or_else(|| Finding::of(NAME, Availability::NotSupported, format!("{PMU}/format/event: {text:?}")))
}

/// The code in `event=0x02`; `None` for any other term, which would need a format of its own.
fn event_code(terms: &str) -> Option<u64> {
    let code = terms.strip_prefix("event=")?;
    let code = code.strip_prefix("0x").map_or_else(|| code.parse(), |hex| u64::from_str_radix(hex, 16)).ok()?;
    (code <= 0xff).then_some(code)
}

/// One CPU for each package. The mask lists one CPU per package or, since Linux 7.0, every CPU of each: a package is one meter.
fn leaders(root: &Root, logical: u32) -> Result<BTreeMap<u32, u32>, Finding> {
    let path = format!("{PMU}/cpumask");
    let text = root.text(&path).map_err(|error| unreadable(&path, &error))?;
    let cpus = parse_cpu_list(&text)
        .ok_or_else(|| Finding::of(NAME, Availability::NotSupported, format!("{path}: {text:?}")))?;
    let topology = Topology::read(root, logical);
    let mut leaders = BTreeMap::new();
    for (cpu, package) in cpus.iter().filter_map(|cpu| Some((*cpu, topology.package(*cpu)?))) {
        leaders.entry(package).or_insert(cpu);
    }
    if leaders.is_empty() {
        Err(Finding::of(NAME, Availability::Absent, format!("no online CPU in {path}: {text:?}")))
    } else {
        Ok(leaders)
    }
}

struct Opened {
    leader: File,
    members: Vec<File>,
    events: Vec<Event>,
    refused: Vec<(Event, io::Error)>,
}

/// Opens the first event that the kernel gives as the leader and the others as its members.
fn open_group(kind: u32, cpu: u32, events: &[Event]) -> io::Result<Opened> {
    let mut opened: Option<Opened> = None;
    let mut refused = Vec::new();
    for event in events {
        let leader = opened.as_ref().map(|group| &group.leader);
        match (sys::perf_event(kind, event.config, cpu, leader), &mut opened) {
            (Ok(file), Some(group)) => {
                group.members.push(file);
                group.events.push(event.clone());
            }
            (Ok(leader), None) => {
                opened = Some(Opened { leader, members: Vec::new(), events: vec![event.clone()], refused: Vec::new() });
            }
            (Err(error), _) => refused.push((event.clone(), error)),
        }
    }
    match opened {
        Some(group) => Ok(Opened { refused, ..group }),
        None => Err(refused.pop().map_or_else(|| io::Error::from_raw_os_error(libc::ENOENT), |(_, error)| error)),
    }
}

fn refused(package: u32, cpu: u32, error: &io::Error) -> Finding {
    let paranoid = std::fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").unwrap_or_default();
    let detail = format!(
        "perf_event_open for package {package} on CPU {cpu}: {error} (perf_event_paranoid is {})",
        paranoid.trim()
    );
    Finding::of(NAME, Availability::from_io(error), detail)
}

fn channel(event: &Event, package: u32, cpu: u32, cpu_info: &CpuInfo) -> Channel {
    let place = match event.kind {
        Kind::Psys => Place::of_machine(Kind::Psys),
        kind => Place::of_package(kind, package),
    };
    Channel {
        place,
        signal: Signal::Counter,
        scale: event.scale,
        range: Range::PowerOfTwo,
        max_power_uw: DEFAULT_MAX_POWER_UW,
        tick_ns: RAPL_TICK_NS,
        resolution_ns: 0,
        sensor_rel: sensor_rel(event.kind, cpu_info),
        provenance: Provenance::Measured,
        detail: format!("{} on CPU {cpu}", event.name),
    }
}

/// Relative error of a RAPL domain, one sigma.
pub fn sensor_rel(kind: Kind, cpu_info: &CpuInfo) -> f64 {
    match kind {
        Kind::Dram => DRAM_SENSOR_REL,
        Kind::Psys => PSYS_SENSOR_REL,
        _ => cpu_info.package_sensor_rel(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_event_code_is_hexadecimal_or_decimal_and_fits_a_byte() {
        assert_eq!(event_code("event=0x02"), Some(2));
        assert_eq!(event_code("event=3"), Some(3));
        for terms in ["", "event=", "event=0x100", "config=1", "event=0x02,umask=1", "event=-1"] {
            assert_eq!(event_code(terms), None, "{terms}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_event_code_panic(text in ".*") {
            let _ = event_code(&text);
        }
    }
}
