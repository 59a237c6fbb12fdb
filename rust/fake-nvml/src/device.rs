//! One GPU: what its sensors say at an instant, and what is true.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::code::{INVALID_ARGUMENT, NOT_SUPPORTED};
use crate::config::{self, FaultKind, PowerUsage};
use crate::sensor::{Beat, Counter, Gauge, Integrand};
use crate::trace;
use crate::wave::Wave;

/// The part of the board that a reading is about: `NVML_POWER_SCOPE_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// 0: the GPU and its circuitry.
    Gpu,
    /// 1: the module around it.
    Module,
    /// 2: its memory.
    Memory,
}

impl Scope {
    /// The scope of an id.
    pub fn from_id(id: u32) -> Result<Self, i32> {
        [Self::Gpu, Self::Module, Self::Memory].get(id as usize).copied().ok_or(INVALID_ARGUMENT)
    }
}

/// A simulated GPU. Times are seconds since the epoch.
#[derive(Debug)]
pub struct Device {
    /// As configured.
    pub config: config::Device,
    /// `GPU-...`.
    pub uuid: String,
    /// PCI bus number.
    pub pci_bus: u32,
    wave: Wave,
    counter: Option<Counter>,
    instant: Option<Gauge>,
    average: Option<Gauge>,
    calls: AtomicU64,
}

impl Device {
    /// The device of a configuration, or what is wrong with it.
    pub fn new(config: config::Device, index: usize) -> Result<Self, String> {
        let place = u32::try_from(index).map_err(|_| "too many devices".to_owned())?;
        Ok(Self {
            uuid: config.uuid.clone().unwrap_or_else(|| format!("GPU-fa5e0000-0000-4000-8000-{index:012x}")),
            pci_bus: config.pci_bus.unwrap_or(place + 1),
            wave: config.wave.wave()?,
            counter: config.counter.as_ref().map(counter),
            instant: config.instant.as_ref().map(gauge).transpose()?,
            average: config.average.as_ref().map(gauge).transpose()?,
            calls: AtomicU64::new(0),
            config,
        })
    }

    /// The truth: joules that the GPU drew between two instants, whatever its sensors say.
    pub fn true_energy_j(&self, from_s: f64, to_s: f64) -> f64 {
        self.wave.energy_j(to_s) - self.wave.energy_j(from_s)
    }

    /// What a call meets at `t_s`: how long it takes beyond the usual, and the code it fails with.
    pub fn gate(&self, t_s: f64, reads_power: bool) -> (u64, Result<(), i32>) {
        // Relaxed: a count that orders nothing.
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let mut delay_us = 0;
        let mut answer = Ok(());
        for fault in self.active(t_s) {
            match *fault {
                FaultKind::Slow { delay_us: longer_us } => delay_us += longer_us,
                FaultKind::Error { code, one_in, power_only }
                    if (reads_power || !power_only) && call.is_multiple_of(one_in.max(1)) =>
                {
                    answer = Err(code);
                }
                _ => {}
            }
        }
        (delay_us, answer)
    }

    /// The energy counter in millijoules.
    pub fn energy_mj(&self, scope: Scope, t_s: f64) -> Result<u64, i32> {
        let (counter, settings) = self.counter.as_ref().zip(self.config.counter.as_ref()).ok_or(NOT_SUPPORTED)?;
        let updated_s = counter.updated_s(t_s);
        let extra_w = self.extra_in_counter_w(scope)?;
        let since = |from_s: f64| self.shown_j(counter, t_s, updated_s, extra_w) - from_s;
        let energy_j = match self.reset_s(updated_s) {
            Some(reset_s) => since(self.shown_j(counter, reset_s, reset_s, extra_w)),
            None => since(-settings.base_j),
        };
        Ok(whole(energy_j * 1e3))
    }

    /// A gauge in milliwatts: field 186 (instant) or 185 (average).
    pub fn power_mw(&self, average: bool, scope: Scope, t_s: f64) -> Result<u32, i32> {
        let gauge = if average { &self.average } else { &self.instant };
        let gpu_w = gauge.as_ref().ok_or(NOT_SUPPORTED)?.power_w(&self.wave, t_s);
        let power_w = match scope {
            Scope::Gpu => gpu_w,
            Scope::Memory => gpu_w * self.config.memory_share.ok_or(NOT_SUPPORTED)?,
            Scope::Module => gpu_w + self.config.module.as_ref().ok_or(NOT_SUPPORTED)?.extra_w,
        };
        if self.active(t_s).any(|fault| *fault == FaultKind::ZeroPower) {
            return Ok(0);
        }
        let shown_w = self.config.gain * power_w + self.config.offset_w;
        Ok(u32::try_from(whole((shown_w * 1e3).round())).unwrap_or(u32::MAX))
    }

