//! A direct window: the calling thread reads every meter once at each end.

use std::sync::Arc;

use crate::clock::slept_ns;
use crate::domain::{Channel, Provenance};
use crate::error::{Error, Fault};
use crate::integrate::Point;
use crate::keepalive::KeepAlive;
use crate::panel::{Buffers, Panel};
use crate::units;

/// Half-width that holds 95 % of the difference of two ages that are each uniform over one tick: a triangle over plus
/// and minus one tick, of which `1 - (1 - x)^2 = 0.95`.
const TICK_95: f64 = 0.776;

/// What a window found out about one domain.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DomainEnergy {
    /// Energy in microjoules, measured and estimated; `None` if no reading at its begin was possible, or none after it
    /// and no power is known to go on with.
    pub energy_uj: Option<u64>,
    /// The part of it that was modelled: all of it for a model, what bridged a reset or an unreadable end for a meter.
    pub modelled_uj: u64,
    /// 95 % half-width from the meter's ticks, the width of the readings and what was bridged.
    pub sampling_uj: u64,
    /// Share of the window that unbroken readings bracket, 0 to 1.
    pub coverage: f64,
    /// How often the counter was set anew.
    pub resets: u64,
    /// How often more than one explanation was possible: several wraps, or a reset that looks like one.
    pub ambiguous: u64,
    /// How often the counter went round.
    pub wraps: u64,
    /// Why a reading failed: the one at the end, at the begin, or the latest in between.
    pub fault: Option<Fault>,
    /// Whether the window is too short for this domain's model to say anything.
    pub below_resolution: bool,
}

/// What a window found out.
#[derive(Debug, Clone)]
pub struct Readout {
    /// Begin: the stamp of the first domain's reading.
    pub t0_ns: u64,
    /// End: likewise.
    pub t1_ns: u64,
    /// How long the machine was asleep in between: time that is no part of the window's.
    pub suspended_ns: u64,
    /// One entry for each domain of the panel, in its order.
    pub domains: Vec<DomainEnergy>,
}

/// How the ends of a window are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Once: a counter then tells the energy up to its last tick.
    #[default]
    Direct,
    /// Again and again until the counters move, up to a few milliseconds: they then tell the energy up to that instant.
    /// The energy between those instants is scaled to the window's length, as if the power were constant at its ends.
    Precise,
}

/// A window that can be opened again and again; it holds all the memory that it needs.
#[derive(Debug)]
pub struct Window {
    parts: Vec<Part>,
    keeper: Arc<KeepAlive>,
    mode: Mode,
    open: bool,
    /// When a precise window's begin was done, and when its end was asked for.
    t0_ns: u64,
    t1_ns: u64,
    /// At the begin: see [`crate::clock::Clock::asleep_ns`].
    asleep_ns: u64,
}

/// The meters that are read together.
#[derive(Debug)]
struct Part {
    panel: Arc<Panel>,
    buffers: Buffers,
    first: Box<[Point]>,
    last: Box<[Point]>,
}

impl Window {
    /// A closed window on `panels`.
    pub fn new(panels: &[Arc<Panel>], keeper: Arc<KeepAlive>, mode: Mode) -> Self {
        let parts = panels.iter().map(Part::new).collect();
        Self { parts, keeper, mode, open: false, t0_ns: 0, t1_ns: 0, asleep_ns: 0 }
    }

    /// Opens the window; the instant of its first reading.
    pub fn begin(&mut self) -> Result<u64, Error> {
        if self.open {
            return Err(Error::WindowOpen);
        }
        self.keeper.enter();
        self.open = true;
        self.asleep_ns = self.asleep_now_ns();
        for part in &mut self.parts {
            part.panel.point(&mut part.buffers, &mut part.first);
            if self.mode == Mode::Precise {
                part.panel.wait_for_edges(&mut part.buffers, &mut part.first);
            }
        }
        self.t0_ns = match self.mode {
            Mode::Direct => instant(self.parts.iter().flat_map(|part| &part.first)),
            Mode::Precise => self.parts.first().map_or(0, |part| part.panel.now_ns()),
        };
        Ok(self.t0_ns)
    }

    /// Closes the window.
    pub fn end(&mut self) -> Result<Readout, Error> {
        let readout = self.lap()?;
        self.keeper.leave();
        self.open = false;
        Ok(readout)
    }

