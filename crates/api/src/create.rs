//! `POST /api/v1/{resource}`: one row (an object) or many (an array, one transaction), also below a parent.

use std::time::Instant;

use bedplate_core::problem::{FORBIDDEN, FieldFaults, LIMIT_EXCEEDED, VALIDATION_FAILED};
use bedplate_core::{Problem, Result};
use bedplate_data::RunOptions;
use bedplate_http::{RequestBody, Response};
use bedplate_query::gate::Verb;
use bedplate_query::plan;
use bedplate_query::request::{Insert, Item, Name, Node, Returning, Rows, Style, Value, Values};
use bedplate_query::{Operation, Request, ValueRef, validate};
use bytes::BytesMut;
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::conditional::Tag;
use crate::path::Above;
use crate::prefer::Preferences;
use crate::resource::{Resource, parents, target};
use crate::{Call, PREFIX, conditional, json, media, nested, not_allowed, with_applied};

const CAPACITY: usize = 1024;
const OPEN: &[u8] = b"{\"data\":";

/// What may stand in a path segment unescaped (RFC 3986 §2.3).
pub(crate) const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(crate) async fn create(
    call: &Call<'_>,
    above: Vec<Above<'_>>,
    name: &str,
    body: RequestBody,
) -> Result<Response> {
    call.report.set_class("api.create");
    // Whether it is offered at all comes before what is wrong with the request.
    let resource = Resource::get_for(call, name, Verb::Insert)?;
    let filled = foreign_key_columns(call, &above, &resource)?;
    conditional::refuse(call)?;
    media::check_json(&call.request.headers)?;
    let preferences = call.preferences()?;
    let parsed = call.parse_query(|_| false, false)?;
    check_answer(&parsed.node, &preferences)?;
    let bytes = body.collect().await?;
    let mut values = parsed.values;
    let parents = parents(call, &above, &mut values)?;
    let body = validate::body::parse_rows(&bytes, &call.api.config.json)?;
    if nested::is_nested(&resource, &body) {
        if !above.is_empty() {
            return Err(invalid_body(
                "related rows cannot be created below a path; create them with their own resource",
            ));
        }
        return nested::create(call, &resource, name, body, parsed.node, values, &preferences).await;
    }
    let many = matches!(body, validate::body::Rows::Many(_));
    let rows = rows(call, &resource, body, &bytes, &filled, &mut values)?;
    let (returning, visible) = returning(call, &resource, parsed.node, &preferences);
    let insert = Insert {
        target: target(name),
        parents,
        rows,
        conflict: None,
        missing_default: true,
        returning,
        style: Style::NATIVE,
    };
    let request = Request { operation: Operation::Insert(insert), values };
    let mut out = BytesMut::with_capacity(CAPACITY);
    out.extend_from_slice(OPEN);
    if many {
        out.extend_from_slice(b"[");
    }
    let options = RunOptions { rollback: preferences.rollback, ..RunOptions::default() };
    let ran = call.run(&request, options, &mut out).await;
    let answer = ran.map_err(|problem| if visible { explain_unreadable(problem) } else { problem })?;
    let started = Instant::now();
    let one = visible && !many && answer.page.rows == 1 && !preferences.rollback;
    let tag = if one { Tag::of(call, &out[OPEN.len()..]) } else { None };
    let mut response = if visible {
        // A trigger of the database may drop the row without a fault.
        let dropped = !many && answer.page.rows == 0;
        out.extend_from_slice(match (many, dropped) {
            (true, _) => b"]}",
            (false, true) => b"null}",
            (false, false) => b"}",
        });
        json(if dropped { StatusCode::OK } else { StatusCode::CREATED }, out)
    } else {
        Response::empty(StatusCode::CREATED)
    };
    if let Some(tag) = tag {
        tag.put(&mut response.headers);
    }
    let location = answer.page.key.filter(|_| !many).and_then(|key| location(name, &key));
    if let Some(location) = location {
        response.headers.insert(LOCATION, location);
    }
    call.rendered(started);
    Ok(with_applied(response, &preferences))
}

/// Checks the rows and puts them into the request. Several rows travel as one JSON parameter.
fn rows(
    call: &Call<'_>,
    resource: &Resource,
    body: validate::body::Rows,
    bytes: &[u8],
    filled: &[Name],
    values: &mut Values,
) -> Result<Rows> {
    match body {
        validate::body::Rows::One(fields) => {
            check(validate::create_below(&resource.catalog, resource.role, resource.id, &fields, filled))?;
            Ok(Rows::One(columns(fields, values)?))
        }
        validate::body::Rows::Many(rows) => {
            let most = call.api.data.limits().write_rows;
            if rows.len() > most {
                return Err(Problem::new(&LIMIT_EXCEEDED)
                    .detail(format!("at most {most} rows can be created at once")));
            }
            let mut faults = FieldFaults::new();
            let mut columns: Vec<Name> = Vec::new();
            for (at, fields) in rows.iter().enumerate() {
                let found =
                    validate::create_below(&resource.catalog, resource.role, resource.id, fields, filled);
                for (field, messages) in found.err().unwrap_or_default() {
                    faults.insert(format!("{at}.{field}"), messages);
                }
                for (name, _) in fields {
                    if !columns.contains(name) {
                        columns.push(Name::clone(name));
                    }
                }
            }
            check(if faults.is_empty() { Ok(()) } else { Err(faults) })?;
            let text = std::str::from_utf8(bytes).map_err(|_| invalid_body("the body is not UTF-8"))?;
            let body = crate::paging::push(values, Value::Json(text.into()))?;
            Ok(Rows::Many { columns, body, matching: Vec::new() })
        }
    }
}

