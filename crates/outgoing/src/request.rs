//! [`Request`]: one call, and what it may take.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::config::Limits;
use crate::target::Target;

/// Attempts of a call that may be repeated.
const ATTEMPTS: u32 = 3;

/// A call. It follows no redirects and is not repeated, unless told.
#[derive(Debug, Clone)]
pub struct Request {
    pub(crate) class: &'static str,
    pub(crate) method: Method,
    pub(crate) target: Target,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) limits: Limits,
    pub(crate) attempts: u32,
    pub(crate) redirects: u32,
}

impl Request {
    /// `class` names what calls of this kind are for, in metrics: `jwks`, `otlp`. `GET` may be repeated.
    pub fn get(class: &'static str, target: Target) -> Self {
        Self::new(class, Method::GET, target, Bytes::new()).repeatable()
    }

    /// Not repeated, unless [`Request::repeatable`] says that twice is as good as once.
    pub fn post(class: &'static str, target: Target, body: impl Into<Bytes>) -> Self {
        Self::new(class, Method::POST, target, body.into())
    }

    pub fn new(class: &'static str, method: Method, target: Target, body: Bytes) -> Self {
        let (headers, limits) = (HeaderMap::new(), Limits::default());
        Self { class, method, target, headers, body, limits, attempts: 1, redirects: 0 }
    }

    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The call has the same effect once or often: it is tried up to three times.
    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.attempts = ATTEMPTS;
        self
    }

    /// Redirects that are followed, for `GET` and `HEAD`. Each is checked as a URL from a stranger.
    #[must_use]
    pub fn redirects(mut self, most: u32) -> Self {
        self.redirects = most;
        self
    }
}
