//! The owner of everything and the only door: finds the sources, chooses, and hands out windows and readings.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::choice::{Domain, choose};
use crate::clock::{Clock, Monotonic};
use crate::counter::State;
use crate::curve::{Curve, Height};
use crate::domain::{Channel, FAST_TICK_NS};
use crate::error::{Error, Lost};
use crate::integrate::Point;
use crate::keepalive::{KeepAlive, keep_alive_period_ns, try_lock};
use crate::panel::Panel;
use crate::ring::Entry;
use crate::sampler::{Ledger, Plan, Sampler};
use crate::snapshot::BRIEF;
use crate::source::root::Root;
use crate::source::{self, Finding, ModelFigures, Source, Wanted, sys};
use crate::span::Spans;
use crate::units::{self, NS_PER_S};
use crate::window::{DomainEnergy, Mode, Readout, Window, between};

/// Rate of a started meter where none is asked for: totals need none, and a curve of 100 ms is fine for most.
pub const AUTO_RATE_HZ: f64 = 10.0;
/// Tries to read where another thread is at it: some milliseconds, longer than any reading.
const READ_TRIES: usize = 10_000;
/// From this rate on the instants of change are hunted by default.
const EDGES_FROM_HZ: f64 = 500.0;

/// How a meter samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Rate {
    /// Readings a second.
    pub hz: f64,
    /// Whether to hunt for the instants of change; `None`: from 500 Hz on.
    pub edges: Option<bool>,
    /// CPUs for the sampling threads; empty: any.
    pub cpus: Vec<u32>,
}

impl Default for Rate {
    fn default() -> Self {
        Self { hz: AUTO_RATE_HZ, edges: None, cpus: Vec::new() }
    }
}

/// The meters of one machine.
#[derive(Debug)]
pub struct Meter {
    /// The meters that are read together: fast ones, then each slower pace by itself.
    panels: Vec<Arc<Panel>>,
    /// Length of a reading.
    words: usize,
    keeper: Arc<KeepAlive>,
    findings: Vec<Finding>,
    sampling: Mutex<Sampling>,
    /// Fork generation in which the sampling threads run; 0 when they do not.
    running: AtomicU64,
}

/// The threads, and how they were asked to sample.
#[derive(Debug, Default)]
struct Sampling {
    samplers: Vec<Sampler>,
    rate: Option<Rate>,
    /// What threads that were stopped did, added up for each panel.
    past: Vec<Ledger>,
}

impl Sampling {
    /// Stops the threads and adds their ledgers up: a meter that is started and stopped for months keeps one a panel.
    fn end(&mut self) {
        self.past.resize(self.past.len().max(self.samplers.len()), Ledger::default());
        for (past, sampler) in self.past.iter_mut().zip(self.samplers.drain(..)) {
            past.add(sampler.stop());
        }
        self.rate = None;
    }
}

impl Meter {
    /// Finds the meters below `root` and chooses the best route to each domain.
    pub fn open(root: &Root, wanted: Wanted, figures: &ModelFigures) -> Result<Self, Error> {
        let found = source::discover(root, wanted, figures)?;
        Ok(Self::new(found.sources, found.findings, Arc::new(Monotonic)))
    }

    /// A meter on sources and a clock of the caller's: scripted machines and simulated time.
    pub fn with_sources(sources: Vec<Box<dyn Source>>, clock: Arc<dyn Clock>) -> Self {
        Self::new(sources, Vec::new(), clock)
    }

    fn new(mut sources: Vec<Box<dyn Source>>, findings: Vec<Finding>, clock: Arc<dyn Clock>) -> Self {
        let domains = choose(&mut sources, &findings);
        let panels = by_pace(sources, domains, clock);
        let keeper = Arc::new(KeepAlive::new(panels.clone()));
        let words = BRIEF * panels.iter().map(|panel| panel.domains().len()).sum::<usize>();
        Self { panels, words, keeper, findings, sampling: Mutex::default(), running: AtomicU64::new(0) }
    }

    /// What is measured or modelled, in the order of every readout.
    pub fn domains(&self) -> Vec<&Domain> {
        self.panels.iter().flat_map(|panel| panel.domains()).collect()
    }

    /// Power at rest of each domain in watts, where a model knows it.
    pub fn idle_powers_w(&self) -> Vec<Option<f64>> {
        let watts = |power_uw| units::joules(units::energy_uj(power_uw, NS_PER_S));
        self.panels.iter().flat_map(|panel| panel.idle_powers_uw()).map(|power| power.map(watts)).collect()
    }

    /// What was looked for, found or not.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// A closed window that reads once at each end.
    pub fn window(&self) -> Window {
        self.window_with(Mode::Direct)
    }

