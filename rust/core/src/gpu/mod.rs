//! Joules of a GPU for windows shorter than the period of its meter.
//!
//! # The difficulty
//! A GPU's energy counter moves every 20 or 100 ms. Read at both ends of a burst of 150 ms it is off by a third, by
//! nine tenths at 30 ms. Its power gauges are worse: a mean of the last second, or of 25 of every 100 ms.
//!
//! # What is done about it
//! The instants at which the meter moves are learned ([`rhythm`]) and looked for ([`plan`]), so that each value has a
//! time of its own: the curve E(t) at the meter's updates ([`meter`], [`ticks`]). A window's end lies between two of
//! them. Where the power beside the window is flat, it is carried to the end ([`instant`]); where it is not, the end is
//! put on a straight line, and the result says which, and how far off it can be ([`close`]).
//!
//! # How it is used
//! A thread walks round the GPUs of the machine ([`patrol`]): it looks at one through [`crate::source::nvml`] and hands
//! what it saw to the GPU's [`lane::Lane`], which answers when to look next. No window needs a call: `window(begin_ns,
//! end_ns)` is answered from the curve, pending until the first update after the window, settled some updates later. Those
//! who divide energy among many use one curve instead ([`common`]). All but the patrol is pure: no clock, no I/O. The
//! latest update can be read without waiting for anybody ([`latest`]).

pub mod agreement;
pub mod calibration;
pub mod close;
pub mod common;
pub mod instant;
pub mod keeper;
pub mod lane;
pub mod latest;
pub mod meter;
pub mod patrol;
pub mod plan;
pub mod rhythm;
pub mod round;
pub mod ticks;
pub mod window;
