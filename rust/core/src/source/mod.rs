//! Where readings come from: the trait of a source, and how the sources of a machine are found.

use std::path::PathBuf;

use crate::clock::Clock;
use crate::domain::{Channel, Kind};
use crate::error::Error;
use crate::error::Fault;
use crate::sample::Sample;

pub mod battery;
pub mod card;
pub mod cpu_model;
pub mod cpuinfo;
pub mod estimate;
pub mod family;
pub mod file;
pub mod hwmon;
pub mod msr;
pub mod nvml;
pub mod perf;
pub mod pmu;
pub mod powercap;
pub mod processor;
pub mod ram_model;
pub mod rapl;
pub mod replay;
pub mod root;
pub mod stat;
pub mod storage;
pub mod sys;
pub mod tdp;
pub mod topology;
pub mod zones;

use root::Root;

/// A set of meters that are read together.
///
/// `read` neither allocates nor locks: it runs at both ends of every window and on the sampler's thread.
pub trait Source: Send + Sync + std::fmt::Debug {
    /// The route's name: `perf`, `powercap`, `msr`, `hwmon`, `estimate`.
    fn name(&self) -> &'static str;

    /// What it offers, in the order in which `read` fills its samples.
    fn channels(&self) -> &[Channel];

    /// Reads every channel once. `samples` has one place for each.
    fn read(&self, clock: &dyn Clock, samples: &mut [Sample]);

    /// Whether the machine's sum includes its domains of a kind.
    fn counts(&self, kind: Kind) -> bool {
        kind.is_counted()
    }

    /// Power at rest of each channel in microwatts, where a model knows it.
    fn idle_power_uw(&self, _channel: usize) -> Option<u64> {
        None
    }

    /// Keeps only the channels whose mark is true, so that what another route measures is not read twice.
    fn retain(&mut self, keep: &[bool]);

    /// Tries to bring back meters that are gone, told by their latest samples; true if it is worth reading again.
    /// Called by whoever publishes, so that it neither allocates nor waits.
    fn mend(&self, _samples: &[Sample]) -> bool {
        false
    }
}

/// Whether a source can be used here. Five different answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// It reads.
    Available,
    /// The machine has none, or hides it.
    Absent,
    /// It is there and the kernel refuses.
    NotPermitted,
    /// It is there and speaks a form that is not known here.
    NotSupported,
    /// It is there and reading it went wrong.
    Failed,
}

impl Availability {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Absent => "absent",
            Self::NotPermitted => "not permitted",
            Self::NotSupported => "not supported",
            Self::Failed => "failed",
        }
    }

    /// What an I/O error at a place that exists says about it.
    pub fn from_io(error: &std::io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EACCES | libc::EPERM) => Self::NotPermitted,
            Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => Self::Absent,
            Some(libc::EINVAL | libc::EOPNOTSUPP | libc::ENOSYS) => Self::NotSupported,
            _ => Self::Failed,
        }
    }

    /// What the fault of a first reading means for the source.
    pub fn from_fault(fault: Fault) -> Self {
        match fault {
            Fault::NotPermitted => Self::NotPermitted,
            Fault::Vanished => Self::Absent,
            Fault::Failed(_) | Fault::Garbage | Fault::Zero | Fault::Stuck => Self::Failed,
        }
    }
}

/// One line of `doctor`: what was looked for, and what was found.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Name of the route.
    pub source: &'static str,
    /// The domain, where the finding is about one.
    pub domain: Option<String>,
    /// Whether it can be used.
    pub availability: Availability,
    /// Where, and what happened there.
    pub detail: String,
}

impl Finding {
    /// A finding about a route as a whole.
    pub fn of(source: &'static str, availability: Availability, detail: impl Into<String>) -> Self {
        Self { source, domain: None, availability, detail: detail.into() }
    }
}

/// What a look at the machine found.
#[derive(Debug, Default)]
pub struct Discovery {
    /// The usable sources, best first.
    pub sources: Vec<Box<dyn Source>>,
    /// What was looked for, usable or not.
    pub findings: Vec<Finding>,
}

