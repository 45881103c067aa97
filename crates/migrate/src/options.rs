//! How a run behaves, what it tells while it runs, and what it says at the end.

use std::time::Duration;

/// How migrations run. [`Options::default`] is what production uses.
#[derive(Debug, Clone)]
pub struct Options {
    /// Apply files that are older than the newest applied one.
    pub allow_out_of_order: bool,
    /// Leave pending files at the end of the folder that hold no statement yet: while somebody is writing them, they must
    /// not count as applied. Elsewhere an empty file is a migration as any other.
    pub hold_empty: bool,
    /// How long one statement waits for a lock before everybody behind it would have waited too long.
    pub lock_timeout: Duration,
    /// How often a file is tried before a lock that does not come is an error.
    pub lock_attempts: u32,
    /// The pause after the first failed try; it doubles up to half a minute.
    pub lock_pause: Duration,
    /// How long to wait for another runner on the same database.
    pub wait_for_others: Duration,
    /// Written into the ledgers.
    pub bedplate_version: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            allow_out_of_order: false,
            hold_empty: false,
            lock_timeout: Duration::from_secs(4),
            lock_attempts: 10,
            lock_pause: Duration::from_millis(500),
            wait_for_others: Duration::from_mins(15),
            bedplate_version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// What happens during a run, as it happens.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Another runner is at work on this database.
    Waiting {
        waited: Duration,
        holder: String,
    },
    /// Migrations that Supabase's tools had applied are taken over as they are.
    Adopted {
        versions: Vec<String>,
    },
    Started {
        file: String,
        statements: usize,
        one_transaction: bool,
    },
    /// A file that had been interrupted goes on behind its last finished statement.
    Resumed {
        file: String,
        done: usize,
    },
    /// A statement of a file that is not one transaction.
    Step {
        file: String,
        statement: usize,
        of: usize,
    },
    /// A lock did not come in time; everything of this file was undone and is tried again.
    LockRetry {
        file: String,
        attempt: u32,
        pause: Duration,
        blocked_by: String,
    },
    /// Worth knowing, nothing wrong.
    Notice {
        file: String,
        text: String,
    },
    Applied {
        file: String,
        took: Duration,
    },
    Undone {
        file: String,
        took: Duration,
    },
    PoliciesApplied {
        files: usize,
        took: Duration,
    },
    Seeded {
        file: String,
        took: Duration,
    },
}

/// One migration that a run has applied or undone.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Ran {
    pub version: String,
    pub name: String,
    pub statements: usize,
    pub took: Duration,
}

/// What a run has done.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    pub ran: Vec<Ran>,
    /// Versions that had been applied already.
    pub already: usize,
    pub adopted: usize,
    /// Applied, but their files are not in the folder: `version_name`.
    pub missing: Vec<String>,
    /// Files that wait for their SQL ([`Options::hold_empty`]).
    pub held: Vec<String>,
    pub notices: Vec<String>,
    pub took: Duration,
}
