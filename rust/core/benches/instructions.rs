//! One hot path, so many times: what `benches/instructions.py` runs under callgrind, twice, to count what one more costs.
//!
//!     instructions PATH TIMES
//!
//! Time is moved by hand and the meters are numbers, so that every run takes the same way.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)] // a bench: its output is for people

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use eco2ai_fast_core::clock::{Clock, Manual};
use eco2ai_fast_core::domain::{Channel, Kind, Place, Provenance, Range, Signal};
use eco2ai_fast_core::meter::Meter;
use eco2ai_fast_core::sample::Sample;
use eco2ai_fast_core::source::Source;
use eco2ai_fast_core::span::log::{Value, pack};
use eco2ai_fast_core::units::Scale;

const DOMAINS: u32 = 8;
const TICK_NS: u64 = 1_000_000;

/// Counters that move by a millijoule with every read.
#[derive(Debug)]
struct Numbers {
    channels: Vec<Channel>,
    count: AtomicU64,
}

impl Numbers {
    fn new() -> Self {
        let channel = |package| Channel {
            place: Place::of_package(Kind::Package, package),
            signal: Signal::Counter,
            scale: Scale::MICROJOULE,
            range: Range::Unbounded,
            max_power_uw: 2_000_000_000,
            tick_ns: TICK_NS,
            longest_rest_ns: u64::MAX,
            resolution_ns: 0,
            sensor_rel: 0.0,
            provenance: Provenance::Measured,
            detail: String::new(),
        };
        Self { channels: (0..DOMAINS).map(channel).collect(), count: AtomicU64::new(0) }
    }
}

impl Source for Numbers {
    fn name(&self) -> &'static str {
        "bench"
    }

    fn channels(&self) -> &[Channel] {
        &self.channels
    }

    fn read(&self, clock: &dyn Clock, samples: &mut [Sample]) {
        for sample in samples {
            *sample = Sample::bracket(clock, || Ok(self.count.fetch_add(1_000, Ordering::Relaxed)));
        }
    }

    fn retain(&mut self, _keep: &[bool]) {}
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let [path, times] = &words[..] else {
        println!("instructions: run by benches/instructions.py");
        return;
    };
    let times: u64 = times.parse().unwrap();
    let hand = Manual::new(1);
    let clock: Arc<dyn Clock> = Arc::new(hand.clone());
    let meter = Arc::new(Meter::with_sources(vec![Box::new(Numbers::new())], clock.clone()));
    let spans = meter.spans(&clock, 1 << 16);
    let mut window = meter.window();
    meter.record();
    match path.as_str() {
        "span" => (0..times).for_each(|_| spans.end(spans.begin(1, None), spans.now_ns(), false, &[])),
        "span-integer" => (0..times).for_each(|number| {
            let tokens = pack((2, Value::Whole(number.cast_signed())));
            spans.end(spans.begin(1, None), spans.now_ns(), false, &[tokens]);
        }),
        "read" => (0..times).for_each(|_| drop(black_box(meter.read().unwrap()))),
        "window" => (0..times).for_each(|_| {
            window.begin().unwrap();
            hand.advance(TICK_NS);
            black_box(window.end().unwrap());
        }),
        "tick" => (0..times).for_each(|_| {
            hand.advance(TICK_NS);
            meter.tick();
        }),
        _ => panic!("no path is called {path}"),
    }
}
