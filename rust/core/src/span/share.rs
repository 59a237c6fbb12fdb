//! Shares of a curve's energy among those who were active: exact, for any number of them, without a meter.
//!
//! At every instant the energy is divided among the claims then active, by weight. The energy per unit of weight is
//! summed once over time, so a claim's part is its weight times a difference of that sum: `n log n`, whatever the
//! overlap. Sums are fixed-point numbers of 64 binary places; the last microjoules of each busy stretch go to the
//! largest remainders. So parts, idle and rest add up to the whole, to the microjoule, and none is negative.

use crate::units;

/// Weights are whole numbers up to this one: a ratio of four billion between two claims is told apart.
const GREATEST_WEIGHT: f64 = (1_u64 << 32) as f64;
const PLACES: u32 = 64;

/// A curve at the instants that matter: those at which a claim begins or ends.
#[derive(Debug, Clone, Copy)]
pub struct Heights<'a> {
    /// Ascending, each once.
    pub t_ns: &'a [u64],
    /// Energy up to each instant; where it falls, it counts as standing still.
    pub energy_uj: &'a [u64],
}

/// Who was active from when to when, and how much it counts. Its ends are places in [`Heights::t_ns`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Place of its begin.
    pub first: usize,
    /// Place of its end, not before its begin.
    pub last: usize,
    /// Share of the energy, in relation to the other claims; 0 takes nothing.
    pub weight: u64,
}

/// What became of the energy from the first to the last instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shares {
    /// One part for each claim, in its order.
    pub parts_uj: Vec<u64>,
    /// What the machine would have used anyhow, at the given idle power; never more than was used.
    pub idle_uj: u64,
    /// What was used beyond that while nobody was active.
    pub rest_uj: u64,
}

/// Divides the energy.
pub fn share(heights: Heights<'_>, claims: &[Claim], idle_uw: u64) -> Shares {
    let mut ledger = Ledger::default();
    ledger.sweep(heights, &total_weights(heights.t_ns.len(), claims), idle_uw);
    let parts_uj = ledger.parts(claims);
    Shares { parts_uj, idle_uj: ledger.idle_uj, rest_uj: ledger.rest_uj }
}

/// Whole weights in the ratio of the given ones; what is negative or no number is 0.
pub fn whole_weights(weights: &[f64]) -> Vec<u64> {
    let usable = |weight: f64| if weight.is_finite() && weight > 0.0 { weight } else { 0.0 };
    let greatest = weights.iter().copied().map(usable).fold(0.0, f64::max);
    let whole =
        |weight: f64| if weight > 0.0 { units::whole((weight / greatest * GREATEST_WEIGHT).round()).max(1) } else { 0 };
    weights.iter().map(|weight| whole(usable(*weight))).collect()
}

/// The weight of all claims active in the interval behind each instant.
fn total_weights(instants: usize, claims: &[Claim]) -> Vec<u64> {
    let (mut begins, mut ends) = (vec![0_u64; instants], vec![0_u64; instants]);
    for claim in claims.iter().filter(|claim| claim.takes()) {
        begins[claim.first] += claim.weight;
        ends[claim.last] += claim.weight;
    }
    let mut active = 0;
    begins
        .iter()
        .zip(ends)
        .map(|(begin, end)| {
            active = active + begin - end;
            active
        })
        .collect()
}

impl Claim {
    fn takes(&self) -> bool {
        self.weight > 0 && self.first < self.last
    }
}

#[derive(Debug, Default)]
struct Ledger {
    /// Energy per unit of weight up to each instant, in 2^-64 microjoules.
    per_weight: Vec<u128>,
    /// The busy stretch in which the interval behind each instant lies.
    stretch: Vec<usize>,
    /// Energy of each busy stretch.
    stretches_uj: Vec<u64>,
    idle_uj: u64,
    rest_uj: u64,
}

