//! What processor this is: one read of `/proc/cpuinfo`.

use super::root::{Root, decimal};

/// The first processor's description and the number of processors.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CpuInfo {
    /// `vendor_id`: `GenuineIntel`, `AuthenticAMD`; empty on ARM.
    pub vendor: String,
    /// `cpu family`, decimal; 0 where the kernel shows none.
    pub family: u32,
    /// `model`, decimal.
    pub model: u32,
    /// `CPU part` of ARM's own cores (implementer 0x41).
    pub arm_part: Option<u32>,
    /// `model name`: the brand string; empty where the kernel shows none.
    pub brand: String,
    /// Logical processors listed.
    pub logical: u32,
    /// Whether the processor says that a hypervisor runs below it.
    pub is_virtual: bool,
    /// Whether SGX is on, which makes the microcode add noise to the energy counters (CVE-2020-8694, INTEL-SA-00389).
    pub has_sgx: bool,
}

impl CpuInfo {
    /// Reads `/proc/cpuinfo`; all fields empty where there is none.
    pub fn read(root: &Root) -> Self {
        root.text("/proc/cpuinfo").map(|text| Self::parse(&text)).unwrap_or_default()
    }

    fn parse(text: &str) -> Self {
        let mut info = Self::default();
        for (key, value) in text.lines().filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            match key.trim() {
                "processor" => info.logical += 1,
                "cpu family" if info.logical <= 1 => info.family = decimal(value).unwrap_or(0),
                "model" if info.logical <= 1 => info.model = decimal(value).unwrap_or(0),
                "CPU part" => {
                    info.arm_part = value.strip_prefix("0x").and_then(|hex| u32::from_str_radix(hex, 16).ok());
                }
                "vendor_id" if info.vendor.is_empty() => value.clone_into(&mut info.vendor),
                "model name" if info.brand.is_empty() => value.clone_into(&mut info.brand),
                "flags" if info.logical <= 1 => {
                    info.is_virtual = value.split(' ').any(|flag| flag == "hypervisor");
                    info.has_sgx = value.split(' ').any(|flag| flag == "sgx");
                }
                _ => {}
            }
        }
        info
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_processor_speaks_for_all() {
        let text = "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\nmodel name\t: Intel(R) Xeon(R) Gold 6226R CPU @ 2.90GHz\n\
                    flags\t\t: fpu hypervisor sse\n\nprocessor\t: 1\nmodel name\t: other\nflags\t\t: fpu\n";
        let info = CpuInfo::parse(text);
        assert_eq!((info.logical, info.is_virtual), (2, true));
        assert_eq!((info.family, info.model), (6, 85));
        assert!(info.brand.contains("6226R"));
        assert_eq!((info.family, info.model, info.has_sgx), (6, 85, false));
    }

    #[test]
    fn an_arm_core_is_told_by_its_part() {
        let info = CpuInfo::parse("processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n");
        assert_eq!((info.arm_part, info.brand.as_str()), (Some(0xd0c), ""));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let _ = CpuInfo::parse(&text);
        }
    }
}
