//! Bodies of writes: JSON, CSV and HTML forms, as rows for the query IR.

mod csv;

use std::collections::HashMap;

use bedplate_core::problem::{LIMIT_EXCEEDED, MALFORMED};
use bedplate_core::{Problem, Result};
use bedplate_query::request::Name;
use bedplate_query::validate::body::{Limits, Object};
use bedplate_query::validate::payload;
use http::header::CONTENT_TYPE;
use percent_encoding::percent_decode_str;
use serde_json::value::RawValue;

use crate::Call;
use crate::accept::Media;
use crate::error::{self, PGRST102};

/// What a body says.
#[derive(Debug)]
pub(crate) enum Payload {
    One(Object),
    Many(Many),
}

/// JSON text of an array.
#[derive(Debug, Default)]
pub(crate) struct Many {
    pub json: Box<str>,
    /// Of the first element, which are those of all unless columns were named.
    pub keys: Vec<Name>,
    pub first: Option<Object>,
    pub count: usize,
}

const INVALID_JSON: &str = "Empty or invalid json";
const UNEQUAL_KEYS: &str = "All object keys must match";

/// Reads a body by its `Content-Type`; without one it is JSON. `named`: the request says which columns it writes, so the keys
/// may differ from element to element.
///
/// # Errors
/// PGRST102, and the platform's limits.
pub(crate) fn read(call: &Call<'_>, bytes: &[u8], named: bool) -> Result<Payload> {
    let payload = parse(call, bytes, named)?;
    let most = call.config.door.limits.write_rows;
    match &payload {
        Payload::Many(many) if many.count > most => {
            Err(limit_exceeded(format!("at most {most} rows can be written at once")))
        }
        _ => Ok(payload),
    }
}

/// As [`read`], for bodies that are not rows to write.
pub(crate) fn parse(call: &Call<'_>, bytes: &[u8], named: bool) -> Result<Payload> {
    parse_as(media(call), bytes, &call.config.json, named)
}

pub(crate) fn is_json(call: &Call<'_>) -> bool {
    media(call) == Media::Json
}

fn media(call: &Call<'_>) -> Media {
    match call.request.headers.get(CONTENT_TYPE) {
        None => Media::Json,
        Some(value) => Media::parse(&String::from_utf8_lossy(value.as_bytes())),
    }
}

pub(crate) fn parse_as(media: Media, bytes: &[u8], limits: &Limits, named: bool) -> Result<Payload> {
    match media {
        Media::Json => json(bytes, limits, named),
        Media::Csv => csv::read(text(bytes)?, limits.keys).map(Payload::Many),
        Media::UrlEncoded => form(text(bytes)?, limits.keys).map(Payload::One),
        other => Err(error::plain(&PGRST102, &format!("Content-Type not acceptable: {}", other.name()))),
    }
}

fn json(bytes: &[u8], limits: &Limits, named: bool) -> Result<Payload> {
    let parsed = payload::parse(bytes, limits).map_err(|problem| {
        if *problem.code() == MALFORMED { error::plain(&PGRST102, INVALID_JSON) } else { problem }
    })?;
    match parsed {
        payload::Payload::Object(fields) => Ok(Payload::One(fields)),
        payload::Payload::Array(items) if !named && !items.uniform => {
            Err(error::plain(&PGRST102, UNEQUAL_KEYS))
        }
        payload::Payload::Array(items) => {
            let keys = items.first.iter().flatten().map(|(name, _)| name.clone()).collect();
            let json = text(bytes)?.into();
            Ok(Payload::Many(Many { json, keys, first: items.first, count: items.count }))
        }
        // PostgREST: nothing to write, unless columns are named; then PostgreSQL finds that there are none.
        payload::Payload::Scalar if named => {
            Ok(Payload::Many(Many { json: text(bytes)?.into(), ..Many::default() }))
        }
        payload::Payload::Scalar => Ok(Payload::Many(Many { json: "[]".into(), ..Many::default() })),
    }
}

fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| error::plain(&PGRST102, "The body is not UTF-8"))
}

fn limit_exceeded(detail: String) -> Problem {
    Problem::new(&LIMIT_EXCEEDED).detail(detail)
}