    /// What the window has found out so far; it stays open.
    pub fn lap(&mut self) -> Result<Readout, Error> {
        if !self.open {
            return Err(Error::WindowNotOpen);
        }
        self.t1_ns = self.parts.first().map_or(0, |part| part.panel.now_ns());
        for part in &mut self.parts {
            part.panel.point(&mut part.buffers, &mut part.last);
            if self.mode == Mode::Precise {
                part.panel.wait_for_edges(&mut part.buffers, &mut part.last);
            }
        }
        if self.mode == Mode::Direct {
            self.t1_ns = instant(self.parts.iter().flat_map(|part| &part.last));
        }
        Ok(self.readout())
    }

    /// Closes the window and opens the next one on the same reading: nothing is lost or counted twice between them.
    pub fn split(&mut self) -> Result<Readout, Error> {
        let readout = self.lap()?;
        for part in &mut self.parts {
            std::mem::swap(&mut part.first, &mut part.last);
        }
        self.t0_ns = self.t1_ns;
        self.asleep_ns += readout.suspended_ns;
        Ok(readout)
    }

    fn asleep_now_ns(&self) -> u64 {
        self.parts.first().map_or(0, |part| part.panel.asleep_ns())
    }

    fn readout(&self) -> Readout {
        let length_ns = (self.mode == Mode::Precise).then(|| self.t1_ns.saturating_sub(self.t0_ns));
        let domains = self.parts.iter().flat_map(|part| part.energies(length_ns)).collect();
        let suspended_ns = slept_ns(self.asleep_ns, self.asleep_now_ns());
        Readout { t0_ns: self.t0_ns, t1_ns: self.t1_ns, suspended_ns, domains }
    }
}

impl Part {
    fn new(panel: &Arc<Panel>) -> Self {
        let points = || vec![Point::default(); panel.domains().len()].into_boxed_slice();
        Self { first: points(), last: points(), buffers: panel.buffers(), panel: panel.clone() }
    }

    /// The energies between the ends, scaled to a precise window's length.
    fn energies(&self, length_ns: Option<u64>) -> impl Iterator<Item = DomainEnergy> {
        let ends = self.first.iter().zip(&*self.last).zip(self.panel.domains());
        ends.map(move |((first, last), domain)| {
            let energy = between(first, last, &domain.channel);
            match length_ns {
                Some(length_ns) => energy.scaled(length_ns, first, last, &domain.channel),
                None => energy,
            }
        })
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        if self.open {
            self.keeper.leave();
        }
    }
}

/// The instant of the first domain's reading.
fn instant<'a>(mut points: impl Iterator<Item = &'a Point>) -> u64 {
    points.next().map_or(0, |point| point.state.t_ns)
}

impl DomainEnergy {
    /// The energy of `length_ns` where the points are that of two changes of the counter: both instants are known to the
    /// width of a reading, and only that counts as sampling error.
    fn scaled(self, length_ns: u64, first: &Point, last: &Point, channel: &Channel) -> Self {
        let (a, b) = (&first.state, &last.state);
        let between_ns = b.edge_ns.saturating_sub(a.edge_ns);
        let is_sharp = a.edge_half_ns.max(b.edge_half_ns) < channel.tick_ns / 4 && between_ns > 0;
        let scale = |energy_uj: u64| {
            let exact = u128::from(energy_uj) * u128::from(length_ns) / u128::from(between_ns.max(1));
            u64::try_from(exact).unwrap_or(u64::MAX)
        };
        // What was bridged, estimated or doubted is no constant power, and its bound must stay.
        if !is_sharp || self.coverage < 1.0 || self.ambiguous > 0 || a.estimated != b.estimated {
            return self;
        }
        let energy_uj = self.energy_uj.map(scale);
        let power_uw = units::power_uw(energy_uj.unwrap_or(0), length_ns).unwrap_or(0);
        let sampling_uj =
            units::energy_uj(power_uw, a.edge_half_ns + b.edge_half_ns) + channel.scale.microjoules(1) + 1;
        Self { energy_uj, modelled_uj: scale(self.modelled_uj), sampling_uj, ..self }
    }
}

