//! What can go wrong, and what the user can do about it.

use std::path::PathBuf;

/// Why a meter could not do what it was asked. Each message says what happened, where, and what helps.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The user asked for a source by name that this machine does not offer.
    #[error(
        "source '{source_name}' cannot be used here: {reason}. `eco2ai-fast doctor` lists what this machine offers"
    )]
    SourceUnavailable {
        /// The name that was asked for.
        source_name: String,
        /// What stands in the way.
        reason: String,
    },
    /// A name that is no source at all.
    #[error("no source is called '{0}': use 'auto', 'perf', 'powercap', 'msr', 'file' or 'estimate'")]
    UnknownSource(String),
    /// Nothing at all can be read or modelled: `/proc/stat` and the clock's sysfs are missing.
    #[error("nothing on this machine can be measured or modelled below {root}: is /proc mounted there?")]
    NothingToMeasure {
        /// The prefix that was searched.
        root: PathBuf,
    },
    /// An instant that the history does not hold.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// The machine has no thread left for sampling.
    #[error("the sampling thread could not be started: {0}. Is the limit on processes reached (ulimit -u)?")]
    NoThread(std::io::Error),
    /// Another thread is starting or stopping the same meter, or was when this process was forked.
    #[error(
        "another thread is starting or stopping this meter: try again, or make a meter of your own in a forked child"
    )]
    Busy,
    /// `end` without `begin`, or a second `end`.
    #[error("this window is not open: it was closed before or never begun")]
    WindowNotOpen,
    /// `begin` on a window that is open.
    #[error("this window is open already: close it first, or take a window of its own")]
    WindowOpen,
}

/// Why an instant has no energy in the recorded history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// Older than the history reaches back.
    #[error("the instant lies before the history, which reaches back to {oldest_ns} ns on the monotonic clock")]
    Overwritten {
        /// The oldest instant that can still be told.
        oldest_ns: u64,
    },
    /// Nothing was recorded yet.
    #[error("nothing was recorded: start the meter before the instants that you ask for")]
    Empty,
}

/// Why one reading of one domain gave no number. Six different answers, none of them 0 J.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The kernel refuses: EACCES or EPERM.
    NotPermitted,
    /// The file or device is gone: ENOENT, ENODEV or ENXIO.
    Vanished,
    /// The read failed with this errno.
    Failed(i32),
    /// The answer is no number.
    Garbage,
    /// A counter that had counted shows 0, or one that was opened to count never left it.
    Zero,
    /// The counter stands still, though what it measures cannot.
    Stuck,
}

impl Fault {
    /// The meter works and has nothing to say now: ENODATA of a driver, a battery that is not discharging.
    pub const NO_VALUE: Self = Self::Failed(libc::ENODATA);

    /// The fault behind an errno.
    pub fn from_errno(errno: i32) -> Self {
        match errno {
            libc::EACCES | libc::EPERM => Self::NotPermitted,
            libc::ENOENT | libc::ENODEV | libc::ENXIO => Self::Vanished,
            other => Self::Failed(other),
        }
    }

    /// The word for it in a report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotPermitted => "not permitted",
            Self::Vanished => "vanished",
            Self::NO_VALUE => "no value now",
            Self::Failed(_) => "read failed",
            Self::Garbage => "unreadable text",
            Self::Zero => "shows zero",
            Self::Stuck => "stands still",
        }
    }
}

impl From<&std::io::Error> for Fault {
    fn from(error: &std::io::Error) -> Self {
        Self::from_errno(error.raw_os_error().unwrap_or(libc::EIO))
    }
}
