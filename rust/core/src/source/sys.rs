//! The system calls that the standard library lacks: clocks, perf events, fork notice. All unsafe code of the core.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The kernel's clocks that are read.
#[derive(Debug, Clone, Copy)]
pub enum ClockId {
    /// Since some start, standing still while suspended.
    Monotonic,
    /// Since boot, suspended or not.
    Boottime,
    /// Unix time.
    Realtime,
    /// CPU time of the calling thread.
    Thread,
}

/// Nanoseconds on one of the kernel's clocks.
pub fn clock_ns(id: ClockId) -> u64 {
    let id = match id {
        ClockId::Monotonic => libc::CLOCK_MONOTONIC,
        ClockId::Boottime => libc::CLOCK_BOOTTIME,
        ClockId::Realtime => libc::CLOCK_REALTIME,
        ClockId::Thread => libc::CLOCK_THREAD_CPUTIME_ID,
    };
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec for the whole call, and the kernel writes nothing else.
    let code = unsafe { libc::clock_gettime(id, &raw mut time) };
    debug_assert_eq!(code, 0, "these four clocks exist on every Linux since 2.6.39");
    u64::try_from(time.tv_sec).unwrap_or(0) * crate::units::NS_PER_S + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// Ticks of `/proc/stat` in a second: `sysconf(_SC_CLK_TCK)`, 100 on every Linux that matters.
pub fn ticks_per_second() -> u64 {
    // SAFETY: sysconf takes a number and returns one.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).ok().filter(|ticks| *ticks > 0).unwrap_or(100)
}

/// `struct perf_event_attr` up to `config2` and beyond as zeros: 64 bytes, `PERF_ATTR_SIZE_VER0`, which every kernel accepts.
#[repr(C)]
#[derive(Default)]
struct PerfEventAttr {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    bp_type: u32,
    config1: u64,
}

/// `PERF_FORMAT_GROUP`: one read returns the counts of the whole group.
const FORMAT_GROUP: u64 = 1 << 3;
/// `PERF_FLAG_FD_CLOEXEC`: a child of the user's program inherits nothing.
const FLAG_CLOEXEC: u64 = 1 << 3;

/// Opens a counting event of the PMU `kind` on one CPU, for all processes; with `leader`, as a member of its group.
pub fn perf_event(kind: u32, config: u64, cpu: u32, leader: Option<&File>) -> io::Result<File> {
    const { assert!(size_of::<PerfEventAttr>() == 64) };
    let attr = PerfEventAttr { kind, size: 64, config, read_format: FORMAT_GROUP, ..PerfEventAttr::default() };
    let group = leader.map_or(-1, AsRawFd::as_raw_fd);
    // SAFETY: the kernel reads `size` bytes of `attr`, which lives through the call; the other arguments are numbers.
    let fd = unsafe { libc::syscall(libc::SYS_perf_event_open, &raw const attr, -1, cpu, group, FLAG_CLOEXEC) };
    let fd = i32::try_from(fd).unwrap_or(-1);
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just returned this descriptor, so it is open and nobody else owns it.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// Puts what `new` refers to in the place of `file`: whoever reads `file` reads the new one from then on, without a gap.
pub fn replace_file(file: &File, new: File) -> io::Result<()> {
    // SAFETY: both descriptors are open and stay with their owners; the kernel exchanges what `file`'s refers to in one
    // step, and the old file is closed by that, as its owner would have done.
    let code = unsafe { libc::dup3(new.as_raw_fd(), file.as_raw_fd(), libc::O_CLOEXEC) };
    let result = if code < 0 { Err(io::Error::last_os_error()) } else { Ok(()) };
    drop(new);
    result
}

/// Sleeps until `deadline_ns` on the monotonic clock, or until `word` is no longer 0 (see [`wake`]); at once if it is not.
///
/// One system call with an absolute deadline, as exact as `clock_nanosleep`, but it can be cut short.
pub fn sleep_until(word: &AtomicU32, deadline_ns: u64) {
    let seconds = libc::time_t::try_from(deadline_ns / crate::units::NS_PER_S).unwrap_or(libc::time_t::MAX);
    let nanoseconds = libc::c_long::try_from(deadline_ns % crate::units::NS_PER_S).unwrap_or(0);
    let deadline = libc::timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    let operation = libc::FUTEX_WAIT_BITSET | libc::FUTEX_PRIVATE_FLAG;
    let null = std::ptr::null::<u32>();
    // SAFETY: `word` and `deadline` live through the call; the kernel reads both and writes neither.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            operation,
            0,
            &raw const deadline,
            null,
            libc::FUTEX_BITSET_MATCH_ANY,
        );
    }
}

