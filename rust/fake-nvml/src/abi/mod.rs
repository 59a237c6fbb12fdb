//! The exported functions: NVML's names and layouts, answered from the world.
//!
//! Prototypes are facts of a public interface; the documents of NVML describe them. Struct layouts are checked by the
//! tests that load this library with NVIDIA's own Python binding.

#![allow(unsafe_code)] // a C interface: every pointer comes from the caller

mod layout;
mod power;
mod slices;
mod state;
mod system;
mod truth;

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::path::PathBuf;
use std::sync::Once;
use std::time::{Duration, Instant};

use crate::code::{INSUFFICIENT_SIZE, INVALID_ARGUMENT, NOT_SUPPORTED, SUCCESS, words};
use crate::device::Device;
use crate::world::{self, TALLY, World};

/// Waits below this are spun, since a sleep is off by more.
const SPIN_US: u64 = 200;

macro_rules! calls {
    ($($name:ident)*) => {
        /// Every counted function.
        #[allow(non_camel_case_types, clippy::enum_variant_names)]
        #[derive(Clone, Copy)]
        enum Call { $($name),* }
        /// Their names by number.
        pub const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

calls! {
    nvmlInit nvmlInit_v2 nvmlInitWithFlags nvmlShutdown
    nvmlSystemGetDriverVersion nvmlSystemGetNVMLVersion nvmlSystemGetCudaDriverVersion nvmlSystemGetCudaDriverVersion_v2
    nvmlDeviceGetCount nvmlDeviceGetCount_v2 nvmlDeviceGetHandleByIndex nvmlDeviceGetHandleByIndex_v2
    nvmlDeviceGetHandleByUUID nvmlDeviceGetHandleByPciBusId nvmlDeviceGetHandleByPciBusId_v2
    nvmlDeviceGetName nvmlDeviceGetUUID nvmlDeviceGetIndex nvmlDeviceGetMinorNumber nvmlDeviceGetPciInfo_v3
    nvmlDeviceGetArchitecture nvmlDeviceGetPowerUsage nvmlDeviceGetTotalEnergyConsumption nvmlDeviceGetFieldValues
    nvmlDeviceGetSamples nvmlDeviceGetEnforcedPowerLimit nvmlDeviceGetPowerManagementLimit
    nvmlDeviceGetPowerManagementLimitConstraints nvmlDeviceGetUtilizationRates nvmlDeviceGetMemoryInfo
    nvmlDeviceGetMemoryInfo_v2 nvmlDeviceGetTemperature nvmlDeviceGetTemperatureV nvmlDeviceGetClockInfo
    nvmlDeviceGetMaxClockInfo nvmlDeviceGetCurrentClocksThrottleReasons nvmlDeviceGetCurrentClocksEventReasons
    nvmlDeviceGetPerformanceState nvmlDeviceGetPersistenceMode nvmlDeviceGetComputeMode
    nvmlDeviceGetComputeRunningProcesses_v3 nvmlDeviceGetGraphicsRunningProcesses_v3 nvmlDeviceGetC2cModeInfoV
    nvmlDeviceGetMigMode nvmlDeviceGetMaxMigDeviceCount nvmlDeviceGetMigDeviceHandleByIndex
    nvmlDeviceGetDeviceHandleFromMigDeviceHandle nvmlDeviceIsMigDeviceHandle nvmlDeviceGetGpuInstanceId
    nvmlDeviceGetComputeInstanceId nvmlDeviceGetAttributes_v2
}

/// `nvmlDevice_t`: never followed, only told apart. The index plus one, times 4096, plus the slice plus one.
type Handle = *mut c_void;

const PER_DEVICE: usize = 4096;

fn handle_of(device: usize, slice: Option<usize>) -> Handle {
    std::ptr::without_provenance_mut((device + 1) * PER_DEVICE + slice.map_or(0, |slice| slice + 1))
}

/// The device of a handle, and its slice.
fn find(world: &'static World, handle: Handle) -> Result<(usize, &'static Device, Option<usize>), i32> {
    let (device, slice) = (handle.addr() / PER_DEVICE, (handle.addr() % PER_DEVICE).checked_sub(1));
    let index = device.checked_sub(1).ok_or(INVALID_ARGUMENT)?;
    Ok((index, world.devices.get(index).ok_or(INVALID_ARGUMENT)?, slice))
}

/// Nanoseconds of one of the kernel's clocks.
fn clock_ns(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec for the whole call.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

fn now_s(world: &World) -> f64 {
    world.seconds(clock_ns(libc::CLOCK_MONOTONIC))
}

fn note(call: Call) {
    // SAFETY: gettid takes nothing and cannot fail.
    let thread = unsafe { libc::gettid() };
    TALLY.count(call as usize, u64::try_from(thread).unwrap_or(0));
}

fn wait_us(us: u64) {
    if us >= SPIN_US {
        std::thread::sleep(Duration::from_micros(us));
    } else if us > 0 {
        let start = Instant::now();
        while start.elapsed() < Duration::from_micros(us) {
            std::hint::spin_loop();
        }
    }
}

fn code(answer: Result<(), i32>) -> i32 {
    answer.err().unwrap_or(SUCCESS)
}

/// A call on the system.
fn on_system(call: Call, body: impl FnOnce(&'static World) -> Result<(), i32>) -> i32 {
    note(call);
    code(world::current().and_then(|world| {
        wait_us(world.config.call_us);
        body(world)
    }))
}

/// A call on a device or slice, with its faults. The reading falls in the middle of the time that the call takes.
fn on_device(
    call: Call,
    handle: Handle,
    reads_power: bool,
    body: impl FnOnce(usize, &'static Device, Option<usize>, f64) -> Result<(), i32>,
) -> i32 {
    note(call);
    code(world::current().and_then(|world| {
        let (index, device, slice) = find(world, handle)?;
        let (slower_us, gate) = device.gate(now_s(world), reads_power);
        let half_us = world.config.call_us.midpoint(slower_us);
        wait_us(half_us);
        let answer = gate.and_then(|()| body(index, device, slice, now_s(world)));
        wait_us(half_us);
        answer
    }))
}

/// The same for what only a whole GPU can answer.
fn on_gpu(
    call: Call,
    handle: Handle,
    reads_power: bool,
    body: impl FnOnce(&'static Device, f64) -> Result<(), i32>,
) -> i32 {
    on_device(call, handle, reads_power, |_, device, slice, t_s| match slice {
        None => body(device, t_s),
        Some(_) => Err(NOT_SUPPORTED),
    })
}

/// Writes an answer.
///
/// # Safety
/// `out` is null or valid for one write of `T`.
unsafe fn put<T>(out: *mut T, value: T) -> Result<(), i32> {
    if out.is_null() {
        return Err(INVALID_ARGUMENT);
    }
    // SAFETY: not null, and the caller vouches for the rest.
    unsafe { out.write(value) };
    Ok(())
}

/// Writes a text with its final zero.
///
/// # Safety
/// `out` is null or valid for writes of `length` bytes.
unsafe fn put_text(out: *mut c_char, length: c_uint, text: &str) -> Result<(), i32> {
    if out.is_null() {
        return Err(INVALID_ARGUMENT);
    }
    if text.len() >= length as usize {
        return Err(INSUFFICIENT_SIZE);
    }
    // SAFETY: the text and its zero are at most `length` bytes, for which the caller vouches.
    unsafe {
        std::ptr::copy_nonoverlapping(text.as_ptr().cast(), out, text.len());
        out.add(text.len()).write(0);
    }
    Ok(())
}

/// Reads a text argument.
///
/// # Safety
/// `text` is null or a C string.
unsafe fn take_text(text: *const c_char) -> Result<&'static str, i32> {
    if text.is_null() {
        return Err(INVALID_ARGUMENT);
    }
    // SAFETY: not null, and the caller vouches for a C string that outlives the call.
    unsafe { CStr::from_ptr(text) }.to_str().map_err(|_| INVALID_ARGUMENT)
}

/// The configuration beside the library: its own path with `.json` added.
fn beside() -> Option<PathBuf> {
    let mut found = libc::Dl_info {
        dli_fname: std::ptr::null(),
        dli_fbase: std::ptr::null_mut(),
        dli_sname: std::ptr::null(),
        dli_saddr: std::ptr::null_mut(),
    };
    // SAFETY: dladdr looks an address up and fills `found`, which is valid for the whole call.
    let known = unsafe { libc::dladdr(nvmlShutdown as *const c_void, &raw mut found) };
    if known == 0 || found.dli_fname.is_null() {
        return None;
    }
    // SAFETY: dladdr returned the name of a loaded object: a C string that lives as long as this library.
    let name = unsafe { CStr::from_ptr(found.dli_fname) };
    Some(PathBuf::from(format!("{}.json", name.to_str().ok()?)))
}

/// A program that ends without its last shutdown still leaves its counts.
extern "C" fn at_exit() {
    if world::current().is_ok() {
        world::write_counts();
    }
}

fn init(call: Call) -> c_int {
    static AT_EXIT: Once = Once::new();
    AT_EXIT.call_once(|| {
        // SAFETY: `at_exit` lives as long as this library, whose handlers run when it is unloaded or the process ends.
        unsafe { libc::atexit(at_exit) };
    });
    let answer = world::init(beside(), clock_ns(libc::CLOCK_MONOTONIC));
    note(call);
    answer
}

/// NVML: initialises.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlInit() -> c_int {
    init(Call::nvmlInit)
}

/// NVML: initialises.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlInit_v2() -> c_int {
    init(Call::nvmlInit_v2)
}

/// NVML: initialises, whatever the flags.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlInitWithFlags(_flags: c_uint) -> c_int {
    init(Call::nvmlInitWithFlags)
}

/// NVML: undoes one init.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlShutdown() -> c_int {
    note(Call::nvmlShutdown);
    world::shutdown()
}

/// NVML: a code in words.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlErrorString(code: c_int) -> *const c_char {
    words(code).as_ptr()
}

/// Exports functions: each body is a closure that gets the function's number first.
macro_rules! exports {
    ($($(#[$doc:meta])* fn $name:ident($($arg:ident: $kind:ty),*) $body:expr;)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Safety
            /// As NVML asks: pointers are null or valid for what the function writes or reads through them.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $name($($arg: $kind),*) -> c_int {
                let answer: fn(Call, $($kind),*) -> c_int = $body;
                answer(Call::$name, $($arg),*)
            }
        )*
    };
}
use exports;

fn number(index: usize) -> c_uint {
    c_uint::try_from(index).unwrap_or(c_uint::MAX)
}

fn uuid_of(device: &Device, index: usize, slice: Option<usize>) -> String {
    let Some(slice) = slice else { return device.uuid.clone() };
    let configured = device.config.mig.as_ref().and_then(|slices| slices.get(slice)?.uuid.clone());
    configured.unwrap_or_else(|| format!("MIG-fa5e0000-0000-4000-8000-{index:06x}{slice:06x}"))
}
