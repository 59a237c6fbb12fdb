//! How long the machine stays mounted, and what is left when it ends: nothing.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use fuser::{BackgroundSession, Config, MountOption, SessionACL};
use nix::mount::{MntFlags, umount2};
use nix::sys::signal::{SigSet, Signal};

use crate::command_line::Options;
use crate::fs::Fs;
use crate::machine::Machine;

/// How often to look whether somebody else has unmounted.
const LOOK: Duration = Duration::from_millis(200);

/// Mounts, says `ready epoch_ns=N` on standard output, serves, unmounts, says how many reads each meter had.
pub fn serve(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let machine = Arc::new(Machine::load(&options.spec)?);
    let end = watch_signals()?;
    let session = mount(&machine, &options.mountpoint)
        .map_err(|why| format!("cannot mount on {}: {why} (needs root and /dev/fuse)", options.mountpoint.display()))?;
    say(&format!("ready epoch_ns={}", machine.epoch_ns))?;
    if options.with_parent {
        watch_parent(end.0);
    }
    wait(&end.1, options.max, &session);
    // Lazily: programs may still hold files; they get ENOTCONN once this process is gone.
    let _ = umount2(&options.mountpoint, MntFlags::MNT_DETACH);
    for (meter, reads) in machine.meters.iter().zip(&machine.reads) {
        say(&format!("reads {} {}", meter.domain.id, reads.load(Ordering::Relaxed)))?;
    }
    // Joining would wait for those programs.
    std::mem::forget(session);
    Ok(())
}

fn mount(machine: &Arc<Machine>, at: &Path) -> io::Result<BackgroundSession> {
    let mut config = Config::default();
    config.acl = SessionACL::All;
    config.mount_options =
        vec![MountOption::RO, MountOption::DefaultPermissions, MountOption::FSName("eco2ai-fast-emulator".into())];
    fuser::spawn_mount(Fs::new(Arc::clone(machine)), at, &config)
}

/// INT, TERM and HUP become messages; blocked here, before any thread starts, so that all threads inherit it.
fn watch_signals() -> nix::Result<(Sender<()>, Receiver<()>)> {
    let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
    signals.thread_block()?;
    let (sender, receiver) = channel();
    let end = sender.clone();
    thread::spawn(move || signals.wait().map(|_| end.send(())));
    Ok((sender, receiver))
}

fn watch_parent(end: Sender<()>) {
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().lock().by_ref(), &mut io::sink());
        end.send(())
    });
}

fn wait(end: &Receiver<()>, max: Duration, session: &BackgroundSession) {
    let started = Instant::now();
    while !session.guard.is_finished() {
        let left = max.saturating_sub(started.elapsed());
        if left.is_zero() || end.recv_timeout(left.min(LOOK)) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
