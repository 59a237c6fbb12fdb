//! A card in simulated time: the fake's sensors, a thread that wakes a little late, calls that take a while.

#![allow(dead_code)] // each test binary uses its part

use eco2ai_fast_core::gpu::calibration::Calibration;
use eco2ai_fast_core::gpu::close::Closed;
use eco2ai_fast_core::gpu::instant::Unknown;
use eco2ai_fast_core::gpu::lane::{Lane, Next};
use eco2ai_fast_core::source::nvml::code::Code;
use eco2ai_fast_core::source::nvml::poll::Reading;
use eco2ai_fast_core::source::nvml::probe::{Gauge, Offer, Route, Scope};
use fake_nvml::device::{Device, Scope as Part};
use fake_nvml::random;

/// The instant of the waves' zero on the simulated clock.
pub const EPOCH_NS: u64 = 100_000_000_000;

/// Nanoseconds of an instant given in seconds since the epoch.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a simulated time
pub fn ns(t_s: f64) -> u64 {
    EPOCH_NS.saturating_add_signed((t_s * 1e9).round() as i64)
}

/// What a device offers, as the probe would find it.
pub fn offer(device: &Device, instant_gauge: Gauge) -> Offer {
    let route = |is_there: bool| if is_there { Ok(Route::Call) } else { Err(Code::NOT_SUPPORTED) };
    Offer {
        energy: route(device.config.counter.is_some()),
        energy_scope: Scope::Gpu,
        instant: route(device.config.instant.is_some()),
        instant_gauge,
        average: route(device.config.average.is_some()),
        memory_power: route(false),
        module_power: route(false),
        module_energy: route(false),
    }
}

/// A GPU and the lane that looks at it.
pub struct Card {
    pub device: Device,
    pub lane: Lane,
    pub looks: u64,
    seed: u64,
    next_ns: u64,
    stopped: bool,
}

impl Card {
    /// A card from the fake's configuration of one device, first looked at `start_s` after the epoch.
    pub fn new(config: &str, gauge: Gauge, start_s: f64, seed: u64) -> Self {
        let device = Device::new(serde_json::from_str(config).unwrap(), 0).unwrap();
        let limit_w = Some(device.config.vitals.limit_w);
        let lane = Lane::new(offer(&device, gauge), limit_w, Calibration::default());
        Self { device, lane, looks: 0, seed, next_ns: ns(start_s), stopped: false }
    }

    /// Is first looked at then, and not before.
    pub fn start_at(&mut self, start_s: f64) {
        self.next_ns = ns(start_s);
    }

    /// Looks until `t_s`; calls `after` after each look with its instant.
    pub fn run(&mut self, t_s: f64, mut after: impl FnMut(&Lane, f64)) {
        while !self.stopped && self.next_ns < ns(t_s) {
            let reading = self.look();
            match self.lane.take(&reading) {
                Next::LookAt(next_ns) => {
                    assert!(next_ns > reading.before_ns, "a look planned in the past");
                    self.next_ns = next_ns.max(reading.after_ns);
                }
                Next::Initialise => self.next_ns = reading.after_ns + 1_000_000,
                Next::Stop => self.stopped = true,
            }
            after(&self.lane, seconds(reading.after_ns));
        }
    }

    pub fn window(&self, from_s: f64, to_s: f64) -> Result<Closed, Unknown> {
        self.lane.window(ns(from_s), ns(to_s))
    }

    /// One look: the thread wakes 20 to 150 us late, one time in 200 by 3 ms; the call takes 20 to 60 us.
    fn look(&mut self) -> Reading {
        self.looks += 1;
        let chance = |what: i64| random::unit(self.seed, what + 4 * i64::try_from(self.looks).unwrap());
        let late_s = if chance(0) < 0.005 { 3e-3 } else { 20e-6 + 130e-6 * chance(1) };
        let before_s = seconds(self.next_ns) + late_s;
        let takes_s = 20e-6 + 40e-6 * chance(2);
        let (slower_us, gate) = self.device.gate(before_s, true);
        let after_s = before_s + takes_s + slower_us as f64 / 1e6;
        let t_s = before_s + (after_s - before_s) * chance(3);
        self.reading(before_s, after_s, t_s, gate)
    }

