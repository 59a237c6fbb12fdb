//! What a machine answers to a read: its meters, its clock and its files in one place.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fs, io};

use nix::errno::Errno;
use nix::time::{ClockId, clock_gettime};

use crate::layout;
use crate::meter::{Meter, Reading};
use crate::spec::Spec;
use crate::tree::{Kind, Tree, is_inside};

/// `MSR_RAPL_POWER_UNIT` (Intel) and its AMD twin: Linux arch/x86/include/asm/msr-index.h.
const UNIT_REGISTERS: [u64; 2] = [0x606, 0xC001_0299];

/// Power unit 1/8 W and time unit 1/1024 s around the energy unit, as Intel parts from Haswell on have them.
const OTHER_UNITS: u64 = 0xA_0003;

/// Why a machine could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The spec is not JSON of the expected shape.
    #[error("{path}: {source}: see the README of the emulator for the fields")]
    Json {
        /// Which file.
        path: String,
        /// Where and why.
        source: serde_json::Error,
    },
    /// The spec contradicts itself.
    #[error("the spec makes no sense: {0}")]
    Spec(String),
}

/// A machine with its epoch.
#[derive(Debug)]
pub struct Machine {
    /// Its meters in the order of the spec.
    pub meters: Vec<Meter>,
    /// Its files.
    pub tree: Tree,
    /// Reads answered, per meter.
    pub reads: Vec<AtomicU64>,
    /// `CLOCK_MONOTONIC` at time 0 of every power and fault.
    pub epoch_ns: u64,
    units_esu: u32,
}

/// Nanoseconds of `CLOCK_MONOTONIC`; Linux never refuses it.
pub fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(std::time::Duration::ZERO, std::time::Duration::from);
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

impl Machine {
    /// From a spec file; a relative `tree` is relative to that file.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(path).map_err(|source| file_error(path, source))?;
        let spec: Spec =
            serde_json::from_str(&text).map_err(|source| Error::Json { path: path.display().to_string(), source })?;
        Self::new(spec, path.parent().unwrap_or(Path::new(".")))
    }

    fn new(mut spec: Spec, beside: &Path) -> Result<Self, Error> {
        spec.fault().map_or(Ok(()), |why| Err(Error::Spec(why)))?;
        let domains = std::mem::take(&mut spec.domains);
        let meters: Vec<_> = (0..).zip(domains).map(|(i, domain)| Meter::new(&spec, i, domain)).collect();
        let mut tree = Tree::new();
        if let Some(from) = spec.tree.as_ref().map(|tree| beside.join(tree)) {
            tree.copy(&from).map_err(|source| file_error(&from, source))?;
        }
        add_files(&mut tree, &spec)?;
        layout::add(&mut tree, &meters, spec.energy_mode);
        let reads = meters.iter().map(|_| AtomicU64::new(0)).collect();
        Ok(Self { meters, tree, reads, epoch_ns: monotonic_ns(), units_esu: spec.units_esu })
    }

    /// Now, after the epoch.
    pub fn now_ns(&self) -> u64 {
        monotonic_ns() - self.epoch_ns
    }

    /// The text of `energy_uj` now; `opened_ns` is when the descriptor was opened.
    pub fn energy_text(&self, meter: usize, opened_ns: u64) -> Result<Vec<u8>, Errno> {
        let reading = self.read(meter, opened_ns)?;
        let text = |units| format!("{}\n", self.meters[meter].microjoules(units));
        bytes(reading, b"garbage\n", |units| text(units).into_bytes())
    }

    /// The eight bytes of a register of one CPU.
    pub fn register(&self, cpu: u32, register: u64, opened_ns: u64) -> Result<Vec<u8>, Errno> {
        if UNIT_REGISTERS.contains(&register) {
            return Ok((OTHER_UNITS | u64::from(self.units_esu) << 8).to_le_bytes().to_vec());
        }
        let meter = self.meters.iter().position(|meter| shows(meter, cpu, register)).ok_or(Errno::EIO)?;
        bytes(self.read(meter, opened_ns)?, &[0xFF; 8], |units| units.to_le_bytes().to_vec())
    }

    /// The meter behind a read, for the register at `offset` of an msr file or an `energy_uj`.
    pub fn meter_of(&self, kind: &Kind, offset: u64) -> Option<usize> {
        match *kind {
            Kind::Energy(meter) => Some(meter),
            Kind::Msr(cpu) => self.meters.iter().position(|meter| shows(meter, cpu, offset)),
            _ => None,
        }
    }

    fn read(&self, meter: usize, opened_ns: u64) -> Result<Reading, Errno> {
        self.reads[meter].fetch_add(1, Ordering::Relaxed);
        let t_ns = self.now_ns();
        if self.meters[meter].vanished_between(opened_ns, t_ns) {
            return Err(Errno::ENODEV);
        }
        Ok(self.meters[meter].read(t_ns))
    }
}

fn shows(meter: &Meter, cpu: u32, register: u64) -> bool {
    meter.domain.msr.as_ref().is_some_and(|msr| msr.register == register && msr.cpus.contains(&cpu))
}

fn bytes(reading: Reading, garbage: &[u8], shown: impl Fn(u64) -> Vec<u8>) -> Result<Vec<u8>, Errno> {
    match reading {
        Reading::Units(units) => Ok(shown(units)),
        Reading::Garbage => Ok(garbage.to_vec()),
        Reading::Empty => Ok(Vec::new()),
        Reading::Denied => Err(Errno::EACCES),
        Reading::Failed => Err(Errno::EIO),
        Reading::Gone => Err(Errno::ENODEV),
    }
}

fn add_files(tree: &mut Tree, spec: &Spec) -> Result<(), Error> {
    for (path, content) in &spec.files {
        if !is_inside(path) {
            return Err(Error::Spec(format!("files: {path:?} must be relative, without ..")));
        }
        tree.put(path, Kind::Text(content.clone().into_bytes()), 0o444, None);
    }
    Ok(())
}

fn file_error(path: &Path, source: io::Error) -> Error {
    Error::File { path: path.display().to_string(), source }
}
