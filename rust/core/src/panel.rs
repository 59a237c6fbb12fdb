//! All meters of a machine side by side: read together, their state published for every reader.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::choice::Domain;
use crate::clock::Clock;
use crate::counter::{self, Point, State};
use crate::error::Fault;
use crate::sample::Sample;
use crate::snapshot::Snapshot;
use crate::source::{Source, sys};

/// The sources, what they measure, and what is known of it.
#[derive(Debug)]
pub struct Panel {
    clock: Arc<dyn Clock>,
    sources: Vec<Box<dyn Source>>,
    domains: Vec<Domain>,
    snapshot: Snapshot,
    /// Fork generation of the thread that is publishing; 0 when none is. A writer that was lost in a fork is told by
    /// its generation, and its token taken.
    writer: AtomicU64,
}

/// Memory for one reading of every domain, so that reading allocates nothing.
#[derive(Debug)]
pub struct Buffers {
    samples: Box<[Sample]>,
    states: Box<[State]>,
}

impl Buffers {
    /// Room for `domains` domains.
    pub fn new(domains: usize) -> Self {
        Self { samples: vec![Sample::default(); domains].into(), states: vec![State::default(); domains].into() }
    }
}

impl Panel {
    /// A panel of sources whose channels are `domains`, in order. Takes the first reading.
    pub fn new(clock: Arc<dyn Clock>, sources: Vec<Box<dyn Source>>, domains: Vec<Domain>) -> Self {
        let snapshot = Snapshot::new(domains.len());
        let panel = Self { clock, sources, domains, snapshot, writer: AtomicU64::new(0) };
        panel.tick(&mut panel.buffers());
        panel
    }

    /// The measured domains.
    pub fn domains(&self) -> &[Domain] {
        &self.domains
    }

    /// Room for one reading of this panel.
    pub fn buffers(&self) -> Buffers {
        Buffers::new(self.domains.len())
    }

    /// Reads every meter and publishes the new states, unless another thread is doing just that.
    pub fn tick(&self, buffers: &mut Buffers) {
        self.publish(buffers, counter::advance);
    }

    /// Begins anew after nobody read for so long that wraps may have been missed: totals stay, the counters are taken
    /// as they stand. No window was open meanwhile, so that nobody misses the energy in between.
    pub fn rebase(&self, buffers: &mut Buffers) {
        self.publish(buffers, counter::rebase);
    }

    /// Reads every meter for one end of a window; publishes nothing.
    ///
    /// The published states are copied *before* the meters are read: a state newer than the reading would make the
    /// difference negative.
    pub fn point(&self, buffers: &mut Buffers, points: &mut [Point]) {
        if !self.snapshot.read(&mut buffers.states) || buffers.states.iter().any(|state| !state.known) {
            // A fork in the middle of every slot, or a meter that could not be read so far: begin with what it says now.
            self.tick(buffers);
        }
        self.read(&mut buffers.samples);
        if buffers.samples.iter().any(|sample| sample.fault == Some(Fault::Vanished)) {
            // It may be back as a new file, which only a publication looks for.
            self.tick(buffers);
            self.snapshot.read(&mut buffers.states);
            self.read(&mut buffers.samples);
        }
        let inputs = buffers.states.iter().zip(&*buffers.samples).zip(&self.domains);
        for (point, ((state, sample), domain)) in points.iter_mut().zip(inputs) {
            *point = Point::take(state, sample, &domain.channel);
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

    fn publish(&self, buffers: &mut Buffers, next: impl Fn(&State, &Sample, &crate::domain::Channel) -> State) {
        if !self.take_token() {
            return;
        }
        // A torn copy (see point()) leaves unknown states behind, which advance() treats as a first reading.
        if !self.snapshot.read(&mut buffers.states) {
            buffers.states.fill(State::default());
        }
        self.read_mending(&mut buffers.samples);
        for ((state, sample), domain) in buffers.states.iter_mut().zip(&*buffers.samples).zip(&self.domains) {
            *state = next(state, sample, &domain.channel);
        }
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
