//! `POST` (inserts and upserts) and `PUT` (one upsert at a key).

use bedplate_core::{Problem, Result};
use bedplate_data::RunOptions;
use bedplate_data::problems::NOT_SINGLE;
use bedplate_http::{RequestBody, Response};
use bedplate_query::Operation;
use bedplate_query::gate::Verb;
use bedplate_query::request::{
    Comparison, Conflict, ConflictAction, Insert, Logic, Name, Op, Returning, Rows, Value, ValueRef,
};
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Write, Written};
use crate::Call;
use crate::body::{self, Payload};
use crate::error::{self, PGRST105, PGRST114, PGRST115};
use crate::prefer::{Applies, Resolution, Return};

/// What stands unescaped in a query string (RFC 3986 §2.3).
const WORD: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(crate) async fn create(call: &Call<'_>, name: &str, body: RequestBody) -> Result<Response> {
    call.report.set_class("rest.insert");
    let mut write = Write::new(call, name)?;
    let bytes = body.collect().await?;
    let columns = write.columns.take();
    let payload = body::read(call, &bytes, columns.is_some())?;
    let missing_default = call.preferences.missing_default == Some(true);
    let rows = rows(&mut write, payload, columns, missing_default)?;
    let key = primary_key(call, name);
    let conflict = conflict(&mut write, &key);
    let returning = match call.preferences.returning {
        Some(Return::HeadersOnly) => Returning::Key,
        _ => write.returning(),
    };
    let applies = Applies { resolution: conflict.is_some(), missing: true, ..Applies::default() };
    let insert = Insert {
        target: write.target(),
        parents: Vec::new(),
        rows,
        conflict,
        missing_default,
        returning,
        style: write.style(),
    };
    let options = write.options();
    let written = write.run(Operation::Insert(insert), options).await?;
    let status = status(call, &written);
    written.respond(&write, (status, status), applies, |written, response| {
        let values = written.answer.page.key.as_ref().filter(|_| written.answer.affected == 1);
        let location = values.and_then(|values| location_of(name, &key, values));
        response.headers.extend(location.map(|value| (LOCATION, value)));
        written.content_range(&write, response, false);
    })
}

/// 200 when rows were merged and none is new.
fn status(call: &Call<'_>, written: &Written) -> StatusCode {
    let merges = call.preferences.resolution == Some(Resolution::Merge);
    let created = written.answer.inserted.unwrap_or(written.answer.affected > 0);
    if merges && !created { StatusCode::OK } else { StatusCode::CREATED }
}

/// What the preference asks for; nothing where there is no key to collide on.
fn conflict(write: &mut Write<'_>, key: &[Name]) -> Option<Conflict> {
    let named = write.on_conflict.take();
    let action = match write.call.preferences.resolution? {
        Resolution::Merge => ConflictAction::Merge,
        Resolution::Ignore => ConflictAction::Ignore,
    };
    if named.is_none() && key.is_empty() {
        return None;
    }
    Some(Conflict { columns: named.unwrap_or_default(), action })
}

/// One object is bound column by column; what needs its elements looked at travels as one JSON parameter, as arrays do.
fn rows(
    write: &mut Write<'_>,
    payload: Payload,
    columns: Option<Vec<Name>>,
    missing_default: bool,
) -> Result<Rows> {
    let (json, keys) = match payload {
        Payload::One(fields) if missing_default => {
            (body::array_of(&fields).into(), fields.into_iter().map(|(name, _)| name).collect())
        }
        Payload::One(fields) => {
            return Ok(Rows::One(match columns {
                None => write.fields(fields)?,
                Some(columns) => write.named_fields(&fields, columns)?,
            }));
        }
        Payload::Many(many) => (many.json, many.keys),
    };
    let body = crate::read::push(&mut write.values, Value::Json(json))?;
    Ok(Rows::Many { columns: columns.unwrap_or(keys), body, matching: Vec::new() })
}

