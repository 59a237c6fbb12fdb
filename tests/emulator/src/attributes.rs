//! What `stat` says of a node: what sysfs says of its files.

use std::time::UNIX_EPOCH;

use fuser::{FileAttr, FileType, INodeNo};

use crate::tree::{Ino, Kind, Node};

/// The size of every file in sysfs, however long its text.
const SYSFS_SIZE: u64 = 4096;

/// Directory, link or file.
pub fn file_type(node: &Node) -> FileType {
    match node.kind {
        Kind::Dir(_) => FileType::Directory,
        Kind::Link(_) => FileType::Symlink,
        Kind::Text(_) | Kind::Energy(_) | Kind::Msr(_) => FileType::RegularFile,
    }
}

fn size(node: &Node) -> u64 {
    match &node.kind {
        Kind::Link(target) => target.len() as u64,
        Kind::Dir(_) | Kind::Text(_) | Kind::Energy(_) | Kind::Msr(_) => SYSFS_SIZE,
    }
}

/// All of it.
pub fn attributes(ino: Ino, node: &Node) -> FileAttr {
    FileAttr {
        ino: INodeNo(ino),
        size: size(node),
        blocks: 0,
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind: file_type(node),
        perm: node.mode,
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}
