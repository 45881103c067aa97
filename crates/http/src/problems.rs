//! Problem codes of the HTTP layer itself, and how any [`Problem`] becomes an answer (RFC 9457).

use std::borrow::Cow;

use bedplate_core::Problem;
use bedplate_core::redact::Redactor;
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

use crate::config::ErrorFormat;
use crate::response::{Body, Response};

bedplate_core::codes! {
    /// The `Host` (or the origin of a browser's request) is not one that this listener serves.
    HOST_NOT_ALLOWED = "host_not_allowed", 403, Access, "This host name is not served here", final;
    /// Neither a plain key nor a string of Structured Fields (RFC 9651), or too long.
    IDEMPOTENCY_KEY_INVALID = "idempotency_key_invalid", 400, Request, "The Idempotency-Key cannot be read", final;
    /// HTTP/1 framing or header syntax that could be read in two ways is refused (RFC 9112 §2.2, §6.3, §11.2).
    MALFORMED_HTTP = "malformed_http", 400, Request, "This is not a well-formed HTTP request", final;
    /// The caller's quota of requests is used up (RFC 6585 §4; draft-ietf-httpapi-ratelimit-headers, "quota-exceeded");
    /// `details` names each limit that is reached.
    QUOTA_EXCEEDED = "quota_exceeded", 429, Request, "Too many requests", retry;
    /// Readiness: a dependency is down; `details` names which.
    NOT_READY = "not_ready", 503, Server, "The server is not ready", retry;
}

const TYPE_BASE: &str = "https://bedplate.dev/problems/";

/// What a renderer knows about the request besides the problem.
#[derive(Debug, Clone, Copy)]
pub struct Occurrence<'a> {
    pub request_id: &'a str,
    /// The request's path, without query. `None` when the request could not be read.
    pub instance: Option<&'a str>,
}

/// Renders problems for one front door; see [`crate::Mount::problems`].
pub type Renderer = fn(&Problem, Occurrence<'_>) -> Response;

#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<&'a str>,
    code: &'a str,
    request_id: &'a str,
    details: Option<Details<'a>>,
    hint: Option<Cow<'a, str>>,
}

/// More than a sentence about what is wrong.
#[derive(Serialize)]
#[serde(untagged)]
enum Details<'a> {
    Fields(&'a bedplate_core::FieldFaults),
    Document(&'a serde_json::Value),
}

impl<'a> Details<'a> {
    fn of(problem: &'a Problem) -> Option<Self> {
        let fields = problem.fields();
        let by_field = || (!fields.is_empty()).then_some(Self::Fields(fields));
        problem.document_value().map(Self::Document).or_else(by_field)
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: EnvelopeError<'a>,
}

#[derive(Serialize)]
struct EnvelopeError<'a> {
    code: &'a str,
    message: Cow<'a, str>,
    details: Option<Details<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<Cow<'a, str>>,
    request_id: &'a str,
}

/// The answer for `problem` in the chosen format, with the headers that its status demands.
pub fn render(problem: &Problem, format: ErrorFormat, occurrence: Occurrence<'_>) -> Response {
    let (content_type, body) = match format {
        ErrorFormat::Problem => ("application/problem+json", document(problem, occurrence)),
        ErrorFormat::Envelope => ("application/json; charset=utf-8", envelope(problem, occurrence)),
    };
    let status = StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::new(status, Body::Full(body));
    response.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    add_headers(problem, &mut response);
    response
}

/// The headers that belong to a problem whatever its body looks like: its own, `Retry-After`, and the challenge
/// that a 401 must carry (RFC 9110 §15.5.2).
pub fn add_headers(problem: &Problem, response: &mut Response) {
    for (name, value) in problem.headers() {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(*name), HeaderValue::try_from(value.as_str())) {
            // A dialect may have said it in its own words.
            response.headers.entry(name).or_insert(value);
        }
    }
    if let Some(after) = problem.retry_after_value() {
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        response.headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    } else if matches!(problem.status(), 429 | 503) && problem.code().retryable {
        response.headers.entry(RETRY_AFTER).or_insert(HeaderValue::from_static("1"));
    }
    if problem.status() == 401 {
        response.headers.entry(WWW_AUTHENTICATE).or_insert(HeaderValue::from_static("Bearer"));
    }
    if problem.status() == 405 {
        // RFC 9110 §15.5.6: Allow must be there, and may be empty.
        response.headers.entry(ALLOW).or_insert(HeaderValue::from_static(""));
    }
}

fn document(problem: &Problem, occurrence: Occurrence<'_>) -> Bytes {
    to_json(&as_document(problem, occurrence))
}

/// A problem as it stands in another one's details: the document of RFC 9457.
pub fn nested(problem: &Problem, occurrence: Occurrence<'_>) -> serde_json::Value {
    serde_json::to_value(as_document(problem, occurrence)).unwrap_or_default()
}

fn as_document<'a>(problem: &'a Problem, occurrence: Occurrence<'a>) -> Document<'a> {
    let code = problem.code();
    Document {
        r#type: [TYPE_BASE, code.name].concat(),
        title: code.title,
        status: code.status,
        detail: problem.detail_text().map(told),
        instance: occurrence.instance,
        code: code.name,
        request_id: occurrence.request_id,
        details: Details::of(problem),
        hint: problem.hint_text().map(told),
    }
}

/// What a problem says may quote what SQL of the app raised, or what the caller sent: credentials in it are not repeated.
fn told(text: &str) -> Cow<'_, str> {
    Redactor::default().scrub_values(text)
}

fn envelope(problem: &Problem, occurrence: Occurrence<'_>) -> Bytes {
    let code = problem.code();
    to_json(&Envelope {
        error: EnvelopeError {
            code: code.name,
            message: told(problem.detail_text().unwrap_or(code.title)),
            details: Details::of(problem),
            hint: problem.hint_text().map(told),
            request_id: occurrence.request_id,
        },
    })
}

fn to_json(value: &impl Serialize) -> Bytes {
    let mut out = Vec::with_capacity(512);
    // Strings and maps of strings into memory: there is no way for this to fail, and an empty body is still an
    // answer with the right status.
    if serde_json::to_writer(&mut out, value).is_err() {
        out.clear();
    }
    out.into()
}
