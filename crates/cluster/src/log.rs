//! The server's log. The server writes to the file itself (a pipe through this process would lose the lines that
//! matter when this process is killed), so rotation copies and truncates.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::error::Error;

const LARGEST: u64 = 8 << 20;
const KEPT: usize = 3;
/// Enough for any number of lines that somebody reads.
const TAIL_BYTES: u64 = 128 << 10;

#[derive(Debug, Clone)]
pub(crate) struct Log {
    path: PathBuf,
}

impl Log {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A handle to append with, for the server's standard error.
    pub(crate) fn open(&self) -> Result<File, Error> {
        let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path);
        opened.map_err(Error::io("open", &self.path))
    }

    /// Where the next line will go: a mark for [`Log::tail`].
    pub(crate) fn end(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |meta| meta.len())
    }

    /// The last `count` lines after `start`. A log that cannot be read has none.
    pub(crate) fn tail(&self, start: u64, count: usize) -> Vec<String> {
        let text = self.read(start).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(count)..].iter().map(|line| (*line).to_owned()).collect()
    }

    fn read(&self, start: u64) -> io::Result<String> {
        let mut file = File::open(&self.path)?;
        let end = file.metadata()?.len();
        // A rotation since the mark: everything in the file is newer.
        let start = if start > end { 0 } else { start };
        file.seek(SeekFrom::Start(start.max(end.saturating_sub(TAIL_BYTES))))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Keeps the last few megabytes. Runs beside a writing server; a line written between the copy and the cut is
    /// lost, which a log can bear.
    pub(crate) fn rotate(&self) {
        if self.end() < LARGEST {
            return;
        }
        let numbered = |n: usize| self.path.with_extension(format!("log.{n}"));
        for n in (1..KEPT).rev() {
            let _ = fs::rename(numbered(n), numbered(n + 1));
        }
        let copied = fs::copy(&self.path, numbered(1));
        // Cut even when the copy failed: a full disk is the likely reason, and the log must not keep it full.
        let cut = OpenOptions::new().write(true).open(&self.path).and_then(|file| file.set_len(0));
        if let Some(error) = copied.err().or(cut.err()) {
            tracing::warn!(target: "bedplate::cluster", %error, "the server's log was not rotated");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_large_log_is_rotated_under_its_writer_and_the_tail_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::new(dir.path().join("postgres.log"));
        let mut writer = log.open().unwrap();
        let line = [b'x'; 1023];
        while log.end() < LARGEST {
            writer.write_all(&line).unwrap();
            writer.write_all(b"\n").unwrap();
        }
        let mark = log.end();
        log.rotate();
        assert_eq!(log.end(), 0);
        assert!(fs::metadata(dir.path().join("postgres.log.1")).unwrap().len() >= LARGEST);
        writer.write_all(b"one\ntwo\nthree\n").unwrap();
        assert_eq!(log.tail(mark, 2), ["two", "three"]);
    }
}
