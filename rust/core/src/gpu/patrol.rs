//! Walks round the GPUs of a machine: whichever is due is looked at. One thread for all, since the driver serialises.

use std::sync::{Arc, Mutex, PoisonError};

use super::calibration::Calibration;
use super::lane::{Lane, Next, State};
use crate::clock::Clock;
use crate::source::nvml::Library;
use crate::source::nvml::code::{Code, REPROBE_NS};
use crate::source::nvml::condition::{Condition, Watch};
use crate::source::nvml::device::{Device, enumerate};
use crate::source::nvml::poll::Poller;
use crate::source::nvml::probe::probe;
use crate::source::nvml::visible::{Selection, select};
use crate::units::NS_PER_S;

/// Pause between looks at a GPU's condition.
const CONDITION_NS: u64 = NS_PER_S;
/// Pause after NVML was initialised again: a driver that forgets at once must not be asked without end.
const AFTER_INIT_NS: u64 = 10_000_000;

/// Which GPUs are wanted, and what is known of them.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// `CUDA_VISIBLE_DEVICES`, or the setting `gpus` in its place; `None` for every GPU.
    pub visible: Option<String>,
    /// `CUDA_DEVICE_ORDER`.
    pub device_order: Option<String>,
    /// Gain and offset of single cards, by UUID or the begin of one.
    pub calibrations: Vec<(String, Calibration)>,
}

impl Wanted {
    fn calibration(&self, uuid: &str) -> Calibration {
        self.calibrations
            .iter()
            .find(|(of, _)| uuid.starts_with(of.as_str()))
            .map_or_else(Calibration::default, |(_, known)| *known)
    }
}

/// A GPU on the round.
#[derive(Debug)]
pub struct Card {
    /// Who it is.
    pub device: Device,
    /// Its energy. Locked by the patrol for microseconds after each look, never during one.
    pub lane: Arc<Mutex<Lane>>,
    poller: Poller,
    watch: Watch,
    due_ns: Option<u64>,
    condition_due_ns: u64,
}

/// The round.
#[derive(Debug)]
pub struct Patrol {
    library: &'static Library,
    wanted: Wanted,
    selection: Selection,
    cards: Vec<Card>,
    failed: Vec<(u32, Code)>,
    retry_ns: u64,
}

impl Patrol {
    /// Initialises NVML and looks at every GPU that is wanted. It can take seconds, and a sick driver never returns: call it on a
    /// thread that nobody waits for without a limit.
    pub fn start(library: &'static Library, clock: &dyn Clock, wanted: Wanted) -> Result<Self, Code> {
        library.init()?;
        Self::resume(library, clock, wanted)
    }

    /// The same where NVML is initialised in this process already.
    pub fn resume(library: &'static Library, clock: &dyn Clock, wanted: Wanted) -> Result<Self, Code> {
        let selection = Selection::default();
        let mut patrol = Self { library, wanted, selection, cards: Vec::new(), failed: Vec::new(), retry_ns: 0 };
        patrol.find(clock.now_ns())?;
        Ok(patrol)
    }

    /// The GPUs that answered, in NVML's order of finding.
    pub fn cards(&self) -> &[Card] {
        &self.cards
    }

    /// What the wanted list means here: CUDA's indices, slices, and whether its numbers are in doubt.
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// Index and reason of those that did not.
    pub fn failed(&self) -> &[(u32, Code)] {
        &self.failed
    }

    /// Looks at every GPU that is due. When to come back; `None` if there is nothing to come back for.
    pub fn step(&mut self, clock: &dyn Clock) -> Option<u64> {
        for place in 0..self.cards.len() {
            self.visit(place, clock);
        }
        if !self.failed.is_empty() && clock.now_ns() >= self.retry_ns {
            // What went wrong stands in `failed`; the next round tries again.
            let _ = self.find(clock.now_ns());
        }
        let retry_ns = (!self.failed.is_empty()).then_some(self.retry_ns);
        self.cards.iter().filter_map(|card| card.due_ns).chain(retry_ns).min()
    }

