//! How far off are windows on a GPU, and what does learning cost? In simulated time, against closed forms.
//!
//! `cargo bench -p eco2ai-fast-core --bench gpu_windows [-- SEED]` prints one line for each load, in under a minute.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)] // figures are for the reader

#[path = "../tests/card/mod.rs"]
mod card;

use card::{Card, bursts, follow, report};
use eco2ai_fast_core::gpu::common::Marks;
use eco2ai_fast_core::source::nvml::probe::Gauge;
use fake_nvml::random;

const PART_TIME: Gauge = Gauge::PartTime(25_000_000);
const SQUARE: &str = r#"{"shape":"square","low_w":100,"high_w":600,"period_s":0.37}"#;
const RAMP: &str = r#"{"shape":"points","points":[[0,100],[3,100],[13,600]]}"#;

fn main() {
    let seed = std::env::args().find_map(|one| one.parse().ok()).unwrap_or(424_243);
    println!("counter of 100 ms, jitter 0.5 ms, seed {seed}");
    for duration_s in [0.030, 0.150, 0.500] {
        let (wave, windows) = bursts(duration_s, 400, seed);
        report(&format!("burst 90 to 700 W of {:.0} ms", duration_s * 1e3), &follow(&mut card(&wave, seed), &windows));
    }
    report(
        "constant 300 W, 1 s",
        &follow(&mut card(r#"{"shape":"constant","power_w":300}"#, seed), &scattered(1.0, seed)),
    );
    report("square 100/600 W of 370 ms, 10 s", &follow(&mut card(SQUARE, seed), &scattered(10.0, seed)));
    let mut ramps = card::Errors::default();
    for phase in 0..30 {
        let one = follow(&mut card(RAMP, seed * 100 + phase), &[(3.0, 13.0)]);
        ramps.early.extend(one.early);
        ramps.settled.extend(one.settled);
        ramps.waits_s.extend(one.waits_s);
        ramps.within += one.within;
    }
    report("ramp 100 to 600 W, 10 s", &ramps);
    let periods: Vec<_> = (11..411).map(|k| (0.37 * f64::from(k), 0.37 * f64::from(k + 1))).collect();
    report("one period of it, back to back", &follow(&mut card(SQUARE, seed), &periods));
    calls(seed);
    shares(seed);
}

fn card(wave: &str, seed: u64) -> Card {
    let phase_ms = 100.0 * random::unit(seed, -1);
    let counter = format!(r#""counter":{{"phase_ms":{phase_ms},"seed":{seed}}}"#);
    Card::new(&format!(r#"{{"wave":{wave},{counter}}}"#), PART_TIME, 0.013, seed)
}

fn scattered(duration_s: f64, seed: u64) -> Vec<(f64, f64)> {
    let begin = |index: i64| 4.0 + index as f64 * (duration_s + 0.5) + 0.4 * random::unit(seed, index);
    (0..60).map(|index| (begin(index), begin(index) + duration_s)).collect()
}

fn calls(seed: u64) {
    let mut card = card(SQUARE, seed);
    card.run(2.0, |_, _| {});
    let (first, learned) = card.lane.looks();
    card.run(62.0, |_, _| {});
    let rate = (card.lane.looks().0 - first) as f64 / 60.0;
    println!(
        "looks (one batched NVML call each): {first} in the first 2 s, rhythm known after {learned:?}, {rate:.1} a second after"
    );
}

/// 64 requests on a varying load: parts of one curve against the truth.
fn shares(seed: u64) {
    let mut card = card(r#"{"shape":"telegraph","low_w":100,"high_w":650,"mean_s":0.08,"seed":99}"#, seed);
    card.run(40.0, |_, _| {});
    let t_ns: Vec<u64> = (0..64).map(|index| card::ns(5.0 + 28.0 * random::unit(seed, index))).collect();
    let mut marks: Vec<u64> = t_ns.iter().flat_map(|t_ns| [*t_ns, t_ns + 2_000_000_000]).collect();
    marks.extend([card::ns(5.0), card::ns(35.0)]);
    marks.sort_unstable();
    marks.dedup();
    let is_active: Vec<bool> =
        marks.iter().map(|at_ns| t_ns.iter().any(|t_ns| t_ns <= at_ns && *at_ns < t_ns + 2_000_000_000)).collect();
    let heights = card.lane.heights(Marks { t_ns: &marks, is_active: &is_active }).unwrap();
    let sum_uj: i64 = heights.windows(2).map(|pair| pair[1].energy_uj - pair[0].energy_uj).sum();
    let whole_uj = heights[heights.len() - 1].energy_uj - heights[0].energy_uj;
    let true_j = card.device.true_energy_j(5.0, 35.0);
    let error = 100.0 * (whole_uj as f64 / 1e6 / true_j - 1.0);
    println!(
        "64 overlapping requests: parts and rest less the whole {} uJ; {error:+.3} % of the truth",
        sum_uj - whole_uj
    );
}
