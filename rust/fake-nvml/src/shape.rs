//! The forms that a configuration can give to a device's power.

use std::path::Path;

use serde::Deserialize;

use crate::random;
use crate::trace;
use crate::wave::Wave;

/// Dwells of a telegraph before it repeats: long enough that no window sees the same pattern twice in a minute.
const TELEGRAPH_DWELLS: i64 = 1024;

/// A form of power over time. Times are seconds since the epoch of the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "shape", rename_all = "snake_case", deny_unknown_fields)]
pub enum Shape {
    /// Always the same.
    Constant {
        /// Power in watts.
        power_w: f64,
    },
    /// High for `duty` of each period, then low.
    Square {
        /// Power in the second part.
        low_w: f64,
        /// Power in the first part.
        high_w: f64,
        /// Length of both.
        period_s: f64,
        /// Share of the first part.
        #[serde(default = "half")]
        duty: f64,
    },
    /// A straight line from one power to another, held before and after.
    Ramp {
        /// Power up to the start.
        from_w: f64,
        /// Power from the end on.
        to_w: f64,
        /// When it starts.
        #[serde(default)]
        start_s: f64,
        /// How long it takes.
        duration_s: f64,
    },
    /// One pulse.
    Burst {
        /// Power before and after.
        base_w: f64,
        /// Power within.
        peak_w: f64,
        /// When it starts.
        start_s: f64,
        /// How long it lasts.
        duration_s: f64,
    },
    /// High and low in turn, for random times between half and one and a half of `mean_s`.
    Telegraph {
        /// One power.
        low_w: f64,
        /// The other, which comes first.
        high_w: f64,
        /// Mean time at either.
        mean_s: f64,
        /// Which random times.
        seed: u64,
    },
    /// Linear between given points; two points at one instant are a step.
    Points {
        /// Pairs of seconds and watts.
        points: Vec<(f64, f64)>,
        /// Length of a round, for a wave that repeats.
        repeat_s: Option<f64>,
    },
    /// A recorded power: a CSV file with columns `t_ms` and `power_w` (lines that begin with `#` are skipped), linear
    /// between its rows.
    Trace {
        /// The file; a relative path is taken from the working directory.
        file: String,
    },
}

fn half() -> f64 {
    0.5
}

impl Shape {
    /// The wave of this form, or what is wrong with its figures.
    pub fn wave(&self) -> Result<Wave, String> {
        match *self {
            Self::Constant { power_w } => Wave::through(&[(0.0, power_w)], None),
            Self::Square { low_w, high_w, period_s, duty } => {
                let edge_s = duty * period_s;
                Wave::through(&[(0.0, high_w), (edge_s, high_w), (edge_s, low_w)], Some(period_s))
            }
            Self::Ramp { from_w, to_w, start_s, duration_s } => {
                Wave::through(&[(start_s, from_w), (start_s + duration_s, to_w)], None)
            }
            Self::Burst { base_w, peak_w, start_s, duration_s } => {
                let end_s = start_s + duration_s;
                Wave::through(&[(start_s, base_w), (start_s, peak_w), (end_s, peak_w), (end_s, base_w)], None)
            }
            Self::Telegraph { low_w, high_w, mean_s, seed } => telegraph(low_w, high_w, mean_s, seed),
            Self::Points { ref points, repeat_s } => Wave::through(points, repeat_s),
            Self::Trace { ref file } => Wave::through(&trace::read(Path::new(file), "power_w")?, None),
        }
    }
}

fn telegraph(low_w: f64, high_w: f64, mean_s: f64, seed: u64) -> Result<Wave, String> {
    let mut points = Vec::new();
    let mut t_s = 0.0;
    for index in 0..TELEGRAPH_DWELLS {
        let power_w = if index % 2 == 0 { high_w } else { low_w };
        points.push((t_s, power_w));
        t_s += mean_s * (0.5 + random::unit(seed, index));
        points.push((t_s, power_w));
    }
    Wave::through(&points, Some(t_s))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(json: &str) -> Wave {
        serde_json::from_str::<Shape>(json).unwrap().wave().unwrap()
    }

    #[test]
    fn each_shape_has_the_energy_of_its_closed_form() {
        let cases = [
            (r#"{"shape":"constant","power_w":300}"#, 10.0, 3000.0),
            (r#"{"shape":"square","low_w":100,"high_w":600,"period_s":0.4}"#, 10.0, 3500.0),
            (r#"{"shape":"ramp","from_w":100,"to_w":600,"duration_s":10}"#, 10.0, 3500.0),
            (r#"{"shape":"burst","base_w":90,"peak_w":700,"start_s":1,"duration_s":0.15}"#, 2.0, 180.0 + 91.5),
            (r#"{"shape":"points","points":[[0,0],[2,100]],"repeat_s":null}"#, 2.0, 100.0),
        ];
        for (json, until_s, energy_j) in cases {
            let found_j = wave(json).energy_j(until_s);
            assert!((found_j - energy_j).abs() < 1e-9, "{json}: {found_j} J instead of {energy_j} J");
        }
    }

    #[test]
    fn a_telegraph_is_one_of_two_powers_and_each_about_half_the_time() {
        let wave = wave(r#"{"shape":"telegraph","low_w":100,"high_w":500,"mean_s":0.05,"seed":3}"#);
        for k in 0..1000 {
            let power_w = wave.power_w(f64::from(k) * 0.013);
            assert!((power_w - 100.0).abs() < 1e-9 || (power_w - 500.0).abs() < 1e-9);
        }
        assert!((wave.mean_w(0.0, 40.0) - 300.0).abs() < 20.0);
    }

    #[test]
    fn an_unknown_shape_is_refused_by_name() {
        assert!(serde_json::from_str::<Shape>(r#"{"shape":"sine"}"#).unwrap_err().to_string().contains("sine"));
    }
}
