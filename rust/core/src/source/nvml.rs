//! NVIDIA's management library, found at run time: its functions as safe Rust.
//!
//! Why a table of our own: the soname with `.1` is what drivers install, a field has a scope, nothing is allocated per
//! call, and a function that an old driver lacks is absent alone. Prototypes and layouts are facts of NVML's public
//! interface (nvml.h 13.3); those of fields and structs are held against nvidia-ml-py by the tests.
//!
//! The library is loaded once and never unloaded: a driver that hangs in its init still runs code of it.

#![allow(unsafe_code)] // one of the few files that may: calls into a C library

use std::ffi::{CStr, OsStr, c_char, c_int, c_uint, c_void};
use std::sync::atomic::{AtomicU64, Ordering};

use self::code::Code;

pub mod code;
pub mod condition;
pub mod device;
pub mod poll;
pub mod presence;
pub mod probe;
pub mod visible;

/// What a driver installs. The name without `.1` exists only with development packages.
const SONAME: &str = "libnvidia-ml.so.1";
/// `NVML_DEVICE_UUID_V2_BUFFER_SIZE`, the largest of the text buffers asked for here (name 96, version 80).
const TEXT_BYTES: c_uint = 96;
/// `NVML_STRUCT_VERSION(Memory, 2)`: size and version.
const MEMORY_V2: c_uint = 0x0200_0028;
/// `NVML_TEMPERATURE_GPU`.
const TEMPERATURE_GPU: c_uint = 0;

type RawDevice = *mut c_void;

/// `nvmlFieldValue_t`: one reading of a batch.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct FieldValue {
    field: c_uint,
    scope: c_uint,
    timestamp_us: i64,
    latency_us: i64,
    kind: c_uint,
    code: c_int,
    value: u64,
}

const _: () = assert!(size_of::<FieldValue>() == 40);

/// `nvmlValueType_t`: an unsigned int, which leaves the upper half of the value as it was.
const KIND_UNSIGNED_INT: c_uint = 1;

impl FieldValue {
    /// A question for this field and scope.
    pub fn ask(field: u32, scope: u32) -> Self {
        Self { field, scope, code: Code::NOT_SUPPORTED.0, ..Self::default() }
    }

    /// The answer, once read.
    pub fn answer(&self) -> Result<u64, Code> {
        Code(self.code).ok()?;
        // Both halves of the union start at its first byte (little-endian hosts are the only ones with a driver).
        Ok(if self.kind == KIND_UNSIGNED_INT { self.value & u64::from(u32::MAX) } else { self.value })
    }
}

/// `nvmlPciInfo_t` of version 3.
#[repr(C)]
struct PciInfo {
    bus_id_legacy: [u8; 16],
    numbers: [c_uint; 5],
    bus_id: [u8; 32],
}

/// `nvmlMemory_v2_t`.
#[repr(C)]
struct MemoryV2 {
    version: c_uint,
    total: u64,
    reserved: u64,
    free: u64,
    used: u64,
}

macro_rules! table {
    ($($field:ident: $symbol:literal ($($arg:ty),*);)*) => {
        /// The functions that this driver has.
        #[derive(Debug)]
        struct Table { $($field: Option<unsafe extern "C" fn($($arg),*) -> c_int>),* }

        impl Table {
            fn of(library: &libloading::Library) -> Self {
                // SAFETY: each symbol is taken with the prototype that NVML documents for that name, and the caller
                // keeps the library loaded for as long as the table is used (it leaks it).
                Self { $($field: unsafe { library.get(concat!($symbol, "\0").as_bytes()) }.ok().map(|symbol| *symbol)),* }
            }
        }
    };
}

