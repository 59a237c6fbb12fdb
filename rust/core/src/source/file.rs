//! Meters that are files: a counter, gauges that add up, a product of two gauges, a counter in a binary table.
//!
//! Some of them ask firmware or a microcontroller, which must not be asked too often. Each meter has a pause; whoever
//! reads within it gets the last answer again, be it a window's end or a sampling thread. The answer is stamped with the
//! time it was given: a gauge holds its value until it is read anew, and a counter has not moved.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Clock;
use crate::domain::{Channel, Place, Provenance, Range, Shape, Signal};
use crate::error::Fault;
use crate::sample::Sample;
use crate::units::Scale;

use super::root::Root;
use super::{Availability, Discovery, Finding, Source, powercap};

/// Said of every meter that nobody has run this code on: its form is known from documents alone.
pub const UNTRIED: &str = "from documentation: not tried on real hardware";
/// A driver's word for "no value": all ones in milliwatts, shown in microwatts. No gauge's number comes near it, so that
/// sums and products stay within their types.
const NO_VALUE_UW: u64 = 0xFFFF_FFFF * 1_000;
/// Faults without an errno.
const PLAIN: [Fault; 3] = [Fault::NotPermitted, Fault::Vanished, Fault::Garbage];
/// What was read when it was found is the first answer: its pause begins then.
const JUST_READ: u64 = u64::MAX;
/// Where errnos begin among the codes of faults.
const ERRNO_BASE: u64 = 16;

/// How the raw number of a meter comes out of its files.
#[derive(Debug)]
pub enum Form {
    /// Counts of energy.
    Counter(File),
    /// Power in microwatts: the sum of the first less that of the second.
    Gauges(Vec<File>, Vec<File>),
    /// Power in microwatts: current times voltage, divided.
    Product(File, File, u64),
    /// Counts of energy: 64 bits, little endian, at an offset in a table that begins with these bytes.
    Binary(File, [u8; 4], u64),
    /// Another form, while this file's text begins so.
    While(File, &'static [u8], Box<Form>),
}

impl Form {
    /// Whether it counts energy.
    pub fn signal(&self, shape: Shape) -> Signal {
        match self {
            Self::Counter(_) | Self::Binary(..) => Signal::Counter,
            Self::Gauges(..) | Self::Product(..) => Signal::Gauge(shape),
            Self::While(_, _, form) => form.signal(shape),
        }
    }

    fn read(&self) -> Result<u64, Fault> {
        match self {
            Self::Counter(file) => number(file),
            Self::Gauges(plus, minus) => sum(plus)?.checked_sub(sum(minus)?).ok_or(Fault::Garbage),
            Self::Product(a, b, divisor) => {
                let exact = u128::from(gauge(a)?) * u128::from(gauge(b)?) / u128::from(*divisor);
                u64::try_from(exact).map_err(|_| Fault::Garbage)
            }
            Self::Binary(table, header, offset) => binary(table, *header, *offset),
            Self::While(file, text, form) => {
                let mut bytes = [0; 16];
                let length = file.read_at(&mut bytes, 0).map_err(|error| Fault::from(&error))?;
                if bytes[..length].starts_with(text) { form.read() } else { Err(Fault::NO_VALUE) }
            }
        }
    }
}

/// What a meter is, before its files are opened for good.
#[derive(Debug)]
pub struct Spec {
    /// The route's name.
    pub source: &'static str,
    /// Which domain.
    pub place: Place,
    /// Its files.
    pub form: Form,
    /// What a gauge's value means.
    pub shape: Shape,
    /// Energy of one count of a counter.
    pub scale: Scale,
    /// Least time between two readings, in nanoseconds; 0: any rate.
    pub pause_ns: u64,
    /// How often the meter moves, in nanoseconds.
    pub tick_ns: u64,
    /// Largest plausible power, in microwatts.
    pub max_power_uw: u64,
    /// Systematic relative error, one sigma.
    pub sensor_rel: f64,
    /// What a person needs to recognise it.
    pub detail: String,
}

/// One meter: its files, and what they last said.
#[derive(Debug)]
struct Meter {
    form: Form,
    pause_ns: u64,
    /// Not to be read before; [`JUST_READ`] until the first look at the clock.
    due_ns: AtomicU64,
    /// The last answer: a number, and the code of a fault or 0.
    raw: AtomicU64,
    fault: AtomicU64,
}

/// The meters of one device.
#[derive(Debug)]
pub struct FileSource {
    name: &'static str,
    channels: Vec<Channel>,
    meters: Vec<Meter>,
}

/// Reads a meter once, if its files could be opened. What answers becomes a source of its own, so that a slow one delays
/// no other; what does not is a finding.
pub fn add(spec: Result<Spec, Finding>, found: &mut Discovery) {
    let spec = match spec {
        Ok(spec) => spec,
        Err(finding) => return found.findings.push(finding),
    };
    let domain = Some(spec.place.id());
    let answer = spec.form.read();
    let availability = answer.map_or_else(availability, |_| Availability::Available);
    let why = answer.err().map_or(String::new(), |fault| format!(": {}", fault.as_str()));
    let detail = format!("{}{why}", spec.detail);
    found.findings.push(Finding { source: spec.source, domain, availability, detail });
    if let Ok(raw) = answer {
        found.sources.push(Box::new(FileSource::of(spec, raw)));
    }
}

/// Opens a file below `root`, or tells why not as a finding of `source`.
pub fn open(root: &Root, source: &'static str, path: &str) -> Result<File, Finding> {
    root.open(path).map_err(|error| {
        Finding::of(source, Availability::from_io(&error), format!("{}: {error}", root.path(path).display()))
    })
}

impl FileSource {
    fn of(spec: Spec, raw: u64) -> Self {
        let signal = spec.form.signal(spec.shape);
        // A thread that reads once a tick must find the pause over, though it may come early.
        let tick_ns = spec.tick_ns.max(spec.pause_ns + spec.pause_ns / 20);
        let channel = Channel {
            place: spec.place,
            signal,
            scale: if signal == Signal::Counter { spec.scale } else { Scale::NANOJOULE },
            // Drivers count on beyond their hardware's 32 bits as long as somebody reads: half a minute is often enough.
            range: if signal == Signal::Counter { Range::Modulo(u64::MAX) } else { Range::Unbounded },
            max_power_uw: spec.max_power_uw,
            tick_ns,
            longest_rest_ns: u64::MAX,
            resolution_ns: 0,
            sensor_rel: spec.sensor_rel,
            provenance: Provenance::Measured,
            detail: spec.detail,
        };
        let (due_ns, raw, fault) = (AtomicU64::new(JUST_READ), AtomicU64::new(raw), AtomicU64::new(0));
        let meter = Meter { form: spec.form, pause_ns: spec.pause_ns, due_ns, raw, fault };
        Self { name: spec.source, channels: vec![channel], meters: vec![meter] }
    }
}

impl Source for FileSource {
    fn name(&self) -> &'static str {
        self.name
    }