/// The columns that the parent of a nested path fills, which the body leaves out.
fn foreign_key_columns(call: &Call<'_>, above: &[Above<'_>], resource: &Resource) -> Result<Vec<Name>> {
    let Some(last) = above.last() else { return Ok(Vec::new()) };
    let parent = Resource::get(call, &last.resource)?;
    let (data, relation) = (&call.api.data, resource.relation());
    let gate = data.gate();
    let below = plan::below(&resource.catalog, resource.role, &*gate, data.limits(), parent.id, resource.id);
    // No such path: told when the request is planned.
    let Some(below) = below else { return Ok(Vec::new()) };
    let creates = below.creates;
    let Some(filled) = below.filled else {
        return Err(not_allowed("GET, HEAD, OPTIONS").hint(
            "these rows belong to their parent by no foreign key of their own; create them with their own resource",
        ));
    };
    if !creates {
        let why = "INSERT on the columns of the foreign key is not granted";
        return Err(data.refusal(call.ctx, Problem::new(&FORBIDDEN).hint(why)));
    }
    Ok(filled.iter().map(|c| relation.columns[c.0 as usize].name.as_str().into()).collect())
}

/// What is answered, and whether there is a body. A caller who may not read gets none.
fn returning(
    call: &Call<'_>,
    resource: &Resource,
    node: Node,
    preferences: &Preferences,
) -> (Returning, bool) {
    match preferences.minimal {
        // Not even the key, which the database may have made: PostgreSQL refuses to return, and so to create, a row
        // that the caller may not read (an AFTER trigger that makes the caller a member comes too late).
        Some(true) => (Returning::Nothing, false),
        None if node.select.is_empty() && !resource.allows(call, Verb::Select) => (Returning::Nothing, false),
        _ => (Returning::Rows(node), true),
    }
}

/// A row that may be created but not read is refused when it is to be answered. PostgreSQL does not tell this apart
/// from a row that may not be created.
fn explain_unreadable(problem: Problem) -> Problem {
    if problem.sqlstate_text() != Some("42501") {
        return problem;
    }
    let way = "If you may create this but not read it, send Prefer: return=minimal";
    match problem.hint_text() {
        Some(known) => {
            let both = format!("{known}. {way}");
            problem.hint(both)
        }
        None => problem.hint(way),
    }
}

/// `/api/v1/tickets/7`, or for a composite key `…/a,b`.
pub(crate) fn location(name: &str, key: &[Option<String>]) -> Option<HeaderValue> {
    let part = |value: &Option<String>| {
        let text = value.as_deref()?;
        let needs_quotes = key.len() > 1 && text.contains([',', '"']);
        let text = if needs_quotes { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() };
        Some(utf8_percent_encode(&text, SEGMENT).to_string())
    };
    let parts: Option<Vec<String>> = key.iter().map(part).collect();
    let name = utf8_percent_encode(name, SEGMENT);
    HeaderValue::from_str(&format!("{PREFIX}/{name}/{}", parts?.join(","))).ok()
}

/// What a write may say of its answer: only which columns and relations it has. A write is done before its answer is made,
/// so whatever would leave the written row out of the answer would make a success look like a failure.
pub(crate) fn check_answer(node: &Node, preferences: &Preferences) -> Result<()> {
    let chooses = |item: &Item| matches!(item, Item::Embed(embed) if embed.join == bedplate_query::request::Join::Inner);
    let refused = [
        ("filters", !node.filters.is_empty(), WRITE_TAKES_SELECT),
        ("order", !node.order.is_empty(), WRITE_TAKES_SELECT),
        ("limit", node.page.limit.is_some(), WRITE_TAKES_SELECT),
        ("offset", node.page.offset.is_some(), WRITE_TAKES_SELECT),
        ("distinct", node.distinct, WRITE_TAKES_SELECT),
        ("having", !node.having.is_empty(), WRITE_TAKES_SELECT),
        ("!inner", node.select.iter().any(chooses), "chooses rows; a write answers what it wrote"),
        (
            "select",
            preferences.minimal == Some(true) && !node.select.is_empty(),
            "has nothing to choose from with Prefer: return=minimal",
        ),
    ];
    match refused.iter().find(|(_, given, _)| *given) {
        Some((name, _, why)) => Err(crate::paging::fault(name, *why)),
        None => Ok(()),
    }
}

const WRITE_TAKES_SELECT: &str = "is for reading; a write takes only select";

/// Fields to columns and their values.
pub(crate) fn columns(fields: validate::body::Object, values: &mut Values) -> Result<Vec<(Name, ValueRef)>> {
    let column = |(name, raw): (Name, Box<serde_json::value::RawValue>)| {
        Ok((name, crate::paging::push(values, Value::Json(raw.get().into()))?))
    };
    fields.into_iter().map(column).collect()
}

pub(crate) fn check(outcome: std::result::Result<(), FieldFaults>) -> Result<()> {
    outcome.map_err(|faults| {
        let count = faults.len();
        let detail = if count == 1 {
            "1 field is not valid".to_owned()
        } else {
            format!("{count} fields are not valid")
        };
        Problem::new(&VALIDATION_FAILED).detail(detail).with_fields(faults)
    })
}

pub(crate) fn invalid_body(detail: &'static str) -> Problem {
    Problem::new(&VALIDATION_FAILED).detail(detail)
}
