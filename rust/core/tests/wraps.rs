//! Hours of simulated time for each range and power: is every wrap counted, and every reset told from a wrap or flagged?

#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test of figures, which are to be seen

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use eco2ai_fast_core::choice;
use eco2ai_fast_core::counter::{State, advance};
use eco2ai_fast_core::domain::{Channel, Kind, Place, Range};
use eco2ai_fast_core::keepalive::keep_alive_period_ns;
use eco2ai_fast_core::sample::Sample;
use eco2ai_fast_core::source::Source;
use eco2ai_fast_core::source::cpuinfo::CpuInfo;
use eco2ai_fast_core::source::rapl;
use eco2ai_fast_core::source::replay::{Replay, Script};
use eco2ai_fast_core::units::{MICRO, NS_PER_S, Scale};

const HOUR_NS: u64 = 3_600 * NS_PER_S;
const TICK_NS: u64 = 1_000_000;
const EXPONENTS: [u32; 4] = [0, 14, 16, 18];
const POWERS_W: [u64; 4] = [65, 300, 1_000, 2_000];
const UNITS: u64 = 1 << rapl::COUNTER_BITS;

/// How a route shows the register of 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    /// As it stands.
    Register,
    /// In microjoules of whole nanojoules per unit.
    Powercap,
    /// 2^-32 J, dropping by a range at each wrap; the range is known from powercap.
    FrameworkPmu,
    /// The same, and nothing is known of the range.
    FrameworkPmuAlone,
    /// 2^-32 J, accumulated.
    ClassicPmu,
}

const VIEWS: [View; 5] =
    [View::Register, View::Powercap, View::FrameworkPmu, View::FrameworkPmuAlone, View::ClassicPmu];

impl View {
    fn channel(self, exponent: u32) -> Channel {
        let unit_nj = 1_000_000_000_u64 >> exponent;
        let (scale, range) = match self {
            Self::Register => (Scale::power_of_two(exponent), Range::Modulo(UNITS)),
            Self::Powercap => (Some(Scale::MICROJOULE), Range::Modulo((UNITS - 1) * unit_nj / 1_000 + 1)),
            // 2^64 counts of 2^-32 J do not wrap in 64 bits.
            Self::FrameworkPmu | Self::ClassicPmu if exponent == 0 => (Scale::power_of_two(32), Range::Unbounded),
            Self::FrameworkPmu | Self::ClassicPmu => (Scale::power_of_two(32), Range::Drops(1 << (64 - exponent))),
            Self::FrameworkPmuAlone => (Scale::power_of_two(32), Range::PowerOfTwo),
        };
        let place = Place::of_package(Kind::Package, 0);
        rapl::channel(place, scale.unwrap(), range, String::new(), &CpuInfo::default())
    }

    /// What is shown when the hardware has counted `units` in all, `offset` of them before the event was opened.
    fn shown(self, units: u64, offset: u64, exponent: u32) -> u64 {
        let shift = rapl::COUNTER_BITS - exponent;
        match self {
            Self::Register => units % UNITS,
            Self::Powercap => units % UNITS * (1_000_000_000_u64 >> exponent) / 1_000,
            // The event counts from 0 in signed steps: from the first drop on it shows 2^64 less what is missing.
            Self::FrameworkPmu | Self::FrameworkPmuAlone if exponent > 0 => {
                ((units % UNITS) << shift).wrapping_sub((offset % UNITS) << shift)
            }
            _ => (units - offset) << shift,
        }
    }
}

fn period_ns(channel: &Channel) -> u64 {
    let script = Script { channel: channel.clone(), readings: Vec::new() };
    let mut sources: Vec<Box<dyn Source>> = vec![Box::new(Replay::new(vec![script]))];
    keep_alive_period_ns(&choice::choose(&mut sources, &[])).unwrap_or(30 * NS_PER_S)
}

/// Units counted up to the last update.
fn units_at(t_ns: u64, power_w: u64, exponent: u32) -> u64 {
    let ticked_ns = u128::from(t_ns / TICK_NS * TICK_NS);
    u64::try_from(((u128::from(power_w) * ticked_ns) << exponent) / u128::from(NS_PER_S)).unwrap()
}

fn good(raw: u64, t_ns: u64) -> Sample {
    Sample { raw, before_ns: t_ns, after_ns: t_ns, fault: None }
}

/// A number that looks random, the same in every run.
fn random(seed: impl Hash, below: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    seed.hash(&mut hasher);
    hasher.finish() % below
}

