//! What happens to the energy of a time without windows, and to windows that open at its end.

#![allow(clippy::unwrap_used)] // a test

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use eco2ai_fast_core::clock::{Clock, Manual};
use eco2ai_fast_core::domain::{Channel, Kind, Place, Range};
use eco2ai_fast_core::meter::Meter;
use eco2ai_fast_core::sample::Sample;
use eco2ai_fast_core::source::Source;
use eco2ai_fast_core::source::cpuinfo::CpuInfo;
use eco2ai_fast_core::source::rapl;
use eco2ai_fast_core::units::{MICRO, NS_PER_S, Scale};

const RANGE_J: u64 = 262_144;
const POWER_W: u64 = 100;

/// A package of 100 W whose counter moves every millisecond; while `slow`, a reading takes 30 ms.
#[derive(Debug)]
struct Package {
    channel: Channel,
    slow: Arc<AtomicBool>,
}

impl Source for Package {
    fn name(&self) -> &'static str {
        "package"
    }

    fn channels(&self) -> &[Channel] {
        std::slice::from_ref(&self.channel)
    }

    fn read(&self, clock: &dyn Clock, samples: &mut [Sample]) {
        if self.slow.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(30));
        }
        let raw = MICRO + POWER_W * 1_000 * (clock.now_ns() / 1_000_000);
        samples[0] = Sample::bracket(clock, || Ok(raw % (RANGE_J * MICRO)));
    }

    fn retain(&mut self, _keep: &[bool]) {}
}

fn machine() -> (Meter, Manual, Arc<AtomicBool>) {
    let (clock, slow) = (Manual::new(0), Arc::new(AtomicBool::new(false)));
    let place = Place::of_package(Kind::Package, 0);
    let range = Range::Modulo(RANGE_J * MICRO);
    let channel = rapl::channel(place, Scale::MICROJOULE, range, String::new(), &CpuInfo::default());
    let source = Package { channel, slow: slow.clone() };
    (Meter::with_sources(vec![Box::new(source)], Arc::new(clock.clone())), clock, slow)
}

#[test]
fn a_window_on_a_meter_that_samples_takes_nothing_from_its_curve() {
    let (meter, clock, _slow) = machine();
    meter.record();
    for tenth in 1..=10 {
        clock.set(tenth * NS_PER_S / 10);
        meter.tick();
    }
    clock.set(NS_PER_S + 90_000_000);
    let mut window = meter.window();
    window.begin().unwrap();
    clock.set(2 * NS_PER_S);
    meter.tick();
    let told = meter.energy_between(NS_PER_S / 2, 3 * NS_PER_S / 2).unwrap().domains[0];
    let energy_j = told.energy_uj.unwrap() / MICRO;
    assert!((99..=101).contains(&energy_j) && told.coverage > 0.999, "{told:?}");
}

#[test]
fn the_energy_of_an_hour_that_nobody_followed_is_missing_and_said_to_be() {
    let (meter, clock, _slow) = machine();
    meter.record();
    clock.set(NS_PER_S);
    meter.tick();
    clock.advance(3_600 * NS_PER_S);
    let mut window = meter.window();
    window.begin().unwrap();
    clock.advance(NS_PER_S);
    meter.tick();
    let told = meter.energy_between(NS_PER_S / 2, clock.now_ns() - NS_PER_S / 2).unwrap().domains[0];
    assert!(told.coverage < 0.001, "{told:?}");
    let readout = window.end().unwrap().domains[0];
    assert_eq!((readout.energy_uj, readout.coverage, readout.ambiguous), (Some(POWER_W * MICRO), 1.0, 0));
}

#[test]
fn windows_of_many_threads_that_open_at_once_after_an_hour_are_all_right() {
    let (meter, clock, slow) = machine();
    clock.advance(3_600 * NS_PER_S);
    slow.store(true, Ordering::Relaxed);
    let mut windows: Vec<_> = (0..4).map(|_| meter.window()).collect();
    std::thread::scope(|scope| {
        for window in &mut windows {
            scope.spawn(|| window.begin().unwrap());
        }
    });
    slow.store(false, Ordering::Relaxed);
    clock.advance(NS_PER_S);
    for window in &mut windows {
        let readout = window.end().unwrap().domains[0];
        assert_eq!((readout.energy_uj, readout.coverage, readout.ambiguous), (Some(POWER_W * MICRO), 1.0, 0));
    }
}
