//! One GPU from look to joules: which meter is believed, what failures mean, when to look next.

use super::agreement::Agreement;
use super::calibration::Calibration;
use super::close::{self, Closed};
use super::common::{self, CONTEXT, Height, Marks, Z_95};
use super::instant::{self, Instant, Unknown};
use super::latest::Latest;
use super::meter::{Meaning, Meter, Sight};
use super::plan::Plan;
use crate::source::nvml::code::{Code, Policy, REPROBE_NS, RETRY_UPDATES};
use crate::source::nvml::condition::Condition;
use crate::source::nvml::poll::Reading;
use crate::source::nvml::probe::{Gauge, Offer, Primary, Scope};
use crate::units::{self, NS_PER_S};
use std::sync::Arc;

/// The window of the averaging gauge (NVML: "power averaged over 1 sec").
const SECOND_NS: u64 = NS_PER_S;
/// Pause before an unclear failure is tried once more.
const RETRY_ONCE_NS: u64 = 1_000_000;
/// Time that an update is taken to last while the rhythm is unknown.
const UPDATE_NS: u64 = NS_PER_S / 10;

/// What the thread that looks should do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Look again at this instant.
    LookAt(u64),
    /// Initialise NVML, then look.
    Initialise,
    /// Leave the GPU alone: its driver cannot be used.
    Stop,
}

/// How it stands with a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It answers.
    Good,
    /// It refuses for the moment.
    Refusing(Code),
    /// It is gone, and looked for now and then.
    Gone(Code),
    /// It has no meter, or its driver cannot be used.
    Off(Code),
}

/// One GPU.
#[derive(Debug)]
pub struct Lane {
    offer: Offer,
    primary: Primary,
    meter: Meter,
    plan: Plan,
    state: State,
    refusals: u32,
    refused_since_ns: u64,
    limit_w: Option<f64>,
    agreement: Agreement,
    looks: u64,
    learned_after: Option<u64>,
    latest: Arc<Latest>,
    condition: Option<Condition>,
}

impl Lane {
    /// A GPU that offers these meters. `limit_w` is its power limit, where known.
    pub fn new(offer: Offer, limit_w: Option<f64>, calibration: Calibration) -> Self {
        let primary = offer.primary();
        Self {
            primary,
            meter: Meter::new(meaning(&offer, primary), calibration),
            offer,
            plan: Plan::default(),
            state: if primary == Primary::None { State::Off(Code::NOT_SUPPORTED) } else { State::Good },
            refusals: 0,
            refused_since_ns: 0,
            limit_w,
            agreement: Agreement::default(),
            looks: 0,
            learned_after: None,
            latest: Arc::default(),
            condition: None,
        }
    }

    /// Remembers a long past from now on, for windows that are asked for later.
    pub fn remember(&mut self) {
        self.meter.remember();
    }

    /// A copy that knows what happened from an instant on: to be asked at leisure, while this one goes on.
    #[must_use]
    pub fn since(&self, t_ns: u64) -> Self {
        Self { meter: self.meter.since(t_ns, CONTEXT), latest: self.latest.clone(), plan: Plan::default(), ..*self }
    }

    /// The latest update, for those who do not wait.
    pub fn latest(&self) -> &Arc<Latest> {
        &self.latest
    }

    /// How the GPU was when last looked at beyond its energy.
    pub fn condition(&self) -> Option<&Condition> {
        self.condition.as_ref()
    }

    /// Notes how the GPU is.
    pub fn note(&mut self, condition: Condition) {
        self.condition = Some(condition);
    }

    /// Its power limit in watts, where known.
    pub fn limit_w(&self) -> Option<f64> {
        self.limit_w
    }

    /// The curve that all share who divide this GPU's energy; None where its meter was not updated twice.
    pub fn heights(&self, marks: Marks<'_>) -> Option<Vec<Height>> {
        common::heights(self.meter.ticks(), self.meter.reach_ns(), self.limit_w, marks)
    }

    /// Where energy comes from now.
    pub fn primary(&self) -> Primary {
        self.primary
    }

    /// What its energy covers.
    pub fn scope(&self) -> Scope {
        self.offer.energy_scope
    }

    /// How it stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// Looks so far, and those after which the rhythm was known.
    pub fn looks(&self) -> (u64, Option<u64>) {
        (self.looks, self.learned_after)
    }

    /// The meter and its curve.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// How counter and gauge agree.
    pub fn agreement(&self) -> &Agreement {
        &self.agreement
    }

