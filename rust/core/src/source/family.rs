//! Which family of server processors this is, where its name tells no model: CPUID, a name given by QEMU, or the type of
//! the cloud's instance.

use super::cpuinfo::CpuInfo;
use super::root::Root;

/// What a virtual machine, or an unnamed processor, is a share of.
#[derive(Debug, Clone, PartialEq)]
pub struct Host {
    /// A family of the model's table; `None` where nothing tells.
    pub family: Option<&'static str>,
    /// Hardware threads behind one logical CPU of ours: 2 where the cloud sells whole cores.
    pub threads_per_cpu: f64,
    /// How it was found out.
    pub origin: String,
}

/// CPUID family and model: Intel and AMD by their own manuals, numbers as in Linux (`intel-family.h`, `cpu/amd.c`).
/// Skylake, Cascade Lake and Cooper Lake share one model number; their figures do not differ by more than their error.
const CPUID: [(&str, u32, u32, &str); 16] = [
    ("GenuineIntel", 6, 63, "Haswell"),
    ("GenuineIntel", 6, 79, "Broadwell"),
    ("GenuineIntel", 6, 86, "Broadwell"),
    ("GenuineIntel", 6, 85, "Cascade Lake"),
    ("GenuineIntel", 6, 106, "Ice Lake"),
    ("GenuineIntel", 6, 143, "Sapphire Rapids"),
    ("GenuineIntel", 6, 207, "Emerald Rapids"),
    ("GenuineIntel", 6, 173, "Granite Rapids"),
    ("GenuineIntel", 6, 175, "Sierra Forest"),
    ("AuthenticAMD", 23, 1, "EPYC Naples"),
    ("AuthenticAMD", 23, 49, "EPYC Rome"),
    ("AuthenticAMD", 25, 1, "EPYC Milan"),
    ("AuthenticAMD", 25, 17, "EPYC Genoa"),
    ("AuthenticAMD", 25, 160, "EPYC Genoa"),
    ("AuthenticAMD", 26, 2, "EPYC Turin"),
    ("AuthenticAMD", 26, 17, "EPYC Turin"),
];
/// `CPU part` of ARM's implementer 0x41: Neoverse N1 (Ampere Altra, Graviton 2).
const NEOVERSE_N1: u32 = 0xd0c;
/// Words in the names that QEMU and clouds give: `Intel Xeon Processor (Skylake, IBRS)`, `AMD EPYC-Milan Processor`.
const NAMES: [(&str, &str); 12] = [
    ("haswell", "Haswell"),
    ("broadwell", "Broadwell"),
    ("skylake", "Skylake"),
    ("cascadelake", "Cascade Lake"),
    ("icelake", "Ice Lake"),
    ("sapphirerapids", "Sapphire Rapids"),
    ("graniterapids", "Granite Rapids"),
    ("sierraforest", "Sierra Forest"),
    ("epyc-rome", "EPYC Rome"),
    ("epyc-milan", "EPYC Milan"),
    ("epyc-genoa", "EPYC Genoa"),
    ("epyc-turin", "EPYC Turin"),
];
/// Lines of series, family and hardware threads of one vCPU.
const INSTANCES: &str = include_str!("../../data/cloud_instances.tsv");
/// Azure's sizes by maker (`a` AMD, `p` ARM, else Intel) and version: `Standard_D4as_v5`.
const AZURE: [(char, u32, &str); 8] = [
    ('i', 4, "Cascade Lake"),
    ('i', 5, "Ice Lake"),
    ('i', 6, "Emerald Rapids"),
    ('a', 4, "EPYC Rome"),
    ('a', 5, "EPYC Milan"),
    ('a', 6, "EPYC Genoa"),
    ('a', 7, "EPYC Turin"),
    ('p', 5, "Neoverse N1"),
];

/// The family: by the instance type that the user or the firmware names, else by CPUID, else by the processor's name.
pub fn of(root: &Root, info: &CpuInfo, instance_type: Option<&str>) -> Host {
    let shown = root.text("/sys/class/dmi/id/product_name").ok().filter(|_| info.is_virtual);
    let named = instance_type.map(|name| (name, "named by the user"));
    let shown = shown.as_deref().map(|name| (name, "named by the firmware"));
    if let Some(host) = [named, shown].into_iter().flatten().find_map(|(name, who)| of_instance(name, who)) {
        return host;
    }
    let unknown = instance_type.map_or(String::new(), |name| format!("; instance type {name} is not known here"));
    let host = |family, origin: &str| Host { family, threads_per_cpu: 1.0, origin: format!("{origin}{unknown}") };
    match (of_cpuid(info), of_name(&info.brand)) {
        (Some(family), _) => host(Some(family), "family by CPUID"),
        (None, Some(family)) => host(Some(family), "family by name"),
        (None, None) => host(None, "family unknown"),
    }
}

/// Every family that `of` can answer.
#[cfg(test)]
pub fn names() -> impl Iterator<Item = &'static str> {
    let instances = instances().map(|(_, family, _)| family);
    let cpuid = CPUID.iter().map(|(_, _, _, family)| *family);
    instances.chain(cpuid).chain(NAMES.iter().map(|(_, family)| *family)).chain(AZURE.iter().map(|(_, _, f)| *f))
}