/// hubblo-org/scaphandre #280, tdurieux/EnergiBridge #17, RRZE-HPC/likwid #646: wraps ignored; ml-energy/zeus #91: no more
/// than one wrap in a window.
#[test]
fn every_wrap_of_every_range_is_counted_for_hours() {
    for view in VIEWS {
        for (exponent, power_w) in EXPONENTS.into_iter().flat_map(|esu| POWERS_W.map(|power_w| (esu, power_w))) {
            let channel = view.channel(exponent);
            let period_ns = period_ns(&channel);
            // Ten minutes before the first wrap, so that even 4 GJ are seen to wrap once.
            let start = UNITS - units_at(600 * NS_PER_S, power_w, exponent) % UNITS;
            let mut state = State::default();
            let mut t_ns = 0;
            while t_ns < 6 * HOUR_NS {
                let units = start + units_at(t_ns, power_w, exponent);
                state = advance(&state, &good(view.shown(units, start - 1, exponent), t_ns), &channel);
                t_ns += period_ns;
            }
            let truth_uj = power_w * MICRO * (state.t_ns / TICK_NS) / 1_000;
            let energy_uj = channel.scale.microjoules(state.total);
            // powercap's units are whole nanojoules: up to 183 ppm low.
            let allowed_uj = truth_uj / 5_000 + channel.scale.microjoules(1 << 18) + 2_000_000;
            let error = energy_uj.abs_diff(truth_uj);
            assert!(error <= allowed_uj, "{view:?} 2^-{exponent} J {power_w} W: {energy_uj} of {truth_uj} uJ");
            let wraps = (start + units_at(state.t_ns, power_w, exponent)) / UNITS;
            let shows_wraps = !(view == View::ClassicPmu
                || channel.range == Range::Unbounded
                || exponent == 0 && view == View::FrameworkPmuAlone);
            assert_eq!(state.wraps, if shows_wraps { wraps } else { 0 }, "{view:?} 2^-{exponent} J {power_w} W");
            assert_eq!(
                (state.resets, state.ambiguous, state.estimated),
                (0, 0, 0),
                "{view:?} 2^-{exponent} J {power_w} W"
            );
        }
    }
}

/// What became of the resets of one range and power.
#[derive(Debug, Default)]
struct Tally {
    told: u32,
    flagged: u32,
    /// Taken for a wrap that goes on as the power did, to a tenth: no fact tells it from one.
    taken_for_a_wrap: u32,
}

#[test]
fn a_reset_is_told_from_a_wrap_or_flagged() {
    println!("unit    power W  period s  resets told  flagged  like a wrap");
    for (exponent, power_w) in EXPONENTS.into_iter().flat_map(|esu| POWERS_W.map(|power_w| (esu, power_w))) {
        let channel = View::Register.channel(exponent);
        let mut tally = Tally::default();
        for round in 0..200 {
            reset_once(&channel, exponent, power_w, round, &mut tally);
        }
        let Tally { told, flagged, taken_for_a_wrap } = tally;
        let period_s = period_ns(&channel) as f64 * 1e-9;
        println!("2^-{exponent:<2} J {power_w:8} {period_s:9.1} {told:12} {flagged:8} {taken_for_a_wrap:12}");
        assert_eq!(told + flagged + taken_for_a_wrap, 200);
        // Three quarters of a range are more than the greatest power explains between two readings.
        assert!(told >= 130, "2^-{exponent} J {power_w} W: {tally:?}");
    }
}

/// Steady power, a reset at some moment of some interval from any count, and some more readings.
fn reset_once(channel: &Channel, exponent: u32, power_w: u64, round: u64, tally: &mut Tally) {
    let period_ns = period_ns(channel);
    // A counter that stood so low that it is higher again by the next reading shows no decrease: less power, to any reader.
    let lowest = units_at(period_ns, power_w, exponent);
    let before_reset = lowest + random((exponent, power_w, round, "count"), UNITS - lowest);
    let reset_ns = 5 * period_ns + random((exponent, power_w, round, "moment"), period_ns);
    let start = before_reset + UNITS - units_at(reset_ns, power_w, exponent) % UNITS;
    let mut state = State::default();
    let mut without = State::default();
    for reading in 0..12 {
        let t_ns = reading * period_ns;
        let counted = units_at(t_ns, power_w, exponent);
        let units = if t_ns < reset_ns { start + counted } else { counted - units_at(reset_ns, power_w, exponent) };
        state = advance(&state, &good((units % UNITS).max(1), t_ns), channel);
        without = advance(&without, &good((start + counted) % UNITS, t_ns), channel);
    }
    let interval_uj = power_w * (period_ns / 1_000);
    let error_uj = channel.scale.microjoules(state.total).abs_diff(power_w * (state.t_ns / 1_000));
    let bound_uj = channel.scale.microjoules(state.estimated + state.doubtful)
        + 4 * channel.scale.microjoules(1)
        + 10 * power_w * 1_000;
    if state.resets > without.resets {
        tally.told += 1;
        assert!(error_uj <= bound_uj, "told, {error_uj} uJ off: {state:?}");
    } else if state.ambiguous > without.ambiguous {
        tally.flagged += 1;
        assert!(error_uj <= bound_uj, "flagged, {error_uj} uJ off: {state:?}");
    } else {
        tally.taken_for_a_wrap += 1;
        assert!(state.wraps > 0, "neither told, nor flagged, nor counted as a wrap: {state:?}");
        assert!(error_uj <= interval_uj / 8, "{error_uj} uJ off by a reset that looks like a wrap: {state:?}");
    }
}
