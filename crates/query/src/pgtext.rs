//! JSON values of a body to PostgreSQL's text input, by type: exact (a number's digits are passed on as written), and
//! without a detour over a tree of values.

use std::borrow::Cow;
use std::sync::Arc;

use bedplate_core::problem::VALIDATION_FAILED;
use bedplate_core::{Problem, Result};
use serde_json::value::RawValue;

/// What a JSON value must become. Decided when planned, from the column's type.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// json and jsonb: the JSON text itself.
    Json,
    /// Any type whose text input takes what a JSON scalar prints as (numbers, booleans, strings without quotes).
    Scalar,
    /// An array of `Target`: `{…}`.
    Array(Arc<Target>),
    /// A composite: fields in order, by name: `(…)`.
    Composite(Arc<[(crate::ident::Ident, Target)]>),
}

/// The parameter text for the JSON text of one field. `None` is SQL NULL: JSON `null` for every type, json and jsonb
/// included, as `json_to_recordset` has it for bulk rows (PostgreSQL 9.16). A string given for an array or a composite
/// is taken as PostgreSQL's own literal.
///
/// # Errors
/// `validation_failed` when the shape does not fit the type (an object for a number, say). The message names shapes
/// only, never values or types.
pub fn from_json<'j>(json: &'j str, target: &Target) -> Result<Option<Cow<'j, str>>> {
    let json = json.trim_matches([' ', '\t', '\n', '\r']);
    match json.as_bytes().first() {
        Some(b'n') => Ok(None),
        Some(_) if *target == Target::Json => Ok(Some(Cow::Borrowed(json))),
        Some(b'"') => string(json).map(Some),
        Some(b'[') => match target {
            Target::Array(_) => composed(json, target).map(Some),
            // Types of extensions read JSON of their own (`[0.1,0.2]` of pgvector). What a type cannot read, PostgreSQL
            // refuses, as it does in bulk rows.
            Target::Scalar => Ok(Some(Cow::Borrowed(json))),
            _ => Err(misfit("an array is not possible here")),
        },
        Some(b'{') => match target {
            Target::Composite(_) => composed(json, target).map(Some),
            Target::Scalar => Ok(Some(Cow::Borrowed(json))),
            _ => Err(misfit("an object is not possible here")),
        },
        Some(b't' | b'f' | b'-' | b'0'..=b'9') => match target {
            Target::Scalar => Ok(Some(Cow::Borrowed(json))),
            Target::Array(_) => Err(misfit("an array is needed here")),
            Target::Composite(_) => Err(misfit("an object is needed here")),
            Target::Json => Ok(Some(Cow::Borrowed(json))),
        },
        _ => Err(misfit("this is not JSON")),
    }
}

/// The array literal of a list: one parameter for `= any($1)`.
pub fn list(items: &[Option<String>]) -> String {
    let mut out = String::with_capacity(2 + items.iter().flatten().map(|item| item.len() + 3).sum::<usize>());
    out.push('{');
    push_items(&mut out, items);
    out.push('}');
    out
}

pub(crate) fn push_items(out: &mut String, items: &[Option<String>]) {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        match item {
            Some(item) => push_element(out, item),
            None => out.push_str("NULL"),
        }
    }
}

fn misfit(what: &'static str) -> Problem {
    Problem::new(&VALIDATION_FAILED).detail(what)
}

fn composed(json: &str, target: &Target) -> Result<Cow<'static, str>> {
    let mut out = String::with_capacity(json.len() + 16);
    push(&mut out, json, target, 0)?;
    Ok(Cow::Owned(out))
}

/// The deepest body that is accepted (security.md §4); arrays of PostgreSQL have six dimensions at most.
const MOST_DEPTH: usize = 64;

/// Appends a non-null value as it stands inside nothing.
fn push(out: &mut String, json: &str, target: &Target, depth: usize) -> Result<()> {
    if depth > MOST_DEPTH {
        return Err(misfit("this is nested too deeply"));
    }
    match (target, json.as_bytes().first()) {
        (Target::Array(element), Some(b'[')) => array(out, json, element, depth),
        (Target::Composite(fields), Some(b'{')) => row(out, json, fields, depth),
        _ => {
            let text = from_json(json, target)?;
            out.push_str(text.as_deref().unwrap_or(""));
            Ok(())
        }
    }
}

