//! A meter that follows a script: readings and faults by the clock, for tests and demonstrations.

use crate::clock::Clock;
use crate::domain::Channel;
use crate::error::Fault;
use crate::sample::Sample;

use super::Source;

/// What a scripted meter shows from an instant on.
pub type Reading = Result<u64, Fault>;

/// One domain's script: instants in ascending order and what is shown from each on.
#[derive(Debug, Clone)]
pub struct Script {
    /// The domain and its counter.
    pub channel: Channel,
    /// Before the first instant the meter shows 0.
    pub readings: Vec<(u64, Reading)>,
}

impl Script {
    fn at(&self, t_ns: u64) -> Reading {
        let after = self.readings.partition_point(|(from_ns, _)| *from_ns <= t_ns);
        after.checked_sub(1).map_or(Ok(0), |index| self.readings[index].1)
    }
}

/// Several scripts that are read together.
#[derive(Debug)]
pub struct Replay {
    channels: Vec<Channel>,
    scripts: Vec<Script>,
}

impl Replay {
    /// A source that plays `scripts`, each with its readings in ascending order of time.
    pub fn new(mut scripts: Vec<Script>) -> Self {
        for script in &mut scripts {
            script.readings.sort_by_key(|(t_ns, _)| *t_ns);
        }
        Self { channels: scripts.iter().map(|script| script.channel.clone()).collect(), scripts }
    }
}

impl Source for Replay {
    fn name(&self) -> &'static str {
        "replay"
    }

    fn channels(&self) -> &[Channel] {
        &self.channels
    }

    fn read(&self, clock: &dyn Clock, samples: &mut [Sample]) {
        for (script, sample) in self.scripts.iter().zip(samples) {
            *sample = Sample::bracket(clock, || script.at(clock.now_ns()));
        }
    }

    fn retain(&mut self, keep: &[bool]) {
        super::retain_marked(&mut self.channels, keep);
        super::retain_marked(&mut self.scripts, keep);
    }
}
