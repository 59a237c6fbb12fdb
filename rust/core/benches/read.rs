//! What a read of five domains costs beside a bare loop of system calls on the same descriptors, in the same run.
//!
//! The ratio is the news, not the time: both halves pay the same kernel. powercap is five preads of small files, perf one
//! group read (five software events stand in for RAPL's; cpu-wide they are refused to the unprivileged).
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)] // a bench: its output is for people

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use eco2ai_fast_core::clock::Monotonic;
use eco2ai_fast_core::sample::Sample;
use eco2ai_fast_core::source::root::Root;
use eco2ai_fast_core::source::{self, ModelFigures, Source, Wanted, sys};

const ZONES: [(&str, &str); 5] =
    [("0", "package-0"), ("0:0", "core"), ("0:1", "uncore"), ("0:2", "dram"), ("1", "psys")];
const EVENTS: [&str; 5] = ["energy-pkg", "energy-ram", "energy-cores", "energy-gpu", "energy-psys"];
/// Rounds of the ratio, and reads in each: enough that the median is steady on a busy machine.
const ROUNDS: usize = 41;
const READS: u32 = 5_000;

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn machine() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    write(root, "proc/cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\n");
    for (id, name) in ZONES {
        write(root, &format!("sys/class/powercap/intel-rapl:{id}/name"), name);
        write(root, &format!("sys/class/powercap/intel-rapl:{id}/energy_uj"), "123456789012\n");
        write(root, &format!("sys/class/powercap/intel-rapl:{id}/max_energy_range_uj"), "262143328850\n");
    }
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

/// Five preads into one buffer: what no reader of powercap can do without.
fn bare_preads(files: &[File]) {
    let mut text = [0; 32];
    for file in files {
        black_box(file.read_at(&mut text, 0).unwrap());
    }
    black_box(&text);
}

/// One read of a group of five.
fn bare_group(mut leader: &File) {
    let mut values = [0; 48];
    black_box(leader.read(&mut values).unwrap());
    black_box(&values);
}

/// Median and spread of the ratio of two works that take turns.
fn ratio(name: &str, ours: &mut dyn FnMut(), bare: &mut dyn FnMut()) {
    let time = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..READS).for_each(|_| work());
        start.elapsed() / READS
    };
    let mut ratios = Vec::new();
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let (ours, bare) = (time(ours), time(bare));
        ratios.push(ours.as_secs_f64() / bare.as_secs_f64());
        times.push((ours, bare));
    }
    ratios.sort_by(f64::total_cmp);
    times.sort();
    let (ours, bare) = times[ROUNDS / 2];
    let (low, median, high) = (ratios[ROUNDS / 10], ratios[ROUNDS / 2], ratios[ROUNDS * 9 / 10]);
    println!("{name}: {median:.3} times a bare loop (p10 {low:.3}, p90 {high:.3}); {ours:?} beside {bare:?}");
}

fn reads(criterion: &mut Criterion) {
    let machine = machine();
    let root = machine.path();
    let mut samples = [Sample::default(); 5];
    let powercap = route(root, Wanted::Powercap).unwrap();
    let energy = |id: &str| File::open(root.join(format!("sys/class/powercap/intel-rapl:{id}/energy_uj"))).unwrap();
    let files: Vec<File> = ZONES.iter().map(|(id, _)| energy(id)).collect();
    ratio("powercap, five domains", &mut || powercap.read(&Monotonic, &mut samples), &mut || bare_preads(&files));
    criterion.bench_function("powercap", |bencher| bencher.iter(|| powercap.read(&Monotonic, &mut samples)));
    criterion.bench_function("bare preads", |bencher| bencher.iter(|| bare_preads(&files)));
    let Some(perf) = route(root, Wanted::Perf) else {
        println!("perf: refused here");
        return;
    };
    let leader = sys::perf_event(1, 0, 0, None).unwrap();
    let _members: Vec<File> = (1..5).map(|_| sys::perf_event(1, 0, 0, Some(&leader)).unwrap()).collect();
    ratio("perf, five domains", &mut || perf.read(&Monotonic, &mut samples), &mut || bare_group(&leader));
    criterion.bench_function("perf", |bencher| bencher.iter(|| perf.read(&Monotonic, &mut samples)));
    criterion.bench_function("bare group", |bencher| bencher.iter(|| bare_group(&leader)));
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    targets = reads
}
criterion_main!(benches);
