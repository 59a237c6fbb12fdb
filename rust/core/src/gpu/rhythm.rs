//! How a meter beats: its period and phase, learned from the brackets in which its value changed.

/// Changes that are kept: three seconds of a 100 ms meter, over which clocks drift by microseconds.
const KEPT: usize = 32;
/// Changes that must agree before a rhythm is believed.
const LEAST: usize = 4;
/// Changes whose distance from the fit tells the jitter.
const RECENT: usize = 16;
/// Distance from the fit below which a change's weight does not grow: the jitter of a quiet meter.
const QUIET_NS: f64 = 200_000.0;
/// What is added to the largest distance seen so far, since the next can be larger.
const MARGIN_NS: f64 = 250_000.0;
/// Changes in a row that no beat explains, after which the rhythm is learned anew.
const ASTRAY: u32 = 3;

/// The interval in which a value changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bracket {
    /// Before it the old value was read.
    pub lo_ns: u64,
    /// After it the new value was read.
    pub hi_ns: u64,
}

impl Bracket {
    /// The middle.
    pub fn t_ns(self) -> u64 {
        self.lo_ns.midpoint(self.hi_ns)
    }

    /// How far off the middle can be.
    pub fn half_ns(self) -> u64 {
        (self.hi_ns - self.lo_ns).div_ceil(2)
    }
}

/// A rhythm that changes agree with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Beat {
    /// A beat.
    pub anchor_ns: u64,
    /// Time between beats.
    pub period_ns: f64,
    /// How far a change can be from its beat.
    pub spread_ns: f64,
}

impl Beat {
    /// The instant of the beat `n` after the anchor.
    pub fn at_ns(&self, n: i64) -> u64 {
        shifted(self.anchor_ns, n as f64 * self.period_ns)
    }

    /// The beat nearest to an instant.
    pub fn nearest(&self, t_ns: u64) -> i64 {
        rounded(since(self.anchor_ns, t_ns) / self.period_ns)
    }

    /// The first beat whose change may lie after an instant.
    pub fn next_after(&self, t_ns: u64) -> i64 {
        rounded(((since(self.anchor_ns, t_ns) - self.spread_ns) / self.period_ns).floor()) + 1
    }

    /// Narrows a bracket by what is known of the beat. `None` if no beat can have fallen into it.
    pub fn narrow(&self, bracket: Bracket) -> Option<Bracket> {
        let last = self.last_by(bracket.hi_ns);
        let own = self.within(bracket, last)?;
        // A change just before the end of the bracket may still be to come: then the one before it was seen.
        let is_certain = shifted(self.at_ns(last), self.spread_ns) <= bracket.hi_ns;
        match self.within(bracket, last - 1) {
            Some(earlier) if !is_certain => Some(Bracket { lo_ns: earlier.lo_ns, hi_ns: own.hi_ns }),
            _ => Some(own),
        }
    }

    /// The last beat whose change may lie before an instant.
    fn last_by(&self, t_ns: u64) -> i64 {
        rounded(((since(self.anchor_ns, t_ns) + self.spread_ns) / self.period_ns).floor())
    }

    fn within(&self, bracket: Bracket, n: i64) -> Option<Bracket> {
        let beat_ns = self.at_ns(n);
        let lo_ns = shifted(beat_ns, -self.spread_ns).max(bracket.lo_ns);
        let hi_ns = shifted(beat_ns, self.spread_ns).min(bracket.hi_ns);
        (lo_ns <= hi_ns).then_some(Bracket { lo_ns, hi_ns })
    }
}

/// Learns a rhythm.
#[derive(Debug, Clone)]
pub struct Rhythm {
    /// The latest changes, oldest first.
    changes: [Bracket; KEPT],
    count: usize,
    beat: Option<Beat>,
    astray: u32,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self { changes: [Bracket::default(); KEPT], count: 0, beat: None, astray: 0 }
    }
}

impl Rhythm {
    /// The rhythm, once learned.
    pub fn beat(&self) -> Option<Beat> {
        self.beat
    }

    /// Changes that it rests on.
    pub fn changes(&self) -> usize {
        self.count
    }

