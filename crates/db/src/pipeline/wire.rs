//! Reading the backend's messages without copying or allocating: [`Input`] finds the frames in whatever chunks the
//! socket gives, [`Row`] walks the columns of a DataRow in place.

use std::ops::Range;

use bytes::{Buf, BytesMut};

use crate::error::Error;

/// What a read should at least be able to take in.
const ROOM: usize = 8 * 1024;
/// A buffer that grew past this for one large answer is given back afterwards.
const KEEP: usize = 256 * 1024;

/// The bytes received and not yet handled.
pub(super) struct Input {
    pub(super) buffer: BytesMut,
    at: usize,
}

/// A message: its tag and where its body lies in the buffer.
pub(super) struct Frame {
    pub(super) tag: u8,
    pub(super) body: Range<usize>,
}

impl Input {
    pub(super) fn new() -> Self {
        Self { buffer: BytesMut::with_capacity(2 * ROOM), at: 0 }
    }

    /// The next whole message, or `None` when more bytes are needed.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, Error> {
        let pending = &self.buffer[self.at..];
        let Some((head, rest)) = pending.split_first_chunk::<5>() else { return Ok(None) };
        let [tag, length @ ..] = *head;
        let length = u32::from_be_bytes(length) as usize;
        if !(4..=i32::MAX as usize).contains(&length) {
            return Err(Error::protocol(format!("a message of length {length}")));
        }
        let length = length - 4;
        if rest.len() < length {
            return Ok(None);
        }
        let start = self.at + 5;
        self.at = start + length;
        Ok(Some(Frame { tag, body: start..start + length }))
    }

    pub(super) fn body(&self, frame: &Frame) -> &[u8] {
        &self.buffer[frame.body.clone()]
    }

    /// Drops what was handled and makes room for the next read.
    pub(super) fn make_room(&mut self) {
        if self.at == self.buffer.len() {
            self.buffer.clear();
        } else {
            self.buffer.advance(self.at);
        }
        self.at = 0;
        // Grown by what has really arrived, never by a length that the peer merely claims.
        if self.buffer.capacity() - self.buffer.len() < ROOM {
            self.buffer.reserve(self.buffer.len().max(2 * ROOM));
        }
    }

    /// Whether every byte received has been handled.
    pub(super) fn is_drained(&self) -> bool {
        self.at == self.buffer.len()
    }

    pub(super) fn shrink(&mut self) {
        if self.is_drained() && self.buffer.capacity() > KEEP {
            *self = Self::new();
        }
    }
}

/// One row, in place in the read buffer.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    columns: u16,
    data: &'a [u8],
}

impl<'a> Row<'a> {
    /// Checks the column lengths once, so that walking them afterwards cannot fail.
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, Error> {
        let garbled = || Error::protocol("a DataRow whose columns do not add up");
        let (count, data) = body.split_first_chunk::<2>().ok_or_else(garbled)?;
        let columns = u16::from_be_bytes(*count);
        let mut rest = data;
        for _ in 0..columns {
            rest = split_column(rest).ok_or_else(garbled)?.1;
        }
        if rest.is_empty() { Ok(Self { columns, data }) } else { Err(garbled()) }
    }

    /// How many columns it has.
    pub fn len(&self) -> usize {
        usize::from(self.columns)
    }

    pub fn is_empty(&self) -> bool {
        self.columns == 0
    }

    /// The columns as they stand in the message: for each a length (i32, -1 for NULL) and the bytes.
    pub fn raw(&self) -> &'a [u8] {
        self.data
    }

    /// The columns from left to right; `None` is NULL.
    pub fn columns(&self) -> Columns<'a> {
        Columns { left: self.columns, rest: self.data }
    }
}

impl<'a> IntoIterator for Row<'a> {
    type Item = Option<&'a [u8]>;
    type IntoIter = Columns<'a>;

    fn into_iter(self) -> Columns<'a> {
        self.columns()
    }
}

/// Iterates over the columns of a [`Row`].
#[derive(Debug, Clone)]
pub struct Columns<'a> {
    left: u16,
    rest: &'a [u8],
}

