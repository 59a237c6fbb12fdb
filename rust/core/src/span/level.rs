//! How high the curves of a meter stand at many instants.

use std::sync::Arc;

use crate::choice::Domain;
use crate::curve::Curve;
use crate::domain::Channel;
use crate::panel::Panel;
use crate::units::NS_PER_S;

/// A curve that does not move settles by age: below the 16 s that the fine history lasts at one change a millisecond.
const SETTLED_BY_AGE_NS: u64 = 10 * NS_PER_S;

/// The height of one curve at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Level {
    /// Energy since the first reading.
    pub total_uj: u64,
    /// The part of it that was estimated in place of failed readings.
    pub estimated_uj: u64,
    /// Time up to here that no unbroken readings cover.
    pub uncovered_ns: u64,
    /// One sigma of `total_uj`.
    pub sigma_uj: f32,
    /// Whether the instant lies before the recorded history: there are no numbers then.
    pub is_lost: bool,
}

impl Level {
    /// What an instant has that no curve remembers.
    pub const LOST: Self = Self { total_uj: 0, estimated_uj: 0, uncovered_ns: 0, sigma_uj: 0.0, is_lost: true };
}

/// Every domain of the panels, in the order of their meter.
pub fn domains(panels: &[Arc<Panel>]) -> impl Iterator<Item = &Domain> {
    panels.iter().flat_map(|panel| panel.domains())
}

fn curves(panels: &[Arc<Panel>]) -> impl Iterator<Item = (&Curve, &Channel)> {
    panels.iter().flat_map(|panel| panel.curves().iter().zip(panel.domains().iter().map(|domain| &domain.channel)))
}

/// Reads the panels whose curves do not reach `t_ns` yet.
pub fn settle(panels: &[Arc<Panel>], t_ns: u64) {
    for panel in panels {
        let reaches = |curve: &Curve| curve.last().is_some_and(|last| last.t_ns >= t_ns);
        if !panel.curves().iter().all(reaches) {
            panel.tick(&mut panel.buffers());
        }
    }
}

/// The heights at instants that need no order: instant `n` has `levels[n * domains..][..domains]`.
#[allow(clippy::cast_possible_truncation)] // sigma is a bound: seven digits are plenty
pub fn levels(panels: &[Arc<Panel>], at_ns: &[u64]) -> Vec<Level> {
    let width = domains(panels).count();
    let mut levels = vec![Level::LOST; at_ns.len() * width];
    let mut order: Vec<(u64, usize)> = at_ns.iter().copied().zip(0..).collect();
    order.sort_unstable();
    for (domain, (curve, channel)) in curves(panels).enumerate() {
        let mut cursor = curve.cursor(channel);
        for (t_ns, place) in &order {
            let Ok(height) = cursor.height(*t_ns) else { continue };
            levels[place * width + domain] = Level {
                total_uj: channel.scale.microjoules(height.total),
                estimated_uj: channel.scale.microjoules(height.estimated),
                uncovered_ns: height.uncovered_ns,
                sigma_uj: height.sigma_uj as f32,
                is_lost: false,
            };
        }
    }
    levels
}

/// The instant up to which the heights of all curves are final.
pub fn settled_ns(panels: &[Arc<Panel>], now_ns: u64) -> u64 {
    let by_age_ns = now_ns.saturating_sub(SETTLED_BY_AGE_NS);
    let settled = curves(panels).map(|(curve, _)| curve.settled_ns().unwrap_or(0).max(by_age_ns));
    settled.min().unwrap_or(by_age_ns)
}

/// The distance of two changes of the slowest counted curve, lately: closer instants err together.
pub fn grain_ns(panels: &[Arc<Panel>]) -> u64 {
    curves(panels).filter_map(|(curve, _)| curve.pace_ns()).max().unwrap_or(0)
}
