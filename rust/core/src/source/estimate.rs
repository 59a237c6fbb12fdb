//! What cannot be read is modelled: CPU power from busy time, memory power from size. Always labelled.
//!
//! Both models are counters. The CPU's energy since boot is `idle * time + (max - idle) * busy time / CPUs`, affine in
//! cumulative quantities, so that windows add up exactly whatever their number: half busy and half idle is the same
//! in one window or in two.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Clock;
use crate::domain::{Channel, Kind, Place, Provenance, Range, Signal};
use crate::error::Fault;
use crate::sample::Sample;
use crate::units::{self, NS_PER_S, Scale};

use super::cpuinfo::CpuInfo;
use super::root::Root;
use super::topology::Topology;
use super::{Availability, Discovery, Finding, ModelFigures, Source, stat, sys, tdp};

const NAME: &str = "estimate";
/// Package power at rest and at full load, as shares of the TDP: median shape of CodeCarbon's load recordings and of the
/// SPECpower results rescaled to the package (0.15 idle, 0.8 full).
const IDLE_SHARE: f64 = 0.15;
const MAX_SHARE: f64 = 0.80;
/// Error of that shape against RAPL, one sigma: TDP alone is 40 % off at full load.
const TDP_REL: f64 = 0.25;
/// Watts per logical CPU of a server of unknown model: medians of Cloud Carbon Footprint's coefficients for the
/// processors of AWS (SPECpower, 2026-04).
const IDLE_W_PER_CPU: f64 = 0.75;
const MAX_W_PER_CPU: f64 = 3.7;
/// Their spread over architectures reaches from half to twice the median.
const PER_CPU_REL: f64 = 0.40;
/// Error where the user gave the idle and full-load power: two-point curves were 9 to 22 % off on recordings.
const USER_REL: f64 = 0.15;
/// Memory per gigabyte: measured on DDR4 rails, 0.06 W idle to 0.18 W streaming for a 32 GB module.
const RAM_W_PER_GB: f64 = 0.12;
const RAM_REL: f64 = 0.25;
/// Below this a window says nothing about a model whose input moves every 10 ms.
const RESOLUTION_NS: u64 = 100_000_000;
/// One microwatt over one nanosecond is a femtojoule; a nanojoule is a million of them.
const UW_NS_PER_NJ: u128 = 1_000_000;

/// Power of one package as an affine function of its load.
#[derive(Debug, Clone, PartialEq)]
struct CpuModel {
    idle_w: f64,
    max_w: f64,
    rel: f64,
    detail: String,
}

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
    if let Err(finding) = estimate.add_packages(root, figures) {
        found.findings.push(finding);
    }
    if let Err(finding) = estimate.add_memory(root, figures) {
        found.findings.push(finding);
    }
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
    fn add_packages(&mut self, root: &Root, figures: &ModelFigures) -> Result<(), Finding> {
        let path = "/proc/stat";
        let stat = root.open(path).map_err(|error| no_load(root, path, &error))?;
        stat::busy_ticks(&stat).map_err(|error| no_load(root, path, &error))?;
        let info = CpuInfo::read(root);
        let topology = Topology::read(root, info.logical);
        let packages = topology.packages();
        for package in &packages {
            let cpus = topology.cpus_of(*package);
            let model = cpu_model(&info, cpus, packages.len(), figures);
            self.add(Place::of_package(Kind::Package, *package), &model, cpus);
        }
        if packages.len() > 1 {
            self.package_of_cpu = (0..8192).map(|cpu| topology.package(cpu)).collect();
        }
        self.stat = Some(stat);
        Ok(())
    }

    fn add_memory(&mut self, root: &Root, figures: &ModelFigures) -> Result<(), Finding> {
        let total_gb = memory_gb(root);
        let power_w = figures.ram_w.or(total_gb.map(|gb| gb * RAM_W_PER_GB));
        let power_w = power_w.ok_or_else(|| Finding::of(NAME, Availability::Absent, "no MemTotal in /proc/meminfo"))?;
        let detail = match (figures.ram_w, total_gb) {
            (Some(ram_w), _) => format!("{ram_w} W as set by the user"),
            (None, gb) => format!("{RAM_W_PER_GB} W/GB x {:.1} GB", gb.unwrap_or(0.0)),
        };
        let rel = if figures.ram_w.is_some() { USER_REL } else { RAM_REL };
        self.add(Place::of_machine(Kind::Dram), &CpuModel { idle_w: power_w, max_w: power_w, rel, detail }, 1);
        Ok(())
    }

    fn add(&mut self, place: Place, model: &CpuModel, cpus: u32) {
        let idle_uw = units::microwatts(model.idle_w);
        let max_uw = units::microwatts(model.max_w).max(idle_uw);
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

/// The power curve of one of `packages` equal packages.
fn cpu_model(info: &CpuInfo, cpus: u32, packages: usize, figures: &ModelFigures) -> CpuModel {
    let share = 1.0 / packages as f64;
    if let (Some(idle_w), Some(max_w)) = (figures.cpu_idle_w, figures.cpu_max_w) {
        let detail = format!("{idle_w} W idle to {max_w} W busy as set by the user");
        return CpuModel { idle_w: idle_w * share, max_w: max_w * share, rel: USER_REL, detail };
    }
    let known = figures.cpu_tdp_w.map(|watts| (watts, "set by the user")).or_else(|| {
        // The table knows whole processors; a virtual machine may hold any share of one.
        if info.is_virtual { None } else { tdp::watts(&info.brand).map(|watts| (watts, info.brand.as_str())) }
    });
    match known {
        Some((watts, origin)) => CpuModel {
            idle_w: watts * IDLE_SHARE,
            max_w: watts * MAX_SHARE,
            rel: TDP_REL,
            detail: format!("busy time x TDP {watts} W ({origin})"),
        },
        None => per_cpu_model(info, cpus),
    }
}

fn per_cpu_model(info: &CpuInfo, cpus: u32) -> CpuModel {
    let name = if info.brand.is_empty() { "unknown processor" } else { &info.brand };
    let place = if info.is_virtual { ", virtual" } else { "" };
    CpuModel {
        idle_w: IDLE_W_PER_CPU * f64::from(cpus),
        max_w: MAX_W_PER_CPU * f64::from(cpus),
        rel: PER_CPU_REL,
        detail: format!("busy time x {IDLE_W_PER_CPU} to {MAX_W_PER_CPU} W per logical CPU x {cpus} ({name}{place})"),
    }
}

fn memory_gb(root: &Root) -> Option<f64> {
    let text = root.text("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib as f64 * 1024.0 / 1e9)
}

fn no_load(root: &Root, path: &str, error: &io::Error) -> Finding {
    let availability =
        if error.kind() == io::ErrorKind::InvalidData { Availability::Failed } else { Availability::from_io(error) };
    Finding::of(NAME, availability, format!("{}: {error}", root.path(path).display()))
}

fn fault(error: &io::Error) -> Fault {
    if error.kind() == io::ErrorKind::InvalidData { Fault::Garbage } else { Fault::from(error) }
}
