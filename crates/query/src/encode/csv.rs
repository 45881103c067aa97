//! Rows as CSV in PostgREST's form: each line is what PostgreSQL prints for the row as a record, without the parentheses
//! around it (PostgreSQL 8.16.6, Composite Type Input and Output Syntax).

use bedplate_core::Result;
use bytes::{BufMut as _, BytesMut};

use super::Fields;

/// Writes the first `columns` columns of a row, all in text format.
///
/// # Errors
/// An internal problem when a column is missing.
pub fn record(columns: u16, fields: &Fields, row: &[u8], out: &mut BytesMut) -> Result<()> {
    for column in 0..columns {
        if column > 0 {
            out.put_u8(b',');
        }
        match fields.get(row, column)? {
            Some(text) if is_harmless(text) => out.extend_from_slice(text),
            Some(text) => quoted(text, out),
            None => {}
        }
    }
    Ok(())
}

/// NULL is written as nothing, so the empty text must be quoted.
fn is_harmless(text: &[u8]) -> bool {
    let special = |byte: &u8| {
        matches!(byte, b'"' | b'\\' | b'(' | b')' | b',' | b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
    };
    !text.is_empty() && !text.iter().any(special)
}

fn quoted(text: &[u8], out: &mut BytesMut) {
    out.reserve(text.len() + 2);
    out.put_u8(b'"');
    let mut rest = text;
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain);
        out.put_bytes(special[0], 2);
        rest = &special[1..];
    }
    out.extend_from_slice(rest);
    out.put_u8(b'"');
}

#[cfg(test)]
mod tests {
    use bytes::{BufMut as _, BytesMut};

    use super::*;

    #[test]
    fn values_are_quoted_as_in_records() {
        let mut row = BytesMut::new();
        for value in
            [Some("plain"), None, Some(""), Some("a \"b\" \\c"), Some("x,y"), Some("{1,2}"), Some("tab\tt")]
        {
            row.put_i32(value.map_or(-1, |text| text.len() as i32));
            row.extend_from_slice(value.unwrap_or("").as_bytes());
        }
        let mut fields = Fields::default();
        fields.split(&row).unwrap();
        let mut out = BytesMut::new();
        record(7, &fields, &row, &mut out).unwrap();
        assert_eq!(&out[..], "plain,,\"\",\"a \"\"b\"\" \\\\c\",\"x,y\",\"{1,2}\",\"tab\tt\"".as_bytes());
    }
}
