//! Reproducible chance: one number for each seed and index, the same in every language.

/// A number that looks random for each pair: `SplitMix64` (Steele, Lea, Flood 2014) of the seed advanced by `index`.
pub fn hash(seed: u64, index: i64) -> u64 {
    let mut z = seed.wrapping_add(index.cast_unsigned().wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Uniform over `0..1`, from the upper 53 bits of [`hash`].
pub fn unit(seed: u64, index: i64) -> f64 {
    (hash(seed, index) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Uniform over `-1..1`.
pub fn signed(seed: u64, index: i64) -> f64 {
    2.0 * unit(seed, index) - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_number_of_seed_zero_is_the_published_one() {
        // SplitMix64 from state 0: the first output of the reference implementation.
        assert_eq!(hash(0, 0), 0xe220_a839_7b1d_cdaf);
    }

    #[test]
    fn the_mean_of_many_is_a_half() {
        let mean = (0..10_000).map(|index| unit(7, index)).sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.02);
    }
}
