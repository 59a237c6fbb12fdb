//! RAPL through the kernel's `power` PMU: one group read per package, no text, no interprocessor interrupt from inside it.
//!
//! AMD's `power_core` PMU counts each core by itself. A package's cores are read one after the other and shown as one
//! domain, `core-N`, which is inside the package and never counted. That takes a system call per core, so it is only
//! done when the perf route is asked for by name.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::domain::{Channel, Kind, Place, Range};
use crate::error::Fault;
use crate::sample::Sample;
use crate::units::MICRO;

use super::cpuinfo::CpuInfo;
use super::pmu::{self, Event, MOST_EVENTS, Pmu};
use super::root::Root;
use super::topology::{Seat, Topology};
use super::zones::{self, Zone};
use super::{Availability, Discovery, Finding, Source, Wanted, rapl, sys};

/// The route's name.
pub const NAME: &str = "perf";
/// A group's read begins with the number of its events.
const GROUP_BYTES: usize = 8 * (1 + MOST_EVENTS);
/// How long a counter of a package or its memory may show 0 after it was opened: three times the longest pause seen
/// between two updates. The RAPL-framework PMU shows 0 for ever where a package lacks the domain.
const FIRST_COUNT: Duration = Duration::from_millis(10);

/// The opened events of one CPU.
#[derive(Debug)]
struct Reader {
    leader: File,
    /// Held open: closing a member takes it out of the group.
    _members: Vec<File>,
}

/// The meters of one package: one reader, or one for each core whose values are added up.
#[derive(Debug)]
struct Group {
    readers: Vec<Reader>,
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

/// What is known of the machine while the PMUs are opened.
struct Machine<'a> {
    root: &'a Root,
    info: CpuInfo,
    topology: Topology,
    /// powercap's view of the same registers, for their ranges and limits.
    zones: Vec<Zone>,
}

/// Looks for the PMUs and opens one group per package.
pub fn discover(root: &Root, wanted: Wanted, found: &mut Discovery) {
    let directory = root.path(&pmu::directory(pmu::POWER));
    if !directory.is_dir() {
        let detail = format!("no RAPL PMU at {}: a virtual machine, or a kernel without it", directory.display());
        found.findings.push(Finding::of(NAME, Availability::Absent, detail));
        return;
    }
    let info = CpuInfo::read(root);
    let machine = Machine { root, topology: Topology::read(root, info.logical), info, zones: zones::all(root) };
    machine.offer(pmu::POWER, found);
    if !root.path(&pmu::directory(pmu::POWER_CORE)).is_dir() {
        return;
    }
    if wanted == Wanted::Perf {
        machine.offer(pmu::POWER_CORE, found);
    } else {
        let detail = "power_core: one system call per core, so read only with sources=\"perf\"";
        found.findings.push(Finding::of(NAME, Availability::Available, detail));
    }
}

impl Machine<'_> {
    fn offer(&self, name: &str, found: &mut Discovery) {
        match Pmu::read(self.root, name, &mut found.findings) {
            Ok(pmu) => {
                let mut perf = Perf::open(self, &pmu, name, &mut found.findings);
                perf.drop_absent(self, &mut found.findings);
                if !perf.channels.is_empty() {
                    found.sources.push(Box::new(perf));
                }
            }
            Err(finding) => found.findings.push(finding),
        }
    }

    /// The CPUs to open, by the package (or die) whose meter they read. The mask lists one CPU per package or, since
    /// Linux 7.0, every CPU of each; a package is one meter all the same, and so is a core.
    fn leaders(&self, pmu: &Pmu, name: &str) -> BTreeMap<Place, Vec<u32>> {
        let mut seen: Vec<(Place, Option<Seat>)> = Vec::new();
        let mut leaders: BTreeMap<Place, Vec<u32>> = BTreeMap::new();
        for cpu in &pmu.cpus {
            let Some(seat) = self.topology.seat(*cpu) else { continue };
            let meter = (self.package_of(seat), (name == pmu::POWER_CORE).then_some(seat));
            if !seen.contains(&meter) {
                seen.push(meter);
                leaders.entry(meter.0).or_default().push(*cpu);
            }
        }
        leaders
    }

    fn package_of(&self, seat: Seat) -> Place {
        let has_dies = !rapl::counts_packages(&self.info) && self.topology.dies_of(seat.package) > 1;
        Place { die: has_dies.then_some(seat.die), ..Place::of_package(Kind::Package, seat.package) }
    }

    fn channel(&self, event: &Event, package: Place, cpus: &[u32]) -> Channel {
        let place = self.place(event.kind, package);
        let detail = match cpus {
            [cpu] => format!("{} on CPU {cpu}", event.name),
            _ => format!("{} of {} cores", event.name, cpus.len()),
        };
        let zone = self.zones.iter().find(|zone| zone.place == place);
        let range = self.range(event, zone);
        let channel = rapl::channel(place, event.scale, range, detail, &self.info);
        match zone {
            Some(zone) => Channel { max_power_uw: zone.max_power_uw(self.root), ..channel },
            None => channel,
        }
    }

    /// psys is the machine's; where further packages have one, they bear their number, as powercap names them.
    fn place(&self, kind: Kind, package: Place) -> Place {
        let is_first = self.topology.packages().first().copied() == package.package;
        if kind == Kind::Psys && is_first { Place::of_machine(Kind::Psys) } else { Place { kind, ..package } }
    }

    /// By how much the count drops at a hardware wrap that the kernel does not notice: 2^32 units of the register.
    fn range(&self, event: &Event, zone: Option<&Zone>) -> Range {
        let fixed = rapl::fixed_exponent(event.kind, &self.info).map(|exponent| rapl::COUNTER_BITS - exponent);
        let told = || rapl::range_exponent(zone?.largest_uj(self.root)?);
        match fixed.or_else(told).map(|exponent| event.scale.counts(MICRO << exponent)) {
            Some(u64::MAX) => Range::Unbounded,
            Some(range) => Range::Drops(range),
            None => Range::PowerOfTwo,
        }
    }
}

