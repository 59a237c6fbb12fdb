//! What cannot be read is modelled: CPU power from busy time, memory power from size. Always labelled.
//!
//! Both models are counters. The CPU's energy since boot is `idle * time + (full - idle) * busy time / CPUs`, affine in
//! cumulative quantities, so that windows add up exactly whatever their number: half busy and half idle is the same
//! in one window or in two, and a duty cycle the same in one or a hundred. [`super::cpu_model`] and
//! [`super::ram_model`] say where the watts come from.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Clock;
use crate::domain::{Channel, Kind, Place, Provenance, Range, Signal};
use crate::error::Fault;
use crate::sample::Sample;
use crate::units::{self, NS_PER_S, Scale};

use super::cpuinfo::CpuInfo;
use super::ram_model::{self, Memory};
use super::root::Root;
use super::topology::Topology;
use super::{Availability, Discovery, Finding, ModelFigures, Source, cpu_model, stat, sys};

const NAME: &str = "estimate";
/// Below this a window says nothing about a model whose input moves every 10 ms.
const RESOLUTION_NS: u64 = 100_000_000;
/// One microwatt over one nanosecond is a femtojoule; a nanojoule is a million of them.
const UW_NS_PER_NJ: u128 = 1_000_000;

/// The affine energy counter of one domain.
#[derive(Debug)]
struct Line {
    idle_uw: u64,
    /// Power above idle at full load.
    dynamic_uw: u64,
    cpus: u64,
    /// `None`: the load of no package matters.
    package: Option<u32>,
    /// Largest busy time seen: /proc/stat must not run backwards between two readers.
    busy_ticks: AtomicU64,
}

/// The modelled domains.
#[derive(Debug)]
pub struct Estimate {
    channels: Vec<Channel>,
    lines: Vec<Line>,
    stat: Option<File>,
    /// Package of each CPU by number; empty where one package holds all.
    package_of_cpu: Vec<Option<u32>>,
    ns_per_tick: u64,
}

/// Models every package and the memory, as far as /proc tells their size.
pub fn discover(root: &Root, figures: &ModelFigures, found: &mut Discovery) {
    let mut estimate = Estimate {
        channels: Vec::new(),
        lines: Vec::new(),
        stat: None,
        package_of_cpu: Vec::new(),
        ns_per_tick: NS_PER_S / sys::ticks_per_second(),
    };
    let info = CpuInfo::read(root);
    let memory = ram_model::memory(root, &info, figures);
    let ram_w = memory.as_ref().map_or(0.0, |memory| memory.power_w);
    let inside_w = if figures.is_wall_power { ram_w } else { 0.0 };
    let packages = estimate.add_packages(root, &info, inside_w, figures);
    let memory = memory.map(|memory| estimate.add_memory(memory));
    found.findings.extend([packages, memory].into_iter().filter_map(Result::err));
    for channel in &estimate.channels {
        found.findings.push(Finding {
            source: NAME,
            domain: Some(channel.place.id()),
            availability: Availability::Available,
            detail: channel.detail.clone(),
        });
    }
    if !estimate.channels.is_empty() {
        found.sources.push(Box::new(estimate));
    }
}

impl Estimate {
    fn add_packages(
        &mut self,
        root: &Root,
        info: &CpuInfo,
        inside_w: f64,
        figures: &ModelFigures,
    ) -> Result<(), Finding> {
        let path = "/proc/stat";
        let stat = root.open(path).map_err(|error| no_load(root, path, &error))?;
        stat::busy_ticks(&stat).map_err(|error| no_load(root, path, &error))?;
        let topology = Topology::read(root, info.logical);
        let packages = topology.packages();
        for package in &packages {
            let cpus = topology.cpus_of(*package);
            if let Some(model) = cpu_model::package(root, info, cpus, packages.len(), figures, inside_w) {
                self.add(Place::of_package(Kind::Package, *package), &model, cpus);
            }
        }
        if packages.len() > 1 {
            self.package_of_cpu = (0..8192).map(|cpu| topology.package(cpu)).collect();
        }
        self.stat = Some(stat);
        Ok(())
    }

    fn add_memory(&mut self, memory: Memory) {
        let Memory { power_w, rel, detail } = memory;
        self.add(Place::of_machine(Kind::Dram), &cpu_model::Line { idle_w: power_w, full_w: power_w, rel, detail }, 1);
    }