    /// What `nvmlDeviceGetPowerUsage` says.
    pub fn power_usage_mw(&self, t_s: f64) -> Result<u32, i32> {
        match self.config.power_usage {
            PowerUsage::Average => self.power_mw(true, Scope::Gpu, t_s),
            PowerUsage::Instant => self.power_mw(false, Scope::Gpu, t_s),
            PowerUsage::None => Err(NOT_SUPPORTED),
        }
    }

    /// The last readings of the instant gauge up to `t_s`, oldest first: pairs of seconds and milliwatts.
    pub fn samples(&self, count: i64, t_s: f64) -> Result<Vec<(f64, u32)>, i32> {
        let gauge = self.instant.as_ref().ok_or(NOT_SUPPORTED)?;
        let last = gauge.beat.last(t_s);
        let at = |k: i64| {
            // A microsecond on, so that rounding cannot land before the tick.
            let tick_s = gauge.beat.tick_s(k) + 1e-6;
            Ok((tick_s, self.power_mw(false, Scope::Gpu, tick_s)?))
        };
        (last - count + 1..=last).map(at).collect()
    }

    fn active(&self, t_s: f64) -> impl Iterator<Item = &FaultKind> {
        let is_active = move |fault: &&config::Fault| fault.from_s <= t_s && fault.to_s.is_none_or(|to_s| t_s < to_s);
        self.config.faults.iter().filter(is_active).map(|fault| &fault.kind)
    }

    /// When the counter last began anew.
    fn reset_s(&self, t_s: f64) -> Option<f64> {
        let resets = self.config.faults.iter().filter(|fault| fault.kind == FaultKind::CounterReset);
        resets.map(|fault| fault.from_s).filter(|from_s| *from_s <= t_s).reduce(f64::max)
    }

    /// What the counter shows at `t_s` with gain and offset, where it was last updated at `updated_s`.
    fn shown_j(&self, counter: &Counter, t_s: f64, updated_s: f64, extra_w: f64) -> f64 {
        let gpu_j = counter.energy_j(&self.wave, t_s);
        self.config.gain * (gpu_j + extra_w * updated_s) + self.config.offset_w * updated_s
    }

    fn extra_in_counter_w(&self, scope: Scope) -> Result<f64, i32> {
        match (scope, &self.config.module) {
            (Scope::Gpu, Some(module)) if module.in_counter => Ok(module.extra_w),
            (Scope::Gpu, _) => Ok(0.0),
            (Scope::Module, Some(module)) if module.has_energy => Ok(module.extra_w),
            _ => Err(NOT_SUPPORTED),
        }
    }
}

fn counter(settings: &config::Counter) -> Counter {
    let beat = beat(settings.period_ms, settings.phase_ms, settings.jitter_ms, settings.seed);
    let integrand = match settings.sampled_ms {
        Some(window_ms) => Integrand::Sampled { window_s: window_ms / 1e3 },
        None => Integrand::Whole,
    };
    Counter::new(beat, integrand)
}

fn gauge(settings: &config::Gauge) -> Result<Gauge, String> {
    let recorded = settings.file.as_deref().map(|file| trace::read(file, &settings.column)).transpose()?;
    Ok(Gauge {
        beat: beat(settings.period_ms, settings.phase_ms, settings.jitter_ms, settings.seed),
        window_s: settings.window_ms / 1e3,
        noise_w: settings.noise_w,
        recorded,
    })
}

fn beat(period_ms: f64, phase_ms: f64, jitter_ms: f64, seed: u64) -> Beat {
    Beat { period_s: period_ms / 1e3, phase_s: phase_ms / 1e3, jitter_s: jitter_ms / 1e3, seed }
}