impl Ledger {
    fn sweep(&mut self, heights: Heights<'_>, weights: &[u64], idle_uw: u64) {
        let start_ns = heights.t_ns.first().copied().unwrap_or(0);
        let idle_until = |t_ns: u64| units::energy_uj(idle_uw, t_ns - start_ns);
        let mut reached_uj = heights.energy_uj.first().copied().unwrap_or(0);
        let (mut sum, mut is_busy) = (0, false);
        for (place, weight) in weights.iter().enumerate() {
            self.per_weight.push(sum);
            if *weight > 0 && !is_busy {
                self.stretches_uj.push(0);
            }
            is_busy = *weight > 0;
            self.stretch.push(self.stretches_uj.len().saturating_sub(1));
            let Some(next_ns) = heights.t_ns.get(place + 1) else { return };
            let used_uj = heights.energy_uj[place + 1].saturating_sub(reached_uj);
            reached_uj += used_uj;
            let anyhow_uj = used_uj.min(idle_until(*next_ns) - idle_until(heights.t_ns[place]));
            self.idle_uj += anyhow_uj;
            match self.stretches_uj.last_mut().filter(|_| is_busy) {
                Some(busy_uj) => {
                    *busy_uj += used_uj - anyhow_uj;
                    sum += (u128::from(used_uj - anyhow_uj) << PLACES) / u128::from(*weight);
                }
                None => self.rest_uj += used_uj - anyhow_uj,
            }
        }
    }

    /// Whole microjoules of each claim; the sum over a stretch is the stretch's energy.
    fn parts(&self, claims: &[Claim]) -> Vec<u64> {
        let mut left_uj = self.stretches_uj.clone();
        let mut remainders = Vec::with_capacity(claims.len());
        let mut parts_uj: Vec<u64> = Vec::with_capacity(claims.len());
        for (index, claim) in claims.iter().enumerate() {
            parts_uj.push(0);
            if claim.takes() {
                let exact = u128::from(claim.weight) * (self.per_weight[claim.last] - self.per_weight[claim.first]);
                let stretch = self.stretch[claim.first];
                parts_uj[index] = low(exact >> PLACES);
                left_uj[stretch] -= parts_uj[index];
                remainders.push((stretch, u64::MAX - low(exact), index));
            }
        }
        // Greatest remainder first, then the earlier claim.
        remainders.sort_unstable();
        for (stretch, _, index) in remainders {
            if left_uj[stretch] > 0 {
                left_uj[stretch] -= 1;
                parts_uj[index] += 1;
            }
        }
        parts_uj
    }
}

/// The lower 64 bits.
#[allow(clippy::cast_possible_truncation)] // that is what it is for
fn low(number: u128) -> u64 {
    number as u64
}

/// One sigma of each claim's part, in microjoules, from one sigma of the curve at each instant.
///
/// A part is a sum of heights, each times the change of the claim's share there. Heights within `grain_ns` (the distance
/// of two readings) err together, so their changes are added before they are squared; a claim's own begin and end err
/// independently.
pub fn sigmas(t_ns: &[u64], sigma_uj: &[f64], claims: &[Claim], grain_ns: u64) -> Vec<f64> {
    let per_weight: Vec<f64> = total_weights(t_ns.len(), claims)
        .iter()
        .map(|weight| if *weight > 0 { 1.0 / *weight as f64 } else { 0.0 })
        .collect();
    let changes = Changes::of(t_ns, sigma_uj, &per_weight, grain_ns);
    let sigma = |claim: &Claim| {
        let (first, last) = (claim.first, claim.last);
        let begin = changes.behind(first, last - 1) - sigma_uj[first] * per_weight[first];
        let end = changes.before(first, last) + sigma_uj[last] * per_weight[last - 1];
        claim.weight as f64 * (begin * begin + end * end + changes.squares(first, last)).sqrt()
    };
    claims.iter().map(|claim| if claim.takes() { sigma(claim) } else { 0.0 }).collect()
}

/// What the errors of the heights do to a unit of weight that is active throughout.
struct Changes {
    /// The group of instants, closer together than the grain, of each instant.
    group: Vec<usize>,
    /// Sum of the changes within its group up to each instant, times sigma.
    within: Vec<f64>,
    /// The sum of each whole group.
    whole: Vec<f64>,
    /// Sum of the squares of all groups before each.
    squares: Vec<f64>,
}

