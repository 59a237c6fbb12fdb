//! Spans against loads with a closed form, in simulated time; and a million of them from eight threads, in real time.

#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::unwrap_used)] // a simulation
#![allow(clippy::print_stdout)] // the figures are for the log

mod sim;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use eco2ai_fast_core::choice::choose;
use eco2ai_fast_core::clock::{Clock, Manual, Monotonic};
use eco2ai_fast_core::edges::Rhythm;
use eco2ai_fast_core::panel::{Buffers, Panel};
use eco2ai_fast_core::source::Source;
use eco2ai_fast_core::span::Spans;
use eco2ai_fast_core::span::log::{Value, pack};
use eco2ai_fast_core::span::table::{Status, Table};
use sim::{Dice, Load, TICK_NS, Ticking};

/// A simulated machine that is sampled as the sampling thread would, and its spans.
struct World {
    clock: Manual,
    panel: Arc<Panel>,
    buffers: Buffers,
    rhythm: Rhythm,
    dice: Dice,
    spans: Arc<Spans>,
    /// Period of reading; `None`: every edge is hunted.
    period_ns: Option<u64>,
}

impl World {
    fn new(load: &Load, seconds: f64, period_ns: Option<u64>, seed: u64) -> Self {
        let clock = Manual::new(0);
        let mut dice = Dice(seed);
        let source = Ticking::new(load, seconds, 20_000.0, &clock, 1_000, &mut dice);
        let mut sources: Vec<Box<dyn Source>> = vec![Box::new(source)];
        let domains = choose(&mut sources, &[]);
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let panel = Arc::new(Panel::new(shared.clone(), sources, domains));
        panel.record();
        let spans = Spans::new(std::slice::from_ref(&panel), &shared, 1 << 20, || ());
        let (buffers, rhythm) = (panel.buffers(), Rhythm::new(TICK_NS));
        Self { clock, panel, buffers, rhythm, dice, spans, period_ns }
    }

    /// Samples until `t_ns`, where the clock then stands.
    fn run_until(&mut self, t_ns: u64) {
        loop {
            let late_ns = self.dice.exponential(30_000.0) as u64;
            let now_ns = self.clock.now_ns();
            let (from_ns, until_ns) = match self.period_ns {
                Some(period_ns) => (now_ns + period_ns, 0),
                None => self.rhythm.span_after(now_ns),
            };
            if from_ns + late_ns + 2 * TICK_NS > t_ns {
                self.clock.set(t_ns.max(now_ns));
                return;
            }
            self.clock.set(from_ns + late_ns);
            if self.period_ns.is_some() {
                self.panel.tick(&mut self.buffers);
            } else {
                match self.panel.hunt(&mut self.buffers, 0, until_ns).edge_ns {
                    Some(edge_ns) => self.rhythm.seen(edge_ns),
                    None => self.rhythm.missed(),
                }
            }
        }
    }

    fn table(&self) -> Table {
        self.spans.table(&[0]).unwrap().0
    }
}

fn energy_uj(table: &Table, row: usize) -> u64 {
    let [begin, end] = [0, 1].map(|at| table.measured_uj[at][row] + table.modelled_uj[at][row]);
    end - begin
}

fn power_w(table: &Table, row: usize) -> f64 {
    energy_uj(table, row) as f64 * 1_000.0 / (table.t1_ns[row] - table.t0_ns[row]) as f64
}

#[test]
fn spans_on_each_half_of_a_square_wave_tell_its_two_powers() {
    // 20 and 180 W, 100 ms; every half is a span.
    const HALF_NS: u64 = 50_000_000;
    // From 500 Hz on edges are hunted; the second row is what a plain 1 kHz would give.
    for (how, period_ns, tolerance_w) in [("edges", None, 1.6), ("no edges", Some(1_000_000), 5.0)] {
        let load = Load::square(20.0, 180.0, 0.1, 11.0);
        let mut world = World::new(&load, 11.0, period_ns, 42);
        for half in 1..200 {
            world.run_until(half * HALF_NS);
            let id = world.spans.begin(u32::from(half % 2 == 0), None);
            world.run_until((half + 1) * HALF_NS);
            world.spans.end(id, world.clock.now_ns(), false, &[]);
        }
        world.run_until(201 * HALF_NS);
        let table = world.table();
        let mut worst_w: f64 = 0.0;
        for (name, true_w) in [(0, 20.0), (1, 180.0)] {
            let rows = (0..table.name.len()).filter(|row| table.name[*row] == name);
            let powers: Vec<f64> = rows.map(|row| power_w(&table, row)).collect();
            let mean_w = powers.iter().sum::<f64>() / powers.len() as f64;
            let off_w = powers.iter().map(|power_w| (power_w - true_w).abs()).fold(0.0, f64::max);
            println!(
                "{how}: {} spans at {true_w} W: mean {mean_w:.2} W, the worst one off by {off_w:.2} W",
                powers.len()
            );
            worst_w = worst_w.max(off_w);
        }
        assert!(worst_w < tolerance_w, "{how}: {worst_w}");
    }
}