    fn add(&mut self, place: Place, model: &cpu_model::Line, cpus: u32) {
        let idle_uw = units::microwatts(model.idle_w);
        let max_uw = units::microwatts(model.full_w).max(idle_uw);
        self.lines.push(Line {
            idle_uw,
            dynamic_uw: max_uw - idle_uw,
            cpus: u64::from(cpus.max(1)),
            package: place.package,
            busy_ticks: AtomicU64::new(0),
        });
        self.channels.push(Channel {
            place,
            signal: Signal::Counter,
            scale: Scale::NANOJOULE,
            range: Range::Unbounded,
            // A reading may come ticks late on a busy host: ten times the maximum is still far from any fault.
            max_power_uw: max_uw.saturating_mul(10),
            tick_ns: self.ns_per_tick,
            longest_rest_ns: u64::MAX,
            resolution_ns: RESOLUTION_NS,
            sensor_rel: model.rel,
            provenance: Provenance::Modelled,
            detail: model.detail.clone(),
        });
    }

    /// Notes the busy ticks of every modelled package.
    fn update_load(&self) -> Result<(), Fault> {
        let Some(stat) = &self.stat else { return Ok(()) };
        if self.package_of_cpu.is_empty() {
            let busy = stat::busy_ticks(stat).map_err(|error| fault(&error))?;
            self.lines.iter().filter(|line| line.package.is_some()).for_each(|line| line.note(busy));
            return Ok(());
        }
        let mut sums = [0; MAX_PACKAGES];
        let package_of = |cpu: u32| self.package_of_cpu.get(cpu as usize).copied().flatten();
        stat::for_each_cpu(stat, |cpu, busy| {
            if let Some(sum) = package_of(cpu).and_then(|package| sums.get_mut(package as usize)) {
                *sum += busy;
            }
        })
        .map_err(|error| fault(&error))?;
        for line in &self.lines {
            if let Some(sum) = line.package.and_then(|package| sums.get(package as usize)) {
                line.note(*sum);
            }
        }
        Ok(())
    }
}

/// Packages whose load is told apart; the largest Linux machines have 64 sockets.
const MAX_PACKAGES: usize = 64;

impl Source for Estimate {
    fn name(&self) -> &'static str {
        NAME
    }

    fn channels(&self) -> &[Channel] {
        &self.channels
    }

    fn read(&self, clock: &dyn Clock, samples: &mut [Sample]) {
        let before_ns = clock.now_ns();
        let load = self.update_load();
        let after_ns = clock.now_ns();
        for (line, sample) in self.lines.iter().zip(samples) {
            let fault = load.err().filter(|_| line.package.is_some());
            *sample = Sample { raw: 0, before_ns, after_ns, fault };
            sample.raw = if fault.is_none() { line.energy_nj(sample.t_ns(), self.ns_per_tick) } else { 0 };
        }
    }

    fn idle_power_uw(&self, channel: usize) -> Option<u64> {
        self.lines.get(channel).map(|line| line.idle_uw)
    }

    fn retain(&mut self, keep: &[bool]) {
        super::retain_marked(&mut self.channels, keep);
        super::retain_marked(&mut self.lines, keep);
        if self.lines.iter().all(|line| line.package.is_none()) {
            self.stat = None;
        }
    }
}

impl Line {
    fn note(&self, busy_ticks: u64) {
        // Relaxed: a number on its own; readers need no order with anything else.
        self.busy_ticks.fetch_max(busy_ticks, Ordering::Relaxed);
    }

    /// Nanojoules since boot at `t_ns`.
    fn energy_nj(&self, t_ns: u64, ns_per_tick: u64) -> u64 {
        let busy_ns = u128::from(self.busy_ticks.load(Ordering::Relaxed)) * u128::from(ns_per_tick);
        let idle = u128::from(self.idle_uw) * u128::from(t_ns);
        let dynamic = u128::from(self.dynamic_uw) * busy_ns / u128::from(self.cpus);
        u64::try_from((idle + dynamic) / UW_NS_PER_NJ).unwrap_or(u64::MAX)
    }
}

fn no_load(root: &Root, path: &str, error: &io::Error) -> Finding {
    let availability =
        if error.kind() == io::ErrorKind::InvalidData { Availability::Failed } else { Availability::from_io(error) };
    Finding::of(NAME, availability, format!("{}: {error}", root.path(path).display()))
}

fn fault(error: &io::Error) -> Fault {
    if error.kind() == io::ErrorKind::InvalidData { Fault::Garbage } else { Fault::from(error) }
}