table! {
    init_with_flags: "nvmlInitWithFlags" (c_uint);
    init_v2: "nvmlInit_v2" ();
    shutdown: "nvmlShutdown" ();
    driver_version: "nvmlSystemGetDriverVersion" (*mut c_char, c_uint);
    count: "nvmlDeviceGetCount_v2" (*mut c_uint);
    handle_by_index: "nvmlDeviceGetHandleByIndex_v2" (c_uint, *mut RawDevice);
    name: "nvmlDeviceGetName" (RawDevice, *mut c_char, c_uint);
    uuid: "nvmlDeviceGetUUID" (RawDevice, *mut c_char, c_uint);
    pci: "nvmlDeviceGetPciInfo_v3" (RawDevice, *mut PciInfo);
    architecture: "nvmlDeviceGetArchitecture" (RawDevice, *mut c_uint);
    energy: "nvmlDeviceGetTotalEnergyConsumption" (RawDevice, *mut u64);
    power: "nvmlDeviceGetPowerUsage" (RawDevice, *mut c_uint);
    fields: "nvmlDeviceGetFieldValues" (RawDevice, c_int, *mut FieldValue);
    limit: "nvmlDeviceGetEnforcedPowerLimit" (RawDevice, *mut c_uint);
    utilisation: "nvmlDeviceGetUtilizationRates" (RawDevice, *mut [c_uint; 2]);
    memory: "nvmlDeviceGetMemoryInfo" (RawDevice, *mut [u64; 3]);
    memory_v2: "nvmlDeviceGetMemoryInfo_v2" (RawDevice, *mut MemoryV2);
    temperature: "nvmlDeviceGetTemperature" (RawDevice, c_uint, *mut c_uint);
    clock: "nvmlDeviceGetClockInfo" (RawDevice, c_uint, *mut c_uint);
    event_reasons: "nvmlDeviceGetCurrentClocksEventReasons" (RawDevice, *mut u64);
    throttle_reasons: "nvmlDeviceGetCurrentClocksThrottleReasons" (RawDevice, *mut u64);
    mig_mode: "nvmlDeviceGetMigMode" (RawDevice, *mut c_uint, *mut c_uint);
    mig_count: "nvmlDeviceGetMaxMigDeviceCount" (RawDevice, *mut c_uint);
    mig_handle: "nvmlDeviceGetMigDeviceHandleByIndex" (RawDevice, c_uint, *mut RawDevice);
}

/// Why there is no library to talk to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The loader found none: a machine without an NVIDIA driver, which is no error for most.
    #[error("no NVIDIA library: {0}")]
    Missing(String),
    /// A library was found that has no `nvmlInit`.
    #[error(
        "{0} is no NVML library: it has neither nvmlInitWithFlags nor nvmlInit_v2; set ECO2AI_FAST_NVML to the right one"
    )]
    Stranger(String),
}

/// A loaded NVML. It lives as long as the process.
#[derive(Debug)]
pub struct Library {
    name: String,
    table: Table,
    calls: AtomicU64,
}

impl Library {
    /// Loads the driver's library, or the one at `path` (the setting `ECO2AI_FAST_NVML`). Calls nothing in it yet.
    pub fn open(path: Option<&OsStr>) -> Result<&'static Self, OpenError> {
        let name = path.unwrap_or(OsStr::new(SONAME));
        // SAFETY: loading runs the initialisers of the library that the user named or the driver installed; NVML's and
        // the fake's have no preconditions.
        let library =
            unsafe { libloading::Library::new(name) }.map_err(|error| OpenError::Missing(error.to_string()))?;
        let table = Table::of(&library);
        let name = name.to_string_lossy().into_owned();
        if table.init_with_flags.is_none() && table.init_v2.is_none() {
            return Err(OpenError::Stranger(name));
        }
        std::mem::forget(library);
        Ok(Box::leak(Box::new(Self { name, table, calls: AtomicU64::new(0) })))
    }

    /// The path or name it was loaded by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Calls made through it by this process so far.
    pub fn calls(&self) -> u64 {
        // Relaxed: a count that orders nothing.
        self.calls.load(Ordering::Relaxed)
    }

    /// Initialises NVML on the calling thread. It can take seconds (driver load), and some drivers never return: call
    /// it where nobody waits.
    pub fn init(&self) -> Result<(), Code> {
        match (self.table.init_with_flags, self.table.init_v2) {
            // SAFETY: the prototype is NVML's; 0 is "no flags".
            (Some(init), _) => self.call(|| unsafe { init(0) }),
            // SAFETY: the prototype is NVML's.
            (None, Some(init)) => self.call(|| unsafe { init() }),
            (None, None) => Err(Code::FUNCTION_NOT_FOUND),
        }
    }

    /// Undoes one init.
    pub fn shutdown(&self) -> Result<(), Code> {
        let shutdown = self.table.shutdown.ok_or(Code::FUNCTION_NOT_FOUND)?;
        // SAFETY: the prototype is NVML's.
        self.call(|| unsafe { shutdown() })
    }

    /// The driver's version.
    pub fn driver_version(&self) -> Result<String, Code> {
        let function = self.table.driver_version.ok_or(Code::FUNCTION_NOT_FOUND)?;
        // SAFETY: text() hands a buffer and its length.
        self.text(|out, length| unsafe { function(out, length) })
    }

    /// How many GPUs.
    pub fn count(&self) -> Result<u32, Code> {
        let function = self.table.count.ok_or(Code::FUNCTION_NOT_FOUND)?;
        // SAFETY: get() hands a valid place for the answer.
        self.get(|out| unsafe { function(out) })
    }

    /// The GPU at a place in NVML's order.
    pub fn device(&'static self, index: u32) -> Result<Handle, Code> {
        let function = self.table.handle_by_index.ok_or(Code::FUNCTION_NOT_FOUND)?;
        let mut raw: RawDevice = std::ptr::null_mut();
        // SAFETY: `raw` is a valid place for the answer.
        self.call(|| unsafe { function(index, &raw mut raw) })?;
        Ok(Handle { library: self, raw })
    }

    fn call(&self, function: impl FnOnce() -> c_int) -> Result<(), Code> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        Code(function()).ok()
    }

    fn get<T: Default>(&self, function: impl FnOnce(*mut T) -> c_int) -> Result<T, Code> {
        let mut value = T::default();
        self.call(|| function(&raw mut value))?;
        Ok(value)
    }

    fn text(&self, function: impl FnOnce(*mut c_char, c_uint) -> c_int) -> Result<String, Code> {
        let mut bytes = [0_u8; TEXT_BYTES as usize];
        self.call(|| function(bytes.as_mut_ptr().cast(), TEXT_BYTES))?;
        Ok(until_zero(&bytes))
    }
}

