//! The machine that this process sees: its devices, its clock, and whether NVML was initialised.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use crate::code::{DRIVER_NOT_LOADED, UNINITIALIZED};
use crate::config::{self, Config};
use crate::device::Device;
use crate::tally::Tally;

/// Different configurations that one process can go through.
const WORLDS: usize = 64;
/// Name of the environment variable with the configuration or its path.
const SETTING: &str = "ECO2AI_FAST_FAKE_NVML";

static MADE: [OnceLock<(String, World)>; WORLDS] = [const { OnceLock::new() }; WORLDS];
/// Index of the world in use, plus one; 0 before the first init.
static CURRENT: AtomicUsize = AtomicUsize::new(0);
/// Inits without their shutdown, and the process they belong to: a child of a fork starts without.
static INITS: AtomicU32 = AtomicU32::new(0);
static OWNER: AtomicU32 = AtomicU32::new(0);

/// All calls of this process.
pub static TALLY: Tally = Tally::new();

/// A machine.
#[derive(Debug)]
pub struct World {
    /// As configured.
    pub config: Config,
    /// The GPUs.
    pub devices: Vec<Device>,
    /// `CLOCK_MONOTONIC` at time zero.
    pub epoch_ns: u64,
}

impl World {
    /// A machine from JSON text, whose epoch is `now_ns` unless the text says otherwise.
    pub fn new(text: &str, now_ns: u64) -> Result<Self, String> {
        let mut config = config::parse(text)?;
        let settings = std::mem::take(&mut config.devices);
        let device = |(index, settings)| Device::new(settings, index);
        let devices = settings.into_iter().enumerate().map(device).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { epoch_ns: config.epoch_ns.unwrap_or(now_ns), devices, config })
    }

    /// An instant of `CLOCK_MONOTONIC` in seconds since the epoch; negative before.
    pub fn seconds(&self, t_ns: u64) -> f64 {
        if t_ns >= self.epoch_ns { (t_ns - self.epoch_ns) as f64 / 1e9 } else { -((self.epoch_ns - t_ns) as f64 / 1e9) }
    }
}

/// The machine in use, for a process that has initialised.
pub fn current() -> Result<&'static World, i32> {
    let initialised = OWNER.load(Ordering::Acquire) == std::process::id() && INITS.load(Ordering::Acquire) > 0;
    if initialised { latest().ok_or(UNINITIALIZED) } else { Err(UNINITIALIZED) }
}

/// The machine in use, or the last one that was.
pub fn latest() -> Option<&'static World> {
    let place = CURRENT.load(Ordering::Acquire).checked_sub(1)?;
    MADE[place].get().map(|(_, world)| world)
}

/// Initialises; what it costs and returns is configured. `beside` is the file beside the library.
pub fn init(beside: Option<PathBuf>, now_ns: u64) -> i32 {
    adopt();
    let world = match enter(beside, now_ns) {
        Ok(world) => world,
        Err(problem) => {
            complain(&problem);
            return DRIVER_NOT_LOADED;
        }
    };
    let settings = &world.config.init;
    std::thread::sleep(std::time::Duration::from_millis(settings.delay_ms));
    if settings.hangs {
        hang();
    }
    if settings.code == 0 {
        INITS.fetch_add(1, Ordering::AcqRel);
    }
    settings.code
}

/// What some drivers do on some cards: nothing, for ever.
fn hang() -> ! {
    loop {
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
}

/// Undoes one init; at the last one the counts are written.
pub fn shutdown() -> i32 {
    if let Err(code) = current() {
        return code;
    }
    if INITS.fetch_sub(1, Ordering::AcqRel) == 1 {
        write_counts();
    }
    0
}

/// Writes the counts where the configuration wants them.
pub fn write_counts() {
    let Some(file) = latest().and_then(|world| world.config.counts_file.as_ref()) else { return };
    let path = file.replace("{pid}", &std::process::id().to_string());
    if let Err(error) = std::fs::write(&path, TALLY.json(crate::abi::NAMES)) {
        complain(&format!("cannot write the counts to {path}: {error}"));
    }
}

/// Makes a forked child's state its own: no init yet, nothing counted.
fn adopt() {
    let own = std::process::id();
    let before = OWNER.swap(own, Ordering::AcqRel);
    if before != own && before != 0 {
        INITS.store(0, Ordering::Release);
        TALLY.clear();
    }
}

/// Finds the world of the configuration as it is now, or makes it.
fn enter(beside: Option<PathBuf>, now_ns: u64) -> Result<&'static World, String> {
    let text = text(beside)?;
    for (place, slot) in (1..).zip(&MADE) {
        if slot.get().is_none() {
            let made = World::new(&text, now_ns)?;
            slot.get_or_init(|| (text.clone(), made));
        }
        let Some((known, world)) = slot.get() else { continue };
        if *known == text {
            CURRENT.store(place, Ordering::Release);
            return Ok(world);
        }
    }
    Err(format!("more than {WORLDS} configurations in one process"))
}

fn text(beside: Option<PathBuf>) -> Result<String, String> {
    let setting = std::env::var(SETTING).unwrap_or_default();
    if setting.starts_with('{') {
        return Ok(setting);
    }
    let named = (!setting.is_empty()).then(|| PathBuf::from(&setting));
    match named.or_else(|| beside.filter(|path| path.exists())) {
        Some(path) => {
            std::fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))
        }
        None => Ok("{}".to_owned()),
    }
}

/// A stand-in that is misconfigured must say so where its user looks.
#[allow(clippy::print_stderr)]
fn complain(problem: &str) {
    eprintln!("fake libnvidia-ml.so.1: {problem}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_runs_from_the_epoch_in_both_directions() {
        let world = World::new(r#"{"epoch_ns":5000000000}"#, 1).unwrap();
        assert!((world.seconds(6_500_000_000) - 1.5).abs() < 1e-12);
        assert!((world.seconds(4_000_000_000) + 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_wrong_figure_is_refused_in_words() {
        let text = r#"{"devices":[{"wave":{"shape":"points","points":[]}}]}"#;
        assert!(World::new(text, 0).unwrap_err().contains("at least one point"));
    }
}
