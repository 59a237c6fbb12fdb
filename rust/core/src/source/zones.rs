//! Which RAPL zones a powercap tree has, and what each covers.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::domain::{Kind, Place};
use crate::units::MICRO;

use super::rapl::DEFAULT_MAX_POWER_UW;
use super::root::{Root, decimal};

/// The class directory first; a container may show only the devices behind it.
pub const BASES: [&str; 3] = [
    "/sys/class/powercap",
    "/sys/devices/virtual/powercap/intel-rapl",
    "/sys/devices/virtual/powercap/intel-rapl-mmio",
];
/// Control types of RAPL. The MMIO one mirrors the package of the first on clients: it comes second and is dropped then.
const CONTROL_TYPES: [&str; 2] = ["intel-rapl", "intel-rapl-mmio"];
/// Least plausible power where a constraint is known: turbo and short peaks go far beyond small limits.
const LEAST_MAX_POWER_UW: u64 = 500 * MICRO;

/// A zone of the tree.
#[derive(Debug, Clone)]
pub struct Zone {
    /// Its directory.
    pub path: String,
    /// Its `name`.
    pub name: String,
    /// What it covers.
    pub place: Place,
    /// Whether a zone before it covers the same.
    pub is_mirror: bool,
}

impl Zone {
    /// The largest value that it shows before it wraps.
    pub fn largest_uj(&self, root: &Root) -> Option<u64> {
        root.number(&format!("{}/max_energy_range_uj", self.path)).filter(|largest| *largest > 0)
    }

    /// Twice the largest constraint of the zone, which leaves room for turbo; 2 kW where the zone names none.
    pub fn max_power_uw(&self, root: &Root) -> u64 {
        let constraint = |index| root.number(&format!("{}/constraint_{index}_max_power_uw", self.path));
        let largest = [0, 1].into_iter().filter_map(constraint).max().filter(|power| *power > 0);
        largest.map_or(DEFAULT_MAX_POWER_UW, |power| {
            power.saturating_mul(2).clamp(LEAST_MAX_POWER_UW, DEFAULT_MAX_POWER_UW * 2)
        })
    }
}

/// Every RAPL zone of the tree, parents before children, `intel-rapl` before its MMIO mirror.
pub fn all(root: &Root) -> Vec<Zone> {
    let mut paths: BTreeMap<(usize, String), String> = BTreeMap::new();
    for base in BASES {
        collect(root, base, &mut paths);
    }
    let mut zones: Vec<Zone> = Vec::new();
    for ((_, id), path) in paths {
        let Ok(name) = root.text(&format!("{path}/name")) else { continue };
        let parent = id.rsplit_once(':').and_then(|(parent, _)| zones.iter().find(|zone| is_at(&zone.path, parent)));
        let Some(place) = place_of(&name, parent.map(|zone| zone.place)) else { continue };
        let is_mirror = zones.iter().any(|zone| zone.place == place);
        zones.push(Zone { path, name, place, is_mirror });
    }
    name_single_dies(&mut zones);
    zones
}

/// Names of directories that the class shows but whose devices are not there: what a container's mask leaves.
pub fn dangling(root: &Root) -> Vec<String> {
    let ids = root.names(BASES[0]).into_iter();
    ids.filter(|id| CONTROL_TYPES.iter().any(|control| is_zone_of(id, control)))
        .filter(|id| !root.path(&format!("{}/{id}/name", BASES[0])).exists())
        .collect()
}

fn is_at(path: &str, id: &str) -> bool {
    path.rsplit('/').next() == Some(id)
}

/// Finds zones directly below `base` and nested in them. A zone's id is unique, so a second path to it is ignored.
fn collect(root: &Root, base: &str, paths: &mut BTreeMap<(usize, String), String>) {
    for id in root.names(base) {
        let Some(control) = CONTROL_TYPES.iter().position(|control| is_zone_of(&id, control)) else { continue };
        let path = format!("{base}/{id}");
        if let Entry::Vacant(entry) = paths.entry((control, id)) {
            entry.insert(path.clone());
            collect(root, &path, paths);
        }
    }
}

