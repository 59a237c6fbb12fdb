//! What is known of RAPL whatever the route: registers, energy units, quirks of processors, and how good its meters are.

use crate::domain::{Channel, Kind, Place, Provenance, Range, Signal};
use crate::units::{MICRO, NS_PER_S, Scale};

use super::cpuinfo::CpuInfo;

/// The counter moves about every millisecond (Intel SDM vol. 4, MSR 0x611; AMD: README of the driver `amd_energy`);
/// mean 0.97 to 1.01 ms
/// over 9,997 intervals each of Broadwell-EP, Ice Lake-SP and KNL (data of `lukalt/icpe-2024-rapl-validation`).
const TICK_NS: u64 = 1_000_000;
/// In a guest of QEMU 9.1 or newer the counters are computed once a second (`MSR_ENERGY_THREAD_SLEEP_US`); those of a
/// Scaphandre host are written as seldom.
const GUEST_TICK_NS: u64 = NS_PER_S;
/// A package draws power even when idle, so its counter and its memory's never rest for so many updates: the longest
/// pause of 60,000 that were measured took 3.1 (Broadwell-EP, memory). Nor for a tenth of a second, whatever the update.
const TICKS_AT_REST: u64 = 50;
const LEAST_REST_NS: u64 = NS_PER_S / 10;
/// Largest plausible power of a package where nothing better is known.
pub const DEFAULT_MAX_POWER_UW: u64 = 2_000 * MICRO;
/// Relative error of a DRAM meter, one sigma: -1 to +21 % loaded, far more idle (raw data of Haswell-EP to Ice Lake-SP).
const DRAM_SENSOR_REL: f64 = 0.15;
/// psys against a battery gauge on two laptops: -5 to +30 %.
const PSYS_SENSOR_REL: f64 = 0.15;
/// A RAPL counter is the low half of its register, also where AMD fills all 64 bits
/// (`RAPL_MSR_MASK`, arch/x86/events/rapl.c; `ENERGY_STATUS_MASK`, `drivers/powercap/intel_rapl_common.c`).
pub const COUNTER_BITS: u32 = 32;

/// The registers of one vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registers {
    /// Holds the energy unit in bits 12:8.
    pub unit: u64,
    /// One energy counter for each kind.
    pub counters: &'static [(Kind, u64)],
}

/// Intel: arch/x86/include/asm/msr-index.h and SDM vol. 4, table 2-2: `MSR_RAPL_POWER_UNIT`, `MSR_PKG_ENERGY_STATUS`,
/// `MSR_DRAM_ENERGY_STATUS`, `MSR_PP0_ENERGY_STATUS`, `MSR_PP1_ENERGY_STATUS`, `MSR_PLATFORM_ENERGY_STATUS`.
const INTEL: Registers = Registers {
    unit: 0x606,
    counters: &[
        (Kind::Package, 0x611),
        (Kind::Dram, 0x619),
        (Kind::Core, 0x639),
        (Kind::Uncore, 0x641),
        (Kind::Psys, 0x64D),
    ],
};

/// AMD family 17h and later and Hygon: `MSR_AMD_RAPL_POWER_UNIT`, `MSR_AMD_PKG_ENERGY_STATUS`,
/// `MSR_AMD_CORE_ENERGY_STATUS` of the same header. The latter counts one core; there is no counter of memory.
const AMD: Registers =
    Registers { unit: 0xC001_0299, counters: &[(Kind::Package, 0xC001_029B), (Kind::Core, 0xC001_029A)] };

/// The registers of a processor; `None` where there are none.
pub fn registers(info: &CpuInfo) -> Option<Registers> {
    match info.vendor.as_str() {
        "GenuineIntel" => Some(INTEL),
        "AuthenticAMD" | "HygonGenuine" => Some(AMD),
        _ => None,
    }
}

/// Whether the package counter belongs to the package and not to a die: AMD and Hygon
/// (`rapl_pkg_pmu_is_pkg_scope`, arch/x86/events/rapl.c: of Intel's, Cascade Lake-AP alone has dies with own counters).
pub fn counts_packages(info: &CpuInfo) -> bool {
    !(info.vendor == "GenuineIntel" && (info.family, info.model) == (6, SKYLAKE_X))
}

