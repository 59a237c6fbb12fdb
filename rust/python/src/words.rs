//! The codes of words: names of spans, keys of attributes, and attributes and lanes that are words.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

/// Words beyond this many are recorded as [`OTHER`]: a name that holds a request's number belongs into an attribute.
const MOST_WORDS: usize = 1 << 16;
const OTHER: &str = "(other names)";
/// Words that are recognised by the address of their object: names in a program are constants.
const SLOTS: usize = 1 << 10;
/// Places in which a word is looked for.
const TRIES: usize = 4;
/// 2^64 over the golden ratio: spreads addresses (Knuth, The Art of Computer Programming, volume 3, section 6.4).
const SPREAD: usize = 0x9E37_79B9_7F4A_7C15;

/// Words and their codes. The interpreter's lock orders all accesses, so the atomics are relaxed.
pub struct Words {
    /// From word to code, in the order of the codes. Its keys are never dropped, so their addresses stay theirs.
    codes: Py<PyDict>,
    /// Addresses of keys, and their codes.
    known: Box<[(AtomicUsize, AtomicU32)]>,
    lane: Py<PyString>,
}

impl Words {
    pub fn new(py: Python<'_>) -> Self {
        Self {
            codes: PyDict::new(py).unbind(),
            known: (0..SLOTS).map(|_| (AtomicUsize::new(0), AtomicU32::new(0))).collect(),
            lane: PyString::intern(py, "lane").unbind(),
        }
    }

    /// The code of a word, a new one if need be.
    pub fn code(&self, word: &Bound<'_, PyString>) -> PyResult<u32> {
        match self.slot(word) {
            Some(slot) => Ok(self.known[slot].1.load(Ordering::Relaxed)),
            None => self.look_up(word),
        }
    }

    /// Whether a keyword is `lane`.
    pub fn is_lane(&self, key: &Bound<'_, PyString>) -> bool {
        // Keywords written in a call are interned; others compare by their letters.
        key.as_ptr() == self.lane.as_ptr() || (self.slot(key).is_none() && key == "lane")
    }

    /// All words, in the order of their codes.
    pub fn list<'py>(&self, py: Python<'py>) -> Bound<'py, PyList> {
        self.codes.bind(py).keys()
    }

    fn slot(&self, word: &Bound<'_, PyString>) -> Option<usize> {
        let address = word.as_ptr() as usize;
        slots(address).find(|slot| self.known[*slot].0.load(Ordering::Relaxed) == address)
    }

    #[cold]
    fn look_up(&self, word: &Bound<'_, PyString>) -> PyResult<u32> {
        let codes = self.codes.bind(word.py());
        if let Some(code) = codes.get_item(word)? {
            return code.extract();
        }
        let other = PyString::new(word.py(), OTHER);
        let word = if codes.len() < MOST_WORDS { word } else { &other };
        let code = codes.call_method1("setdefault", (word, codes.len()))?.extract()?;
        if codes.len() < MOST_WORDS {
            self.remember(word.as_ptr() as usize, code);
        }
        Ok(code)
    }

    /// Notes the address of a key of `codes`, if one of its places is free.
    fn remember(&self, address: usize, code: u32) {
        if let Some(slot) = slots(address).find(|slot| self.known[*slot].0.load(Ordering::Relaxed) == 0) {
            self.known[slot].1.store(code, Ordering::Relaxed);
            self.known[slot].0.store(address, Ordering::Relaxed);
        }
    }
}

/// The places of an address.
fn slots(address: usize) -> impl Iterator<Item = usize> {
    let first = (address.wrapping_mul(SPREAD) >> 40) % SLOTS;
    (first..first + TRIES).map(|slot| slot % SLOTS)
}
