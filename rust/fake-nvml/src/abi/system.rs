//! The system and how its devices are found.

use std::ffi::{c_char, c_int, c_uint};

use super::layout::{PciInfo, pci_of};
use super::{Call, Handle, exports, handle_of, number, on_device, on_system, put, put_text, take_text, uuid_of};
use crate::code::{INVALID_ARGUMENT, NOT_FOUND};
use crate::device::Device;
use crate::world::World;

exports! {
    /// NVML: the driver's version.
    fn nvmlSystemGetDriverVersion(out: *mut c_char, length: c_uint) |call, out, length| {
        // SAFETY: the caller vouches for `out` and `length`.
        on_system(call, |world| unsafe { put_text(out, length, &world.config.driver) })
    };
    /// NVML: its own version.
    fn nvmlSystemGetNVMLVersion(out: *mut c_char, length: c_uint) |call, out, length| {
        // SAFETY: the caller vouches for `out` and `length`.
        on_system(call, |world| unsafe { put_text(out, length, &format!("13.{}", world.config.driver)) })
    };
    /// NVML: CUDA 13.0.
    fn nvmlSystemGetCudaDriverVersion(out: *mut c_int) |call, out| {
        // SAFETY: the caller vouches for `out`.
        on_system(call, |_| unsafe { put(out, 13_000) })
    };
    /// NVML: CUDA 13.0.
    fn nvmlSystemGetCudaDriverVersion_v2(out: *mut c_int) |call, out| {
        // SAFETY: the caller vouches for `out`.
        on_system(call, |_| unsafe { put(out, 13_000) })
    };
    /// NVML: how many GPUs.
    fn nvmlDeviceGetCount(out: *mut c_uint) |call, out| on_system(call, |world| count(world, out));
    /// NVML: how many GPUs.
    fn nvmlDeviceGetCount_v2(out: *mut c_uint) |call, out| on_system(call, |world| count(world, out));
    /// NVML: a GPU by its place.
    fn nvmlDeviceGetHandleByIndex(index: c_uint, out: *mut Handle) |call, index, out| {
        on_system(call, |world| by_index(world, index, out))
    };
    /// NVML: a GPU by its place.
    fn nvmlDeviceGetHandleByIndex_v2(index: c_uint, out: *mut Handle) |call, index, out| {
        on_system(call, |world| by_index(world, index, out))
    };
    /// NVML: a GPU or slice by its UUID.
    fn nvmlDeviceGetHandleByUUID(uuid: *const c_char, out: *mut Handle) |call, uuid, out| {
        on_system(call, |world| {
            // SAFETY: the caller vouches for `uuid`.
            let wanted = unsafe { take_text(uuid) }?;
            let found = handles(world).find(|(device, index, slice)| uuid_of(device, *index, *slice) == wanted);
            // SAFETY: the caller vouches for `out`.
            found.ok_or(NOT_FOUND).and_then(|(_, index, slice)| unsafe { put(out, handle_of(index, slice)) })
        })
    };
    /// NVML: a GPU by its PCI address.
    fn nvmlDeviceGetHandleByPciBusId(id: *const c_char, out: *mut Handle) |call, id, out| {
        on_system(call, |world| by_pci(world, id, out))
    };
    /// NVML: a GPU by its PCI address.
    fn nvmlDeviceGetHandleByPciBusId_v2(id: *const c_char, out: *mut Handle) |call, id, out| {
        on_system(call, |world| by_pci(world, id, out))
    };
    /// NVML: the product name.
    fn nvmlDeviceGetName(device: Handle, out: *mut c_char, length: c_uint) |call, device, out, length| {
        on_device(call, device, false, |_, device, slice, _| {
            let name = slice.map_or(device.config.name.clone(), |_| format!("{} MIG", device.config.name));
            // SAFETY: the caller vouches for `out` and `length`.
            unsafe { put_text(out, length, &name) }
        })
    };
    /// NVML: the UUID.
    fn nvmlDeviceGetUUID(device: Handle, out: *mut c_char, length: c_uint) |call, device, out, length| {
        on_device(call, device, false, |index, device, slice, _| {
            // SAFETY: the caller vouches for `out` and `length`.
            unsafe { put_text(out, length, &uuid_of(device, index, slice)) }
        })
    };
    /// NVML: the place.
    fn nvmlDeviceGetIndex(device: Handle, out: *mut c_uint) |call, device, out| {
        // SAFETY: the caller vouches for `out`.
        on_device(call, device, false, |index, _, _, _| unsafe { put(out, number(index)) })
    };
    /// NVML: the minor number of the device file.
    fn nvmlDeviceGetMinorNumber(device: Handle, out: *mut c_uint) |call, device, out| {
        // SAFETY: the caller vouches for `out`.
        on_device(call, device, false, |index, _, _, _| unsafe { put(out, number(index)) })
    };
    /// NVML: the PCI address.
    fn nvmlDeviceGetPciInfo_v3(device: Handle, out: *mut PciInfo) |call, device, out| {
        // SAFETY: the caller vouches for `out`.
        on_device(call, device, false, |_, device, _, _| unsafe { put(out, PciInfo::of(device)) })
    };
    /// NVML: the architecture.
    fn nvmlDeviceGetArchitecture(device: Handle, out: *mut c_uint) |call, device, out| {
        // SAFETY: the caller vouches for `out`.
        on_device(call, device, false, |_, device, _, _| unsafe { put(out, device.config.architecture) })
    };
}

/// Every GPU and slice.
fn handles(world: &'static World) -> impl Iterator<Item = (&'static Device, usize, Option<usize>)> {
    world.devices.iter().enumerate().flat_map(|(index, device)| {
        let slices = device.config.mig.as_ref().map_or(0, Vec::len);
        std::iter::once(None).chain((0..slices).map(Some)).map(move |slice| (device, index, slice))
    })
}

fn count(world: &World, out: *mut c_uint) -> Result<(), i32> {
    // SAFETY: handed through from an export whose caller vouches for `out`.
    unsafe { put(out, number(world.devices.len())) }
}

fn by_index(world: &World, index: c_uint, out: *mut Handle) -> Result<(), i32> {
    world.devices.get(index as usize).ok_or(INVALID_ARGUMENT)?;
    // SAFETY: handed through from an export whose caller vouches for `out`.
    unsafe { put(out, handle_of(index as usize, None)) }
}

fn by_pci(world: &World, id: *const c_char, out: *mut Handle) -> Result<(), i32> {
    // SAFETY: handed through from an export whose caller vouches for `id`.
    let wanted = unsafe { take_text(id) }?.to_ascii_uppercase();
    let matches = |device: &Device| pci_of(device) == wanted || pci_of(device).ends_with(&format!("0000{wanted}"));
    let index = world.devices.iter().position(|device| matches(device) || pci_of(device)[4..] == *wanted);
    // SAFETY: handed through from an export whose caller vouches for `out`.
    index.ok_or(NOT_FOUND).and_then(|index| unsafe { put(out, handle_of(index, None)) })
}
