//! A RAPL counter of known power in simulated time, with faults by schedule: what is measured can be held to the truth.
#![allow(dead_code)] // each test file uses its part

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use eco2ai_fast_core::clock::{Clock, Manual};
use eco2ai_fast_core::domain::{Channel, Kind, Place, Range};
use eco2ai_fast_core::error::Fault;
use eco2ai_fast_core::meter::Meter;
use eco2ai_fast_core::sample::Sample;
use eco2ai_fast_core::source::cpuinfo::CpuInfo;
use eco2ai_fast_core::source::{Source, rapl};
use eco2ai_fast_core::units::{MICRO, NS_PER_S, Scale};
use eco2ai_fast_core::window::Readout;

/// `max_energy_range_uj` of an energy unit of 2^-14 J, and one more.
pub const RANGE_UJ: u64 = 262_143_328_851;
pub const TICK_NS: u64 = 1_000_000;

/// What goes wrong with a meter while it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    None,
    /// The read answers so; the counter runs on.
    Fails(Fault),
    /// The zone is not there; descriptors opened before stay dead.
    Vanishes,
    /// The value is 0; the counter runs on.
    ShowsZero,
    /// The value stands still; the counter runs on.
    StandsStill,
    /// The counter stops, and goes on later from where it stopped.
    Stops,
    /// The counter begins again at 0.
    Resets,
    /// The counter loses so much, once.
    LosesUj(u64),
    /// A read takes so long and shows the value at its end.
    TakesNs(u64),
}

/// Trouble and its time.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub trouble: Trouble,
    pub from_ns: u64,
    pub to_ns: u64,
}

impl Plan {
    pub const CLEAN: Self = Self { trouble: Trouble::None, from_ns: 0, to_ns: 0 };

    fn acts_at(&self, t_ns: u64) -> bool {
        (self.from_ns..self.to_ns).contains(&t_ns)
    }
}

/// A counter of microjoules at constant power that moves once a millisecond.
#[derive(Debug)]
pub struct Simulated {
    pub channels: Vec<Channel>,
    pub power_uw: u64,
    pub start_uj: u64,
    pub plan: Plan,
    pub clock: Manual,
    is_dead: AtomicBool,
}

impl Simulated {
    pub fn new(kind: Kind, power_uw: u64, start_uj: u64, plan: Plan, clock: &Manual) -> Self {
        let place = Place::of_package(kind, 0);
        let xeon = CpuInfo { vendor: "GenuineIntel".to_owned(), brand: "Xeon".to_owned(), ..CpuInfo::default() };
        let channel = rapl::channel(place, Scale::MICROJOULE, Range::Modulo(RANGE_UJ), "simulated".to_owned(), &xeon);
        Self {
            channels: vec![channel],
            power_uw,
            start_uj,
            plan,
            clock: clock.clone(),
            is_dead: AtomicBool::new(false),
        }
    }

    /// Microjoules drawn up to the last update.
    fn drawn_uj(&self, t_ns: u64) -> u64 {
        let ticks = u128::from(t_ns / TICK_NS);
        u64::try_from(ticks * u128::from(TICK_NS) * u128::from(self.power_uw) / u128::from(NS_PER_S)).unwrap()
    }

    fn shown(&self, t_ns: u64) -> Result<u64, Fault> {
        let Plan { trouble, from_ns, to_ns } = self.plan;
        let acts = self.plan.acts_at(t_ns);
        let count = |t_ns| self.start_uj + self.drawn_uj(t_ns);
        let shown = match trouble {
            Trouble::Fails(fault) if acts => return Err(fault),
            Trouble::Vanishes if acts || self.is_dead.load(Ordering::Relaxed) => {
                self.is_dead.store(true, Ordering::Relaxed);
                return Err(Fault::Vanished);
            }
            Trouble::ShowsZero if acts => 0,
            Trouble::StandsStill | Trouble::Stops if acts => count(from_ns),
            Trouble::Stops if t_ns >= to_ns => count(t_ns) - (self.drawn_uj(to_ns) - self.drawn_uj(from_ns)),
            Trouble::Resets if t_ns >= from_ns => self.drawn_uj(t_ns) - self.drawn_uj(from_ns),
            Trouble::LosesUj(lost) if t_ns >= from_ns => count(t_ns) + RANGE_UJ - lost,
            _ => count(t_ns),
        };
        Ok(shown % RANGE_UJ)
    }
}

impl Source for Simulated {
    fn name(&self) -> &'static str {
        "simulated"
    }

    fn channels(&self) -> &[Channel] {
        &self.channels
    }

    fn read(&self, clock: &dyn Clock, samples: &mut [Sample]) {
        samples[0] = Sample::bracket(clock, || {
            if let (Trouble::TakesNs(takes_ns), true) = (self.plan.trouble, self.plan.acts_at(clock.now_ns())) {
                self.clock.advance(takes_ns);
            }
            self.shown(clock.now_ns())
        });
    }

    fn retain(&mut self, keep: &[bool]) {
        let mut marks = keep.iter();
        self.channels.retain(|_| *marks.next().unwrap());
    }

    fn mend(&self, _samples: &[Sample]) -> bool {
        let is_back = !self.plan.acts_at(self.clock.now_ns());
        self.is_dead.store(!is_back, Ordering::Relaxed);
        is_back
    }
}

/// A window of `duration_ns` from `t0_ns` on these meters, read every `period_ns` meanwhile.
pub fn watched(
    clock: &Manual,
    sources: Vec<Box<dyn Source>>,
    t0_ns: u64,
    duration_ns: u64,
    period_ns: u64,
    phase_ns: u64,
) -> Readout {
    let meter = Meter::with_sources(sources, Arc::new(clock.clone()));
    let tick_until = |end_ns: u64| {
        while (clock.now_ns() + period_ns - phase_ns) / period_ns * period_ns + phase_ns < end_ns {
            clock.set((clock.now_ns() + period_ns - phase_ns) / period_ns * period_ns + phase_ns);
            meter.tick();
        }
        clock.set(end_ns.max(clock.now_ns()));
    };
    tick_until(t0_ns);
    let mut window = meter.window();
    window.begin().unwrap();
    tick_until(t0_ns + duration_ns);
    let readout = window.end().unwrap();
    meter.stop();
    readout
}

/// Watts as microwatts.
pub const fn watts(power_w: u64) -> u64 {
    power_w * MICRO
}