    fn reading(&self, before_s: f64, after_s: f64, t_s: f64, gate: Result<(), i32>) -> Reading {
        let gated = |value: Result<u64, i32>| gate.and(value).map_err(Code);
        let power = |average| gated(self.device.power_mw(average, Part::Gpu, t_s).map(u64::from));
        let none = Err(Code::NOT_SUPPORTED);
        Reading {
            before_ns: ns(before_s),
            after_ns: ns(after_s),
            energy_mj: gated(self.device.energy_mj(Part::Gpu, t_s)),
            instant_mw: power(false),
            average_mw: power(true),
            memory_mw: none,
            module_mw: none,
            module_mj: none,
        }
    }
}

/// Seconds since the epoch of an instant of the simulated clock.
pub fn seconds(t_ns: u64) -> f64 {
    if t_ns >= EPOCH_NS { (t_ns - EPOCH_NS) as f64 / 1e9 } else { -((EPOCH_NS - t_ns) as f64 / 1e9) }
}

/// Bursts of 90 to 700 W at random times, each after at least 0.3 s at 90 W: the wave and the windows.
pub fn bursts(duration_s: f64, count: i64, seed: u64) -> (String, Vec<(f64, f64)>) {
    let mut t_s = 3.0;
    let mut points = vec!["[0,90]".to_owned()];
    let mut windows = Vec::new();
    for index in 0..count {
        t_s += 0.3 + 0.3 * random::unit(seed, index);
        let end_s = t_s + duration_s;
        points.push(format!("[{t_s},90],[{t_s},700],[{end_s},700],[{end_s},90]"));
        windows.push((t_s, end_s));
        t_s = end_s;
    }
    (format!(r#"{{"shape":"points","points":[{}]}}"#, points.join(",")), windows)
}

/// What many windows came to: relative errors as they could first be told, and once settled.
#[derive(Default)]
pub struct Errors {
    pub early: Vec<f64>,
    pub settled: Vec<f64>,
    /// Seconds from the end of each window to its first figure.
    pub waits_s: Vec<f64>,
    /// Windows whose truth lay within the stated bound, and the last result.
    pub within: usize,
    pub results: Vec<Closed>,
    pub firsts: Vec<Closed>,
}

pub fn rms(values: &[f64]) -> f64 {
    (values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64).sqrt()
}

pub fn worst(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |worst, value| worst.max(value.abs()))
}

/// Follows a card over windows in order of their ends, and compares each with the truth. The card runs on until a window
/// is settled: one that ended before that is first told later than it could have been.
pub fn follow(card: &mut Card, windows: &[(f64, f64)]) -> Errors {
    let mut errors = Errors::default();
    for &(from_s, to_s) in windows {
        card.run(to_s, |_, _| {});
        let (early, wait_s, settled) = resolve(card, from_s, to_s);
        let true_j = card.device.true_energy_j(from_s, to_s);
        errors.early.push(early.energy_j / true_j - 1.0);
        errors.settled.push(settled.energy_j / true_j - 1.0);
        errors.waits_s.push(wait_s);
        errors.within += usize::from((settled.energy_j - true_j).abs() <= settled.bound_j);
        errors.results.push(settled);
        errors.firsts.push(early);
    }
    errors
}

/// Asks for a window after each update: the first figure, how long after the window's end it came, the settled one.
fn resolve(card: &mut Card, from_s: f64, to_s: f64) -> (Closed, f64, Closed) {
    let (mut first, mut last, mut known) = (None, None, 0);
    for step in 0..500 {
        card.run(to_s + 0.005 * f64::from(step), |lane, now_s| {
            let updates = lane.meter().ticks().next_number();
            if now_s < to_s || last.is_some() || updates == std::mem::replace(&mut known, updates) {
                return;
            }
            if let Ok(closed) = lane.window(ns(from_s), ns(to_s)) {
                first.get_or_insert((closed, now_s - to_s));
                last = closed.is_settled.then_some(closed);
            }
        });
        if let (Some((early, wait_s)), Some(settled)) = (first, last) {
            return (early, wait_s, settled);
        }
    }
    panic!("never settled: {from_s} to {to_s} s");
}

/// One line of figures.
#[allow(clippy::print_stdout)]
pub fn report(name: &str, errors: &Errors) {
    let count = errors.settled.len();
    println!(
        "{name}: rms {:.2} % (worst {:.2} %) when first told, {:.2} % ({:.2} %) settled; told after {:.0} ms at most; \
         {:.0} % within the bound; n = {count}",
        100.0 * rms(&errors.early),
        100.0 * worst(&errors.early),
        100.0 * rms(&errors.settled),
        100.0 * worst(&errors.settled),
        1e3 * worst(&errors.waits_s),
        100.0 * errors.within as f64 / count as f64,
    );
}
