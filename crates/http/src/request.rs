//! [`Request`]: what handlers get. Path and query stay as the client wrote them; decoding happens once, where a
//! value is used.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use bedplate_core::problem::MALFORMED;
use bedplate_core::{Ctx, Problem};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Uri, Version};
use percent_encoding::percent_decode_str;

use crate::body::RequestBody;
use crate::report::Report;
use crate::trace::TraceContext;

pub struct Request {
    pub method: Method,
    /// As sent: nothing decoded, nothing normalised.
    pub uri: Uri,
    pub version: Version,
    pub headers: HeaderMap,
    /// The client's address: the peer's, or what a trusted proxy said.
    pub client: IpAddr,
    /// Whether the client's side of the connection is TLS, as far as a trusted proxy says so.
    pub secure: bool,
    pub trace: TraceContext,
    pub body: RequestBody,
    pub(crate) params: Vec<(String, String)>,
    /// Length of the mount's prefix in the path.
    pub(crate) mounted_at: usize,
}

/// What a handler needs besides the request: the [`Ctx`] for the services, and where it reports what it did.
#[derive(Clone)]
pub struct RequestContext {
    pub ctx: Ctx,
    pub report: Arc<Report>,
}

impl Request {
    /// A request inside this one, for the same front door (an operation of a batch): the client and the connection are the
    /// same, and the body is there already.
    #[must_use]
    pub fn within(&self, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Self {
        Self {
            method,
            uri,
            version: self.version,
            headers,
            client: self.client,
            secure: self.secure,
            trace: self.trace.clone(),
            body: self.body.of(body),
            params: Vec::new(),
            mounted_at: self.mounted_at,
        }
    }

    /// The raw path.
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// The raw query, empty when there is none.
    pub fn query(&self) -> &str {
        self.uri.query().unwrap_or_default()
    }

    /// The raw path below the mount's prefix, without its leading slash.
    pub fn rest(&self) -> &str {
        let rest = self.path().get(self.mounted_at..).unwrap_or_default();
        rest.strip_prefix('/').unwrap_or(rest)
    }

    /// The raw value of a `{name}` in the route's pattern.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The segments below the mount's prefix, each percent-decoded once. An empty rest has no segments; a
    /// trailing slash gives an empty last one.
    pub fn segments(&self) -> Result<Vec<Cow<'_, str>>, Problem> {
        let rest = self.rest();
        if rest.is_empty() {
            return Ok(Vec::new());
        }
        rest.split('/').map(decode_segment).collect()
    }

    /// A header as text, if it is there and is ASCII.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Percent-decodes one path segment, once. Refuses broken escapes, bytes that are not UTF-8, and control
/// characters (ASVS 1.1.1, 1.3.7).
pub fn decode_segment(raw: &str) -> Result<Cow<'_, str>, Problem> {
    if raw.bytes().all(|b| b.is_ascii_graphic() && b != b'%') {
        return Ok(Cow::Borrowed(raw));
    }
    let fault = |detail| Problem::new(&MALFORMED).detail(detail);
    if has_broken_escape(raw.as_bytes()) {
        return Err(fault("The path has a % that is not followed by two hexadecimal digits"));
    }
    let text = percent_decode_str(raw).decode_utf8().map_err(|_| fault("The path is not UTF-8"))?;
    if text.chars().any(|c| c.is_control()) {
        return Err(fault("The path has a control character"));
    }
    Ok(text)
}

fn has_broken_escape(raw: &[u8]) -> bool {
    memchr::memchr_iter(b'%', raw)
        .any(|at| !raw.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_decoded_once() {
        assert_eq!(decode_segment("a%20b").unwrap(), "a b");
        assert_eq!(decode_segment("%252e%252e").unwrap(), "%2e%2e");
        assert_eq!(decode_segment("a%2Fb").unwrap(), "a/b");
        for bad in ["%", "%2", "%zz", "%ff", "%c0%af", "%00", "%0a", "%ed%a0%80"] {
            assert_eq!(decode_segment(bad).unwrap_err().status(), 400, "{bad}");
        }
    }
}
