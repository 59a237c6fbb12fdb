//! The whole way in real time: the fake's library, the reader, the patrol on a thread, windows of the caller.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test that cannot go on may panic; figures are for the reader

mod fake;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use eco2ai_fast_core::clock::{Clock, Monotonic};
use eco2ai_fast_core::gpu::calibration::Calibration;
use eco2ai_fast_core::gpu::close::Closed;
use eco2ai_fast_core::gpu::lane::Lane;
use eco2ai_fast_core::gpu::patrol::{Patrol, Wanted};
use fake::Machine;

/// A patrol on a thread of its own until it is dropped.
struct Thread {
    lanes: Vec<Arc<Mutex<Lane>>>,
    stop: Arc<AtomicBool>,
    handle: Option<JoinHandle<Patrol>>,
}

impl Thread {
    fn start(machine: &Machine, wanted: Wanted) -> Self {
        let mut patrol = Patrol::start(machine.library, &Monotonic, wanted).unwrap();
        let lanes = patrol.cards().iter().map(|card| card.lane.clone()).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let asked = stop.clone();
        let handle = std::thread::spawn(move || {
            while !asked.load(Ordering::Relaxed) {
                let next_ns = patrol.step(&Monotonic).unwrap_or(u64::MAX);
                let pause_ns = next_ns.saturating_sub(Monotonic.now_ns()).min(20_000_000);
                std::thread::sleep(Duration::from_nanos(pause_ns));
            }
            patrol
        });
        Self { lanes, stop, handle: Some(handle) }
    }

    fn join(mut self) -> Patrol {
        self.stop.store(true, Ordering::Relaxed);
        self.handle.take().unwrap().join().unwrap()
    }
}

fn sleep_s(seconds: f64) {
    std::thread::sleep(Duration::from_secs_f64(seconds));
}

fn close(lane: &Mutex<Lane>, begin_ns: u64, end_ns: u64) -> Closed {
    for _ in 0..500 {
        if let Ok(closed) = lane.lock().unwrap().window(begin_ns, end_ns) {
            return closed;
        }
        sleep_s(0.01);
    }
    panic!("no update for five seconds");
}

#[test]
fn four_gpus_at_300_watts_read_1200_watts_and_cost_the_caller_no_call() {
    let folder = tempfile::tempdir().unwrap();
    let counts = folder.path().join("counts.json");
    let machine = Machine::new(&format!(r#"{{"devices":[{{}},{{}},{{}},{{}}],"counts_file":"{}"}}"#, counts.display()));
    let thread = Thread::start(&machine, Wanted::default());
    sleep_s(1.2);
    let (calls, begin_ns) = (machine.library.calls(), Monotonic.now_ns());
    sleep_s(1.5);
    let (end_ns, calls) = (Monotonic.now_ns(), machine.library.calls() - calls);
    let seconds = (end_ns - begin_ns) as f64 / 1e9;
    let windows: Vec<Closed> = thread.lanes.iter().map(|lane| close(lane, begin_ns, end_ns)).collect();
    let power_w = windows.iter().map(|closed| closed.energy_j).sum::<f64>() / seconds;
    let calls_per_s = calls as f64 / seconds / 4.0;
    println!("four GPUs: {power_w:.2} W, {calls_per_s:.1} calls a second and device");
    assert!((power_w - 1200.0).abs() < 12.0, "{power_w} W");
    assert!(calls_per_s <= 60.0, "{calls_per_s}");
    let patrol = thread.join();
    assert!(patrol.cards().iter().all(|card| card.condition().is_some()));
    machine.library.shutdown().unwrap();
    let text = std::fs::read_to_string(counts).unwrap();
    assert!(text.contains("\"nvmlInitWithFlags\": 1"), "one init: {text}");
}

#[test]
fn cuda_visible_devices_by_uuid_reads_that_gpu_and_calls_no_other() {
    let machine = Machine::new(
        r#"{"devices":[{"uuid":"GPU-aaaa"},{"uuid":"GPU-bbbb","wave":{"shape":"constant","power_w":500}}]}"#,
    );
    let wanted = Wanted { visible: Some("GPU-bb".to_owned()), ..Wanted::default() };
    let thread = Thread::start(&machine, wanted);
    sleep_s(1.0);
    let begin_ns = Monotonic.now_ns();
    sleep_s(0.4);
    let end_ns = Monotonic.now_ns();
    let closed = close(&thread.lanes[0], begin_ns, end_ns);
    let power_w = closed.energy_j / ((end_ns - begin_ns) as f64 / 1e9);
    assert!((power_w - 500.0).abs() < 10.0, "{power_w} W");
    let patrol = thread.join();
    assert_eq!(patrol.cards().iter().map(|card| card.device.uuid.as_str()).collect::<Vec<_>>(), ["GPU-bbbb"]);
    assert_eq!(patrol.selection().chosen[0].cuda_index, Some(0));
}

#[test]
fn a_calibrated_card_reads_its_true_power() {
    let machine = Machine::new(r#"{"devices":[{"uuid":"GPU-off","gain":0.95,"offset_w":-5}]}"#);
    let known = Calibration { gain: 0.95, offset_w: -5.0 };
    let wanted = Wanted { calibrations: vec![("GPU-off".to_owned(), known)], ..Wanted::default() };
    let thread = Thread::start(&machine, wanted);
    sleep_s(1.0);
    let begin_ns = Monotonic.now_ns();
    sleep_s(0.4);
    let end_ns = Monotonic.now_ns();
    let closed = close(&thread.lanes[0], begin_ns, end_ns);
    let power_w = closed.energy_j / ((end_ns - begin_ns) as f64 / 1e9);
    assert!((power_w - 300.0).abs() < 6.0, "{power_w} W");
    thread.join();
}

#[test]
fn a_lost_gpu_leaves_the_others_exact() {
    let machine = Machine::new(
        r#"{"devices":[{},{"faults":[{"kind":"error","code":15,"from_s":1}]},{"faults":[{"kind":"error","code":15}]}]}"#,
    );
    let thread = Thread::start(&machine, Wanted::default());
    sleep_s(1.5);
    let begin_ns = Monotonic.now_ns();
    sleep_s(0.5);
    let end_ns = Monotonic.now_ns();
    let closed = close(&thread.lanes[0], begin_ns, end_ns);
    assert!((closed.energy_j / 300.0 / ((end_ns - begin_ns) as f64 / 1e9) - 1.0).abs() < 0.01, "{closed:?}");
    assert!(thread.lanes[1].lock().unwrap().window(begin_ns, end_ns).is_err());
    let patrol = thread.join();
    assert_eq!(patrol.cards().len(), 2);
    assert_eq!(patrol.failed().len(), 1);
}