/// Whether the counter of kind core covers one core and not all of a package.
pub fn counts_single_cores(info: &CpuInfo) -> bool {
    matches!(info.vendor.as_str(), "AuthenticAMD" | "HygonGenuine")
}

/// Skylake-SP, Cascade Lake and Cooper Lake: arch/x86/include/asm/intel-family.h, as all model numbers below.
const SKYLAKE_X: u32 = 0x55;
/// Memory counts 2^-16 J whatever the unit register says: `model_hsx` and `model_knl` of arch/x86/events/rapl.c, after
/// Intel's datasheet 330784-001 of the Xeon E5 v3. Broadwell-D is not in powercap's list (`rapl_defaults_hsw_server`),
/// which therefore shows a multiple of perf's value there.
const DRAM_16: [u32; 8] = [
    0x3F, // Haswell-EP
    0x4F, // Broadwell-EP
    0x56, // Broadwell-D
    SKYLAKE_X, 0x6A, // Ice Lake-SP
    0x6C, // Ice Lake-D
    0x57, // Knights Landing
    0x85, // Knights Mill
];
/// psys counts whole joules: `RAPL_UNIT_QUIRK_INTEL_SPR`, arch/x86/events/rapl.c. Their memory follows the unit register
/// (commit 80275ca9e525 withdrew the fixed unit that Linux gave it before 6.1).
const PSYS_0: [u32; 2] = [
    0x8F, // Sapphire Rapids
    0xCF, // Emerald Rapids
];
/// Units of 2^n microjoules in place of 2^-n joules: `rapl_check_unit_atom`, `drivers/powercap/intel_rapl_common.c`.
const ATOMS: [u32; 4] = [
    0x37, // Silvermont
    0x4A, // Silvermont, Merrifield
    0x5A, // Silvermont, Moorefield
    0x4C, // Airmont
];

/// Energy of one count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// 2^-n joules.
    Joules(u32),
    /// 2^n microjoules.
    Microjoules(u32),
}

impl Unit {
    /// The unit of `kind` as the unit register and the processor's quirks have it.
    pub fn of(kind: Kind, unit_register: u64, info: &CpuInfo) -> Self {
        let exponent = u32::from((unit_register >> 8 & 0x1F) as u8);
        match fixed_exponent(kind, info) {
            Some(fixed) => Self::Joules(fixed),
            None if is_intel(info) && ATOMS.contains(&info.model) => Self::Microjoules(exponent),
            None => Self::Joules(exponent),
        }
    }

    /// As a scale; exponents have five bits, so that there always is one.
    pub fn scale(self) -> Option<Scale> {
        match self {
            Self::Joules(exponent) => Scale::power_of_two(exponent),
            Self::Microjoules(exponent) => Scale::microjoules_times_power_of_two(exponent),
        }
    }
}

/// The exponent n of a unit of 2^-n J that the processor does not tell.
pub fn fixed_exponent(kind: Kind, info: &CpuInfo) -> Option<u32> {
    match kind {
        Kind::Dram if is_intel(info) && DRAM_16.contains(&info.model) => Some(16),
        Kind::Psys if is_intel(info) && PSYS_0.contains(&info.model) => Some(0),
        _ => None,
    }
}

fn is_intel(info: &CpuInfo) -> bool {
    info.vendor == "GenuineIntel" && info.family == 6
}

/// Energy range of a counter in joules as a power of two, from powercap's `max_energy_range_uj`: 2^32 - 1 units, each
/// rounded down to whole nanojoules (183 ppm at most) or, for memory, up to 15.3 uJ (0.27 %).
pub fn range_exponent(largest_uj: u64) -> Option<u32> {
    (0..=36).find(|exponent| {
        let exact_uj = u128::from(MICRO) << exponent;
        u128::from(largest_uj).abs_diff(exact_uj) * 100 < exact_uj
    })
}

