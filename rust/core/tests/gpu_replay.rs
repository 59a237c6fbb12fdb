//! Recorded cards through the same code as a live one: what an RTX 3090 showed, against an external meter.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test that cannot go on may panic; figures are for the reader

use std::path::PathBuf;

use eco2ai_fast_core::gpu::calibration::Calibration;
use eco2ai_fast_core::gpu::lane::Lane;
use eco2ai_fast_core::source::nvml::code::Code;
use eco2ai_fast_core::source::nvml::poll::Reading;
use eco2ai_fast_core::source::nvml::probe::{Gauge, Offer, Route, Scope};
use fake_nvml::trace;
use fake_nvml::wave::Wave;

/// When the load of the step trace began, on the trace's axis (`rtx3090_step_load.csv`, its first line).
const STEP_S: f64 = 1.050_236;
/// The traces' zero on the lane's clock.
const EPOCH_S: f64 = 100.0;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/gpu").join(name)
}

fn meter(name: &str) -> Wave {
    Wave::through(&trace::read(&fixture(&format!("{name}_meter.csv")), "power_w").unwrap(), None).unwrap()
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // times and powers of the traces
fn ns(t_s: f64) -> u64 {
    ((t_s + EPOCH_S) * 1e9).round() as u64
}

/// A lane that has seen all polls of a trace.
fn replay(name: &str, column: &str, calibration: Calibration) -> Lane {
    let none = Err(Code::NOT_SUPPORTED);
    let is_average = column == "average_w";
    let offer = Offer {
        energy: none,
        energy_scope: Scope::Gpu,
        instant: if is_average { none } else { Ok(Route::Call) },
        instant_gauge: Gauge::Full,
        average: if is_average { Ok(Route::Call) } else { none },
        memory_power: none,
        module_power: none,
        module_energy: none,
    };
    let mut lane = Lane::new(offer, None, calibration);
    let absent = Err(Code::NOT_SUPPORTED);
    for (t_s, shown_w) in trace::read(&fixture(&format!("{name}_nvml.csv")), column).unwrap() {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // times and powers of the traces
        let shown_mw = Ok((shown_w * 1e3).round() as u64);
        lane.take(&Reading {
            before_ns: ns(t_s),
            after_ns: ns(t_s),
            energy_mj: absent,
            instant_mw: if is_average { absent } else { shown_mw },
            average_mw: if is_average { shown_mw } else { absent },
            memory_mw: absent,
            module_mw: absent,
            module_mj: absent,
        });
    }
    lane
}

/// The card's gain and offset from its square trace: each update's reading against the meter's mean over its period.
fn fitted() -> Calibration {
    let truth = meter("rtx3090_square");
    let lane = replay("rtx3090_square", "instant_w", Calibration::default());
    let ticks = lane.meter().ticks();
    let seconds = |t_ns: u64| t_ns as f64 / 1e9 - EPOCH_S;
    let pairs: Vec<(f64, f64)> = (ticks.first_number() + 1..ticks.next_number())
        .filter_map(|number| {
            let (from_s, to_s) = (seconds(ticks.get(number - 1)?.t_ns), seconds(ticks.get(number)?.t_ns));
            (from_s > 0.2 && to_s < 9.0).then(|| (truth.mean_w(from_s, to_s), ticks.power_before_w(number).unwrap()))
        })
        .collect();
    assert!(pairs.len() > 70, "{}", pairs.len());
    Calibration::fit(&pairs).unwrap()
}

#[test]
fn the_rhythm_of_a_recorded_card_is_learned_from_polls_7_ms_apart() {
    let lane = replay("rtx3090_square", "instant_w", Calibration::default());
    let beat = lane.meter().rhythm().beat().unwrap();
    println!("RTX 3090: period {:.2} ms, spread {:.2} ms", beat.period_ns / 1e6, beat.spread_ns / 1e6);
    assert!((beat.period_ns / 1e6 - 100.0).abs() < 1.0);
    let beat = replay("a100_square", "instant_w", Calibration::default()).meter().rhythm().beat().unwrap();
    println!("A100: period {:.2} ms, spread {:.2} ms", beat.period_ns / 1e6, beat.spread_ns / 1e6);
    // 125 changes in 12.6 s; most polls find them 104 ms apart, some 92 ms: the poll's own grain of 13 ms.
    assert!((beat.period_ns / 1e6 - 101.0).abs() < 0.5);
}

#[test]
fn the_first_second_of_load_of_an_rtx_3090_is_within_one_per_cent_of_the_external_meter() {
    let calibration = fitted();
    println!("RTX 3090: gain {:.4}, offset {:.2} W", calibration.gain, calibration.offset_w);
    assert!((calibration.gain - 0.953).abs() < 0.02 && calibration.offset_w.abs() < 8.0);
    let lane = replay("rtx3090_step", "instant_w", calibration);
    let closed = lane.window(ns(STEP_S), ns(STEP_S + 1.0)).unwrap();
    let truth = meter("rtx3090_step");
    let true_j = truth.energy_j(STEP_S + 1.0) - truth.energy_j(STEP_S);
    println!(
        "first second of load: {:.2} J of {true_j:.2} J ({:+.2} %), {:?} to {:?}, bound {:.2} J",
        closed.energy_j,
        100.0 * (closed.energy_j / true_j - 1.0),
        closed.begin,
        closed.end,
        closed.bound_j
    );
    assert!((closed.energy_j / true_j - 1.0).abs() < 0.01);
}

#[test]
fn windows_anywhere_in_the_step_trace_are_within_their_bound_or_two_per_cent() {
    let lane = replay("rtx3090_step", "instant_w", fitted());
    let truth = meter("rtx3090_step");
    let mut squares = Vec::new();
    for step in 0..100 {
        let from_s = 0.5 + 0.115 * f64::from(step);
        let closed = lane.window(ns(from_s), ns(from_s + 1.0)).unwrap();
        let error_j = closed.energy_j - (truth.energy_j(from_s + 1.0) - truth.energy_j(from_s));
        squares.push((error_j / closed.energy_j).powi(2));
        assert!(error_j.abs() <= closed.bound_j + 0.02 * closed.energy_j, "{from_s} s: {error_j} J, {closed:?}");
    }
    println!("windows of 1 s: rms {:.2} %", 100.0 * (squares.iter().sum::<f64>() / squares.len() as f64).sqrt());
}

#[test]
fn even_the_one_second_average_tells_the_first_second_of_load_within_five_per_cent() {
    let lane = replay("rtx3090_step", "average_w", fitted());
    let truth = meter("rtx3090_step");
    let true_j = truth.energy_j(STEP_S + 1.0) - truth.energy_j(STEP_S);
    let closed = lane.window(ns(STEP_S), ns(STEP_S + 1.0)).unwrap();
    println!(
        "by the 1 s average: {:.2} J of {true_j:.2} J ({:+.2} %), {:?} to {:?}, bound {:.2} J",
        closed.energy_j,
        100.0 * (closed.energy_j / true_j - 1.0),
        closed.begin,
        closed.end,
        closed.bound_j
    );
    assert!((closed.energy_j / true_j - 1.0).abs() < 0.05);
}
