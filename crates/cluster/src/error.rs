//! Every way in which the private server cannot be had. Each message ends with what to do.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bedplate_core::Problem;

use crate::binaries::Version;

/// Why the private PostgreSQL is not there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("no PostgreSQL {} server was found{download}. Install it: {install} — or set a database URL to use a server of your own",
        wanted(*.major))]
    NotFound {
        /// The major version that the existing data needs; `None` for new data.
        major: Option<u32>,
        /// Why a download was not an answer; empty or starting with a comma.
        download: String,
        install: String,
    },
    #[error("{} is not a folder of PostgreSQL server programs: {why}. Point the setting at the folder that holds \
        `postgres` and `initdb` (ask `pg_config --bindir`), or remove it to search for one", dir.display())]
    BinDir { dir: PathBuf, why: String },
    #[error("{} is in use by another Bedplate{}. Stop that one first, or give this one another state folder",
        state_dir.display(), pid.map(|p| format!(" (process {p})")).unwrap_or_default())]
    Locked { state_dir: PathBuf, pid: Option<i32> },
    #[error("{} holds data of PostgreSQL {data}, and only {} was found. Install version {data}: {install} — or move \
        the folder away to begin with an empty database: mv {} {}.{data}",
        dir.display(), list(found), dir.display(), dir.display())]
    OtherMajor { dir: PathBuf, data: u32, found: Vec<Version>, install: String },
    #[error("{} is not a whole PostgreSQL data folder: {why}. Nothing in it was touched. Restore it from a backup, or \
        move it away to begin with an empty database: mv {} {}.broken", dir.display(), dir.display(), dir.display())]
    HalfMade { dir: PathBuf, why: String },
    #[error("{} is a link to {}, which is gone. Bring that folder back, or remove the link to begin with an empty \
        database: rm {}", link.display(), target.display(), link.display())]
    DanglingLink { link: PathBuf, target: PathBuf },
    #[error("the disk of {} is full: {} MB free, {} MB needed. Free some space and start again; no data was lost",
        dir.display(), free >> 20, needed.div_ceil(1 << 20))]
    DiskFull { dir: PathBuf, free: u64, needed: u64 },
    #[error(
        "user id {uid} has no entry in the user database, and PostgreSQL's initdb insists on one. Add it: \
        echo 'bedplate:x:{uid}:{uid}::/:/bin/sh' >> /etc/passwd — or run the container as a user that exists"
    )]
    UnknownUid { uid: u32 },
    #[error(
        "PostgreSQL does not run as root, and there is no user `postgres` or `bedplate` to run it as. Add one: \
        useradd --system bedplate — or start Bedplate as an ordinary user"
    )]
    RootWithoutUser,
    #[error(
        "PostgreSQL does not run as root, and this process may not change to user id {uid} ({source}). Start \
        Bedplate as an ordinary user, or give the container the capabilities SETUID and SETGID"
    )]
    CannotChangeUser { uid: u32, source: io::Error },
    #[error("PostgreSQL runs as user {user}, who cannot enter {}. Open it for passing through: chmod o+x {} — or move \
        the project to a folder that others may enter", folder.display(), folder.display())]
    Unreachable { folder: PathBuf, user: String },
    #[error("{} belongs to user id {owner}, and this process is user id {own}. Start Bedplate as that user, or give \
        the folder to this one: sudo chown -R {own} {}", path.display(), path.display())]
    NotOwner { path: PathBuf, owner: u32, own: u32 },
    #[error(
        "no folder is short and private enough for the server's socket; tried {tried}. Move the project to a \
        shorter path, or set XDG_RUNTIME_DIR to a short folder of your own"
    )]
    PathTooLong { tried: String },
    #[error("the setting `{name}` cannot be changed: {why}")]
    Setting { name: String, why: &'static str },
    #[error("processes {pids:?} of an earlier server still use {} and do not end. End them: kill -9 {} — then start \
        again", dir.display(), numbers(pids))]
    Leftovers { dir: PathBuf, pids: Vec<i32> },
    #[error("initdb failed in {}: {output}", dir.display())]
    Initdb { dir: PathBuf, output: String },
    #[error("the server ended while it started ({status}). Its last lines:\n{}\nThe whole log: {}", tail.join("\n"),
        log.display())]
    ExitedEarly { status: String, tail: Vec<String>, log: PathBuf },
    #[error("the server did not answer within {} s. Its last lines:\n{}\nThe whole log: {}", after.as_secs(),
        tail.join("\n"), log.display())]
    NotReady { after: Duration, tail: Vec<String>, log: PathBuf },
    #[error("{} has no role `{role}`: it was not made by Bedplate. Use it by its own URL, or make the role: \
        create role {role} superuser login", dir.display())]
    NoSuperuser { dir: PathBuf, role: String },
    #[error(
        "the download of PostgreSQL {version} was not agreed to. Install the server yourself: {install} — or allow \
        the download"
    )]
    DownloadRefused { version: String, install: String },
    #[error("the download from {url} failed: {why}. Try again, or install the server: {install}")]
    Download { url: String, why: String, install: String },
    #[error(
        "the archive from {url} is not the pinned one (SHA-256 {found}, expected {expected}), and was removed. Do \
        not use this source, or correct the pinned hash"
    )]
    HashMismatch { url: String, expected: String, found: String },
    #[error("the start was given up, because the caller no longer waits for it")]
    Cancelled,
    #[error("cannot {action} {}: {source}{}", path.display(), advice(source))]
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

