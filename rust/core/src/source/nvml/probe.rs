//! What one GPU's meters are: which readings exist, what they cover, and which is taken first.

use super::code::{Code, Policy};
use super::device::{Device, architecture};
use super::{FieldValue, Handle};

/// Field ids (`NVML_FI_DEV_*`; nvml.h 13.3 lines 2712 to 2722).
pub mod field {
    /// Energy since the driver was loaded, mJ.
    pub const TOTAL_ENERGY: u32 = 83;
    /// Power averaged over a second, mW.
    pub const POWER_AVERAGE: u32 = 185;
    /// Power without that average, mW.
    pub const POWER_INSTANT: u32 = 186;
    /// Energy by scope, mJ.
    pub const ENERGY: u32 = 191;
}

/// `NVML_POWER_SCOPE_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The GPU with its memory and circuitry.
    Gpu,
    /// A module of processor and GPU (Grace Hopper, Grace Blackwell).
    Module,
    /// The GPU's memory: part of the GPU's figure.
    Memory,
}

impl Scope {
    fn id(self) -> u32 {
        self as u32
    }
}

/// By which call a reading is had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// As a field of the batch.
    Field {
        /// Its id.
        id: u32,
        /// Its scope.
        scope: Scope,
    },
    /// By a call of its own: `nvmlDeviceGetTotalEnergyConsumption` or `nvmlDeviceGetPowerUsage`.
    Call,
}

/// How a gauge looks at the power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gauge {
    /// The mean of all time since its last update.
    Full,
    /// The mean of a part of that time, in nanoseconds: what happens in the rest it cannot see.
    PartTime(u64),
    /// The mean of the last second, renewed more often.
    Second,
}

/// What a GPU offers. Each is a route or the code that stands in its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// Its energy counter.
    pub energy: Result<Route, Code>,
    /// What the counter covers: on GH200 the whole module (zeus PR #172), whose other meters must then not be added.
    pub energy_scope: Scope,
    /// Its gauge of instant power.
    pub instant: Result<Route, Code>,
    /// How that gauge looks at the power.
    pub instant_gauge: Gauge,
    /// Its gauge of the last second.
    pub average: Result<Route, Code>,
    /// Power of its memory.
    pub memory_power: Result<Route, Code>,
    /// Power of the module around it.
    pub module_power: Result<Route, Code>,
    /// Energy of the module around it. It contains the GPU's and is never added to it.
    pub module_energy: Result<Route, Code>,
}

/// The meter that energy comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Primary {
    /// The energy counter.
    Counter,
    /// The instant gauge, summed at its updates.
    Instant,
    /// The one-second gauge, summed at its updates.
    Average,
    /// None: this GPU cannot be measured through NVML.
    None,
}

impl Offer {
    /// Which meter to take: the counter, else the instant gauge, else the average.
    pub fn primary(&self) -> Primary {
        if self.energy.is_ok() {
            Primary::Counter
        } else if self.instant.is_ok() {
            Primary::Instant
        } else if self.average.is_ok() {
            Primary::Average
        } else {
            Primary::None
        }
    }
}

/// Asks a GPU for each of its meters once. An error means that the device itself is out of reach.
pub fn probe(device: &Device) -> Result<Offer, Code> {
    let handle = device.handle;
    let energy = first(handle, field::TOTAL_ENERGY, Scope::Gpu, || handle.energy().map(|_| ()))?;
    let usage = || handle.power().map(|_| ());
    let usage_is_instant = usage_is_instant(device);
    let instant = first_gauge(handle, field::POWER_INSTANT, usage_is_instant, usage)?;
    let average = first_gauge(handle, field::POWER_AVERAGE, !usage_is_instant, usage)?;
    let by_field = |id, scope| first(handle, id, scope, || Err(Code::NOT_SUPPORTED));
    Ok(Offer {
        energy,
        energy_scope: energy_scope(&device.name),
        instant,
        instant_gauge: instant_gauge(device),
        average,
        memory_power: by_field(field::POWER_INSTANT, Scope::Memory)?,
        module_power: by_field(field::POWER_INSTANT, Scope::Module)?,
        module_energy: by_field(field::ENERGY, Scope::Module)?,
    })
}