fn of_instance(name: &str, who: &str) -> Option<Host> {
    let name = name.trim().to_lowercase();
    let (family, threads_per_cpu) = of_series(&name).or_else(|| of_azure(&name))?;
    Some(Host { family: Some(family), threads_per_cpu, origin: format!("instance type {name}, {who}") })
}

/// `m5.large` of AWS, `c3-standard-8` of Google; AWS adds letters for disks and networks: `m5d`, `c6in`.
fn of_series(name: &str) -> Option<(&'static str, f64)> {
    let series = match (name.split_once('.'), name.split_once('-')) {
        (Some((series, _)), _) => series.to_owned(),
        (None, Some((series, _))) => format!("{series}-"),
        (None, None) => return None,
    };
    let find = |series: &str| instances().find(|row| row.0 == series).map(|row| (row.1, row.2));
    let plain = series.trim_end_matches(['d', 'n', 'e', 'z', 'b']);
    find(&series).or_else(|| if series.ends_with('-') { None } else { find(plain) })
}

fn instances() -> impl Iterator<Item = (&'static str, &'static str, f64)> {
    INSTANCES.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let (series, rest) = line.split_once('\t')?;
        let (family, threads) = rest.split_once('\t')?;
        Some((series, family, threads.parse().ok()?))
    })
}

fn of_azure(name: &str) -> Option<(&'static str, f64)> {
    let (size, version) = name.strip_prefix("standard_")?.rsplit_once("_v")?;
    let features = size.trim_start_matches(|letter: char| !letter.is_ascii_digit());
    let maker = ['a', 'p'].into_iter().find(|maker| features.contains(*maker)).unwrap_or('i');
    let version: u32 = version.parse().ok()?;
    let is_general = size.starts_with(['d', 'e', 'f']);
    let row = AZURE.iter().find(|row| is_general && row.0 == maker && row.1 == version)?;
    Some((row.2, 1.0))
}

fn of_cpuid(info: &CpuInfo) -> Option<&'static str> {
    if info.arm_part == Some(NEOVERSE_N1) {
        return Some("Neoverse N1");
    }
    // Some desktop parts bear a server's number (Threadripper 1950X: 23, 1).
    let is_desktop = ["Core(TM)", "Ryzen", "Threadripper"].iter().any(|word| info.brand.contains(word));
    let row = CPUID.iter().find(|row| (row.0, row.1, row.2) == (&*info.vendor, info.family, info.model))?;
    (!is_desktop).then_some(row.3)
}

fn of_name(brand: &str) -> Option<&'static str> {
    let brand = brand.to_lowercase();
    NAMES.iter().find(|(word, _)| brand.contains(word)).map(|(_, family)| *family)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(brand: &str, vendor: &str, cpuid: (u32, u32)) -> Option<&'static str> {
        let info = CpuInfo {
            brand: brand.to_owned(),
            vendor: vendor.to_owned(),
            family: cpuid.0,
            model: cpuid.1,
            is_virtual: true,
            ..CpuInfo::default()
        };
        of(&Root::new("/nowhere"), &info, None).family
    }

    #[test]
    fn a_virtual_name_tells_the_family_by_cpuid_or_by_the_name() {
        assert_eq!(family("AMD EPYC", "AuthenticAMD", (25, 1)), Some("EPYC Milan"));
        assert_eq!(family("Intel(R) Xeon(R) CPU @ 2.20GHz", "GenuineIntel", (6, 79)), Some("Broadwell"));
        assert_eq!(family("Intel Xeon Processor (Skylake, IBRS)", "GenuineIntel", (6, 94)), Some("Skylake"));
        assert_eq!(family("AMD EPYC-Rome Processor", "", (0, 0)), Some("EPYC Rome"));
    }

    #[test]
    fn what_names_no_family_is_unknown() {
        for brand in ["AMD EPYC", "QEMU Virtual CPU version 2.5+", "Common KVM processor", ""] {
            assert_eq!(family(brand, "AuthenticAMD", (15, 107)), None, "{brand}");
        }
    }

    #[test]
    fn an_instance_type_tells_family_and_threads() {
        let of = |name: &str| of_instance(name, "").map(|host| (host.family.unwrap_or(""), host.threads_per_cpu));
        assert_eq!(of("m5.large"), Some(("Cascade Lake", 1.0)));
        assert_eq!(of("m5dn.24xlarge"), Some(("Cascade Lake", 1.0)));
        assert_eq!(of("c7a.xlarge"), Some(("EPYC Genoa", 2.0)));
        assert_eq!(of("c3d-standard-8"), Some(("EPYC Genoa", 1.0)));
        assert_eq!(of("Standard_D4as_v5"), Some(("EPYC Milan", 1.0)));
        assert_eq!(of("Standard_E8ds_v5"), Some(("Ice Lake", 1.0)));
        for unknown in ["", "n1-standard-4", "zz9.large", "Standard_B2s", "Virtual Machine", "Standard_NC6_v3"] {
            assert_eq!(of(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn an_unknown_instance_type_is_said_to_be_unknown() {
        let host = of(&Root::new("/nowhere"), &CpuInfo::default(), Some("zz9.large"));
        assert!(host.origin.contains("zz9.large is not known"), "{host:?}");
    }
}
