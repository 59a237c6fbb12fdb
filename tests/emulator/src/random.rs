//! Which random number stands at place `k` of a seeded series: no state, so any place costs the same.

/// The golden-ratio increment and the mixer of `SplitMix64` (Steele, Lea, Flood: Fast splittable
/// pseudorandom number generators, OOPSLA 2014); truth.py holds the same constants.
const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// The `k`-th number of the series of `seed`, uniform over all of u64.
pub fn at(seed: u64, k: u64) -> u64 {
    let mut z = seed.wrapping_add(GAMMA.wrapping_mul(k.wrapping_add(1)));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
