//! Result rows straight into the response buffer, as they arrive: no row is kept, no value becomes a string first.
//!
//! [`Encoder`] knows pages (the probe row, rows in reverse, the order keys at both ends); how a row is written is in
//! [`json`] and [`csv`]; an answer that PostgreSQL put together itself passes as it is.

pub mod csv;
mod fields;
pub mod json;
#[cfg(test)]
mod tests;

use bedplate_core::{Problem, Result};
use bytes::BytesMut;
pub use fields::Fields;

use crate::output::Output;
use crate::statement::Main;

/// Column values in text form, captured from a row; `None` is NULL.
pub type Captured = Vec<Option<String>>;

/// Writes the rows of one statement, with commas between them; brackets are the caller's.
#[derive(Debug)]
pub struct Encoder<'p> {
    main: &'p Main,
    /// The page limit when the statement asks for one row more.
    probe_limit: Option<u64>,
    fields: Fields,
    rows: u64,
    has_more: bool,
    /// Where each row starts in the buffer; only kept for pages in reverse.
    starts: Vec<usize>,
    first: Option<Captured>,
    last: Option<Captured>,
    key: Option<Captured>,
}

/// What was learned while the rows went by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// Rows written.
    pub rows: u64,
    /// The probe row came: there are more rows in the direction of the page.
    pub has_more: bool,
    /// The order keys of the first and of the last row, as answered (after a page in reverse is turned round).
    pub first: Option<Captured>,
    pub last: Option<Captured>,
    /// The primary key of the first row that came, where the statement reports it.
    pub key: Option<Captured>,
}

impl<'p> Encoder<'p> {
    /// `probe_limit` is the page's limit when the statement was bound with one more ([`crate::request::Page::probe`]).
    pub fn new(main: &'p Main, probe_limit: Option<u64>) -> Self {
        Self {
            main,
            probe_limit,
            fields: Fields::default(),
            rows: 0,
            has_more: false,
            starts: Vec::new(),
            first: None,
            last: None,
            key: None,
        }
    }

    /// Writes one row. `row` is a DataRow message behind its column count: for each column a length (i32, -1 for
    /// NULL) and the bytes (PostgreSQL 55.7, Message Formats).
    ///
    /// # Errors
    /// An internal problem when the bytes are not what the statement's output shape says.
    pub fn row(&mut self, row: &[u8], out: &mut BytesMut) -> Result<()> {
        if self.probe_limit.is_some_and(|limit| self.rows >= limit) {
            self.has_more = true;
            return Ok(());
        }
        self.fields.split(row)?;
        if let Some(column) = self.main.present_column
            && self.fields.get(row, column)?.is_none()
        {
            return Ok(());
        }
        if self.main.reversed {
            self.starts.push(out.len());
        }
        if self.rows > 0 {
            out.extend_from_slice(between(&self.main.output));
        }
        match &self.main.output {
            Output::Rows(object) => json::object(object, &self.fields, row, out)?,
            Output::Values(codec) => json::column(*codec, 0, &self.fields, row, out)?,
            other => return self.other(other, row, out),
        }
        self.capture(row)?;
        self.rows += 1;
        Ok(())
    }

    fn other(&mut self, output: &Output, row: &[u8], out: &mut BytesMut) -> Result<()> {
        match output {
            Output::StrippedRows(object) => json::strip::object(object, &self.fields, row, out)?,
            Output::StrippedValues(codec) => json::strip::column(*codec, 0, &self.fields, row, out)?,
            Output::Csv { header, columns } => {
                if self.rows == 0 {
                    out.extend_from_slice(header);
                    out.extend_from_slice(b"\n");
                }
                csv::record(*columns, &self.fields, row, out)?;
            }
            Output::Body => {
                out.extend_from_slice(self.fields.get(row, 0)?.unwrap_or_default());
                if let Some(column) = self.main.rows_column {
                    self.rows = number(self.fields.get(row, column)?)?;
                    return Ok(());
                }
            }
            Output::Lines => {
                out.extend_from_slice(self.fields.get(row, 0)?.unwrap_or_default());
                out.extend_from_slice(b"\n");
            }
            Output::Nothing | Output::Rows(_) | Output::Values(_) => {}
        }
        self.capture(row)?;
        self.rows += 1;
        Ok(())
    }

    fn capture(&mut self, row: &[u8]) -> Result<()> {
        if !self.main.order_columns.is_empty() {
            let last = self.last.get_or_insert_default();
            capture(last, &self.main.order_columns, &self.fields, row)?;
            if self.first.is_none() {
                self.first = Some(last.clone());
            }
        }
        if self.rows == 0 && !self.main.key_columns.is_empty() {
            capture(self.key.get_or_insert_default(), &self.main.key_columns, &self.fields, row)?;
        }
        Ok(())
    }

    /// Ends the list: turns a page in reverse round, and tells what was seen.
    ///
    /// # Errors
    /// An internal problem when the buffer was cut while rows were being written.
    pub fn finish(self, out: &mut BytesMut) -> Result<Page> {
        if self.rows == 0 && matches!(self.main.output, Output::Csv { .. }) {
            // Without a row there are no names either.
            out.extend_from_slice(b"\n");
        }
        if self.starts.len() > 1 {
            turn_round(&self.starts, out)?;
        }
        let (first, last) =
            if self.main.reversed { (self.last, self.first) } else { (self.first, self.last) };
        Ok(Page { rows: self.rows, has_more: self.has_more, first, last, key: self.key })
    }
}

/// What stands between two rows.
#[inline]
fn between(output: &Output) -> &'static [u8] {
    match output {
        Output::Rows(_) | Output::Values(_) | Output::StrippedRows(_) | Output::StrippedValues(_) => b",",
        Output::Csv { .. } => b"\n",
        Output::Body | Output::Lines | Output::Nothing => b"",
    }
}

/// A bigint in binary, never negative here.
fn number(value: Option<&[u8]>) -> Result<u64> {
    let bytes = value.and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
    let bytes = bytes.ok_or_else(|| Problem::internal_error("a count is not a bigint"))?;
    Ok(u64::try_from(i64::from_be_bytes(bytes)).unwrap_or(0))
}

/// Keeps the strings' memory from row to row.
fn capture(into: &mut Captured, columns: &[u16], fields: &Fields, row: &[u8]) -> Result<()> {
    into.resize(columns.len(), None);
    for (slot, column) in into.iter_mut().zip(columns) {
        match fields.get(row, *column)? {
            None => *slot = None,
            Some(bytes) => {
                let text = std::str::from_utf8(bytes)
                    .map_err(|_| Problem::internal_error("an order key is not UTF-8"))?;
                let kept = slot.get_or_insert_default();
                kept.clear();
                kept.push_str(text);
            }
        }
    }
    Ok(())
}

/// Rows stand in `out` from the first start on, each but the first with a comma before it.
fn turn_round(starts: &[usize], out: &mut BytesMut) -> Result<()> {
    let cut = || Problem::internal_error("the response buffer was cut between rows");
    let base = starts.first().copied().unwrap_or(0);
    if base > out.len() {
        return Err(cut());
    }
    let rows = out.split_off(base);
    out.reserve(rows.len());
    let mut end = rows.len();
    for (at, start) in starts.iter().enumerate().rev() {
        let row = rows.get(start - base..end).ok_or_else(cut)?;
        let without_comma = if at == 0 { row } else { row.get(1..).ok_or_else(cut)? };
        if out.len() > base {
            out.extend_from_slice(b",");
        }
        out.extend_from_slice(without_comma);
        end = start - base;
    }
    Ok(())
}
