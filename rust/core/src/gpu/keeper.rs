//! The GPUs of a process: finds out cheaply whether there may be any, and keeps one round for all windows.

use std::ffi::OsString;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::patrol::{Patrol, Wanted};
use super::round::{Round, Trouble};
use super::window::Window;
use crate::clock::Monotonic;
use crate::keepalive::try_lock;
use crate::source::Availability;
use crate::source::nvml::code::Code;
use crate::source::nvml::{Library, OpenError, presence};
use crate::source::sys;

/// Keeps the round. A forked child gets one of its own with its first window.
#[derive(Debug)]
pub struct Keeper {
    driver: Arc<Driver>,
    wanted: Wanted,
    /// Locked for microseconds by those who open windows, never by the thread.
    current: Mutex<Option<Arc<Round>>>,
}

/// The driver's library as this process knows it.
#[derive(Debug)]
struct Driver {
    path: Option<OsString>,
    library: Mutex<Option<&'static Library>>,
    /// Fork generation in which it was initialised.
    ready: AtomicU64,
}

impl Keeper {
    /// A keeper, unless nothing here looks like a driver. Loads nothing and starts nothing. `path` is the library's, where
    /// the user names it.
    pub fn find(path: Option<OsString>, wanted: Wanted) -> Option<Self> {
        if !presence::is_likely(path.as_deref()) {
            return None;
        }
        sys::watch_forks();
        let driver = Arc::new(Driver { path, library: Mutex::default(), ready: AtomicU64::new(0) });
        Some(Self { driver, wanted, current: Mutex::default() })
    }

    /// Opens a window now, and starts the round if there is none. No call of the driver is made on this thread. `None`
    /// where the machine has no thread left.
    pub fn begin(&self) -> Option<Arc<Window>> {
        let mut current = try_lock(&self.current)?;
        if let Some(round) = current.as_ref().filter(|round| round.generation() == sys::generation())
            && let Some(window) = round.enter()
        {
            return Some(window);
        }
        let (driver, wanted) = (self.driver.clone(), self.wanted.clone());
        let round = Round::begin(move || driver.patrol(wanted))?;
        let window = round.enter();
        *current = Some(round);
        window
    }

    /// Ends the round; a window opened later starts another.
    pub fn stop(&self) {
        if let Some(round) = try_lock(&self.current).and_then(|mut current| current.take()) {
            round.stop();
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Driver {
    /// Called on the round's thread alone.
    fn patrol(&self, wanted: Wanted) -> Result<Patrol, Trouble> {
        let library = self.open()?;
        let is_ready = self.ready.load(Ordering::Acquire) == sys::generation();
        let patrol = if is_ready { Patrol::resume } else { Patrol::start }(library, &Monotonic, wanted);
        // Release: pairs with the Acquire of the next round.
        self.ready.store(sys::generation(), Ordering::Release);
        patrol.map_err(Trouble::from)
    }

    fn open(&self) -> Result<&'static Library, Trouble> {
        // A thread that a fork left behind may hold it.
        let mut known = try_lock(&self.library);
        if let Some(library) = known.as_deref().copied().flatten() {
            return Ok(library);
        }
        let library = Library::open(self.path.as_deref())?;
        if let Some(known) = known.as_deref_mut() {
            *known = Some(library);
        }
        Ok(library)
    }
}

impl From<Code> for Trouble {
    fn from(code: Code) -> Self {
        Self { availability: code.availability(), words: format!("{} (NVML code {})", code.words(), code.0) }
    }
}

impl From<OpenError> for Trouble {
    fn from(error: OpenError) -> Self {
        let availability = match error {
            OpenError::Missing(_) => Availability::Absent,
            OpenError::Stranger(_) => Availability::NotSupported,
        };
        Self { availability, words: error.to_string() }
    }
}
