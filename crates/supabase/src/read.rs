//! `GET` and `HEAD` of a table or view.

use std::time::Instant;

use bedplate_core::problem::LIMIT_EXCEEDED;
use bedplate_core::{Problem, Result};
use bedplate_data::{Answer, RunOptions};
use bedplate_http::{Body, Response, Stage};
use bedplate_query::request::{Read, Style, Target, Value, Values};
use bedplate_query::syntax::{self, Options};
use bedplate_query::{Operation, Request, ValueRef};
use bytes::BytesMut;
use http::header::{CONTENT_LOCATION, CONTENT_RANGE, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};

use crate::Call;
use crate::accept::{self, Media};
use crate::error::{PGRST107, Said};
use crate::prefer::Applies;
use crate::range::{self, Window};

/// Enough for a usual page without growing twice.
const CAPACITY: usize = 8 * 1024;

pub(crate) async fn read(call: &Call<'_>, name: &str) -> Result<Response> {
    call.report.set_class("rest.read");
    let media = representation(call)?;
    let options = Options { extensions: call.config.extensions, ..Options::POSTGREST };
    let parsed = syntax::parse(call.request.query(), &call.config.door.limits, &options)?;
    let (mut node, mut values) = (parsed.node, parsed.values);
    let window = Window::read(call.request, &node.page, &values)?;
    window.apply(&mut node.page, &mut values)?;
    let read = Read {
        target: Target { schema: Some(call.schema.name.into()), name: name.into() },
        parents: Vec::new(),
        node,
        count: call.preferences.count,
        style: Style { extensions: call.config.extensions, ..Style::POSTGREST },
    };
    let request = Request { operation: Operation::Read(read), values };
    let single = matches!(media, Media::Object { .. });
    let run =
        RunOptions { rollback: call.preferences.rolls_back(call.config), single, ..RunOptions::default() };
    let mut out = BytesMut::with_capacity(CAPACITY);
    if !single {
        out.extend_from_slice(b"[");
    }
    let answer = call.run(&request, run, &mut out).await?;
    if !single {
        out.extend_from_slice(b"]");
    }
    render(call, name, &media, window, &answer, out)
}

/// Which of the offered representations the caller takes.
fn representation(call: &Call<'_>) -> Result<Media> {
    let accepted = accept::read(&call.request.headers);
    let offered =
        |media: &&Media| matches!(media, Media::Any | Media::Json | Media::Object { stripped: false });
    match accepted.iter().find(offered) {
        Some(media) => Ok(media.clone()),
        None => {
            let named: Vec<String> = accepted.iter().map(Media::name).collect();
            Err(Said::new(format!("None of these media types are available: {}", named.join(", ")))
                .problem(&PGRST107))
        }
    }
}

fn render(
    call: &Call<'_>,
    name: &str,
    media: &Media,
    window: Window,
    answer: &Answer,
    body: BytesMut,
) -> Result<Response> {
    let started = Instant::now();
    let status = range::status(window.offset, answer.page.rows, answer.total)?;
    let body = if call.is_head() { Body::Empty } else { Body::Full(body.freeze()) };
    let mut response = Response::new(status, body);
    let headers = &mut response.headers;
    headers.insert(CONTENT_RANGE, range::content_range(window.offset, answer.page.rows, answer.total));
    if let Ok(location) = HeaderValue::try_from(location(name, call.request.query())) {
        headers.insert(CONTENT_LOCATION, location);
    }
    if let Ok(value) = HeaderValue::try_from(media.content_type()) {
        headers.insert(CONTENT_TYPE, value);
    }
    headers.extend(call.schema.header());
    let applied = call.preferences.applied(Applies::default());
    headers.extend(applied.map(|value| (HeaderName::from_static("preference-applied"), value)));
    call.report.since(Stage::Render, started);
    Ok(response)
}

/// `/items?a=eq.1&b=eq.2`: the query string in a canonical order.
fn location(name: &str, query: &str) -> String {
    let mut pairs: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    pairs.sort_unstable();
    if pairs.is_empty() { format!("/{name}") } else { format!("/{name}?{}", pairs.join("&")) }
}

pub(crate) fn push(values: &mut Values, value: Value) -> Result<ValueRef> {
    values.push(value).ok_or_else(|| Problem::new(&LIMIT_EXCEEDED).detail("the request has too many values"))
}
