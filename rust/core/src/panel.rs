//! All meters of a machine side by side: read together, their state published for every reader.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::choice::Domain;
use crate::clock::Clock;
use crate::counter::State;
use crate::curve::Curve;
use crate::domain::{Channel, Signal};
use crate::error::Fault;
use crate::integrate::{self, Point};
use crate::ring::Entry;
use crate::sample::Sample;
use crate::snapshot::Snapshot;
use crate::source::{Source, sys};

/// How long a precise window waits for a counter to move: four ticks.
const PATIENCE_NS: u64 = 4_000_000;
/// As many reads as fit into that time if each took 60 ns, less than any system call.
const MOST_POLLS: u32 = 1 << 16;

/// The sources, what they measure, and what is known of it.
#[derive(Debug)]
pub struct Panel {
    clock: Arc<dyn Clock>,
    sources: Vec<Box<dyn Source>>,
    domains: Vec<Domain>,
    snapshot: Snapshot,
    /// The recorded curves, from the first call of `record` on.
    curves: OnceLock<Box<[Curve]>>,
    /// Fork generation of the thread that is publishing; 0 when none is. A writer that was lost in a fork is told by
    /// its generation, and its token taken.
    writer: AtomicU64,
}

/// Memory for one reading of every domain, so that reading allocates nothing.
#[derive(Debug)]
pub struct Buffers {
    samples: Box<[Sample]>,
    /// The reading before the last, while a change is hunted.
    earlier: Box<[Sample]>,
    states: Box<[State]>,
}

impl Buffers {
    /// Room for `domains` domains.
    pub fn new(domains: usize) -> Self {
        let samples = || vec![Sample::default(); domains].into_boxed_slice();
        Self { samples: samples(), earlier: samples(), states: vec![State::default(); domains].into() }
    }

    /// Whether a meter answers that never did before, or is gone and may be back as a new file: only a publication takes
    /// note of the one and looks for the other. One that goes on failing costs no window a second reading.
    fn has_comers(&self) -> bool {
        let mut pairs = self.samples.iter().zip(&self.states);
        pairs.any(|(sample, state)| match sample.fault {
            None => !state.known,
            fault => fault == Some(Fault::Vanished),
        })
    }

    /// Whether any meter shows something else than its state knows.
    fn has_news(&self) -> bool {
        let mut pairs = self.samples.iter().zip(&self.states);
        pairs.any(|(sample, state)| sample.raw != state.raw || sample.fault.is_some())
    }
}

impl Panel {
    /// A panel of sources whose channels are `domains`, in order. Takes the first reading.
    pub fn new(clock: Arc<dyn Clock>, sources: Vec<Box<dyn Source>>, domains: Vec<Domain>) -> Self {
        let snapshot = Snapshot::new(domains.len());
        let (curves, writer) = (OnceLock::new(), AtomicU64::new(0));
        let panel = Self { clock, sources, domains, snapshot, curves, writer };
        panel.tick(&mut panel.buffers());
        panel
    }

    /// The measured domains.
    pub fn domains(&self) -> &[Domain] {
        &self.domains
    }

    /// Power at rest of each domain in microwatts, where a model knows it.
    pub fn idle_powers_uw(&self) -> impl Iterator<Item = Option<u64>> {
        self.sources.iter().flat_map(|source| (0..source.channels().len()).map(|index| source.idle_power_uw(index)))
    }

    /// Room for one reading of this panel.
    pub fn buffers(&self) -> Buffers {
        Buffers::new(self.domains.len())
    }

    /// The time now, on this panel's clock.
    pub fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    /// The time that the machine was asleep, from some beginning on: see [`Clock::asleep_ns`].
    pub fn asleep_ns(&self) -> u64 {
        self.clock.asleep_ns()
    }

    /// Records the energy curves from now on; a second call does nothing.
    pub fn record(&self) {
        self.curves.get_or_init(|| self.domains.iter().map(|_| Curve::default()).collect());
        self.tick(&mut self.buffers());
    }

    /// The recorded curves, one for each domain; empty before `record`.
    pub fn curves(&self) -> &[Curve] {
        self.curves.get().map_or(&[], |curves| curves)
    }

    /// Appends the published states in words (see [`Snapshot::copy`]); `false` if a fork tore them.
    pub fn copy(&self, words: &mut Vec<u64>) -> bool {
        self.snapshot.copy(words)
    }

    /// Reads every meter and publishes the new states; `false` if another thread is doing just that.
    pub fn tick(&self, buffers: &mut Buffers) -> bool {
        let is_ours = self.take_token();
        if is_ours {
            self.load(buffers);
            self.step(buffers, integrate::advance);
            self.publish(buffers);
        }
        is_ours
    }