    /// What this meter cannot see, in words; `None` for one that sees everything.
    pub fn blind_to(&self) -> Option<&'static str> {
        match (self.primary, self.offer.instant_gauge) {
            (Primary::Counter, _) | (Primary::Instant, Gauge::Full) => None,
            (Primary::Instant, Gauge::PartTime(_)) => {
                Some("no energy counter: a part-time power gauge, which cannot see what happens between its samples")
            }
            (Primary::Average | Primary::Instant, _) => {
                Some("no energy counter: a 1 s power average, which cannot tell apart what happens within a second")
            }
            (Primary::None, _) => Some("no meter: this GPU is not measured"),
        }
    }

    /// Takes in a look and plans the next.
    pub fn take(&mut self, reading: &Reading) -> Next {
        self.looks += 1;
        match self.value(reading) {
            Ok(value) => self.good(value, reading),
            Err(code) => self.bad(code, reading.after_ns),
        }
    }

    /// The energy between two instants. Pending until the first update after the window: at most one period. Later
    /// updates can still improve it until it is settled.
    pub fn window(&self, begin_ns: u64, end_ns: u64) -> Result<Closed, Unknown> {
        self.window_from(&self.instant(begin_ns)?, end_ns)
    }

    /// The same from an instant that was looked up before: the history behind it may be overwritten.
    pub fn window_from(&self, begin: &Instant, end_ns: u64) -> Result<Closed, Unknown> {
        match self.instant(end_ns) {
            Ok(end) => Ok(self.between(begin, &end)),
            Err(Unknown::Pending | Unknown::Silent) if self.is_silent() => {
                let last = self.meter.ticks().last().ok_or(Unknown::Silent)?;
                Ok(close::close_lost(begin, last, end_ns))
            }
            Err(unknown) => Err(unknown),
        }
    }

    /// What is known of an instant: to be kept for windows that outlive the history.
    pub fn instant(&self, t_ns: u64) -> Result<Instant, Unknown> {
        match instant::look(self.meter.ticks(), t_ns, self.meter.reach_ns()) {
            Err(Unknown::Pending)
                if self.is_silent() && self.meter.ticks().last().is_none_or(|last| last.t_ns <= t_ns) =>
            {
                Err(Unknown::Silent)
            }
            found => found,
        }
    }

    /// The energy between two instants that were looked up.
    pub fn between(&self, begin: &Instant, end: &Instant) -> Closed {
        let closed = close::close(begin, end, self.limit_w);
        Closed { bound_j: closed.bound_j.hypot(self.sampling_j(begin.t_ns, end.t_ns)), ..closed }
    }

    /// Energy up to an instant on straight lines between updates, in joules: what adds up over any division of time.
    pub fn linear_j(&self, t_ns: u64) -> Option<f64> {
        instant::linear_j(self.meter.ticks(), t_ns)
    }

    fn is_silent(&self) -> bool {
        matches!(self.state, State::Gone(_) | State::Off(_))
    }

    /// The reading of the meter that is believed. Gauges that show 0 W refuse: no card that answers draws nothing.
    fn value(&self, reading: &Reading) -> Result<u64, Code> {
        let gauge = |value: Result<u64, Code>| match value {
            Ok(0) => Err(Code::NOT_SUPPORTED),
            value => value,
        };
        match self.primary {
            Primary::Counter => reading.energy_mj,
            Primary::Instant => gauge(reading.instant_mw),
            Primary::Average => gauge(reading.average_mw),
            Primary::None => Err(Code::NOT_SUPPORTED),
        }
    }

    fn good(&mut self, value: u64, reading: &Reading) -> Next {
        if self.state != State::Good {
            self.state = State::Good;
        }
        self.refusals = 0;
        let power_mw = [reading.instant_mw, reading.average_mw].into_iter().flatten().find(|mw| *mw > 0);
        let sight = self.meter.see(value, reading.before_ns, reading.after_ns, power_mw);
        if sight == Sight::Changed {
            self.compare(reading);
        }
        self.latest.follow(self.meter.ticks());
        if self.learned_after.is_none() && self.meter.rhythm().beat().is_some() {
            self.learned_after = Some(self.looks);
        }
        Next::LookAt(self.plan.next_ns(self.meter.rhythm_mut(), reading.after_ns, sight == Sight::Changed))
    }

    /// Holds the counter's last interval against the gauge: the average where there is one, since an instant gauge may
    /// be part-time.
    fn compare(&mut self, reading: &Reading) {
        let gauge_mw = reading.average_mw.or(reading.instant_mw);
        let ticks = self.meter.ticks();
        let last = ticks.next_number().checked_sub(1);
        let pair = last.and_then(|last| Some((ticks.get(last.checked_sub(1)?)?, ticks.get(last)?)));
        if let (Primary::Counter, Ok(gauge_mw), Some((from, to))) = (self.primary, gauge_mw, pair) {
            let counted_j = units::joules(to.energy_uj - from.energy_uj);
            self.agreement.add(counted_j, gauge_mw, to.t_ns - from.t_ns);
        }
    }

    fn bad(&mut self, code: Code, now_ns: u64) -> Next {
        self.meter.fail();
        if self.refusals == 0 {
            self.refused_since_ns = now_ns;
        }
        self.refusals += 1;
        match code.at_run() {
            Policy::Initialise => Next::Initialise,
            Policy::Off | Policy::NoBackend => {
                self.state = State::Off(code);
                Next::Stop
            }
            Policy::RetryOnce if self.refusals == 1 => self.refuse(code, now_ns + RETRY_ONCE_NS),
            Policy::RetryOnce | Policy::Gap => {
                self.state = State::Gone(code);
                Next::LookAt(now_ns + REPROBE_NS)
            }
            Policy::Retry | Policy::NextSource => self.retry(code, now_ns),
        }
    }

    fn refuse(&mut self, code: Code, again_ns: u64) -> Next {
        self.state = State::Refusing(code);
        Next::LookAt(again_ns)
    }

    /// A refusal may pass. After some updates it has not: the next meter takes over.
    fn retry(&mut self, code: Code, now_ns: u64) -> Next {
        let update_ns = self.meter.rhythm().beat().map_or(UPDATE_NS, |beat| beat.at_ns(1) - beat.at_ns(0));
        let is_final = now_ns >= self.refused_since_ns + u64::from(RETRY_UPDATES) * update_ns;
        if is_final && self.refusals > RETRY_UPDATES {
            return self.demote(code, now_ns);
        }
        self.refuse(code, now_ns + update_ns / 4)
    }

    fn demote(&mut self, code: Code, now_ns: u64) -> Next {
        let mut rest = self.offer;
        match self.primary {
            Primary::Counter => rest.energy = Err(code),
            Primary::Instant => rest.instant = Err(code),
            Primary::Average | Primary::None => rest.average = Err(code),
        }
        if rest.primary() == Primary::None {
            self.state = State::Gone(code);
            return Next::LookAt(now_ns + REPROBE_NS);
        }
        self.offer = rest;
        self.primary = rest.primary();
        self.refusals = 0;
        self.meter.become_another(meaning(&self.offer, self.primary));
        self.plan = Plan::default();
        Next::LookAt(now_ns + RETRY_ONCE_NS)
    }

    /// What a gauge can have missed, from the steps between its readings. A part-time gauge takes samples, whose variance
    /// is half that of the steps; any gauge shows the time around a step twice or not at all if its update is off.
    fn sampling_j(&self, begin_ns: u64, end_ns: u64) -> f64 {
        let Some(beat) = self.meter.rhythm().beat().filter(|_| self.primary != Primary::Counter) else { return 0.0 };
        let (count, squares) = self.steps(begin_ns, end_ns);
        let is_sampled = self.primary == Primary::Instant && matches!(self.offer.instant_gauge, Gauge::PartTime(_));
        let period_ns = if is_sampled { (end_ns.saturating_sub(begin_ns)) as f64 / count.max(1.0) } else { 0.0 };
        let apart_s = f64::hypot(period_ns / 2.0_f64.sqrt(), beat.spread_ns) / NS_PER_S as f64;
        Z_95 * squares.sqrt() * apart_s
    }

    /// Steps between the powers of neighbouring intervals in and around a window: their number and sum of squares.
    fn steps(&self, begin_ns: u64, end_ns: u64) -> (f64, f64) {
        let ticks = self.meter.ticks();
        let first = ticks.partition(|tick| tick.t_ns < begin_ns).saturating_sub(1);
        let last = ticks.partition(|tick| tick.t_ns < end_ns) + 1;
        let step_w =
            |number: usize| Some(ticks.power_before_w(number)? - ticks.power_before_w(number.checked_sub(1)?)?);
        (first..=last)
            .filter_map(step_w)
            .fold((0.0, 0.0), |(count, squares), step| (count + 1.0, squares + step * step))
    }
}

fn meaning(offer: &Offer, primary: Primary) -> Meaning {
    match (primary, offer.instant_gauge) {
        (Primary::Counter | Primary::None, _) => Meaning::Counter,
        (Primary::Instant, Gauge::Full) => Meaning::Gauge(None),
        (Primary::Instant, Gauge::PartTime(window_ns)) => Meaning::Gauge(Some(window_ns)),
        (Primary::Average | Primary::Instant, _) => Meaning::Gauge(Some(SECOND_NS)),
    }
}
