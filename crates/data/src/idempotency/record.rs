//! The record of a key in the database: its statements, which belong to the contract (`0009_idempotency.sql`), and their
//! values.

use std::borrow::Cow;
use std::time::Duration;

use bedplate_core::Problem;
use bedplate_db::{Error, Format, Row, RowSink, Statement};
use bytes::Bytes;

use super::claim::Claim;

const BEGIN: &str = "select bedplate.idempotency_begin($1)";
const KEEP: &str = "select bedplate.idempotency_keep($1, $2, $3, $4, $5, $6, $7, $8)";
const FIND: &str = "select fingerprint, status, head, body from bedplate.idempotency_find($1)";

/// What the functions raise.
const KNOWN: &str = "ZI001";
const RUNNING: &str = "ZI003";
const TOO_MANY: &str = "ZI004";

/// An answer's status, header fields and body, as they are kept.
pub type Parts = (u16, Bytes, Bytes);

pub(crate) type Params = Vec<Option<Cow<'static, [u8]>>>;

#[derive(Debug)]
pub(crate) struct Statements {
    pub begin: Statement,
    pub keep: Statement,
    pub find: Statement,
}

impl Default for Statements {
    fn default() -> Self {
        Self {
            begin: Statement::new(BEGIN, [Format::Text]),
            keep: Statement::new(KEEP, [Format::Text]),
            find: Statement::new(FIND, [Format::Binary]),
        }
    }
}

/// How a key's statement refused, or what else went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Known,
    Running,
    TooMany,
    Other,
}

impl Refusal {
    pub fn of(error: &Error) -> Self {
        match error.db().map(|db| db.code.as_str()) {
            Some(KNOWN) => Self::Known,
            Some(RUNNING) => Self::Running,
            Some(TOO_MANY) => Self::TooMany,
            // A transaction that cannot see records younger than itself meets them when it keeps its own.
            Some("23505") if is_record(error) => Self::Running,
            _ => Self::Other,
        }
    }
}

fn is_record(error: &Error) -> bool {
    error.db().is_some_and(|db| {
        db.schema.as_deref() == Some("bedplate") && db.table.as_deref() == Some("idempotency_keys")
    })
}

pub(crate) fn id(claim: &Claim) -> Params {
    vec![bytea(&claim.id)]
}

/// The values of a record. `most`: of the caller's keys in the same of 256 parts.
pub(crate) fn keep(claim: &Claim, (status, head, body): &Parts, lifetime: Duration, most: u32) -> Params {
    vec![
        bytea(&claim.id),
        bytea(&claim.proof),
        bytea(&claim.fingerprint),
        text(status.to_string()),
        bytea(head),
        bytea(body),
        text(lifetime.as_secs_f64().to_string()),
        text(most.to_string()),
    ]
}

#[allow(clippy::unnecessary_wraps, reason = "what a parameter is")]
fn text(text: String) -> Option<Cow<'static, [u8]>> {
    Some(Cow::Owned(text.into_bytes()))
}

/// PostgreSQL's text form of bytes ("bytea Hex Format").
#[allow(clippy::unnecessary_wraps, reason = "what a parameter is")]
fn bytea(bytes: &[u8]) -> Option<Cow<'static, [u8]>> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = Vec::with_capacity(2 + 2 * bytes.len());
    out.extend_from_slice(b"\\x");
    for byte in bytes {
        out.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    Some(Cow::Owned(out))
}

/// How many of a caller's keys one part of 256 may hold, so that `keys` of them fit with near certainty: ids are spread evenly,
/// and a part with so many more than its share (four and a half times the deviation) is rare.
pub(crate) fn most_in_part(keys: u32) -> u32 {
    let share = f64::from(keys) / 256.0;
    (share + 4.5 * share.sqrt() + 4.0).ceil() as u32
}

/// The kept answer, with the fingerprint of the request that it answers.
#[derive(Default)]
pub(crate) struct Found(pub Option<([u8; 32], Parts)>);

impl RowSink for Found {
    fn row(&mut self, _call: usize, row: Row<'_>) -> Result<(), Problem> {
        let mut columns = row.columns().flatten();
        let mut next = || columns.next().ok_or_else(|| Problem::internal_error("a kept answer lacks a part"));
        let (fingerprint, status, head, body) = (next()?, next()?, next()?, next()?);
        let garbled = || Problem::internal_error("a kept answer cannot be read");
        let fingerprint = fingerprint.try_into().map_err(|_| garbled())?;
        let status = i32::from_be_bytes(status.try_into().map_err(|_| garbled())?);
        let status = u16::try_from(status).map_err(|_| garbled())?;
        let parts = (status, Bytes::copy_from_slice(head), Bytes::copy_from_slice(body));
        self.0 = Some((fingerprint, parts));
        Ok(())
    }

    fn restart(&mut self) -> bool {
        self.0 = None;
        true
    }
}

#[cfg(test)]
mod tests {
    use bedplate_db::DbError;

    use super::*;

    #[test]
    fn bytes_travel_in_postgresqls_hex_form() {
        assert_eq!(bytea(&[0, 0x5c, 0xff]).as_deref(), Some(b"\\x005cff".as_slice()));
        assert_eq!(bytea(&[]).as_deref(), Some(b"\\x".as_slice()));
    }

    #[test]
    fn refusals_are_told_by_their_codes() {
        let error = |code: &str, table: &str| {
            let (schema, table) = (Some("bedplate".to_owned()), Some(table.to_owned()));
            Error::from(DbError { code: code.to_owned(), schema, table, ..DbError::default() })
        };
        assert_eq!(Refusal::of(&error("ZI001", "")), Refusal::Known);
        assert_eq!(Refusal::of(&error("ZI003", "")), Refusal::Running);
        assert_eq!(Refusal::of(&error("ZI004", "")), Refusal::TooMany);
        assert_eq!(Refusal::of(&error("23505", "idempotency_keys")), Refusal::Running);
        assert_eq!(Refusal::of(&error("23505", "orders")), Refusal::Other);
        assert_eq!(Refusal::of(&Error::Timeout), Refusal::Other);
    }

    #[test]
    fn a_part_has_room_for_more_than_its_share() {
        assert_eq!(most_in_part(0), 4);
        assert_eq!(most_in_part(10_000), 72);
        assert!(most_in_part(1_000_000) > 4_000);
    }
}
