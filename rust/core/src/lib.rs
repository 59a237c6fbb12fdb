//! Energy of this machine, read from its own meters.
//!
//! # What a number means
//! A [`window::Readout`] holds, for each domain of the machine (a processor package, its memory), the energy between two
//! readings of a counter, in whole microjoules. A counter is an integral already: the energy of a window is the
//! difference of two readings, whatever the power did in between, and needs no sampling rate. Differences are taken
//! modulo the counter's range, and a thread reads often enough that no wrap goes unseen ([`keepalive`]).
//!
//! Totals only grow and are kept in the counter's own units; a window is the difference of two of them. So adjacent
//! windows add up to the microjoule, and so do models, which are counters of their own here ([`source::estimate`]).
//!
//! Beside each energy stand how it was obtained (measured or modelled), what share of the time unbroken readings cover,
//! and how far off the ends can be: a RAPL counter moves once a millisecond, so that a window of 10 ms is uncertain by
//! several per cent however exactly it is read.
//!
//! # What it does not mean
//! - It is the machine's energy, not the program's: other processes are in it.
//! - A package is not the computer: memory without a meter is modelled, and fans, disks, power supply are not in it.
//! - RAPL itself is off by 3 to 10 % (more for memory); that error is the same in every window and cancels when two
//!   runs on one machine are compared.
//! - Time is `CLOCK_MONOTONIC`: what happens while the machine is suspended belongs to no window's duration.
//!
//! # How it is built
//! A [`source::Source`] answers with raw counts. [`choice`] keeps one route for each domain. The [`panel::Panel`] reads
//! them together and publishes their state without locks ([`snapshot`]); [`counter`] says what a reading means.
//! [`meter::Meter`] is the door. Carbon, money and Python live elsewhere.

pub mod budget;
pub mod choice;
pub mod clock;
pub mod counter;
pub mod cross_check;
pub mod curve;
pub mod domain;
pub mod edges;
pub mod error;
pub mod gauge;
pub mod gpu;
pub mod integrate;
pub mod keepalive;
pub mod meter;
pub mod number_lists;
pub mod panel;
pub mod published;
pub mod recorded;
pub mod ring;
pub mod sample;
pub mod sampler;
pub mod snapshot;
pub mod source;
pub mod span;
pub mod step;
pub(crate) mod sync;
pub mod units;
pub mod window;

/// What docs/recipes.md shows of this crate, followed as a test.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/recipes.md")]
struct Recipes;