/// A RAPL channel but for what differs by route.
pub fn channel(place: Place, scale: Scale, range: Range, detail: String, info: &CpuInfo) -> Channel {
    let tick_ns = if info.is_virtual { GUEST_TICK_NS } else { TICK_NS };
    Channel {
        place,
        signal: Signal::Counter,
        scale,
        range,
        max_power_uw: DEFAULT_MAX_POWER_UW,
        tick_ns,
        longest_rest_ns: if never_rests(place.kind) { (TICKS_AT_REST * tick_ns).max(LEAST_REST_NS) } else { u64::MAX },
        resolution_ns: 0,
        sensor_rel: sensor_rel(place.kind, info),
        provenance: Provenance::Measured,
        detail: if info.has_sgx {
            format!("{detail} (SGX is on: short windows may be blurred on purpose)")
        } else {
            detail
        },
    }
}

/// Cores, graphics and coarse platform counters may stand still; a package and its memory always draw power.
fn never_rests(kind: Kind) -> bool {
    matches!(kind, Kind::Package | Kind::Dram)
}

/// Relative error of a RAPL domain, one sigma. Servers since Haswell-EP measure at the regulator: 3 % (Hackenberg 2015,
/// Khan 2018). Intel clients: 5 %. AMD Zen models from activity counters: 10 % (Schoene et al., arXiv 2108.00808).
fn sensor_rel(kind: Kind, info: &CpuInfo) -> f64 {
    match (kind, info.vendor.as_str()) {
        (Kind::Dram, _) => DRAM_SENSOR_REL,
        (Kind::Psys, _) => PSYS_SENSOR_REL,
        (_, "GenuineIntel") if info.brand.contains("Xeon") => 0.03,
        (_, "GenuineIntel") => 0.05,
        _ => 0.10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn intel(model: u32) -> CpuInfo {
        CpuInfo { vendor: "GenuineIntel".to_owned(), family: 6, model, ..CpuInfo::default() }
    }

    /// 0xA0E03 is what Haswell and later show: energy unit 14.
    #[test]
    fn the_energy_unit_is_bits_8_to_12_unless_the_processor_has_a_quirk() {
        let unit = |kind, model| Unit::of(kind, 0xA_0E03, &intel(model));
        assert_eq!(unit(Kind::Package, 0x55), Unit::Joules(14));
        assert_eq!(unit(Kind::Dram, 0x55), Unit::Joules(16));
        assert_eq!(unit(Kind::Dram, 0x8F), Unit::Joules(14));
        assert_eq!(unit(Kind::Psys, 0x8F), Unit::Joules(0));
        assert_eq!(Unit::of(Kind::Package, 0x505, &intel(0x37)), Unit::Microjoules(5));
    }

    #[test]
    fn an_atom_counts_in_units_of_32_microjoules() {
        assert_eq!(Unit::Microjoules(5).scale().unwrap().microjoules(1_000), 32_000);
    }

    /// The constants that Linux shows for energy units of 2^-14 and 2^-16 J and for the fixed unit of memory.
    #[test]
    fn the_range_of_a_zone_tells_the_range_of_its_register() {
        let joules = [262_143_328_850, 65_532_610_987, 65_712_999_613, 4_294_967_295_000_000].map(range_exponent);
        assert_eq!(joules, [Some(18), Some(16), Some(16), Some(32)]);
        assert_eq!([0, 100_000_000_000].map(range_exponent), [None, None]);
    }

    #[test]
    fn amd_has_no_counter_of_memory() {
        let amd = CpuInfo { vendor: "AuthenticAMD".to_owned(), family: 25, ..CpuInfo::default() };
        assert!(registers(&amd).unwrap().counters.iter().all(|(kind, _)| *kind != Kind::Dram));
        assert_eq!(registers(&CpuInfo::default()), None);
    }

    proptest! {
        #[test]
        fn every_unit_register_has_a_scale(register: u64, model in 0_u32..256, kind in 0_usize..5) {
            let kind = [Kind::Package, Kind::Core, Kind::Uncore, Kind::Dram, Kind::Psys][kind];
            prop_assert!(Unit::of(kind, register, &intel(model)).scale().is_some());
        }
    }
}
