//! How much a processor without a meter draws, idle and busy: the figures of the user, of a table, or of its family.
//!
//! The power of a package is a straight line over its busy time. Measured against recordings of two machines, each left
//! out of the fit, it is 32 % off in the median (37 % at worst); `load^0.75`, the law that fits best, is 30 % (34 %) off,
//! but its answer depends on how often it is evaluated: a load that goes on and off is "half busy" or "busy, then idle"
//! as the reader likes. Energy must be additive (law 2), so that the line is used (docs/estimates.md has the table).

use super::cpuinfo::CpuInfo;
use super::family::{self, Host};
use super::root::Root;
use super::{ModelFigures, tdp};

/// Rows of kind, name, idle, full, error and machines behind it; written by `tools/fit_cpu_model.py`.
const TABLE: &str = include_str!("../../data/cpu_model.tsv");

/// How much more than at rest a host draws that others keep awake: SPECpower's servers need 0.27 of their TDP at the foot
/// of the line through 10 to 50 % load, and 0.18 when nothing at all runs (median wall power of 121 servers).
const AWAKE: f64 = 1.5;

/// Power as a straight line over load, of whatever it was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Watts at rest.
    pub idle_w: f64,
    /// Watts at full load.
    pub full_w: f64,
    /// Relative error, one sigma.
    pub rel: f64,
    /// What it was taken from.
    pub detail: String,
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Row {
    idle: f64,
    full: f64,
    rel: f64,
}

/// The line of one of `packages` equal packages, which has `cpus` logical CPUs. `inside_w` is what of the calibrated
/// wall power other models speak for.
pub fn package(
    root: &Root,
    info: &CpuInfo,
    cpus: u32,
    packages: usize,
    figures: &ModelFigures,
    inside_w: f64,
) -> Option<Line> {
    let modelled = of_tdp(info, figures).or_else(|| of_family(root, info, cpus, figures));
    let share = 1.0 / packages.max(1) as f64;
    match (figures.cpu_idle_w, figures.cpu_max_w) {
        (Some(idle_w), Some(full_w)) => calibrated((idle_w - inside_w) * share, (full_w - inside_w) * share, figures),
        (None, None) => modelled,
        (Some(idle_w), None) => modelled.map(|line| Line {
            idle_w: idle_w * share,
            full_w: line.full_w.max(idle_w * share), // work never draws less than rest
            detail: format!("{}; idle {idle_w} W as set by the user", line.detail),
            ..line
        }),
        (None, Some(full_w)) => modelled.map(|line| Line {
            idle_w: line.idle_w.min(full_w * share),
            full_w: full_w * share,
            detail: format!("{}; full {full_w} W as set by the user", line.detail),
            ..line
        }),
    }
}

/// A line through two points that somebody measured.
fn calibrated(idle_w: f64, full_w: f64, figures: &ModelFigures) -> Option<Line> {
    let origin = figures.calibration.as_deref().unwrap_or("as set by the user");
    let detail = format!("busy time x {idle_w:.4} W idle to {full_w:.4} W busy, {origin}");
    row("calibrated", |_| true).map(|row| Line {
        idle_w: idle_w.max(0.0),
        full_w: full_w.max(0.0),
        rel: row.rel,
        detail,
    })
}

/// From the thermal design power, where it is known. A virtual machine may hold any share of its processor.
fn of_tdp(info: &CpuInfo, figures: &ModelFigures) -> Option<Line> {
    let set = figures.cpu_tdp_w.map(|watts| (watts, "set by the user"));
    let known = || if info.is_virtual { None } else { tdp::watts(&info.brand).map(|watts| (watts, &*info.brand)) };
    let (watts, origin) = set.or_else(known)?;
    let row = row("tdp", |_| true)?;
    Some(Line {
        idle_w: watts * row.idle,
        full_w: watts * row.full,
        rel: row.rel,
        detail: format!("busy time x TDP {watts} W ({origin})"),
    })
}

/// From the family's watts per logical CPU: a virtual machine's share of its host, or a processor that no table names.
fn of_family(root: &Root, info: &CpuInfo, cpus: u32, figures: &ModelFigures) -> Option<Line> {
    let host = family::of(root, info, figures.instance_type.as_deref());
    let known = host.family.and_then(|name| Some((name, row("family", |row| row == name)?)));
    let (name, row) = known.or_else(|| Some(("any server", row("family", |row| row == "any server")?)))?;
    let threads = f64::from(cpus) * host.threads_per_cpu;
    let idle = if info.is_virtual { row.idle * AWAKE } else { row.idle };
    let detail = format!(
        "busy time x {idle:.2} to {:.2} W per logical CPU of {name} x {threads} ({})",
        row.full,
        describe(info, &host)
    );
    Some(Line { idle_w: idle * threads, full_w: row.full * threads, rel: row.rel, detail })
}

