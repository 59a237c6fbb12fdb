//! How much the disks draw: a model by kind of device and bytes moved. Read only if asked for, counted only if asked for.
//!
//! `idle * time + energy per byte * bytes` is affine in cumulative quantities, so that windows add up.

use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::clock::Clock;
use crate::domain::{Channel, Kind, Place, Provenance, Range, Signal};
use crate::error::Fault;
use crate::sample::Sample;
use crate::units::{MICRO, Scale};

use super::root::Root;
use super::{Availability, Discovery, Finding, ModelFigures, Source, powercap};

const NAME: &str = "storage";
const CLASS: &str = "/sys/block";
/// Sectors of `/sys/block/*/stat` are of 512 bytes whatever the device's own (`Documentation/block/stat.rst`).
const BYTES_PER_SECTOR: u64 = 512;
/// Its fields, from 0: sectors read, and sectors written.
const SECTORS_READ: usize = 2;
const SECTORS_WRITTEN: usize = 6;
/// Half to twice the figures below: client and server parts of one kind differ that much.
const REL: f64 = 0.5;
/// The statistics move with each request; windows below this see single requests.
const RESOLUTION_NS: u64 = 100_000_000;
const UW_NS_PER_NJ: u128 = 1_000_000;
const PJ_PER_NJ: u128 = 1_000;

/// What the user wants of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Wish {
    /// Nothing.
    #[default]
    Off,
    /// To see it.
    Show,
    /// To have it in the sum.
    Count,
}

/// A kind of device: power at rest, and energy of a byte moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Device {
    name: &'static str,
    idle_uw: u64,
    byte_pj: u64,
}

// From data sheets, rounded (general knowledge, not measured here): a 3.5 inch disk idles at 5 to 6 W and takes 4 W more
// at 270 MB/s; a SATA SSD 0.05 to 1.2 W, and 2 to 4 W at 560 MB/s; an NVMe SSD 0.05 to 5 W, and 6 to 13 W at 7 GB/s.
const DISK: Device = Device { name: "disk", idle_uw: 5_500_000, byte_pj: 15_000 };
const SSD: Device = Device { name: "SATA SSD", idle_uw: 500_000, byte_pj: 5_000 };
const NVME: Device = Device { name: "NVMe SSD", idle_uw: 1_000_000, byte_pj: 1_500 };

/// All disks of the machine.
#[derive(Debug)]
pub struct Storage {
    channels: Vec<Channel>,
    disks: Vec<(Device, File)>,
    is_counted: bool,
}

/// Models the disks, if the user wants it.
pub fn discover(root: &Root, figures: &ModelFigures, found: &mut Discovery) {
    if figures.storage == Wish::Off {
        return;
    }
    let mut disks = Vec::new();
    for name in root.names(CLASS) {
        match disk(root, &name) {
            Ok(Some(disk)) => disks.push((name, disk)),
            Ok(None) => {}
            Err(finding) => found.findings.push(finding),
        }
    }
    if disks.is_empty() {
        found.findings.push(Finding::of(NAME, Availability::Absent, format!("no disk of a known kind in {CLASS}")));
        return;
    }
    let detail = describe(&disks);
    let domain = Some(Place::of_machine(Kind::Storage).id());
    found.findings.push(Finding {
        source: NAME,
        domain,
        availability: Availability::Available,
        detail: detail.clone(),
    });
    // The wall power that a calibration knows has the disks in it.
    let is_counted = figures.storage == Wish::Count && !figures.is_wall_power;
    let disks = disks.into_iter().map(|(_, disk)| disk).collect();
    found.sources.push(Box::new(Storage { channels: vec![channel(detail)], disks, is_counted }));
}

/// A block device with hardware behind it; loop devices, RAM disks and volumes on top of others have none.
fn disk(root: &Root, name: &str) -> Result<Option<(Device, File)>, Finding> {
    let path = format!("{CLASS}/{name}");
    if !root.path(&format!("{path}/device")).exists() {
        return Ok(None);
    }
    let device = match root.number(&format!("{path}/queue/rotational")) {
        _ if name.starts_with("nvme") => NVME,
        _ if !name.starts_with("sd") => {
            let detail = format!("{path}: what is behind a device of this name is not known");
            return Err(Finding::of(NAME, Availability::NotSupported, detail));
        }
        Some(0) => SSD,
        _ => DISK,
    };
    let refused =
        |error: std::io::Error| Finding::of(NAME, Availability::from_io(&error), format!("{path}/stat: {error}"));
    root.open(&format!("{path}/stat")).map(|stat| Some((device, stat))).map_err(refused)
}

fn describe(disks: &[(String, (Device, File))]) -> String {
    let one = |(name, (device, _)): &(String, (Device, File))| {
        let (idle_w, byte_nj) = (device.idle_uw as f64 / MICRO as f64, device.byte_pj as f64 / 1_000.0);
        format!("{name}: {}, {idle_w} W and {byte_nj} nJ a byte", device.name)
    };
    disks.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn channel(detail: String) -> Channel {
    Channel {
        place: Place::of_machine(Kind::Storage),
        signal: Signal::Counter,
        scale: Scale::NANOJOULE,
        range: Range::Unbounded,
        max_power_uw: 10_000 * MICRO,
        tick_ns: RESOLUTION_NS / 10,
        longest_rest_ns: u64::MAX,
        resolution_ns: RESOLUTION_NS,
        sensor_rel: REL,
        provenance: Provenance::Modelled,
        detail,
    }
}

impl Source for Storage {
    fn name(&self) -> &'static str {
        NAME
    }

    fn channels(&self) -> &[Channel] {
        &self.channels
    }

    fn read(&self, clock: &dyn Clock, samples: &mut [Sample]) {
        if let Some(sample) = samples.first_mut() {
            *sample = Sample::bracket(clock, || self.energy_nj(clock.now_ns()));
        }
    }

    fn retain(&mut self, keep: &[bool]) {
        super::retain_marked(&mut self.channels, keep);
    }

    fn counts(&self, _kind: Kind) -> bool {
        self.is_counted
    }
}

impl Storage {
    fn energy_nj(&self, t_ns: u64) -> Result<u64, Fault> {
        let mut sum = 0_u128;
        for (device, stat) in &self.disks {
            let moved = u128::from(bytes_moved(stat)?);
            sum += u128::from(device.idle_uw) * u128::from(t_ns) / UW_NS_PER_NJ;
            sum += u128::from(device.byte_pj) * moved / PJ_PER_NJ;
        }
        Ok(u64::try_from(sum).unwrap_or(u64::MAX))
    }
}

fn bytes_moved(stat: &File) -> Result<u64, Fault> {
    let mut text = [0; 512];
    let length = stat.read_at(&mut text, 0).map_err(|error| Fault::from(&error))?;
    let mut fields = text[..length].split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
    let mut field = |skip| fields.nth(skip).and_then(powercap::parse_count);
    let (read, written) = (field(SECTORS_READ), field(SECTORS_WRITTEN - SECTORS_READ - 1));
    match (read, written) {
        (Some(read), Some(written)) => Ok(read.saturating_add(written).saturating_mul(BYTES_PER_SECTOR)),
        _ => Err(Fault::Garbage),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn bytes_are_the_sectors_read_and_written() {
        let mut stat = tempfile::tempfile().unwrap();
        stat.write_all(b"    1000    5     16      7     300     2     4       9    0     50    60\n").unwrap();
        assert_eq!(bytes_moved(&stat), Ok(20 * 512));
        let empty = tempfile::tempfile().unwrap();
        assert_eq!(bytes_moved(&empty), Err(Fault::Garbage));
    }
}