impl Error {
    /// An input or output error with what was being done to which path.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }
}

fn wanted(major: Option<u32>) -> String {
    major.map_or_else(|| format!("{} or newer", crate::OLDEST_MAJOR), |major| major.to_string())
}

fn list(versions: &[Version]) -> String {
    versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn numbers(pids: &[i32]) -> String {
    pids.iter().fold(String::new(), |mut text, pid| {
        let space = if text.is_empty() { "" } else { " " };
        // Writing to a string cannot fail.
        let _ = write!(text, "{space}{pid}");
        text
    })
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => ". Start Bedplate as the user who owns it, or change the owner",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ". Free some space and start again",
        io::ErrorKind::ResourceBusy => ". Is it a mount point? Mount the volume on the state folder instead",
        io::ErrorKind::ReadOnlyFilesystem => {
            ". The file system is read-only; choose a state folder elsewhere"
        }
        _ => "",
    }
}

/// How to install a server on this machine. `major` is what existing data needs.
pub(crate) fn install_line(major: Option<u32>) -> String {
    if cfg!(target_os = "macos") {
        return format!("brew install postgresql@{}", major.unwrap_or(17));
    }
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let family: String = release
        .lines()
        .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")))
        .map(|value| value.trim_matches('"').to_owned())
        .collect::<Vec<_>>()
        .join(" ");
    let is = |name: &str| family.split_whitespace().any(|word| word == name);
    let dashed = major.map(|m| format!("-{m}")).unwrap_or_default();
    let joined = major.map(|m| m.to_string()).unwrap_or_default();
    if is("debian") || is("ubuntu") {
        format!("sudo apt install postgresql{dashed}")
    } else if is("fedora") || is("rhel") || is("centos") {
        match major {
            // Only the project's own packages carry several majors side by side.
            Some(major) => format!("sudo dnf install postgresql{major}-server"),
            None => "sudo dnf install postgresql-server".to_owned(),
        }
    } else if is("alpine") {
        format!("sudo apk add postgresql{joined}")
    } else if is("arch") {
        "sudo pacman -S postgresql".to_owned()
    } else if is("suse") || is("opensuse") {
        format!("sudo zypper install postgresql{joined}-server")
    } else {
        format!(
            "the server package of your system (apt install postgresql{dashed}, dnf install postgresql-server, \
            brew install postgresql@{})",
            major.unwrap_or(17)
        )
    }
}

/// Problem codes of this crate.
pub mod codes {
    bedplate_core::codes! {
        /// Another process runs the private server.
        CLUSTER_LOCKED = "cluster_locked", 503, Database, "The database is run by another process", final;
        /// The private server has no room to work.
        CLUSTER_DISK_FULL = "cluster_disk_full", 507, Database, "The disk of the database is full", retry;
        /// The private server cannot be started; the log says why.
        CLUSTER_UNAVAILABLE = "cluster_unavailable", 503, Database, "The database is not running", retry;
    }
}

impl From<Error> for Problem {
    /// Paths and processes are for the log and the command line, not for callers over HTTP.
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::Locked { .. } => &codes::CLUSTER_LOCKED,
            Error::DiskFull { .. } => &codes::CLUSTER_DISK_FULL,
            _ => &codes::CLUSTER_UNAVAILABLE,
        };
        Self::new(code).caused_by(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_shows_the_cause_to_the_log_and_not_to_callers() {
        let error = Error::Locked { state_dir: "/secret/place".into(), pid: Some(42) };
        let text = error.to_string();
        assert!(text.contains("process 42") && text.contains("Stop that one first"), "{text}");
        let problem = Problem::from(error);
        assert_eq!(problem.status(), 503);
        assert_eq!(problem.detail_text(), None);
        assert!(problem.to_string().contains("/secret/place"));
    }

    #[test]
    fn the_install_line_names_the_major_that_data_needs() {
        assert!(install_line(Some(16)).contains("postgresql"));
        let error = Error::NotFound { major: None, download: String::new(), install: install_line(None) };
        assert!(error.to_string().contains("15 or newer"), "{error}");
    }
}
