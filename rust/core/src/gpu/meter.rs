//! Turns what a meter shows into E(t): a counter by its differences, a gauge by the right rectangle at its updates.
//!
//! A gauge that shows the mean power of the time since its last update says, at update k, that
//! `E += shown_k * (t_k - t_(k-1))`: exact, where a trapezoid over the same readings is off by 4 % over the first second
//! of a load (replayed from an RTX 3090). A gauge whose window W differs from its period T is the same curve, shifted
//! back by (W - T) / 2: the middle of what it saw.

use super::calibration::Calibration;
use super::rhythm::{Bracket, Rhythm};
use super::ticks::{Tick, Ticks};
use crate::units::{self, MICRO, NS_PER_S};

/// A power that no GPU draws, in microwatts: a counter that grew faster was set anew.
const BEYOND_UW: u64 = 20_000 * MICRO;
/// Unchanged for so long, a value without rhythm is taken to stand still.
const STILL_NS: u64 = NS_PER_S / 2;
/// Pause between the updates that stand for such a value.
const HOLD_NS: u64 = NS_PER_S / 10;
/// Picojoules in a microjoule: milliwatts times nanoseconds are picojoules.
const PJ_PER_UJ: u64 = 1_000_000;

/// What a value means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Millijoules since some beginning.
    Counter,
    /// Milliwatts: the mean of so many nanoseconds up to the update; `None` for all since the update before.
    Gauge(Option<u64>),
}

/// What one look at a value showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// The same as before.
    Same,
    /// Another: the meter was updated since.
    Changed,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    value: u64,
    /// An instant at which it was shown for certain.
    at_ns: u64,
    /// Since when.
    since_ns: u64,
}

/// One meter and the curve that it draws.
#[derive(Debug)]
pub struct Meter {
    meaning: Meaning,
    calibration: Calibration,
    rhythm: Rhythm,
    ticks: Ticks,
    seen: Option<Seen>,
    /// The latest update, as it was seen.
    edge_ns: Option<u64>,
    /// The energy up to it. Its time is where the update lies on the curve: shifted, where a gauge asks for that.
    total: Tick,
    /// Energy below a microjoule that is still to be added, in picojoules.
    rest_pj: u64,
    /// When the last reading came, and whether one failed since.
    good_ns: Option<u64>,
    is_failing: bool,
    /// Whether the time since the last update is not covered.
    is_broken: bool,
}

impl Meter {
    /// A meter that was not looked at yet.
    pub fn new(meaning: Meaning, calibration: Calibration) -> Self {
        Self {
            meaning,
            calibration,
            rhythm: Rhythm::default(),
            ticks: Ticks::default(),
            seen: None,
            edge_ns: None,
            total: Tick::default(),
            rest_pj: 0,
            good_ns: None,
            is_failing: false,
            is_broken: false,
        }
    }

    /// Its energy at its updates.
    pub fn ticks(&self) -> &Ticks {
        &self.ticks
    }

    /// Remembers a long past from now on.
    pub fn remember(&mut self) {
        self.ticks.remember();
    }

    /// A copy that knows what happened from an instant on, and so many updates before it.
    #[must_use]
    pub fn since(&self, t_ns: u64, before: usize) -> Self {
        Self { ticks: self.ticks.since(t_ns, before), rhythm: self.rhythm.clone(), ..*self }
    }

    /// What it is taken to show of a true power.
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// Its rhythm.
    pub fn rhythm(&self) -> &Rhythm {
        &self.rhythm
    }

    /// Its rhythm, for the plan to say that it was missed.
    pub fn rhythm_mut(&mut self) -> &mut Rhythm {
        &mut self.rhythm
    }

    /// How far beyond its own interval an update says something ([`super::instant::look`]).
    pub fn reach_ns(&self) -> u64 {
        u64::try_from(self.shift_ns()).unwrap_or(0)
    }

    /// A reading failed.
    pub fn fail(&mut self) {
        self.is_failing = true;
    }

    /// A reading came: failures since the last one broke nothing if that was within a period and a half.
    fn succeed(&mut self, now_ns: u64) {
        let quiet_ns = self.good_ns.map_or(0, |good_ns| now_ns.saturating_sub(good_ns));
        self.is_broken |= self.is_failing && quiet_ns > self.period_ns() + self.period_ns() / 2;
        self.is_failing = false;
        self.good_ns = Some(now_ns);
    }

    /// From now on the values mean something else: the curve goes on, the rhythm is learned anew.
    pub fn become_another(&mut self, meaning: Meaning) {
        self.meaning = meaning;
        self.rhythm.clear();
        self.seen = None;
    }