impl<'a> Iterator for Columns<'a> {
    type Item = Option<&'a [u8]>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let (column, rest) = split_column(self.rest)?;
        self.rest = rest;
        Some(column)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::from(self.left), Some(usize::from(self.left)))
    }
}

impl ExactSizeIterator for Columns<'_> {}

/// A column (length −1 is NULL) and what follows it.
#[inline]
fn split_column(data: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let (length, rest) = data.split_first_chunk::<4>()?;
    match i32::from_be_bytes(*length) {
        -1 => Some((None, rest)),
        length => {
            let (column, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            Some((Some(column), rest))
        }
    }
}

/// The count at the end of a command tag: `INSERT 0 5`, `UPDATE 5`, `SELECT 5`; 0 where there is none (`BEGIN`).
pub(super) fn affected(tag: &[u8]) -> u64 {
    let text = tag.strip_suffix(b"\0").unwrap_or(tag);
    let digits = text.rsplit(|b| *b == b' ').next().unwrap_or_default();
    std::str::from_utf8(digits).ok().and_then(|d| d.parse().ok()).unwrap_or(0)
}

/// Name and value of a ParameterStatus.
pub(super) fn parameter_status(body: &[u8]) -> Option<(&str, &str)> {
    let mut parts = body.split(|b| *b == 0);
    let name = std::str::from_utf8(parts.next()?).ok()?;
    let value = std::str::from_utf8(parts.next()?).ok()?;
    Some((name, value))
}

#[cfg(test)]
mod tests {
    use bytes::BufMut;
    use proptest::prelude::*;

    use super::*;

    type Columns = Vec<Option<Vec<u8>>>;

    fn data_row(columns: &Columns, out: &mut Vec<u8>) {
        let mut body = Vec::new();
        body.put_u16(columns.len() as u16);
        for column in columns {
            match column {
                None => body.put_i32(-1),
                Some(bytes) => {
                    body.put_i32(bytes.len() as i32);
                    body.put_slice(bytes);
                }
            }
        }
        out.put_u8(b'D');
        out.put_u32(body.len() as u32 + 4);
        out.put_slice(&body);
    }

    fn drain(input: &mut Input, rows: &mut Vec<Columns>) {
        while let Some(frame) = input.next().unwrap() {
            assert_eq!(frame.tag, b'D');
            let row = Row::parse(input.body(&frame)).unwrap();
            assert_eq!(row.len(), row.columns().len());
            rows.push(row.columns().map(|c| c.map(<[u8]>::to_vec)).collect());
        }
    }

    proptest! {
        #[test]
        fn rows_do_not_depend_on_how_the_bytes_are_cut(
            rows in prop::collection::vec(
                prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..40)), 0..6), 0..20),
            cuts in prop::collection::vec(1usize..50, 1..60),
        ) {
            let mut bytes = Vec::new();
            for row in &rows {
                data_row(row, &mut bytes);
            }
            let (mut input, mut seen, mut rest, mut cut) = (Input::new(), Vec::new(), &bytes[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let (chunk, after) = rest.split_at((*cut.next().unwrap()).min(rest.len()));
                input.make_room();
                input.buffer.put_slice(chunk);
                drain(&mut input, &mut seen);
                rest = after;
            }
            prop_assert!(input.is_drained());
            prop_assert_eq!(seen, rows);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut input = Input::new();
            input.buffer.put_slice(&bytes);
            while let Ok(Some(frame)) = input.next() {
                if let Ok(row) = Row::parse(input.body(&frame)) {
                    prop_assert_eq!(row.columns().count(), row.len());
                }
                let _ = (affected(input.body(&frame)), parameter_status(input.body(&frame)));
            }
            let _ = Row::parse(&bytes);
        }
    }

    #[test]
    fn counts_of_command_tags() {
        for (tag, count) in
            [("INSERT 0 5\0", 5), ("UPDATE 12\0", 12), ("SELECT 0\0", 0), ("BEGIN\0", 0), ("", 0)]
        {
            assert_eq!(affected(tag.as_bytes()), count, "{tag}");
        }
    }
}
