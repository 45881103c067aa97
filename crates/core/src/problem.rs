//! [`Problem`]: what went wrong, in the form that callers get (RFC 9457), with an internal part that only the log
//! sees. A [`Code`] is a row of a catalogue; each crate keeps its own rows beside the code that raises them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// Where a code belongs; the first word of area-specific code names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    Request,
    Auth,
    Access,
    Data,
    Database,
    Server,
}

/// One kind of problem. Codes are static rows made by [`codes!`](crate::codes).
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// snake_case, stable; also the last path segment of the problem's `type` URI.
    pub name: &'static str,
    /// HTTP status.
    pub status: u16,
    /// Short, human, the same for every occurrence (RFC 9457 §3.1.3).
    pub title: &'static str,
    pub area: Area,
    /// Whether the same request may succeed later without a change by the caller.
    pub retryable: bool,
}

/// Declares a crate's problem codes: one constant each, and `ALL` for docs and coverage tests.
///
/// ```ignore
/// codes! {
///     /// A unique constraint was violated.
///     UNIQUE_VIOLATION = "unique_violation", 409, Data, "A record with these values exists", final;
///     POOL_TIMEOUT = "pool_timeout", 503, Database, "The server is busy", retry;
/// }
/// ```
#[macro_export]
macro_rules! codes {
    ($($(#[$doc:meta])* $ident:ident = $name:literal, $status:literal, $area:ident, $title:literal, $retry:ident;)+) => {
        $($(#[$doc])* pub static $ident: $crate::Code = $crate::Code {
            name: $name, status: $status, title: $title, area: $crate::Area::$area,
            retryable: $crate::codes!(@retry $retry),
        };)+
        /// Every code declared here.
        pub static ALL: &[&$crate::Code] = &[$(&$ident),+];
    };
    (@retry retry) => { true };
    (@retry final) => { false };
}

/// Faults by field: name (dotted or indexed for nested values, `""` for the whole) to messages.
pub type FieldFaults = BTreeMap<String, Vec<String>>;

/// A failure as the caller sees it. One pointer wide, so `Result<T, Problem>` stays cheap.
pub struct Problem(Box<Inner>);

struct Inner {
    code: &'static Code,
    detail: Option<Cow<'static, str>>,
    hint: Option<Cow<'static, str>>,
    fields: FieldFaults,
    document: Option<Box<serde_json::Value>>,
    retry_after: Option<Duration>,
    headers: Vec<(&'static str, String)>,
    sqlstate: Option<[u8; 5]>,
    internal: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Problem {
    pub fn new(code: &'static Code) -> Self {
        Self(Box::new(Inner {
            code,
            detail: None,
            hint: None,
            fields: FieldFaults::new(),
            document: None,
            retry_after: None,
            headers: Vec::new(),
            sqlstate: None,
            internal: None,
            source: None,
        }))
    }

    /// An unexpected failure of ours: 500, and `internal` goes to the log only.
    pub fn internal_error(internal: impl Into<String>) -> Self {
        Self::new(&INTERNAL).internal(internal)
    }

    /// What happened this time, for the caller. Never SQL, paths, or objects that the caller may not know of.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// What the caller can do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Takes the hint away, where it is for developers and this is not development.
    #[must_use]
    pub fn without_hint(mut self) -> Self {
        self.0.hint = None;
        self
    }

    #[must_use]
    pub fn field(mut self, name: impl Into<String>, fault: impl Into<String>) -> Self {
        self.0.fields.entry(name.into()).or_default().push(fault.into());
        self
    }

    #[must_use]
    pub fn with_fields(mut self, fields: FieldFaults) -> Self {
        self.0.fields = fields;
        self
    }

    /// What `details` is, where faults by field do not say it (a failed operation of a batch, for example). It takes their
    /// place in the answer.
    #[must_use]
    pub fn document(mut self, details: serde_json::Value) -> Self {
        self.0.document = Some(Box::new(details));
        self
    }

    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }

    /// A response header that belongs to this problem, for example `Allow` with 405.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.headers.push((name, value.into()));
        self
    }

    /// The SQLSTATE behind it, for dialects that show it. Anything but five ASCII characters is dropped.
    #[must_use]
    pub fn sqlstate(mut self, state: &str) -> Self {
        self.0.sqlstate = <[u8; 5]>::try_from(state.as_bytes()).ok().filter(|s| s.is_ascii());
        self
    }

    /// For the log only. There is no way from here into a response.
    #[must_use]
    pub fn internal(mut self, text: impl Into<String>) -> Self {
        self.0.internal = Some(text.into());
        self
    }

    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    pub fn code(&self) -> &'static Code {
        self.0.code
    }

    pub fn status(&self) -> u16 {
        self.0.code.status
    }

    pub fn detail_text(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    pub fn fields(&self) -> &FieldFaults {
        &self.0.fields
    }

    pub fn document_value(&self) -> Option<&serde_json::Value> {
        self.0.document.as_deref()
    }

    pub fn retry_after_value(&self) -> Option<Duration> {
        self.0.retry_after
    }

    pub fn headers(&self) -> &[(&'static str, String)] {
        &self.0.headers
    }

    pub fn sqlstate_text(&self) -> Option<&str> {
        self.0.sqlstate.as_ref().and_then(|s| std::str::from_utf8(s).ok())
    }

    pub fn internal_text(&self) -> Option<&str> {
        self.0.internal.as_deref()
    }

    /// What it was made from, by type: dialects whose errors have a form of their own read it there.
    pub fn cause<T: StdError + 'static>(&self) -> Option<&T> {
        self.0.source.as_deref()?.downcast_ref()
    }
}

impl fmt::Display for Problem {
    /// For logs and the CLI: includes the internal part. Responses are rendered from the accessors.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.name, self.0.detail.as_deref().unwrap_or(self.0.code.title))?;
        for (field, faults) in &self.0.fields {
            write!(f, "; {field}: {}", faults.join(", "))?;
        }
        if let Some(internal) = &self.0.internal {
            write!(f, " [{internal}]")?;
        }
        let mut cause: Option<&dyn StdError> = self.0.source.as_deref().map(|e| e as &dyn StdError);
        while let Some(error) = cause {
            let text = error.to_string();
            // The internal part often quotes its cause.
            if self.0.internal.as_ref().is_none_or(|internal| !internal.contains(&text)) {
                write!(f, ": {text}")?;
            }
            cause = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Problem({} {self})", self.status())
    }
}

impl StdError for Problem {}

crate::codes! {
    /// Ours, unexpected. The caller gets the request id, the log gets the rest.
    INTERNAL = "internal_error", 500, Server, "Something went wrong on our side", retry;
    /// Syntax: a query string, header or body that cannot be read.
    MALFORMED = "malformed_request", 400, Request, "The request cannot be read", final;
    /// A query parameter that this resource does not have.
    UNKNOWN_PARAMETER = "unknown_parameter", 400, Request, "Unknown query parameter", final;
    /// Well-formed, but fields are wrong; `details` names each.
    VALIDATION_FAILED = "validation_failed", 400, Request, "The request is not valid", final;
    /// A limit of the platform on one request (filter terms, embed depth, list length).
    LIMIT_EXCEEDED = "limit_exceeded", 400, Request, "The request asks for too much", final;
    NOT_FOUND = "not_found", 404, Request, "Not found", final;
    METHOD_NOT_ALLOWED = "method_not_allowed", 405, Request, "This method is not offered here", final;
    NOT_ACCEPTABLE = "not_acceptable", 406, Request, "No representation fits the Accept header", final;
    REQUEST_TIMEOUT = "request_timeout", 408, Request, "The request did not arrive in time", retry;
    BODY_TOO_LARGE = "body_too_large", 413, Request, "The body is too large", final;
    URI_TOO_LONG = "uri_too_long", 414, Request, "The URL is too long", final;
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type", 415, Request, "This content type is not supported", final;
    HEADERS_TOO_LARGE = "headers_too_large", 431, Request, "The header section is too large", final;
    /// Not signed in, or the credentials are not valid.
    UNAUTHENTICATED = "unauthenticated", 401, Auth, "Sign in to do this", final;
    /// Signed in, and not allowed.
    FORBIDDEN = "forbidden", 403, Access, "Not allowed", final;
    OVERLOADED = "overloaded", 503, Server, "The server is busy", retry;
    SHUTTING_DOWN = "shutting_down", 503, Server, "The server is shutting down", retry;
    /// The deadline of the request passed.
    TIMEOUT = "timeout", 504, Server, "The request took too long", retry;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_has_no_twin_names_and_only_http_statuses() {
        let mut names: Vec<_> = ALL.iter().map(|c| c.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        assert!(ALL.iter().all(|c| (400..600).contains(&c.status)));
    }

    #[test]
    fn a_problem_is_one_pointer_and_keeps_internals_out_of_the_accessors() {
        assert_eq!(size_of::<Problem>(), size_of::<usize>());
        let p = Problem::internal_error("select * from secret").sqlstate("42P01");
        assert_eq!(p.detail_text(), None);
        assert_eq!(p.sqlstate_text(), Some("42P01"));
        assert!(p.to_string().contains("select * from secret"));
    }
}
