//! What each step of the hot path costs beside the least that anybody would have to do for it, in the same run.
//!
//! The clock, one bracketed read, the published states (seqlock), the history (ring), the marks of a span, a tick and a
//! window. The read of a group by perf stands in `read.rs`, the thread that sleeps between ticks in `sampler.rs`.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)] // a bench: its output is for people

use std::cell::Cell;
use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use criterion::{Criterion, criterion_group, criterion_main};
use eco2ai_fast_core::choice;
use eco2ai_fast_core::clock::{Clock, Monotonic};
use eco2ai_fast_core::counter::State;
use eco2ai_fast_core::error::Fault;
use eco2ai_fast_core::meter::Meter;
use eco2ai_fast_core::panel::Panel;
use eco2ai_fast_core::ring::{Entry, Ring};
use eco2ai_fast_core::sample::Sample;
use eco2ai_fast_core::snapshot::{BRIEF, Snapshot};
use eco2ai_fast_core::source::root::Root;
use eco2ai_fast_core::source::{self, ModelFigures, Source, Wanted};
use eco2ai_fast_core::span::Spans;

mod beside;
use beside::{bare_preads, beside, counter, zone};

const DOMAINS: usize = 8;
/// Words of a span's two marks in a log.
const MARK_WORDS: usize = 7;

fn nothing() {}

fn clock(criterion: &mut Criterion) {
    let clock: Arc<dyn Clock> = Arc::new(Monotonic);
    let ours = || {
        black_box(clock.now_ns());
    };
    let bare = || {
        black_box(Instant::now());
    };
    beside(criterion, "clock", ours, bare, nothing);
}

/// A counter read once between two looks at the clock.
fn bracketed_read(criterion: &mut Criterion) {
    let machine = machine(1);
    let file = counter(machine.path(), "0");
    let clock: Arc<dyn Clock> = Arc::new(Monotonic);
    let read = || {
        let mut text = [0; 32];
        file.read_at(&mut text, 0).map(|length| black_box(&text)[..length].len() as u64)
    };
    let ours = || {
        black_box(Sample::bracket(&*clock, || read().map_err(|error| Fault::from(&error))));
    };
    let bare = || {
        let before = Instant::now();
        let count = read().unwrap();
        black_box((before, count, Instant::now()));
    };
    beside(criterion, "bracketed read", ours, bare, nothing);
}

/// A reader's copy of eight published states, beside loads of as many words that nobody guards.
fn seqlock(criterion: &mut Criterion) {
    let snapshot = Snapshot::new(DOMAINS);
    snapshot.publish(&[State::default(); DOMAINS]);
    let plain: Vec<AtomicU64> = (0..DOMAINS * BRIEF).map(|_| AtomicU64::new(0)).collect();
    let (mut ours, mut bare) = (Vec::with_capacity(DOMAINS * BRIEF), Vec::with_capacity(DOMAINS * BRIEF));
    let copy = || {
        ours.clear();
        assert!(snapshot.copy(black_box(&mut ours)));
    };
    let loads = || {
        bare.clear();
        black_box(&mut bare).extend(plain.iter().map(|word| word.load(Ordering::Relaxed)));
    };
    beside(criterion, "seqlock read, eight domains", copy, loads, nothing);
    let states = [State::default(); DOMAINS];
    let mut room = [State::default(); DOMAINS];
    let bare = || black_box(&mut room).copy_from_slice(black_box(&states));
    beside(criterion, "seqlock publication, eight domains", || snapshot.publish(black_box(&states)), bare, nothing);
}

/// A change appended to the history, beside the same words stored where they belong.
fn ring(criterion: &mut Criterion) {
    const KEPT: usize = 1 << 14;
    let ring = Ring::new(KEPT);
    let mut plain = vec![Entry::default(); KEPT];
    let entry = |t_ns| Entry { t_ns, half_ns: 1, total: t_ns, estimated: 0, uncovered_ns: 0 };
    let (mut t_ns, mut place) = (0, 0);
    let ours = || {
        t_ns += 1;
        ring.push(&entry(black_box(t_ns)));
    };
    let bare = || {
        place += 1;
        plain[place % KEPT] = entry(black_box(place as u64));
        black_box(&mut plain[place % KEPT]);
    };
    beside(criterion, "ring push", ours, bare, nothing);
}

/// Begin and end of a span, beside two looks at the clock and as many words stored in a plain buffer.
fn span(criterion: &mut Criterion) {
    let clock: Arc<dyn Clock> = Arc::new(Monotonic);
    let spans = Spans::new(&[], &clock, 1 << 16, || ());
    let ours = || {
        let id = spans.begin(1, None);
        spans.end(id, spans.now_ns(), false, &[]);
    };
    let buffer = vec![Cell::new(0); 1 << 16];
    let mut at = 0;
    let bare = || {
        let marks = [1, 2, 3, Monotonic.now_ns(), 4, 5, Monotonic.now_ns()];
        at = if at + MARK_WORDS > buffer.len() { 0 } else { at };
        buffer[at..].iter().zip(marks).for_each(|(slot, word)| slot.set(word));
        at += MARK_WORDS;
    };
    beside(criterion, "span, both marks", ours, bare, || spans.forget().unwrap());
}

/// Every meter read, followed, recorded and published, beside the preads alone.
fn tick(criterion: &mut Criterion) {
    let machine = machine(DOMAINS);
    let files: Vec<File> = (0..DOMAINS).map(|id| counter(machine.path(), &id.to_string())).collect();
    let mut sources = powercap(machine.path());
    let domains = choice::choose(&mut sources, &[]);
    assert_eq!(domains.len(), DOMAINS);
    let panel = Panel::new(Arc::new(Monotonic), sources, domains);
    panel.record();
    let mut buffers = panel.buffers();
    beside(
        criterion,
        "tick, eight domains",
        || {
            panel.tick(&mut buffers);
        },
        || bare_preads(&files),
        nothing,
    );
}

/// Both ends of a direct window, beside the preads of both ends.
fn window(criterion: &mut Criterion) {
    let machine = machine(DOMAINS);
    let files: Vec<File> = (0..DOMAINS).map(|id| counter(machine.path(), &id.to_string())).collect();
    let meter = Meter::with_sources(powercap(machine.path()), Arc::new(Monotonic));
    let mut window = meter.window();
    let ours = || {
        window.begin().unwrap();
        black_box(window.end().unwrap());
    };
    let bare = || {
        bare_preads(&files);
        bare_preads(&files);
    };
    beside(criterion, "window, eight domains", ours, bare, nothing);
}

fn machine(packages: usize) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    beside::write(directory.path(), "proc/cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\n");
    (0..packages).for_each(|id| zone(directory.path(), &id.to_string(), &format!("package-{id}")));
    directory
}

fn powercap(root: &Path) -> Vec<Box<dyn Source>> {
    let found = source::discover(&Root::new(root), Wanted::Powercap, &ModelFigures::default()).unwrap();
    found.sources.into_iter().filter(|source| source.name() == "powercap").collect()
}

criterion_group! {
    name = benches;
    config = beside::settings();
    targets = clock, bracketed_read, seqlock, ring, span, tick, window
}
criterion_main!(benches);
