//! What two raw readings of a counter say: a difference, a wrap, several possible wraps, or that it was set anew.

use crate::domain::{Channel, Range};
use crate::units;

/// Smallest range of a counter whose wrap is learned: 2^(64-18), the 16,384 J of an energy unit of 2^-18 J, the finest
/// that RAPL is known to use. A counter set back by some joules is never taken for a wrap.
const LEAST_LEARNED_RANGE: u64 = 1 << 46;
/// What a second reading says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The counter went on by so many counts.
    Delta(u64),
    /// It passed its range once and went on by so many counts in all.
    Wrapped(u64),
    /// It went on by so many counts, but so much time passed that it may have gone round more often.
    Ambiguous {
        /// The least that it can have counted.
        counts: u64,
        /// What each further round adds.
        range: u64,
    },
    /// No plausible power explains the change: the counter was set anew.
    Reset,
}

/// Compares two raw readings `dt_ns` apart (law 3: every difference is reduced modulo the range).
pub fn step(before: u64, after: u64, dt_ns: u64, channel: &Channel) -> Step {
    let Some(Way { counts, range, has_wrapped }) = forward(before, after, channel.range) else {
        return Step::Reset;
    };
    if channel.scale.microjoules(counts) > plausible_uj(channel, dt_ns) {
        return Step::Reset;
    }
    match range {
        Some(range) if units::energy_uj(channel.max_power_uw, dt_ns) >= channel.scale.microjoules(range) => {
            Step::Ambiguous { counts, range }
        }
        _ if has_wrapped => Step::Wrapped(counts),
        _ => Step::Delta(counts),
    }
}

/// The most that can have been used: the greatest power over the time and two ticks, since each reading may be one late.
pub fn plausible_uj(channel: &Channel, dt_ns: u64) -> u64 {
    units::energy_uj(channel.max_power_uw, dt_ns.saturating_add(2 * channel.tick_ns))
}

/// What lies between two readings.
struct Way {
    counts: u64,
    /// What the counts are known modulo.
    range: Option<u64>,
    has_wrapped: bool,
}

/// The way from one reading to the next; `None` where it can only be a reset.
fn forward(before: u64, after: u64, range: Range) -> Option<Way> {
    match range {
        Range::Modulo(range) if before >= range || after >= range => None,
        Range::Modulo(range) => {
            let has_wrapped = after < before;
            let counts = if has_wrapped { after + (range - before) } else { after - before };
            Some(Way { counts, range: Some(range), has_wrapped })
        }
        Range::Drops(range) => undropped(before, after, |_| Some(range)),
        Range::PowerOfTwo => undropped(before, after, learned_range),
        Range::Unbounded => after.checked_sub(before).map(|counts| Way { counts, range: None, has_wrapped: false }),
    }
}

/// The way of a perf count, whose falls are whole ranges too many; `range_of` tells the range from a fall.
///
/// The kernel adds signed steps to 64 bits that begin at 0, so that the first wrap of a process brings most counts below
/// 0: they show as 2^64 less the rest.
fn undropped(before: u64, after: u64, range_of: impl Fn(u64) -> Option<u64>) -> Option<Way> {
    let climb = after.wrapping_sub(before).cast_signed();
    let (by, has_wrapped) = (climb.unsigned_abs(), climb < 0);
    let range = range_of(if has_wrapped { by } else { 0 })?.max(1);
    let counts = if has_wrapped { (range - by % range) % range } else { by };
    Some(Way { counts, range: Some(range), has_wrapped })
}