    fn channels(&self) -> &[Channel] {
        &self.channels
    }

    fn read(&self, clock: &dyn Clock, samples: &mut [Sample]) {
        for (meter, sample) in self.meters.iter().zip(samples) {
            *sample = meter.read(clock);
        }
    }

    fn retain(&mut self, keep: &[bool]) {
        super::retain_marked(&mut self.channels, keep);
        super::retain_marked(&mut self.meters, keep);
    }
}

impl Meter {
    fn read(&self, clock: &dyn Clock) -> Sample {
        if !self.is_due(clock.now_ns()) {
            return self.again(clock.now_ns());
        }
        let sample = Sample::bracket(clock, || self.form.read());
        if sample.fault.is_none() {
            self.raw.store(sample.raw, Ordering::Relaxed);
        }
        // Release: pairs with the Acquire in again(), so that a number is there before it is called good.
        self.fault.store(sample.fault.map_or(0, code), Ordering::Release);
        sample
    }

    /// Whether the pause is over; then it begins anew, for the one who asked.
    fn is_due(&self, now_ns: u64) -> bool {
        // Relaxed: who may read is decided by the exchange alone, and what was read is ordered by `fault`.
        let due_ns = self.due_ns.load(Ordering::Relaxed);
        let is_over = self.pause_ns == 0 || (due_ns != JUST_READ && now_ns >= due_ns);
        let begins = is_over || due_ns == JUST_READ;
        let next_ns = now_ns + self.pause_ns;
        begins && self.due_ns.compare_exchange(due_ns, next_ns, Ordering::Relaxed, Ordering::Relaxed).is_ok() && is_over
    }

    /// The last answer, given now.
    fn again(&self, now_ns: u64) -> Sample {
        let fault = fault(self.fault.load(Ordering::Acquire));
        let raw = if fault.is_none() { self.raw.load(Ordering::Relaxed) } else { 0 };
        Sample { raw, before_ns: now_ns, after_ns: now_ns, fault }
    }
}

fn sum(files: &[File]) -> Result<u64, Fault> {
    files.iter().try_fold(0, |sum, file| Ok(sum + gauge(file)?))
}

/// A gauge's number. What is too large for any device is a driver's word for "none".
fn gauge(file: &File) -> Result<u64, Fault> {
    number(file).and_then(|number| if number < NO_VALUE_UW { Ok(number) } else { Err(Fault::Garbage) })
}

fn number(file: &File) -> Result<u64, Fault> {
    let mut text = [0; 24];
    let length = file.read_at(&mut text, 0).map_err(|error| Fault::from(&error))?;
    powercap::parse_count(&text[..length]).ok_or(Fault::Garbage)
}

fn binary(table: &File, header: [u8; 4], offset: u64) -> Result<u64, Fault> {
    let (mut begin, mut count) = ([0; 4], [0; 8]);
    table.read_exact_at(&mut begin, 0).map_err(|error| Fault::from(&error))?;
    table.read_exact_at(&mut count, offset).map_err(|error| Fault::from(&error))?;
    let count = u64::from_le_bytes(count);
    // All ones: the driver has no value.
    if begin == header && count != u64::MAX { Ok(count) } else { Err(Fault::Garbage) }
}

fn availability(fault: Fault) -> Availability {
    match fault {
        Fault::NO_VALUE => Availability::NotSupported,
        _ => Availability::from_fault(fault),
    }
}

/// A fault as one word, never 0: its place among the plain ones, or its errno behind them.
fn code(fault: Fault) -> u64 {
    match fault {
        Fault::Failed(errno) => ERRNO_BASE + u64::from(errno.unsigned_abs()),
        plain => PLAIN.iter().position(|one| *one == plain).map_or(ERRNO_BASE, |place| place as u64 + 1),
    }
}

fn fault(code: u64) -> Option<Fault> {
    let place = usize::try_from(code).ok()?.checked_sub(1)?;
    let errno = i32::try_from(code.saturating_sub(ERRNO_BASE)).unwrap_or(libc::EIO);
    Some(PLAIN.get(place).copied().unwrap_or(Fault::Failed(errno)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_survives_the_pause() {
        for one in [Fault::NotPermitted, Fault::Vanished, Fault::Garbage, Fault::NO_VALUE, Fault::Failed(libc::EIO)] {
            assert_eq!(fault(code(one)), Some(one));
        }
        assert_eq!(fault(0), None);
    }
}
