//! How the kernel's questions about files reach the machine: one FUSE operation, one method.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use fuser::{
    Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner, OpenFlags,
    ReplyAttr, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, Request,
};

use crate::attributes::{attributes, file_type};
use crate::machine::Machine;
use crate::meter::Reading;
use crate::tree::{Ino, Kind, Node};

/// How long the kernel may remember names and modes; contents are never cached (direct I/O).
const TTL: Duration = Duration::from_secs(3600);

/// For names that a fault takes away.
const NO_TTL: Duration = Duration::ZERO;

/// One open file.
#[derive(Debug, Default)]
struct Handle {
    opened_ns: u64,
    /// What the last read at offset 0 found; reads further on continue in it, as in sysfs.
    text: Vec<u8>,
}

/// The mounted machine.
#[derive(Debug, Clone)]
pub struct Fs {
    machine: Arc<Machine>,
    handles: Arc<Mutex<HashMap<u64, Handle>>>,
    next_handle: Arc<AtomicU64>,
}

impl Fs {
    /// Serves this machine.
    pub fn new(machine: Arc<Machine>) -> Self {
        Self { machine, handles: Arc::default(), next_handle: Arc::default() }
    }

    /// A node that is there now.
    fn node(&self, ino: Ino) -> Result<&Node, Errno> {
        let node = self.machine.tree.get(ino).ok_or(Errno::ENOENT)?;
        let reading = node.meter.map(|meter| self.machine.meters[meter].read(self.machine.now_ns()));
        if reading == Some(Reading::Gone) { Err(Errno::ENOENT) } else { Ok(node) }
    }

    fn attributes(&self, ino: Ino) -> Result<(FileAttr, Duration), Errno> {
        let node = self.node(ino)?;
        let vanishes = node.meter.is_some_and(|meter| self.machine.meters[meter].vanishes());
        Ok((attributes(ino, node), if vanishes { NO_TTL } else { TTL }))
    }

    fn found(&self, dir: Ino, name: &OsStr) -> Result<(FileAttr, Duration), Errno> {
        let name = name.to_str().ok_or(Errno::ENOENT)?;
        self.attributes(self.machine.tree.child(dir, name).ok_or(Errno::ENOENT)?)
    }

    fn opened(&self, ino: Ino) -> Result<u64, Errno> {
        let opened_ns = self.machine.now_ns();
        if let Kind::Energy(meter) = self.node(ino)?.kind {
            match self.machine.meters[meter].read(opened_ns) {
                Reading::Denied => return Err(Errno::EACCES),
                Reading::Gone => return Err(Errno::ENOENT),
                _ => {}
            }
        }
        let handle = self.next_handle.fetch_add(1, Ordering::Relaxed);
        self.with_handles(|handles| handles.insert(handle, Handle { opened_ns, ..Handle::default() }));
        Ok(handle)
    }

    fn bytes(&self, ino: Ino, handle: u64, offset: u64) -> Result<Vec<u8>, Errno> {
        let node = self.machine.tree.get(ino).ok_or(Errno::ENOENT)?;
        let opened_ns = self.with_handles(|handles| handles.get(&handle).map_or(0, |handle| handle.opened_ns));
        match &node.kind {
            Kind::Text(text) => Ok(rest(text, offset)),
            Kind::Msr(cpu) => self.machine.register(*cpu, offset, opened_ns).map_err(errno),
            Kind::Energy(meter) => self.energy(*meter, handle, opened_ns, offset),
            Kind::Dir(_) | Kind::Link(_) => Err(Errno::EINVAL),
        }
    }

    fn energy(&self, meter: usize, handle: u64, opened_ns: u64, offset: u64) -> Result<Vec<u8>, Errno> {
        if offset > 0 {
            return Ok(self.with_handles(|handles| handles.get(&handle).map_or(Vec::new(), |h| rest(&h.text, offset))));
        }
        let text = self.machine.energy_text(meter, opened_ns).map_err(errno)?;
        self.with_handles(|handles| handles.entry(handle).or_default().text.clone_from(&text));
        Ok(text)
    }