impl Perf {
    /// Opens every package that can be opened; the others are named in the findings.
    fn open(machine: &Machine<'_>, pmu: &Pmu, name: &str, findings: &mut Vec<Finding>) -> Self {
        let mut perf = Self { channels: Vec::new(), groups: Vec::new() };
        let leaders = machine.leaders(pmu, name);
        if leaders.is_empty() {
            let detail = format!("{}/cpumask names no CPU that is online", pmu::directory(name));
            findings.push(Finding::of(NAME, Availability::Absent, detail));
        }
        for (package, cpus) in leaders {
            match open_all(pmu, &cpus, findings) {
                Ok((readers, events)) => perf.add(machine, package, &cpus, readers, &events),
                Err(error) => findings.push(refused(machine.root, package, &cpus, &error)),
            }
        }
        perf
    }

    fn add(&mut self, machine: &Machine<'_>, package: Place, cpus: &[u32], readers: Vec<Reader>, events: &[Event]) {
        self.channels.extend(events.iter().map(|event| machine.channel(event, package, cpus)));
        self.groups.push(Group { readers, kept: (0..events.len()).collect(), events: events.len() });
    }

    /// Drops the packages and memories whose event never counts, so that another route or a model takes their place.
    fn drop_absent(&mut self, machine: &Machine<'_>, findings: &mut Vec<Finding>) {
        // A guest's counters are written once a second, so that a 0 means nothing there.
        let keep = if machine.info.is_virtual { vec![true; self.channels.len()] } else { self.counting() };
        for (channel, keep) in self.channels.iter().zip(&keep) {
            let (availability, why) = if *keep {
                (Availability::Available, "")
            } else {
                (Availability::Absent, ": the kernel offers it, but it never counts")
            };
            let (domain, detail) = (Some(channel.place.id()), format!("{}{why}", channel.detail));
            findings.push(Finding { source: NAME, domain, availability, detail });
        }
        self.retain(&keep);
    }

    /// Which channels count. What may rest is not waited for.
    fn counting(&self) -> Vec<bool> {
        let deadline = Instant::now() + FIRST_COUNT;
        let mut samples = vec![Sample::default(); self.channels.len()];
        loop {
            self.read(&crate::clock::Monotonic, &mut samples);
            let counts = |(sample, channel): (&Sample, &Channel)| {
                sample.fault != Some(Fault::Zero) || !channel.place.kind.is_counted()
            };
            let counting: Vec<bool> = samples.iter().zip(&self.channels).map(counts).collect();
            if counting.iter().all(|counts| *counts) || Instant::now() > deadline {
                return counting;
            }
            std::thread::sleep(FIRST_COUNT / 20);
        }
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
        let mut values = [0; MOST_EVENTS];
        let before_ns = clock.now_ns();
        let answer = self.readers.iter().try_for_each(|reader| reader.add(&mut values[..self.events]));
        let after_ns = clock.now_ns();
        for (sample, event) in samples.iter_mut().zip(&self.kept) {
            let raw = values[*event];
            // A count begins at 0 when its event is opened: 0 says that nothing was counted so far, not 0 J.
            let fault = answer.err().or((raw == 0).then_some(Fault::Zero));
            *sample = Sample { raw: if fault.is_none() { raw } else { 0 }, before_ns, after_ns, fault };
        }
    }
}

