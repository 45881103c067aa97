//! What can go wrong. Every variant says what to do next: these texts are what a developer sees.

use bedplate_core::Problem;
use std::fmt;
use std::path::PathBuf;

/// A statement that PostgreSQL refused, with its place in the file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct StatementError {
    /// As the caller named it.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The first line of the statement.
    pub statement: String,
    pub message: String,
    /// Five characters; empty when the fault was found before PostgreSQL saw the statement.
    pub sqlstate: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    /// Where inside a function the fault lies (PostgreSQL's CONTEXT).
    pub context: Option<String>,
}

impl fmt::Display for StatementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        if !self.sqlstate.is_empty() {
            write!(f, " ({})", self.sqlstate)?;
        }
        write!(f, "\n  in: {}", self.statement)?;
        for (label, text) in [("detail", &self.detail), ("where", &self.context), ("hint", &self.hint)] {
            if let Some(text) = text {
                write!(f, "\n  {label}: {}", text.replace('\n', "\n    "))?;
            }
        }
        Ok(())
    }
}

/// An applied migration whose file is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Edited {
    pub file: String,
    pub version: String,
    pub applied_at: String,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{file} is not UTF-8 text (byte {at}): save it as UTF-8")]
    Encoding { file: String, at: usize },
    #[error("{first} and {second} have the same version {version}: give one of them another timestamp")]
    Twins { version: String, first: String, second: String },
    #[error("{file} undoes a migration that is not there: expected {expected} beside it")]
    LonelyDown { file: String, expected: String },
    #[error("{name:?} is no name for a migration: use letters, digits and underscores")]
    Name { name: String },
    #[error(
        "{} was applied {} and has been edited since. An applied migration stays as it is: restore the file (git \
         checkout) and put the change into a new migration (bedplate migrate new). While \
         nobody else has it, undoing it first works too: bedplate migrate down{}",
        first.file, first.applied_at, others(*more)
    )]
    Edited { first: Edited, more: usize },
    #[error(
        "{file} is older than {newest}, which is applied already: rename it to a newer timestamp, or allow it once with \
         --allow-out-of-order{}", others(*more)
    )]
    OutOfOrder { file: String, newest: String, more: usize },
    #[error(
        "{file} was interrupted after statement {done}, and those statements have been edited since: restore them \
         (git checkout), then run again; statements behind number {done} may change"
    )]
    InterruptedEdited { file: String, done: usize },
    #[error("{file} cannot be undone: it has no {expected}. Write that file, or go on with a new migration")]
    NoDown { file: String, expected: String },
    #[error(
        "migration {version} ({name}) is applied, but its file is missing: restore it, or undo it by hand"
    )]
    MissingFile { version: String, name: String },
    #[error("{0}")]
    Statement(Box<StatementError>),
    #[error("{file}: still locked out after {attempts} tries of {seconds} s each. {blocked_by}")]
    Locked { file: String, attempts: u32, seconds: u64, blocked_by: String },
    #[error(
        "another process has been migrating this database for more than {seconds} s (server process {holder})"
    )]
    Busy { seconds: u64, holder: String },
    #[error("{what}: {message}{}", .hint.as_deref().map(|h| format!("\n  hint: {h}")).unwrap_or_default())]
    Contract { what: String, message: String, hint: Option<String> },
    #[error(
        "the database contract is not installed here: run `bedplate migrate up`, which installs it first"
    )]
    NotInstalled,
    #[error("the database connection failed: {0}")]
    Database(#[from] tokio_postgres::Error),
}

fn others(more: usize) -> String {
    if more == 0 { String::new() } else { format!(" (and {more} more)") }
}

impl Error {
    /// The statement that failed, when one did.
    pub fn statement(&self) -> Option<&StatementError> {
        match self {
            Self::Statement(error) => Some(error),
            _ => None,
        }
    }
}

bedplate_core::codes! {
    /// A migration, policy or seed file is wrong, or the ledger and the folder do not agree.
    MIGRATION_REFUSED = "migration_refused", 500, Server, "A migration cannot be applied", final;
    /// Another process holds what a migration needs.
    MIGRATION_BUSY = "migration_busy", 503, Server, "A migration is waiting for others", retry;
    /// The database went away while migrating.
    MIGRATION_DATABASE = "migration_database_failed", 503, Database, "The database failed during a migration", retry;
}

impl From<Error> for Problem {
    /// Files and SQL are for the log and the command line, not for callers of the API.
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::Locked { .. } | Error::Busy { .. } => &MIGRATION_BUSY,
            Error::Database(_) => &MIGRATION_DATABASE,
            _ => &MIGRATION_REFUSED,
        };
        let problem = Self::new(code).internal(error.to_string());
        match error {
            Error::Statement(s) => problem.sqlstate(&s.sqlstate),
            Error::Database(source) => problem.caused_by(source),
            _ => problem,
        }
    }
}