/// `application/x-www-form-urlencoded`: all values are strings. Of equal names the last counts.
fn form(text: &str, most: usize) -> Result<Object> {
    let mut fields: std::collections::BTreeMap<String, String> = std::collections::BTreeMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        if fields.len() >= most {
            return Err(limit_exceeded(format!("the body has more than {most} fields")));
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        fields.insert(form_word(name)?, form_word(value)?);
    }
    fields.into_iter().map(|(name, value)| Ok((Name::from(name), raw(&value)?))).collect()
}

fn form_word(text: &str) -> Result<String> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    Ok(decoded.map_err(|_| error::plain(&PGRST102, "The form is not UTF-8"))?.into_owned())
}

/// A string as JSON.
fn raw(text: &str) -> Result<Box<RawValue>> {
    json_of(text)
}

fn null() -> Result<Box<RawValue>> {
    json_of(&())
}

fn json_of<T: serde::Serialize + ?Sized>(value: &T) -> Result<Box<RawValue>> {
    serde_json::value::to_raw_value(value)
        .map_err(|e| Problem::internal_error("a value cannot be written as JSON").caused_by(e))
}

/// The members by their names, where many are looked up.
pub(crate) fn by_name(fields: &Object) -> HashMap<&str, &RawValue> {
    fields.iter().map(|(name, value)| (&**name, &**value)).collect()
}

/// JSON text of an array with one object.
pub(crate) fn array_of(fields: &Object) -> String {
    let mut text = String::from("[{");
    for (at, (name, value)) in fields.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str(&serde_json::Value::from(&**name).to_string());
        text.push(':');
        text.push_str(value.get());
    }
    text.push_str("}]");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Said;

    fn read_json(text: &str, named: bool) -> std::result::Result<Payload, String> {
        json(text.as_bytes(), &Limits::default(), named).map_err(|p| {
            p.cause::<Said>().map_or_else(|| p.code().name.to_owned(), |said| said.message.clone())
        })
    }

    #[test]
    fn json_is_an_object_or_uniform_objects() {
        assert!(matches!(read_json("{\"a\":1}", false), Ok(Payload::One(fields)) if fields.len() == 1));
        let many = |text, named| match read_json(text, named) {
            Ok(Payload::Many(many)) => (many.count, many.keys.len(), many.json.into_string()),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(many("[]", false), (0, 0, "[]".to_owned()));
        assert_eq!(many("7", false), (0, 0, "[]".to_owned()));
        assert_eq!(many("7", true), (0, 0, "7".to_owned()));
        assert_eq!(many(" [{\"a\":1},{\"a\":2}]", false).0, 2);
        assert_eq!(many("[{\"a\":1},{\"b\":2},3]", true).0, 3);
        for text in ["[{\"a\":1},{\"b\":2}]", "[1]", "[{\"a\":1},3]"] {
            assert_eq!(read_json(text, false).unwrap_err(), UNEQUAL_KEYS, "{text}");
        }
        for text in ["", "}{ x = 2", "[", "{\"a\"}"] {
            assert_eq!(read_json(text, false).unwrap_err(), INVALID_JSON, "{text}");
            assert_eq!(read_json(text, true).unwrap_err(), INVALID_JSON, "{text}");
        }
        assert_eq!(read_json(&"[".repeat(1000), false).unwrap_err(), "limit_exceeded");
    }

    #[test]
    fn forms_are_strings() {
        let read = |text: &str| {
            form(text, 3).map(|fields| {
                fields.iter().map(|(n, v)| format!("{n}={}", v.get())).collect::<Vec<_>>().join(" ")
            })
        };
        assert_eq!(read("b=x+y&a=%22%C3%A9&b=2&c").unwrap(), "a=\"\\\"é\" b=\"2\" c=\"\"");
        assert_eq!(read("").unwrap(), "");
        assert!(read("a=%ff").is_err());
        assert_eq!(read("a&b&c&d").unwrap_err().code().name, "limit_exceeded");
    }

    #[test]
    fn an_object_becomes_an_array_of_one() {
        let fields = vec![(Name::from("a\"b"), raw("x").unwrap()), (Name::from("c"), raw("1").unwrap())];
        assert_eq!(array_of(&fields), r#"[{"a\"b":"x","c":"1"}]"#);
    }
}
