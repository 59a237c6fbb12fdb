//! Which GPUs there are: identities, taken once after init.

use super::code::Code;
use super::visible::Identity;
use super::{Handle, Library};

/// `NVML_DEVICE_ARCH_*`, as far as they decide what a gauge means.
pub mod architecture {
    /// Volta: the first with an energy counter.
    pub const VOLTA: u32 = 5;
    /// Ampere, GA100 included.
    pub const AMPERE: u32 = 7;
    /// Hopper.
    pub const HOPPER: u32 = 9;
}

/// A GPU of this machine.
#[derive(Debug, Clone)]
pub struct Device {
    /// Its place in NVML's order.
    pub index: u32,
    /// `GPU-...`: what stays the same across reboots.
    pub uuid: String,
    /// Product name.
    pub name: String,
    /// PCI address; empty where the driver does not tell.
    pub pci: String,
    /// `nvmlDeviceArchitecture_t`, where the driver tells.
    pub architecture: Option<u32>,
    /// Whether it is cut into slices: then its energy is that of all of them.
    pub mig: bool,
    /// UUIDs of its slices.
    pub slices: Vec<String>,
    /// For calls.
    pub handle: Handle,
}

impl Device {
    /// Looks at one GPU.
    pub fn look(handle: Handle, index: u32) -> Result<Self, Code> {
        let mig = handle.mig_mode() == Ok(true);
        Ok(Self {
            index,
            uuid: handle.uuid()?,
            name: handle.name().unwrap_or_else(|_| "NVIDIA GPU".to_owned()),
            pci: handle.pci().unwrap_or_default(),
            architecture: handle.architecture().ok(),
            mig,
            slices: if mig { slices(handle) } else { Vec::new() },
            handle,
        })
    }

    /// What tells it from the others.
    pub fn identity(&self) -> Identity {
        Identity { uuid: self.uuid.clone(), name: self.name.clone(), slices: self.slices.clone() }
    }
}

/// The GPUs that answer, and those that do not.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// In NVML's order.
    pub devices: Vec<Device>,
    /// Index and reason of each that did not answer.
    pub failed: Vec<(u32, Code)>,
}

impl Found {
    /// What tells each GPU from the others, by NVML's index. One that did not answer keeps its place, so that numbers
    /// after it mean what they say.
    pub fn identities(&self) -> Vec<Identity> {
        let count = self.devices.len() + self.failed.len();
        let silent = Identity { uuid: String::new(), name: String::new(), slices: Vec::new() };
        let mut identities = vec![silent; count];
        for device in &self.devices {
            if let Some(place) = identities.get_mut(device.index as usize) {
                *place = device.identity();
            }
        }
        identities
    }
}

/// Looks at every GPU of an initialised library.
pub fn enumerate(library: &'static Library) -> Result<Found, Code> {
    let mut found = Found::default();
    for index in 0..library.count()? {
        match library.device(index).and_then(|handle| Device::look(handle, index)) {
            Ok(device) => found.devices.push(device),
            Err(code) => found.failed.push((index, code)),
        }
    }
    Ok(found)
}

/// UUIDs of the slices that a GPU is cut into.
fn slices(handle: Handle) -> Vec<String> {
    let places = 0..handle.mig_count().unwrap_or(0);
    places.filter_map(|index| handle.slice(index).and_then(|slice| slice.uuid()).ok()).collect()
}
