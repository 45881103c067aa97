//! One row by its primary key: `GET`, `PATCH`, `PUT`, `DELETE /api/v1/{resource}/{id}`.

use std::time::Instant;

use bedplate_core::problem::NOT_FOUND;
use bedplate_core::{Problem, Result};
use bedplate_data::{Answer, RunOptions};
use bedplate_http::{Body, RequestBody, Response};
use bedplate_query::gate::Verb;
use bedplate_query::request::{
    Conflict, ConflictAction, Delete, Insert, Node, Read, Returning, Rows, Style, Update,
};
use bedplate_query::{Operation, Request, validate};
use bytes::BytesMut;
use http::header::{CONTENT_TYPE, ETAG};
use http::{HeaderValue, StatusCode};

use crate::conditional::{Guarded, Tag};
use crate::path::{Above, key_values};
use crate::prefer::Preferences;
use crate::problems::KEY_MISMATCH;
use crate::resource::{Resource, parents, target};
use crate::{Call, caching, conditional, create, json, media, not_allowed, paging, with_applied};

const CAPACITY: usize = 1024;
const OPEN: &[u8] = b"{\"data\":";

pub(crate) async fn get(call: &Call<'_>, above: Vec<Above<'_>>, name: &str, key: &str) -> Result<Response> {
    call.report.set_class("api.get");
    let parsed = call.parse_query(|_| false, false)?;
    let (mut node, mut values) = (parsed.node, parsed.values);
    refuse_list_parameters(&node)?;
    let resource = Resource::get_for(call, name, Verb::Select)?;
    node.filters.extend(resource.key_filters(key, &mut values)?);
    let control = if above.is_empty() { caching::control(call, name, &node)? } else { None };
    let parents = parents(call, &above, &mut values)?;
    let read = Read { target: target(name), parents, node, count: None, style: Style::NATIVE };
    let request = Request { operation: Operation::Read(read), values };
    let mut out = BytesMut::with_capacity(CAPACITY);
    out.extend_from_slice(OPEN);
    let answer = call.run(&request, RunOptions::default(), &mut out).await?;
    one_row(call, &answer, control, out)
}

pub(crate) async fn patch(call: &Call<'_>, name: &str, key: &str, body: RequestBody) -> Result<Response> {
    call.report.set_class("api.update");
    let resource = Resource::get_for(call, name, Verb::Update)?;
    media::check_merge_patch(&call.request.headers)?;
    let preferences = call.preferences()?;
    let parsed = call.parse_query(|_| false, false)?;
    create::check_answer(&parsed.node, &preferences)?;
    let conditions = conditional::of_write(call, &resource)?;
    let guarded =
        |conditions| Guarded::before(conditions, &resource, name, key, &parsed.node, &parsed.values);
    let guarded = conditions.map(guarded).transpose()?;
    let bytes = body.collect().await?;
    let fields = validate::body::parse_object(&bytes, &call.api.config.json)?;
    if fields.is_empty() {
        return Err(create::invalid_body("a patch needs at least one field"));
    }
    create::check(validate::update(&resource.catalog, resource.role, resource.id, &fields))?;
    let mut values = parsed.values;
    let filters = resource.key_filters(key, &mut values)?;
    let set = create::columns(fields, &mut values)?;
    let returning = returning(call, &resource, parsed.node, &preferences);
    let reset = Vec::new();
    let update = Update { target: target(name), set, reset, filters, returning, style: Style::NATIVE };
    let request = Request { operation: Operation::Update(update), values };
    changed(call, request, &preferences, StatusCode::OK, guarded).await
}

pub(crate) async fn put(call: &Call<'_>, name: &str, key: &str, body: RequestBody) -> Result<Response> {
    call.report.set_class("api.replace");
    let resource = Resource::get_for(call, name, Verb::Insert)?;
    if resource.makes_its_keys() {
        return Err(not_allowed("GET, HEAD, PATCH, DELETE, OPTIONS")
            .hint("the database makes this resource's keys; create with POST, change with PATCH"));
    }
    media::check_json(&call.request.headers)?;
    let preferences = call.preferences()?;
    let parsed = call.parse_query(|_| false, false)?;
    create::check_answer(&parsed.node, &preferences)?;
    let conditions = conditional::of_write(call, &resource)?;
    let creates = conditions.as_ref().is_some_and(conditional::only_creates);
    let guarded =
        |conditions| Guarded::before(conditions, &resource, name, key, &parsed.node, &parsed.values);
    let guarded = conditions.filter(|_| !creates).map(guarded).transpose()?;
    let bytes = body.collect().await?;
    let mut fields = validate::body::parse_object(&bytes, &call.api.config.json)?;
    let from_path = key_fields(&resource, key, &fields)?;
    let named: Vec<_> = from_path.iter().map(|(name, _)| name.clone()).collect();
    create::check(validate::create_below(&resource.catalog, resource.role, resource.id, &fields, &named))?;
    fields.extend(from_path);
    let mut values = parsed.values;
    let columns = create::columns(fields, &mut values)?;
    let returning = returning(call, &resource, parsed.node, &preferences);
    let action = if creates { ConflictAction::Ignore } else { ConflictAction::Replace };
    let insert = Insert {
        target: target(name),
        parents: Vec::new(),
        rows: Rows::One(columns),
        conflict: Some(Conflict { columns: Vec::new(), action }),
        missing_default: true,
        returning,
        style: Style::NATIVE,
    };
    let request = Request { operation: Operation::Insert(insert), values };
    let status = if creates { StatusCode::CREATED } else { StatusCode::OK };
    let put = changed(call, request, &preferences, status, guarded).await;
    // No row was written: there is one with this key.
    put.map_err(
        |problem| if creates && *problem.code() == NOT_FOUND { conditional::failed() } else { problem },
    )
}

