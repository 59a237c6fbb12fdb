//! What a RAPL PMU offers, as its directory under `/sys/bus/event_source/devices` describes it.

use std::io;

use crate::domain::Kind;
use crate::units::Scale;

use super::root::{Root, decimal};
use super::topology::parse_cpu_list;
use super::{Availability, Finding};

/// The package PMU, on every processor with RAPL.
pub const POWER: &str = "power";
/// The per-core PMU of AMD (Linux 6.13).
pub const POWER_CORE: &str = "power_core";

/// The events of `power` and what they cover (`arch/x86/events/rapl.c`); the leader of a group comes first.
const POWER_EVENTS: &[(&str, Kind)] = &[
    ("energy-pkg", Kind::Package),
    ("energy-ram", Kind::Dram),
    ("energy-cores", Kind::Core),
    ("energy-gpu", Kind::Uncore),
    ("energy-psys", Kind::Psys),
];
/// The one event of `power_core`.
const CORE_EVENTS: &[(&str, Kind)] = &[("energy-core", Kind::Core)];
/// Most events that a PMU has: what one group read returns at most.
pub const MOST_EVENTS: usize = POWER_EVENTS.len();

/// One event of a PMU.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its file in `events/`.
    pub name: &'static str,
    /// What it covers.
    pub kind: Kind,
    /// `config` of `perf_event_attr`.
    pub config: u64,
    /// Energy of one count.
    pub scale: Scale,
}

/// A PMU.
#[derive(Debug)]
pub struct Pmu {
    /// `type` of `perf_event_attr`.
    pub kind: u32,
    /// Its usable events.
    pub events: Vec<Event>,
    /// The CPUs that its mask lists: one for each meter, or (since Linux 7.0) all that share one.
    pub cpus: Vec<u32>,
}

/// Where a PMU is described.
pub fn directory(name: &str) -> String {
    format!("/sys/bus/event_source/devices/{name}")
}

impl Pmu {
    /// Reads the description of `power` or `power_core`. Events that are not understood become findings of their own.
    pub fn read(root: &Root, name: &str, findings: &mut Vec<Finding>) -> Result<Self, Finding> {
        let directory = directory(name);
        let path = format!("{directory}/type");
        let kind = decimal(&text(root, &path)?).ok_or_else(|| strange(&path, "is no number"))?;
        let path = format!("{directory}/cpumask");
        let cpus = parse_cpu_list(&text(root, &path)?).ok_or_else(|| strange(&path, "is no list of CPUs"))?;
        let names = if name == POWER_CORE { CORE_EVENTS } else { POWER_EVENTS };
        Ok(Self { kind, events: events(root, &directory, names, findings)?, cpus })
    }
}

fn text(root: &Root, path: &str) -> Result<String, Finding> {
    root.text(path).map_err(|error: io::Error| {
        Finding::of(super::perf::NAME, Availability::from_io(&error), format!("{path}: {error}"))
    })
}

fn strange(path: &str, what: &str) -> Finding {
    Finding::of(super::perf::NAME, Availability::NotSupported, format!("{path} {what}"))
}

fn events(
    root: &Root,
    directory: &str,
    names: &[(&'static str, Kind)],
    findings: &mut Vec<Finding>,
) -> Result<Vec<Event>, Finding> {
    let shift = config_shift(root, directory)?;
    let mut events = Vec::new();
    for (name, kind) in names {
        let path = format!("{directory}/events/{name}");
        let Ok(terms) = root.text(&path) else { continue };
        let scale = root.text(&format!("{path}.scale")).ok().and_then(|text| Scale::from_joules_text(&text));
        let is_joules = root.text(&format!("{path}.unit")).is_ok_and(|unit| unit == "Joules");
        match (event_code(&terms), scale) {
            (Some(code), Some(scale)) if is_joules => {
                events.push(Event { name, kind: *kind, config: code << shift, scale });
            }
            _ => findings.push(strange(&path, &format!("says {terms:?}; that, its .scale or its .unit is not known"))),
        }
    }
    if events.is_empty() {
        let detail = format!("no energy event in {directory}/events");
        return Err(Finding::of(super::perf::NAME, Availability::Absent, detail));
    }
    Ok(events)
}

/// Bit of `config` at which the event code begins: `format/event` says `config:0-7`.
fn config_shift(root: &Root, directory: &str) -> Result<u32, Finding> {
    let path = format!("{directory}/format/event");
    let Ok(text) = root.text(&path) else { return Ok(0) };
    parse_config_shift(&text).ok_or_else(|| strange(&path, &format!("says {text:?}, which is not known")))
}

/// The first bit of `config:0-7`; `None` for any other field or where eight bits do not fit.
fn parse_config_shift(text: &str) -> Option<u32> {
    let first = text.strip_prefix("config:").and_then(|bits| decimal(bits.split('-').next()?));
    first.filter(|bit| *bit <= 56)
}

/// The code in `event=0x02`; `None` for any other term, which would need a format of its own.
fn event_code(terms: &str) -> Option<u64> {
    let code = terms.strip_prefix("event=")?;
    let (digits, radix) = code.strip_prefix("0x").map_or((code, 10), |hex| (hex, 16));
    // from_str_radix() takes a sign, which is no digit here.
    let code = u64::from_str_radix(digits, radix).ok().filter(|_| !digits.starts_with('+'))?;
    (code <= 0xff).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_event_code_is_hexadecimal_or_decimal_and_fits_a_byte() {
        assert_eq!(event_code("event=0x02"), Some(2));
        assert_eq!(event_code("event=3"), Some(3));
        for terms in ["", "event=", "event=0x100", "config=1", "event=0x02,umask=1", "event=-1", "event=+1"] {
            assert_eq!(event_code(terms), None, "{terms}");
        }
    }

    #[test]
    fn an_event_field_begins_where_its_format_says() {
        assert_eq!(parse_config_shift("config:0-7"), Some(0));
        assert_eq!(parse_config_shift("config:8-15"), Some(8));
        for text in ["", "config", "config1:0-7", "config:-7", "config:64-71"] {
            assert_eq!(parse_config_shift(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_a_code_that_is_not_in_it(text in "(event=)?(0x)?[0-9a-fx+,-]{0,6}|.*") {
            if let Some(code) = event_code(&text) {
                let digits = text.trim_start_matches("event=").trim_start_matches("0x").trim_start_matches('0');
                let hexadecimal = format!("{code:x}");
                prop_assert!(code == 0 || digits.eq_ignore_ascii_case(&hexadecimal) || digits == code.to_string());
            }
        }

        #[test]
        fn no_text_makes_a_shift_that_loses_bits(text in "(config:)?[0-9-]{0,5}|.*") {
            prop_assert!(parse_config_shift(&text).is_none_or(|bit| (0xff_u64 << bit) >> bit == 0xff));
        }
    }
}
