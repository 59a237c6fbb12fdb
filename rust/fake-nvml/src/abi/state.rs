//! What a card says beside its power: load, memory, temperature, clocks, modes.

use std::ffi::{c_int, c_uint, c_void};

use super::layout::MemoryV2;
use super::{Call, Handle, exports, on_gpu, put};
use crate::code::INVALID_ARGUMENT;
use crate::device::Device;

const MIB: u64 = 1 << 20;

exports! {
    /// NVML: per cent of time in use.
    fn nvmlDeviceGetUtilizationRates(device: Handle, out: *mut [c_uint; 2]) |call, device, out| {
        on_gpu(call, device, false, |device, _| {
            let vitals = &device.config.vitals;
            // SAFETY: the caller vouches for `out`: two numbers, GPU before memory.
            unsafe { put(out, [vitals.gpu_percent, vitals.memory_percent]) }
        })
    };
    /// NVML: memory in bytes.
    fn nvmlDeviceGetMemoryInfo(device: Handle, out: *mut [u64; 3]) |call, device, out| {
        on_gpu(call, device, false, |device, _| {
            let [total, free, used] = memory(device);
            // SAFETY: the caller vouches for `out`: total, free, used.
            unsafe { put(out, [total, free, used]) }
        })
    };
    /// NVML: memory in bytes, with what is reserved.
    fn nvmlDeviceGetMemoryInfo_v2(device: Handle, out: *mut MemoryV2) |call, device, out| {
        on_gpu(call, device, false, |device, _| {
            if out.is_null() {
                return Err(INVALID_ARGUMENT);
            }
            // SAFETY: not null, and the caller vouches for a whole struct.
            let memory_v2 = unsafe { &mut *out };
            memory_v2.fill(memory(device))
        })
    };
    /// NVML: degrees Celsius.
    fn nvmlDeviceGetTemperature(device: Handle, _sensor: c_uint, out: *mut c_uint) |call, device, _, out| {
        // SAFETY: the caller vouches for `out`.
        on_gpu(call, device, false, |device, _| unsafe { put(out, device.config.vitals.temperature_c) })
    };
    /// NVML: degrees Celsius, in a versioned struct of version, sensor, temperature.
    fn nvmlDeviceGetTemperatureV(device: Handle, out: *mut [c_uint; 3]) |call, device, out| {
        on_gpu(call, device, false, |device, _| {
            if out.is_null() {
                return Err(INVALID_ARGUMENT);
            }
            // SAFETY: not null, and the caller vouches for a whole struct.
            unsafe { (*out)[2] = device.config.vitals.temperature_c };
            Ok(())
        })
    };
    /// NVML: megahertz of a clock.
    fn nvmlDeviceGetClockInfo(device: Handle, kind: c_uint, out: *mut c_uint) |call, device, kind, out| {
        // SAFETY: the caller vouches for `out`.
        on_gpu(call, device, false, |device, _| unsafe { put(out, clock_mhz(device, kind)?) })
    };
    /// NVML: highest megahertz of a clock.
    fn nvmlDeviceGetMaxClockInfo(device: Handle, kind: c_uint, out: *mut c_uint) |call, device, kind, out| {
        // SAFETY: the caller vouches for `out`.
        on_gpu(call, device, false, |device, _| unsafe { put(out, clock_mhz(device, kind)?) })
    };
    /// NVML: why clocks are low.
    fn nvmlDeviceGetCurrentClocksThrottleReasons(device: Handle, out: *mut u64) |call, device, out| {
        // SAFETY: the caller vouches for `out`.
        on_gpu(call, device, false, |device, _| unsafe { put(out, device.config.vitals.throttle) })
    };
    /// NVML: why clocks are low, under its newer name.
    fn nvmlDeviceGetCurrentClocksEventReasons(device: Handle, out: *mut u64) |call, device, out| {
        // SAFETY: the caller vouches for `out`.
        on_gpu(call, device, false, |device, _| unsafe { put(out, device.config.vitals.throttle) })
    };
    /// NVML: P0.
    fn nvmlDeviceGetPerformanceState(device: Handle, out: *mut c_uint) |call, device, out| {
        // SAFETY: the caller vouches for `out`.
        on_gpu(call, device, false, |_, _| unsafe { put(out, 0) })
    };
    /// NVML: persistence is on.
    fn nvmlDeviceGetPersistenceMode(device: Handle, out: *mut c_uint) |call, device, out| {
        // SAFETY: the caller vouches for `out`.
        on_gpu(call, device, false, |_, _| unsafe { put(out, 1) })
    };
    /// NVML: the default compute mode.
    fn nvmlDeviceGetComputeMode(device: Handle, out: *mut c_uint) |call, device, out| {
        // SAFETY: the caller vouches for `out`.
        on_gpu(call, device, false, |_, _| unsafe { put(out, 0) })
    };
    /// NVML: no processes.
    fn nvmlDeviceGetComputeRunningProcesses_v3(device: Handle, length: *mut c_uint, _out: *mut c_void) |call, device, length, _| {
        // SAFETY: the caller vouches for `length`.
        on_gpu(call, device, false, |_, _| unsafe { put(length, 0) })
    };
    /// NVML: no processes.
    fn nvmlDeviceGetGraphicsRunningProcesses_v3(device: Handle, length: *mut c_uint, _out: *mut c_void) |call, device, length, _| {
        // SAFETY: the caller vouches for `length`.
        on_gpu(call, device, false, |_, _| unsafe { put(length, 0) })
    };
    /// NVML: whether the GPU shares memory with a processor; a struct of version and answer.
    fn nvmlDeviceGetC2cModeInfoV(device: Handle, out: *mut c_uint) |call, device, out| {
        // SAFETY: the caller vouches for `out`: its one field is the answer.
        on_gpu(call, device, false, |device, _| unsafe { put(out, u32::from(device.config.module.is_some())) })
    };
}

fn clock_mhz(device: &Device, kind: c_uint) -> Result<c_uint, i32> {
    // Graphics, SM, memory, video.
    match kind {
        0 | 1 | 3 => Ok(device.config.vitals.sm_mhz),
        2 => Ok(device.config.vitals.memory_mhz),
        _ => Err(INVALID_ARGUMENT),
    }
}

fn memory(device: &Device) -> [u64; 3] {
    let vitals = &device.config.vitals;
    let used_mib = vitals.memory_used_mib.min(vitals.memory_total_mib);
    [vitals.memory_total_mib * MIB, (vitals.memory_total_mib - used_mib) * MIB, used_mib * MIB]
}
