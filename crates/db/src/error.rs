//! [`Error`]: what can go wrong between a request and PostgreSQL, and [`DbError`]: what PostgreSQL itself said.

use std::fmt;
use std::time::Duration;

use bedplate_core::Problem;

use crate::{problems, sqlstate};

/// An ErrorResponse or NoticeResponse, field by field (PostgreSQL documentation, "Error and Notice Message
/// Fields"). Everything but the code may name objects or carry values that the caller must not see: dialects that
/// render it raw must do so on purpose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DbError {
    /// Not localised: `ERROR`, `FATAL`, `PANIC`, `WARNING`, `NOTICE` …
    pub severity: String,
    /// The SQLSTATE, five characters.
    pub code: String,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    /// In characters of the statement's text, from 1.
    pub position: Option<u32>,
    /// The call stack of PL functions.
    pub context: Option<String>,
    pub schema: Option<String>,
    pub table: Option<String>,
    pub column: Option<String>,
    pub data_type: Option<String>,
    pub constraint: Option<String>,
    /// The C function that raised it; the only unlocalised way to tell some errors apart.
    pub routine: Option<String>,
}

impl DbError {
    /// Reads the body of an ErrorResponse or NoticeResponse. Unknown fields are skipped, broken UTF-8 is replaced:
    /// a server speaks before `client_encoding` is settled.
    pub fn parse(mut body: &[u8]) -> Self {
        let mut error = Self::default();
        while let Some((&kind, rest)) = body.split_first() {
            if kind == 0 {
                break;
            }
            let end = memchr::memchr(0, rest).unwrap_or(rest.len());
            let text = String::from_utf8_lossy(&rest[..end]).into_owned();
            body = rest.get(end + 1..).unwrap_or_default();
            error.set(kind, text);
        }
        error
    }

    fn set(&mut self, kind: u8, text: String) {
        match kind {
            b'S' if self.severity.is_empty() => self.severity = text,
            b'V' => self.severity = text,
            b'C' => self.code = text,
            b'M' => self.message = text,
            b'D' => self.detail = Some(text),
            b'H' => self.hint = Some(text),
            b'P' => self.position = text.parse().ok(),
            b'W' => self.context = Some(text),
            b's' => self.schema = Some(text),
            b't' => self.table = Some(text),
            b'c' => self.column = Some(text),
            b'd' => self.data_type = Some(text),
            b'n' => self.constraint = Some(text),
            b'R' => self.routine = Some(text),
            _ => {}
        }
    }

    /// Whether the server said that it ends the session with this error.
    pub fn is_fatal(&self) -> bool {
        matches!(self.severity.as_str(), "FATAL" | "PANIC")
    }

    /// Whether a prepared statement is at fault which a fresh Parse would mend. The transaction has failed, so
    /// nothing was written.
    pub(crate) fn is_stale_statement(&self) -> bool {
        match self.code.as_str() {
            // Unknown, or twice prepared: another session stands behind this connection (a pooler, DEALLOCATE ALL).
            "26000" | "42P05" => true,
            // "cached plan must not change result type"; the message is localised, the routine is not.
            "0A000" => self.routine.as_deref() == Some("RevalidateCachedQuery"),
            // DDL took an object away between planning and execution: "cache lookup failed for …".
            "XX000" => self.message.starts_with("cache lookup failed"),
            _ => false,
        }
    }
}

