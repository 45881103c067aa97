//! The columns of a DataRow message, found once for each row.

use bedplate_core::{Problem, Result};

/// Where each column's bytes are. The memory is kept from row to row.
#[derive(Debug, Default)]
pub struct Fields {
    /// Start and length; a negative length is NULL.
    spans: Vec<(u32, i32)>,
}

impl Fields {
    /// Finds the columns of a DataRow message that begins behind its column count.
    ///
    /// # Errors
    /// An internal problem when a length goes past the end.
    pub fn split(&mut self, row: &[u8]) -> Result<()> {
        self.spans.clear();
        let mut at = 0_usize;
        while at < row.len() {
            let length = row.get(at..at + 4).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
            let length = i32::from_be_bytes(length.ok_or_else(short)?);
            at += 4;
            self.spans.push((at as u32, length));
            at += usize::try_from(length).unwrap_or(0);
        }
        if at == row.len() && u32::try_from(at).is_ok() { Ok(()) } else { Err(short()) }
    }

    pub fn len(&self) -> usize {
        self.spans.len()
    }

    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// A column's bytes in the row that was split last; `None` is NULL.
    ///
    /// # Errors
    /// An internal problem when the row has no such column.
    #[inline]
    pub fn get<'r>(&self, row: &'r [u8], column: u16) -> Result<Option<&'r [u8]>> {
        let Some((start, length)) = self.spans.get(usize::from(column)) else {
            return Err(missing(column));
        };
        let Ok(length) = usize::try_from(*length) else { return Ok(None) };
        let start = *start as usize;
        row.get(start..start + length).map(Some).ok_or_else(short)
    }
}

#[cold]
fn short() -> Problem {
    Problem::internal_error("a result row is shorter than its lengths say")
}

#[cold]
fn missing(column: u16) -> Problem {
    Problem::internal_error(format!("a result row has no column {column}"))
}