    /// Time over which they lie.
    pub fn span_ns(&self) -> u64 {
        let (first, last) = (self.changes[0], self.changes[self.count.saturating_sub(1)]);
        last.t_ns().saturating_sub(first.t_ns())
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes in a change.
    pub fn learn(&mut self, bracket: Bracket) {
        if self.is_astray(bracket) {
            self.astray += 1;
            if self.astray >= ASTRAY {
                self.clear();
            }
            return;
        }
        self.astray = 0;
        if self.beat.is_some_and(|beat| bracket.half_ns() as f64 > beat.period_ns / 8.0) {
            return; // Too wide to say anything of the phase.
        }
        self.keep(bracket);
        self.beat = self.fit().or(self.beat);
    }

    fn is_astray(&self, bracket: Bracket) -> bool {
        // A meter whose jitter grows is no stranger: twice the spread is still its own.
        self.beat.is_some_and(|beat| Beat { spread_ns: 2.0 * beat.spread_ns, ..beat }.narrow(bracket).is_none())
    }

    /// Looks around a beat did not find the change: it is sought more widely, at last anew.
    pub fn miss(&mut self) {
        self.beat = self.beat.map(|beat| Beat { spread_ns: 2.0 * beat.spread_ns, ..beat });
        if self.beat.is_some_and(|beat| beat.spread_ns > beat.period_ns / 4.0) {
            self.clear();
        }
    }

    fn keep(&mut self, bracket: Bracket) {
        if self.count == KEPT {
            self.changes.copy_within(1.., 0);
            self.count -= 1;
        }
        self.changes[self.count] = bracket;
        self.count += 1;
    }

    fn fit(&self) -> Option<Beat> {
        let changes = &self.changes[..self.count];
        let period_ns = match self.beat {
            Some(beat) => beat.period_ns,
            None => first_period_ns(changes)?,
        };
        line(changes, period_ns)
    }
}

/// A period that all distances between changes are multiples of, as far as their brackets tell.
fn first_period_ns(changes: &[Bracket]) -> Option<f64> {
    if changes.len() < LEAST {
        return None;
    }
    let recent = &changes[changes.len() - LEAST..];
    let distance = |pair: &[Bracket]| since(pair[0].t_ns(), pair[1].t_ns());
    // The shortest distance is the period unless changes were seen late: a value may repeat, never come early.
    let shortest = recent.windows(2).map(distance).fold(f64::INFINITY, f64::min);
    let fits = |pair: &[Bracket]| {
        let beats = (distance(pair) / shortest).round();
        let slack_ns = (pair[0].half_ns() + pair[1].half_ns()) as f64 * (1.0 + beats) + 0.05 * shortest;
        beats >= 1.0 && (distance(pair) - beats * shortest).abs() <= slack_ns
    };
    (shortest > 0.0 && recent.windows(2).all(fits)).then_some(shortest)
}

/// The straight line through the changes by weighted least squares, numbered from the latest backwards.
fn line(changes: &[Bracket], period_ns: f64) -> Option<Beat> {
    let last_ns = changes.last()?.t_ns();
    let mut sums = [0.0; 5];
    let mut number = 0.0;
    let mut later_ns = last_ns;
    for change in changes.iter().rev() {
        number -= (since(change.t_ns(), later_ns) / period_ns).round();
        later_ns = change.t_ns();
        let weight = 1.0 / (QUIET_NS * QUIET_NS + (change.half_ns() as f64).powi(2));
        let offset_ns = -since(change.t_ns(), last_ns);
        let terms = [1.0, number, number * number, offset_ns, number * offset_ns];
        sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += weight * term);
    }
    let [w, x, xx, y, xy] = sums;
    let denominator = w * xx - x * x;
    if denominator <= 0.0 {
        return None;
    }
    let slope_ns = (w * xy - x * y) / denominator;
    let anchor_ns = shifted(last_ns, (y - slope_ns * x) / w);
    let beat = Beat { anchor_ns, period_ns: slope_ns, spread_ns: 0.0 };
    Some(Beat { spread_ns: spread_ns(changes, &beat), ..beat })
}

/// How far off the next change can be: as far as the last ones were, and as the fit itself, which a line through few
/// wide brackets is by about twice their half-width over the root of their number.
fn spread_ns(changes: &[Bracket], beat: &Beat) -> f64 {
    let distance = |change: &Bracket| since(beat.at_ns(beat.nearest(change.t_ns())), change.t_ns()).abs();
    let largest_ns = changes.iter().rev().take(RECENT).map(distance).fold(0.0, f64::max);
    let halves_ns: f64 = changes.iter().map(|change| change.half_ns() as f64).sum();
    let count = changes.len() as f64;
    largest_ns + MARGIN_NS + 3.0 * halves_ns / count / count.sqrt()
}