/// The key's columns as the path has them, where the body leaves them out; a body that says otherwise is refused. They are
/// texts whatever their type, and PostgreSQL's to read.
fn key_fields(
    resource: &Resource,
    key: &str,
    fields: &validate::body::Object,
) -> Result<validate::body::Object> {
    let names = resource.key_names()?;
    let texts = key_values(key, names.len())?;
    let mut from_path = Vec::new();
    for (name, text) in names.into_iter().zip(texts) {
        match fields.iter().find(|(field, _)| *field == name) {
            None => from_path.push((name, raw_string(&text)?)),
            Some((_, given)) => {
                let given = given.get();
                let same =
                    given == text || serde_json::from_str::<String>(given).is_ok_and(|given| given == text);
                if !same {
                    return Err(Problem::new(&KEY_MISMATCH)
                        .field(&*name, "must be the key in the path, or be left out"));
                }
            }
        }
    }
    Ok(from_path)
}

/// A path segment as JSON. A string: PostgreSQL reads any type's text form.
fn raw_string(text: &str) -> Result<Box<serde_json::value::RawValue>> {
    serde_json::value::to_raw_value(text).map_err(|e| Problem::internal_error(e.to_string()))
}

pub(crate) async fn delete(call: &Call<'_>, name: &str, key: &str) -> Result<Response> {
    call.report.set_class("api.delete");
    let resource = Resource::get_for(call, name, Verb::Delete)?;
    let preferences = call.preferences()?;
    let parsed = call.parse_query(|_| false, false)?;
    create::check_answer(&parsed.node, &preferences)?;
    let mut values = parsed.values;
    let filters = resource.key_filters(key, &mut values)?;
    let guarded = conditional::of_write(call, &resource)?.map(Guarded::answered);
    // 204 unless the caller wants to see what is gone, and says so or selects it.
    let silent = match preferences.minimal {
        None => parsed.node.select.is_empty(),
        Some(minimal) => minimal,
    };
    // What was there decides, so it must be answered to us.
    let returning =
        if silent && guarded.is_none() { Returning::Nothing } else { Returning::Rows(parsed.node) };
    let delete = Delete { target: target(name), filters, returning, style: Style::NATIVE };
    let request = Request { operation: Operation::Delete(delete), values };
    let mut response = changed(call, request, &preferences, StatusCode::OK, guarded).await?;
    response.headers.remove(ETAG);
    if silent {
        response.status = StatusCode::NO_CONTENT;
        response.headers.remove(CONTENT_TYPE);
        response.body = Body::Empty;
    }
    Ok(response)
}

/// What a write of one row answers: the row, unless the caller does not want it or may not see it.
fn returning(call: &Call<'_>, resource: &Resource, node: Node, preferences: &Preferences) -> Returning {
    match preferences.minimal {
        Some(true) => Returning::Nothing,
        None if node.select.is_empty() && !resource.allows(call, Verb::Select) => Returning::Nothing,
        _ => Returning::Rows(node),
    }
}

/// Runs a write of at most one row; 404 when there was none.
async fn changed(
    call: &Call<'_>,
    request: Request,
    preferences: &Preferences,
    status: StatusCode,
    guarded: Option<Guarded<'_>>,
) -> Result<Response> {
    let rows = bedplate_data::answers_rows(&request.operation);
    let mut out = BytesMut::with_capacity(CAPACITY);
    out.extend_from_slice(OPEN);
    // The key is the primary key, so more than one row cannot be; if it ever were, nothing is committed.
    let options = RunOptions { rollback: preferences.rollback, ..RunOptions::default() };
    let answer = match &guarded {
        None => call.run(&request, options, &mut out).await?,
        Some(guarded) => guarded.run(call, &request, preferences.rollback, &mut out).await?,
    };
    if answer.affected == 0 {
        return Err(Problem::new(&NOT_FOUND));
    }
    let created = answer.inserted == Some(true) || status == StatusCode::CREATED;
    let response = if rows {
        let status = if created { StatusCode::CREATED } else { status };
        let started = Instant::now();
        // Of what was written; a dry run wrote nothing.
        let tag = if preferences.rollback { None } else { Tag::of(call, &out[OPEN.len()..]) };
        out.extend_from_slice(b"}");
        let mut response = json(status, out);
        if let Some(tag) = tag {
            tag.put(&mut response.headers);
        }
        call.rendered(started);
        response
    } else {
        Response::empty(if created { StatusCode::CREATED } else { StatusCode::NO_CONTENT })
    };
    Ok(with_applied(response, preferences))
}

fn one_row(
    call: &Call<'_>,
    answer: &Answer,
    control: Option<HeaderValue>,
    mut out: BytesMut,
) -> Result<Response> {
    match answer.page.rows {
        1 => {
            let started = Instant::now();
            let tag = Tag::of(call, &out[OPEN.len()..]);
            out.extend_from_slice(b"}");
            let response = conditional::respond(call, tag, answer.modified, control, out);
            call.rendered(started);
            response
        }
        0 => Err(Problem::new(&NOT_FOUND)),
        rows => Err(Problem::internal_error(format!("a primary key named {rows} rows"))),
    }
}

/// `order`, `limit` and `offset` mean something for lists only; in embeds they are fine.
fn refuse_list_parameters(node: &Node) -> Result<()> {
    let given = [
        ("order", !node.order.is_empty()),
        ("limit", node.page.limit.is_some()),
        ("offset", node.page.offset.is_some()),
        ("distinct", node.distinct),
        ("having", !node.having.is_empty()),
    ];
    match given.iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(paging::fault(name, "is for lists; this is one resource")),
        None => Ok(()),
    }
}
