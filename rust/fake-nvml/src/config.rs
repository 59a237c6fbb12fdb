//! The configuration: one JSON object, each figure with a default.

use std::path::PathBuf;

use serde::Deserialize;

use crate::shape::Shape;

/// A machine with GPUs.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The instant of `CLOCK_MONOTONIC` at which every wave's time is zero; by default that of the first init.
    pub epoch_ns: Option<u64>,
    /// What initialising does.
    pub init: Init,
    /// Time that every call takes, in microseconds.
    pub call_us: u64,
    /// Where the call counts go at shutdown and at exit; `{pid}` in it becomes the process id.
    pub counts_file: Option<String>,
    /// What `nvmlSystemGetDriverVersion` says.
    pub driver: String,
    /// The GPUs, in NVML's order.
    pub devices: Vec<Device>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            epoch_ns: None,
            init: Init::default(),
            call_us: 0,
            counts_file: None,
            driver: "580.0.0-fake".to_owned(),
            devices: vec![Device::default()],
        }
    }
}

/// What `nvmlInit` does.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Init {
    /// How long it takes, in milliseconds.
    pub delay_ms: u64,
    /// What it returns.
    pub code: i32,
    /// Whether it never returns.
    pub hangs: bool,
}

/// One GPU. The defaults are those of a card with an ideal counter, a 25-of-100 ms instant gauge and a 1 s average.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Device {
    /// Product name.
    pub name: String,
    /// `GPU-...`; by default made from the index.
    pub uuid: Option<String>,
    /// Its PCI bus number.
    pub pci_bus: Option<u32>,
    /// `nvmlDeviceArchitecture_t`: 4 Pascal, 5 Volta, 6 Turing, 7 Ampere, 8 Ada, 9 Hopper, 10 Blackwell.
    pub architecture: u32,
    /// The power that the card truly draws.
    pub wave: Shape,
    /// A card's own gain: its sensors show `gain * power + offset_w`.
    pub gain: f64,
    /// A card's own offset, in watts.
    pub offset_w: f64,
    /// The energy counter; `null` where the card has none.
    pub counter: Option<Counter>,
    /// What fields 186 (instant power) shows; `null` if not supported.
    pub instant: Option<Gauge>,
    /// What field 185 (average power) shows; `null` if not supported.
    pub average: Option<Gauge>,
    /// Which of the two `nvmlDeviceGetPowerUsage` shows.
    pub power_usage: PowerUsage,
    /// Share of the power that memory draws: fields 185 and 186 with scope 2; `null` if not supported.
    pub memory_share: Option<f64>,
    /// A module around the GPU (Grace Hopper); `null` where there is none.
    pub module: Option<Module>,
    /// Slices of a GPU in MIG mode; empty where that mode is off, `null` where there is no such mode.
    pub mig: Option<Vec<Slice>>,
    /// What goes wrong, and when.
    pub faults: Vec<Fault>,
    /// What has no waveform.
    pub vitals: Vitals,
}

impl Default for Device {
    fn default() -> Self {
        Self {
            name: "Fake GPU".to_owned(),
            uuid: None,
            pci_bus: None,
            architecture: 9,
            wave: Shape::Constant { power_w: 300.0 },
            gain: 1.0,
            offset_w: 0.0,
            counter: Some(Counter::default()),
            instant: Some(Gauge { window_ms: 25.0, ..Gauge::default() }),
            average: Some(Gauge { window_ms: 1000.0, ..Gauge::default() }),
            power_usage: PowerUsage::Average,
            memory_share: None,
            module: None,
            mig: None,
            faults: Vec::new(),
            vitals: Vitals::default(),
        }
    }
}

/// An energy counter.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Counter {
    /// Time between updates.
    pub period_ms: f64,
    /// Time of the first update after the epoch.
    pub phase_ms: f64,
    /// Largest distance of an update from its nominal time.
    pub jitter_ms: f64,
    /// Which jitters.
    pub seed: u64,
    /// Part of each period that it looks at, taken for all of it; `null` for a true integrator.
    pub sampled_ms: Option<f64>,
    /// What it showed at the epoch, in joules.
    pub base_j: f64,
}

impl Default for Counter {
    fn default() -> Self {
        Self { period_ms: 100.0, phase_ms: 0.0, jitter_ms: 0.5, seed: 1, sampled_ms: None, base_j: 100_000.0 }
    }
}

/// A power gauge.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gauge {
    /// Time between updates.
    pub period_ms: f64,
    /// Time of the first update after the epoch.
    pub phase_ms: f64,
    /// Largest distance of an update from its nominal time.
    pub jitter_ms: f64,
    /// Which jitters and which noise.
    pub seed: u64,
    /// How far back a reading looks.
    pub window_ms: f64,
    /// Largest error of a reading, uniform.
    pub noise_w: f64,
    /// Recorded readings in place of the wave: a CSV file with `t_ms` and the column `column`.
    pub file: Option<PathBuf>,
    /// Which column of it.
    pub column: String,
}

