//! Where the rows of a pipeline go: the main statement's into the response buffer, a count's into a number.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bedplate_core::Problem;
use bedplate_db::{Row, RowSink};
use bedplate_query::encode::{Encoder, Page};
use bedplate_query::request::Count;
use bytes::BytesMut;

use crate::door::SqlResponse;
use crate::plans::Compiled;
use crate::run::UNTOLD;

/// What a count's statement answered.
pub(crate) enum Counted {
    Rows(u64),
    /// The text of an EXPLAIN.
    Plan(String),
}

/// What went by.
pub(crate) struct Seen {
    pub page: Page,
    pub count: Option<Counted>,
    pub inserted: Option<bool>,
    pub affected: Option<u64>,
    pub total: Option<u64>,
    pub modified: Option<SystemTime>,
}

pub(crate) struct Sink<'a> {
    compiled: &'a Compiled,
    probe_limit: Option<u64>,
    encoder: Encoder<'a>,
    told: &'a AtomicU64,
    out: &'a mut BytesMut,
    /// Where the rows begin in `out`.
    start: usize,
    /// Bytes that they may have there.
    most: usize,
    count: Option<Counted>,
    inserted: Option<bool>,
    affected: Option<u64>,
    total: Option<u64>,
    modified: Option<SystemTime>,
    /// How many calls come before the operation's own; their rows are nobody's.
    pub first: usize,
    /// The call that answers what SQL wants the answer to be.
    pub response_at: Option<usize>,
    pub response: SqlResponse,
    /// A guard found nothing: whatever comes after it does not count.
    pub parent_missing: bool,
}

impl<'a> Sink<'a> {
    pub fn new(
        compiled: &'a Compiled,
        probe_limit: Option<u64>,
        told: &'a AtomicU64,
        out: &'a mut BytesMut,
        start: usize,
    ) -> Self {
        let encoder = Encoder::new(&compiled.planned.main, probe_limit);
        Self {
            compiled,
            probe_limit,
            encoder,
            told,
            out,
            start,
            // What is written may be committed before it is known how much the answer will be.
            most: if compiled.planned.writes { usize::MAX } else { compiled.allowance.response_bytes },
            count: None,
            inserted: None,
            affected: None,
            total: None,
            modified: None,
            first: 0,
            response_at: None,
            response: SqlResponse::default(),
            parent_missing: false,
        }
    }

    /// For writes that can be undone after their rows are seen.
    pub fn bounded(&mut self) {
        self.most = self.compiled.allowance.response_bytes;
    }

    /// Drops what was received.
    pub fn clear(&mut self) {
        self.out.truncate(self.start);
        self.encoder = Encoder::new(&self.compiled.planned.main, self.probe_limit);
        (self.count, self.inserted, self.affected, self.total) = (None, None, None, None);
        self.modified = None;
        self.parent_missing = false;
        self.told.store(UNTOLD, Ordering::Relaxed);
    }

    pub fn finish(self) -> Result<Seen, Problem> {
        Ok(Seen {
            page: self.encoder.finish(self.out)?,
            count: self.count,
            inserted: self.inserted,
            affected: self.affected,
            total: self.total,
            modified: self.modified,
        })
    }

    /// The columns beside the answer: they are equal in every row.
    fn note(&mut self, row: Row<'_>) -> Result<(), Problem> {
        let main = &self.compiled.planned.main;
        let column = |index: Option<u16>| index.and_then(|i| row.columns().nth(usize::from(i)).flatten());
        if let Some(value) = column(main.inserted_column) {
            // A boolean in binary: one byte. Of several rows, one that is new makes it true.
            self.inserted = Some(self.inserted == Some(true) || value == [1]);
        }
        if let Some(value) = column(main.affected_column) {
            let affected = number(value)?;
            self.affected = Some(affected);
            self.told.store(affected, Ordering::Relaxed);
        }
        if let Some(value) = column(main.rows_column)
            && self.affected.is_none()
        {
            self.told.store(number(value)?, Ordering::Relaxed);
        }
        if let Some(value) = column(main.total_column) {
            self.total = Some(number(value)?);
        }
        Ok(())
    }

    fn note_count(&mut self, row: Row<'_>) -> Result<(), Problem> {
        let value = row.columns().next().flatten().unwrap_or_default();
        let planned = self.compiled.planned.count.as_ref().is_some_and(|count| count.kind == Count::Planned);
        if !planned {
            self.count = Some(Counted::Rows(number(value)?));
            return Ok(());
        }
        // An EXPLAIN may come in several rows.
        let text = String::from_utf8_lossy(value);
        match &mut self.count {
            Some(Counted::Plan(plan)) => plan.push_str(&text),
            _ => self.count = Some(Counted::Plan(text.into_owned())),
        }
        Ok(())
    }
}

/// What SQL says of the answer when nothing was said yet. A function that spoke for its whole session must not speak in the
/// answers of others.
pub(crate) const SILENT: [(&str, &str); 2] = [("response.headers", ""), ("response.status", "")];

/// The row of [`SQL_RESPONSE`](crate::door::SQL_RESPONSE).
pub(crate) fn response(row: Row<'_>) -> SqlResponse {
    let mut texts = row.columns().map(|column| {
        let text = column.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        text.filter(|text| !text.is_empty())
    });
    SqlResponse { headers: texts.next().flatten(), status: texts.next().flatten() }
}

/// A bigint in binary, never negative here.
fn number(value: &[u8]) -> Result<u64, Problem> {
    let bytes = value.try_into().map_err(|_| Problem::internal_error("a count is not a bigint"))?;
    Ok(u64::try_from(i64::from_be_bytes(bytes)).unwrap_or(0))
}

/// A timestamptz in binary: microseconds since 2000-01-01 UTC. The infinite ones are none.
fn timestamp(value: &[u8]) -> Option<SystemTime> {
    const EPOCH: Duration = Duration::from_hours(262_968);
    let micros = i64::from_be_bytes(value.try_into().ok()?);
    let since = Duration::from_micros(u64::try_from(micros).ok().filter(|_| micros != i64::MAX)?);
    UNIX_EPOCH.checked_add(EPOCH)?.checked_add(since)
}

impl RowSink for Sink<'_> {
    fn row(&mut self, call: usize, row: Row<'_>) -> Result<(), Problem> {
        let main = self.first + self.compiled.guards.len();
        if self.response_at == Some(call) {
            self.response = response(row);
            return Ok(());
        }
        if call == main {
            if self.compiled.notes {
                self.note(row)?;
            }
            if self.modified.is_none()
                && let Some(column) = self.compiled.modified
            {
                self.modified = row.columns().nth(usize::from(column)).flatten().and_then(timestamp);
            }
            self.encoder.row(row.raw(), self.out)?;
            let used = self.out.len() - self.start;
            return if used <= self.most { Ok(()) } else { Err(self.compiled.allowance.too_large()) };
        }
        if call > main { self.note_count(row) } else { Ok(()) }
    }

    fn complete(&mut self, call: usize, affected: u64) {
        let guards = self.first..self.first + self.compiled.guards.len();
        if guards.contains(&call) && affected == 0 {
            self.parent_missing = true;
        }
    }

    fn restart(&mut self) -> bool {
        self.clear();
        true
    }
}
