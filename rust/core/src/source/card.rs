//! Graphics cards that the kernel's own drivers measure: Intel's `i915` and `xe`, AMD's `amdgpu`.

use crate::domain::{Kind, Place, Shape};
use crate::units::{MICRO, NS_PER_S, Scale};

use super::file::{self, Form, Spec, UNTRIED};
use super::root::Root;
use super::{Availability, Discovery, Finding};

const NAME: &str = "drm";
const CLASS: &str = "/sys/class/drm";
/// A reading may wake a sleeping card or its controller: ten a second at most.
const PAUSE_NS: u64 = NS_PER_S / 10;
const CARD_UW: u64 = 1_500 * MICRO;
/// Card sensors, without better knowledge.
const REL: f64 = 0.05;
/// Unit of the energy counter in `gpu_metrics` from v1.4 on: 2^-16 J (`kgd_pp_interface.h`).
const METRICS_EXPONENT: u32 = 16;
/// `gpu_metrics` (format, content) and where its energy counter stands (`kgd_pp_interface.h`).
const LAYOUTS: [((u8, u8), u64); 3] = [((1, 4), 24), ((1, 5), 88), ((1, 6), 88)];

/// Looks at every card.
pub fn discover(root: &Root, found: &mut Discovery) {
    for name in root.names(CLASS) {
        let Some(number) = name.strip_prefix("card").and_then(|number| number.parse().ok()) else { continue };
        let device = format!("{CLASS}/{name}/device");
        for monitor in root.names(&format!("{device}/hwmon")) {
            let path = format!("{device}/hwmon/{monitor}");
            match root.text(&format!("{path}/name")).as_deref() {
                Ok("i915" | "xe") => intel(root, number, &path, found),
                Ok("amdgpu") => amd(root, number, &device, &path, found),
                _ => {}
            }
        }
    }
}

/// `energy1_input` is the card on both drivers, `energy2_input` of xe the chip alone; integrated graphics have none and
/// are in their package.
fn intel(root: &Root, card: u32, path: &str, found: &mut Discovery) {
    let file = format!("{path}/energy1_input");
    if !root.path(&file).exists() {
        let detail = format!("{}: no energy1_input", root.path(path).display());
        found.findings.push(Finding::of(NAME, Availability::Absent, detail));
        return;
    }
    file::add(
        file::open(root, NAME, &file).map(|file| spec(root, card, Form::Counter(file), Scale::MICROJOULE, path)),
        found,
    );
}

/// The counter of `gpu_metrics` where its layout is known, else the gauge of hwmon.
fn amd(root: &Root, card: u32, device: &str, path: &str, found: &mut Discovery) {
    let table = format!("{device}/gpu_metrics");
    let header = match header(root, &table) {
        Ok(header) => header,
        Err(finding) => return found.findings.push(finding),
    };
    let layout = (header[2], header[3]);
    let refusal = |why: &str| {
        let detail = format!("{}: v{}.{}, {why}", root.path(&table).display(), layout.0, layout.1);
        Finding::of(NAME, Availability::NotSupported, detail)
    };
    match (layout, LAYOUTS.iter().find(|(known, _)| *known == layout)) {
        (_, Some((_, offset))) => {
            let scale = Scale::power_of_two(METRICS_EXPONENT).unwrap_or(Scale::MICROJOULE);
            let form = |file| spec(root, card, Form::Binary(file, header, *offset), scale, &table);
            file::add(file::open(root, NAME, &table).map(form), found);
        }
        ((1, 0..=3), None) => {
            found.findings.push(refusal("whose energy has no stated unit: the power of hwmon is taken"));
            amd_power(root, card, path, found);
        }
        ((2 | 3, _), None) => found.findings.push(refusal("a processor with graphics: its power is the package's")),
        (_, None) => found.findings.push(refusal("a layout that is not known here")),
    }
}

/// Size, format and content of the table.
fn header(root: &Root, table: &str) -> Result<[u8; 4], Finding> {
    use std::os::unix::fs::FileExt;
    let mut header = [0; 4];
    let unread = |error: std::io::Error| {
        let detail =
            format!("{}: {error}: without it a processor cannot be told from a card", root.path(table).display());
        Finding::of(NAME, Availability::from_io(&error), detail)
    };
    root.open(table).and_then(|file| file.read_exact_at(&mut header, 0)).map_err(unread)?;
    Ok(header)
}

fn amd_power(root: &Root, card: u32, path: &str, found: &mut Discovery) {
    let inputs = [("power1_average", Shape::Boxcar), ("power1_input", Shape::Point)];
    let Some((input, shape)) = inputs.into_iter().find(|(name, _)| root.path(&format!("{path}/{name}")).exists())
    else {
        let detail = format!("{}: neither power1_average nor power1_input", root.path(path).display());
        found.findings.push(Finding::of(NAME, Availability::Absent, detail));
        return;
    };
    let gauge = |file| Spec { shape, ..spec(root, card, Form::Gauges(vec![file], vec![]), Scale::NANOJOULE, path) };
    file::add(file::open(root, NAME, &format!("{path}/{input}")).map(gauge), found);
}

fn spec(root: &Root, card: u32, form: Form, scale: Scale, path: &str) -> Spec {
    Spec {
        source: NAME,
        place: Place::of_package(Kind::Card, card),
        form,
        shape: Shape::Point,
        scale,
        pause_ns: PAUSE_NS,
        tick_ns: PAUSE_NS,
        max_power_uw: CARD_UW,
        sensor_rel: REL,
        detail: format!("{} ({UNTRIED})", root.path(path).display()),
    }
}