/// The energy of one domain between two points.
pub fn between(first: &Point, last: &Point, channel: &Channel) -> DomainEnergy {
    let (a, b) = (&first.state, &last.state);
    let uj = |counts| channel.scale.microjoules(counts);
    let energy_uj = uj(b.total).saturating_sub(uj(a.total));
    let bridged_uj = uj(b.estimated).saturating_sub(uj(a.estimated));
    let doubt_uj = uj(b.doubtful).saturating_sub(uj(a.doubtful));
    let duration_ns = b.t_ns.saturating_sub(a.t_ns);
    let uncovered_ns = b.uncovered_ns.saturating_sub(a.uncovered_ns).min(duration_ns);
    let is_modelled = channel.provenance == Provenance::Modelled;
    // Read at the begin and never again, and no power was known by which to go on: that is no 0 J.
    let is_blind = last.fault.is_some() && energy_uj == 0 && uncovered_ns > 0 && uncovered_ns == duration_ns;
    DomainEnergy {
        energy_uj: (a.known && !is_blind).then_some(energy_uj),
        modelled_uj: if is_modelled { energy_uj } else { bridged_uj },
        sampling_uj: bridged_uj.saturating_add(doubt_uj).saturating_add(edge_uj(a, b, energy_uj, duration_ns, channel)),
        coverage: if duration_ns == 0 { 1.0 } else { 1.0 - uncovered_ns as f64 / duration_ns as f64 },
        resets: b.resets.saturating_sub(a.resets),
        ambiguous: b.ambiguous.saturating_sub(a.ambiguous),
        wraps: b.wraps.saturating_sub(a.wraps),
        fault: last.fault.or(first.fault).or(b.last_fault.filter(|_| b.faults > a.faults)),
        below_resolution: duration_ns < channel.resolution_ns,
    }
}

/// What the two ends can be off by: the energy of part of a tick, or of a standstill that is too short to be a fault,
/// and of the brackets around both readings.
fn edge_uj(
    a: &crate::counter::State,
    b: &crate::counter::State,
    energy_uj: u64,
    duration_ns: u64,
    channel: &Channel,
) -> u64 {
    let mean_uw = units::power_uw(energy_uj, duration_ns).unwrap_or(0);
    let known_uw = a.power_uw.max(b.power_uw);
    // A window within a tick sees nothing or a whole tick: its own mean is no measure of its power.
    let power_uw =
        if known_uw == 0 && duration_ns < 10 * channel.tick_ns { channel.max_power_uw } else { mean_uw.max(known_uw) };
    let tick_ns = units::whole(channel.tick_ns as f64 * TICK_95);
    // A reading that shows no change since an earlier one is as old as that change.
    let age_ns = if channel.longest_rest_ns < u64::MAX { tick_ns.max(a.rest_ns()).max(b.rest_ns()) } else { tick_ns };
    units::energy_uj(power_uw, age_ns + a.half_ns + b.half_ns) + channel.scale.microjoules(1)
}

#[cfg(test)]
mod tests {
    use crate::clock::{Clock, Manual};
    use crate::domain::{Kind, Place, Provenance, Range, Signal};
    use crate::meter::Meter;
    use crate::sample::Sample;
    use crate::source::Source;
    use crate::source::replay::{Replay, Script};
    use crate::units::{NS_PER_S, Scale};
    use proptest::prelude::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// A counter of 1 W that moves every millisecond, and its clock.
    fn one_watt() -> (Meter, Manual) {
        one_watt_until(u64::MAX)
    }

    /// The same; from `end_ms` on it is not there.
    fn one_watt_until(end_ms: u64) -> (Meter, Manual) {
        let channel = Channel {
            place: Place::of_package(Kind::Package, 0),
            signal: Signal::Counter,
            scale: Scale::MICROJOULE,
            range: Range::Unbounded,
            max_power_uw: 100_000_000,
            tick_ns: 1_000_000,
            longest_rest_ns: u64::MAX,
            resolution_ns: 0,
            sensor_rel: 0.0,
            provenance: Provenance::Measured,
            detail: String::new(),
        };
        let reading = |ms| if ms < end_ms { Ok(ms * 1_000) } else { Err(Fault::Vanished) };
        let readings = (0..10_000_u64).map(|ms| (ms * 1_000_000, reading(ms))).collect();
        let clock = Manual::new(0);
        let replay = Replay::new(vec![Script { channel, readings }]);
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        (Meter::with_sources(vec![Box::new(replay)], shared), clock)
    }

    /// Two domains that count their readings; the second shows nothing before `awake` is set, then a count.
    #[derive(Debug)]
    struct Sleeper {
        channels: Vec<Channel>,
        awake: Arc<AtomicU64>,
        reads: Arc<AtomicU64>,
    }

