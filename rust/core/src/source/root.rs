//! The prefix in front of /sys, /proc and /dev: the machine itself, a container's mount, or a recorded tree.

use std::fs::{File, read_dir, read_to_string};
use std::io;
use std::path::{Path, PathBuf};

/// Where the kernel's trees are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root(PathBuf);

impl Default for Root {
    fn default() -> Self {
        Self::new("/")
    }
}

impl Root {
    /// A root at `prefix`; `/` is the machine itself.
    pub fn new(prefix: impl Into<PathBuf>) -> Self {
        Self(prefix.into())
    }

    /// Whether this is the machine itself.
    pub fn is_machine(&self) -> bool {
        self.0 == Path::new("/")
    }

    /// An absolute path of the kernel, below this root.
    pub fn path(&self, absolute: &str) -> PathBuf {
        self.0.join(absolute.trim_start_matches('/'))
    }

    /// The text of a small kernel file, without the newline at its end.
    pub fn text(&self, absolute: &str) -> io::Result<String> {
        read_to_string(self.path(absolute)).map(|text| text.trim_end().to_owned())
    }

    /// The number in a kernel file; `None` if there is no such file or no number in it.
    pub fn number(&self, absolute: &str) -> Option<u64> {
        decimal(&self.text(absolute).ok()?)
    }

    /// Opens a kernel file for reading.
    pub fn open(&self, absolute: &str) -> io::Result<File> {
        File::open(self.path(absolute))
    }

    /// The names in a directory, sorted; empty where there is none.
    pub fn names(&self, absolute: &str) -> Vec<String> {
        let Ok(entries) = read_dir(self.path(absolute)) else {
            return Vec::new();
        };
        let mut names: Vec<String> =
            entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }
}

/// Digits as the kernel prints a number, and nothing else: `parse` would take a sign.
pub fn decimal<T: std::str::FromStr>(text: &str) -> Option<T> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_text_makes_a_number_that_it_does_not_spell(text in "[+-]?[0-9]{0,12}|.*") {
            let spelled = text.trim_start_matches('0');
            if let Some(number) = decimal::<u32>(&text) {
                prop_assert!(number.to_string() == spelled || number == 0 && spelled.is_empty());
            }
        }
    }
}