impl Default for Gauge {
    fn default() -> Self {
        Self {
            period_ms: 100.0,
            phase_ms: 0.0,
            jitter_ms: 0.5,
            seed: 2,
            window_ms: 100.0,
            noise_w: 0.0,
            file: None,
            column: "instant_w".to_owned(),
        }
    }
}

/// Which gauge `nvmlDeviceGetPowerUsage` is: the average on Ampere (except GA100) and newer, instant before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PowerUsage {
    /// As field 185.
    Average,
    /// As field 186.
    Instant,
    /// Not supported.
    None,
}

/// A module that contains the GPU and a processor.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Module {
    /// What the rest of the module draws, always.
    pub extra_w: f64,
    /// Whether the GPU's energy counter is the module's (GH200).
    pub in_counter: bool,
    /// Whether field 191 with scope 1 has an energy of its own.
    pub has_energy: bool,
}

/// A slice of a GPU in MIG mode.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Slice {
    /// `MIG-...`; by default made from the indices.
    pub uuid: Option<String>,
    /// GPU instance.
    pub gpu_instance: u32,
    /// Compute instance.
    pub compute_instance: u32,
    /// How many of the GPU's slices it has.
    pub slices: u32,
}

/// Something that goes wrong from one time to another.
#[derive(Debug, Clone, Deserialize)]
pub struct Fault {
    /// From when on, in seconds since the epoch.
    #[serde(default)]
    pub from_s: f64,
    /// Until when; for ever by default.
    pub to_s: Option<f64>,
    /// What.
    #[serde(flatten)]
    pub kind: FaultKind,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// Calls on the device return this code: 15 for a lost GPU, 3 for a transient refusal.
    Error {
        /// The code.
        code: i32,
        /// Only every so many calls.
        #[serde(default = "every")]
        one_in: u64,
        /// Only readings of power and energy; otherwise every call on the device.
        #[serde(default)]
        power_only: bool,
    },
    /// Gauges show 0 W.
    ZeroPower,
    /// The counter starts again from zero at `from_s` (a driver reload).
    CounterReset,
    /// Each call takes so many microseconds longer.
    Slow {
        /// How much longer.
        delay_us: u64,
    },
}

fn every() -> u64 {
    1
}

/// Readings without a waveform.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Vitals {
    /// Per cent of the time that a kernel ran.
    pub gpu_percent: u32,
    /// Per cent of the time that memory was read or written.
    pub memory_percent: u32,
    /// Memory of the card, in MiB.
    pub memory_total_mib: u64,
    /// Used memory.
    pub memory_used_mib: u64,
    /// Temperature of the chip.
    pub temperature_c: u32,
    /// Clock of the multiprocessors.
    pub sm_mhz: u32,
    /// Clock of the memory.
    pub memory_mhz: u32,
    /// Enforced power limit.
    pub limit_w: f64,
    /// Bits of the clocks' throttle reasons.
    pub throttle: u64,
}

impl Default for Vitals {
    fn default() -> Self {
        Self {
            gpu_percent: 50,
            memory_percent: 30,
            memory_total_mib: 81_920,
            memory_used_mib: 1_024,
            temperature_c: 45,
            sm_mhz: 1_980,
            memory_mhz: 2_619,
            limit_w: 700.0,
            throttle: 0,
        }
    }
}

/// Reads a configuration from JSON text.
pub fn parse(text: &str) -> Result<Config, String> {
    serde_json::from_str(text).map_err(|error| format!("not a configuration of the fake: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_object_is_one_gpu_at_300_watts() {
        let config = parse("{}").unwrap();
        assert_eq!(config.devices.len(), 1);
        assert!(config.devices[0].counter.is_some());
    }

    #[test]
    fn null_takes_a_sensor_away_and_a_typing_error_is_named() {
        let config = parse(r#"{"devices":[{"counter":null,"average":null}]}"#).unwrap();
        assert!(config.devices[0].counter.is_none() && config.devices[0].instant.is_some());
        assert!(parse(r#"{"devises":[]}"#).unwrap_err().contains("devises"));
    }

    #[test]
    fn faults_are_read_with_their_times() {
        let text =
            r#"{"devices":[{"faults":[{"kind":"error","code":15,"from_s":1.5},{"kind":"zero_power","to_s":2}]}]}"#;
        let faults = parse(text).unwrap().devices.remove(0).faults;
        assert_eq!(faults[0].kind, FaultKind::Error { code: 15, one_in: 1, power_only: false });
        assert!((faults[0].from_s - 1.5).abs() < 1e-9 && faults[1].to_s == Some(2.0));
    }
}