    /// A closed window.
    pub fn window_with(&self, mode: Mode) -> Window {
        Window::new(&self.panels, self.keeper.clone(), mode)
    }

    /// A recorder of spans on this meter, of which the newest `capacity` are kept.
    pub fn spans(self: &Arc<Self>, clock: &Arc<dyn Clock>, capacity: usize) -> Arc<Spans> {
        let meter = Arc::downgrade(self);
        Spans::new(&self.panels, clock, capacity, move || {
            if let Some(meter) = meter.upgrade() {
                meter.follow_fork();
            }
        })
    }

    /// Reads every meter once now: for simulated time, which no thread follows, and to bring a curve up to now.
    pub fn tick(&self) {
        for panel in &self.panels {
            panel.tick(&mut panel.buffers());
        }
    }

    /// How often the counters must be read while a window is open; `None` if none of them wraps.
    pub fn keep_alive_period_ns(&self) -> Option<u64> {
        self.panels.iter().filter_map(|panel| keep_alive_period_ns(panel.domains())).min()
    }

    /// Records the energy curves from now on without a thread: readings come from `tick()`.
    pub fn record(&self) {
        self.panels.iter().for_each(|panel| panel.record());
    }

    /// Starts sampling; on a meter that samples already, changes the rate. Each pace has a thread of its own.
    pub fn start(&self, rate: &Rate) -> Result<(), Error> {
        let mut sampling = try_lock(&self.sampling).ok_or(Error::Busy)?;
        self.launch(&mut sampling, rate)
    }

    fn launch(&self, sampling: &mut Sampling, rate: &Rate) -> Result<(), Error> {
        sampling.end();
        for panel in &self.panels {
            let sampler = Sampler::start(panel, plan(panel, rate)).map_err(Error::NoThread)?;
            sampling.samplers.push(sampler);
        }
        sampling.rate = Some(rate.clone());
        // Release: pairs with the Acquire in follow_fork().
        self.running.store(sys::generation(), Ordering::Release);
        Ok(())
    }

    /// Stops sampling and the keep-alive. Recorded curves stay; a later start goes on with them.
    pub fn stop(&self) {
        if let Some(mut sampling) = try_lock(&self.sampling) {
            self.running.store(0, Ordering::Release);
            sampling.end();
        }
        self.keeper.stop();
    }

    /// Whether sampling was started and not stopped.
    pub fn is_sampling(&self) -> bool {
        self.running.load(Ordering::Acquire) != 0
    }

    /// What the sampling threads did: for each panel what those that were stopped did, and then those that run.
    pub fn ledgers(&self) -> Vec<Ledger> {
        self.follow_fork();
        let Some(sampling) = try_lock(&self.sampling) else { return Vec::new() };
        sampling.past.iter().copied().chain(sampling.samplers.iter().map(Sampler::ledger)).collect()
    }

    /// Starts sampling anew in the child of a fork, which inherits a meter that samples but none of its threads.
    fn follow_fork(&self) {
        // Acquire: pairs with the Release in launch().
        let running = self.running.load(Ordering::Acquire);
        if running == 0 || running == sys::generation() {
            return;
        }
        if let Some(mut sampling) = try_lock(&self.sampling)
            && let Some(rate) = sampling.rate.clone()
            && self.launch(&mut sampling, &rate).is_err()
        {
            // No thread to be had: readings are then taken on demand.
            self.running.store(0, Ordering::Release);
        }
    }

    /// The latest published states in words (see [`crate::snapshot::states`]), without a system call; `None` if a fork
    /// tore them.
    pub fn read(&self) -> Option<Vec<u64>> {
        self.follow_fork();
        let mut words = Vec::with_capacity(self.words);
        self.panels.iter().all(|panel| panel.copy(&mut words)).then_some(words)
    }

    /// The energy between two instants of the recorded past, by domain. An instant after the last change is filled by a
    /// reading now, if it has come, and beyond that by the last power.
    pub fn energy_between(&self, t0_ns: u64, t1_ns: u64) -> Result<Readout, Error> {
        self.settle(t0_ns.max(t1_ns));
        let mut domains = Vec::new();
        for (curve, channel) in self.curves() {
            let ends = [t0_ns, t1_ns].map(|t_ns| curve.height(t_ns, channel));
            let [first, last] = [ends[0]?, ends[1]?];
            domains.push(rise(&first, &last, t1_ns.saturating_sub(t0_ns), channel));
        }
        if domains.is_empty() {
            Err(Lost::Empty.into())
        } else {
            Ok(Readout { t0_ns, t1_ns, suspended_ns: 0, domains })
        }
    }

