//! Exit codes: what scripts may rely on.

use std::process::ExitCode;

use bedplate_core::{Area, Problem};

/// How a command ended. The numbers do not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// It failed for a reason without a code of its own.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Another Bedplate uses the same folder or port.
    Busy = 3,
    /// The configuration is not valid, or not safe for this command.
    Configuration = 4,
    /// The database cannot be reached or started.
    Database = 5,
    /// A migration, policy or seed failed, or does not fit what was applied before.
    Migration = 6,
    /// Checks ran, and some of them failed.
    Checks = 7,
}

impl Exit {
    pub const ALL: &[Self] = &[
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::Busy,
        Self::Configuration,
        Self::Database,
        Self::Migration,
        Self::Checks,
    ];

    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed for another reason",
            Self::Usage => "the command line is wrong",
            Self::Busy => "another Bedplate uses this folder or port",
            Self::Configuration => "the configuration is not valid, or not safe for this command",
            Self::Database => "the database cannot be reached or started",
            Self::Migration => "a migration, policy or seed failed or was changed after it was applied",
            Self::Checks => "checks ran, and some failed",
        }
    }

    /// The code for a problem, by where it belongs.
    pub fn of(problem: &Problem) -> Self {
        let code = problem.code();
        match code.name {
            "cluster_locked" | "listen_failed" => Self::Busy,
            "database_url_invalid" | "auth_settings_invalid" | "access_unsafe" | "keys_unusable" => {
                Self::Configuration
            }
            "migration_database_failed" => Self::Database,
            name if name.starts_with("migration") => Self::Migration,
            _ if code.area == Area::Database => Self::Database,
            _ => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
