//! Room on the disk: a check before the server starts, and a ballast file to give back when WAL can no longer grow
//! (then PostgreSQL can neither finish recovery nor serve reads; measured in the design).

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// What `initdb` writes (40 MB and one WAL file), and as much again to work with.
pub(crate) const NEEDED_NEW: u64 = 128 << 20;
/// Two WAL files: without them recovery may not finish.
pub(crate) const NEEDED_EXISTING: u64 = 32 << 20;

/// Free bytes for an ordinary user where `path` is.
pub(crate) fn free(path: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(path)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// A file that only takes up room.
#[derive(Debug, Clone)]
pub(crate) struct Ballast {
    path: PathBuf,
    size: u64,
    free_space: fn(&Path) -> io::Result<u64>,
}

impl Ballast {
    pub(crate) fn new(path: PathBuf, size: u64, free_space: fn(&Path) -> io::Result<u64>) -> Self {
        Self { path, size, free_space }
    }

    /// Refuses a start that would fail for want of room, after giving up the ballast.
    pub(crate) fn require(&self, needed: u64) -> Result<(), Error> {
        let dir = self.path.parent().unwrap_or(&self.path);
        let ask = || (self.free_space)(dir).map_err(Error::io("ask for the free space of", dir));
        let mut free = ask()?;
        if free < needed && self.release() {
            free = ask()?;
        }
        if free < needed {
            return Err(Error::DiskFull { dir: dir.to_path_buf(), free, needed });
        }
        Ok(())
    }

    /// Reserves the space when there is plenty and it costs nothing; never an error, since the server runs without.
    pub(crate) fn reserve(&self) {
        let dir = self.path.parent().unwrap_or(&self.path);
        let is_plenty = (self.free_space)(dir).is_ok_and(|free| free >= self.size.saturating_mul(4));
        if self.size == 0 || self.path.exists() || !is_plenty || is_memory(dir) {
            return;
        }
        if let Err(error) = self.allocate() {
            // Not every file system can reserve; a half-reserved file would only be confusing.
            let _ = fs::remove_file(&self.path);
            tracing::debug!(target: "bedplate::cluster", %error, "no ballast on this file system");
        }
    }

    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    fn allocate(&self) -> io::Result<()> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.path)?;
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, self.size)?;
        Ok(())
    }

    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
    fn allocate(&self) -> io::Result<()> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.path)?;
        drop(file);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Gives the space back. False when there was none to give.
    pub(crate) fn release(&self) -> bool {
        let is_released = fs::remove_file(&self.path).is_ok();
        if is_released {
            tracing::warn!(target: "bedplate::cluster", bytes = self.size, "the disk is full: the ballast was given up");
        }
        is_released
    }
}

/// On a memory file system ballast would take memory.
#[cfg(target_os = "linux")]
fn is_memory(dir: &Path) -> bool {
    const TMPFS: u64 = 0x0102_1994;
    const RAMFS: u64 = 0x8584_58f6;
    rustix::fs::statfs(dir).is_ok_and(|stat| matches!(stat.f_type as u64, TMPFS | RAMFS))
}

#[cfg(not(target_os = "linux"))]
fn is_memory(_dir: &Path) -> bool {
    false
}

/// Whether a text of PostgreSQL or initdb says that the disk is full.
pub(crate) fn is_disk_full(text: &str) -> bool {
    text.contains("No space left on device") || text.contains("Disk quota exceeded")
}
