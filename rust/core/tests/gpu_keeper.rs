//! The keeper in real time: one round for all windows, started off the caller's thread, that a sick driver cannot block.

#![allow(clippy::unwrap_used)] // a test that cannot go on may panic

mod fake;

use std::sync::Arc;
use std::time::Duration;

use eco2ai_fast_core::clock::{Clock, Monotonic};
use eco2ai_fast_core::gpu::close::Rule;
use eco2ai_fast_core::gpu::instant::Unknown;
use eco2ai_fast_core::gpu::keeper::Keeper;
use eco2ai_fast_core::gpu::patrol::Wanted;
use eco2ai_fast_core::gpu::round::{Found, Stand};
use eco2ai_fast_core::gpu::window::Window;
use fake::Machine;

fn keeper(machine: &Machine) -> Keeper {
    Keeper::find(Some(machine.path.clone().into_os_string()), Wanted::default()).unwrap()
}

fn sleep_ms(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}

fn found(window: &Window) -> Arc<Found> {
    match window.stand() {
        Stand::Ready(found) => found,
        other => panic!("{other:?}"),
    }
}

fn power_w(window: &Window, t1_ns: u64) -> Vec<f64> {
    assert!(window.wait(false, None));
    let seconds = (t1_ns - window.t0_ns()) as f64 / 1e9;
    window.answers(&found(window)).iter().map(|answer| answer.closed.unwrap().energy_j / seconds).collect()
}

#[test]
fn a_machine_without_the_library_has_no_keeper() {
    assert!(Keeper::find(Some("/nowhere/libnvidia-ml.so.1".into()), Wanted::default()).is_none());
}

#[test]
fn a_cold_window_says_so_and_a_warm_one_is_right() {
    let machine = Machine::new(r#"{"devices":[{},{}]}"#);
    let keeper = keeper(&machine);
    let cold = keeper.begin().unwrap();
    cold.end(Monotonic.now_ns());
    assert!(cold.wait(false, None));
    let closed = cold.answers(&found(&cold))[0].closed.unwrap();
    assert!(closed.rule() == Rule::Cold && closed.coverage < 1.0, "{closed:?}");
    sleep_ms(900);
    let warm = keeper.begin().unwrap();
    sleep_ms(350);
    let t1_ns = Monotonic.now_ns();
    warm.end(t1_ns);
    for power_w in power_w(&warm, t1_ns) {
        assert!((power_w - 300.0).abs() < 6.0, "{power_w} W");
    }
    assert!(warm.wait(true, None));
    assert!(warm.answers(&found(&warm)).iter().all(|answer| answer.closed.unwrap().is_settled));
}

#[test]
fn laps_and_windows_of_the_past_are_answered_from_the_same_curve() {
    let machine = Machine::new("{}");
    let keeper = keeper(&machine);
    let window = keeper.begin().unwrap();
    sleep_ms(1200);
    let (a_ns, b_ns) = (Monotonic.now_ns() - 300_000_000, Monotonic.now_ns());
    for power_w in power_w(&window.between(a_ns, b_ns), b_ns) {
        assert!((power_w - 300.0).abs() < 6.0, "{power_w} W");
    }
    assert!(window.lap(b_ns).wait(false, None));
}

#[test]
fn an_init_that_hangs_is_a_failure_after_its_limit_and_blocks_nobody() {
    let machine = Machine::new(r#"{"init":{"hangs":true}}"#);
    let keeper = keeper(&machine);
    let window = keeper.begin().unwrap();
    window.end(Monotonic.now_ns());
    assert!(matches!(window.stand(), Stand::Starting));
    assert!(window.wait(false, None));
    assert!(matches!(window.stand(), Stand::Failed(trouble) if trouble.words.contains("did not come back")));
}

#[test]
fn an_init_that_fails_is_told_with_its_reason() {
    let machine = Machine::new(r#"{"init":{"code":18}}"#);
    let keeper = keeper(&machine);
    let window = keeper.begin().unwrap();
    assert!(window.wait(false, None));
    assert!(matches!(window.stand(), Stand::Failed(trouble) if trouble.words.contains("reboot")));
}

#[test]
fn a_round_that_was_stopped_keeps_what_it_knew_and_the_next_window_starts_another_without_a_second_init() {
    let folder = tempfile::tempdir().unwrap();
    let counts = folder.path().join("counts.json");
    let machine = Machine::new(&format!(r#"{{"counts_file":"{}"}}"#, counts.display()));
    let keeper = keeper(&machine);
    let first = keeper.begin().unwrap();
    sleep_ms(800);
    let t1_ns = Monotonic.now_ns();
    first.end(t1_ns);
    assert!(first.wait(true, None));
    keeper.stop();
    assert!(first.answers(&found(&first))[0].closed.is_ok());
    let second = keeper.begin().unwrap();
    sleep_ms(600);
    second.end(Monotonic.now_ns());
    assert!(second.wait(false, None));
    keeper.stop();
    machine.library.shutdown().unwrap();
    let text = std::fs::read_to_string(counts).unwrap();
    assert!(text.contains("\"nvmlInitWithFlags\": 1"), "one init: {text}");
}

#[test]
fn a_lost_gpu_has_no_number_and_the_other_is_exact() {
    let machine = Machine::new(r#"{"devices":[{},{"faults":[{"kind":"error","code":15,"from_s":0.6}]}]}"#);
    let keeper = keeper(&machine);
    let warm = keeper.begin().unwrap();
    sleep_ms(1200);
    let window = keeper.begin().unwrap();
    sleep_ms(900);
    let t1_ns = Monotonic.now_ns();
    window.end(t1_ns);
    assert!(window.wait(false, None));
    let answers = window.answers(&found(&warm));
    let power_w = answers[0].closed.unwrap().energy_j / ((t1_ns - window.t0_ns()) as f64 / 1e9);
    assert!((power_w - 300.0).abs() < 6.0, "{power_w} W");
    assert_eq!(answers[1].closed, Err(Unknown::Silent));
}
