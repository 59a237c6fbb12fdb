//! A stand-in for `libnvidia-ml.so.1` whose devices draw a power of known form.
//!
//! # What it is for
//! A GPU's meters are slow: an energy counter moves every 20 or 100 ms, a power gauge shows a mean of the last second.
//! Whether a program measures energy rightly can therefore only be told where the truth is known. Here it is: each
//! device follows a [`wave::Wave`] with an exact antiderivative, its counter and gauges see that wave as firmware does
//! ([`sensor`]), and `fake_nvml_energy_j` says how many joules it really was.
//!
//! # How to use it
//! `cargo build -p eco2ai-fast-fake-nvml` makes `target/debug/libfake_nvml.so`. Its soname is `libnvidia-ml.so.1`, so
//! that any of these makes a program take it for NVIDIA's:
//! - `ECO2AI_FAST_NVML=target/debug/libfake_nvml.so` for this project's own reader;
//! - a link `libnvidia-ml.so.1` to it in a folder named by `LD_LIBRARY_PATH`, for any program;
//! - in Python, `ctypes.CDLL("target/debug/libfake_nvml.so")` before the first use of `pynvml`.
//!
//! What the machine looks like is one JSON object ([`config::Config`] lists every figure and its default): the text of
//! the variable `ECO2AI_FAST_FAKE_NVML` if that begins with a brace, else the file it names, else the file beside the
//! library with `.json` added to its name, else one GPU at 300 W. It is read when NVML is first initialised:
//!
//! ```json
//! {"devices": [
//!   {"name": "card with an ideal counter", "wave": {"shape": "square", "low_w": 100, "high_w": 600, "period_s": 0.37}},
//!   {"name": "1 s average only", "counter": null, "instant": null, "faults": [{"kind": "error", "code": 15, "from_s": 5}]}
//! ]}
//! ```
//!
//! Beside NVML's own functions it exports `fake_nvml_energy_j(device, from_ns, to_ns)`, the truth between two instants
//! of `CLOCK_MONOTONIC`; `fake_nvml_epoch_ns()`, the instant at which waves are at zero; `fake_nvml_calls(name)` and
//! `fake_nvml_calls_on_thread(tid)`, which tell what a meter costs and on whose thread. `python/fake_nvml.py` calls them
//! from Python, and holds the same truth in formulas of its own.
//!
//! # What it is not
//! It runs no kernels, knows no processes, and its sensors are those published for real cards (update period, window,
//! gain and offset), not any one card's. It holds no code of NVIDIA's.

pub mod abi;
pub mod code;
pub mod config;
pub mod device;
pub mod random;
pub mod sensor;
pub mod shape;
pub mod tally;
pub mod trace;
pub mod wave;
pub mod world;
