//! Our way and a bare one, taking turns in one run: the ratio is the news, not the time.
#![allow(dead_code)] // each bench uses a part of it

use std::fs::{self, File};
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::Criterion;

/// Rounds of the ratio, and calls in each: enough that the median is steady on a busy machine.
const ROUNDS: usize = 41;
const CALLS: u64 = 5_000;

/// Prints the median and spread of the ratio of two works that take turns, then hands both to criterion.
///
/// `tidy` runs between rounds and is not timed.
pub fn beside(
    criterion: &mut Criterion,
    name: &str,
    mut ours: impl FnMut(),
    mut bare: impl FnMut(),
    mut tidy: impl FnMut(),
) {
    let mut rounds: Vec<(f64, Duration, Duration)> = (0..ROUNDS)
        .map(|_| {
            tidy();
            let (ours, bare) = (timed(&mut ours, CALLS), timed(&mut bare, CALLS));
            (ours.as_secs_f64() / bare.as_secs_f64(), ours, bare)
        })
        .collect();
    rounds.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (median, ours_took, bare_took) = rounds[ROUNDS / 2];
    let (low, high) = (rounds[ROUNDS / 10].0, rounds[ROUNDS * 9 / 10].0);
    let each = |took: Duration| took.as_nanos() as f64 / CALLS as f64;
    println!(
        "{name}: {median:.2} times a bare one (p10 {low:.2}, p90 {high:.2}); {:.1} ns beside {:.1} ns",
        each(ours_took),
        each(bare_took)
    );
    criterion.bench_function(name, |bencher| bencher.iter_custom(|calls| in_rounds(calls, &mut ours, &mut tidy)));
    let name = format!("{name}, bare");
    criterion.bench_function(&name, |bencher| bencher.iter_custom(|calls| in_rounds(calls, &mut bare, &mut tidy)));
}

fn timed(work: &mut impl FnMut(), calls: u64) -> Duration {
    let start = Instant::now();
    (0..calls).for_each(|_| work());
    start.elapsed()
}

fn in_rounds(calls: u64, work: &mut impl FnMut(), tidy: &mut impl FnMut()) -> Duration {
    let mut took = Duration::ZERO;
    let mut left = calls;
    while left > 0 {
        tidy();
        let round = left.min(CALLS);
        took += timed(work, round);
        left -= round;
    }
    took
}

/// What criterion shall take its time for.
pub fn settings() -> Criterion {
    Criterion::default().warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1))
}

/// Writes a file of an emulated tree.
pub fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Opens the counter of a powercap zone of the tree.
pub fn counter(root: &Path, zone: &str) -> File {
    File::open(root.join(format!("sys/class/powercap/intel-rapl:{zone}/energy_uj"))).unwrap()
}

/// Writes a powercap zone.
pub fn zone(root: &Path, id: &str, name: &str) {
    write(root, &format!("sys/class/powercap/intel-rapl:{id}/name"), name);
    write(root, &format!("sys/class/powercap/intel-rapl:{id}/energy_uj"), "123456789012\n");
    write(root, &format!("sys/class/powercap/intel-rapl:{id}/max_energy_range_uj"), "262143328850\n");
}

/// One pread for each file into one buffer: what no reader of powercap can do without.
pub fn bare_preads(files: &[File]) {
    let mut text = [0; 32];
    for file in files {
        black_box(file.read_at(&mut text, 0).unwrap());
    }
    black_box(&text);
}
