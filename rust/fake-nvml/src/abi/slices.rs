//! GPUs that are cut into slices (MIG).

use std::ffi::{c_int, c_uint};

use super::layout::Attributes;
use super::{Call, Handle, exports, handle_of, on_device, on_gpu, put};
use crate::code::{INVALID_ARGUMENT, NOT_FOUND, NOT_SUPPORTED};
use crate::device::Device;

exports! {
    /// NVML: whether the GPU is cut into slices.
    fn nvmlDeviceGetMigMode(device: Handle, current: *mut c_uint, pending: *mut c_uint) |call, device, current, pending| {
        on_gpu(call, device, false, |device, _| {
            let mode = u32::from(!device.config.mig.as_ref().ok_or(NOT_SUPPORTED)?.is_empty());
            // SAFETY: the caller vouches for both.
            unsafe { put(current, mode).and(put(pending, mode)) }
        })
    };
    /// NVML: how many slices there can be.
    fn nvmlDeviceGetMaxMigDeviceCount(device: Handle, out: *mut c_uint) |call, device, out| {
        let most = |device: &Device| if device.config.mig.is_some() { 7 } else { 0 };
        // SAFETY: the caller vouches for `out`.
        on_gpu(call, device, false, |device, _| unsafe { put(out, most(device)) })
    };
    /// NVML: a slice by its place.
    fn nvmlDeviceGetMigDeviceHandleByIndex(device: Handle, slice: c_uint, out: *mut Handle) |call, device, slice, out| {
        on_device(call, device, false, |index, device, _, _| {
            let slices = device.config.mig.as_ref().ok_or(NOT_SUPPORTED)?;
            slices.get(slice as usize).ok_or(NOT_FOUND)?;
            // SAFETY: the caller vouches for `out`.
            unsafe { put(out, handle_of(index, Some(slice as usize))) }
        })
    };
    /// NVML: the GPU of a slice.
    fn nvmlDeviceGetDeviceHandleFromMigDeviceHandle(device: Handle, out: *mut Handle) |call, device, out| {
        on_device(call, device, false, |index, _, slice, _| {
            slice.ok_or(INVALID_ARGUMENT)?;
            // SAFETY: the caller vouches for `out`.
            unsafe { put(out, handle_of(index, None)) }
        })
    };
    /// NVML: whether a handle is a slice's.
    fn nvmlDeviceIsMigDeviceHandle(device: Handle, out: *mut c_uint) |call, device, out| {
        // SAFETY: the caller vouches for `out`.
        on_device(call, device, false, |_, _, slice, _| unsafe { put(out, u32::from(slice.is_some())) })
    };
    /// NVML: the GPU instance of a slice.
    fn nvmlDeviceGetGpuInstanceId(device: Handle, out: *mut c_uint) |call, device, out| {
        // SAFETY: the caller vouches for `out`.
        on_device(call, device, false, |_, device, slice, _| unsafe { put(out, slice_of(device, slice)?.gpu_instance) })
    };
    /// NVML: the compute instance of a slice.
    fn nvmlDeviceGetComputeInstanceId(device: Handle, out: *mut c_uint) |call, device, out| {
        on_device(call, device, false, |_, device, slice, _| {
            // SAFETY: the caller vouches for `out`.
            unsafe { put(out, slice_of(device, slice)?.compute_instance) }
        })
    };
    /// NVML: the size of a slice.
    fn nvmlDeviceGetAttributes_v2(device: Handle, out: *mut Attributes) |call, device, out| {
        on_device(call, device, false, |_, device, slice, _| {
            let slices = slice_of(device, slice)?.slices;
            let memory_mib = device.config.vitals.memory_total_mib * u64::from(slices) / 8;
            // SAFETY: the caller vouches for `out`.
            unsafe { put(out, Attributes { counts: [16 * slices, 0, 0, 0, 0, 0, slices, slices], memory_mib }) }
        })
    };
}

fn slice_of(device: &'static Device, slice: Option<usize>) -> Result<&'static crate::config::Slice, i32> {
    let place = slice.ok_or(INVALID_ARGUMENT)?;
    device.config.mig.as_ref().and_then(|slices| slices.get(place)).ok_or(INVALID_ARGUMENT)
}