impl Changes {
    fn of(t_ns: &[u64], sigma_uj: &[f64], per_weight: &[f64], grain_ns: u64) -> Self {
        let mut changes = Self { group: Vec::new(), within: Vec::new(), whole: Vec::new(), squares: Vec::new() };
        let (mut group_ns, mut squares) = (0, 0.0);
        for (place, now_ns) in t_ns.iter().enumerate() {
            if place == 0 || now_ns - group_ns > grain_ns {
                group_ns = *now_ns;
                squares += changes.whole.last().map_or(0.0, |sum| sum * sum);
                changes.squares.push(squares);
                changes.whole.push(0.0);
            }
            let before = place.checked_sub(1).map_or(0.0, |before| per_weight[before]);
            let group = changes.whole.len() - 1;
            changes.whole[group] += sigma_uj[place] * (before - per_weight[place]);
            changes.group.push(group);
            changes.within.push(changes.whole[group]);
        }
        changes
    }

    /// The changes behind `first` within its group, up to `until`.
    fn behind(&self, first: usize, until: usize) -> f64 {
        let group = self.group[first];
        let reached = if self.group[until] == group { self.within[until] } else { self.whole[group] };
        reached - self.within[first]
    }

    /// The changes before `last` within its group, if that is not the group of `first`.
    fn before(&self, first: usize, last: usize) -> f64 {
        let group = self.group[last];
        if self.group[last - 1] == group && self.group[first] != group { self.within[last - 1] } else { 0.0 }
    }

