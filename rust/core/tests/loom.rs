//! Ring and snapshot under every interleaving that the memory model allows, up to a bound on preemptions.
//!
//! `make loom`, or `RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=2 cargo test --test loom --release`.
#![cfg(loom)]

use eco2ai_fast_core::counter::State;
use eco2ai_fast_core::ring::{Entry, Ring};
use eco2ai_fast_core::snapshot::Snapshot;
use loom::sync::Arc;
use loom::thread;

fn entry(value: u64) -> Entry {
    Entry { t_ns: value, half_ns: value, total: value, estimated: value, uncovered_ns: value }
}

fn state(value: u64) -> State {
    State { raw: value, t_ns: value, total: value, edge_ns: value, known: true, ..State::default() }
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

#[test]
fn a_reader_of_the_snapshot_never_sees_half_a_state_nor_an_older_one_even_when_lapped() {
    loom::model(|| {
        let snapshot = Arc::new(Snapshot::new(1));
        snapshot.publish(&[state(1)]);
        let writer = {
            let snapshot = snapshot.clone();
            // The model checker's snapshot has two slots: the second publication writes over the one being read.
            thread::spawn(move || (2..4).for_each(|value| snapshot.publish(&[state(value)])))
        };
        let mut states = [State::default()];
        if snapshot.read(&mut states) {
            assert_eq!(states, [state(states[0].raw)]);
            assert!(states[0].raw >= 1);
        }
        writer.join().unwrap();
        assert!(snapshot.read(&mut states));
        assert_eq!(states, [state(3)]);
    });
}