/// The least power of two that explains a fall; `None` where no 64 bits hold it.
fn learned_range(fall: u64) -> Option<u64> {
    fall.checked_next_power_of_two().map(|range| range.max(LEAST_LEARNED_RANGE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Kind, Place, Provenance};
    use crate::units::{MICRO, NS_PER_S, Scale};
    use proptest::prelude::*;

    const RANGE: u64 = 1_000 * MICRO;
    /// 262,144 J in counts of 2^-32 J: energy unit 2^-14 J.
    const ESU_14: u64 = 1 << 50;

    fn channel(range: Range) -> Channel {
        Channel {
            place: Place::of_package(Kind::Package, 0),
            signal: crate::domain::Signal::Counter,
            scale: if matches!(range, Range::PowerOfTwo | Range::Drops(_)) {
                Scale::power_of_two(32).unwrap()
            } else {
                Scale::MICROJOULE
            },
            range,
            max_power_uw: 200 * MICRO,
            tick_ns: 1_000_000,
            longest_rest_ns: u64::MAX,
            resolution_ns: 0,
            sensor_rel: 0.03,
            provenance: Provenance::Measured,
            detail: String::new(),
        }
    }

    #[test]
    fn a_decrease_that_a_plausible_power_explains_is_a_wrap() {
        let step = step(RANGE - 5 * MICRO, 5 * MICRO, NS_PER_S, &channel(Range::Modulo(RANGE)));
        assert_eq!(step, Step::Wrapped(10 * MICRO));
    }

    #[test]
    fn a_decrease_that_no_plausible_power_explains_is_a_reset() {
        assert_eq!(step(500 * MICRO, 0, NS_PER_S, &channel(Range::Modulo(RANGE))), Step::Reset);
        assert_eq!(step(5 * MICRO, 4 * MICRO, NS_PER_S, &channel(Range::Unbounded)), Step::Reset);
    }

    #[test]
    fn time_enough_for_two_wraps_is_ambiguous() {
        let step = step(0, 10 * MICRO, 6 * NS_PER_S, &channel(Range::Modulo(RANGE)));
        assert_eq!(step, Step::Ambiguous { counts: 10 * MICRO, range: RANGE });
    }

    /// The RAPL-framework PMU subtracts readings of 32 bits without a modulo: at each wrap its count drops by a range.
    #[test]
    fn a_perf_count_that_drops_by_one_hardware_range_is_repaired() {
        for range in [Range::PowerOfTwo, Range::Drops(ESU_14)] {
            let channel = channel(range);
            let before = 3 * ESU_14 + (ESU_14 - (20 << 32));
            let after = before - ESU_14 + (65 << 32);
            assert_eq!(step(before, after, NS_PER_S, &channel), Step::Wrapped(65 << 32));
            assert_eq!(step(before, before - (50 << 32), NS_PER_S, &channel), Step::Reset);
        }
    }

    /// The kernel counts from 0, when the event was opened, in signed steps: the first drop leaves less than nothing.
    #[test]
    fn the_first_drop_of_a_perf_count_goes_below_zero_and_is_a_wrap() {
        let below_zero = |joules: u64| 0_u64.wrapping_sub(joules << 32);
        for range in [Range::PowerOfTwo, Range::Drops(ESU_14)] {
            let channel = channel(range);
            let after = below_zero(262_144 - 10 - 65);
            assert_eq!(step(10 << 32, after, NS_PER_S, &channel), Step::Wrapped(65 << 32), "{range:?}");
            assert_eq!(step(after, after + (65 << 32), NS_PER_S, &channel), Step::Delta(65 << 32), "{range:?}");
            assert_eq!(step(below_zero(5), 60 << 32, NS_PER_S, &channel), Step::Delta(65 << 32), "{range:?}");
        }
    }

    /// The classic PMU takes a difference of more than 2^31 units for a negative one: 147,456 J show as -114,688 J.
    #[test]
    fn a_perf_count_left_unread_for_more_than_half_a_range_is_repaired() {
        let channel = Channel { max_power_uw: 2_000 * MICRO, ..channel(Range::Drops(ESU_14)) };
        let before = 1 << 60;
        let after = before - (114_688 << 32);
        assert_eq!(step(before, after, 100 * NS_PER_S, &channel), Step::Wrapped(147_456 << 32));
    }

    proptest! {
        /// Whatever the readings, a step never claims more than the greatest power explains.
        #[test]
        fn no_two_readings_make_an_implausible_step(
            before: u64, after: u64, dt_ns in 0..100 * NS_PER_S, kind in 0_usize..4, range in 1_u64..
        ) {
            let range = [Range::Modulo(range), Range::Drops(range), Range::PowerOfTwo, Range::Unbounded][kind];
            let channel = channel(range);
            let counts = match step(before, after, dt_ns, &channel) {
                Step::Delta(counts) | Step::Wrapped(counts) | Step::Ambiguous { counts, .. } => counts,
                Step::Reset => 0,
            };
            prop_assert!(channel.scale.microjoules(counts) <= plausible_uj(&channel, dt_ns));
        }
    }
}