/// The whole number below, 0 for what is negative.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a float-to-integer cast saturates
fn whole(value: f64) -> u64 {
    value as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(json: &str) -> Device {
        Device::new(serde_json::from_str(json).unwrap(), 0).unwrap()
    }

    #[test]
    fn counter_and_gauges_agree_with_a_constant_power() {
        let device = device("{}");
        let counted = device.energy_mj(Scope::Gpu, 10.0).unwrap() - device.energy_mj(Scope::Gpu, 5.0).unwrap();
        assert!(counted.abs_diff(1_500_000) < 31_000, "{counted}");
        assert_eq!(device.power_mw(false, Scope::Gpu, 5.0), Ok(300_000));
        assert_eq!(device.power_usage_mw(5.0), Ok(300_000));
    }

    #[test]
    fn gain_and_offset_are_in_every_sensor_and_not_in_the_truth() {
        let device = device(r#"{"gain":0.95,"offset_w":-2}"#);
        assert_eq!(device.power_mw(false, Scope::Gpu, 5.0), Ok(283_000));
        let counted = device.energy_mj(Scope::Gpu, 110.0).unwrap() - device.energy_mj(Scope::Gpu, 10.0).unwrap();
        assert!(counted.abs_diff(28_300_000) < 60_000, "{counted}");
        assert!((device.true_energy_j(0.0, 1.0) - 300.0).abs() < 1e-9);
    }

    #[test]
    fn a_reset_counter_starts_from_zero_and_counts_on() {
        let device = device(r#"{"faults":[{"kind":"counter_reset","from_s":5}]}"#);
        assert!(device.energy_mj(Scope::Gpu, 4.9).unwrap() > 100_000_000);
        let after = device.energy_mj(Scope::Gpu, 6.05).unwrap();
        assert!(after.abs_diff(300_000) < 31_000, "{after}");
    }

    #[test]
    fn faults_act_in_their_time_and_on_their_calls() {
        let device = device(
            r#"{"faults":[{"kind":"error","code":3,"one_in":2,"power_only":true,"from_s":1,"to_s":2},
                          {"kind":"zero_power","from_s":3},{"kind":"slow","delay_us":700,"from_s":3}]}"#,
        );
        assert_eq!(device.gate(0.5, true), (0, Ok(())));
        let answers: Vec<_> = (0..4).map(|_| device.gate(1.5, true).1).collect();
        assert_eq!(answers.iter().filter(|answer| answer.is_err()).count(), 2);
        assert_eq!(device.gate(1.5, false).1, Ok(()));
        assert_eq!((device.power_mw(false, Scope::Gpu, 4.0), device.gate(4.0, false).0), (Ok(0), 700));
    }

    #[test]
    fn what_a_card_lacks_is_not_supported_and_never_zero() {
        let device = device(r#"{"counter":null,"instant":null,"power_usage":"none"}"#);
        assert_eq!(device.energy_mj(Scope::Gpu, 1.0), Err(NOT_SUPPORTED));
        assert_eq!(device.power_mw(false, Scope::Gpu, 1.0), Err(NOT_SUPPORTED));
        assert_eq!(device.power_usage_mw(1.0), Err(NOT_SUPPORTED));
        assert_eq!(device.power_mw(true, Scope::Memory, 1.0), Err(NOT_SUPPORTED));
        assert_eq!(device.energy_mj(Scope::Module, 1.0), Err(NOT_SUPPORTED));
    }

    #[test]
    fn a_module_is_the_gpu_and_what_surrounds_it() {
        let device = device(r#"{"module":{"extra_w":100,"in_counter":true,"has_energy":true}}"#);
        assert_eq!(device.power_mw(false, Scope::Module, 5.0), Ok(400_000));
        let counted = |scope| device.energy_mj(scope, 110.05).unwrap() - device.energy_mj(scope, 10.05).unwrap();
        assert!(counted(Scope::Gpu).abs_diff(40_000_000) < 1_000_000);
        assert!(counted(Scope::Module).abs_diff(40_000_000) < 1_000_000);
    }

    #[test]
    fn samples_are_the_gauge_at_its_own_ticks() {
        let samples = device("{}").samples(5, 3.0).unwrap();
        assert_eq!(samples.len(), 5);
        assert!(samples.windows(2).all(|pair| (pair[1].0 - pair[0].0 - 0.1).abs() < 0.002));
        assert!(samples.iter().all(|(t_s, power_mw)| *t_s <= 3.001 && *power_mw == 300_000));
    }
}
