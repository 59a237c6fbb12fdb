//! Spans as columns: what they cost over the chosen domains, still in whole microjoules at begin and end.

use super::kept::Row;
use super::level::Level;
use super::log::{Packed, Value, unpack};
use crate::choice::Domain;

/// How far the energies of a span can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// Both ends are resolved for good.
    Resolved = 0,
    /// An end is so recent that a better figure is still to come.
    Provisional = 1,
    /// An end lies before the recorded history: there is no figure.
    Lost = 2,
    /// It has not ended: its end is the instant of the question.
    Open = 3,
}

/// Spans side by side; every column has one entry for each, `begin` and `end` columns in microjoules.
#[derive(Debug, Default)]
pub struct Table {
    /// Their numbers; a thread's ascend.
    pub id: Vec<u64>,
    /// Codes of the names.
    pub name: Vec<u32>,
    /// Codes of the stages.
    pub stage: Vec<u16>,
    /// Lanes.
    pub lane: Vec<u64>,
    /// Begins.
    pub t0_ns: Vec<u64>,
    /// Ends.
    pub t1_ns: Vec<u64>,
    /// Whether an exception ended it.
    pub failed: Vec<bool>,
    /// [`Status`] as a number.
    pub status: Vec<u8>,
    /// Energy read from meters, up to begin and up to end.
    pub measured_uj: [Vec<u64>; 2],
    /// Energy of models and estimates.
    pub modelled_uj: [Vec<u64>; 2],
    /// One sigma of their sum.
    pub sigma_uj: [Vec<f64>; 2],
    /// Share of the time that unbroken readings cover: the least over the domains.
    pub coverage: Vec<f64>,
    /// Relative error of the sensors, one sigma: adding up within a source, in quadrature between sources.
    pub sensor_rel: Vec<f64>,
    /// Attributes: place of the span, code of the key, whether the value is the code of a word, and the value.
    pub attributes: Vec<(u32, u32, bool, f64)>,
    domains: Vec<Chosen>,
}

/// A domain that is summed.
#[derive(Debug)]
struct Chosen {
    place: usize,
    is_modelled: bool,
    sensor_rel: f64,
    /// Sources are told apart by number.
    source: usize,
}

impl Table {
    /// An empty table over the domains at the given places.
    pub fn new<'a>(domains: impl Iterator<Item = &'a Domain>, places: &[usize]) -> Self {
        let mut sources = Vec::new();
        let chosen = domains.enumerate().filter(|(place, _)| places.contains(place)).map(|(place, domain)| {
            let source = sources.iter().position(|name| *name == domain.source).unwrap_or(sources.len());
            if source == sources.len() {
                sources.push(domain.source);
            }
            Chosen { place, is_modelled: domain.channel.is_modelled(), sensor_rel: domain.channel.sensor_rel, source }
        });
        Self { domains: chosen.collect(), ..Self::default() }
    }

    /// Appends a span with the levels of all domains at its begin, then at its end.
    pub fn add(&mut self, row: &Row, status: Status, levels: &[Level], attributes: &[Packed]) {
        let place = u32::try_from(self.name.len()).unwrap_or(u32::MAX);
        self.id.push(row.begin.id);
        self.name.push(row.begin.name);
        self.stage.push(row.begin.stage);
        self.lane.push(row.begin.lane);
        self.t0_ns.push(row.begin.t_ns);
        self.t1_ns.push(row.t1_ns);
        self.failed.push(row.failed);
        self.attributes.extend(attributes.iter().map(|packed| match unpack(*packed) {
            (key, Value::Whole(number)) => (place, key, false, number as f64),
            (key, Value::Number(number)) => (place, key, false, number),
            (key, Value::Word(code)) => (place, key, true, f64::from(code)),
        }));
        let (begin, end) = levels.split_at(levels.len() / 2);
        let is_lost = self.domains.iter().any(|one| begin[one.place].is_lost || end[one.place].is_lost);
        self.status.push(if is_lost { Status::Lost } else { status } as u8);
        self.add_heights(begin, 0);
        self.add_heights(end, 1);
        self.coverage.push(self.covered(begin, end, row.t1_ns.saturating_sub(row.begin.t_ns)));
        self.sensor_rel.push(self.sensor_rel_between(begin, end));
    }

    fn add_heights(&mut self, levels: &[Level], which: usize) {
        let (mut measured_uj, mut modelled_uj, mut variance) = (0, 0, 0.0);
        for domain in &self.domains {
            let level = &levels[domain.place];
            let estimated_uj = if domain.is_modelled { level.total_uj } else { level.estimated_uj };
            modelled_uj += estimated_uj;
            measured_uj += level.total_uj.saturating_sub(estimated_uj);
            variance += f64::from(level.sigma_uj).powi(2);
        }
        self.measured_uj[which].push(measured_uj);
        self.modelled_uj[which].push(modelled_uj);
        self.sigma_uj[which].push(variance.sqrt());
    }

    fn covered(&self, begin: &[Level], end: &[Level], duration_ns: u64) -> f64 {
        let uncovered = |one: &Chosen| end[one.place].uncovered_ns.saturating_sub(begin[one.place].uncovered_ns);
        let uncovered_ns = self.domains.iter().map(uncovered).max().unwrap_or(0).min(duration_ns);
        1.0 - uncovered_ns as f64 / duration_ns.max(1) as f64
    }

    fn sensor_rel_between(&self, begin: &[Level], end: &[Level]) -> f64 {
        let (mut energy, mut squares) = (0.0, 0.0);
        for source in 0..=self.domains.iter().map(|one| one.source).max().unwrap_or(0) {
            let mut error = 0.0;
            for one in self.domains.iter().filter(|one| one.source == source) {
                let used = end[one.place].total_uj.saturating_sub(begin[one.place].total_uj) as f64;
                energy += used;
                error += one.sensor_rel * used;
            }
            squares += error * error;
        }
        if energy > 0.0 { squares.sqrt() / energy } else { 0.0 }
    }
}
