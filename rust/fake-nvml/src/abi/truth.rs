//! What only a fake can say: the truth, and who asked.

use std::ffi::{c_char, c_uint};

use super::{NAMES, take_text};
use crate::world::{self, TALLY};

/// The truth: joules that a device drew between two instants of `CLOCK_MONOTONIC`; not a number before any init.
#[unsafe(no_mangle)]
pub extern "C" fn fake_nvml_energy_j(device: c_uint, from_ns: u64, to_ns: u64) -> f64 {
    let found = world::latest().and_then(|world| Some((world, world.devices.get(device as usize)?)));
    found.map_or(f64::NAN, |(world, device)| device.true_energy_j(world.seconds(from_ns), world.seconds(to_ns)))
}

/// `CLOCK_MONOTONIC` at which the waves are at zero; 0 before any init.
#[unsafe(no_mangle)]
pub extern "C" fn fake_nvml_epoch_ns() -> u64 {
    world::latest().map_or(0, |world| world.epoch_ns)
}

/// Calls of one function in this process, or of all with a null name.
///
/// # Safety
/// `name` is null or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fake_nvml_calls(name: *const c_char) -> u64 {
    // SAFETY: the caller vouches for `name`.
    match unsafe { take_text(name) } {
        Ok(name) => NAMES.iter().position(|known| *known == name).map_or(0, |place| TALLY.calls(place)),
        Err(_) => TALLY.total(),
    }
}

/// Calls by one thread of this process, by its kernel id.
#[unsafe(no_mangle)]
pub extern "C" fn fake_nvml_calls_on_thread(thread: u64) -> u64 {
    TALLY.calls_by(thread)
}
