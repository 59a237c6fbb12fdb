//! What faults do to a GPU's energy: exact where it can be, estimated and flagged where not, never a silent zero.

#![allow(clippy::unwrap_used)] // a test that cannot go on may panic

mod card;

use card::Card;
use eco2ai_fast_core::gpu::close::Rule;
use eco2ai_fast_core::gpu::instant::Unknown;
use eco2ai_fast_core::gpu::lane::State;
use eco2ai_fast_core::source::nvml::code::Code;
use eco2ai_fast_core::source::nvml::probe::{Gauge, Primary};

fn card(fault: &str) -> Card {
    device(&format!(r#""faults":[{fault}]"#))
}

fn device(settings: &str) -> Card {
    let wave = r#"{"shape":"constant","power_w":300}"#;
    Card::new(&format!(r#"{{"wave":{wave},{settings}}}"#), Gauge::PartTime(25_000_000), 0.01, 9)
}

fn off(card: &Card, from_s: f64, to_s: f64) -> f64 {
    card.window(from_s, to_s).unwrap().energy_j / card.device.true_energy_j(from_s, to_s) - 1.0
}

#[test]
fn a_gpu_that_was_lost_is_bridged_by_its_counter_and_the_time_is_not_covered() {
    let mut card = card(r#"{"kind":"error","code":15,"from_s":10,"to_s":14}"#);
    card.run(40.0, |_, _| {});
    let across = card.window(8.0, 30.0).unwrap();
    assert!(off(&card, 8.0, 30.0).abs() < 0.005, "{}", off(&card, 8.0, 30.0));
    assert!(across.coverage < 0.65 && across.coverage > 0.4, "{}", across.coverage);
    assert!((card.window(5.0, 9.0).unwrap().coverage - 1.0).abs() < 1e-9);
    assert!(off(&card, 5.0, 9.0).abs() < 0.002 && off(&card, 25.0, 39.0).abs() < 0.002);
}

#[test]
fn while_a_gpu_is_lost_its_window_is_what_was_known_and_says_so() {
    let mut card = card(r#"{"kind":"error","code":15,"from_s":10}"#);
    card.run(20.0, |_, _| {});
    assert_eq!(card.lane.state(), State::Gone(Code::GPU_IS_LOST));
    let closed = card.window(8.0, 15.0).unwrap();
    assert_eq!((closed.rule(), closed.is_settled), (Rule::Lost, false));
    assert!((closed.energy_j - 600.0).abs() < 40.0 && closed.coverage < 0.3, "{closed:?}");
    assert!(closed.bound_j > 1400.0, "{closed:?}");
    assert_eq!(card.window(12.0, 15.0), Err(Unknown::Silent));
}

#[test]
fn a_reset_counter_is_bridged_by_the_gauge_and_flagged() {
    let mut card = card(r#"{"kind":"counter_reset","from_s":10.03}"#);
    card.run(20.0, |_, _| {});
    let closed = card.window(8.0, 12.0).unwrap();
    assert_eq!(closed.resets, 1);
    assert!(off(&card, 8.0, 12.0).abs() < 0.01 && closed.estimated_j > 1.0 && closed.coverage < 1.0, "{closed:?}");
    assert_eq!(card.window(13.0, 18.0).unwrap().resets, 0);
}

#[test]
fn passing_refusals_change_nothing() {
    let mut card = card(r#"{"kind":"error","code":3,"one_in":5,"power_only":true}"#);
    card.run(30.0, |_, _| {});
    assert_eq!(card.lane.primary(), Primary::Counter);
    let closed = card.window(5.0, 25.0).unwrap();
    assert!(off(&card, 5.0, 25.0).abs() < 0.002, "{closed:?}");
    assert!((closed.coverage - 1.0).abs() < 1e-9, "{closed:?}");
}

#[test]
fn a_counter_that_refuses_for_good_is_replaced_by_the_gauge() {
    let mut card = device(r#""counter":{}"#);
    card.run(10.0, |_, _| {});
    card.device.config.counter = None;
    card.run(30.0, |_, _| {});
    assert_eq!(card.lane.primary(), Primary::Instant);
    assert!(card.lane.blind_to().is_some());
    let closed = card.window(8.0, 25.0).unwrap();
    assert!(off(&card, 8.0, 25.0).abs() < 0.02 && closed.coverage < 1.0 && closed.estimated_j > 0.0, "{closed:?}");
    assert!(off(&card, 15.0, 25.0).abs() < 0.002);
}

#[test]
fn a_power_of_zero_is_no_power() {
    let mut card = device(r#""counter":null,"average":null,"faults":[{"kind":"zero_power","from_s":10,"to_s":10.25}]"#);
    card.run(20.0, |_, _| {});
    let closed = card.window(8.0, 15.0).unwrap();
    assert!(off(&card, 8.0, 15.0).abs() < 0.005, "{closed:?}");
}

#[test]
fn a_zero_that_stays_is_a_gap_and_not_zero_joules() {
    let mut card = device(r#""counter":null,"faults":[{"kind":"zero_power","from_s":10}]"#);
    card.run(20.0, |_, _| {});
    assert!(matches!(card.lane.state(), State::Gone(_)));
    assert_eq!(card.window(15.0, 16.0), Err(Unknown::Silent));
}

#[test]
fn slow_calls_widen_the_bound_and_keep_the_energy() {
    let mut card = card(r#"{"kind":"slow","delay_us":15000}"#);
    card.run(30.0, |_, _| {});
    let closed = card.window(5.0, 5.5).unwrap();
    assert!(off(&card, 5.0, 5.5).abs() < 0.10 && off(&card, 5.0, 25.0).abs() < 0.003, "{closed:?}");
    assert!((closed.energy_j - 150.0).abs() <= closed.bound_j, "{closed:?}");
}

#[test]
fn a_driver_that_forgot_this_process_is_initialised_again_and_one_that_is_gone_is_left_alone() {
    let mut forgotten = card(r#"{"kind":"error","code":1,"from_s":10,"to_s":10.05}"#);
    forgotten.run(20.0, |_, _| {});
    assert_eq!(forgotten.lane.state(), State::Good);
    assert!(off(&forgotten, 5.0, 15.0).abs() < 0.002);

    let mut gone = card(r#"{"kind":"error","code":9,"from_s":10}"#);
    gone.run(20.0, |_, _| {});
    assert_eq!(gone.lane.state(), State::Off(Code::DRIVER_NOT_LOADED));
    assert_eq!(gone.window(5.0, 15.0).unwrap().rule(), Rule::Lost);
}