/// The user's own figures, which replace those of the tables.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelFigures {
    /// Thermal design power of one package, in watts.
    pub cpu_tdp_w: Option<f64>,
    /// Power of all packages at rest, in watts.
    pub cpu_idle_w: Option<f64>,
    /// Power of all packages at full load, in watts.
    pub cpu_max_w: Option<f64>,
    /// Power of all memory, in watts.
    pub ram_w: Option<f64>,
    /// Where `cpu_idle_w` and `cpu_max_w` come from, if from a calibration: the words for it.
    pub calibration: Option<String>,
    /// Whether they are those of the whole computer, as a wattmeter shows them.
    pub is_wall_power: bool,
    /// Type of the cloud's instance, such as `m5.large`.
    pub instance_type: Option<String>,
    /// Whether to model the disks.
    pub storage: storage::Wish,
}

/// Which sources to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The best route to each domain, models where there is none.
    Auto,
    /// Only the perf PMU.
    Perf,
    /// Only powercap.
    Powercap,
    /// Only the model-specific registers, which no other wish includes.
    Msr,
    /// Only meters that are files of other drivers: hwmon, graphics cards, batteries.
    File,
    /// Only the models.
    Estimate,
}

impl Wanted {
    /// Reads the setting `sources`.
    pub fn parse(name: &str) -> Result<Self, Error> {
        match name {
            "auto" => Ok(Self::Auto),
            "perf" => Ok(Self::Perf),
            "powercap" => Ok(Self::Powercap),
            "msr" => Ok(Self::Msr),
            "file" => Ok(Self::File),
            "estimate" => Ok(Self::Estimate),
            other => Err(Error::UnknownSource(other.to_owned())),
        }
    }

    fn includes(self, one: Self) -> bool {
        self == Self::Auto || self == one
    }
}

/// Looks for every wanted source below `root`; an error where none can be used.
pub fn discover(root: &Root, wanted: Wanted, figures: &ModelFigures) -> Result<Discovery, Error> {
    let found = look(root, wanted, figures);
    if found.sources.is_empty() { Err(nothing(root, wanted, &found)) } else { Ok(found) }
}

/// Looks for every wanted source below `root`, best first: perf, powercap, files of other drivers, estimate; the MSRs
/// only by name. What was found is told also where nothing of it can be used.
pub fn look(root: &Root, wanted: Wanted, figures: &ModelFigures) -> Discovery {
    let mut found = Discovery::default();
    if wanted.includes(Wanted::Perf) {
        perf::discover(root, wanted, &mut found);
    }
    if wanted.includes(Wanted::Powercap) {
        powercap::discover(root, &mut found);
    }
    if wanted == Wanted::Msr {
        msr::discover(root, &mut found);
    }
    if wanted.includes(Wanted::File) {
        hwmon::discover(root, &mut found);
        card::discover(root, &mut found);
        battery::discover(root, &mut found);
        if found.findings.is_empty() {
            let detail = "no hwmon device, graphics card or battery with a meter that is known here";
            found.findings.push(Finding::of("file", Availability::Absent, detail));
        }
    }
    if wanted.includes(Wanted::Estimate) {
        estimate::discover(root, figures, &mut found);
        storage::discover(root, figures, &mut found);
    }
    found
}

fn nothing(root: &Root, wanted: Wanted, found: &Discovery) -> Error {
    match (wanted, found.findings.first()) {
        (Wanted::Perf | Wanted::Powercap | Wanted::Msr | Wanted::File, Some(finding)) => Error::SourceUnavailable {
            source_name: finding.source.to_owned(),
            reason: format!("{}: {}", finding.availability.as_str(), finding.detail),
        },
        _ => Error::NothingToMeasure { root: root.path("/proc").parent().map_or_else(PathBuf::new, Into::into) },
    }
}

/// Drops the elements whose mark is false.
pub(crate) fn retain_marked<T>(items: &mut Vec<T>, keep: &[bool]) {
    let mut marks = keep.iter();
    items.retain(|_| marks.next().copied().unwrap_or(false));
}
