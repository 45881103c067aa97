//! The answer to a request that HTTP itself could not read: written by hand, because there is no request to run
//! through the pipeline. Same headers, same problem document, and the connection closes.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime};

use bedplate_core::{Problem, ids};
use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, StatusCode};

use crate::app::{App, CLOSE};
use crate::connection::Connection;
use crate::exchange::REQUEST_ID;
use crate::head::Fault;
use crate::problems::{self, Occurrence};
use crate::response::{Body, Response};
use crate::security_headers;

/// Where hyper's self-made refusal begins in what it is about to write: a short head without a body, and always
/// the last thing. An answer of the pipeline is never like it: that has a request id.
pub(crate) fn find_own(buf: &[u8]) -> Option<usize> {
    let line = memchr::memmem::rfind(buf, b" 400 Bad Request\r\n")?;
    let at = line.checked_sub(b"HTTP/1.1".len())?;
    let head = &buf[at..];
    let bare = head.starts_with(b"HTTP/1.")
        && head.ends_with(b"\r\n\r\n")
        && head.len() < 160
        && memchr::memmem::find(head, b"\r\ncontent-length: 0\r\n").is_some();
    bare.then_some(at)
}

/// The whole message, head and body, counted and logged.
pub(crate) fn answer(connection: &Connection, fault: &Fault) -> Bytes {
    let app = &connection.app;
    let request_id = ids::new_request_id();
    let (status, message) = message(app, &fault.problem(), &request_id, fault.path.as_deref());
    app.metrics.malformed.fetch_add(1, Relaxed);
    app.malformed.record(status, Duration::ZERO);
    if app.config.access_log {
        tracing::info!(
            target: "access",
            method = "-",
            path = fault.path.as_deref().unwrap_or("-"),
            class = app.malformed.name(),
            status = status.as_u16(),
            reason = &*fault.detail,
            request_id,
            client = %connection.peer,
        );
    }
    message
}

/// A complete HTTP/1.1 message with the problem's document that ends the connection.
pub(crate) fn message(
    app: &App,
    problem: &Problem,
    request_id: &str,
    instance: Option<&str>,
) -> (StatusCode, Bytes) {
    let mut response =
        problems::render(problem, app.config.error_format, Occurrence { request_id, instance });
    if let Ok(id) = HeaderValue::try_from(request_id) {
        response.headers.insert(REQUEST_ID, id);
    }
    app.cors.apply(None, &mut response.headers);
    security_headers::apply(&mut response.headers, app.config.https, false);
    response.headers.insert(CONNECTION, CLOSE);
    (response.status, encode(&response))
}

fn encode(response: &Response) -> Bytes {
    let body: &[u8] = match &response.body {
        Body::Full(bytes) => bytes,
        _ => &[],
    };
    let reason = response.status.canonical_reason().unwrap_or("Error");
    let date = httpdate::fmt_http_date(SystemTime::now());
    let mut message = Vec::with_capacity(512 + body.len());
    message.extend_from_slice(format!("HTTP/1.1 {} {reason}\r\n", response.status.as_u16()).as_bytes());
    message.extend_from_slice(format!("date: {date}\r\ncontent-length: {}\r\n", body.len()).as_bytes());
    for (name, value) in &response.headers {
        message.extend_from_slice(name.as_str().as_bytes());
        message.extend_from_slice(b": ");
        message.extend_from_slice(value.as_bytes());
        message.extend_from_slice(b"\r\n");
    }
    message.extend_from_slice(b"\r\n");
    message.extend_from_slice(body);
    message.into()
}
