//! What the NVML reader sees on this machine, as JSON: for comparing it with another reader.
//!
//! `ECO2AI_FAST_NVML=libnvidia-ml.so.1 cargo run -p eco2ai-fast-core --example nvml_snapshot`

#![allow(clippy::print_stdout)] // printing is its purpose

use std::fmt::Display;

use eco2ai_fast_core::clock::Monotonic;
use eco2ai_fast_core::source::nvml::Library;
use eco2ai_fast_core::source::nvml::code::Code;
use eco2ai_fast_core::source::nvml::condition::Watch;
use eco2ai_fast_core::source::nvml::device::{Device, enumerate};
use eco2ai_fast_core::source::nvml::poll::Poller;
use eco2ai_fast_core::source::nvml::probe::probe;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let library = Library::open(std::env::var_os("ECO2AI_FAST_NVML").as_deref())?;
    library.init().map_err(|code| code.to_string())?;
    let found = enumerate(library).map_err(|code| code.to_string())?;
    let devices: Vec<String> = found.devices.iter().map(device).collect();
    let driver = library.driver_version().map_err(|code| code.to_string())?;
    println!("{{\"driver\": \"{driver}\", \"devices\": [{}]}}", devices.join(", "));
    Ok(())
}

/// One device: a number for what it answers, `null` with the code beside it for what it does not.
fn device(device: &Device) -> String {
    let handle = device.handle;
    let mut cells = vec![
        format!("\"index\": {}", device.index),
        format!("\"uuid\": \"{}\"", device.uuid),
        format!("\"name\": \"{}\"", device.name),
        format!("\"pci\": \"{}\"", device.pci),
        format!(
            "\"slices\": [{}]",
            device.slices.iter().map(|uuid| format!("\"{uuid}\"")).collect::<Vec<_>>().join(", ")
        ),
        cell("architecture", handle.architecture()),
        cell("energy_mj", handle.energy()),
        cell("power_mw", handle.power()),
        cell("mig", handle.mig_mode().map(u8::from)),
    ];
    cells.extend(readings(device));
    format!("{{{}}}", cells.join(", "))
}

fn readings(device: &Device) -> Vec<String> {
    let Ok(offer) = probe(device) else { return Vec::new() };
    let reading = Poller::new(device.handle, offer).poll(&Monotonic);
    let condition = Watch::new(device.handle).look();
    vec![
        cell("field_energy_mj", reading.energy_mj),
        cell("instant_mw", reading.instant_mw),
        cell("average_mw", reading.average_mw),
        cell("memory_mw", reading.memory_mw),
        cell("module_mw", reading.module_mw),
        cell("module_mj", reading.module_mj),
        cell("gpu_percent", condition.utilisation_percent.map(|[gpu, _]| gpu)),
        cell("memory_percent", condition.utilisation_percent.map(|[_, memory]| memory)),
        cell("memory_used_bytes", condition.memory_used_bytes),
        cell("temperature_c", condition.temperature_c),
        cell("sm_mhz", condition.sm_mhz),
        cell("memory_mhz", condition.memory_mhz),
        cell("limit_mw", condition.limit_mw),
        cell("throttle_reasons", condition.throttle_reasons),
    ]
}

fn cell(name: &str, answer: Result<impl Display, Code>) -> String {
    match answer {
        Ok(value) => format!("\"{name}\": {value}"),
        Err(code) => format!("\"{name}\": {{\"code\": {}}}", code.0),
    }
}