    /// Takes in a value that was read between two instants. `power_mw` bridges a reset, where a gauge is at hand.
    pub fn see(&mut self, value: u64, before_ns: u64, after_ns: u64, power_mw: Option<u64>) -> Sight {
        self.succeed(before_ns);
        let Some(seen) = self.seen else {
            self.seen = Some(Seen { value, at_ns: before_ns, since_ns: before_ns });
            return Sight::Same;
        };
        if seen.value == value {
            self.seen = Some(Seen { at_ns: before_ns, ..seen });
            self.hold(&seen, before_ns, after_ns);
            return Sight::Same;
        }
        let bracket = Bracket { lo_ns: seen.at_ns, hi_ns: after_ns };
        self.seen = Some(Seen { value, at_ns: before_ns, since_ns: before_ns });
        let known = self.known(bracket);
        self.rhythm.learn(bracket);
        self.update(&seen, value, known, power_mw);
        Sight::Changed
    }

    /// A bracket narrowed by the rhythm. The update at the last edge was heard already, so that another is half a period
    /// away at least.
    fn known(&self, bracket: Bracket) -> Bracket {
        let Some(beat) = self.rhythm.beat() else { return bracket };
        let heard_ns = self.edge_ns.map_or(0, |edge_ns| edge_ns + self.period_ns() / 2);
        let unheard = Bracket { lo_ns: bracket.lo_ns.max(heard_ns).min(bracket.hi_ns), ..bracket };
        beat.narrow(unheard).unwrap_or(bracket)
    }

    /// An update whose value changed.
    fn update(&mut self, seen: &Seen, value: u64, bracket: Bracket, power_mw: Option<u64>) {
        if self.edge_ns.is_none() {
            // A gauge whose window is longer than its period has a place in time only once the period is known.
            if self.meaning == Meaning::Counter || self.rhythm.beat().is_some() {
                self.note_prologue(seen.value, value);
                self.push(bracket);
            }
            return;
        }
        let dt_ns = self.since_last_ns(bracket);
        let before_uj = self.total.energy_uj;
        let is_read = match self.meaning {
            Meaning::Counter => self.count(seen.value, value, dt_ns, power_mw),
            Meaning::Gauge(_) => self.integrate(seen.value, value, dt_ns),
        };
        if self.is_broken || !is_read {
            self.total.uncovered_ns += dt_ns;
        }
        if !is_read {
            self.total.estimated_uj += self.total.energy_uj - before_uj;
        }
        self.push(bracket);
    }

    /// The first update of all: what the counter gained belongs to an interval that began before the first look.
    fn note_prologue(&mut self, before_mj: u64, now_mj: u64) {
        let gained_uj = now_mj.checked_sub(before_mj).map(|mj| mj.saturating_mul(1_000));
        let is_first = self.meaning == Meaning::Counter && self.ticks.next_number() == 0;
        let most_uj = units::energy_uj(BEYOND_UW, self.period_ns());
        if let Some(shown_uj) = gained_uj.filter(|uj| is_first && *uj <= most_uj) {
            let energy_uj = self.true_uj(shown_uj, self.period_ns());
            self.ticks.note_prologue(energy_uj);
        }
    }

    /// Adds the difference of two counts; false if the counter was set anew and a power had to stand in for it.
    fn count(&mut self, before_mj: u64, now_mj: u64, dt_ns: u64, power_mw: Option<u64>) -> bool {
        let period_ns = self.rhythm.beat().map_or(HOLD_NS, |beat| beat.at_ns(1) - beat.at_ns(0));
        let most_uj = units::energy_uj(BEYOND_UW, dt_ns + period_ns);
        match now_mj.checked_sub(before_mj).map(|mj| mj.saturating_mul(1_000)) {
            Some(energy_uj) if energy_uj <= most_uj => {
                self.add_uj(energy_uj, dt_ns);
                true
            }
            _ => {
                let last_w = self.ticks.power_before_w(self.ticks.next_number().saturating_sub(1)).unwrap_or(0.0);
                let bridge_uw = power_mw.map_or_else(|| units::microwatts(last_w), |mw| mw * 1_000);
                self.add_uj(units::energy_uj(bridge_uw, dt_ns), dt_ns);
                self.total.resets += 1;
                false
            }
        }
    }

    /// Adds the new power over its own period, and the old one over what lies before that; false across an outage.
    fn integrate(&mut self, before_mw: u64, now_mw: u64, dt_ns: u64) -> bool {
        let period_ns = self.period_ns();
        let own_ns = if dt_ns > period_ns + period_ns / 2 { period_ns } else { dt_ns };
        self.add_mw(before_mw, dt_ns - own_ns);
        self.add_mw(now_mw, own_ns);
        !self.is_broken
    }

