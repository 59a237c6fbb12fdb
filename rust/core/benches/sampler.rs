//! What sampling costs beside a bare loop that sleeps to the same deadlines and makes the same reads, in the same run.
//!
//! The ratio of the threads' CPU times is the news: both pay the same kernel and the same noise. The meter is a file that is
//! read by pread, as a powercap zone is, and whose count moves once a millisecond by the machine's clock.
//!
//!     cargo bench --bench sampler [-- PAIRS]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)] // a bench: its output is for people

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use eco2ai_fast_core::choice::choose;
use eco2ai_fast_core::clock::{Clock, Monotonic};
use eco2ai_fast_core::domain::{Channel, Kind, Place, Provenance, Range, Signal};
use eco2ai_fast_core::panel::Panel;
use eco2ai_fast_core::sample::Sample;
use eco2ai_fast_core::sampler::{Plan, Sampler};
use eco2ai_fast_core::source::{Source, sys};
use eco2ai_fast_core::units::{NS_PER_S, Scale};

const TICK_NS: u64 = 1_000_000;
/// Interleaved pairs, and how long each half runs.
const PAIRS: usize = 15;
const SECONDS: f64 = 1.0;

/// A counter of 50 W behind a pread.
#[derive(Debug)]
struct Ticking {
    file: File,
    channel: Channel,
}

impl Ticking {
    fn new() -> Self {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"123456789012\n").unwrap();
        let channel = Channel {
            place: Place::of_package(Kind::Package, 0),
            signal: Signal::Counter,
            scale: Scale::MICROJOULE,
            range: Range::Unbounded,
            max_power_uw: 2_000_000_000,
            tick_ns: TICK_NS,
            longest_rest_ns: u64::MAX,
            resolution_ns: 0,
            sensor_rel: 0.0,
            provenance: Provenance::Measured,
            detail: String::new(),
        };
        Self { file, channel }
    }

    fn count(&self) -> u64 {
        let mut text = [0; 22];
        assert!(self.file.read_at(&mut text, 0).unwrap() > 0);
        sys::clock_ns(sys::ClockId::Monotonic) / TICK_NS * 50_000
    }
}

impl Source for Ticking {
    fn name(&self) -> &'static str {
        "bench"
    }

    fn channels(&self) -> &[Channel] {
        std::slice::from_ref(&self.channel)
    }

    fn read(&self, clock: &dyn Clock, samples: &mut [Sample]) {
        samples[0] = Sample::bracket(clock, || Ok(self.count()));
    }

    fn retain(&mut self, _keep: &[bool]) {}
}

/// CPU nanoseconds and reads of the sampler's thread over a second.
fn ours(period_ns: u64, edges: bool) -> (f64, u64) {
    let mut sources: Vec<Box<dyn Source>> = vec![Box::new(Ticking::new())];
    let domains = choose(&mut sources, &[]);
    let panel = Arc::new(Panel::new(Arc::new(Monotonic), sources, domains));
    let sampler = Sampler::start(&panel, Plan { period_ns, edges, cpus: Vec::new() }).unwrap();
    std::thread::sleep(Duration::from_secs_f64(SECONDS));
    let ledger = sampler.stop();
    (ledger.cpu_ns as f64, ledger.polls)
}

/// CPU nanoseconds of a bare loop: the same deadlines, `polls` reads at each.
fn bare(period_ns: u64, polls: f64) -> f64 {
    let work = move || {
        sys::want_exact_timers();
        let (source, word) = (Ticking::new(), AtomicU32::new(0));
        let (mut samples, mut owed) = ([Sample::default()], 0.0);
        let begin_ns = sys::clock_ns(sys::ClockId::Monotonic);
        for tick in 1..=(SECONDS * NS_PER_S as f64) as u64 / period_ns {
            sys::sleep_until(&word, begin_ns + tick * period_ns);
            owed += polls;
            while owed >= 1.0 {
                source.read(&Monotonic, &mut samples);
                owed -= 1.0;
            }
        }
        sys::clock_ns(sys::ClockId::Thread) as f64
    };
    std::thread::spawn(work).join().unwrap()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let pairs = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(PAIRS);
    println!("thread CPU time per tick, median of {pairs} interleaved pairs of {SECONDS} s");
    for (hz, edges) in [(10, false), (100, false), (1000, false), (1000, true)] {
        let period_ns = NS_PER_S / hz;
        let (mut sampled, mut plain, mut ratios, mut polls) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for _ in 0..pairs {
            let (cpu_ns, reads) = ours(period_ns, edges);
            let each = if edges { reads as f64 / (SECONDS * hz as f64) } else { 1.0 };
            let bare_ns = bare(period_ns, each);
            sampled.push(cpu_ns);
            plain.push(bare_ns);
            ratios.push(cpu_ns / bare_ns);
            polls += reads;
        }
        let per_tick = |values: Vec<f64>| median(values) / (SECONDS * hz as f64) / 1e3;
        println!(
            "{hz:>5} Hz, edges {}: ratio {:.2} ({:.2} us to {:.2} us a tick), {:.1} reads a tick",
            if edges { "on " } else { "off" },
            median(ratios),
            per_tick(sampled),
            per_tick(plain),
            polls as f64 / pairs as f64 / (SECONDS * hz as f64),
        );
    }
}
