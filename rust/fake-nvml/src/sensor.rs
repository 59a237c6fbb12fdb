//! How a card's firmware sees a power: it looks at ticks, and shows what it saw until the next.

use std::sync::Mutex;

use crate::random;
use crate::wave::Wave;

/// When a sensor updates: every period, each tick off by its own jitter.
#[derive(Debug, Clone, Copy)]
pub struct Beat {
    /// Nominal time between updates, in seconds.
    pub period_s: f64,
    /// Time of tick 0.
    pub phase_s: f64,
    /// Largest distance of a tick from its nominal time; below half a period.
    pub jitter_s: f64,
    /// Which jitters.
    pub seed: u64,
}

impl Beat {
    /// The instant of tick `k`.
    pub fn tick_s(&self, k: i64) -> f64 {
        self.phase_s + k as f64 * self.period_s + self.jitter_s * random::signed(self.seed, k)
    }

    /// The last tick at or before `t_s`.
    pub fn last(&self, t_s: f64) -> i64 {
        #[allow(clippy::cast_possible_truncation)] // a count of ticks: far below 2^53
        let nominal = ((t_s - self.phase_s) / self.period_s).floor() as i64;
        let by_then = |k: &i64| self.tick_s(*k) <= t_s;
        [nominal + 1, nominal].into_iter().find(by_then).unwrap_or(nominal - 1)
    }
}

/// What an energy counter adds up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Integrand {
    /// All of the power.
    Whole,
    /// At each tick the mean power of the last `window_s`, taken for the whole time since the tick before.
    Sampled {
        /// The part of each period that is looked at.
        window_s: f64,
    },
}

/// An energy counter.
#[derive(Debug)]
pub struct Counter {
    beat: Beat,
    integrand: Integrand,
    /// Tick and sum up to which a sampled counter was added up; ticks are added from 0 on.
    summed: Mutex<(i64, f64)>,
}

impl Counter {
    /// A counter that stood at zero at the epoch.
    pub fn new(beat: Beat, integrand: Integrand) -> Self {
        Self { beat, integrand, summed: Mutex::new((0, 0.0)) }
    }

    /// What it shows at `t_s`, in joules since the epoch.
    pub fn energy_j(&self, wave: &Wave, t_s: f64) -> f64 {
        let k = self.beat.last(t_s);
        match self.integrand {
            Integrand::Whole => wave.energy_j(self.beat.tick_s(k)),
            Integrand::Sampled { window_s } => self.sampled_j(wave, window_s, k),
        }
    }

    /// The instant at which it last changed.
    pub fn updated_s(&self, t_s: f64) -> f64 {
        self.beat.tick_s(self.beat.last(t_s))
    }

    /// Adds up ticks from where the last call ended. A lock that a forked parent holds is done without.
    fn sampled_j(&self, wave: &Wave, window_s: f64, k: i64) -> f64 {
        let mut held = self.summed.try_lock().ok();
        let (mut tick, mut sum_j) = held.as_deref().copied().filter(|(tick, _)| *tick <= k).unwrap_or((0, 0.0));
        while tick < k {
            tick += 1;
            let (before_s, now_s) = (self.beat.tick_s(tick - 1), self.beat.tick_s(tick));
            sum_j += wave.mean_w(now_s - window_s, now_s) * (now_s - before_s);
        }
        if let Some(held) = held.as_deref_mut() {
            *held = (tick, sum_j);
        }
        sum_j
    }
}

/// A power gauge: the mean of the last `window_s`, renewed at each tick.
#[derive(Debug, Clone)]
pub struct Gauge {
    /// When it updates.
    pub beat: Beat,
    /// How far back a reading looks.
    pub window_s: f64,
    /// Largest error of a reading, uniform, in watts.
    pub noise_w: f64,
    /// Recorded readings in place of computed ones: pairs of seconds and watts.
    pub recorded: Option<Vec<(f64, f64)>>,
}

impl Gauge {
    /// What it shows at `t_s`, in watts.
    pub fn power_w(&self, wave: &Wave, t_s: f64) -> f64 {
        if let Some(rows) = &self.recorded {
            let after = rows.partition_point(|(row_s, _)| *row_s <= t_s);
            return rows.get(after.saturating_sub(1)).map_or(0.0, |(_, power_w)| *power_w);
        }
        let k = self.beat.last(t_s);
        let tick_s = self.beat.tick_s(k);
        let noise_w = self.noise_w * random::signed(self.beat.seed ^ 0x6e6f_6973, k);
        wave.mean_w(tick_s - self.window_s, tick_s) + noise_w
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn beat(jitter_s: f64) -> Beat {
        Beat { period_s: 0.1, phase_s: 0.03, jitter_s, seed: 11 }
    }

    fn square() -> Wave {
        Wave::through(&[(0.0, 600.0), (0.025, 600.0), (0.025, 100.0)], Some(0.1)).unwrap()
    }

    #[test]
    fn a_counter_holds_the_energy_of_its_last_tick() {
        let wave = Wave::through(&[(0.0, 200.0)], None).unwrap();
        let counter = Counter::new(beat(0.0), Integrand::Whole);
        assert!((counter.energy_j(&wave, 0.1299) - 6.0).abs() < 1e-9);
        assert!((counter.energy_j(&wave, 0.1301) - 26.0).abs() < 1e-9);
    }

    #[test]
    fn a_part_time_counter_is_right_on_constant_power_and_wrong_by_phase_on_a_square_of_its_own_period() {
        let counter = |phase_s| Counter::new(Beat { phase_s, ..beat(0.0) }, Integrand::Sampled { window_s: 0.025 });
        let flat = Wave::through(&[(0.0, 300.0)], None).unwrap();
        assert!((counter(0.0).energy_j(&flat, 10.05) - 3000.0).abs() < 1e-6);
        let hit_j = counter(0.025).energy_j(&square(), 10.03);
        let missed_j = counter(0.075).energy_j(&square(), 10.08);
        assert!((hit_j - 6000.0).abs() < 1e-6 && (missed_j - 1000.0).abs() < 1e-6, "{hit_j} {missed_j}");
    }

    #[test]
    fn a_gauge_shows_the_mean_of_its_window_at_its_last_tick() {
        let gauge = Gauge { beat: beat(0.0), window_s: 0.1, noise_w: 0.0, recorded: None };
        assert!((gauge.power_w(&square(), 5.0) - 225.0).abs() < 1e-6);
        let recorded = Gauge { recorded: Some(vec![(0.0, 5.0), (1.0, 7.0)]), ..gauge };
        assert!((recorded.power_w(&square(), 0.5) - 5.0).abs() < 1e-9);
        assert!((recorded.power_w(&square(), 1.5) - 7.0).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn the_last_tick_is_past_and_the_next_to_come(t_s in -3.0..1000.0_f64, jitter_s in 0.0..0.01_f64) {
            let beat = beat(jitter_s);
            let k = beat.last(t_s);
            prop_assert!(beat.tick_s(k) <= t_s && beat.tick_s(k + 1) > t_s);
        }
    }
}
