//! NVML's return codes, and what to do about each.

use crate::source::Availability;

/// A `nvmlReturn_t` that is no success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code(pub i32);

/// Updates over which a refusal may be a passing one: polled often, NVML now and then answers that it does not support
/// what it did a moment ago, or that the power is 0 W (zeus, power.py).
pub const RETRY_UPDATES: u32 = 3;
/// Time between attempts to find a lost GPU again, in nanoseconds.
pub const REPROBE_NS: u64 = 10 * crate::units::NS_PER_S;

/// What a failed call asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// There is no driver here: say so where asked, and nowhere else.
    NoBackend,
    /// The driver cannot be used until something is done about it: one warning.
    Off,
    /// This reading does not exist on this device: take the next in order.
    NextSource,
    /// It existed before: a passing refusal. Try for [`RETRY_UPDATES`] updates, then as [`Policy::NextSource`].
    Retry,
    /// The device is gone for now: a gap from its last good reading, the others go on, look again every [`REPROBE_NS`].
    Gap,
    /// Once more, then as [`Policy::Gap`].
    RetryOnce,
    /// NVML does not know this process (a forked child, a reloaded driver): initialise, then go on.
    Initialise,
}

impl Code {
    /// `NVML_ERROR_UNINITIALIZED`.
    pub const UNINITIALIZED: Self = Self(1);
    /// `NVML_ERROR_INVALID_ARGUMENT`.
    pub const INVALID_ARGUMENT: Self = Self(2);
    /// `NVML_ERROR_NOT_SUPPORTED`.
    pub const NOT_SUPPORTED: Self = Self(3);
    /// `NVML_ERROR_NO_PERMISSION`.
    pub const NO_PERMISSION: Self = Self(4);
    /// `NVML_ERROR_NOT_FOUND`.
    pub const NOT_FOUND: Self = Self(6);
    /// `NVML_ERROR_DRIVER_NOT_LOADED`.
    pub const DRIVER_NOT_LOADED: Self = Self(9);
    /// `NVML_ERROR_FUNCTION_NOT_FOUND`; also what is answered here for a symbol that the library lacks.
    pub const FUNCTION_NOT_FOUND: Self = Self(13);
    /// `NVML_ERROR_GPU_IS_LOST`.
    pub const GPU_IS_LOST: Self = Self(15);
    /// `NVML_ERROR_UNKNOWN`.
    pub const UNKNOWN: Self = Self(999);

    /// Success, or this code as an error.
    pub fn ok(self) -> Result<(), Self> {
        if self.0 == 0 { Ok(()) } else { Err(self) }
    }

    /// What to do where a device is looked at for the first time.
    pub fn at_probe(self) -> Policy {
        match self.0 {
            12 => Policy::NoBackend,
            9 | 18 => Policy::Off,
            15 | 16 => Policy::Gap,
            10 | 11 | 999 => Policy::RetryOnce,
            1 => Policy::Initialise,
            // 2, 3, 4, 13, 25, 26 and what later versions add.
            _ => Policy::NextSource,
        }
    }

    /// What to do where the same call worked before.
    pub fn at_run(self) -> Policy {
        match self.at_probe() {
            Policy::NextSource => Policy::Retry,
            policy => policy,
        }
    }

    /// Which of the five answers it is.
    pub fn availability(self) -> Availability {
        match self.0 {
            6 | 12 | 13 | 15 => Availability::Absent,
            4 => Availability::NotPermitted,
            3 | 25 | 26 => Availability::NotSupported,
            _ => Availability::Failed,
        }
    }

    /// What happened and what helps, in words.
    pub fn words(self) -> &'static str {
        match self.0 {
            1 => "NVML is not initialised in this process",
            2 => "NVML refused an argument",
            3 => "this GPU does not support it",
            4 => "not permitted: in a container or with hidepid the driver hides it",
            6 => "nothing found",
            9 => "the NVIDIA driver is not loaded: `modprobe nvidia` or reboot",
            10 => "the driver did not answer in time",
            11 => "the driver has a problem with the GPU's interrupts",
            12 => "no NVIDIA library",
            13 => "this driver has no such function: a newer one may",
            15 => "the GPU is lost: it fell off the bus; `nvidia-smi` and dmesg tell more",
            16 => "the GPU needs a reset: `nvidia-smi --gpu-reset`",
            18 => "driver and library differ in version: reboot after the driver's update",
            25 | 26 => "this driver speaks another version of the call",
            _ => "unknown error of the driver",
        }
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (NVML code {})", self.words(), self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_final_at_the_first_look_and_passing_afterwards() {
        for code in [3, 4, 13, 25, 26] {
            assert_eq!(Code(code).at_probe(), Policy::NextSource, "{code}");
            assert_eq!(Code(code).at_run(), Policy::Retry, "{code}");
        }
    }

    #[test]
    fn a_lost_gpu_is_a_gap_and_a_driver_that_is_gone_ends_the_backend() {
        for code in [15, 16] {
            assert_eq!((Code(code).at_probe(), Code(code).at_run()), (Policy::Gap, Policy::Gap));
        }
        assert_eq!(Code(9).at_run(), Policy::Off);
        assert_eq!(Code(18).at_probe(), Policy::Off);
        assert_eq!(Code(12).at_probe(), Policy::NoBackend);
        assert_eq!(Code(999).at_run(), Policy::RetryOnce);
        assert_eq!(Code(1).at_run(), Policy::Initialise);
    }

    #[test]
    fn the_five_answers_stay_apart() {
        use Availability::{Absent, Failed, NotPermitted, NotSupported};
        let answers = [3, 4, 12, 999].map(|code| Code(code).availability());
        assert_eq!(answers, [NotSupported, NotPermitted, Absent, Failed]);
    }
}
