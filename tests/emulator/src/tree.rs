//! Which files a machine has: a directory tree in memory, built once before it is mounted.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Component, Path};

/// Number of a node; the root is 1 as FUSE wants it.
pub type Ino = u64;

/// The root directory.
pub const ROOT: Ino = 1;

/// A file, directory or link.
#[derive(Debug)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u16,
    /// Its directory.
    pub parent: Ino,
    /// The meter with which it vanishes.
    pub meter: Option<usize>,
}

/// What a node is.
#[derive(Debug)]
pub enum Kind {
    /// Names in order.
    Dir(BTreeMap<String, Ino>),
    /// A file that never changes.
    Text(Vec<u8>),
    /// A symbolic link.
    Link(String),
    /// `energy_uj` of a meter.
    Energy(usize),
    /// /dev/cpu/N/msr.
    Msr(u32),
}

/// All nodes; node `i` stands at place `i - 1`.
#[derive(Debug)]
pub struct Tree {
    nodes: Vec<Node>,
}

impl Tree {
    /// Only the root.
    pub fn new() -> Self {
        let root = Node { kind: Kind::Dir(BTreeMap::new()), mode: 0o755, parent: ROOT, meter: None };
        Self { nodes: vec![root] }
    }

    /// The node of this number.
    pub fn get(&self, ino: Ino) -> Option<&Node> {
        self.nodes.get(usize::try_from(ino).ok()?.checked_sub(1)?)
    }

    /// The entry `name` of a directory.
    pub fn child(&self, dir: Ino, name: &str) -> Option<Ino> {
        match &self.get(dir)?.kind {
            Kind::Dir(names) => names.get(name).copied(),
            _ => None,
        }
    }

    /// Puts a node at `path` (relative, of plain names), with the directories above it; replaces what is there.
    pub fn put(&mut self, path: &str, kind: Kind, mode: u16, meter: Option<usize>) -> Ino {
        let (dirs, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parent = self.dir(dirs);
        self.nodes.push(Node { kind, mode, parent, meter });
        let ino = self.nodes.len() as Ino;
        self.names(parent).insert(name.to_owned(), ino);
        ino
    }

    /// The directory at `path`, made where it is missing.
    pub fn dir(&mut self, path: &str) -> Ino {
        path.split('/').filter(|name| !name.is_empty()).fold(ROOT, |dir, name| self.subdir(dir, name))
    }

    /// A copy of everything under `from` on disk.
    pub fn copy(&mut self, from: &Path) -> io::Result<()> {
        self.copy_into("", from)
    }

    fn copy_into(&mut self, at: &str, from: &Path) -> io::Result<()> {
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if at.is_empty() { name } else { format!("{at}/{name}") };
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.dir(&path);
                self.copy_into(&path, &entry.path())?;
            } else if kind.is_symlink() {
                let target = fs::read_link(entry.path())?.to_string_lossy().into_owned();
                self.put(&path, Kind::Link(target), 0o777, None);
            } else {
                self.put(&path, Kind::Text(fs::read(entry.path())?), 0o444, None);
            }
        }
        Ok(())
    }

    fn subdir(&mut self, dir: Ino, name: &str) -> Ino {
        if let Some(ino) = self.child(dir, name) {
            return ino;
        }
        self.nodes.push(Node { kind: Kind::Dir(BTreeMap::new()), mode: 0o755, parent: dir, meter: None });
        let ino = self.nodes.len() as Ino;
        self.names(dir).insert(name.to_owned(), ino);
        ino
    }

    /// The names in a directory; a file in its place becomes a directory.
    fn names(&mut self, dir: Ino) -> &mut BTreeMap<String, Ino> {
        let node = &mut self.nodes[usize::try_from(dir - 1).unwrap_or(0)];
        if !matches!(node.kind, Kind::Dir(_)) {
            node.kind = Kind::Dir(BTreeMap::new());
        }
        match &mut node.kind {
            Kind::Dir(names) => names,
            _ => unreachable!("made a directory above"),
        }
    }

    /// Marks a node as vanishing with a meter.
    pub fn vanishes_with(&mut self, ino: Ino, meter: usize) {
        if let Some(node) = usize::try_from(ino - 1).ok().and_then(|place| self.nodes.get_mut(place)) {
            node.meter = Some(meter);
        }
    }
}

/// Whether a path from a spec stays inside the tree.
pub fn is_inside(path: &str) -> bool {
    Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}
