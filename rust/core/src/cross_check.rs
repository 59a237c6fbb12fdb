//! Whether two routes to one domain agree: every route is read over one short window, and the powers are compared.
//!
//! Two routes show one register, so they differ by its updates and by units alone. A factor of 4 in memory is a driver
//! that takes the wrong unit for this processor; a factor of 2 is a meter that is counted twice.

use std::time::Duration;

use crate::clock::{Clock, Monotonic};
use crate::domain::{Channel, Place, Provenance};
use crate::error::Error;
use crate::sample::Sample;
use crate::source::root::Root;
use crate::source::{self, Discovery, Finding, ModelFigures, Source, Wanted};
use crate::step::{Step, step};
use crate::units;

/// Routes may differ by this share: powercap's memory unit is 0.27 % high, its others up to 183 ppm low, and a power
/// that changes between two reads some 100 us apart adds a little. What is wrong is wrong by a factor.
const TOLERANCE: f64 = 0.02;

/// One route to a domain.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// Its name.
    pub source: &'static str,
    /// What it measured, in microwatts; `None` if a reading failed or the counter was set anew meanwhile.
    pub power_uw: Option<u64>,
    /// How far off that may be: two updates and two units.
    pub bound_uw: u64,
    /// Where it was read.
    pub detail: String,
}

/// A domain with at least two routes.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The domain.
    pub id: String,
    /// Its routes, best first.
    pub routes: Vec<Route>,
}

impl Comparison {
    /// Whether every two routes that measured agree within their bounds and the tolerance.
    pub fn agrees(&self) -> bool {
        let measured: Vec<(u64, u64)> =
            self.routes.iter().filter_map(|route| Some((route.power_uw?, route.bound_uw))).collect();
        measured.iter().enumerate().all(|(index, a)| measured[index + 1..].iter().all(|b| close(*a, *b)))
    }
}

fn close((a, a_bound): (u64, u64), (b, b_bound): (u64, u64)) -> bool {
    a.abs_diff(b) as f64 <= TOLERANCE * a.max(b) as f64 + (a_bound + b_bound) as f64
}

/// Opens every route of this machine, the MSRs too if the caller may read them, and compares them over `window`.
pub fn machine(root: &Root, window: Duration) -> Result<(Vec<Comparison>, Vec<Finding>), Error> {
    let mut found = Discovery::default();
    for wanted in [Wanted::Perf, Wanted::Powercap, Wanted::Msr] {
        match source::discover(root, wanted, &ModelFigures::default()) {
            Ok(one) => {
                found.sources.extend(one.sources);
                found.findings.extend(one.findings);
            }
            Err(Error::SourceUnavailable { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok((compare(&found.sources, &Monotonic, || std::thread::sleep(window)), found.findings))
}

/// Reads every source, waits, reads again, and compares what belongs to one place.
pub fn compare(sources: &[Box<dyn Source>], clock: &dyn Clock, wait: impl FnOnce()) -> Vec<Comparison> {
    let before = read(sources, clock);
    wait();
    let after = read(sources, clock);
    let channels = sources.iter().flat_map(|source| source.channels().iter().map(|channel| (source.name(), channel)));
    let mut domains: Vec<(Place, Comparison)> = Vec::new();
    for (((name, channel), before), after) in channels.zip(&before).zip(&after) {
        if channel.provenance == Provenance::Modelled {
            continue;
        }
        let route = route(name, channel, before, after);
        match domains.iter_mut().find(|(place, _)| *place == channel.place) {
            Some((_, comparison)) => comparison.routes.push(route),
            None => domains.push((channel.place, Comparison { id: channel.place.id(), routes: vec![route] })),
        }
    }
    let compared = domains.into_iter().map(|(_, comparison)| comparison);
    compared.filter(|comparison| comparison.routes.len() > 1).collect()
}

fn read(sources: &[Box<dyn Source>], clock: &dyn Clock) -> Vec<Sample> {
    let mut all = Vec::new();
    for source in sources {
        let mut samples = vec![Sample::default(); source.channels().len()];
        source.read(clock, &mut samples);
        all.extend(samples);
    }
    all
}

fn route(source: &'static str, channel: &Channel, before: &Sample, after: &Sample) -> Route {
    let dt_ns = after.t_ns().saturating_sub(before.t_ns());
    let counts = match step(before.raw, after.raw, dt_ns, channel) {
        _ if before.fault.is_some() || after.fault.is_some() => None,
        Step::Delta(counts) | Step::Wrapped(counts) => Some(counts),
        Step::Ambiguous { .. } | Step::Reset => None,
    };
    let power_uw = counts.and_then(|counts| units::power_uw(channel.scale.microjoules(counts), dt_ns));
    let late_ns = 2 * channel.tick_ns + before.half_ns() + after.half_ns();
    let edges_uj = units::energy_uj(power_uw.unwrap_or(0), late_ns) + 2 * channel.scale.microjoules(1);
    let bound_uw = units::power_uw(edges_uj, dt_ns).unwrap_or(u64::MAX);
    Route { source, power_uw, bound_uw, detail: channel.detail.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Manual;
    use crate::domain::{Kind, Range};
    use crate::error::Fault;
    use crate::source::cpuinfo::CpuInfo;
    use crate::source::rapl;
    use crate::source::replay::{Reading, Replay, Script};
    use crate::units::{MICRO, NS_PER_S, Scale};

    /// A route whose counter shows `end` after a quarter of a second.
    fn route_to(kind: Kind, end: Reading) -> Box<dyn Source> {
        let place = Place::of_package(kind, 0);
        let channel = rapl::channel(place, Scale::MICROJOULE, Range::Unbounded, String::new(), &CpuInfo::default());
        Box::new(Replay::new(vec![Script { channel, readings: vec![(0, Ok(MICRO)), (NS_PER_S / 4, end)] }]))
    }

    fn compared(sources: &[Box<dyn Source>]) -> Vec<Comparison> {
        let clock = Manual::new(0);
        compare(sources, &clock, || clock.set(NS_PER_S / 4))
    }

    #[test]
    fn routes_that_differ_by_an_update_agree() {
        let found = compared(&[route_to(Kind::Dram, Ok(11 * MICRO)), route_to(Kind::Dram, Ok(11 * MICRO + 40_000))]);
        assert_eq!(
            found[0].routes.iter().map(|route| route.power_uw).collect::<Vec<_>>(),
            [Some(40_000_000), Some(40_160_000)]
        );
        assert!(found[0].agrees());
    }

    #[test]
    fn a_route_with_the_wrong_unit_is_told() {
        let found = compared(&[route_to(Kind::Dram, Ok(11 * MICRO)), route_to(Kind::Dram, Ok(41 * MICRO))]);
        assert!(!found[0].agrees());
    }

    #[test]
    fn a_route_that_fails_contradicts_nobody_and_a_single_route_is_not_compared() {
        let failing = Err(Fault::NotPermitted);
        let found = compared(&[
            route_to(Kind::Dram, Ok(11 * MICRO)),
            route_to(Kind::Dram, failing),
            route_to(Kind::Psys, Ok(2 * MICRO)),
        ]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].routes[1].power_uw, None);
        assert!(found[0].agrees());
    }
}
