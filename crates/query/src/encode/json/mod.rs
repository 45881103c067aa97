//! Rows as JSON, byte for byte as PostgreSQL's `to_json` writes the same values: a row encoded here and one nested by
//! `json_agg` look the same.

mod datetime;
mod float;
mod string;
pub mod strip;

use bedplate_core::{Problem, Result};
use bytes::{BufMut as _, BytesMut};

use super::Fields;
use crate::output::{Codec, Node, Object};

pub use string::push_string;

/// Writes one object.
///
/// # Errors
/// An internal problem when a column is missing or its bytes do not fit its codec.
pub fn object(object: &Object, fields: &Fields, row: &[u8], out: &mut BytesMut) -> Result<()> {
    let mut before = b'{';
    for field in &object.fields {
        out.put_u8(before);
        before = b',';
        out.extend_from_slice(&field.key);
        match &field.value {
            Node::Column { index, codec } => column(*codec, *index, fields, row, out)?,
            Node::Object { present, object: inner } => {
                let there = match present {
                    Some(flag) => fields.get(row, *flag)? == Some(&[1]),
                    None => true,
                };
                if there { self::object(inner, fields, row, out)? } else { out.extend_from_slice(b"null") }
            }
        }
    }
    if before == b'{' {
        out.put_u8(b'{');
    }
    out.put_u8(b'}');
    Ok(())
}

/// Writes one column's value; NULL is `null`.
///
/// # Errors
/// An internal problem when the column is missing or its bytes do not fit the codec.
#[inline]
pub fn column(codec: Codec, index: u16, fields: &Fields, row: &[u8], out: &mut BytesMut) -> Result<()> {
    if let Some(bytes) = fields.get(row, index)? {
        value(codec, bytes, out)
    } else {
        out.extend_from_slice(b"null");
        Ok(())
    }
}

/// Writes a value that is not NULL.
///
/// # Errors
/// An internal problem when the bytes do not fit the codec.
pub fn value(codec: Codec, bytes: &[u8], out: &mut BytesMut) -> Result<()> {
    match codec {
        Codec::Bool => match bytes {
            [0] => out.extend_from_slice(b"false"),
            [_] => out.extend_from_slice(b"true"),
            _ => return Err(odd(codec, bytes)),
        },
        Codec::Int2 => integer(i16::from_be_bytes(fixed(codec, bytes)?), out),
        Codec::Int4 => integer(i32::from_be_bytes(fixed(codec, bytes)?), out),
        Codec::Int8 => integer(i64::from_be_bytes(fixed(codec, bytes)?), out),
        // Not one of to_json's numeric types, so a string there.
        Codec::Oid => quoted(out, |out| {
            integer(u32::from_be_bytes(fixed(codec, bytes)?), out);
            Ok(())
        })?,
        Codec::Float4 => float::push_f32(f32::from_be_bytes(fixed(codec, bytes)?), out),
        Codec::Float8 => float::push_f64(f64::from_be_bytes(fixed(codec, bytes)?), out),
        Codec::Uuid => quoted(out, |out| {
            let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
            let id = uuid::Uuid::from_bytes(fixed(codec, bytes)?);
            out.extend_from_slice(id.hyphenated().encode_lower(&mut text).as_bytes());
            Ok(())
        })?,
        Codec::Timestamp => datetime::push_timestamp(i64::from_be_bytes(fixed(codec, bytes)?), "", out),
        Codec::Timestamptz => {
            datetime::push_timestamp(i64::from_be_bytes(fixed(codec, bytes)?), "+00:00", out);
        }
        Codec::Date => datetime::push_date(i32::from_be_bytes(fixed(codec, bytes)?), out),
        Codec::String | Codec::Quoted => push_string(bytes, out),
        Codec::Json => out.extend_from_slice(bytes),
        Codec::Jsonb => match bytes {
            [1, text @ ..] => out.extend_from_slice(text),
            _ => return Err(odd(codec, bytes)),
        },
        Codec::Bytea => bytea(bytes, out),
        Codec::Number => number(bytes, out),
    }
    Ok(())
}

fn integer(value: impl itoa::Integer, out: &mut BytesMut) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn quoted(out: &mut BytesMut, content: impl FnOnce(&mut BytesMut) -> Result<()>) -> Result<()> {
    out.put_u8(b'"');
    content(out)?;
    out.put_u8(b'"');
    Ok(())
}

/// numeric's text: a number, or `NaN`, `Infinity`, `-Infinity` as strings.
fn number(text: &[u8], out: &mut BytesMut) {
    if matches!(text, [b'0'..=b'9', ..] | [b'-', b'0'..=b'9', ..]) {
        out.extend_from_slice(text);
    } else {
        push_string(text, out);
    }
}

/// `"\\x…"`: the text form with its backslash escaped.
fn bytea(bytes: &[u8], out: &mut BytesMut) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.reserve(bytes.len() * 2 + 5);
    out.extend_from_slice(b"\"\\\\x");
    for chunk in bytes.chunks(32) {
        let mut hex = [0; 64];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(chunk) {
            pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
        out.extend_from_slice(&hex[..chunk.len() * 2]);
    }
    out.put_u8(b'"');
}

#[inline]
fn fixed<const N: usize>(codec: Codec, bytes: &[u8]) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| odd(codec, bytes))
}

#[cold]
fn odd(codec: Codec, bytes: &[u8]) -> Problem {
    Problem::internal_error(format!("a result column of {} bytes is not a {codec:?}", bytes.len()))
}
