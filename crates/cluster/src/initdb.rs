//! Making a data folder so that a crash at any moment leaves nothing half-made: everything happens in `pg.new`, one
//! sync, then a rename.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::account::RunAs;
use crate::binaries::Binaries;
use crate::error::Error;
use crate::event::{Event, Events};
use crate::space::{NEEDED_NEW, is_disk_full};
use crate::{leftovers, spawn};

/// Where a data folder is while it is made.
pub(crate) fn fresh(data: &Path) -> PathBuf {
    data.with_extension("new")
}

/// Removes what an interrupted run left. Nobody has ever stored anything in it.
pub(crate) fn remove_half_made(data: &Path, run_as: &RunAs, events: &Events) -> Result<(), Error> {
    let dir = fresh(data);
    if fs::symlink_metadata(&dir).is_err() {
        return Ok(());
    }
    leftovers::end(&dir, run_as, Duration::from_secs(2), events)?;
    fs::remove_dir_all(&dir).map_err(Error::io("remove the half-made folder", &dir))?;
    events.send(Event::RemovedHalfMade { dir });
    Ok(())
}

/// Makes the data folder at `data`.
pub(crate) fn create(data: &Path, binaries: &Binaries, run_as: &RunAs, superuser: &str) -> Result<(), Error> {
    let dir = fresh(data);
    let made = run(&dir, binaries, run_as, superuser).and_then(|()| publish(&dir, data));
    if made.is_err() {
        // The disk may be full of it; the error that matters is the first.
        let _ = fs::remove_dir_all(&dir);
    }
    made
}

fn run(dir: &Path, binaries: &Binaries, run_as: &RunAs, superuser: &str) -> Result<(), Error> {
    let mut outcome = Outcome::Failed(String::new());
    for locale in locales(binaries.version.major) {
        DirBuilder::new().mode(0o700).create(dir).map_err(Error::io("create the folder", dir))?;
        run_as.give(dir)?;
        outcome = try_locale(dir, binaries, run_as, superuser, locale)?;
        match outcome {
            Outcome::Done => return Ok(()),
            Outcome::NoLocale => fs::remove_dir_all(dir).map_err(Error::io("remove", dir))?,
            Outcome::Failed(_) => break,
        }
    }
    let Outcome::Failed(output) = outcome else {
        return Err(Error::Initdb {
            dir: dir.to_path_buf(),
            output: "no locale works, not even C".to_owned(),
        });
    };
    if is_disk_full(&output) {
        let parent = dir.parent().unwrap_or(dir).to_path_buf();
        let free = crate::space::free(&parent).unwrap_or(0);
        return Err(Error::DiskFull { dir: parent, free, needed: NEEDED_NEW });
    }
    if output.contains("could not look up effective user ID") {
        return Err(Error::UnknownUid { uid: run_as.uid() });
    }
    Err(Error::Initdb { dir: dir.to_path_buf(), output })
}

enum Outcome {
    Done,
    NoLocale,
    Failed(String),
}

/// Order by code point, which no system upgrade ever changes. For letters (`lower`, `ilike`, text search) Unicode is
/// wanted: the server's own from 17, the C library's before, and ASCII alone where that has none.
fn locales(major: u32) -> Vec<&'static [&'static str]> {
    const BUILTIN: &[&str] = &["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"];
    const LIBRARY: &[&str] = &["--locale=C", "--lc-ctype=C.UTF-8"];
    const ASCII: &[&str] = &["--locale=C"];
    if major >= 17 { vec![BUILTIN] } else { vec![LIBRARY, ASCII] }
}

fn try_locale(
    dir: &Path,
    binaries: &Binaries,
    run_as: &RunAs,
    superuser: &str,
    locale: &[&str],
) -> Result<Outcome, Error> {
    let program = binaries.program("initdb");
    let mut command: Command = spawn::command(&program, run_as);
    command.arg("--pgdata").arg(dir).arg("--username").arg(superuser);
    command.args(["--auth-local=trust", "--auth-host=reject", "--encoding=UTF8", "--data-checksums"]);
    command.args(["--no-sync", "--no-instructions"]).args(locale);
    spawn::tie(&mut command, Signal::KILL);
    let output = command.output().map_err(|error| cannot_run(&program, run_as, error))?;
    if output.status.success() {
        return Ok(Outcome::Done);
    }
    let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if text.contains("invalid locale") || text.contains("locale name") {
        return Ok(Outcome::NoLocale);
    }
    Ok(Outcome::Failed(if text.is_empty() { output.status.to_string() } else { text }))
}

/// Why a server program could not even be started.
pub(crate) fn cannot_run(program: &Path, run_as: &RunAs, error: std::io::Error) -> Error {
    match run_as.other() {
        Some(account) if error.raw_os_error() == Some(rustix::io::Errno::PERM.raw_os_error()) => {
            Error::CannotChangeUser { uid: account.uid, source: error }
        }
        _ => Error::io("run", program)(error),
    }
}

/// One sync for the whole folder instead of one for each of a thousand files (measured: 1.5 s instead of 4.4 s), and
/// only then the name that counts.
fn publish(dir: &Path, data: &Path) -> Result<(), Error> {
    sync_all(dir).map_err(Error::io("write to disk", dir))?;
    fs::rename(dir, data).map_err(Error::io("rename", dir))?;
    let parent = data.parent().unwrap_or(data);
    File::open(parent).and_then(|folder| folder.sync_all()).map_err(Error::io("write to disk", parent))
}

#[cfg(target_os = "linux")]
fn sync_all(dir: &Path) -> std::io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(dir)?)?)
}

#[cfg(not(target_os = "linux"))]
fn sync_all(dir: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_all(&entry.path())?;
        } else if entry.file_type()?.is_file() {
            File::open(entry.path())?.sync_all()?;
        }
    }
    File::open(dir)?.sync_all()
}