/// Signed time from one instant to another.
fn since(from_ns: u64, to_ns: u64) -> f64 {
    if to_ns >= from_ns { (to_ns - from_ns) as f64 } else { -((from_ns - to_ns) as f64) }
}

/// An instant moved by a signed time.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a float-to-integer cast saturates
fn shifted(t_ns: u64, by_ns: f64) -> u64 {
    if by_ns >= 0.0 { t_ns + by_ns.round() as u64 } else { t_ns.saturating_sub((-by_ns).round() as u64) }
}

#[allow(clippy::cast_possible_truncation)] // a count of beats: far below 2^53
fn rounded(value: f64) -> i64 {
    value.round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use fake_nvml::sensor::Beat as Truth;
    use proptest::prelude::*;

    const MS: u64 = 1_000_000;

    fn change(t_ns: u64, width_ns: u64) -> Bracket {
        Bracket { lo_ns: t_ns - width_ns / 2, hi_ns: t_ns + width_ns / 2 }
    }

    fn learned(period_ms: u64, count: u64) -> Rhythm {
        let mut rhythm = Rhythm::default();
        (1..=count).for_each(|k| rhythm.learn(change((1000 + k * period_ms) * MS, 2 * MS)));
        rhythm
    }

    #[test]
    fn four_changes_make_a_rhythm_and_three_do_not() {
        assert_eq!(learned(100, 3).beat(), None);
        let beat = learned(100, 4).beat().unwrap();
        assert!((beat.period_ns - 1e8).abs() < 1.0);
        assert_eq!(beat.at_ns(beat.next_after(2_000 * MS + 50 * MS)), 2_100 * MS);
    }

    #[test]
    fn a_change_that_repeats_the_value_leaves_a_gap_and_no_doubt() {
        let mut rhythm = Rhythm::default();
        for k in [1, 2, 4, 5, 7, 8] {
            rhythm.learn(change((1000 + k * 20) * MS, 2 * MS));
        }
        assert!((rhythm.beat().unwrap().period_ns - 2e7).abs() < 1e5);
    }

    #[test]
    fn a_wide_bracket_is_narrowed_to_the_beat_in_it() {
        let beat = learned(100, 8).beat().unwrap();
        let narrow = beat.narrow(Bracket { lo_ns: 2_230 * MS, hi_ns: 2_370 * MS }).unwrap();
        assert!(narrow.lo_ns > 2_298 * MS && narrow.hi_ns < 2_302 * MS, "{narrow:?}");
        assert_eq!(beat.narrow(Bracket { lo_ns: 2_330 * MS, hi_ns: 2_370 * MS }), None);
    }

    #[test]
    fn a_meter_that_lost_its_phase_is_learned_anew() {
        let mut rhythm = learned(100, 10);
        for k in 0..8 {
            rhythm.learn(change((2_040 + k * 100) * MS, MS));
        }
        let beat = rhythm.beat().unwrap();
        assert_eq!(beat.at_ns(beat.nearest(3_040 * MS)), 3_040 * MS);
    }

    proptest! {
        /// Whatever period, phase and jitter, the beat is found within the jitter and its spread covers each change.
        #[test]
        fn the_rhythm_of_a_jittering_meter_is_found(
            period_ms in 9.0..150.0_f64, phase in 0.0..1.0_f64, jitter_ms in 0.0..0.5_f64, seed: u64,
        ) {
            let truth = Truth { period_s: period_ms / 1e3, phase_s: phase, jitter_s: jitter_ms / 1e3, seed };
            let ns = |k: i64| shifted(5_000 * MS, truth.tick_s(k) * 1e9);
            let mut rhythm = Rhythm::default();
            (0..40).for_each(|k| rhythm.learn(change(ns(k), 500_000)));
            let beat = rhythm.beat().unwrap();
            prop_assert!((beat.period_ns / 1e6 - period_ms).abs() < 0.05, "{}", beat.period_ns);
            for k in 40..60 {
                let wide = Bracket { lo_ns: ns(k) - 4 * MS, hi_ns: ns(k) + 4 * MS };
                let narrow = beat.narrow(wide).unwrap();
                prop_assert!(narrow.lo_ns <= ns(k) + 300_000 && narrow.hi_ns + 300_000 >= ns(k));
            }
        }
    }
}
