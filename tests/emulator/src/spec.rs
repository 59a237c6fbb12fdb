//! What a machine is: the JSON that describes it. The README beside this crate lists every field.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer};

use crate::fault::Fault;
use crate::power::Power;
use crate::ticks::Jitter;

/// A machine.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Its meters, each one counted once however many files show it.
    pub domains: Vec<Domain>,
    /// Mean time between counter updates; 1 ms as the Intel SDM and the driver `amd_energy` say.
    #[serde(default = "one_ms")]
    pub tick_ns: u64,
    /// Spread of the updates.
    #[serde(default)]
    pub jitter: Jitter,
    /// Of the jitter; each domain ticks on a series of its own.
    #[serde(default)]
    pub seed: u64,
    /// File mode of `energy_uj`, octal; 0400 since Linux 5.10.
    #[serde(default = "root_only", deserialize_with = "octal")]
    pub energy_mode: u16,
    /// Energy unit in the MSR unit register: bits 12:8, the unit is 1 / 2^esu J.
    #[serde(default = "intel_esu")]
    pub units_esu: u32,
    /// A directory whose files are served unchanged beside the meters.
    pub tree: Option<PathBuf>,
    /// More files: path to content; they replace those of `tree`.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
}

/// One meter.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Domain {
    /// Its name in truth and in reports.
    pub id: String,
    /// What it draws.
    pub power: Power,
    /// The powercap zones that show it.
    #[serde(default)]
    pub zones: Vec<Zone>,
    /// The MSR that shows it.
    pub msr: Option<Msr>,
    /// The hardware counts in 1 / 2^esu J.
    #[serde(default = "intel_esu")]
    pub esu: u32,
    /// The kernel's unit for `energy_uj`, whole nanojoules; by default what `intel_rapl_common` computes.
    pub unit_nj: Option<u64>,
    /// The counter wraps here; 2^32 as RAPL does.
    #[serde(default = "rapl_range")]
    pub range_units: u64,
    /// The count at the epoch.
    #[serde(default)]
    pub start_units: u64,
    /// In place of the machine's.
    pub tick_ns: Option<u64>,
    /// The first update after the epoch comes this much later.
    #[serde(default)]
    pub phase_ns: u64,
    /// `constraint_0_power_limit_uw`; absent: the zones have no constraints.
    pub limit_uw: Option<u64>,
    /// What goes wrong, when.
    #[serde(default)]
    pub faults: Vec<Fault>,
}

/// A powercap zone.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    /// Such as `intel-rapl:0:1`; the text before the first colon is the control type.
    pub zone: String,
    /// Content of its `name`; the domain's id if absent.
    pub name: Option<String>,
}

/// A model-specific register.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Msr {
    /// Such as "0x611".
    #[serde(deserialize_with = "hex")]
    pub register: u64,
    /// The logical CPUs that show it.
    pub cpus: Vec<u32>,
}

impl Domain {
    /// Nanojoules per count in `energy_uj`: the kernel drops the fraction (61035 for ESU 14).
    pub fn unit_nj(&self) -> u64 {
        self.unit_nj.unwrap_or(1_000_000_000 >> self.esu)
    }
}

impl Spec {
    /// What makes the machine meaningless, if anything does.
    pub fn fault(&self) -> Option<String> {
        if self.tick_ns == 0 {
            return Some("tick_ns must be > 0".into());
        }
        self.domains.iter().find_map(|domain| {
            let why = domain.fault()?;
            Some(format!("domain {}: {why}", domain.id))
        })
    }
}

impl Domain {
    fn fault(&self) -> Option<&'static str> {
        if self.esu > 31 {
            return Some("esu must be 0 to 31");
        }
        if self.range_units < 2 || self.start_units >= self.range_units {
            return Some("needs start_units < range_units");
        }
        if self.tick_ns == Some(0) {
            return Some("tick_ns must be > 0");
        }
        self.power.fault()
    }
}

fn one_ms() -> u64 {
    1_000_000
}

fn root_only() -> u16 {
    0o400
}

/// 61 uJ: package domains of Intel machines.
fn intel_esu() -> u32 {
    14
}

fn rapl_range() -> u64 {
    1 << 32
}

fn octal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let text = String::deserialize(deserializer)?;
    u16::from_str_radix(&text, 8).map_err(serde::de::Error::custom)
}

fn hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    let digits = text.strip_prefix("0x").unwrap_or(&text);
    u64::from_str_radix(digits, 16).map_err(serde::de::Error::custom)
}