    /// Reads again and again until domain `target` changes or `until_ns` has come, and publishes. The instant of the
    /// change lies between the last two readings; `None` if it was there at the first one, or did not come.
    pub fn hunt(&self, buffers: &mut Buffers, target: usize, until_ns: u64) -> Hunt {
        if !self.take_token() {
            return Hunt { edge_ns: None, polls: 0 };
        }
        self.load(buffers);
        let before = buffers.states[target].edge_ns;
        let mut polls = 0;
        loop {
            // A meter that is gone is looked for by the next tick, not in this loop.
            self.read(&mut buffers.samples);
            polls += 1;
            let is_over = buffers.samples[target].after_ns >= until_ns || polls >= MOST_POLLS;
            if polls == 1 || is_over || buffers.has_news() {
                if polls > 1 {
                    // Up to the reading before nothing changed: that dates the change.
                    self.follow(&buffers.earlier[..], &mut buffers.states, integrate::advance, BLUR_TICKS);
                }
                self.follow(&buffers.samples[..], &mut buffers.states, integrate::advance, BLUR_TICKS);
            }
            if is_over || buffers.states[target].edge_ns != before {
                break;
            }
            std::mem::swap(&mut buffers.earlier, &mut buffers.samples);
        }
        self.publish(buffers);
        let edge_ns = buffers.states[target].edge_ns;
        Hunt { edge_ns: (polls > 1 && edge_ns != before).then_some(edge_ns), polls }
    }

    /// Goes on after a time without windows. Meters that were read within `period_ns`, by a sampling thread for instance,
    /// are followed as ever. Of the others wraps may have been missed: totals stay, and the counters are taken as they
    /// stand. No window was open meanwhile; whoever asks for that time all the same is told that it is uncovered.
    pub fn resume(&self, buffers: &mut Buffers, period_ns: u64) {
        if self.take_token() {
            self.load(buffers);
            let (now_ns, read_ns) = (self.clock.now_ns(), buffers.states.iter().map(|state| state.t_ns).min());
            // Twice: a thread may be late, and half a range is no wrap yet.
            let is_recent = read_ns.is_some_and(|read_ns| now_ns.saturating_sub(read_ns) <= 2 * period_ns);
            self.step(buffers, if is_recent { integrate::advance } else { integrate::rebase });
            self.publish(buffers);
        }
    }

    /// Reads every meter for one end of a window; publishes nothing.
    ///
    /// The published states are copied *before* the meters are read: a state newer than the reading would make the
    /// difference negative.
    pub fn point(&self, buffers: &mut Buffers, points: &mut [Point]) {
        if !self.snapshot.read(&mut buffers.states) {
            // A fork in the middle of every slot: begin with what the meters say now.
            self.tick(buffers);
        }
        self.read(&mut buffers.samples);
        if buffers.has_comers() {
            self.tick(buffers);
            self.snapshot.read(&mut buffers.states);
            self.read(&mut buffers.samples);
        }
        let inputs = buffers.states.iter().zip(&*buffers.samples).zip(&self.domains);
        for (point, ((state, sample), domain)) in points.iter_mut().zip(inputs) {
            *point = Point::take(state, sample, &domain.channel);
        }
    }

    /// Reads until every fast counter has moved once and replaces its point by that instant's; gives up on those that do
    /// not move within a few ticks, whose points stay as they are.
    pub fn wait_for_edges(&self, buffers: &mut Buffers, points: &mut [Point]) {
        let since_ns = points.iter().map(|point| point.state.t_ns).min().unwrap_or(0);
        let until_ns = self.clock.now_ns() + PATIENCE_NS;
        let is_waiting = |point: &Point, channel: &Channel| channel.is_fast_counter() && point.state.edge_ns < since_ns;
        // The bound on polls ends the wait on a clock that nobody moves.
        for _ in 0..MOST_POLLS {
            if self.clock.now_ns() >= until_ns {
                return;
            }
            self.read(&mut buffers.samples);
            let mut waiting = 0;
            for ((point, sample), domain) in points.iter_mut().zip(&*buffers.samples).zip(&self.domains) {
                if is_waiting(point, &domain.channel) {
                    point.state = integrate::advance(&point.state, sample, &domain.channel);
                    waiting += u32::from(is_waiting(point, &domain.channel));
                }
            }
            if waiting == 0 {
                return;
            }
        }
    }

    /// Reads for publication: a meter that is gone is looked for, and read again where it came back.
    fn read_mending(&self, samples: &mut [Sample]) {
        self.read(samples);
        let mut rest = samples;
        for source in &self.sources {
            let (own, others) = rest.split_at_mut(source.channels().len());
            if own.iter().any(|sample| sample.fault.is_some()) && source.mend(own) {
                source.read(&*self.clock, own);
            }
            rest = others;
        }
    }