fn describe(info: &CpuInfo, host: &Host) -> String {
    let brand = if info.brand.is_empty() { "unknown processor" } else { &info.brand };
    let place = if info.is_virtual { ", virtual" } else { "" };
    format!("{brand}{place}, {}", host.origin)
}

fn row(kind: &str, is_wanted: impl Fn(&str) -> bool) -> Option<Row> {
    TABLE.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut cells = line.split('\t');
        let found = cells.next() == Some(kind) && cells.next().is_some_and(&is_wanted);
        let mut number = || cells.next()?.parse().ok();
        if found { Some(Row { idle: number()?, full: number()?, rel: number()? }) } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(brand: &str, is_virtual: bool) -> CpuInfo {
        CpuInfo { vendor: "AuthenticAMD".to_owned(), brand: brand.to_owned(), is_virtual, ..CpuInfo::default() }
    }

    fn line(info: &CpuInfo, figures: &ModelFigures) -> Line {
        package(&Root::new("/nowhere"), info, 2, 1, figures, 0.0).unwrap()
    }

    #[test]
    fn every_family_that_a_processor_can_be_told_to_be_has_a_row() {
        for name in family::names() {
            assert!(row("family", |row| row == name).is_some(), "{name}");
        }
        for kind in ["tdp", "calibrated", "family"] {
            assert!(row(kind, |_| true).is_some_and(|row| row.full > row.idle && row.rel > 0.1), "{kind}");
        }
    }

    #[test]
    fn a_virtual_machine_is_a_share_of_its_host_and_never_a_whole_processor() {
        let figures = ModelFigures::default();
        let whole = line(&info("AMD EPYC 7763 64-Core Processor", false), &figures);
        let share = line(&info("AMD EPYC 7763 64-Core Processor", true), &figures);
        assert!(whole.full_w > 200.0 && share.full_w < 10.0, "{whole:?} {share:?}");
        assert!(share.rel >= 0.4 && share.detail.contains("virtual"), "{share:?}");
    }

    #[test]
    fn an_unknown_processor_says_that_it_is_unknown() {
        let unknown = line(&info("", false), &ModelFigures::default());
        assert!(unknown.detail.contains("unknown processor") && unknown.detail.contains("any server"), "{unknown:?}");
    }

    #[test]
    fn two_figures_replace_the_model_and_one_replaces_its_end() {
        let both = ModelFigures { cpu_idle_w: Some(10.0), cpu_max_w: Some(90.0), ..ModelFigures::default() };
        let found = line(&info("AMD EPYC", true), &both);
        assert_eq!((found.idle_w, found.full_w), (10.0, 90.0));
        let one = ModelFigures { cpu_idle_w: Some(1.5), ..ModelFigures::default() };
        let found = line(&info("AMD EPYC", true), &one);
        assert_eq!((found.idle_w, found.full_w > 1.5), (1.5, true));
        assert!(found.detail.contains("idle 1.5 W as set"), "{found:?}");
    }

    #[test]
    fn work_never_draws_less_than_rest_whichever_end_the_user_sets() {
        let high = ModelFigures { cpu_idle_w: Some(1000.0), ..ModelFigures::default() };
        let found = line(&info("AMD EPYC", true), &high);
        assert_eq!((found.idle_w, found.full_w), (1000.0, 1000.0));
        let low = ModelFigures { cpu_max_w: Some(0.001), ..ModelFigures::default() };
        let found = line(&info("AMD EPYC", true), &low);
        assert_eq!((found.idle_w, found.full_w), (0.001, 0.001));
    }

    #[test]
    fn what_other_models_speak_for_is_not_in_the_package_again() {
        let figures = ModelFigures {
            cpu_idle_w: Some(52.0),
            cpu_max_w: Some(210.0),
            calibration: Some("calibrated on 2026-08-20 with a wattmeter".to_owned()),
            ..ModelFigures::default()
        };
        let found = package(&Root::new("/nowhere"), &info("", false), 4, 2, &figures, 12.0).unwrap();
        assert_eq!((found.idle_w, found.full_w), (20.0, 99.0));
        assert!(found.detail.contains("calibrated on 2026-08-20"));
    }
}
