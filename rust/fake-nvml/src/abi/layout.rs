//! The structs of NVML's interface that the fake fills.

use std::ffi::{c_int, c_uint};

use crate::code::ARGUMENT_VERSION_MISMATCH;
use crate::device::Device;

/// `nvmlFieldValue_t`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct FieldValue {
    pub(super) field: c_uint,
    pub(super) scope: c_uint,
    pub(super) timestamp_us: i64,
    pub(super) latency_us: i64,
    pub(super) value_kind: c_uint,
    pub(super) code: c_int,
    pub(super) value: u64,
}

/// `nvmlSample_t`: wall-clock microseconds and a value.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub(super) timestamp_us: u64,
    pub(super) value: u64,
}

/// `nvmlPciInfo_t` of version 3.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct PciInfo {
    pub(super) bus_id_legacy: [u8; 16],
    pub(super) domain: c_uint,
    pub(super) bus: c_uint,
    pub(super) device: c_uint,
    pub(super) pci_device_id: c_uint,
    pub(super) pci_subsystem_id: c_uint,
    pub(super) bus_id: [u8; 32],
}

/// `nvmlMemory_v2_t`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct MemoryV2 {
    pub(super) version: c_uint,
    pub(super) total: u64,
    pub(super) reserved: u64,
    pub(super) free: u64,
    pub(super) used: u64,
}

/// `nvmlDeviceAttributes_t`: multiprocessors, five kinds of engines, GPU and compute slices, memory.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Attributes {
    pub(super) counts: [c_uint; 8],
    pub(super) memory_mib: u64,
}

const _: () = assert!(size_of::<FieldValue>() == 40 && size_of::<PciInfo>() == 68 && size_of::<MemoryV2>() == 40);

impl PciInfo {
    pub(super) fn of(device: &Device) -> Self {
        Self {
            bus_id_legacy: fixed(&format!("0000:{:02X}:00.0", device.pci_bus)),
            domain: 0,
            bus: device.pci_bus,
            device: 0,
            // 0x10de is NVIDIA's number at the PCI-SIG; the device's is nobody's.
            pci_device_id: 0xffff_10de,
            pci_subsystem_id: 0,
            bus_id: fixed(&pci_of(device)),
        }
    }
}

impl MemoryV2 {
    /// `NVML_STRUCT_VERSION(Memory, 2)`: size and version.
    const VERSION: c_uint = 0x0200_0028;

    pub(super) fn fill(&mut self, [total, free, used]: [u64; 3]) -> Result<(), i32> {
        if self.version != Self::VERSION {
            return Err(ARGUMENT_VERSION_MISMATCH);
        }
        *self = Self { version: self.version, total, reserved: 0, free, used };
        Ok(())
    }
}

fn fixed<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    for (place, byte) in bytes.iter_mut().take(N - 1).zip(text.bytes()) {
        *place = byte;
    }
    bytes
}

/// The PCI address as NVML writes it.
pub(super) fn pci_of(device: &Device) -> String {
    format!("00000000:{:02X}:00.0", device.pci_bus)
}