/// `intel-rapl:0`, `intel-rapl:a:1`: the control type and hexadecimal numbers (`"%s:%x"`, `drivers/powercap/powercap_sys.c`).
fn is_zone_of(id: &str, control: &str) -> bool {
    let is_number =
        |text: &str| !text.is_empty() && text.len() <= 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut parts = id.split(':');
    parts.next() == Some(control) && parts.clone().next().is_some() && parts.all(is_number)
}

/// What a zone's name means. Names alone tell: the number in a zone's id is not the package's.
fn place_of(name: &str, parent: Option<Place>) -> Option<Place> {
    if let Some(rest) = name.strip_prefix("package-") {
        let (package, die) = rest.split_once("-die-").map_or((rest, None), |(package, die)| (package, Some(die)));
        let die = die.map(|die| decimal(die).ok_or(())).transpose().ok()?;
        return Some(Place { kind: Kind::Package, package: Some(decimal(package)?), die });
    }
    if let Some(rest) = name.strip_prefix("psys") {
        return match rest.strip_prefix('-') {
            Some(package) => Some(Place::of_package(Kind::Psys, decimal(package)?)),
            None => rest.is_empty().then_some(Place::of_machine(Kind::Psys)),
        };
    }
    let kind = match name {
        "core" => Kind::Core,
        "uncore" => Kind::Uncore,
        "dram" => Kind::Dram,
        _ => return None,
    };
    parent.filter(|parent| parent.kind == Kind::Package).map(|parent| Place { kind, ..parent })
}

/// A die that is alone in its package is the package.
pub fn name_single_dies(zones: &mut [Zone]) {
    let places: Vec<Place> = zones.iter().filter(|zone| !zone.is_mirror).map(|zone| zone.place).collect();
    for zone in zones {
        let place = zone.place;
        let dies = places.iter().filter(|other| other.kind == place.kind && other.package == place.package).count();
        if dies == 1 {
            zone.place.die = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn zone_ids_are_hexadecimal() {
        assert!(is_zone_of("intel-rapl:a:1", "intel-rapl"));
        for id in ["intel-rapl", "intel-rapl:", "intel-rapl:0:x", "intel-rapl:+1", "intel-rapl-mmio:0", "dtpm:0"] {
            assert!(!is_zone_of(id, "intel-rapl"), "{id}");
        }
    }

    #[test]
    fn names_tell_what_a_zone_covers() {
        let package = place_of("package-1-die-3", None);
        assert_eq!(package, Some(Place { kind: Kind::Package, package: Some(1), die: Some(3) }));
        assert_eq!(place_of("dram", package), Some(Place { kind: Kind::Dram, package: Some(1), die: Some(3) }));
        assert_eq!(place_of("psys", None), Some(Place::of_machine(Kind::Psys)));
        assert_eq!(place_of("psys-1", None), Some(Place::of_package(Kind::Psys, 1)));
        for name in ["psysx", "package-", "package-x", "package-+1", "package-0-die-", "battery"] {
            assert_eq!(place_of(name, package), None, "{name}");
        }
        assert_eq!(place_of("dram", None), None);
    }

    proptest! {
        #[test]
        fn no_name_makes_a_number_that_is_not_in_it(name in "(package-|psys-)?[0-9+-]{0,12}(-die-)?[0-9]{0,3}|.*") {
            if let Some(place) = place_of(&name, None) {
                for number in [place.package, place.die].into_iter().flatten() {
                    prop_assert!(name.contains(&number.to_string()), "{name} {place:?}");
                }
            }
        }

        #[test]
        fn no_text_makes_a_zone_id_panic(id in "intel-rapl(:[0-9a-fx]{0,9}){0,3}|.*") {
            let _ = is_zone_of(&id, "intel-rapl");
        }
    }
}
