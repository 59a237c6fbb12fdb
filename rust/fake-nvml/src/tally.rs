//! Who called what, and how often: a meter's own cost, and the proof that no call was made on a certain thread.

use std::sync::atomic::{AtomicU64, Ordering};

/// Distinct function names and threads that are counted apart.
const PLACES: usize = 256;

/// Counts without locks, so that a fork in the middle of a call leaves nothing held.
#[derive(Debug)]
pub struct Tally {
    functions: [AtomicU64; PLACES],
    /// Thread id and count of calls.
    threads: [(AtomicU64, AtomicU64); PLACES],
}

impl Tally {
    /// A tally of nothing.
    pub const fn new() -> Self {
        Self {
            functions: [const { AtomicU64::new(0) }; PLACES],
            threads: [const { (AtomicU64::new(0), AtomicU64::new(0)) }; PLACES],
        }
    }

    /// Counts a call of the function with this number by this thread.
    pub fn count(&self, function: usize, thread: u64) {
        // Relaxed throughout: counts that order nothing.
        if let Some(calls) = self.functions.get(function) {
            calls.fetch_add(1, Ordering::Relaxed);
        }
        let own = |place: &&(AtomicU64, AtomicU64)| {
            let taken = place.0.compare_exchange(0, thread, Ordering::Relaxed, Ordering::Relaxed);
            taken.is_ok() || place.0.load(Ordering::Relaxed) == thread
        };
        if let Some(place) = self.threads.iter().find(own) {
            place.1.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Calls of one function.
    pub fn calls(&self, function: usize) -> u64 {
        self.functions.get(function).map_or(0, |calls| calls.load(Ordering::Relaxed))
    }

    /// Calls of all functions.
    pub fn total(&self) -> u64 {
        self.functions.iter().map(|calls| calls.load(Ordering::Relaxed)).sum()
    }

    /// Calls by one thread.
    pub fn calls_by(&self, thread: u64) -> u64 {
        let own = self.threads.iter().find(|place| place.0.load(Ordering::Relaxed) == thread);
        own.map_or(0, |place| place.1.load(Ordering::Relaxed))
    }

    /// Starts again from zero.
    pub fn clear(&self) {
        for calls in &self.functions {
            calls.store(0, Ordering::Relaxed);
        }
        for (thread, calls) in &self.threads {
            thread.store(0, Ordering::Relaxed);
            calls.store(0, Ordering::Relaxed);
        }
    }

    /// `{"calls": {name: count}, "threads": {id: count}}` with the names of the functions by number.
    pub fn json(&self, names: &[&str]) -> String {
        let calls = names.iter().enumerate().map(|(place, name)| ((*name).to_owned(), self.calls(place)));
        let threads = self
            .threads
            .iter()
            .map(|(thread, calls)| (thread.load(Ordering::Relaxed).to_string(), calls.load(Ordering::Relaxed)));
        format!("{{\"calls\": {}, \"threads\": {}}}\n", object(calls), object(threads))
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

/// What was counted at all, as a JSON object. Names are identifiers and numbers: nothing to escape.
fn object(entries: impl Iterator<Item = (String, u64)>) -> String {
    let counted = entries.filter(|(_, count)| *count > 0);
    let cells: Vec<String> = counted.map(|(name, count)| format!("\"{name}\": {count}")).collect();
    format!("{{{}}}", cells.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_function_and_by_thread() {
        let tally = Tally::new();
        tally.count(1, 40);
        tally.count(1, 41);
        tally.count(0, 41);
        assert_eq!((tally.calls(1), tally.total(), tally.calls_by(41), tally.calls_by(42)), (2, 3, 2, 0));
        assert_eq!(tally.json(&["a", "b"]), "{\"calls\": {\"a\": 1, \"b\": 2}, \"threads\": {\"40\": 1, \"41\": 2}}\n");
        tally.clear();
        assert_eq!(tally.total(), 0);
    }
}
