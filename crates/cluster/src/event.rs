//! Progress of a start, for the caller to show.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::binaries::Version;

/// One step of a start or restart. `Display` gives one line for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Looking for server binaries.
    Searching,
    /// These binaries are used.
    Found { bin_dir: PathBuf, version: Version },
    /// A download goes on. `total` is unknown when the server does not say.
    Downloading { version: String, received: u64, total: Option<u64> },
    /// The archive has the pinned hash and is being unpacked.
    Unpacking { version: String },
    /// A data folder that was never finished is removed; it held nothing of the user's.
    RemovedHalfMade { dir: PathBuf },
    /// Server processes that a killed Bedplate left behind were ended.
    EndedLeftovers { pids: Vec<i32> },
    /// The data folder is placed elsewhere, because the database's user cannot enter the state folder.
    Placed { dir: PathBuf, because: String },
    /// A new data folder is being made.
    Creating { dir: PathBuf },
    /// The server was not shut down cleanly and replays its log.
    Recovering,
    /// The server answers queries.
    Started { version: Version, took: Duration, created: bool },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Searching => write!(f, "looking for PostgreSQL"),
            Self::Found { bin_dir, version } => write!(f, "PostgreSQL {version} in {}", bin_dir.display()),
            Self::Downloading { version, received, total } => {
                write!(f, "downloading PostgreSQL {version}: {} MB", received / 1_000_000)?;
                total.map_or(Ok(()), |total| write!(f, " of {} MB", total / 1_000_000))
            }
            Self::Unpacking { version } => write!(f, "unpacking PostgreSQL {version}"),
            Self::RemovedHalfMade { dir } => write!(f, "removed the half-made data folder {}", dir.display()),
            Self::EndedLeftovers { pids } => {
                write!(f, "ended {} server processes that an earlier run left behind", pids.len())
            }
            Self::Placed { dir, because } => write!(f, "data goes to {}: {because}", dir.display()),
            Self::Creating { dir } => write!(f, "making a new data folder in {}", dir.display()),
            Self::Recovering => write!(f, "recovering after an unclean stop"),
            Self::Started { version, took, created } => {
                let new = if *created { ", new" } else { "" };
                write!(f, "PostgreSQL {version} is ready after {:.1} s{new}", took.as_secs_f64())
            }
        }
    }
}

/// The caller's listener, shared by the threads of one cluster.
#[derive(Clone)]
pub(crate) struct Events(Arc<dyn Fn(Event) + Send + Sync>);

impl Events {
    pub(crate) fn new(listener: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }

    pub(crate) fn send(&self, event: Event) {
        tracing::debug!(target: "bedplate::cluster", "{event}");
        (self.0)(event);
    }
}
