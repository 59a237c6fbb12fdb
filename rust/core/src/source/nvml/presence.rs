//! Whether a driver's library may be here, without loading it: a few looks at the file system.

use std::ffi::OsStr;
use std::path::Path;

use super::SONAME;

/// What a driver makes when it is loaded; `/dev/dxg` is WSL's.
const DEVICES: [&str; 2] = ["/dev/nvidiactl", "/dev/dxg"];
/// Where distributions, containers (`/usr/local/nvidia`), WSL and `NixOS` keep the library.
const FOLDERS: [&str; 9] = [
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/usr/lib/nvidia",
    "/usr/local/nvidia/lib64",
    "/usr/local/nvidia/lib",
    "/usr/lib/wsl/lib",
    "/run/opengl-driver/lib",
];

/// Whether it is worth to start a thread that loads it. `path` is the setting; a bare name is the loader's to find.
pub fn is_likely(path: Option<&OsStr>) -> bool {
    if let Some(path) = path.map(Path::new) {
        return path.components().count() == 1 || path.exists();
    }
    let preferred = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    DEVICES.iter().any(|device| Path::new(device).exists())
        || FOLDERS.iter().any(|folder| Path::new(folder).join(SONAME).exists())
        || std::env::split_paths(&preferred).any(|folder| folder.is_absolute() && folder.join(SONAME).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_does_not_exist_is_not_worth_a_thread_and_a_file_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SONAME);
        assert!(!is_likely(Some(path.as_os_str())));
        std::fs::write(&path, "").unwrap();
        assert!(is_likely(Some(path.as_os_str())));
        assert!(is_likely(Some(OsStr::new(SONAME))));
    }
}