    /// A value that stays the same is a value too: it stands for the updates that did not change it.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a spread is positive and far below 2^53
    fn hold(&mut self, seen: &Seen, before_ns: u64, after_ns: u64) {
        let Some(beat) = self.rhythm.beat() else {
            let from_ns = self.edge_ns.unwrap_or(seen.since_ns);
            if before_ns.saturating_sub(seen.since_ns) >= STILL_NS && before_ns.saturating_sub(from_ns) >= HOLD_NS {
                self.stand_still(seen, Bracket { lo_ns: before_ns, hi_ns: after_ns });
            }
            return;
        };
        // No beat may be taken for silent before it could have been heard.
        let patience_ns = self.period_ns() / 4;
        while let Some(edge_ns) = self.edge_ns {
            let next_ns = beat.at_ns(beat.nearest(edge_ns) + 1);
            if next_ns <= edge_ns || next_ns + patience_ns > before_ns {
                break;
            }
            let spread_ns = beat.spread_ns.max(0.0) as u64;
            let heard = Bracket { lo_ns: next_ns.saturating_sub(spread_ns), hi_ns: next_ns + spread_ns };
            self.stand_still(seen, heard);
        }
    }

    fn stand_still(&mut self, seen: &Seen, bracket: Bracket) {
        if self.edge_ns.is_some() {
            let dt_ns = self.since_last_ns(bracket);
            let before_uj = self.total.energy_uj;
            if self.meaning != Meaning::Counter {
                self.add_mw(seen.value, dt_ns);
            }
            if self.is_broken {
                self.total.uncovered_ns += dt_ns;
                self.total.estimated_uj += self.total.energy_uj - before_uj;
            }
        }
        self.push(bracket);
    }

    /// Time on the curve from the last update to one that was seen in a bracket. None where the curve is ahead, because
    /// the period turned out to be another than was taken at first.
    fn since_last_ns(&self, bracket: Bracket) -> u64 {
        self.placed_ns(bracket).saturating_sub(self.total.t_ns)
    }

    /// Where an update that was seen in a bracket lies on the curve.
    fn placed_ns(&self, bracket: Bracket) -> u64 {
        bracket.t_ns().saturating_add_signed(-self.shift_ns())
    }

    /// Ends an interval at an update.
    fn push(&mut self, bracket: Bracket) {
        self.edge_ns = Some(bracket.t_ns());
        self.is_broken = false;
        let placed_ns = self.placed_ns(bracket);
        if self.ticks.last().is_none_or(|last| last.t_ns < placed_ns) {
            self.total = Tick { t_ns: placed_ns, half_ns: bracket.half_ns(), ..self.total };
            self.ticks.push(self.total);
        }
    }

    fn add_mw(&mut self, shown_mw: u64, dt_ns: u64) {
        if self.calibration.is_identity() {
            let energy_pj = shown_mw.saturating_mul(dt_ns).saturating_add(self.rest_pj);
            self.rest_pj = energy_pj % PJ_PER_UJ;
            self.total.energy_uj += energy_pj / PJ_PER_UJ;
        } else {
            self.add_uj(units::energy_uj(shown_mw * 1_000, dt_ns), dt_ns);
        }
    }

    fn add_uj(&mut self, shown_uj: u64, dt_ns: u64) {
        self.total.energy_uj += self.true_uj(shown_uj, dt_ns);
    }

    fn true_uj(&self, shown_uj: u64, dt_ns: u64) -> u64 {
        if self.calibration.is_identity() {
            return shown_uj;
        }
        units::microwatts(self.calibration.true_j(units::joules(shown_uj), units::seconds(dt_ns)))
    }

    /// How far back in time the middle of what a gauge saw lies from the middle of its interval.
    fn shift_ns(&self) -> i64 {
        let signed = |ns: u64| i64::try_from(ns).unwrap_or(0);
        match self.meaning {
            Meaning::Gauge(Some(window_ns)) if self.rhythm.beat().is_some() || window_ns > HOLD_NS => {
                (signed(window_ns) - signed(self.period_ns())) / 2
            }
            _ => 0,
        }
    }

    /// The period, rounded to half a millisecond, so that a better estimate does not move what is there already.
    pub fn period_ns(&self) -> u64 {
        const GRAIN_NS: u64 = 500_000;
        self.rhythm.beat().map_or(HOLD_NS, |beat| {
            let period_ns = beat.at_ns(1) - beat.at_ns(0);
            (period_ns + GRAIN_NS / 2) / GRAIN_NS * GRAIN_NS
        })
    }
}
