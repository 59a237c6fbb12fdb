//! The fake's library, loaded as one of its own for each test.

#![allow(dead_code)] // each test binary uses its part

use eco2ai_fast_core::source::nvml::device::{Device, enumerate};
use eco2ai_fast_core::source::nvml::{Handle, Library};

/// A machine with the fake's library and this configuration.
pub struct Machine {
    /// Holds the library's file until the test ends.
    _folder: tempfile::TempDir,
    pub path: std::path::PathBuf,
    pub library: &'static Library,
}

impl Machine {
    /// Cargo builds the fake's library beside the test binaries, since it is a dependency of the tests.
    pub fn new(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let own = std::env::current_exe().unwrap();
        let built = own.parent().unwrap().join("libfake_nvml.so");
        let library = folder.path().join("libnvidia-ml.so.1");
        std::fs::copy(&built, &library).unwrap();
        std::fs::write(folder.path().join("libnvidia-ml.so.1.json"), config).unwrap();
        Self { library: Library::open(Some(library.as_os_str())).unwrap(), path: library, _folder: folder }
    }

    pub fn started(config: &str) -> Self {
        let machine = Self::new(config);
        machine.library.init().unwrap();
        machine
    }

    pub fn gpu(&self) -> Device {
        enumerate(self.library).unwrap().devices.remove(0)
    }

    pub fn handle(&self) -> Handle {
        self.library.device(0).unwrap()
    }
}
