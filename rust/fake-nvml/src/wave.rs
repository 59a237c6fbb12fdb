//! A power of known form: linear pieces, once or repeated, and its exact energy.

/// Power over time. Before the first point and after the last it stays what it was there, unless it repeats.
#[derive(Debug, Clone, PartialEq)]
pub struct Wave {
    pieces: Vec<Piece>,
    /// Length of one round, in seconds; `None` if it happens once.
    repeat_s: Option<f64>,
    /// Energy of one round, in joules.
    round_j: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Piece {
    start_s: f64,
    power_w: f64,
    slope_w_per_s: f64,
    /// Energy from the first point to the start of this piece.
    before_j: f64,
}

impl Piece {
    fn energy_j(&self, t_s: f64) -> f64 {
        let dt_s = t_s - self.start_s;
        self.before_j + dt_s * (self.power_w + 0.5 * self.slope_w_per_s * dt_s)
    }
}

impl Wave {
    /// A wave through `(t_s, power_w)` in ascending time; two points at one instant are a step. With `repeat_s` the
    /// points lie within `0..=repeat_s` and the round begins anew there.
    pub fn through(points: &[(f64, f64)], repeat_s: Option<f64>) -> Result<Self, String> {
        check(points, repeat_s)?;
        let mut pieces = Vec::with_capacity(points.len() + 1);
        let mut before_j = 0.0;
        for (index, &(start_s, power_w)) in points.iter().enumerate() {
            let next = points.get(index + 1).copied().unwrap_or((repeat_s.unwrap_or(start_s), power_w));
            let dt_s = next.0 - start_s;
            let slope_w_per_s = if dt_s > 0.0 { (next.1 - power_w) / dt_s } else { 0.0 };
            pieces.push(Piece { start_s, power_w, slope_w_per_s, before_j });
            before_j += 0.5 * (power_w + next.1) * dt_s;
        }
        Ok(Self { pieces, repeat_s, round_j: before_j })
    }

    /// Energy from the wave's zero to `t_s`, in joules: the exact antiderivative, negative before zero.
    pub fn energy_j(&self, t_s: f64) -> f64 {
        self.since_first_j(t_s) - self.since_first_j(0.0)
    }

    /// Mean power between two instants, in watts; the power itself where they are one.
    pub fn mean_w(&self, from_s: f64, to_s: f64) -> f64 {
        if to_s > from_s { (self.energy_j(to_s) - self.energy_j(from_s)) / (to_s - from_s) } else { self.power_w(to_s) }
    }

    /// Power at an instant, in watts; at a step the one after it.
    pub fn power_w(&self, t_s: f64) -> f64 {
        let (_, within_s) = self.fold(t_s);
        let piece = self.piece(within_s);
        piece.power_w + piece.slope_w_per_s * (within_s - piece.start_s).max(0.0)
    }

    fn since_first_j(&self, t_s: f64) -> f64 {
        let (rounds, within_s) = self.fold(t_s);
        let piece = self.piece(within_s);
        let own_j = if within_s < piece.start_s {
            (within_s - piece.start_s) * piece.power_w
        } else {
            piece.energy_j(within_s)
        };
        rounds * self.round_j + own_j
    }

    /// How many whole rounds lie before `t_s`, and the time within the round.
    fn fold(&self, t_s: f64) -> (f64, f64) {
        self.repeat_s.map_or((0.0, t_s), |repeat_s| {
            let rounds = (t_s / repeat_s).floor();
            (rounds, t_s - rounds * repeat_s)
        })
    }

    /// The last piece that begins by `t_s`, or the first.
    fn piece(&self, t_s: f64) -> &Piece {
        let after = self.pieces.partition_point(|piece| piece.start_s <= t_s);
        &self.pieces[after.saturating_sub(1)]
    }
}

fn check(points: &[(f64, f64)], repeat_s: Option<f64>) -> Result<(), String> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return Err("a wave needs at least one point".to_owned());
    };
    if points.iter().any(|(t_s, power_w)| !(t_s.is_finite() && power_w.is_finite())) {
        return Err("a wave's points must be finite numbers".to_owned());
    }
    if let Some(pair) = points.windows(2).find(|pair| pair[1].0 < pair[0].0) {
        return Err(format!("a wave's points must ascend in time: {} s follows {} s", pair[1].0, pair[0].0));
    }
    match repeat_s {
        Some(repeat_s) if first.0.to_bits() != 0.0_f64.to_bits() || last.0 > repeat_s || repeat_s <= 0.0 => {
            Err(format!("a repeated wave begins at 0 s and lies within its round of {repeat_s} s"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * (1.0 + a.abs().max(b.abs()))
    }

    #[test]
    fn a_constant_power_has_the_energy_of_its_time() {
        let wave = Wave::through(&[(0.0, 300.0)], None).unwrap();
        assert!(near(wave.energy_j(10.0), 3000.0) && near(wave.energy_j(-1.0), -300.0));
    }

    #[test]
    fn a_ramp_has_the_energy_of_its_trapezoid_and_holds_its_ends() {
        let wave = Wave::through(&[(1.0, 100.0), (11.0, 600.0)], None).unwrap();
        assert!(near(wave.energy_j(11.0) - wave.energy_j(1.0), 3500.0));
        assert!(near(wave.mean_w(11.0, 12.0), 600.0) && near(wave.mean_w(0.0, 1.0), 100.0));
        assert!(near(wave.power_w(6.0), 350.0));
    }

    #[test]
    fn a_square_repeats_in_both_directions() {
        let wave = Wave::through(&[(0.0, 600.0), (0.185, 600.0), (0.185, 100.0)], Some(0.37)).unwrap();
        assert!(near(wave.energy_j(3.7), 10.0 * 0.185 * 700.0));
        assert!(near(wave.energy_j(-0.37), -0.185 * 700.0));
        assert!(near(wave.power_w(0.37 * 7.0 + 0.2), 100.0));
    }

    #[test]
    fn points_out_of_order_are_refused_in_words() {
        assert!(Wave::through(&[(1.0, 1.0), (0.0, 1.0)], None).unwrap_err().contains("ascend"));
        assert!(Wave::through(&[], None).is_err());
        assert!(Wave::through(&[(0.0, 1.0), (2.0, 1.0)], Some(1.0)).is_err());
    }

    proptest! {
        /// The antiderivative is one: additive over adjacent intervals, and its slope is the power.
        #[test]
        fn energy_is_the_integral_of_power(
            steps in prop::collection::vec((0.0..0.5_f64, 0.0..700.0_f64), 2..20),
            repeats: bool,
            at_s in -5.0..20.0_f64,
        ) {
            let mut t_s = 0.0;
            let points: Vec<_> = steps.iter().enumerate().map(|(index, (dt_s, power_w))| {
                t_s += if index == 0 { 0.0 } else { *dt_s };
                (t_s, *power_w)
            }).collect();
            let wave = Wave::through(&points, repeats.then_some(t_s + 0.1)).unwrap();
            let step_s = 1e-6;
            let parts: f64 = (0..10).map(|k| {
                let t_s = at_s + f64::from(k) * step_s;
                wave.energy_j(t_s + step_s) - wave.energy_j(t_s)
            }).sum();
            let whole = wave.energy_j(at_s + 10.0 * step_s) - wave.energy_j(at_s);
            prop_assert!((parts - whole).abs() < 1e-9);
            prop_assert!(whole >= -1e-9 && whole <= 700.0 * 10.0 * step_s + 1e-9);
        }
    }
}
