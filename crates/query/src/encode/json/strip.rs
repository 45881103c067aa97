//! JSON without the members that are null, as `json_strip_nulls` leaves them out: at every depth, array elements stay.

use bedplate_core::Result;
use bytes::{BufMut as _, BytesMut};

use super::{Fields, value};
use crate::output::{Codec, Node, Object};

/// Writes one object of result columns.
///
/// # Errors
/// An internal problem when a column is missing or its bytes do not fit its codec.
pub fn object(object: &Object, fields: &Fields, row: &[u8], out: &mut BytesMut) -> Result<()> {
    out.put_u8(b'{');
    let mut any = false;
    for field in &object.fields {
        let before = out.len();
        if any {
            out.put_u8(b',');
        }
        out.extend_from_slice(&field.key);
        let start = out.len();
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
        if out.get(start..) == Some(b"null") {
            out.truncate(before);
        } else {
            any = true;
        }
    }
    out.put_u8(b'}');
    Ok(())
}

/// Writes one column's value; NULL is `null`.
///
/// # Errors
/// An internal problem when the column is missing or its bytes do not fit the codec.
pub fn column(codec: Codec, index: u16, fields: &Fields, row: &[u8], out: &mut BytesMut) -> Result<()> {
    match (codec, fields.get(row, index)?) {
        (_, None) => out.extend_from_slice(b"null"),
        (Codec::Json, Some(json)) | (Codec::Jsonb, Some([1, json @ ..])) => text(json, out),
        (codec, Some(bytes)) => value(codec, bytes, out)?,
    }
    Ok(())
}

/// An object or array that is open.
#[derive(Clone, Copy)]
struct Open {
    is_object: bool,
    has_items: bool,
}

/// Writes JSON text that PostgreSQL sent, without its blanks and its null members. Of text that is no JSON something is
/// written that is no JSON either.
fn text(json: &[u8], out: &mut BytesMut) {
    let mut open: Vec<Open> = Vec::new();
    let mut key: Option<&[u8]> = None;
    let mut rest = json;
    while let Some((first, behind)) = rest.split_first() {
        match first {
            b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' => rest = behind,
            b'{' | b'[' => {
                begin(&mut open, &mut key, out);
                out.put_u8(*first);
                open.push(Open { is_object: *first == b'{', has_items: false });
                rest = behind;
            }
            b'}' | b']' => {
                open.pop();
                out.put_u8(*first);
                rest = behind;
            }
            _ => {
                let (token, behind) = rest.split_at(token_end(rest));
                rest = behind;
                let is_key = key.is_none() && open.last().is_some_and(|o| o.is_object);
                if is_key {
                    key = Some(token);
                } else if key.is_some() && token == b"null" {
                    key = None;
                } else {
                    begin(&mut open, &mut key, out);
                    out.extend_from_slice(token);
                }
            }
        }
    }
}

/// What stands before a value: a comma behind another one, and its key.
fn begin(open: &mut [Open], key: &mut Option<&[u8]>, out: &mut BytesMut) {
    if let Some(around) = open.last_mut() {
        if around.has_items {
            out.put_u8(b',');
        }
        around.has_items = true;
    }
    if let Some(key) = key.take() {
        out.extend_from_slice(key);
        out.put_u8(b':');
    }
}

/// Where a string, number or word ends; at least 1.
fn token_end(text: &[u8]) -> usize {
    if text.first() != Some(&b'"') {
        let end =
            text.iter().position(|b| matches!(b, b',' | b'}' | b']' | b':' | b' ' | b'\t' | b'\n' | b'\r'));
        return end.unwrap_or(text.len()).max(1);
    }
    let mut at = 1;
    while let Some(found) = text.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if text.get(at) == Some(&b'"') {
            return at + 1;
        }
        at += 2;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::text;

    fn stripped(json: &str) -> String {
        let mut out = bytes::BytesMut::new();
        text(json.as_bytes(), &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn null_members_go_and_null_elements_stay() {
        for (json, expected) in [
            ("null", "null"),
            ("{}", "{}"),
            (r#"{"a": null}"#, "{}"),
            (r#"{"a": null, "b": 1}"#, r#"{"b":1}"#),
            (r#"{"b": 1, "a": null}"#, r#"{"b":1}"#),
            (r#"[null, {"a": null, "b": [null, {"c": null}]}]"#, r#"[null,{"b":[null,{}]}]"#),
            (r#"{"null": "null", "x": "a, \"b\": null}"}"#, r#"{"null":"null","x":"a, \"b\": null}"}"#),
            (r#"{"a": {"b": null}, "c": -1.5e3, "d": true}"#, r#"{"a":{},"c":-1.5e3,"d":true}"#),
            ("\"\\\\\"", "\"\\\\\""),
        ] {
            assert_eq!(stripped(json), expected, "{json}");
        }
    }

    #[test]
    fn text_that_is_cut_ends_without_a_panic() {
        for json in ["\"", "\"\\", "{\"a", "}", "]]", "{\"a\":", "[1", "{:,"] {
            stripped(json);
        }
    }
}
