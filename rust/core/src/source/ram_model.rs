//! How much memory draws that has no meter: by modules where the firmware tells them, else by size.
//!
//! Measured on DDR4 rails, a module of 32 GB draws 1.85 W idle and 5.8 W streaming, one of 16 GB 0.8 W and 4.2 W: about
//! `0.9 W + 0.03 W/GB` at rest and up to 4 W more. A quarter of that span is taken as always in use; no reading of
//! activity pays for itself at this size, and a constant is additive.

use super::cpuinfo::CpuInfo;
use super::root::Root;
use super::{Availability, Finding, ModelFigures};

const NAME: &str = "estimate";
const TABLES: &str = "/sys/firmware/dmi/tables/DMI";
/// Watts of a module at rest, and per gigabyte of it.
const MODULE_W: f64 = 0.9;
const GB_W: f64 = 0.03;
/// A quarter of the 4 W between rest and streaming.
const ACTIVITY_W: f64 = 1.0;
/// Module size assumed where the firmware tells none: what servers of the last ten years mostly hold.
const ASSUMED_MODULE_GB: f64 = 32.0;
/// One sigma: half the power either way holds a module from rest to half of streaming.
const MODULES_REL: f64 = 0.25;
/// The same for a size, whose modules may be half or twice as large.
const SIZE_REL: f64 = 0.35;
/// Where the user gave the power.
const USER_REL: f64 = 0.05;
const GIB_PER_MIB: f64 = 1024.0;
/// Gigabytes (10^9 bytes) of a kibibyte.
const GB_PER_KIB: f64 = 1024.0 / 1e9;
/// SMBIOS 3.x, section 7.18: a memory device; offsets of its size and of the extended size.
const MEMORY_DEVICE: u8 = 17;
const SIZE_AT: usize = 0x0C;
const EXTENDED_SIZE_AT: usize = 0x1C;

/// The power of all memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Memory {
    /// Watts.
    pub power_w: f64,
    /// Relative error, one sigma.
    pub rel: f64,
    /// What it was taken from.
    pub detail: String,
}

/// All memory of the machine; `Err` where not even its size is told.
pub fn memory(root: &Root, info: &CpuInfo, figures: &ModelFigures) -> Result<Memory, Finding> {
    if let Some(ram_w) = figures.ram_w {
        return Ok(Memory { power_w: ram_w, rel: USER_REL, detail: format!("{ram_w} W as set by the user") });
    }
    // A virtual machine's modules are made up.
    let modules = if info.is_virtual { Vec::new() } else { modules(root) };
    if modules.is_empty() { of_size(root, info) } else { Ok(of_modules(&modules)) }
}

fn of_modules(modules: &[f64]) -> Memory {
    let gb: f64 = modules.iter().sum();
    let power_w = watts(modules.len() as f64, gb);
    Memory { power_w, rel: MODULES_REL, detail: format!("{power_w:.2} W: {} modules, {gb} GB in all", modules.len()) }
}

fn of_size(root: &Root, info: &CpuInfo) -> Result<Memory, Finding> {
    let path = root.path("/proc/meminfo");
    let absent = || Finding::of(NAME, Availability::Absent, format!("no MemTotal in {}", path.display()));
    let gb = size_gb(root).ok_or_else(absent)?;
    let share = gb / ASSUMED_MODULE_GB;
    // A machine has whole modules, a virtual one a share of its host's.
    let modules = if info.is_virtual { share } else { share.ceil() };
    let power_w = watts(modules, gb);
    let detail =
        format!("{power_w:.2} W: {gb:.1} GB as {modules:.2} modules of {ASSUMED_MODULE_GB} GB (modules unknown)");
    Ok(Memory { power_w, rel: SIZE_REL, detail })
}

fn watts(modules: f64, gb: f64) -> f64 {
    modules * (MODULE_W + ACTIVITY_W) + gb * GB_W
}