pub(crate) async fn replace(call: &Call<'_>, name: &str, body: RequestBody) -> Result<Response> {
    call.report.set_class("rest.upsert");
    let mut write = Write::new(call, name)?;
    let page = &write.node.page;
    if page.is_bounded() || page.offset.is_some() {
        return Err(error::plain(&PGRST114, "limit/offset querystring parameters are not allowed for PUT"));
    }
    let bytes = body.collect().await?;
    let payload = body::read(call, &bytes, false)?;
    let matching = key_of(&mut write, &primary_key(call, name))?;
    let (json, columns) = match payload {
        Payload::One(fields) => {
            (body::array_of(&fields).into(), fields.into_iter().map(|(name, _)| name).collect())
        }
        Payload::Many(many) => (many.json, many.keys),
    };
    if matching.iter().any(|(name, _)| !columns.contains(name)) {
        return Err(mismatch());
    }
    let body = crate::read::push(&mut write.values, Value::Json(json))?;
    let insert = Insert {
        target: write.target(),
        parents: Vec::new(),
        rows: Rows::Many { columns, body, matching },
        conflict: Some(Conflict { columns: Vec::new(), action: ConflictAction::Merge }),
        missing_default: false,
        returning: write.returning(),
        style: write.style(),
    };
    let options = RunOptions { single: true, ..write.options() };
    let ran = write.run(Operation::Insert(insert), options).await;
    let written = ran.map_err(|problem| if *problem.code() == NOT_SINGLE { mismatch() } else { problem })?;
    let created = written.answer.inserted == Some(true);
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    written.respond(&write, (status, StatusCode::NO_CONTENT), Applies::default(), |_, _| ())
}

fn mismatch() -> Problem {
    error::plain(&PGRST115, "Payload values do not match URL in primary key column(s)")
}

/// The filters of a PUT: `eq` on all columns of the key and on no other. A relation that is not there is the planner's to tell.
fn key_of(write: &mut Write<'_>, key: &[Name]) -> Result<Vec<(Name, ValueRef)>> {
    let equals = |filter: &Logic| match filter {
        Logic::Test(test) if !test.negated && test.through.is_empty() && test.path.steps.is_empty() => {
            match test.op {
                Op::Compare { op: Comparison::Eq, quantifier: None, value } => {
                    Some((test.path.column.clone(), value))
                }
                _ => None,
            }
        }
        _ => None,
    };
    let filters = std::mem::take(&mut write.node.filters);
    let found: Option<Vec<(Name, ValueRef)>> = filters.iter().map(equals).collect();
    let fits = |found: &Vec<(Name, ValueRef)>| {
        !key.is_empty()
            && found.iter().all(|(name, _)| key.contains(name))
            && key.iter().all(|name| found.iter().any(|(given, _)| given == name))
    };
    match found.filter(fits) {
        Some(found) => Ok(found),
        None if relation(write.call, write.name).is_none() => Ok(Vec::new()),
        None => Err(error::plain(
            &PGRST105,
            "Filters must include all and only primary key columns with 'eq' operators",
        )),
    }
}

type Found = (std::sync::Arc<bedplate_query::catalog::Catalog>, bedplate_query::catalog::RelationId);

/// A relation that the caller may not write to is as absent: what it is told of that is the planner's to say.
fn relation(call: &Call<'_>, name: &str) -> Option<Found> {
    let catalog = call.data.catalog();
    let role = call.data.role(&catalog, call.ctx).ok()?;
    let id = catalog.find_relation(Some(call.schema.name), name)?;
    let permitted = call.config.door.gate.relation(&catalog, role, id, Verb::Insert);
    permitted.is_ok().then_some((catalog, id))
}

/// The names of the primary key's columns in table order; none where there is no such relation.
fn primary_key(call: &Call<'_>, name: &str) -> Vec<Name> {
    let Some((catalog, id)) = relation(call, name) else { return Vec::new() };
    let mut key = catalog.relation(id).primary_key.clone();
    key.sort_unstable();
    key.into_iter().map(|at| catalog.column(id, at).name.shared()).collect()
}

/// `/items?id=eq.1&part=is.null`.
fn location_of(name: &str, key: &[Name], values: &[Option<String>]) -> Option<HeaderValue> {
    if key.is_empty() || key.len() != values.len() {
        return None;
    }
    let mut location = crate::read::path_of(name);
    for (at, (column, value)) in key.iter().zip(values).enumerate() {
        location.push(if at == 0 { '?' } else { '&' });
        location.extend(utf8_percent_encode(column, WORD));
        match value {
            Some(value) => {
                location.push_str("=eq.");
                location.extend(utf8_percent_encode(value, WORD));
            }
            None => location.push_str("=is.null"),
        }
    }
    HeaderValue::from_bytes(location.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_filters_on_the_key() {
        let key: Vec<Name> = vec!["k1".into(), "k 2".into()];
        let values = [Some("Rock & R+ll,ü".to_owned()), None];
        let location = location_of("compound", &key, &values).unwrap();
        assert_eq!(location, "/compound?k1=eq.Rock%20%26%20R%2Bll%2C%C3%BC&k%202=is.null");
        assert!(location_of("no_key", &[], &[]).is_none());
        assert!(location_of("hidden", &key, &[]).is_none());
    }
}
