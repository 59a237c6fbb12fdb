//! Power and energy.

use std::ffi::{c_int, c_uint};

use super::layout::{FieldValue, Sample};
use super::{Call, Handle, clock_ns, exports, number, on_device, on_gpu, put};
use crate::code::{INVALID_ARGUMENT, NOT_FOUND, NOT_SUPPORTED, SUCCESS};
use crate::device::{Device, Scope};

/// Field ids (`NVML_FI_DEV_*`).
const FIELD_TOTAL_ENERGY: u32 = 83;
const FIELD_POWER_AVERAGE: u32 = 185;
const FIELD_POWER_INSTANT: u32 = 186;
const FIELD_ENERGY: u32 = 191;
/// `nvmlValueType_t`.
const UNSIGNED_INT: c_uint = 1;
const UNSIGNED_LONG_LONG: c_uint = 3;
/// Samples that the driver's buffer of powers holds.
const POWER_SAMPLES: u32 = 120;

exports! {
    /// NVML: power in milliwatts.
    fn nvmlDeviceGetPowerUsage(device: Handle, out: *mut c_uint) |call, device, out| {
        // SAFETY: the caller vouches for `out`.
        on_gpu(call, device, true, |device, t_s| unsafe { put(out, device.power_usage_mw(t_s)?) })
    };
    /// NVML: energy in millijoules.
    fn nvmlDeviceGetTotalEnergyConsumption(device: Handle, out: *mut u64) |call, device, out| {
        // SAFETY: the caller vouches for `out`.
        on_gpu(call, device, true, |device, t_s| unsafe { put(out, device.energy_mj(Scope::Gpu, t_s)?) })
    };
    /// NVML: several readings at once, each with a code of its own.
    fn nvmlDeviceGetFieldValues(device: Handle, length: c_int, values: *mut FieldValue) |call, device, length, values| {
        field_values(call, device, length, values)
    };
    /// NVML: the latest powers.
    fn nvmlDeviceGetSamples(
        device: Handle, kind: c_uint, since_us: u64, value_kind: *mut c_uint, length: *mut c_uint, out: *mut Sample
    ) |call, device, kind, since_us, value_kind, length, out| {
        samples(call, device, kind, since_us, value_kind, length, out)
    };
    /// NVML: the power limit in milliwatts.
    fn nvmlDeviceGetEnforcedPowerLimit(device: Handle, out: *mut c_uint) |call, device, out| {
        // SAFETY: the caller vouches for `out`.
        on_gpu(call, device, false, |device, _| unsafe { put(out, limit_mw(device)) })
    };
    /// NVML: the power limit in milliwatts.
    fn nvmlDeviceGetPowerManagementLimit(device: Handle, out: *mut c_uint) |call, device, out| {
        // SAFETY: the caller vouches for `out`.
        on_gpu(call, device, false, |device, _| unsafe { put(out, limit_mw(device)) })
    };
    /// NVML: how far the power limit can be moved, in milliwatts.
    fn nvmlDeviceGetPowerManagementLimitConstraints(
        device: Handle, least: *mut c_uint, most: *mut c_uint
    ) |call, device, least, most| {
        on_gpu(call, device, false, |device, _| {
            // SAFETY: the caller vouches for both.
            unsafe { put(least, limit_mw(device) / 2).and(put(most, limit_mw(device))) }
        })
    };
}

fn limit_mw(device: &Device) -> c_uint {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a float-to-integer cast saturates
    let limit = (device.config.vitals.limit_w * 1e3) as c_uint;
    limit
}

fn field_values(call: Call, device: Handle, length: c_int, values: *mut FieldValue) -> c_int {
    on_device(call, device, true, |_, device, slice, t_s| {
        let length = usize::try_from(length).map_err(|_| INVALID_ARGUMENT)?;
        if values.is_null() || length == 0 {
            return Err(INVALID_ARGUMENT);
        }
        // SAFETY: not null, and the export's caller vouches for `length` values.
        for value in unsafe { std::slice::from_raw_parts_mut(values, length) } {
            fill(value, device, slice, t_s);
        }
        Ok(())
    })
}

fn fill(value: &mut FieldValue, device: &Device, slice: Option<usize>, t_s: f64) {
    let answer = if slice.is_some() { Err(NOT_SUPPORTED) } else { field(device, value.field, value.scope, t_s) };
    value.timestamp_us = i64::try_from(clock_ns(libc::CLOCK_REALTIME) / 1000).unwrap_or(0);
    value.latency_us = 0;
    (value.value_kind, value.value, value.code) = match answer {
        Ok((kind, number)) => (kind, number, SUCCESS),
        Err(code) => (UNSIGNED_INT, 0, code),
    };
}

fn field(device: &Device, field: u32, scope: u32, t_s: f64) -> Result<(c_uint, u64), i32> {
    let power = |average| Ok((UNSIGNED_INT, u64::from(device.power_mw(average, Scope::from_id(scope)?, t_s)?)));
    match field {
        FIELD_TOTAL_ENERGY => Ok((UNSIGNED_LONG_LONG, device.energy_mj(Scope::Gpu, t_s)?)),
        FIELD_ENERGY => Ok((UNSIGNED_LONG_LONG, device.energy_mj(Scope::from_id(scope)?, t_s)?)),
        FIELD_POWER_AVERAGE => power(true),
        FIELD_POWER_INSTANT => power(false),
        _ => Err(NOT_SUPPORTED),
    }
}

fn samples(
    call: Call,
    device: Handle,
    kind: c_uint,
    since_us: u64,
    value_kind: *mut c_uint,
    length: *mut c_uint,
    out: *mut Sample,
) -> c_int {
    on_gpu(call, device, true, |device, t_s| {
        if kind != 0 {
            return Err(NOT_SUPPORTED);
        }
        // SAFETY: the export's caller vouches for `value_kind`.
        unsafe { put(value_kind, UNSIGNED_INT) }?;
        if out.is_null() {
            // SAFETY: the export's caller vouches for `length`.
            return unsafe { put(length, POWER_SAMPLES) };
        }
        let newer = newer_samples(device, since_us, t_s)?;
        // SAFETY: the export's caller vouches for `length`.
        let room = if length.is_null() { 0 } else { (unsafe { *length }) as usize };
        let kept = &newer[newer.len().saturating_sub(room)..];
        for (place, sample) in kept.iter().enumerate() {
            // SAFETY: at most `length` samples, for which the export's caller vouches.
            unsafe { out.add(place).write(*sample) };
        }
        // SAFETY: the export's caller vouches for `length`.
        unsafe { put(length, number(kept.len())) }
    })
}

/// The powers after a wall-clock instant, oldest first.
fn newer_samples(device: &Device, since_us: u64, t_s: f64) -> Result<Vec<Sample>, i32> {
    let wall_us = clock_ns(libc::CLOCK_REALTIME) / 1000;
    let stamped = device.samples(i64::from(POWER_SAMPLES), t_s)?.into_iter().map(|(tick_s, power_mw)| {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // at most twelve seconds; the cast saturates
        let age_us = ((t_s - tick_s) * 1e6) as u64;
        Sample { timestamp_us: wall_us - age_us, value: u64::from(power_mw) }
    });
    let newer: Vec<Sample> = stamped.filter(|sample| sample.timestamp_us > since_us).collect();
    if newer.is_empty() { Err(NOT_FOUND) } else { Ok(newer) }
}
