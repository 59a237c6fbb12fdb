//! A machine in simulated time: loads whose energy is known in closed form, and counters that tick.
#![allow(dead_code)] // each test file uses a part
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::unwrap_used)] // a simulation

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use eco2ai_fast_core::clock::{Clock, Manual};
use eco2ai_fast_core::domain::{Channel, Kind, Place, Provenance, Range, Signal};
use eco2ai_fast_core::sample::Sample;
use eco2ai_fast_core::source::Source;
use eco2ai_fast_core::units::Scale;

/// A small generator with a seed (splitmix64), so that a failure can be repeated.
#[derive(Debug, Clone)]
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Exponential with a mean.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    /// Normal, by the sum of twelve uniforms.
    pub fn normal(&mut self, sigma: f64) -> f64 {
        sigma * ((0..12).map(|_| self.unit()).sum::<f64>() - 6.0)
    }
}

/// A load: power pieces whose energy adds up exactly.
#[derive(Debug, Clone)]
pub struct Load {
    /// Ends of the pieces in seconds, energy up to each end in joules, and power at the begin and the end of each.
    pieces: Vec<(f64, f64, f64, f64)>,
}

impl Load {
    fn from_steps(steps: impl IntoIterator<Item = (f64, f64, f64)>) -> Self {
        let (mut t, mut energy, mut pieces) = (0.0, 0.0, Vec::new());
        for (length, from_w, to_w) in steps {
            t += length;
            energy += length * (from_w + to_w) / 2.0;
            pieces.push((t, energy, from_w, to_w));
        }
        Self { pieces }
    }

    pub fn constant(power_w: f64, seconds: f64) -> Self {
        Self::from_steps([(seconds, power_w, power_w)])
    }

    pub fn ramp(from_w: f64, to_w: f64, seconds: f64) -> Self {
        Self::from_steps([(seconds, from_w, to_w)])
    }

    pub fn square(low_w: f64, high_w: f64, period_s: f64, seconds: f64) -> Self {
        let halves = (2.0 * seconds / period_s).ceil() as usize;
        Self::from_steps((0..halves).map(|half| {
            let power_w = if half.is_multiple_of(2) { high_w } else { low_w };
            (period_s / 2.0, power_w, power_w)
        }))
    }

    /// A triangle: ramps up and down.
    pub fn triangle(low_w: f64, high_w: f64, period_s: f64, seconds: f64) -> Self {
        let halves = (2.0 * seconds / period_s).ceil() as usize;
        let ends = |half: usize| if half.is_multiple_of(2) { (low_w, high_w) } else { (high_w, low_w) };
        Self::from_steps((0..halves).map(|half| (period_s / 2.0, ends(half).0, ends(half).1)))
    }

    /// Switches between two powers after exponential dwells.
    pub fn telegraph(low_w: f64, high_w: f64, dwell_s: f64, seconds: f64, dice: &mut Dice) -> Self {
        let mut t = 0.0;
        let mut is_high = false;
        Self::from_steps(std::iter::from_fn(|| {
            let length = dice.exponential(dwell_s).max(1e-6);
            is_high = !is_high;
            let power_w = if is_high { high_w } else { low_w };
            t += length;
            (t - length < seconds).then_some((length, power_w, power_w))
        }))
    }

    /// Joules from 0 to `t` seconds.
    pub fn energy_j(&self, t: f64) -> f64 {
        let index = self.pieces.partition_point(|(end, ..)| *end <= t).min(self.pieces.len() - 1);
        let (begin, energy) =
            index.checked_sub(1).map_or((0.0, 0.0), |before| (self.pieces[before].0, self.pieces[before].1));
        let (end, _, from_w, to_w) = self.pieces[index];
        let into = t - begin;
        energy + into * (from_w + (to_w - from_w) * into / (2.0 * (end - begin)))
    }

    pub fn energy_uj(&self, t_ns: u64) -> f64 {
        self.energy_j(t_ns as f64 / 1e9) * 1e6
    }
}

/// A RAPL counter under a load: moves at ticks with jitter, in units of 2^-14 J.
#[derive(Debug)]
pub struct Ticking {
    /// Instants of the ticks and the counts shown from each on.
    ticks: Vec<(u64, u64)>,
    channel: Channel,
    /// What one reading takes.
    read_ns: u64,
    clock: Manual,
    reads: Arc<AtomicU64>,
}

pub const TICK_NS: u64 = 1_000_000;

impl Ticking {
    pub fn new(load: &Load, seconds: f64, jitter_ns: f64, clock: &Manual, read_ns: u64, dice: &mut Dice) -> Self {
        let phase_ns = dice.unit() * TICK_NS as f64;
        let count = |t_ns: u64| (load.energy_uj(t_ns) / 1e6 * 16_384.0) as u64;
        let ticks = (0..(seconds * 1e9 / TICK_NS as f64) as u64).map(|tick| {
            let t_ns = (phase_ns + (tick * TICK_NS) as f64 + dice.normal(jitter_ns)).max(0.0) as u64;
            (t_ns, count(t_ns))
        });
        Self { ticks: ticks.collect(), channel: channel(), read_ns, clock: clock.clone(), reads: Arc::default() }
    }

    pub fn reads(&self) -> Arc<AtomicU64> {
        self.reads.clone()
    }

    fn at(&self, t_ns: u64) -> u64 {
        let after = self.ticks.partition_point(|(tick_ns, _)| *tick_ns <= t_ns);
        after.checked_sub(1).map_or(0, |tick| self.ticks[tick].1)
    }
}

pub fn channel() -> Channel {
    Channel {
        place: Place::of_package(Kind::Package, 0),
        signal: Signal::Counter,
        scale: Scale::power_of_two(14).unwrap(),
        range: Range::Modulo(1 << 32),
        max_power_uw: 2_000_000_000,
        tick_ns: TICK_NS,
        longest_rest_ns: u64::MAX,
        resolution_ns: 0,
        sensor_rel: 0.03,
        provenance: Provenance::Measured,
        detail: "simulated".to_owned(),
    }
}

impl Source for Ticking {
    fn name(&self) -> &'static str {
        "simulated"
    }

    fn channels(&self) -> &[Channel] {
        std::slice::from_ref(&self.channel)
    }

    /// A reading takes time: the clock moves while it lasts, and the value is that of the middle.
    fn read(&self, clock: &dyn Clock, samples: &mut [Sample]) {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let before_ns = clock.now_ns();
        self.clock.advance(self.read_ns);
        let raw = self.at(before_ns + self.read_ns / 2);
        samples[0] = Sample { raw, before_ns, after_ns: clock.now_ns(), fault: None };
    }

    fn retain(&mut self, _keep: &[bool]) {}
}

/// Root mean square.
pub fn rms(values: &[f64]) -> f64 {
    (values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64).sqrt()
}
