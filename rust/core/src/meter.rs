//! The owner of everything and the only door: finds the sources, chooses, and hands out windows.

use std::sync::Arc;

use crate::choice::{Domain, choose};
use crate::clock::{Clock, Monotonic};
use crate::error::Error;
use crate::panel::Panel;
use crate::sampler::KeepAlive;
use crate::source::root::Root;
use crate::source::{self, Finding, ModelFigures, Source, Wanted};
use crate::window::Window;

/// The meters of one machine.
#[derive(Debug)]
pub struct Meter {
    panel: Arc<Panel>,
    keeper: Arc<KeepAlive>,
    findings: Vec<Finding>,
}

impl Meter {
    /// Finds the meters below `root` and chooses the best route to each domain.
    pub fn open(root: &Root, wanted: Wanted, figures: &ModelFigures) -> Result<Self, Error> {
        let found = source::discover(root, wanted, figures)?;
        Ok(Self::new(found.sources, found.findings, Arc::new(Monotonic)))
    }

    /// A meter on sources and a clock of the caller's: scripted machines and simulated time.
    pub fn with_sources(sources: Vec<Box<dyn Source>>, clock: Arc<dyn Clock>) -> Self {
        Self::new(sources, Vec::new(), clock)
    }

    fn new(mut sources: Vec<Box<dyn Source>>, findings: Vec<Finding>, clock: Arc<dyn Clock>) -> Self {
        let domains = choose(&mut sources, &findings);
        let panel = Arc::new(Panel::new(clock, sources, domains));
        let keeper = Arc::new(KeepAlive::new(&panel));
        Self { panel, keeper, findings }
    }

    /// What is measured or modelled, in the order of every readout.
    pub fn domains(&self) -> &[Domain] {
        self.panel.domains()
    }

    /// What was looked for, found or not.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// A closed window.
    pub fn window(&self) -> Window {
        Window::new(self.panel.clone(), self.keeper.clone())
    }

    /// Reads once now, as the keep-alive thread does: for simulated time, which that thread does not follow.
    pub fn keep_alive(&self) {
        self.panel.tick(&mut self.panel.buffers());
    }

    /// How often the counters must be read while a window is open; `None` if none of them wraps.
    pub fn keep_alive_period_ns(&self) -> Option<u64> {
        crate::sampler::keep_alive_period_ns(self.domains())
    }

    /// Stops the thread behind the windows. A window opened later starts it again.
    pub fn stop(&self) {
        self.keeper.stop();
    }
}
