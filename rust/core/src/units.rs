//! The only conversions: counts to microjoules, watts to microwatts, integers to floats.

/// Nanoseconds in a second.
pub const NS_PER_S: u64 = 1_000_000_000;
/// Microjoules in a joule, microwatts in a watt.
pub const MICRO: u64 = 1_000_000;
/// Microwatt nanoseconds in a microjoule.
const UW_NS_PER_UJ: u128 = 1_000_000_000;

/// Energy of one count of a raw counter, as an exact ratio of microjoules.
///
/// A total is kept in counts and converted at each instant, `floor(counts * scale)`, so that the energies of adjacent
/// windows telescope: their sum is the energy of the whole, to the microjoule, whatever the unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scale {
    numerator: u64,
    denominator: u64,
}

impl Scale {
    /// One count is one microjoule (powercap's `energy_uj`).
    pub const MICROJOULE: Self = Self { numerator: 1, denominator: 1 };
    /// One count is one nanojoule: the resolution in which models and gauges add up.
    pub const NANOJOULE: Self = Self { numerator: 1, denominator: 1_000 };

    /// One count is `2^-exponent` joules: the energy unit of the RAPL registers (Intel SDM vol. 4, MSR 0x606).
    pub fn power_of_two(exponent: u32) -> Option<Self> {
        let denominator = 1_u64.checked_shl(exponent)?;
        Some(Self::reduced(MICRO, denominator))
    }

    /// One count is `2^exponent` microjoules: the energy unit of some Atoms.
    pub fn microjoules_times_power_of_two(exponent: u32) -> Option<Self> {
        Some(Self { numerator: 1_u64.checked_shl(exponent)?, denominator: 1 })
    }

    /// Reads the `.scale` file of a perf event: joules per count as a decimal such as `2.3283064365386962890625e-10`.
    ///
    /// A power of two is kept exactly; any other number to 18 significant digits. `None` for what is no positive number.
    pub fn from_joules_text(text: &str) -> Option<Self> {
        let value: f64 = text.trim().parse().ok()?;
        if !(value.is_finite() && value > 0.0) {
            return None;
        }
        exact_power_of_two(value).or_else(|| decimal(text.trim()))
    }

    /// Microjoules in `counts`, rounded down.
    pub fn microjoules(self, counts: u64) -> u64 {
        let exact = u128::from(counts) * u128::from(self.numerator) / u128::from(self.denominator);
        u64::try_from(exact).unwrap_or(u64::MAX)
    }

    /// Counts that amount to `energy_uj`, rounded down: for what is estimated in place of a lost interval.
    pub fn counts(self, energy_uj: u64) -> u64 {
        let exact = u128::from(energy_uj) * u128::from(self.denominator) / u128::from(self.numerator);
        u64::try_from(exact).unwrap_or(u64::MAX)
    }

    /// Microjoules of one count, for error bounds.
    pub fn microjoules_per_count(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }

    fn reduced(numerator: u64, denominator: u64) -> Self {
        let divisor = gcd(numerator, denominator);
        Self { numerator: numerator / divisor, denominator: denominator / divisor }
    }
}

/// Energy of a constant power over a time, in microjoules.
pub fn energy_uj(power_uw: u64, duration_ns: u64) -> u64 {
    let exact = u128::from(power_uw) * u128::from(duration_ns) / UW_NS_PER_UJ;
    u64::try_from(exact).unwrap_or(u64::MAX)
}

/// Mean power of an energy over a time, in microwatts; `None` over no time at all.
pub fn power_uw(energy_uj: u64, duration_ns: u64) -> Option<u64> {
    let exact = (u128::from(energy_uj) * UW_NS_PER_UJ).checked_div(u128::from(duration_ns))?;
    Some(u64::try_from(exact).unwrap_or(u64::MAX))
}

/// Microwatts of a power given in watts; negative and not-a-number become 0.
pub fn microwatts(power_w: f64) -> u64 {
    whole(power_w * MICRO as f64)
}

/// The whole part of a number; what is negative or no number is 0, what is too large the largest.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a float-to-integer cast saturates
pub fn whole(number: f64) -> u64 {
    number as u64
}

/// Joules of an integer energy: the edge at which floats begin.
pub fn joules(energy_uj: u64) -> f64 {
    energy_uj as f64 / MICRO as f64
}

/// Seconds of an integer time.
pub fn seconds(duration_ns: u64) -> f64 {
    duration_ns as f64 / NS_PER_S as f64
}

fn exact_power_of_two(value: f64) -> Option<Scale> {
    let exponent = -value.log2();
    let rounded = exponent.round();
    let is_exact = (0.0..64.0).contains(&rounded) && (-rounded).exp2().to_bits() == value.to_bits();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // between 0 and 63 by the test above
    let exponent = rounded as u32;
    if is_exact { Scale::power_of_two(exponent) } else { None }
}

/// `d.ddde-x` joules as a ratio of microjoules, to 18 significant digits.
fn decimal(text: &str) -> Option<Scale> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: String = whole.chars().chain(fraction.chars()).collect();
    let digits = digits.trim_start_matches('0');
    let kept = digits.len().min(18);
    let dropped = i32::try_from(digits.len() - kept).ok()?;
    let shift = exponent - i32::try_from(fraction.len()).ok()? + dropped + 6;
    ratio(digits.get(..kept)?.parse().ok()?, shift)
}

/// `digits * 10^shift` in lowest terms.
fn ratio(digits: u64, shift: i32) -> Option<Scale> {
    let power = 10_u64.checked_pow(shift.unsigned_abs())?;
    if shift >= 0 { Some(Scale::reduced(digits.checked_mul(power)?, 1)) } else { Some(Scale::reduced(digits, power)) }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_perf_scale_of_the_kernel_is_exactly_two_to_the_minus_32() {
        let scale = Scale::from_joules_text("2.3283064365386962890625e-10\n").unwrap();
        assert_eq!(scale.microjoules(1 << 32), MICRO);
        assert_eq!(scale, Scale::power_of_two(32).unwrap());
    }

    #[test]
    fn a_decimal_scale_is_exact() {
        let scale = Scale::from_joules_text("1e-9").unwrap();
        assert_eq!(scale.microjoules(1_999), 1);
        assert_eq!(Scale::from_joules_text("0.000001"), Some(Scale::MICROJOULE));
        assert_eq!(Scale::from_joules_text("1"), Some(Scale { numerator: MICRO, denominator: 1 }));
    }

    #[test]
    fn what_is_no_positive_number_is_no_scale() {
        for text in ["", "0", "-1", "nan", "inf", "1e-400", "1e-99", "Joules", "1e", "0x1"] {
            assert_eq!(Scale::from_joules_text(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn adjacent_energies_telescope(mut at in [0..u64::MAX, 0..u64::MAX, 0..u64::MAX], unit in 0_u32..40) {
            at.sort_unstable();
            let scale = Scale::power_of_two(unit).unwrap();
            let uj = at.map(|counts| scale.microjoules(counts));
            prop_assert_eq!((uj[1] - uj[0]) + (uj[2] - uj[1]), uj[2] - uj[0]);
        }

        #[test]
        fn counts_and_microjoules_are_inverse_to_one_unit(energy in 0..u64::MAX / (1 << 26), unit in 0_u32..40) {
            let scale = Scale::power_of_two(unit).unwrap();
            let back = scale.microjoules(scale.counts(energy));
            prop_assert!(energy - back <= scale.microjoules(1) + 1);
        }

        #[test]
        fn no_text_makes_a_scale_panic(text in ".*") {
            let _ = Scale::from_joules_text(&text);
        }
    }
}