fn array(out: &mut String, json: &str, element: &Target, depth: usize) -> Result<()> {
    let items: Vec<&RawValue> = serde_json::from_str(json).map_err(|_| misfit("this is not JSON"))?;
    out.push('{');
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        let item = item.get();
        match item.as_bytes().first() {
            Some(b'n') => out.push_str("NULL"),
            // A further dimension of the same array type.
            Some(b'[') if *element != Target::Json => match element {
                Target::Array(_) => push(out, item, element, depth + 1)?,
                _ if depth < MOST_DEPTH => array(out, item, element, depth + 1)?,
                _ => return Err(misfit("this is nested too deeply")),
            },
            _ => {
                let mut text = String::new();
                push(&mut text, item, element, depth + 1)?;
                push_element(out, &text);
            }
        }
    }
    out.push('}');
    Ok(())
}

fn row(out: &mut String, json: &str, fields: &[(crate::ident::Ident, Target)], depth: usize) -> Result<()> {
    let mut given: Vec<(Cow<'_, str>, &RawValue)> = Vec::with_capacity(fields.len());
    let mut stream = serde_json::Deserializer::from_str(json);
    serde::de::Deserializer::deserialize_map(&mut stream, Members(&mut given))
        .map_err(|_| misfit("this is not JSON"))?;
    if given.iter().any(|(name, _)| !fields.iter().any(|(field, _)| field.as_str() == name)) {
        return Err(misfit("the object has a field that the type has not"));
    }
    out.push('(');
    for (at, (field, target)) in fields.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        // The last of several members with one name counts, as in jsonb.
        let Some((_, value)) = given.iter().rev().find(|(name, _)| name == field.as_str()) else { continue };
        if value.get() == "null" {
            continue;
        }
        let mut text = String::new();
        push(&mut text, value.get(), target, depth + 1)?;
        push_field(out, &text);
    }
    out.push(')');
    Ok(())
}

/// Collects an object's members in order, values unread.
struct Members<'a, 'j>(&'a mut Vec<(Cow<'j, str>, &'j RawValue)>);

impl<'j> serde::de::Visitor<'j> for Members<'_, 'j> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: serde::de::MapAccess<'j>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        while let Some((name, value)) = map.next_entry::<String, &'j RawValue>()? {
            self.0.push((Cow::Owned(name), value));
        }
        Ok(())
    }
}

/// A JSON string without its quotes and escapes.
fn string(json: &str) -> Result<Cow<'_, str>> {
    let inner = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let text = match inner {
        Some(inner) if memchr::memchr2(b'\\', b'"', inner.as_bytes()).is_none() => Cow::Borrowed(inner),
        _ => Cow::Owned(serde_json::from_str(json).map_err(|_| misfit("this is not JSON"))?),
    };
    match memchr::memchr(0, text.as_bytes()) {
        Some(_) => Err(misfit("the NUL character (\\u0000) is not allowed in text")),
        None => Ok(text),
    }
}

/// An array element, quoted unless it is harmless (array_out's rule).
fn push_element(out: &mut String, text: &str) {
    let harmless = |byte: u8| {
        !matches!(byte, b',' | b'{' | b'}' | b'"' | b'\\' | b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
    };
    if !text.is_empty() && text.bytes().all(harmless) && !text.eq_ignore_ascii_case("null") {
        out.push_str(text);
    } else {
        push_quoted(out, text);
    }
}

/// A composite's field: as an element, but `NULL` is text and an empty string must be quoted (empty is NULL).
fn push_field(out: &mut String, text: &str) {
    let harmless = |byte: u8| {
        !matches!(byte, b',' | b'(' | b')' | b'"' | b'\\' | b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
    };
    if !text.is_empty() && text.bytes().all(harmless) {
        out.push_str(text);
    } else {
        push_quoted(out, text);
    }
}

fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest.as_bytes()) {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        out.push('\\');
        out.push_str(&special[..1]);
        rest = &special[1..];
    }
    out.push_str(rest);
    out.push('"');
}
