//! The battery of a laptop: the whole computer's power, while nothing else feeds it.

use crate::domain::{Kind, Place, Shape};
use crate::units::{MICRO, NS_PER_S, Scale};

use super::file::{self, Form, Spec, UNTRIED};
use super::root::Root;
use super::{Discovery, Finding};

const NAME: &str = "battery";
const CLASS: &str = "/sys/class/power_supply";
/// Firmware is asked once a second at most; most batteries refresh their figures every few seconds.
const PAUSE_NS: u64 = NS_PER_S;
const LAPTOP_UW: u64 = 500 * MICRO;
/// Fuel gauges, without better knowledge.
const REL: f64 = 0.05;
/// Microamperes times microvolts are picowatts.
const PW_PER_UW: u64 = 1_000_000;

/// Looks at every battery of a computer (others are in mice and phones: `scope` is then `Device`).
pub fn discover(root: &Root, found: &mut Discovery) {
    for name in root.names(CLASS) {
        let path = format!("{CLASS}/{name}");
        let text = |name: &str| root.text(&format!("{path}/{name}")).unwrap_or_default();
        if text("type") == "Battery" && text("scope") != "Device" {
            let number = name.trim_start_matches(|letter: char| !letter.is_ascii_digit()).parse().unwrap_or(0);
            file::add(spec(root, number, &path), found);
        }
    }
}

fn spec(root: &Root, number: u32, path: &str) -> Result<Spec, Finding> {
    let open = |name: &str| file::open(root, NAME, &format!("{path}/{name}"));
    let power = match open("power_now") {
        Ok(file) => Form::Gauges(vec![file], vec![]),
        Err(_) => Form::Product(open("current_now")?, open("voltage_now")?, PW_PER_UW),
    };
    Ok(Spec {
        source: NAME,
        place: Place::of_package(Kind::Battery, number),
        form: Form::While(open("status")?, b"Discharging", Box::new(power)),
        shape: Shape::Point,
        scale: Scale::NANOJOULE,
        pause_ns: PAUSE_NS,
        tick_ns: PAUSE_NS,
        max_power_uw: LAPTOP_UW,
        sensor_rel: REL,
        detail: format!("{} while discharging ({UNTRIED})", root.path(path).display()),
    })
}
