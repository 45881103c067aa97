//! Calls of functions: `GET` and `HEAD` with arguments in the query string and without leave to write, `POST` with arguments
//! in the body.

mod arguments;

use std::time::Instant;

use bedplate_core::Result;
use bedplate_data::{Answer, RunOptions, Shape};
use bedplate_http::{Body, RequestBody, Response, Stage};
use bedplate_query::request::{self, Count, Target};
use bedplate_query::syntax::{self, Options};
use bedplate_query::{Operation, Request};
use bytes::Bytes;
use http::header::CONTENT_RANGE;
use http::{HeaderName, StatusCode};

use crate::prefer::Applies;
use crate::range::{self, Window};
use crate::{Call, represent, sql_response};

const CAPACITY: usize = 4 * 1024;

/// Calls the function. `body`: as `POST`.
pub(crate) async fn call(call: &Call<'_>, name: &str, body: Option<RequestBody>) -> Result<Response> {
    call.report.set_class("rest.rpc");
    let read_only = body.is_none();
    let options = Options { extensions: call.config.extensions, arguments: read_only, ..Options::POSTGREST };
    let mut parsed = syntax::parse(call.request.query(), &call.config.door.limits, &options)?;
    let mut values = parsed.values;
    let window = Window::read(&call.request.method, &call.request.headers, &parsed.node.page, &values)?;
    window.apply(&mut parsed.node.page, &mut values)?;
    let arguments = match body {
        None => arguments::of_query(parsed.leftovers, &mut values)?,
        Some(body) => arguments::of_body(call, &body.collect().await?, parsed.columns, &mut values)?,
    };
    let schema = call.schema.name.into();
    let invoked = request::Call {
        function: Target { schema: Some(schema), name: name.into() },
        arguments,
        node: parsed.node,
        count: call.preferences.count.filter(|count| *count != Count::Planned).map(|_| Count::Exact),
        read_only,
        style: represent::style(call),
    };
    let request = Request { operation: Operation::Call(invoked), values };
    let run = RunOptions {
        rollback: call.preferences.rolls_back(call.config),
        max_affected: call.preferences.most_affected().map(|most| u64::try_from(most).unwrap_or(0)),
        ..RunOptions::default()
    };
    let mut out = represent::begin(CAPACITY);
    let answer = call.run(&request, run, &mut out).await?;
    let started = Instant::now();
    let body = represent::complete(out, answer.shape);
    let response = render(call, window, &answer, body)?;
    call.report.since(Stage::Render, started);
    sql_response::apply(response, &answer.response)
}

fn render(call: &Call<'_>, window: Window, answer: &Answer, body: Bytes) -> Result<Response> {
    let body = if call.is_head() { Body::Empty } else { Body::Full(body) };
    if represent::is_plan(answer) {
        let mut response = Response::new(StatusCode::OK, body);
        represent::describe(call, answer, &mut response);
        return Ok(response);
    }
    let (rows, total) = counted(call, answer);
    let applied = call.preferences.applied(Applies { max_affected: true, ..Applies::default() });
    let status = range::status(window.offset, rows, total, applied.as_ref())?;
    let mut response = if answer.shape == Shape::Nothing {
        Response::empty(StatusCode::NO_CONTENT)
    } else {
        let mut response = Response::new(status, body);
        represent::describe(call, answer, &mut response);
        response
    };
    response.headers.insert(CONTENT_RANGE, range::content_range(window.offset, rows, total));
    response.headers.extend(applied.map(|value| (HeaderName::from_static("preference-applied"), value)));
    Ok(response)
}

/// What a function returns that returns no set is one row; the count knows whether a filter took it away.
fn counted(call: &Call<'_>, answer: &Answer) -> (u64, Option<u64>) {
    let asked = matches!(call.preferences.count, Some(Count::Exact | Count::Estimated));
    if answer.single {
        return (1, asked.then_some(answer.total.unwrap_or(answer.page.rows)));
    }
    let rows = answer.page.rows;
    // Without rows there is nothing that says how many there are.
    (rows, answer.total.or_else(|| asked.then_some(rows)))
}
