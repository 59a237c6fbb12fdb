//! Where the kernel puts a machine's meters: /sys/class/powercap and /dev/cpu/N/msr.

use crate::meter::Meter;
use crate::tree::{Kind, Tree};

/// The device directory that /sys/class/powercap points into.
const DEVICES: &str = "sys/devices/virtual/powercap";

/// Read-only for everyone, as most of sysfs.
const PLAIN: u16 = 0o444;

/// Adds every meter's zones and registers.
pub fn add(tree: &mut Tree, meters: &[Meter], energy_mode: u16) {
    for (index, meter) in meters.iter().enumerate() {
        for zone in &meter.domain.zones {
            let name = zone.name.as_ref().unwrap_or(&meter.domain.id);
            add_control_type(tree, control_type(&zone.zone));
            add_zone(tree, &zone.zone, name, index, meter, energy_mode);
        }
        for &cpu in meter.domain.msr.iter().flat_map(|msr| &msr.cpus) {
            tree.put(&format!("dev/cpu/{cpu}/msr"), Kind::Msr(cpu), 0o600, None);
        }
    }
}

fn add_control_type(tree: &mut Tree, control: &str) {
    text(tree, &format!("{DEVICES}/{control}/enabled"), "1\n".into());
    tree.put(&format!("{DEVICES}/{control}/subsystem"), subsystem(control), 0o777, None);
    tree.put(&format!("sys/class/powercap/{control}"), link(control), 0o777, None);
}

fn add_zone(tree: &mut Tree, zone: &str, name: &str, index: usize, meter: &Meter, energy_mode: u16) {
    let path = device_path(zone);
    let dir = format!("{DEVICES}/{path}");
    text(tree, &format!("{dir}/name"), format!("{name}\n"));
    text(tree, &format!("{dir}/enabled"), "1\n".into());
    text(tree, &format!("{dir}/max_energy_range_uj"), format!("{}\n", meter.range_uj()));
    tree.put(&format!("{dir}/subsystem"), subsystem(&path), 0o777, None);
    tree.put(&format!("{dir}/energy_uj"), Kind::Energy(index), energy_mode, None);
    if let Some(limit_uw) = meter.domain.limit_uw {
        add_constraint(tree, &dir, limit_uw);
    }
    let entry = tree.put(&format!("sys/class/powercap/{zone}"), link(&path), 0o777, None);
    tree.vanishes_with(entry, index);
    let dir = tree.dir(&dir);
    tree.vanishes_with(dir, index);
}

fn add_constraint(tree: &mut Tree, dir: &str, limit_uw: u64) {
    text(tree, &format!("{dir}/constraint_0_name"), "long_term\n".into());
    text(tree, &format!("{dir}/constraint_0_power_limit_uw"), format!("{limit_uw}\n"));
    text(tree, &format!("{dir}/constraint_0_max_power_uw"), format!("{limit_uw}\n"));
    // 28 s less the rounding of the hardware's time unit, as client parts show it.
    text(tree, &format!("{dir}/constraint_0_time_window_us"), "27983872\n".into());
}

/// `intel-rapl:0:1` lies in `intel-rapl/intel-rapl:0/intel-rapl:0:1`.
fn device_path(zone: &str) -> String {
    let ends = zone.match_indices(':').map(|(at, _)| at).chain([zone.len()]);
    ends.map(|end| &zone[..end]).collect::<Vec<_>>().join("/")
}

fn control_type(zone: &str) -> &str {
    zone.split(':').next().unwrap_or(zone)
}

fn link(device: &str) -> Kind {
    Kind::Link(format!("../../devices/virtual/powercap/{device}"))
}

/// The way back from a device to its class, which some programs take for a list of all zones.
fn subsystem(device: &str) -> Kind {
    let up = "../".repeat(4 + device.matches('/').count());
    Kind::Link(format!("{up}class/powercap"))
}

fn text(tree: &mut Tree, path: &str, content: String) {
    tree.put(path, Kind::Text(content.into_bytes()), PLAIN, None);
}