    /// The heights of one domain's curve at many instants, which need no order.
    pub fn heights(&self, domain: usize, at_ns: &[u64]) -> Result<Vec<Height>, Error> {
        self.settle(at_ns.iter().copied().max().unwrap_or(0));
        let (curve, channel) = self.curves().nth(domain).ok_or(Lost::Empty)?;
        at_ns.iter().map(|t_ns| Ok(curve.height(*t_ns, channel)?)).collect()
    }

    /// The changes of one domain's curve that are still kept, oldest first: instants, counts.
    pub fn trace(&self, domain: usize) -> Result<Vec<Entry>, Error> {
        Ok(self.curves().nth(domain).ok_or(Lost::Empty)?.0.entries())
    }

    /// The number of the next change to come of one domain's curve, and every change from `number` on that is still kept:
    /// for a reader that comes back for more. Where it came too late, the numbers tell how many are missing.
    pub fn changes_since(&self, domain: usize, number: u64) -> Result<(u64, Vec<Entry>), Error> {
        Ok(self.curves().nth(domain).ok_or(Lost::Empty)?.0.entries_since(number))
    }

    fn curves(&self) -> impl Iterator<Item = (&Curve, &Channel)> {
        self.panels
            .iter()
            .flat_map(|panel| panel.curves().iter().zip(panel.domains().iter().map(|domain| &domain.channel)))
    }

    /// Reads the panels whose curves do not reach `t_ns` yet.
    fn settle(&self, t_ns: u64) {
        self.follow_fork();
        for panel in &self.panels {
            let reaches = |curve: &Curve| curve.last().is_some_and(|last| last.t_ns >= t_ns);
            let mut buffers = panel.buffers();
            // A thread that is reading just now has not recorded yet what it reads.
            for _ in 0..READ_TRIES {
                if panel.curves().iter().all(reaches) || panel.tick(&mut buffers) {
                    break;
                }
                std::thread::yield_now();
            }
        }
    }
}

/// The energy between two heights of one curve.
fn rise(first: &Height, last: &Height, duration_ns: u64, channel: &Channel) -> DomainEnergy {
    let point = |height: &Height, t_ns| Point {
        state: State {
            t_ns,
            total: height.total,
            estimated: height.estimated,
            uncovered_ns: height.uncovered_ns,
            known: true,
            ..State::default()
        },
        fault: None,
    };
    let energy = between(&point(first, 0), &point(last, duration_ns), channel);
    let bridged_uj = if channel.is_modelled() { 0 } else { energy.modelled_uj };
    DomainEnergy { sampling_uj: bridged_uj + sampling_uj(first, last), ..energy }
}

/// Half-width that holds 95 % of a normal distribution, in sigmas.
const Z_95: f64 = 1.96;
fn sampling_uj(first: &Height, last: &Height) -> u64 {
    units::whole((Z_95 * first.sigma_uj.hypot(last.sigma_uj)).ceil())
}

/// Groups the sources by how fast their meters move, each group with its domains.
#[allow(clippy::needless_pass_by_value)] // the panels own it from here on
fn by_pace(sources: Vec<Box<dyn Source>>, domains: Vec<Domain>, clock: Arc<dyn Clock>) -> Vec<Arc<Panel>> {
    type Group = (Vec<Box<dyn Source>>, Vec<Domain>);
    let mut rest = domains.into_iter();
    let mut groups: BTreeMap<u64, Group> = BTreeMap::new();
    for source in sources {
        let (sources, domains) = groups.entry(pace_ns(source.as_ref())).or_default();
        domains.extend(rest.by_ref().take(source.channels().len()));
        sources.push(source);
    }
    groups.into_values().map(|(sources, domains)| Arc::new(Panel::new(clock.clone(), sources, domains))).collect()
}

/// 0 for meters that may be read at any rate, else the pace at which they move.
fn pace_ns(source: &dyn Source) -> u64 {
    let slowest_ns = source.channels().iter().map(|channel| channel.tick_ns).max().unwrap_or(0);
    if slowest_ns > FAST_TICK_NS { slowest_ns } else { 0 }
}

