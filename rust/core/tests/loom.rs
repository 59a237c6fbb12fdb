//! Ring and published words under every interleaving that the memory model allows, up to a bound on preemptions.
//!
//! `make loom`, or `RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=3 cargo test --test loom --release`.
#![cfg(loom)]

use eco2ai_fast_core::published::Published;
use eco2ai_fast_core::ring::{Entries, Entry, Ring};
use loom::sync::Arc;
use loom::sync::atomic::Ordering;
use loom::thread;

fn entry(value: u64) -> Entry {
    Entry { t_ns: value, half_ns: value, total: value, estimated: value, uncovered_ns: value }
}

#[test]
fn a_reader_of_the_ring_gets_whole_entries_or_none() {
    loom::model(|| {
        let ring = Arc::new(Ring::new(2));
        ring.push(&entry(0));
        let writer = {
            let ring = ring.clone();
            thread::spawn(move || (1..4).for_each(|value| ring.push(&entry(value))))
        };
        for number in ring.oldest()..ring.pushed() {
            if let Some(found) = ring.get(number) {
                assert_eq!(found, entry(number));
            }
        }
        writer.join().unwrap();
        assert_eq!([0, 1, 2, 3].map(|number| ring.get(number)), [None, None, Some(entry(2)), Some(entry(3))]);
    });
}

#[test]
fn what_the_ring_counts_as_pushed_can_be_read_until_it_is_overwritten() {
    loom::model(|| {
        let ring = Arc::new(Ring::new(2));
        let writer = {
            let ring = ring.clone();
            thread::spawn(move || (0..2).for_each(|value| ring.push(&entry(value))))
        };
        let pushed = ring.pushed();
        (0..pushed).for_each(|number| assert_eq!(ring.get(number), Some(entry(number))));
        writer.join().unwrap();
    });
}

/// Two words that belong together: a value and its double.
fn words(value: u64) -> impl Iterator<Item = u64> {
    [value, 2 * value].into_iter()
}

fn read(published: &Published) -> Option<[u64; 2]> {
    let mut copy = [0; 2];
    published.read(|words| copy = [0, 1].map(|index: usize| words[index].load(Ordering::Relaxed))).then_some(copy)
}

#[test]
fn published_words_are_read_together_or_not_at_all_even_when_lapped() {
    loom::model(|| {
        let published = Arc::new(Published::new(2));
        published.publish(words(1));
        let writer = {
            let published = published.clone();
            // The model checker's two slots are lapped by the second of these.
            thread::spawn(move || (2..5).for_each(|value| published.publish(words(value))))
        };
        let mut last = 1;
        for _ in 0..2 {
            if let Some([value, double]) = read(&published) {
                assert_eq!(double, 2 * value);
                assert!(value >= last, "older than before");
                last = value;
            }
        }
        writer.join().unwrap();
        assert_eq!(read(&published), Some([4, 8]));
    });
}