    fn read(&self, samples: &mut [Sample]) {
        let mut rest = samples;
        for source in &self.sources {
            let (own, others) = rest.split_at_mut(source.channels().len());
            source.read(&*self.clock, own);
            rest = others;
        }
    }

    /// Copies the published states. A torn copy (see `point`) leaves unknown states, which are begun anew.
    fn load(&self, buffers: &mut Buffers) {
        if !self.snapshot.read(&mut buffers.states) {
            buffers.states.fill(State::default());
        }
    }

    /// Reads every meter and follows each one's state. Only under the token.
    fn step(&self, buffers: &mut Buffers, next: Next) {
        self.read_mending(&mut buffers.samples);
        self.follow(&buffers.samples, &mut buffers.states, next, BLUR_TICKS_UNHUNTED);
    }

    /// Follows each meter's state through one reading and records what changed. Only under the token.
    fn follow(&self, samples: &[Sample], states: &mut [State], next: Next, blur_ticks: u64) {
        let curves = self.curves();
        for (index, (state, sample)) in states.iter_mut().zip(samples).enumerate() {
            *state = next(state, sample, &self.domains[index].channel);
            if let Some(curve) = curves.get(index).filter(|_| state.known) {
                record(curve, state, &self.domains[index].channel, blur_ticks);
            }
        }
    }

    fn publish(&self, buffers: &Buffers) {
        self.snapshot.publish(&buffers.states);
        // Release: pairs with the Acquire in take_token(): the next writer sees all of this publication.
        self.writer.store(0, Ordering::Release);
    }

    /// Takes the writer's token if it is free or was held by a thread that a fork left behind.
    fn take_token(&self) -> bool {
        let own = sys::generation();
        let holder = self.writer.load(Ordering::Relaxed);
        // Acquire: pairs with the Release at the end of publish().
        holder != own && self.writer.compare_exchange(holder, own, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }
}

/// A state after one more sample.
type Next = fn(&State, &Sample, &Channel) -> State;

/// What a hunt for a change brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hunt {
    /// The change, if it came between two readings of the hunt.
    pub edge_ns: Option<u64>,
    /// How often the meters were read.
    pub polls: u32,
}

/// Longer than a counter that moves waits for its next update: three ticks are the longest pause that was measured.
const REST_TICKS: u64 = 5;
/// For so many ticks after a sharply stamped change, the straight line to the next one says more than a change whose
/// instant is known only to a tick: in a hunt, since the next sharp one is near ...
const BLUR_TICKS: u64 = REST_TICKS;
/// ... and in a plain reading, since it may be far (tests/accuracy.rs, which fails with 3).
const BLUR_TICKS_UNHUNTED: u64 = 2;

/// Appends the state to its curve if it moved since the last entry, or rests.
///
/// A change whose instant is known only to a tick is left out next to a sharply stamped one; the next change closes the
/// longer interval.
fn record(curve: &Curve, state: &State, channel: &Channel, blur_ticks: u64) {
    let (t_ns, half_ns) = instant(state, channel);
    let entry =
        Entry { t_ns, half_ns, total: state.total, estimated: state.estimated, uncovered_ns: state.uncovered_ns };
    let rest_ns = if t_ns == state.edge_ns { 0 } else { REST_TICKS * channel.tick_ns };
    let is_news = |last: &Entry| t_ns > last.t_ns + rest_ns && !is_blurred(&entry, last, channel.tick_ns, blur_ticks);
    if curve.last().as_ref().is_none_or(is_news) {
        curve.push(&entry);
    }
}

/// The instant that the state's total belongs to: that of the last change, or where the meter may rest and does, a tick
/// before the last reading.
fn instant(state: &State, channel: &Channel) -> (u64, u64) {
    let may_rest = channel.longest_rest_ns == u64::MAX && channel.signal == Signal::Counter && !channel.is_modelled();
    let half_ns = channel.tick_ns / 2;
    let rests_ns = state.t_ns.saturating_sub(half_ns);
    if may_rest && !state.failing && rests_ns > state.edge_ns + REST_TICKS * channel.tick_ns {
        (rests_ns, half_ns + state.half_ns)
    } else {
        (state.edge_ns, state.edge_half_ns)
    }
}

fn is_blurred(entry: &Entry, last: &Entry, tick_ns: u64, ticks: u64) -> bool {
    entry.half_ns > tick_ns / 4 && last.half_ns < tick_ns / 4 && entry.t_ns - last.t_ns < ticks * tick_ns
}
