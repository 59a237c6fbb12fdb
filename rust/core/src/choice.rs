//! Which route measures each domain, and which domains add up to the machine.

use crate::domain::{Channel, Kind, Place, Provenance};
use crate::source::{Availability, Finding, Source};

/// A domain as it is measured.
#[derive(Debug, Clone)]
pub struct Domain {
    /// `package-0`, `dram`: stable on a machine.
    pub id: String,
    /// The route: `perf`, `powercap`, `msr`, `estimate`.
    pub source: &'static str,
    /// Its meter.
    pub channel: Channel,
    /// Whether its energy is part of the sum. Counted domains never overlap.
    pub counted: bool,
    /// The domain that contains it, if one is measured.
    pub parent: Option<String>,
    /// Why this route, and what stands in the way of better ones.
    pub reason: String,
}

/// Keeps for each domain the channel of the best source, narrows the sources to those, and lists the domains in the
/// order in which the sources now answer. What was found on the way tells why better routes are not taken.
pub fn choose(sources: &mut Vec<Box<dyn Source>>, findings: &[Finding]) -> Vec<Domain> {
    let mut taken: Vec<Place> = Vec::new();
    let mut domains = Vec::new();
    for source in sources.iter_mut() {
        source.retain(&free_channels(source.channels(), &mut taken));
        let name = source.name();
        let counts = |channel: &Channel| source.counts(channel.place.kind);
        domains.extend(source.channels().iter().map(|channel| domain(name, channel, counts(channel), findings)));
    }
    sources.retain(|source| !source.channels().is_empty());
    name_parents(&mut domains);
    prefer_the_whole(&mut domains);
    domains
}

/// Where no package has a meter but the whole computer has (ACPI, a board's input rail), that is the sum: what is in it
/// is shown and not added.
fn prefer_the_whole(domains: &mut [Domain]) {
    let is_measured = |domain: &Domain, kind| domain.channel.place.kind == kind && !domain.channel.is_modelled();
    let has = |kind| domains.iter().any(|domain| is_measured(domain, kind));
    if has(Kind::Psys) && !has(Kind::Package) {
        for domain in domains {
            domain.counted = domain.channel.place.kind == Kind::Psys;
        }
    }
}

/// Marks the channels that no better source has, and takes them. Of two channels of one source for one place the first
/// is kept; a whole and its parts (`package-0` and its dies) are one place only across sources.
fn free_channels(channels: &[Channel], taken: &mut Vec<Place>) -> Vec<bool> {
    let better = taken.len();
    let mut keep = Vec::new();
    for channel in channels {
        let place = channel.place;
        let is_free = !taken[..better].iter().any(|other| covers(*other, place)) && !taken[better..].contains(&place);
        if is_free {
            taken.push(place);
        }
        keep.push(is_free);
    }
    keep
}

/// Whether a domain that is measured already leaves nothing of `other` to measure: the same place, or one meter of the
/// whole machine's kind beside meters of its parts (modelled memory beside `dram-0`).
fn covers(measured: Place, other: Place) -> bool {
    let same_package = measured.package == other.package || measured.package.is_none() || other.package.is_none();
    let same_die = measured.die == other.die || measured.die.is_none() || other.die.is_none();
    measured.kind == other.kind && same_package && same_die
}

fn domain(source: &'static str, channel: &Channel, counted: bool, findings: &[Finding]) -> Domain {
    let id = channel.place.id();
    let how = match channel.provenance {
        Provenance::Measured => format!("read through {source}: {}", channel.detail),
        Provenance::Modelled => format!("no meter can be read, so modelled: {}", channel.detail),
    };
    let reason = std::iter::once(how).chain(obstacles(source, &id, findings)).collect::<Vec<_>>().join("; ");
    Domain { id, source, channel: channel.clone(), counted, parent: None, reason }
}

/// What kept each better route from measuring a domain. Findings stand in the order of preference.
fn obstacles(source: &str, id: &str, findings: &[Finding]) -> Vec<String> {
    let own = findings.iter().position(|finding| finding.source == source).unwrap_or(findings.len());
    let mut obstacles: Vec<String> = Vec::new();
    for finding in &findings[..own] {
        let is_about = finding.domain.as_deref().is_none_or(|domain| domain == id);
        let is_named = obstacles.iter().any(|named| named.starts_with(finding.source));
        if is_about && finding.availability != Availability::Available && !is_named {
            obstacles.push(format!("{} {}: {}", finding.source, finding.availability.as_str(), finding.detail));
        }
    }
    obstacles
}

/// The closest container: a package before the platform.
fn name_parents(domains: &mut [Domain]) {
    let places: Vec<Place> = domains.iter().map(|domain| domain.channel.place).collect();
    for domain in domains {
        let own = domain.channel.place;
        let container = |kind: Kind| places.iter().find(|place| place.kind == kind && place.contains(own));
        domain.parent = container(Kind::Package).or_else(|| container(Kind::Psys)).map(|place| place.id());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Range;
    use crate::source::cpuinfo::CpuInfo;
    use crate::source::rapl;
    use crate::source::replay::{Replay, Script};
    use crate::units::Scale;

    fn source(places: &[Place]) -> Box<dyn Source> {
        let channel =
            |place| rapl::channel(place, Scale::MICROJOULE, Range::Unbounded, String::new(), &CpuInfo::default());
        Box::new(Replay::new(places.iter().map(|at| Script { channel: channel(*at), readings: Vec::new() }).collect()))
    }

    fn ids(domains: &[Domain]) -> Vec<&str> {
        domains.iter().map(|domain| domain.id.as_str()).collect()
    }

    #[test]
    fn a_domain_is_measured_once_by_the_first_source_that_has_it() {
        let package = |number| Place::of_package(Kind::Package, number);
        let mut sources = vec![
            source(&[package(0), package(0)]),
            source(&[package(0), package(1), Place::of_package(Kind::Dram, 0)]),
            source(&[package(1), Place::of_machine(Kind::Dram)]),
        ];
        assert_eq!(ids(&choose(&mut sources, &[])), ["package-0", "package-1", "dram-0"]);
        assert_eq!(sources.len(), 2);
    }

    #[test]
    fn dies_with_meters_of_their_own_are_both_kept_and_a_second_route_to_their_package_is_not() {
        let die = |die| Place { die: Some(die), ..Place::of_package(Kind::Package, 0) };
        let mut sources = vec![source(&[die(0), die(1)]), source(&[Place::of_package(Kind::Package, 0)])];
        assert_eq!(ids(&choose(&mut sources, &[])), ["package-0-die-0", "package-0-die-1"]);
    }

    #[test]
    fn the_reason_names_what_keeps_the_better_route_away() {
        let findings = [
            Finding::of("perf", Availability::NotPermitted, "perf_event_paranoid is 2"),
            Finding::of("replay", Availability::Available, ""),
            Finding::of("estimate", Availability::Failed, "worse routes do not matter"),
        ];
        let domains = choose(&mut vec![source(&[Place::of_package(Kind::Package, 0)])], &findings);
        assert_eq!(domains[0].reason, "read through replay: ; perf not permitted: perf_event_paranoid is 2");
    }

    #[test]
    fn psys_is_shown_and_never_counted() {
        let places = [Place::of_machine(Kind::Psys), Place::of_package(Kind::Package, 0)];
        let domains = choose(&mut vec![source(&places)], &[]);
        assert_eq!(domains.iter().map(|domain| domain.counted).collect::<Vec<_>>(), [false, true]);
        assert_eq!(domains[1].parent.as_deref(), Some("psys"));
    }
}
