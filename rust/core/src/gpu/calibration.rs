//! A card's own gain and offset: what its sensor shows for a true power.
//!
//! Cards of one model differ: gains of 0.87 to 1.06 and offsets of -24 to 16 W were measured (Yang, Adamek and Armour,
//! arXiv 2312.02741, results on 70 cards). Against an external meter the pair can be fitted and then undone.

/// `shown = gain * true + offset_w`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibration {
    /// Shown watts for each true watt.
    pub gain: f64,
    /// Shown watts at a true power of zero.
    pub offset_w: f64,
}

impl Default for Calibration {
    fn default() -> Self {
        Self { gain: 1.0, offset_w: 0.0 }
    }
}

impl Calibration {
    /// The pair that fits `(true_w, shown_w)` best by least squares; `None` unless there are two true powers and the
    /// shown one grows with them.
    pub fn fit(pairs: &[(f64, f64)]) -> Option<Self> {
        let count = pairs.len() as f64;
        let mean = |value: fn(&(f64, f64)) -> f64| pairs.iter().map(value).sum::<f64>() / count;
        let (true_w, shown_w) = (mean(|pair| pair.0), mean(|pair| pair.1));
        let spread: f64 = pairs.iter().map(|pair| (pair.0 - true_w).powi(2)).sum();
        let common: f64 = pairs.iter().map(|pair| (pair.0 - true_w) * (pair.1 - shown_w)).sum();
        let gain = common / spread;
        (gain.is_finite() && gain > 0.0).then_some(Self { gain, offset_w: shown_w - gain * true_w })
    }

    /// The true energy of an interval for which this much was shown, in joules.
    pub fn true_j(&self, shown_j: f64, duration_s: f64) -> f64 {
        (shown_j - self.offset_w * duration_s) / self.gain
    }

    /// Whether it changes anything.
    pub fn is_identity(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_power_alone_fits_nothing() {
        assert_eq!(Calibration::fit(&[(100.0, 95.0), (100.0, 96.0)]), None);
        assert_eq!(Calibration::fit(&[]), None);
    }

    proptest! {
        #[test]
        fn a_fit_finds_what_a_card_does(gain in 0.8..1.2_f64, offset_w in -25.0..25.0_f64) {
            let pairs: Vec<_> = (1..20).map(|k| f64::from(k) * 30.0).map(|w| (w, gain * w + offset_w)).collect();
            let found = Calibration::fit(&pairs).unwrap();
            prop_assert!((found.gain - gain).abs() < 1e-9 && (found.offset_w - offset_w).abs() < 1e-6);
            prop_assert!((found.true_j((gain * 300.0 + offset_w) * 2.0, 2.0) - 600.0).abs() < 1e-6);
        }
    }
}
