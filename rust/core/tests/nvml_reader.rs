//! Does the NVML reader see what the library says? Against the fake, loaded as a library of its own for each test.

#![allow(clippy::unwrap_used)] // a test that cannot go on may panic

mod fake;

use eco2ai_fast_core::clock::Monotonic;
use eco2ai_fast_core::source::nvml::code::Code;
use eco2ai_fast_core::source::nvml::condition::Watch;
use eco2ai_fast_core::source::nvml::device::{Device, enumerate};
use eco2ai_fast_core::source::nvml::poll::Poller;
use eco2ai_fast_core::source::nvml::probe::{Gauge, Primary, Route, Scope, probe};
use eco2ai_fast_core::source::nvml::visible;
use fake::Machine;

#[test]
fn four_gpus_are_found_in_order_with_their_names_and_addresses() {
    let machine = Machine::started(r#"{"devices":[{"name":"NVIDIA H100"},{},{},{"uuid":"GPU-last","pci_bus":200}]}"#);
    let found = enumerate(machine.library).unwrap();
    assert_eq!(found.devices.iter().map(|gpu| gpu.index).collect::<Vec<_>>(), [0, 1, 2, 3]);
    let (first, last) = (&found.devices[0], &found.devices[3]);
    assert_eq!((first.name.as_str(), first.architecture), ("NVIDIA H100", Some(9)));
    assert_eq!((last.uuid.as_str(), last.pci.as_str()), ("GPU-last", "00000000:C8:00.0"));
    assert_eq!(machine.library.driver_version().unwrap(), "580.0.0-fake");
}

#[test]
fn before_init_every_question_is_answered_by_uninitialised() {
    let machine = Machine::new("{}");
    assert_eq!(machine.library.count(), Err(Code::UNINITIALIZED));
    machine.library.init().unwrap();
    assert_eq!(machine.library.count(), Ok(1));
    machine.library.shutdown().unwrap();
    assert_eq!(machine.library.count(), Err(Code::UNINITIALIZED));
}

#[test]
fn a_driver_that_is_not_loaded_says_so_at_init() {
    let machine = Machine::new(r#"{"init":{"code":9}}"#);
    assert_eq!(machine.library.init(), Err(Code::DRIVER_NOT_LOADED));
}

#[test]
fn a_hopper_card_offers_its_counter_and_a_part_time_gauge() {
    let machine = Machine::started("{}");
    let offer = probe(&machine.gpu()).unwrap();
    assert_eq!((offer.primary(), offer.energy_scope), (Primary::Counter, Scope::Gpu));
    assert_eq!(offer.instant_gauge, Gauge::PartTime(25_000_000));
    assert!(offer.average.is_ok());
    assert_eq!(offer.memory_power, Err(Code::NOT_SUPPORTED));
    assert_eq!(offer.module_energy, Err(Code::NOT_SUPPORTED));
}

#[test]
fn without_counter_or_fields_the_next_meter_is_taken() {
    let cases = [
        (r#"{"counter":null}"#, Primary::Instant),
        (r#"{"counter":null,"instant":null}"#, Primary::Average),
        (r#"{"counter":null,"instant":null,"average":null,"power_usage":"none"}"#, Primary::None),
    ];
    for (device, primary) in cases {
        let machine = Machine::started(&format!(r#"{{"devices":[{device}]}}"#));
        assert_eq!(probe(&machine.gpu()).unwrap().primary(), primary, "{device}");
    }
}

#[test]
fn power_usage_stands_in_for_the_gauge_that_the_architecture_makes_of_it() {
    let pascal = r#"{"devices":[{"architecture":4,"counter":null,"average":null,"power_usage":"instant"}]}"#;
    let machine = Machine::started(pascal);
    assert!(matches!(probe(&machine.gpu()).unwrap().instant, Ok(Route::Field { id: 186, .. })));
    assert_eq!(probe(&machine.gpu()).unwrap().instant_gauge, Gauge::PartTime(10_000_000));
}

#[test]
fn one_look_reads_counter_and_gauges_in_one_call() {
    let machine = Machine::started(r#"{"devices":[{"memory_share":0.2,"module":{"extra_w":100,"has_energy":true}}]}"#);
    let mut poller = Poller::new(machine.handle(), probe(&machine.gpu()).unwrap());
    let before = machine.library.calls();
    let reading = poller.poll(&Monotonic);
    assert_eq!(machine.library.calls() - before, 1);
    assert_eq!((reading.instant_mw, reading.average_mw), (Ok(300_000), Ok(300_000)));
    assert_eq!((reading.memory_mw, reading.module_mw), (Ok(60_000), Ok(400_000)));
    assert!(reading.energy_mj.unwrap() >= 99_000_000 && reading.module_mj.is_ok());
    assert!(reading.before_ns <= reading.after_ns);
}

#[test]
fn the_condition_is_read_and_what_is_missing_is_asked_for_once() {
    let machine = Machine::started(r#"{"devices":[{"vitals":{"temperature_c":71,"throttle":4}}]}"#);
    let condition = Watch::new(machine.handle()).look();
    assert_eq!((condition.temperature_c, condition.throttle_reasons), (Ok(71), Ok(4)));
    assert_eq!((condition.limit_mw, condition.utilisation_percent), (Ok(700_000), Ok([50, 30])));
    assert_eq!((condition.sm_mhz, condition.memory_mhz), (Ok(1_980), Ok(2_619)));
    assert_eq!(condition.memory_used_bytes, Ok(1_024 << 20));

    let refusing = Machine::started(r#"{"devices":[{"faults":[{"kind":"error","code":3}]}]}"#);
    let mut watch = Watch::new(refusing.handle());
    assert_eq!(watch.look().temperature_c, Err(Code::NOT_SUPPORTED));
    let before = refusing.library.calls();
    assert_eq!(watch.look().temperature_c, Err(Code::NOT_SUPPORTED));
    assert_eq!(refusing.library.calls(), before);
}

#[test]
fn a_lost_gpu_is_reported_and_leaves_the_others() {
    let machine = Machine::started(r#"{"devices":[{},{"faults":[{"kind":"error","code":15}]},{}]}"#);
    let found = enumerate(machine.library).unwrap();
    assert_eq!(found.devices.iter().map(|gpu| gpu.index).collect::<Vec<_>>(), [0, 2]);
    assert_eq!(found.failed, [(1, Code::GPU_IS_LOST)]);
}

#[test]
fn a_cut_gpu_is_one_gpu_with_named_slices() {
    let config =
        r#"{"devices":[{"mig":[{"gpu_instance":1,"uuid":"MIG-a"},{"gpu_instance":2,"uuid":"MIG-b"}]},{"mig":[]}]}"#;
    let machine = Machine::started(config);
    let found = enumerate(machine.library).unwrap();
    assert!(found.devices[0].mig && !found.devices[1].mig);
    assert_eq!(found.devices[0].slices, ["MIG-a", "MIG-b"]);
    let gpus: Vec<_> = found.devices.iter().map(Device::identity).collect();
    let selection = visible::select(Some("MIG-b,MIG-a"), None, &gpus);
    assert_eq!((selection.chosen.len(), selection.chosen[0].index), (1, 0));
    let slice = machine.handle().slice(0).unwrap();
    assert_eq!(slice.power(), Err(Code::NOT_SUPPORTED));
    assert_eq!(machine.handle().slice(5).unwrap_err(), Code::NOT_FOUND);
}

#[test]
fn a_grace_hopper_counter_is_the_modules() {
    let config = r#"{"devices":[{"name":"NVIDIA GH200 480GB","module":{"extra_w":150,"in_counter":true}}]}"#;
    let machine = Machine::started(config);
    assert_eq!(probe(&machine.gpu()).unwrap().energy_scope, Scope::Module);
}

#[test]
fn the_fake_counts_the_calls_that_the_reader_counts() {
    let folder = tempfile::tempdir().unwrap();
    let counts = folder.path().join("counts.json");
    let machine = Machine::started(&format!(r#"{{"counts_file":"{}"}}"#, counts.display()));
    let mut poller = Poller::new(machine.handle(), probe(&machine.gpu()).unwrap());
    for _ in 0..10 {
        poller.poll(&Monotonic);
    }
    machine.library.shutdown().unwrap();
    let text = std::fs::read_to_string(counts).unwrap();
    // {"calls": {...}, "threads": {"4711": 36}}: this test's thread made all of them.
    let by_thread: u64 = text.rsplit(' ').next().unwrap().trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
    assert_eq!(by_thread, machine.library.calls());
}