    fn visit(&mut self, place: usize, clock: &dyn Clock) {
        let card = &mut self.cards[place];
        if card.due_ns.is_none_or(|due_ns| clock.now_ns() < due_ns) {
            return;
        }
        let due_ns = match card.look(clock) {
            Next::LookAt(next_ns) => Some(next_ns),
            Next::Stop => None,
            Next::Initialise if self.initialise() => Some(clock.now_ns() + AFTER_INIT_NS),
            Next::Initialise => Some(clock.now_ns() + REPROBE_NS),
        };
        self.cards[place].due_ns = due_ns;
    }

    /// Makes NVML known to this process again. The GPUs' handles are asked for anew.
    fn initialise(&mut self) -> bool {
        let is_ready = self.library.init().is_ok();
        for card in &mut self.cards {
            card.renew(self.library);
        }
        is_ready
    }

    /// Adds every wanted GPU that answers and is not on the round yet.
    fn find(&mut self, now_ns: u64) -> Result<(), Code> {
        let found = enumerate(self.library)?;
        self.retry_ns = now_ns + REPROBE_NS;
        self.selection =
            select(self.wanted.visible.as_deref(), self.wanted.device_order.as_deref(), &found.identities());
        self.failed = found.failed;
        for device in found.devices {
            let is_known = self.cards.iter().any(|card| card.device.uuid == device.uuid);
            let is_wanted = self.selection.chosen.iter().any(|one| one.index == device.index as usize);
            if is_wanted && !is_known {
                self.add(device, now_ns);
            }
        }
        let chosen = &self.selection.chosen;
        self.failed.retain(|(index, _)| chosen.iter().any(|one| one.index == *index as usize));
        Ok(())
    }

    fn add(&mut self, device: Device, now_ns: u64) {
        let (index, calibration) = (device.index, self.wanted.calibration(&device.uuid));
        match Card::new(device, calibration, now_ns) {
            Ok(card) => self.cards.push(card),
            Err(code) => self.failed.push((index, code)),
        }
    }
}

impl Card {
    fn new(device: Device, calibration: Calibration, now_ns: u64) -> Result<Self, Code> {
        let offer = probe(&device)?;
        let limit_w = device.handle.limit().ok().map(|limit_mw| f64::from(limit_mw) / 1e3);
        let lane = Lane::new(offer, limit_w, calibration);
        let due_ns = (!matches!(lane.state(), State::Off(_))).then_some(now_ns);
        Ok(Self {
            poller: Poller::new(device.handle, offer),
            watch: Watch::new(device.handle),
            lane: Arc::new(Mutex::new(lane)),
            due_ns,
            condition_due_ns: now_ns + CONDITION_NS,
            device,
        })
    }

    /// Its condition when last looked at.
    pub fn condition(&self) -> Option<Condition> {
        self.lane.lock().unwrap_or_else(PoisonError::into_inner).condition().copied()
    }

    fn look(&mut self, clock: &dyn Clock) -> Next {
        let reading = self.poller.poll(clock);
        let (next, is_good) = {
            let mut lane = self.lane.lock().unwrap_or_else(PoisonError::into_inner);
            (lane.take(&reading), lane.state() == State::Good)
        };
        // After the reading, so that its calls delay no update's stamp; and not while the GPU is away.
        if is_good && reading.after_ns >= self.condition_due_ns {
            let condition = self.watch.look();
            self.lane.lock().unwrap_or_else(PoisonError::into_inner).note(condition);
            self.condition_due_ns = reading.after_ns + CONDITION_NS;
        }
        next
    }

    fn renew(&mut self, library: &'static Library) {
        if let Ok(handle) = library.device(self.device.index) {
            self.device.handle = handle;
            self.poller = Poller::new(handle, *self.poller.offer());
            self.watch = Watch::new(handle);
        }
    }
}