fn first_gauge(
    handle: Handle,
    id: u32,
    usage_fits: bool,
    usage: impl FnOnce() -> Result<(), Code>,
) -> Result<Result<Route, Code>, Code> {
    first(handle, id, Scope::Gpu, || if usage_fits { usage() } else { Err(Code::NOT_SUPPORTED) })
}

/// The field if it answers, else the call if that does. The outer error is the device's, the inner the reading's.
fn first(
    handle: Handle,
    id: u32,
    scope: Scope,
    call: impl FnOnce() -> Result<(), Code>,
) -> Result<Result<Route, Code>, Code> {
    match ask(handle, id, scope) {
        Ok(_) => Ok(Ok(Route::Field { id, scope })),
        Err(code) if code.at_probe() == Policy::NextSource => {
            Ok(call().map(|()| Route::Call).map_err(|later| if later == Code::NOT_SUPPORTED { code } else { later }))
        }
        Err(code) => Err(code),
    }
}

/// One field, with the second try that unclear failures are given.
fn ask(handle: Handle, id: u32, scope: Scope) -> Result<u64, Code> {
    let once = || {
        let mut batch = [FieldValue::ask(id, scope.id())];
        handle.fields(&mut batch)?;
        batch[0].answer()
    };
    match once() {
        Err(code) if code.at_probe() == Policy::RetryOnce => once(),
        answer => answer,
    }
}

/// A question of a batch for a route, where it is a field.
pub(super) fn question(route: Result<Route, Code>) -> Option<FieldValue> {
    match route {
        Ok(Route::Field { id, scope }) => Some(FieldValue::ask(id, scope.id())),
        _ => None,
    }
}

/// GA100: the Ampere chip that follows other rules (A100, A30 and their regional kin).
fn is_ga100(device: &Device) -> bool {
    let names = ["A100", "A800", "A30"];
    let is_one = |word: &str| names.contains(&word);
    device.architecture == Some(architecture::AMPERE) && device.name.split([' ', '-']).any(is_one)
}

/// `nvmlDeviceGetPowerUsage`: "on Ampere (except GA100) or newer GPUs, the API returns power averaged over 1 sec".
fn usage_is_instant(device: &Device) -> bool {
    device.architecture.is_some_and(|chip| chip < architecture::AMPERE) || is_ga100(device)
}

/// What the instant gauge covers, from Yang, Adamek and Armour (arXiv 2312.02741, table of their results): 25 of each
/// 100 ms on GA100 and GH100, 10 of each 20 ms on Pascal and Volta, all elsewhere. Newer chips are not in it.
fn instant_gauge(device: &Device) -> Gauge {
    match device.architecture {
        Some(architecture::HOPPER) => Gauge::PartTime(25_000_000),
        Some(_) if is_ga100(device) => Gauge::PartTime(25_000_000),
        Some(chip) if chip <= architecture::VOLTA => Gauge::PartTime(10_000_000),
        _ => Gauge::Full,
    }
}

/// What field 83 covers. GH200 counts its whole module; GB200 and GB300 have a domain for each.
fn energy_scope(name: &str) -> Scope {
    if name.contains("GH200") { Scope::Module } else { Scope::Gpu }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(energy: Result<Route, Code>, instant: Result<Route, Code>, average: Result<Route, Code>) -> Offer {
        let none = Err(Code::NOT_SUPPORTED);
        Offer {
            energy,
            energy_scope: Scope::Gpu,
            instant,
            instant_gauge: Gauge::Full,
            average,
            memory_power: none,
            module_power: none,
            module_energy: none,
        }
    }

    #[test]
    fn the_counter_comes_before_the_instant_gauge_and_that_before_the_average() {
        let (yes, no) = (Ok(Route::Call), Err(Code::NOT_SUPPORTED));
        assert_eq!(offer(yes, yes, yes).primary(), Primary::Counter);
        assert_eq!(offer(no, yes, yes).primary(), Primary::Instant);
        assert_eq!(offer(no, no, yes).primary(), Primary::Average);
        assert_eq!(offer(no, no, no).primary(), Primary::None);
    }

    #[test]
    fn a_grace_hopper_counter_is_its_modules() {
        assert_eq!(energy_scope("NVIDIA GH200 480GB"), Scope::Module);
        assert_eq!(energy_scope("NVIDIA GB200"), Scope::Gpu);
        assert_eq!(energy_scope("NVIDIA H100 80GB HBM3"), Scope::Gpu);
    }
}