    /// The squares of the groups strictly between those of `first` and `last`.
    fn squares(&self, first: usize, last: usize) -> f64 {
        let (from, to) = (self.group[first] + 1, self.group[last]);
        if from < to { self.squares[to] - self.squares[from] } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn claim(first: usize, last: usize, weight: u64) -> Claim {
        Claim { first, last, weight }
    }

    const T_NS: [u64; 4] = [0, 1_000_000_000, 2_000_000_000, 3_000_000_000];

    #[test]
    fn two_that_overlap_share_the_overlap_equally() {
        let heights = Heights { t_ns: &T_NS, energy_uj: &[0, 10, 30, 60] };
        let shares = share(heights, &[claim(0, 2, 1), claim(1, 3, 1)], 0);
        assert_eq!(shares, Shares { parts_uj: vec![20, 40], idle_uj: 0, rest_uj: 0 });
    }

    #[test]
    fn the_greater_weight_takes_the_greater_share() {
        let heights = Heights { t_ns: &T_NS[..2], energy_uj: &[0, 100] };
        let shares = share(heights, &[claim(0, 1, 3), claim(0, 1, 1), claim(0, 1, 0)], 0);
        assert_eq!(shares.parts_uj, [75, 25, 0]);
    }

    #[test]
    fn what_nobody_used_is_the_rest_and_idle_power_is_apart() {
        let heights = Heights { t_ns: &T_NS, energy_uj: &[5, 15, 18, 38] };
        // 4 uW: 4 uJ in each second, but only 3 were used in the second one.
        let shares = share(heights, &[claim(2, 3, 1)], 4);
        assert_eq!(shares, Shares { parts_uj: vec![16], idle_uj: 11, rest_uj: 6 });
    }

    #[test]
    fn the_last_microjoule_goes_to_the_largest_remainder() {
        let heights = Heights { t_ns: &T_NS[..2], energy_uj: &[0, 11] };
        assert_eq!(share(heights, &[claim(0, 1, 1), claim(0, 1, 2)], 0).parts_uj, [4, 7]);
    }

    #[test]
    fn weights_keep_their_ratio_and_nonsense_weighs_nothing() {
        assert_eq!(
            whole_weights(&[1.0, 0.5, 0.0, -1.0, f64::NAN, f64::INFINITY, 1e-30]),
            [1 << 32, 1 << 31, 0, 0, 0, 0, 1]
        );
        assert_eq!(whole_weights(&[]), [0_u64; 0]);
    }

    #[test]
    fn a_claim_alone_is_as_uncertain_as_its_two_ends() {
        let sigmas = sigmas(&T_NS, &[3.0, 1.0, 1.0, 4.0], &[claim(0, 3, 7)], 10);
        assert!((sigmas[0] - 5.0).abs() < 1e-12, "{sigmas:?}");
    }

    #[test]
    fn many_that_begin_and_end_within_a_grain_divide_the_uncertainty_too() {
        let t_ns: Vec<u64> = (0..100).chain(1_000_000..1_000_100).collect();
        let claims: Vec<Claim> = (0..100).map(|index| claim(index, 100 + index, 1)).collect();
        for sigma in sigmas(&t_ns, &vec![1.0; 200], &claims, 1_000) {
            assert!(sigma < 0.03, "{sigma}");
        }
    }

    /// Instants with heights, and claims on them.
    fn worlds() -> impl Strategy<Value = (Vec<u64>, Vec<u64>, Vec<Claim>)> {
        let steps = prop::collection::vec((1..50_000_000_u64, 0..2_000_000_u64), 2..60);
        (steps, prop::collection::vec((0..60_usize, 0..60_usize, 0..5_000_000_000_u64), 0..80)).prop_map(
            |(steps, ends)| {
                let sums = |of: fn(&(u64, u64)) -> u64| {
                    steps
                        .iter()
                        .map(of)
                        .scan(0, |sum, step| {
                            *sum += step;
                            Some(*sum)
                        })
                        .collect::<Vec<_>>()
                };
                let place = |end: usize| end % steps.len();
                let claims = ends
                    .iter()
                    .map(|(a, b, weight)| claim(place(*a).min(place(*b)), place(*a).max(place(*b)), *weight));
                (sums(|step| step.0), sums(|step| step.1), claims.collect())
            },
        )
    }

    proptest! {
        /// Law 6.
        #[test]
        fn parts_idle_and_rest_are_the_whole_to_the_microjoule((t_ns, energy_uj, claims) in worlds(), idle_uw in 0..50_000_000_u64) {
            let shares = share(Heights { t_ns: &t_ns, energy_uj: &energy_uj }, &claims, idle_uw);
            let whole_uj = energy_uj[energy_uj.len() - 1] - energy_uj[0];
            prop_assert_eq!(shares.parts_uj.iter().sum::<u64>() + shares.idle_uj + shares.rest_uj, whole_uj);
        }

        /// Against the definition, interval by interval, in floats.
        #[test]
        fn a_part_is_the_sum_of_its_shares_of_every_interval((t_ns, energy_uj, claims) in worlds()) {
            let shares = share(Heights { t_ns: &t_ns, energy_uj: &energy_uj }, &claims, 0);
            let active = |place: usize| claims.iter().filter(move |one| one.first <= place && place < one.last);
            for (claim, part_uj) in claims.iter().zip(&shares.parts_uj) {
                let expected: f64 = (claim.first..claim.last).map(|place| {
                    let all: u64 = active(place).map(|one| one.weight).sum();
                    let used = (energy_uj[place + 1] - energy_uj[place]) as f64;
                    if all == 0 { 0.0 } else { used * claim.weight as f64 / all as f64 }
                }).sum();
                prop_assert!((*part_uj as f64 - expected).abs() <= 1.0 + 1e-9 * expected, "{} {}", part_uj, expected);
            }
        }

        #[test]
        fn a_curve_that_falls_never_makes_a_part_negative(
            (t_ns, mut energy_uj, claims) in worlds(), falls in prop::collection::vec((0..60_usize, 0..3_000_000_u64), 0..10),
        ) {
            for (place, by) in falls {
                let place = place % energy_uj.len();
                energy_uj[place] = energy_uj[place].saturating_sub(by);
            }
            let shares = share(Heights { t_ns: &t_ns, energy_uj: &energy_uj }, &claims, 0);
            let highest = energy_uj.iter().max().unwrap();
            prop_assert_eq!(shares.parts_uj.iter().sum::<u64>() + shares.rest_uj, highest - energy_uj[0]);
        }

        #[test]
        fn a_part_is_never_more_uncertain_than_the_claim_alone_by_much((t_ns, _, claims) in worlds(), grain_ns in 0..200_000_000_u64) {
            let sigma_uj = vec![1.0; t_ns.len()];
            for sigma in sigmas(&t_ns, &sigma_uj, &claims, grain_ns) {
                prop_assert!(sigma.is_finite() && sigma <= 2.0 * (claims.len() as f64 + 1.0));
            }
        }
    }
}