    /// How long the read that begins now takes.
    fn delay(&self, ino: Ino, offset: u64) -> Duration {
        let meter = self.machine.tree.get(ino).and_then(|node| self.machine.meter_of(&node.kind, offset));
        meter.map_or(Duration::ZERO, |meter| self.machine.meters[meter].delay(self.machine.now_ns()))
    }

    fn entries(&self, dir: Ino) -> Result<Vec<(Ino, FileType, &str)>, Errno> {
        let node = self.node(dir)?;
        let Kind::Dir(names) = &node.kind else {
            return Err(Errno::ENOTDIR);
        };
        let mut entries = vec![(dir, FileType::Directory, "."), (node.parent, FileType::Directory, "..")];
        let present =
            names.iter().filter_map(|(name, &ino)| Some((ino, file_type(self.node(ino).ok()?), name.as_str())));
        entries.extend(present);
        Ok(entries)
    }

    fn with_handles<T>(&self, act: impl FnOnce(&mut HashMap<u64, Handle>) -> T) -> T {
        act(&mut self.handles.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Filesystem for Fs {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match self.found(parent.into(), name) {
            Ok((attributes, ttl)) => reply.entry(&ttl, &attributes, Generation(0)),
            Err(errno) => reply.error(errno),
        }
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.attributes(ino.into()) {
            Ok((attributes, ttl)) => reply.attr(&ttl, &attributes),
            Err(errno) => reply.error(errno),
        }
    }

    fn readlink(&self, _: &Request, ino: INodeNo, reply: ReplyData) {
        match self.node(ino.into()).map(|node| &node.kind) {
            Ok(Kind::Link(target)) => reply.data(target.as_bytes()),
            Ok(_) => reply.error(Errno::EINVAL),
            Err(errno) => reply.error(errno),
        }
    }

    fn open(&self, _: &Request, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        match self.opened(ino.into()) {
            Ok(handle) => {
                let flags = FopenFlags::FOPEN_DIRECT_IO | FopenFlags::FOPEN_NOFLUSH;
                reply.opened(FileHandle(handle), flags);
            }
            Err(errno) => reply.error(errno),
        }
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let delay = self.delay(ino.into(), offset);
        if delay.is_zero() {
            return answer(reply, self.bytes(ino.into(), fh.into(), offset), size);
        }
        // A slow meter must not hold up the others: it waits in a thread of its own.
        let this = self.clone();
        thread::spawn(move || {
            thread::sleep(delay);
            answer(reply, this.bytes(ino.into(), fh.into(), offset), size);
        });
    }

    fn release(
        &self,
        _: &Request,
        _: INodeNo,
        fh: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        self.with_handles(|handles| handles.remove(&u64::from(fh)));
        reply.ok();
    }

    fn readdir(&self, _: &Request, ino: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let entries = match self.entries(ino.into()) {
            Ok(entries) => entries,
            Err(errno) => return reply.error(errno),
        };
        for (next, (ino, kind, name)) in (1..).zip(entries).skip(usize::try_from(offset).unwrap_or(usize::MAX)) {
            if reply.add(INodeNo(ino), next, kind, name) {
                break;
            }
        }
        reply.ok();
    }
}

fn answer(reply: ReplyData, bytes: Result<Vec<u8>, Errno>, size: u32) {
    match bytes {
        Ok(bytes) => reply.data(&bytes[..bytes.len().min(size as usize)]),
        Err(errno) => reply.error(errno),
    }
}

fn rest(text: &[u8], offset: u64) -> Vec<u8> {
    usize::try_from(offset).ok().and_then(|at| text.get(at..)).unwrap_or(&[]).to_vec()
}

fn errno(errno: nix::errno::Errno) -> Errno {
    Errno::from_i32(errno as i32)
}
