//! Arguments of a function: in the query string, or in a body of one of the types that PostgREST takes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;

use bedplate_core::problem::LIMIT_EXCEEDED;
use bedplate_core::{Problem, Result};
use bedplate_query::request::{Arguments, BodyMedia, Name, Value, ValueRef, Values};
use bedplate_query::syntax;
use bedplate_query::validate::body::Object;
use http::header::CONTENT_TYPE;

use crate::Call;
use crate::accept::Media;
use crate::body::{self, Payload};
use crate::error::{self, PGRST102};
use crate::read::push;

/// Keys with values that are no filters. A key given several times is a variadic argument; for others its last value
/// counts.
pub(super) fn of_query(pairs: Vec<(Cow<'_, str>, Cow<'_, str>)>, values: &mut Values) -> Result<Arguments> {
    texts(pairs.into_iter(), values).map(Arguments::Named)
}

fn texts<'p>(
    pairs: impl Iterator<Item = (Cow<'p, str>, Cow<'p, str>)>,
    values: &mut Values,
) -> Result<Vec<(Name, ValueRef)>> {
    let mut texts: Vec<(Name, Vec<Option<String>>)> = Vec::new();
    let mut places: HashMap<Name, usize> = HashMap::new();
    for (key, value) in pairs {
        let value = Some(value.into_owned());
        if let Some(at) = places.get(&*key) {
            texts[*at].1.push(value);
        } else {
            let name = Name::from(&*key);
            places.insert(Name::clone(&name), texts.len());
            texts.push((name, vec![value]));
        }
    }
    let mut named = Vec::with_capacity(texts.len());
    for (name, mut several) in texts {
        let value = match several.as_mut_slice() {
            [only] => only.take().map_or(Value::Null, Value::Text),
            _ => Value::List(several),
        };
        named.push((name, push(values, value)?));
    }
    Ok(named)
}

/// A JSON object (of an array the first), CSV (the first row) or a form name the arguments; text, XML and bytes are the only
/// argument themselves, as JSON is where no function takes its members. With `columns` other members do not count, and
/// those that are missing are NULL.
///
/// # Errors
/// PGRST102 for bodies that cannot be read and types that are not taken; the platform's limits.
pub(super) fn of_body(
    call: &Call<'_>,
    bytes: &[u8],
    columns: Option<Vec<Name>>,
    values: &mut Values,
) -> Result<Arguments> {
    let media = match call.request.headers.get(CONTENT_TYPE) {
        None => Media::Json,
        Some(value) => Media::parse(&String::from_utf8_lossy(value.as_bytes())),
    };
    match media {
        Media::Json if bytes.is_empty() && columns.is_none() => {
            object(Object::new(), "{}".into(), None, values)
        }
        Media::Json => match body::parse(call, bytes, columns.is_some())? {
            Payload::One(fields) => object(fields, utf8(bytes)?.into(), columns, values),
            Payload::Many(many) => object(many.first.unwrap_or_default(), many.json, columns, values),
        },
        Media::Csv => {
            let fields = match body::parse(call, bytes, false)? {
                Payload::One(fields) => fields,
                Payload::Many(many) => many.first.unwrap_or_default(),
            };
            members(fields, None, values).map(Arguments::Named)
        }
        Media::UrlEncoded => {
            let pairs = syntax::pairs(utf8(bytes)?, true)?;
            let most = call.config.json.keys;
            if pairs.len() > most {
                return Err(
                    Problem::new(&LIMIT_EXCEEDED).detail(format!("the body has more than {most} fields"))
                );
            }
            let pairs = pairs.into_iter().map(|(key, value)| (key, value.unwrap_or_default()));
            texts(pairs, values).map(Arguments::Named)
        }
        Media::Text => whole(Value::Text(utf8(bytes)?.to_owned()), BodyMedia::Text, values),
        Media::Xml => whole(Value::Text(utf8(bytes)?.to_owned()), BodyMedia::Xml, values),
        Media::OctetStream => whole(Value::Text(hex(bytes)), BodyMedia::Bytes, values),
        other => Err(error::plain(&PGRST102, &format!("Content-Type not acceptable: {}", other.name()))),
    }
}

fn object(
    fields: Object,
    json: Box<str>,
    columns: Option<Vec<Name>>,
    values: &mut Values,
) -> Result<Arguments> {
    let named = members(fields, columns, values)?;
    Ok(Arguments::Object { named, body: push(values, Value::Json(json))? })
}

fn members(fields: Object, columns: Option<Vec<Name>>, values: &mut Values) -> Result<Vec<(Name, ValueRef)>> {
    let given: Vec<(Name, Value)> = match columns {
        None => fields.into_iter().map(|(name, raw)| (name, Value::Json(raw.get().into()))).collect(),
        Some(columns) => {
            let fields = body::by_name(&fields);
            let value = |column: &Name| {
                fields.get(&**column).map_or(Value::Null, |raw| Value::Json(raw.get().into()))
            };
            columns.into_iter().map(|column| (Name::clone(&column), value(&column))).collect()
        }
    };
    given.into_iter().map(|(name, value)| Ok((name, push(values, value)?))).collect()
}

fn whole(value: Value, media: BodyMedia, values: &mut Values) -> Result<Arguments> {
    Ok(Arguments::Body { value: push(values, value)?, media })
}

fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| error::plain(&PGRST102, "The body is not UTF-8"))
}

/// As PostgreSQL reads bytea.
fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 + 2 * bytes.len());
    text.push_str("\\x");
    for byte in bytes {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
