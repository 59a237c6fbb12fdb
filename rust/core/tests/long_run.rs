//! An hour of simulated time at 1 kHz with ten domains: memory stays, nothing drifts, adjacent windows are the whole.
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::unwrap_used)] // a simulation

use std::sync::Arc;

use eco2ai_fast_core::choice::choose;
use eco2ai_fast_core::clock::{Clock, Manual};
use eco2ai_fast_core::domain::{Channel, Kind, Place, Provenance, Range, Signal};
use eco2ai_fast_core::panel::Panel;
use eco2ai_fast_core::sample::Sample;
use eco2ai_fast_core::source::Source;
use eco2ai_fast_core::units::{NS_PER_S, Scale};

const HOUR_NS: u64 = 3_600 * NS_PER_S;
const TICK_NS: u64 = 1_000_000;
const DOMAINS: u32 = 10;

/// Counters of 10 W, 20 W, ... in units of 2^-14 J that wrap at 2^32 of them; tick by tick with the clock.
#[derive(Debug)]
struct Steady(Vec<Channel>);

impl Steady {
    fn new() -> Self {
        let channel = |package| Channel {
            place: Place::of_package(Kind::Package, package),
            signal: Signal::Counter,
            scale: Scale::power_of_two(14).unwrap(),
            range: Range::Modulo(1 << 32),
            max_power_uw: 2_000_000_000,
            tick_ns: TICK_NS,
            longest_rest_ns: u64::MAX,
            resolution_ns: 0,
            sensor_rel: 0.0,
            provenance: Provenance::Measured,
            detail: String::new(),
        };
        Self((0..DOMAINS).map(channel).collect())
    }

    /// Counts at `t_ns`, never wrapped: package `n` draws `10 (n + 1)` W.
    fn counts(package: u32, t_ns: u64) -> u64 {
        let ticked_ns = u128::from(t_ns / TICK_NS * TICK_NS);
        let watts = u128::from(10 * (package + 1));
        (watts * ticked_ns * 16_384 / u128::from(NS_PER_S)) as u64 + 4_000_000_000
    }
}

impl Source for Steady {
    fn name(&self) -> &'static str {
        "simulated"
    }

    fn channels(&self) -> &[Channel] {
        &self.0
    }

    fn read(&self, clock: &dyn Clock, samples: &mut [Sample]) {
        let t_ns = clock.now_ns();
        for (sample, channel) in samples.iter_mut().zip(&self.0) {
            let counts = Self::counts(channel.place.package.unwrap(), t_ns);
            *sample = Sample { raw: counts % (1 << 32), before_ns: t_ns, after_ns: t_ns, fault: None };
        }
    }

    fn retain(&mut self, _keep: &[bool]) {}
}

#[test]
fn an_hour_at_1_khz_takes_no_memory_drifts_nowhere_and_adds_up() {
    let clock = Manual::new(0);
    let mut sources: Vec<Box<dyn Source>> = vec![Box::new(Steady::new())];
    let domains = choose(&mut sources, &[]);
    let panel = Panel::new(Arc::new(clock.clone()), sources, domains);
    panel.record();
    let mut buffers = panel.buffers();
    let mut marks = Vec::new();
    let allocated = allocation_counter::measure(|| {
        for tick in 1..=HOUR_NS / TICK_NS {
            clock.set(tick * TICK_NS);
            panel.tick(&mut buffers);
        }
    });
    assert_eq!(allocated.count_total, 0, "sampling allocates nothing");
    for (package, curve) in (0..).zip(panel.curves()) {
        let channel = &panel.domains()[package as usize].channel;
        let uj = |t_ns| channel.scale.microjoules(curve.height(t_ns, channel).unwrap().total);
        // The curve's last point lies half a tick before the last reading.
        let total = curve.last().unwrap().total;
        assert_eq!(total, Steady::counts(package, HOUR_NS) - Steady::counts(package, 0));
        let instants: Vec<u64> = (1..=3_599).map(|second| second * NS_PER_S).collect();
        let parts: u64 = instants.windows(2).map(|pair| uj(pair[1]) - uj(pair[0])).sum();
        assert_eq!(parts, uj(3_599 * NS_PER_S) - uj(NS_PER_S));
        marks.push(parts);
    }
    assert_eq!(marks.len(), DOMAINS as usize);
}
