//! How much energy a domain has drawn since the epoch, exactly.
//!
//! Powers are whole microwatts and times whole nanoseconds, so energies are whole femtojoules and every
//! form but the sine is exact in integers. truth.py states the same forms a second time.

use serde::Deserialize;

use crate::telegraph::Telegraph;

/// Power over time; the field `shape` of the spec names the variant.
#[derive(Debug, Deserialize)]
#[serde(tag = "shape", rename_all = "lowercase", deny_unknown_fields)]
pub enum Power {
    /// The same power for ever.
    Constant {
        /// Microwatts.
        power_uw: u64,
    },
    /// `high_uw` for the first `high_ns` of each period, `low_uw` for the rest.
    Square {
        /// Microwatts.
        low_uw: u64,
        /// Microwatts.
        high_uw: u64,
        /// Length of one period, > 0.
        period_ns: u64,
        /// Length of the high part, at most one period.
        high_ns: u64,
    },
    /// Linear from `from_uw` at the epoch to `to_uw` after `duration_ns`, then `to_uw`.
    Ramp {
        /// Microwatts at the epoch.
        from_uw: u64,
        /// Microwatts at the end and after it.
        to_uw: u64,
        /// Length of the slope, > 0.
        duration_ns: u64,
    },
    /// `base_uw`, but `peak_uw` for `width_ns` from `at_ns` on, again every `every_ns`.
    Burst {
        /// Microwatts outside the bursts.
        base_uw: u64,
        /// Microwatts inside.
        peak_uw: u64,
        /// Start of the first burst after the epoch.
        at_ns: u64,
        /// Length of a burst, at most `every_ns`.
        width_ns: u64,
        /// From burst to burst; absent: there is one burst only.
        every_ns: Option<u64>,
    },
    /// `mean_uw` + `amplitude_uw` x sin(2 pi t / `period_ns`).
    Sine {
        /// Microwatts.
        mean_uw: u64,
        /// Microwatts, at most the mean.
        amplitude_uw: u64,
        /// Length of one period, > 0.
        period_ns: u64,
    },
    /// Linear between points, held before the first and after the last; two points at one instant are a step.
    Points {
        /// Pairs of nanoseconds after the epoch and microwatts, in order of time.
        points: Vec<(u64, u64)>,
    },
    /// Two powers, switched at random instants.
    Telegraph(Telegraph),
}

impl Power {
    /// Femtojoules drawn from the epoch to `t_ns` after it.
    pub fn energy_fj(&self, t_ns: u64) -> i128 {
        match *self {
            Self::Constant { power_uw } => product(power_uw, t_ns),
            Self::Square { low_uw, high_uw, period_ns, high_ns } => {
                two_levels(low_uw, high_uw, t_ns, pulses_ns(t_ns, high_ns, period_ns))
            }
            Self::Ramp { from_uw, to_uw, duration_ns } => {
                let slope_ns = t_ns.min(duration_ns);
                slope_fj(from_uw, to_uw, duration_ns, slope_ns) + product(to_uw, t_ns - slope_ns)
            }
            Self::Burst { base_uw, peak_uw, at_ns, width_ns, every_ns } => {
                let since_ns = t_ns.saturating_sub(at_ns);
                let burst_ns = pulses_ns(since_ns, width_ns, every_ns.unwrap_or(u64::MAX));
                two_levels(base_uw, peak_uw, t_ns, burst_ns)
            }
            Self::Sine { mean_uw, amplitude_uw, period_ns } => {
                product(mean_uw, t_ns) + swing_fj(amplitude_uw, period_ns, t_ns % period_ns)
            }
            Self::Points { ref points } => through_fj(points, t_ns),
            Self::Telegraph(ref telegraph) => telegraph.energy_fj(t_ns),
        }
    }

    /// What makes the form meaningless, if anything does.
    pub fn fault(&self) -> Option<&'static str> {
        match *self {
            Self::Constant { .. } => None,
            Self::Square { period_ns, high_ns, .. } => {
                (period_ns == 0 || high_ns > period_ns).then_some("square needs 0 <= high_ns <= period_ns > 0")
            }
            Self::Ramp { duration_ns, .. } => (duration_ns == 0).then_some("ramp needs duration_ns > 0"),
            Self::Burst { width_ns, every_ns, .. } => {
                every_ns.is_some_and(|n| n == 0 || width_ns > n).then_some("burst needs width_ns <= every_ns > 0")
            }
            Self::Sine { mean_uw, amplitude_uw, period_ns } => (period_ns == 0 || amplitude_uw > mean_uw)
                .then_some("sine needs amplitude_uw <= mean_uw and period_ns > 0"),
            Self::Points { ref points } => {
                let is_ordered = points.windows(2).all(|pair| pair[0].0 <= pair[1].0);
                (points.is_empty() || !is_ordered).then_some("points needs at least one, in order of time")
            }
            Self::Telegraph(ref telegraph) => telegraph.fault(),
        }
    }
}

/// Femtojoules of `power_uw` over `t_ns`.
pub fn product(power_uw: u64, t_ns: u64) -> i128 {
    i128::from(power_uw) * i128::from(t_ns)
}

fn two_levels(low_uw: u64, high_uw: u64, t_ns: u64, high_ns: u64) -> i128 {
    product(low_uw, t_ns - high_ns) + product(high_uw, high_ns)
}

/// Time spent in pulses that start at 0 and at each multiple of `every_ns`.
fn pulses_ns(t_ns: u64, width_ns: u64, every_ns: u64) -> u64 {
    t_ns / every_ns * width_ns + (t_ns % every_ns).min(width_ns)
}

fn slope_fj(from_uw: u64, to_uw: u64, duration_ns: u64, t_ns: u64) -> i128 {
    let rise_uw = i128::from(to_uw) - i128::from(from_uw);
    let t = i128::from(t_ns);
    product(from_uw, t_ns) + (rise_uw * t * t).div_euclid(2 * i128::from(duration_ns))
}

/// The slopes between the points, each rounded down as a ramp is, and the ends held.
fn through_fj(points: &[(u64, u64)], t_ns: u64) -> i128 {
    let before_fj = points.first().map_or(0, |&(at_ns, power_uw)| product(power_uw, t_ns.min(at_ns)));
    let after_fj = points.last().map_or(0, |&(at_ns, power_uw)| product(power_uw, t_ns.saturating_sub(at_ns)));
    let slopes = points.windows(2).filter(|pair| pair[0].0 < pair[1].0 && pair[0].0 < t_ns);
    let between = slopes.map(|pair| {
        let ((from_ns, from_uw), (to_ns, to_uw)) = (pair[0], pair[1]);
        slope_fj(from_uw, to_uw, to_ns - from_ns, t_ns.min(to_ns) - from_ns)
    });
    before_fj + between.sum::<i128>() + after_fj
}

/// The integral of the sine alone: amplitude x T / (2 pi) x (1 - cos(2 pi t / T)).
#[expect(clippy::cast_possible_truncation, reason = "a swing is below 2^63 fJ x periods and rounds to 1 fJ in 2^53")]
fn swing_fj(amplitude_uw: u64, period_ns: u64, t_ns: u64) -> i128 {
    let turn = std::f64::consts::TAU;
    let (amplitude_uw, period_ns, t_ns) = (amplitude_uw as f64, period_ns as f64, t_ns as f64);
    (amplitude_uw * period_ns / turn * (1.0 - (turn * t_ns / period_ns).cos())).round_ties_even() as i128
}