    impl Source for Sleeper {
        fn name(&self) -> &'static str {
            "sleeper"
        }

        fn channels(&self) -> &[Channel] {
            &self.channels
        }

        fn read(&self, clock: &dyn Clock, samples: &mut [Sample]) {
            self.reads.fetch_add(1, Ordering::Relaxed);
            let awake = self.awake.load(Ordering::Relaxed);
            samples[0] = Sample::bracket(clock, || Ok(1 + clock.now_ns() / 1_000));
            samples[1] = Sample::bracket(clock, || if awake == 0 { Err(Fault::Zero) } else { Ok(awake) });
        }

        fn retain(&mut self, _keep: &[bool]) {}
    }

    #[test]
    fn a_meter_that_has_nothing_to_say_costs_a_window_no_second_reading_and_is_met_when_it_has() {
        let (awake, reads) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let of_kind = |kind| Channel { place: Place::of_package(kind, 0), ..one_watt().0.domains()[0].channel.clone() };
        let channels = vec![of_kind(Kind::Package), of_kind(Kind::Uncore)];
        let source = Sleeper { channels, awake: awake.clone(), reads: reads.clone() };
        let clock = Manual::new(0);
        let meter = Meter::with_sources(vec![Box::new(source)], Arc::new(clock.clone()));
        let (mut window, before) = (meter.window(), reads.load(Ordering::Relaxed));
        window.begin().unwrap();
        let readout = window.end().unwrap();
        assert_eq!(reads.load(Ordering::Relaxed) - before, 2);
        assert_eq!((readout.domains[1].energy_uj, readout.domains[1].fault), (None, Some(Fault::Zero)));
        awake.store(5, Ordering::Relaxed);
        window.begin().unwrap();
        awake.store(12, Ordering::Relaxed);
        clock.advance(NS_PER_S);
        assert_eq!(window.end().unwrap().domains[1].energy_uj, Some(7));
    }

    proptest! {
        #[test]
        fn splits_add_up_to_the_lap_over_all_of_them(steps in prop::collection::vec(0..NS_PER_S / 2, 1..20)) {
            let (meter, clock) = one_watt();
            let (mut whole, mut parts) = (meter.window(), meter.window());
            whole.begin().unwrap();
            parts.begin().unwrap();
            let (mut sum_uj, mut t_ns) = (0, 0);
            for step in steps {
                t_ns += step;
                clock.set(t_ns);
                let part = parts.split().unwrap();
                sum_uj += part.domains[0].energy_uj.unwrap();
                let lap = whole.lap().unwrap();
                prop_assert_eq!(lap.domains[0].energy_uj, Some(sum_uj));
                prop_assert_eq!((lap.t0_ns, lap.t1_ns), (0, part.t1_ns));
            }
            prop_assert_eq!(parts.end().unwrap().domains[0].energy_uj, Some(0));
        }
    }

    #[test]
    fn a_window_tells_how_long_the_machine_slept_and_splits_share_it() {
        let (meter, clock) = one_watt();
        let (mut whole, mut parts) = (meter.window(), meter.window());
        whole.begin().unwrap();
        parts.begin().unwrap();
        clock.advance(NS_PER_S);
        clock.suspend(100 * NS_PER_S);
        assert_eq!(parts.split().unwrap().suspended_ns, 100 * NS_PER_S);
        clock.suspend(7 * NS_PER_S);
        assert_eq!(parts.end().unwrap().suspended_ns, 7 * NS_PER_S);
        let readout = whole.end().unwrap();
        assert_eq!((readout.suspended_ns, readout.t1_ns - readout.t0_ns), (107 * NS_PER_S, NS_PER_S));
    }

    #[test]
    fn a_meter_that_vanished_before_its_power_was_known_is_no_0_j() {
        let (meter, clock) = one_watt_until(1);
        let mut window = meter.window();
        window.begin().unwrap();
        clock.set(NS_PER_S);
        let end = window.end().unwrap().domains[0];
        assert_eq!((end.energy_uj, end.fault), (None, Some(Fault::Vanished)));
    }

    #[test]
    fn a_closed_window_has_neither_laps_nor_splits() {
        let (meter, _clock) = one_watt();
        let mut window = meter.window();
        assert!(window.lap().is_err() && window.split().is_err() && window.end().is_err());
        window.begin().unwrap();
        assert!(window.begin().is_err());
        window.end().unwrap();
        assert!(window.lap().is_err());
    }
}
