//! What else a GPU says, once a second: load, memory, temperature, clocks, power limit, throttling. Never processes:
//! listing those takes milliseconds (`MangoHud` PR #2104).

use super::Handle;
use super::code::{Code, Policy};

/// `NVML_CLOCK_SM`.
const CLOCK_SM: u32 = 1;
/// `NVML_CLOCK_MEM`.
const CLOCK_MEMORY: u32 = 2;
/// Readings of a condition.
const READINGS: usize = 7;

/// A GPU's condition at one moment; what it does not tell is a code, never a zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    /// Per cent of the last sample period with a kernel running, and with memory in use.
    pub utilisation_percent: Result<[u32; 2], Code>,
    /// Used memory in bytes.
    pub memory_used_bytes: Result<u64, Code>,
    /// Temperature of the chip in degrees Celsius.
    pub temperature_c: Result<u32, Code>,
    /// Clock of the multiprocessors in megahertz.
    pub sm_mhz: Result<u32, Code>,
    /// Clock of the memory in megahertz.
    pub memory_mhz: Result<u32, Code>,
    /// Enforced power limit in milliwatts.
    pub limit_mw: Result<u32, Code>,
    /// Why clocks are below their maximum, as NVML's bits.
    pub throttle_reasons: Result<u64, Code>,
}

/// Asks a GPU for its condition, and never again for what it does not have.
#[derive(Debug)]
pub struct Watch {
    handle: Handle,
    /// The code with which a reading was refused for good.
    refused: [Option<Code>; READINGS],
}

impl Watch {
    /// A watch that has asked for nothing yet.
    pub fn new(handle: Handle) -> Self {
        Self { handle, refused: [None; READINGS] }
    }

    /// Asks for everything that may exist.
    pub fn look(&mut self) -> Condition {
        let handle = self.handle;
        Condition {
            utilisation_percent: self.ask(0, || handle.utilisation()),
            memory_used_bytes: self.ask(1, || handle.memory_used()),
            temperature_c: self.ask(2, || handle.temperature()),
            sm_mhz: self.ask(3, || handle.clock(CLOCK_SM)),
            memory_mhz: self.ask(4, || handle.clock(CLOCK_MEMORY)),
            limit_mw: self.ask(5, || handle.limit()),
            throttle_reasons: self.ask(6, || handle.throttle_reasons()),
        }
    }

    fn ask<T>(&mut self, reading: usize, call: impl FnOnce() -> Result<T, Code>) -> Result<T, Code> {
        if let Some(code) = self.refused[reading] {
            return Err(code);
        }
        call().inspect_err(|code| {
            if code.at_probe() == Policy::NextSource {
                self.refused[reading] = Some(*code);
            }
        })
    }
}