/// Ends the sleep of whoever sleeps on `word`; set it to something else than 0 first.
pub fn wake(word: &AtomicU32) {
    // SAFETY: the kernel only looks up sleepers by the word's address, which is valid.
    unsafe {
        libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, i32::MAX);
    }
}

/// Asks the kernel to wake the calling thread when it is due, not up to 50 us later.
pub fn want_exact_timers() {
    // SAFETY: PR_SET_TIMERSLACK takes a number; it concerns the calling thread alone.
    unsafe {
        libc::prctl(libc::PR_SET_TIMERSLACK, 1_u64);
    }
}

/// Makes this process the parent of descendants whose own parent ends: they come here instead of to init. False where
/// the kernel refuses.
pub fn adopt_orphans() -> bool {
    // SAFETY: PR_SET_CHILD_SUBREAPER takes a number and touches no memory.
    unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1_u64, 0, 0, 0) == 0 }
}

/// Keeps the calling thread on the given CPUs; those beyond the set's 1024 are none.
pub fn pin_thread(cpus: &[u32]) -> io::Result<()> {
    // SAFETY: an all-zero cpu_set_t is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for cpu in cpus.iter().filter(|cpu| **cpu < libc::CPU_SETSIZE.cast_unsigned()) {
        // SAFETY: the CPU is one of the set's, and only `set` is written to.
        unsafe { libc::CPU_SET(*cpu as usize, &mut set) };
    }
    // SAFETY: pid 0 is the calling thread; the kernel reads `size_of_val(&set)` bytes of `set`.
    let code = unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) };
    if code == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// How many forks lie between the program's first process and this one.
static GENERATION: AtomicU64 = AtomicU64::new(1);
static FORK_NOTICE: Once = Once::new();

extern "C" fn in_child() {
    // Relaxed: the child has one thread at this point, and starts others only later.
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// The fork generation: it differs between a process and its forked children, and costs one load.
pub fn generation() -> u64 {
    // Relaxed: see in_child().
    GENERATION.load(Ordering::Relaxed)
}

/// Asks libc to count forks from now on. A second call does nothing.
pub fn watch_forks() {
    FORK_NOTICE.call_once(|| {
        // SAFETY: `in_child` is a function of the program's whole life that only touches an atomic: allowed after fork.
        let code = unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
        debug_assert_eq!(code, 0, "pthread_atfork fails only for want of memory");
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_monotonic_clock_goes_on() {
        let first = clock_ns(ClockId::Monotonic);
        assert!(clock_ns(ClockId::Monotonic) >= first);
    }

    #[test]
    fn a_replaced_file_reads_as_the_new_one_through_the_old_descriptor() {
        use std::os::unix::fs::FileExt;
        let (old, new) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        new.write_at(b"new", 0).unwrap();
        replace_file(&old, new).unwrap();
        let mut text = [0; 3];
        old.read_at(&mut text, 0).unwrap();
        assert_eq!(&text, b"new");
    }

    #[test]
    fn a_cpu_that_no_machine_has_is_refused_and_no_panic() {
        std::thread::spawn(|| assert!(pin_thread(&[u32::MAX, 1024]).is_err())).join().unwrap();
    }

    #[test]
    fn an_unknown_pmu_is_refused_by_the_kernel() {
        assert!(perf_event(u32::MAX, 0, 0, None).is_err());
    }
}
