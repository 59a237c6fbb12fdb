//! Whether a GPU's counter and its gauge tell the same story. Neither is ground truth: on some cards an idle counter
//! says 37 W where the gauge says 65 W (zeus issue 181).

use crate::units;

/// Disagreement that is reported.
pub const TOLERATED: f64 = 0.05;
/// Time over which they are compared before anything is said: long against the second that an average lags behind.
const LEAST_NS: u64 = 20 * units::NS_PER_S;
/// Time after which old intervals begin to fade.
const MOST_NS: u64 = 2 * LEAST_NS;

/// The two energies over the same intervals.
#[derive(Debug, Clone, Copy, Default)]
pub struct Agreement {
    counted_j: f64,
    gauged_j: f64,
    over_ns: u64,
}

impl Agreement {
    /// Adds an interval.
    pub fn add(&mut self, counted_j: f64, gauge_mw: u64, dt_ns: u64) {
        self.counted_j += counted_j;
        self.gauged_j += gauge_mw as f64 / 1e3 * units::seconds(dt_ns);
        self.over_ns += dt_ns;
        if self.over_ns > MOST_NS {
            *self = Self { counted_j: self.counted_j / 2.0, gauged_j: self.gauged_j / 2.0, over_ns: self.over_ns / 2 };
        }
    }

    /// The counter's energy over the gauge's; `None` before enough time was compared.
    pub fn ratio(&self) -> Option<f64> {
        (self.over_ns >= LEAST_NS && self.gauged_j > 0.0).then(|| self.counted_j / self.gauged_j)
    }

    /// That ratio, where it is too far from one.
    pub fn disagreement(&self) -> Option<f64> {
        self.ratio().filter(|ratio| (ratio - 1.0).abs() > TOLERATED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: u64, counted_w: f64, gauge_w: u64) -> Agreement {
        let mut agreement = Agreement::default();
        (0..seconds * 10).for_each(|_| agreement.add(counted_w / 10.0, gauge_w * 1_000, units::NS_PER_S / 10));
        agreement
    }

    #[test]
    fn a_disagreement_is_reported_once_enough_time_was_compared() {
        assert_eq!(after(10, 37.0, 65).ratio(), None);
        assert!((after(30, 37.0, 65).disagreement().unwrap() - 37.0 / 65.0).abs() < 1e-6);
        assert_eq!(after(300, 309.0, 300).disagreement(), None);
        assert!((after(300, 309.0, 300).ratio().unwrap() - 1.03).abs() < 1e-6);
    }
}