fn plan(panel: &Panel, rate: &Rate) -> Plan {
    let wanted_ns = units::whole(NS_PER_S as f64 / rate.hz);
    let slowest_ns = panel.domains().iter().map(|domain| domain.channel.tick_ns).max().unwrap_or(0);
    let floor_ns = if slowest_ns > FAST_TICK_NS { slowest_ns } else { 1 };
    let edges = rate.edges.unwrap_or(rate.hz >= EDGES_FROM_HZ);
    // However seldom readings are asked for, no counter may go round unseen.
    let most_ns = keep_alive_period_ns(panel.domains()).unwrap_or(u64::MAX).max(floor_ns);
    Plan { period_ns: wanted_ns.clamp(floor_ns, most_ns), edges: edges && floor_ns == 1, cpus: rate.cpus.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Manual;
    use crate::domain::{Kind, Place, Range};
    use crate::error::Fault;
    use crate::source::cpuinfo::CpuInfo;
    use crate::source::rapl;
    use crate::source::replay::{Reading, Replay, Script};
    use crate::units::{MICRO, Scale};

    const MS: u64 = NS_PER_S / 1_000;

    /// A meter of one counter, and its clock.
    fn meter(kind: Kind, range: Range, readings: Vec<(u64, Reading)>) -> (Meter, Manual) {
        let place = Place::of_package(kind, 0);
        let channel = rapl::channel(place, Scale::MICROJOULE, range, String::new(), &CpuInfo::default());
        let clock = Manual::new(0);
        let sources: Vec<Box<dyn Source>> = vec![Box::new(Replay::new(vec![Script { channel, readings }]))];
        (Meter::with_sources(sources, Arc::new(clock.clone())), clock)
    }

    /// Ten readings a second up to `until_ns`.
    fn sample(meter: &Meter, clock: &Manual, until_ns: u64) {
        meter.record();
        while clock.now_ns() < until_ns {
            clock.advance(100 * MS);
            meter.tick();
        }
    }

    /// 10 W from the first millisecond on until `until_ms`.
    fn ten_watts(until_ms: u64) -> Vec<(u64, Reading)> {
        (0..=until_ms).map(|ms| (ms * MS, Ok(MICRO + ms * 10_000))).collect()
    }

    #[test]
    fn a_rate_that_would_miss_a_wrap_is_raised() {
        let (meter, _clock) = meter(Kind::Package, Range::Modulo(65_536 * MICRO), Vec::new());
        let period_ns = |hz| plan(&meter.panels[0], &Rate { hz, ..Rate::default() }).period_ns;
        assert_eq!(period_ns(10.0), 100 * MS);
        assert_eq!(Some(period_ns(0.001)), meter.keep_alive_period_ns());
    }

    #[test]
    fn a_counter_that_rests_draws_nothing_while_it_rests_and_all_when_it_moves_again() {
        let mut readings = ten_watts(1_000);
        readings.push((60 * NS_PER_S + MS, Ok(MICRO + 11 * MICRO)));
        let (meter, clock) = meter(Kind::Uncore, Range::Unbounded, readings);
        sample(&meter, &clock, 50 * NS_PER_S);
        let energy = |t0_ns, t1_ns| meter.energy_between(t0_ns, t1_ns).unwrap().domains[0];
        let now = energy(40 * NS_PER_S, 50 * NS_PER_S);
        assert_eq!((now.energy_uj, now.coverage), (Some(0), 1.0));
        sample(&meter, &clock, 70 * NS_PER_S);
        let (rest, woken) = (energy(10 * NS_PER_S, 59 * NS_PER_S), energy(59 * NS_PER_S, 69 * NS_PER_S));
        assert_eq!((rest.energy_uj, rest.coverage), (Some(0), 1.0));
        assert_eq!((woken.energy_uj, woken.coverage), (Some(MICRO), 1.0));
    }

    #[test]
    fn what_a_failing_meter_is_thought_to_have_drawn_is_an_estimate_and_uncovered() {
        let mut readings = ten_watts(1_000);
        readings.push((NS_PER_S + MS, Err(Fault::Failed(libc::EIO))));
        let (meter, clock) = meter(Kind::Package, Range::Unbounded, readings);
        sample(&meter, &clock, 3 * NS_PER_S);
        let told = meter.energy_between(0, 3 * NS_PER_S).unwrap().domains[0];
        let joules = |uj: u64| units::joules(uj).round();
        assert_eq!((joules(told.energy_uj.unwrap()), joules(told.modelled_uj)), (30.0, 20.0), "{told:?}");
        assert!((told.coverage - 1.0 / 3.0).abs() < 0.01, "{told:?}");
    }

    #[test]
    fn an_instant_to_come_is_an_estimate() {
        let (meter, clock) = meter(Kind::Package, Range::Unbounded, ten_watts(10_000));
        sample(&meter, &clock, 2 * NS_PER_S);
        let told = meter.energy_between(NS_PER_S, 4 * NS_PER_S).unwrap().domains[0];
        assert!((told.coverage - 1.0 / 3.0).abs() < 0.01 && told.modelled_uj.abs_diff(20 * MICRO) < MICRO, "{told:?}");
    }
}
