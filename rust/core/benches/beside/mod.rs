//! Our way and a bare one, taking turns in one run: the ratio is the news, not the time.
#![allow(dead_code)] // each bench uses a part of it

use std::fs::{self, File};
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::Criterion;

/// Rounds of the ratio: so many that the median is steady on a busy machine.
const ROUNDS: usize = 401;
/// How long half a round lasts: far below the scheduler's slice, so that most halves are not interrupted.
const HALF: Duration = Duration::from_micros(200);
/// Calls between two of criterion's looks at the clock.
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
    let calls = calls_in_half(&mut bare);
    let (mut ours_ns, mut bare_ns, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        tidy();
        let [ours, bare] = [timed(&mut ours, calls), timed(&mut bare, calls)].map(|took| took.as_nanos() as f64);
        ours_ns.push(ours / calls as f64);
        bare_ns.push(bare / calls as f64);
        ratios.push(ours / bare);
    }
    let [low, median, high] = [1, 5, 9].map(|tenths| quantile(&mut ratios, tenths));
    let [ours_ns, bare_ns] = [&mut ours_ns, &mut bare_ns].map(|times| quantile(times, 5));
    println!(
        "{name}: {median:.2} times a bare one (p10 {low:.2}, p90 {high:.2}); {ours_ns:.1} ns beside {bare_ns:.1} ns"
    );
    criterion.bench_function(name, |bencher| bencher.iter_custom(|calls| in_rounds(calls, &mut ours, &mut tidy)));
    let name = format!("{name}, bare");
    criterion.bench_function(&name, |bencher| bencher.iter_custom(|calls| in_rounds(calls, &mut bare, &mut tidy)));
}

/// How many calls last half a round, by the quickest of some tries.
fn calls_in_half(work: &mut impl FnMut()) -> u64 {
    const TRIED: u64 = 20;
    let quickest_ns = (0..100).map(|_| timed(work, TRIED).as_nanos()).min().unwrap_or(0).max(1);
    let calls = HALF.as_nanos() * u128::from(TRIED) / quickest_ns;
    u64::try_from(calls).unwrap_or(CALLS).clamp(1, 10 * CALLS)
}

fn quantile(values: &mut [f64], tenths: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() * tenths / 10]
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
