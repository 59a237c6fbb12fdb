//! Which route measures each domain, and which domains add up to the machine.

use crate::domain::{Channel, Kind, Place, Provenance};
use crate::source::Source;

/// A domain as it is measured.
#[derive(Debug, Clone)]
pub struct Domain {
    /// `package-0`, `dram`: stable on a machine.
    pub id: String,
    /// The route: `perf`, `powercap`, `estimate`.
    pub source: &'static str,
    /// Its meter.
    pub channel: Channel,
    /// Whether its energy is part of the sum. Counted domains never overlap.
    pub counted: bool,
    /// The domain that contains it, if one is measured.
    pub parent: Option<String>,
    /// Why this route.
    pub reason: String,
}

/// Keeps for each domain the channel of the best source, narrows the sources to those, and lists the domains in the
/// order in which the sources now answer.
pub fn choose(sources: &mut Vec<Box<dyn Source>>) -> Vec<Domain> {
    let mut taken: Vec<(Place, &'static str)> = Vec::new();
    let mut domains = Vec::new();
    for source in sources.iter_mut() {
        let keep = free_channels(source.as_ref(), &mut taken);
        source.retain(&keep);
        let name = source.name();
        let counts = |channel: &Channel| source.counts(channel.place.kind);
        domains.extend(source.channels().iter().map(|channel| domain(name, channel, counts(channel))));
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

fn free_channels(source: &dyn Source, taken: &mut Vec<(Place, &'static str)>) -> Vec<bool> {
    let better: Vec<Place> = taken.iter().map(|(place, _)| *place).collect();
    let free = |channel: &Channel| !better.iter().any(|place| covers(*place, channel.place));
    let keep: Vec<bool> = source.channels().iter().map(free).collect();
    let kept = source.channels().iter().zip(&keep).filter(|(_, keep)| **keep);
    taken.extend(kept.map(|(channel, _)| (channel.place, source.name())));
    keep
}

/// Whether a domain that is measured already leaves nothing of `other` to measure: the same place, or one meter of the
/// whole machine's kind beside meters of its parts (modelled memory beside `dram-0`).
fn covers(measured: Place, other: Place) -> bool {
    let same_package = measured.package == other.package || measured.package.is_none() || other.package.is_none();
    let same_die = measured.die == other.die || measured.die.is_none() || other.die.is_none();
    measured.kind == other.kind && same_package && same_die
}

fn domain(source: &'static str, channel: &Channel, counted: bool) -> Domain {
    let reason = match channel.provenance {
        Provenance::Measured => format!("read through {source}: {}", channel.detail),
        Provenance::Modelled => format!("no meter can be read, so modelled: {}", channel.detail),
    };
    Domain { id: channel.place.id(), source, channel: channel.clone(), counted, parent: None, reason }
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