fn size_gb(root: &Root) -> Option<f64> {
    let text = root.text("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib as f64 * GB_PER_KIB)
}

/// Sizes of the populated modules in GB as they are sold (2^30 bytes); empty where the firmware tells none, or only root.
fn modules(root: &Root) -> Vec<f64> {
    std::fs::read(root.path(TABLES)).map(|table| module_sizes(&table)).unwrap_or_default()
}

/// Walks the SMBIOS structures: type, length, handle, fields, then strings up to two zero bytes.
fn module_sizes(table: &[u8]) -> Vec<f64> {
    let mut sizes = Vec::new();
    let mut rest = table;
    while let [kind, length, ..] = *rest {
        let length = usize::from(length);
        let Some(fields) = rest.get(..length).filter(|fields| fields.len() >= 4) else { break };
        if kind == MEMORY_DEVICE {
            sizes.extend(module_size(fields));
        }
        let strings = &rest[length..];
        let Some(end) = strings.windows(2).position(|pair| pair == [0, 0]) else { break };
        rest = &strings[end + 2..];
    }
    sizes
}

/// Size of one memory device: mebibytes, or kibibytes where bit 15 is set; 0 for an empty slot, 0xFFFF where unknown.
fn module_size(fields: &[u8]) -> Option<f64> {
    let size = u16::from_le_bytes(fields.get(SIZE_AT..SIZE_AT + 2)?.try_into().ok()?);
    let mib = match size {
        0 | 0xFFFF => return None,
        0x7FFF => {
            let bytes = fields.get(EXTENDED_SIZE_AT..EXTENDED_SIZE_AT + 4)?.try_into().ok()?;
            f64::from(u32::from_le_bytes(bytes) & 0x7FFF_FFFF)
        }
        kib if kib & 0x8000 != 0 => f64::from(kib & 0x7FFF) / 1024.0,
        mib => f64::from(mib),
    };
    Some(mib / GIB_PER_MIB)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A memory device with a size and an extended size, and one string.
    fn device(size: u16, extended: u32) -> Vec<u8> {
        let mut fields = vec![0; 0x20];
        fields[0] = MEMORY_DEVICE;
        fields[1] = 0x20;
        fields[SIZE_AT..SIZE_AT + 2].copy_from_slice(&size.to_le_bytes());
        fields[EXTENDED_SIZE_AT..EXTENDED_SIZE_AT + 4].copy_from_slice(&extended.to_le_bytes());
        fields.extend_from_slice(b"DIMM A1\0\0");
        fields
    }

    #[test]
    fn populated_modules_are_counted_and_empty_slots_are_not() {
        let other = [127, 4, 1, 0, 0, 0];
        let table = [device(16384, 0), device(0, 0), device(0x7FFF, 65536), other.to_vec()].concat();
        assert_eq!(module_sizes(&table), [16.0, 64.0]);
    }

    #[test]
    fn the_measured_modules_lie_within_the_stated_band() {
        // DDR4 rails: watts at rest, and at rest plus a half of what streaming adds.
        for (gb, idle_w, stream_w) in [(32.0, 1.85, 5.8), (16.0, 0.8, 4.2)] {
            let model = of_modules(&[gb]);
            let half_busy_w = f64::midpoint(idle_w, stream_w);
            let band_w = 1.96 * model.rel * model.power_w;
            assert!((model.power_w - half_busy_w).abs() < band_w, "{gb} GB: {model:?} {half_busy_w}");
            assert!(model.power_w > idle_w && model.power_w < stream_w);
        }
    }

    #[test]
    fn nothing_that_tells_a_size_is_an_absence_and_not_zero_watts() {
        let finding = memory(&Root::new("/nowhere"), &CpuInfo::default(), &ModelFigures::default()).unwrap_err();
        assert_eq!(finding.availability, Availability::Absent);
    }

    proptest! {
        #[test]
        fn no_table_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = module_sizes(&bytes);
        }
    }
}
