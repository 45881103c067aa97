//! `GET` and `HEAD` of a table or view.

use std::time::Instant;

use bedplate_core::problem::LIMIT_EXCEEDED;
use bedplate_core::{Problem, Result};
use bedplate_data::{Answer, RunOptions};
use bedplate_http::{Body, Response, Stage};
use bedplate_query::request::{Read, Target, Value, Values};
use bedplate_query::syntax::{self, Options};
use bedplate_query::{Operation, Request, ValueRef};
use bytes::Bytes;
use http::header::{CONTENT_LOCATION, CONTENT_RANGE};
use http::{HeaderName, HeaderValue, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::prefer::Applies;
use crate::range::{self, Window};
use crate::{Call, represent, sql_response};

/// Enough for a usual page without growing twice.
const CAPACITY: usize = 8 * 1024;

pub(crate) async fn read(call: &Call<'_>, name: &str) -> Result<Response> {
    call.report.set_class("rest.read");
    let options = Options { extensions: call.config.extensions, ..Options::POSTGREST };
    let parsed = syntax::parse(call.request.query(), &call.config.door.limits, &options)?;
    let (mut node, mut values) = (parsed.node, parsed.values);
    let window = Window::read(&call.request.method, &call.request.headers, &node.page, &values)?;
    window.apply(&mut node.page, &mut values)?;
    let read = Read {
        target: Target { schema: Some(call.schema.name.into()), name: name.into() },
        parents: Vec::new(),
        node,
        count: call.preferences.count,
        style: represent::style(call),
    };
    let request = Request { operation: Operation::Read(read), values };
    let run = RunOptions { rollback: call.preferences.rolls_back(call.config), ..RunOptions::default() };
    let mut out = represent::begin(CAPACITY);
    let answer = call.run(&request, run, &mut out).await?;
    let started = Instant::now();
    let response = render(call, name, window, &answer, represent::complete(out, answer.shape))?;
    call.report.since(Stage::Render, started);
    sql_response::apply(response, &answer.response)
}

fn render(call: &Call<'_>, name: &str, window: Window, answer: &Answer, body: Bytes) -> Result<Response> {
    let body = if call.is_head() { Body::Empty } else { Body::Full(body) };
    let plan = represent::is_plan(answer);
    let applied = call.preferences.applied(Applies::default());
    let status = if plan {
        StatusCode::OK
    } else {
        range::status(window.offset, answer.page.rows, answer.total, applied.as_ref())?
    };
    let mut response = Response::new(status, body);
    represent::describe(call, answer, &mut response);
    if plan {
        return Ok(response);
    }
    let headers = &mut response.headers;
    headers.insert(CONTENT_RANGE, range::content_range(window.offset, answer.page.rows, answer.total));
    if let Ok(location) = HeaderValue::try_from(location(name, call.request.query())) {
        headers.insert(CONTENT_LOCATION, location);
    }
    headers.extend(applied.map(|value| (HeaderName::from_static("preference-applied"), value)));
    Ok(response)
}

/// `/items?a=eq.1&b=eq.2`: the query string in a canonical order.
fn location(name: &str, query: &str) -> String {
    let mut pairs: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    pairs.sort_unstable();
    let path = path_of(name);
    if pairs.is_empty() { path } else { format!("{path}?{}", pairs.join("&")) }
}

/// The resource's path. A URL holds neither spaces nor other scripts (RFC 3986 §2).
pub(crate) fn path_of(name: &str) -> String {
    const OUTSIDE: &AsciiSet =
        &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'/').add(b'<').add(b'>').add(b'?').add(b'\\');
    format!("/{}", utf8_percent_encode(name, OUTSIDE))
}

pub(crate) fn push(values: &mut Values, value: Value) -> Result<ValueRef> {
    values.push(value).ok_or_else(|| Problem::new(&LIMIT_EXCEEDED).detail("the request has too many values"))
}