impl fmt::Display for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.severity, self.code, self.message)?;
        for (label, text) in [("detail", &self.detail), ("hint", &self.hint), ("context", &self.context)] {
            if let Some(text) = text {
                write!(f, "; {label}: {text}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for DbError {}

impl From<&tokio_postgres::error::DbError> for DbError {
    fn from(e: &tokio_postgres::error::DbError) -> Self {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Self {
            severity: e.severity().to_owned(),
            code: e.code().code().to_owned(),
            message: e.message().to_owned(),
            detail: owned(e.detail()),
            hint: owned(e.hint()),
            position: match e.position() {
                Some(tokio_postgres::error::ErrorPosition::Original(at)) => Some(*at),
                _ => None,
            },
            context: owned(e.where_()),
            schema: owned(e.schema()),
            table: owned(e.table()),
            column: owned(e.column()),
            data_type: owned(e.datatype()),
            constraint: owned(e.constraint()),
            routine: owned(e.routine()),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// PostgreSQL refused. The transaction is rolled back.
    #[error("{0}")]
    Db(Box<DbError>),
    /// The row sink or the check refused; see [`crate::pipeline::RowSink`] for what that means for the transaction.
    #[error("{0}")]
    Sink(Problem),
    /// The deadline passed. The query is being cancelled in PostgreSQL; a write may still have been committed when
    /// it was past its COMMIT.
    #[error("the deadline passed")]
    Timeout,
    /// No pooled connection came free within the wait limit. Nothing was sent.
    #[error("no pooled connection came free within {0:?}")]
    PoolTimeout(Duration),
    /// No connection can be made, or it was found dead before anything was sent. Nothing was done.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// The server had ended the session before it began with the statements. Nothing was done, and another connection may do
    /// it.
    #[error("the session had ended: {0}")]
    Unused(String),
    /// The connection broke after the statements were sent. Whether they took effect is not known.
    #[error("the connection broke: {0}")]
    Lost(String),
    /// A write reached a server that only takes reads (a standby after a failover). Nothing was done, and the
    /// connection is not used again.
    #[error("the server only takes reads: {0}")]
    ReadOnlyServer(Box<DbError>),
    /// The peer does not speak PostgreSQL's protocol as documented. The connection is closed.
    #[error("protocol violation: {0}")]
    Protocol(String),
    /// The caller asked for something that is refused before anything is sent, for example a context without role.
    #[error("refused: {0}")]
    Misuse(&'static str),
}

impl Error {
    pub(crate) fn protocol(text: impl Into<String>) -> Self {
        Self::Protocol(text.into())
    }

    /// Whether a prepared statement was out of date, so that the same work may succeed when it is done once more. Nothing
    /// was done.
    pub fn is_stale(&self) -> bool {
        self.db().is_some_and(DbError::is_stale_statement)
    }

    /// Whether the transaction collided with another one (serialization failure, deadlock). It was rolled back, and may go
    /// well when it is done once more.
    pub fn is_conflict(&self) -> bool {
        self.db().is_some_and(|db| matches!(db.code.as_str(), "40001" | "40P01"))
    }

    /// What PostgreSQL said, where it said something.
    pub fn db(&self) -> Option<&DbError> {
        match self {
            Self::Db(e) | Self::ReadOnlyServer(e) => Some(e),
            _ => None,
        }
    }

    /// The problem as `/api/v1` shows it; what PostgreSQL said is its cause. `anonymous` makes a missing privilege a 401 instead of a 403: signing
    /// in may help.
    pub fn into_problem(self, anonymous: bool) -> Problem {
        let internal = self.to_string();
        let short = Duration::from_secs(1);
        match self {
            Self::Db(e) => sqlstate::problem(&e, anonymous).caused_by(*e),
            Self::Sink(problem) => problem,
            Self::Timeout => Problem::new(&bedplate_core::problem::TIMEOUT).internal(internal),
            Self::PoolTimeout(_) => {
                Problem::new(&problems::POOL_TIMEOUT).retry_after(short).internal(internal)
            }
            Self::Unavailable(_) | Self::Unused(_) => {
                Problem::new(&problems::DATABASE_UNAVAILABLE).retry_after(short).internal(internal)
            }
            Self::Lost(_) => Problem::new(&problems::OUTCOME_UNKNOWN)
                .hint("Read the record again, or repeat with the same Idempotency-Key")
                .retry_after(short)
                .internal(internal),
            Self::ReadOnlyServer(e) => Problem::new(&problems::DATABASE_READ_ONLY)
                .retry_after(Duration::from_secs(5))
                .sqlstate(&e.code)
                .internal(internal),
            Self::Protocol(_) | Self::Misuse(_) => Problem::internal_error(internal),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        error.into_problem(false)
    }
}

impl From<DbError> for Error {
    fn from(error: DbError) -> Self {
        Self::Db(Box::new(error))
    }
}

impl From<tokio_postgres::Error> for Error {
    /// A closed connection counts as lost: the driver does not tell whether the query had been sent.
    fn from(e: tokio_postgres::Error) -> Self {
        match e.as_db_error() {
            Some(db) => DbError::from(db).into(),
            None => {
                let mut text = e.to_string();
                if let Some(cause) = std::error::Error::source(&e) {
                    text = format!("{text}: {cause}");
                }
                Self::Lost(text)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_fields_and_survives_any_bytes() {
        let body = b"SFEHLER\0VERROR\0C23505\0Mdup \xff\0P17\0nusers_email_key\0tusers\0Zunknown\0\0";
        let e = DbError::parse(body);
        assert_eq!((e.severity.as_str(), e.code.as_str(), e.position), ("ERROR", "23505", Some(17)));
        assert_eq!(e.constraint.as_deref(), Some("users_email_key"));
        assert_eq!(e.message, "dup \u{fffd}");
        for cut in 0..body.len() {
            DbError::parse(&body[..cut]);
        }
    }

    #[test]
    fn a_problem_keeps_what_postgresql_said_for_the_log() {
        let e = Error::from(DbError {
            code: "23505".into(),
            detail: Some("Key (email)=(a@b.c) already exists.".into()),
            ..DbError::default()
        });
        let p = Problem::from(e);
        assert_eq!(p.status(), 409);
        assert!(p.detail_text().is_none_or(|d| !d.contains("a@b.c")));
        assert!(p.internal_text().unwrap().contains("a@b.c"));
        assert!(p.cause::<DbError>().is_some());
        assert_eq!(p.to_string().matches("a@b.c").count(), 1);
    }
}
