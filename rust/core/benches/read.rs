//! What a read of five domains costs beside a bare loop of system calls on the same descriptors, in the same run.
//!
//! Both halves pay the same kernel. powercap is five preads of small files, perf one group read (five software events
//! stand in for RAPL's; cpu-wide they are refused to the unprivileged).
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)] // a bench: its output is for people

use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use eco2ai_fast_core::clock::Monotonic;
use eco2ai_fast_core::sample::Sample;
use eco2ai_fast_core::source::root::Root;
use eco2ai_fast_core::source::{self, ModelFigures, Source, Wanted, sys};

mod beside;
use beside::{bare_preads, beside, counter, write, zone};

const ZONES: [(&str, &str); 5] =
    [("0", "package-0"), ("0:0", "core"), ("0:1", "uncore"), ("0:2", "dram"), ("1", "psys")];
const EVENTS: [&str; 5] = ["energy-pkg", "energy-ram", "energy-cores", "energy-gpu", "energy-psys"];

fn machine() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    write(root, "proc/cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\n");
    ZONES.iter().for_each(|(id, name)| zone(root, id, name));
    let pmu = "sys/bus/event_source/devices/power";
    write(root, &format!("{pmu}/type"), "1");
    write(root, &format!("{pmu}/cpumask"), "0");
    for event in EVENTS {
        write(root, &format!("{pmu}/events/{event}"), "event=0x00");
        write(root, &format!("{pmu}/events/{event}.scale"), "1e-9");
        write(root, &format!("{pmu}/events/{event}.unit"), "Joules");
    }
    directory
}

fn route(root: &Path, wanted: Wanted) -> Option<Box<dyn Source>> {
    let found = source::discover(&Root::new(root), wanted, &ModelFigures::default()).ok()?;
    found.sources.into_iter().find(|source| source.channels().len() == 5)
}

/// One read of a group of five.
fn bare_group(mut leader: &File) {
    let mut values = [0; 48];
    black_box(leader.read(&mut values).unwrap());
    black_box(&values);
}

fn reads(criterion: &mut Criterion) {
    let machine = machine();
    let root = machine.path();
    let mut samples = [Sample::default(); 5];
    let powercap = route(root, Wanted::Powercap).unwrap();
    let files: Vec<File> = ZONES.iter().map(|(id, _)| counter(root, id)).collect();
    let ours = || powercap.read(&Monotonic, &mut samples);
    beside(criterion, "powercap, five domains", ours, || bare_preads(&files), || ());
    let Some(perf) = route(root, Wanted::Perf) else {
        println!("perf: refused here");
        return;
    };
    let leader = sys::perf_event(1, 0, 0, None).unwrap();
    let _members: Vec<File> = (1..5).map(|_| sys::perf_event(1, 0, 0, Some(&leader)).unwrap()).collect();
    let ours = || perf.read(&Monotonic, &mut samples);
    beside(criterion, "perf group, five domains", ours, || bare_group(&leader), || ());
}

criterion_group! { name = benches; config = beside::settings(); targets = reads }
criterion_main!(benches);