impl Reader {
    /// Adds the value of each event.
    fn add(&self, values: &mut [u64]) -> Result<(), Fault> {
        let mut bytes = [0; GROUP_BYTES];
        let length = (&self.leader).read(&mut bytes).map_err(|error| Fault::from(&error))?;
        parse_group(&bytes[..length], values)
    }
}

/// A full answer has the number of events and a value for each (`PERF_FORMAT_GROUP`).
fn parse_group(bytes: &[u8], values: &mut [u64]) -> Result<(), Fault> {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut words = words.iter().map(|word| u64::from_ne_bytes(*word));
    match words.next() {
        // 0 bytes: the event is in error state, for instance because its CPU went offline.
        None if rest.is_empty() => Err(Fault::Vanished),
        Some(number) if number == values.len() as u64 && words.len() == values.len() && rest.is_empty() => {
            values.iter_mut().zip(words).for_each(|(value, word)| *value = value.wrapping_add(word));
            Ok(())
        }
        _ => Err(Fault::Garbage),
    }
}

/// Opens the events on each CPU; those that the first CPU takes must open on all.
fn open_all(pmu: &Pmu, cpus: &[u32], findings: &mut Vec<Finding>) -> io::Result<(Vec<Reader>, Vec<Event>)> {
    let mut readers = Vec::new();
    let mut events = pmu.events.clone();
    for cpu in cpus {
        let Opened { reader, taken, refused } = open_group(pmu.kind, *cpu, &events)?;
        if let (Some((_, error)), false) = (refused.first(), readers.is_empty()) {
            return Err(io::Error::new(error.kind(), error.to_string()));
        }
        findings.extend(refused.iter().map(|(event, error)| {
            Finding::of(NAME, Availability::from_io(error), format!("{} on CPU {cpu}: {error}", event.name))
        }));
        readers.push(reader);
        events = taken;
    }
    Ok((readers, events))
}

struct Opened {
    reader: Reader,
    taken: Vec<Event>,
    refused: Vec<(Event, io::Error)>,
}

/// Opens the first event that the kernel gives as the leader and the others as its members.
fn open_group(kind: u32, cpu: u32, events: &[Event]) -> io::Result<Opened> {
    let (mut files, mut taken, mut refused) = (Vec::<File>::new(), Vec::new(), Vec::new());
    for event in events {
        match sys::perf_event(kind, event.config, cpu, files.first()) {
            Ok(file) => {
                files.push(file);
                taken.push(event.clone());
            }
            Err(error) => refused.push((event.clone(), error)),
        }
    }
    if files.is_empty() {
        return Err(refused.pop().map_or_else(|| io::Error::from_raw_os_error(libc::ENOENT), |(_, error)| error));
    }
    let leader = files.remove(0);
    Ok(Opened { reader: Reader { leader, _members: files }, taken, refused })
}

fn refused(root: &Root, package: Place, cpus: &[u32], error: &io::Error) -> Finding {
    let paranoid = root.text("/proc/sys/kernel/perf_event_paranoid").unwrap_or_default();
    let cpu = cpus.first().copied().unwrap_or_default();
    let detail =
        format!("perf_event_open for {} on CPU {cpu}: {error} (perf_event_paranoid is {paranoid})", package.id());
    Finding::of(NAME, Availability::from_io(error), detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn group(words: &[u64]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    #[test]
    fn a_group_answers_with_its_number_and_values_and_cores_add_up() {
        let mut values = [0, 0];
        assert_eq!(parse_group(&group(&[2, 30, 40]), &mut values), Ok(()));
        assert_eq!(parse_group(&group(&[2, 1, 2]), &mut values), Ok(()));
        assert_eq!(values, [31, 42]);
    }

    #[test]
    fn an_answer_that_is_short_or_long_is_no_number() {
        let mut values = [0, 0];
        assert_eq!(parse_group(&[], &mut values), Err(Fault::Vanished));
        for words in [&[2, 30][..], &[1, 30, 40], &[2, 30, 40, 50], &[2]] {
            assert_eq!(parse_group(&group(words), &mut values), Err(Fault::Garbage), "{words:?}");
        }
        assert_eq!(parse_group(&group(&[2, 30, 40])[..20], &mut values), Err(Fault::Garbage));
        assert_eq!(values, [0, 0]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_number_that_is_not_in_them(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut values = [0; 3];
            let answer = parse_group(&bytes, &mut values);
            prop_assert!(answer.is_ok() || values == [0; 3]);
            prop_assert!(answer.is_err() || bytes == group(&[3, values[0], values[1], values[2]]));
        }
    }
}