fn until_zero(bytes: &[u8]) -> String {
    CStr::from_bytes_until_nul(bytes).map_or_else(|_| String::new(), |text| text.to_string_lossy().into_owned())
}

/// A GPU or slice of a library. After a shutdown NVML refuses it in words, and a later init makes it good again.
#[derive(Debug, Clone, Copy)]
pub struct Handle {
    library: &'static Library,
    raw: RawDevice,
}

// SAFETY: the pointer is never followed here, only handed back to NVML, which documents itself as thread-safe.
unsafe impl Send for Handle {}
// SAFETY: as for Send.
unsafe impl Sync for Handle {}

macro_rules! getters {
    ($($(#[$doc:meta])* $name:ident -> $kind:ty;)*) => {
        $(
            $(#[$doc])*
            pub fn $name(&self) -> Result<$kind, Code> {
                let function = self.library.table.$name.ok_or(Code::FUNCTION_NOT_FOUND)?;
                // SAFETY: `raw` came from this library, and get() hands a valid place for the answer.
                self.library.get(|out| unsafe { function(self.raw, out) })
            }
        )*
    };
}

impl Handle {
    getters! {
        /// `nvmlDeviceArchitecture_t`.
        architecture -> u32;
        /// Energy since the driver was loaded, in millijoules.
        energy -> u64;
        /// Power in milliwatts: a mean of the last second from Ampere (without GA100) on, instant before.
        power -> u32;
        /// Enforced power limit in milliwatts.
        limit -> u32;
        /// Per cent of time with a kernel running, and with memory in use.
        utilisation -> [u32; 2];
        /// Most slices that the GPU can be cut into; 0 without MIG.
        mig_count -> u32;
    }

    /// The library it belongs to.
    pub fn library(&self) -> &'static Library {
        self.library
    }

    /// The product name.
    pub fn name(&self) -> Result<String, Code> {
        let function = self.library.table.name.ok_or(Code::FUNCTION_NOT_FOUND)?;
        // SAFETY: `raw` came from this library, and text() hands a buffer and its length.
        self.library.text(|out, length| unsafe { function(self.raw, out, length) })
    }

    /// `GPU-...` or `MIG-...`.
    pub fn uuid(&self) -> Result<String, Code> {
        let function = self.library.table.uuid.ok_or(Code::FUNCTION_NOT_FOUND)?;
        // SAFETY: `raw` came from this library, and text() hands a buffer and its length.
        self.library.text(|out, length| unsafe { function(self.raw, out, length) })
    }

    /// The PCI address, `00000000:01:00.0`.
    pub fn pci(&self) -> Result<String, Code> {
        let function = self.library.table.pci.ok_or(Code::FUNCTION_NOT_FOUND)?;
        let mut info = PciInfo { bus_id_legacy: [0; 16], numbers: [0; 5], bus_id: [0; 32] };
        // SAFETY: `raw` came from this library, and `info` has the layout of version 3.
        self.library.call(|| unsafe { function(self.raw, &raw mut info) })?;
        Ok(until_zero(&info.bus_id))
    }

    /// Fills a batch of fields in one call. Each has a code of its own besides.
    pub fn fields(&self, batch: &mut [FieldValue]) -> Result<(), Code> {
        let function = self.library.table.fields.ok_or(Code::FUNCTION_NOT_FOUND)?;
        let length = c_int::try_from(batch.len()).map_err(|_| Code::INVALID_ARGUMENT)?;
        // SAFETY: `raw` came from this library, and `batch` holds `length` values of NVML's layout.
        self.library.call(|| unsafe { function(self.raw, length, batch.as_mut_ptr()) })
    }

    /// Used memory in bytes: without what the driver reserves where it tells that apart.
    pub fn memory_used(&self) -> Result<u64, Code> {
        if let Some(function) = self.library.table.memory_v2 {
            let mut memory = MemoryV2 { version: MEMORY_V2, total: 0, reserved: 0, free: 0, used: 0 };
            // SAFETY: `raw` came from this library, and `memory` has the layout that its version names.
            if self.library.call(|| unsafe { function(self.raw, &raw mut memory) }).is_ok() {
                return Ok(memory.used);
            }
        }
        let function = self.library.table.memory.ok_or(Code::FUNCTION_NOT_FOUND)?;
        // SAFETY: `raw` came from this library, and get() hands a valid place for total, free and used.
        self.library.get(|out| unsafe { function(self.raw, out) }).map(|[_, _, used]| used)
    }

    /// Temperature of the chip in degrees Celsius.
    pub fn temperature(&self) -> Result<u32, Code> {
        let function = self.library.table.temperature.ok_or(Code::FUNCTION_NOT_FOUND)?;
        // SAFETY: `raw` came from this library, and get() hands a valid place for the answer.
        self.library.get(|out| unsafe { function(self.raw, TEMPERATURE_GPU, out) })
    }

    /// A clock in megahertz: 1 multiprocessors, 2 memory (`nvmlClockType_t`).
    pub fn clock(&self, kind: u32) -> Result<u32, Code> {
        let function = self.library.table.clock.ok_or(Code::FUNCTION_NOT_FOUND)?;
        // SAFETY: `raw` came from this library, and get() hands a valid place for the answer.
        self.library.get(|out| unsafe { function(self.raw, kind, out) })
    }

    /// Why clocks are below their maximum, as bits; under its newer name where the driver has that.
    pub fn throttle_reasons(&self) -> Result<u64, Code> {
        let table = &self.library.table;
        let function = table.event_reasons.or(table.throttle_reasons).ok_or(Code::FUNCTION_NOT_FOUND)?;
        // SAFETY: `raw` came from this library, and get() hands a valid place for the answer.
        self.library.get(|out| unsafe { function(self.raw, out) })
    }

    /// Whether the GPU is cut into slices now.
    pub fn mig_mode(&self) -> Result<bool, Code> {
        let function = self.library.table.mig_mode.ok_or(Code::FUNCTION_NOT_FOUND)?;
        let (mut current, mut pending) = (0, 0);
        // SAFETY: `raw` came from this library, and both places are valid.
        self.library.call(|| unsafe { function(self.raw, &raw mut current, &raw mut pending) })?;
        Ok(current == 1)
    }

    /// A slice of this GPU by its place; `NOT_FOUND` for a place without one.
    pub fn slice(&self, index: u32) -> Result<Self, Code> {
        let function = self.library.table.mig_handle.ok_or(Code::FUNCTION_NOT_FOUND)?;
        let mut raw: RawDevice = std::ptr::null_mut();
        // SAFETY: `self.raw` came from this library, and `raw` is a valid place for the answer.
        self.library.call(|| unsafe { function(self.raw, index, &raw mut raw) })?;
        Ok(Self { library: self.library, raw })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_the_library_says_so_and_a_stranger_is_named() {
        let missing = Library::open(Some(OsStr::new("/nowhere/libnvidia-ml.so.1"))).unwrap_err();
        assert!(matches!(missing, OpenError::Missing(_)), "{missing}");
        let stranger = Library::open(Some(OsStr::new("libc.so.6"))).unwrap_err();
        assert!(stranger.to_string().contains("ECO2AI_FAST_NVML"), "{stranger}");
    }

    #[test]
    fn an_unsigned_int_ignores_what_lies_in_the_upper_half_of_the_union() {
        let value =
            FieldValue { kind: KIND_UNSIGNED_INT, value: 0xdead_beef_0000_0007, code: 0, ..FieldValue::default() };
        assert_eq!(value.answer(), Ok(7));
        assert_eq!(FieldValue { kind: 3, ..value }.answer(), Ok(0xdead_beef_0000_0007));
        assert_eq!(FieldValue::ask(83, 0).answer(), Err(Code::NOT_SUPPORTED));
    }
}