#[test]
fn a_span_that_outlives_the_fine_history_keeps_the_sharpness_of_its_begin() {
    let load = Load::telegraph(20.0, 180.0, 0.2, 60.0, &mut Dice(7));
    let errors = [true, false].map(|resolved_on_the_way| {
        let mut world = World::new(&load, 60.0, None, 7);
        world.run_until(5_333_000_000);
        let id = world.spans.begin(0, None);
        let t0_ns = world.clock.now_ns();
        for second in 6..55 {
            world.run_until(second * 1_000_000_000);
            if resolved_on_the_way {
                world.spans.resolve().unwrap();
            }
        }
        world.spans.end(id, world.clock.now_ns(), false, &[]);
        let t1_ns = world.clock.now_ns();
        world.run_until(55_500_000_000);
        let table = world.table();
        assert_eq!(table.status[0], Status::Resolved as u8);
        let truth_uj = load.energy_uj(t1_ns) - load.energy_uj(t0_ns);
        let error_uj = (energy_uj(&table, 0) as f64 - truth_uj).abs();
        println!(
            "49 s span, resolved on the way: {resolved_on_the_way}: off by {:.4} J of {:.0} J, sigma of the begin {:.4} J",
            error_uj / 1e6,
            truth_uj / 1e6,
            table.sigma_uj[0][0] / 1e6
        );
        assert!(error_uj < 3.0 * table.sigma_uj[0][0].hypot(table.sigma_uj[1][0]) + 1e4);
        table.sigma_uj[0][0]
    });
    assert!(20.0 * errors[0] < errors[1], "{errors:?}");
}

#[test]
fn a_span_that_began_before_anything_was_recorded_is_lost_and_has_no_number() {
    let clock = Manual::new(1_000_000_000);
    let load = Load::constant(50.0, 5.0);
    let mut sources: Vec<Box<dyn Source>> = vec![Box::new(Ticking::new(&load, 5.0, 0.0, &clock, 1_000, &mut Dice(1)))];
    let domains = choose(&mut sources, &[]);
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    let panel = Arc::new(Panel::new(shared.clone(), sources, domains));
    let spans = Spans::new(std::slice::from_ref(&panel), &shared, 100, || ());
    let early = spans.begin(0, None);
    clock.advance(100_000_000);
    panel.record();
    let mut buffers = panel.buffers();
    for _ in 0..50 {
        clock.advance(1_000_000);
        panel.tick(&mut buffers);
    }
    spans.end(early, clock.now_ns(), false, &[]);
    let (table, losses) = spans.table(&[0]).unwrap();
    assert_eq!((table.status, losses.dropped), (vec![Status::Lost as u8], 0));
}

#[test]
fn a_span_may_end_in_another_thread_and_carries_what_was_said() {
    let world = World::new(&Load::constant(50.0, 5.0), 5.0, Some(1_000_000), 3);
    let spans = &world.spans;
    let id = spans.begin(5, Some(9));
    let end = || spans.end(id, 7, true, &[pack((3, Value::Whole(11)))]);
    std::thread::scope(|scope| scope.spawn(end).join().unwrap());
    let (table, losses) = spans.table(&[0]).unwrap();
    assert_eq!((&table.name[..], &table.lane[..], &table.failed[..]), (&[5][..], &[9][..], &[true][..]));
    assert_eq!(table.attributes, [(0, 3, false, 11.0)]);
    assert_eq!(losses.unmatched, 0);
}

#[test]
fn an_end_whose_begin_is_unknown_is_counted_and_forgotten() {
    let world = World::new(&Load::constant(50.0, 5.0), 5.0, Some(1_000_000), 3);
    world.spans.end(12_345, 7, false, &[]);
    world.spans.resolve().unwrap();
    let (table, losses) = world.spans.table(&[0]).unwrap();
    assert_eq!((table.name.len(), losses.unmatched), (0, 1));
}

#[test]
fn a_million_spans_from_eight_threads_are_all_there() {
    const THREADS: u64 = 8;
    const EACH: u64 = 125_000;
    let clock: Arc<dyn Clock> = Arc::new(Monotonic);
    let load = Load::constant(50.0, 5.0);
    // The source's own clock stands still, so that the machine's time costs nothing to read.
    let source = Ticking::new(&load, 5.0, 0.0, &Manual::new(0), 0, &mut Dice(1));
    let mut sources: Vec<Box<dyn Source>> = vec![Box::new(source)];
    let domains = choose(&mut sources, &[]);
    let panel = Arc::new(Panel::new(clock.clone(), sources, domains));
    panel.record();
    let spans = Spans::new(std::slice::from_ref(&panel), &clock, 1 << 20, || ());
    let (started, done) = (Instant::now(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let spans = &spans;
                scope.spawn(move || {
                    for number in 0..EACH {
                        let id = spans.begin((thread * EACH + number) as u32, None);
                        spans.end(id, spans.now_ns(), false, &[]);
                    }
                })
            })
            .collect();
        // Somebody asks while they are written.
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                spans.resolve().unwrap();
                std::thread::yield_now();
            }
        });
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        done.store(true, Ordering::Release);
    });
    println!("1,000,000 spans written by 8 threads in {:.2} s", started.elapsed().as_secs_f64());
    let asked = Instant::now();
    let (table, losses) = spans.table(&[0]).unwrap();
    println!("and resolved in {:.2} s more", asked.elapsed().as_secs_f64());
    assert_eq!((losses.dropped, losses.overwritten, losses.unmatched), (0, 0, 0));
    let mut names = table.name.clone();
    names.sort_unstable();
    assert!(names.into_iter().eq(0..(THREADS * EACH) as u32));
    assert!(table.t0_ns.iter().zip(&table.t1_ns).all(|(t0_ns, t1_ns)| t0_ns <= t1_ns));
}
