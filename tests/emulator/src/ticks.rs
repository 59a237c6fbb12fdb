//! At which instants a counter moves: about once a tick, with the jitter of a real machine.

use serde::Deserialize;

use crate::random;

/// Intervals are drawn per block of this many ticks and scaled to fill it, so that the mean tick is exact
/// and any instant is found without a history.
const BLOCK: u64 = 64;

/// Points of an inverse distribution function: probability x 65536, interval / tick x 10^6.
type Quantiles = &'static [(u64, u64)];

/// Every interval is one tick.
const NONE: Quantiles = &[(0, 1_000_000), (65_536, 1_000_000)];

/// Uniform with a standard deviation of 0.02 ms on a 1 ms tick: a quiet client.
const CLIENT: Quantiles = &[(0, 965_359), (65_536, 1_034_641)];

/// Fitted through what was measured on an Ice Lake-SP package counter: 1st percentile 0.68 ms, median 0.884,
/// 99th 1.65, maximum 2.83, mean 1.000, standard deviation 0.271 (re-analysis of the intervals published with
/// the ICPE 2024 RAPL validation, repository lukalt/icpe-2024-rapl-validation).
const ICELAKE: Quantiles =
    &[(0, 660_000), (655, 680_000), (32_768, 884_000), (55_706, 1_280_000), (64_881, 1_650_000), (65_536, 2_830_000)];

/// How far the intervals between updates spread.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Jitter {
    /// None at all.
    #[default]
    None,
    /// 2 % of a tick.
    Client,
    /// 27 % of a tick, skewed.
    Icelake,
}

/// The updates of one counter.
#[derive(Debug)]
pub struct Ticks {
    tick_ns: u64,
    quantiles: Quantiles,
    seed: u64,
}

impl Ticks {
    /// `tick_ns` > 0 on average; equal seeds give equal instants.
    pub fn new(tick_ns: u64, jitter: Jitter, seed: u64) -> Self {
        let quantiles = match jitter {
            Jitter::None => NONE,
            Jitter::Client => CLIENT,
            Jitter::Icelake => ICELAKE,
        };
        Self { tick_ns, quantiles, seed }
    }

    /// The last update at or before `t_ns`.
    pub fn last_ns(&self, t_ns: u64) -> u64 {
        let block_ns = u128::from(BLOCK * self.tick_ns);
        let block = u128::from(t_ns) / block_ns;
        let within_ns = u128::from(t_ns) % block_ns;
        let sums = self.sums(narrow(block));
        let total = u128::from(sums[sums.len() - 1]);
        // The greatest sum whose edge, sum x block / total rounded down, is not after t.
        let reached = narrow(((within_ns + 1) * total - 1) / block_ns);
        let last = sums[sums.partition_point(|&sum| sum <= reached) - 1];
        narrow(block * block_ns + u128::from(last) * block_ns / total)
    }

    /// Running sums of the block's intervals: 0 first, the whole last.
    fn sums(&self, block: u64) -> [u64; 65] {
        let mut sums = [0; 65];
        for i in 0..64 {
            let place = random::at(self.seed, block * BLOCK + i as u64) >> 48;
            sums[i + 1] = sums[i] + quantile(self.quantiles, place);
        }
        sums
    }
}

/// Linear between the points; `place` is a probability x 65536.
fn quantile(points: Quantiles, place: u64) -> u64 {
    let upper = points.partition_point(|&(p, _)| p <= place).min(points.len() - 1);
    let ((p0, x0), (p1, x1)) = (points[upper - 1], points[upper]);
    x0 + (x1 - x0) * (place - p0) / (p1 - p0)
}

/// A part of a u64 is a u64.
fn narrow(part: u128) -> u64 {
    u64::try_from(part).unwrap_or(u64::MAX)
}
