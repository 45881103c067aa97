//! Making a data folder so that a crash at any moment leaves nothing half-made: everything happens in `pg.new`, one
//! sync, then a rename.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::account::{Account, RunAs};
use crate::error::Error;
use crate::event::{Event, Events};
use crate::space::{NEEDED_NEW, is_disk_full};
use crate::supervisor::Plan;
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

/// Makes the data folder of a plan.
pub(crate) fn create(plan: &Plan) -> Result<(), Error> {
    let maker = Maker {
        dir: fresh(&plan.data),
        program: plan.binaries.program("initdb"),
        major: plan.binaries.version.major,
        superuser: &plan.options.superuser,
        run_as: &plan.run_as,
    };
    let known_user = || ["nobody", "postgres", "daemon"].into_iter().find_map(plan.options.probes.user);
    let made = maker.run(known_user).and_then(|()| publish(&maker.dir, &plan.data));
    if made.is_err() {
        // The disk may be full of it; the error that matters is the first.
        let _ = fs::remove_dir_all(&maker.dir);
    }
    made
}

/// One way for initdb to end.
enum Outcome {
    Done,
    NoLocale,
    UnknownUid,
    Failed(String),
}

struct Maker<'a> {
    dir: PathBuf,
    program: PathBuf,
    major: u32,
    superuser: &'a str,
    run_as: &'a RunAs,
}

impl Maker<'_> {
    fn run(&self, known_user: impl FnOnce() -> Option<Account>) -> Result<(), Error> {
        let outcome = match self.try_locales(None)? {
            Outcome::UnknownUid => match known_user() {
                Some(user) => self.try_locales(Some(&user))?,
                None => Outcome::UnknownUid,
            },
            outcome => outcome,
        };
        let dir = self.dir.clone();
        match outcome {
            Outcome::Done => Ok(()),
            Outcome::UnknownUid => Err(Error::UnknownUid { uid: self.run_as.uid() }),
            Outcome::NoLocale => Err(Error::Initdb { dir, output: "no locale works, not even C".to_owned() }),
            Outcome::Failed(output) if is_disk_full(&output) => {
                let parent = dir.parent().unwrap_or(&dir).to_path_buf();
                let free = crate::space::free(&parent).unwrap_or(0);
                Err(Error::DiskFull { dir: parent, free, needed: NEEDED_NEW })
            }
            Outcome::Failed(output) => Err(Error::Initdb { dir, output }),
        }
    }

    /// Tries the locales in order, each in an empty folder.
    fn try_locales(&self, alias: Option<&Account>) -> Result<Outcome, Error> {
        let mut outcome = Outcome::NoLocale;
        for locale in locales(self.major) {
            let _ = fs::remove_dir_all(&self.dir);
            let made = DirBuilder::new().mode(0o700).create(&self.dir);
            made.map_err(Error::io("create the folder", &self.dir))?;
            self.run_as.give(&self.dir)?;
            outcome = self.try_once(locale, alias)?;
            if !matches!(outcome, Outcome::NoLocale) {
                break;
            }
        }
        Ok(outcome)
    }

    fn try_once(&self, locale: &[&str], alias: Option<&Account>) -> Result<Outcome, Error> {
        let mut command = self.command(alias);
        command.arg("--pgdata").arg(&self.dir).arg("--username").arg(self.superuser);
        command.args(["--auth-local=trust", "--auth-host=reject", "--encoding=UTF8", "--data-checksums"]);
        command.args(["--no-sync", "--no-instructions"]).args(locale);
        spawn::tie(&mut command, Signal::KILL);
        let output = match command.output() {
            Ok(output) => output,
            // No `unshare` on this machine.
            Err(_) if alias.is_some() => return Ok(Outcome::UnknownUid),
            Err(error) => return Err(cannot_run(&self.program, self.run_as, error)),
        };
        let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Ok(if output.status.success() {
            Outcome::Done
        } else if text.contains("could not look up effective user ID") || text.starts_with("unshare:") {
            Outcome::UnknownUid
        } else if text.contains("invalid locale") || text.contains("locale name") {
            Outcome::NoLocale
        } else {
            Outcome::Failed(if text.is_empty() { output.status.to_string() } else { text })
        })
    }

    /// initdb insists that its user has a name (the server does not). A container may run under a number that has
    /// none; then initdb sees itself as `alias` in a user namespace of its own, where the kernel and the container's
    /// profile allow that. The files belong to the real user either way.
    fn command(&self, alias: Option<&Account>) -> Command {
        let Some(alias) = alias else { return spawn::command(&self.program, self.run_as) };
        let mut command = spawn::command(Path::new("unshare"), self.run_as);
        command
            .arg("--user")
            .arg(format!("--map-user={}", alias.uid))
            .arg(format!("--map-group={}", alias.gid));
        command.arg(&self.program);
        command
    }
}

/// Order by code point, which no system upgrade ever changes. For letters (`lower`, `ilike`, text search) Unicode is
/// wanted: the server's own from 17, the C library's before, and ASCII alone where that has none.
fn locales(major: u32) -> Vec<&'static [&'static str]> {
    const BUILTIN: &[&str] = &["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"];
    const LIBRARY: &[&str] = &["--locale=C", "--lc-ctype=C.UTF-8"];
    const ASCII: &[&str] = &["--locale=C"];
    if major >= 17 { vec![BUILTIN] } else { vec![LIBRARY, ASCII] }
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
