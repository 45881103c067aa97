//! Who asks, and under what limits: every service function takes a [`Ctx`] first.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// What kind of caller a [`Principal`] is. The database role decides what it may do; the kind decides which
/// error it gets (401 or 403) and which limits apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PrincipalKind {
    /// No token, or only a publishable key.
    Anonymous,
    /// A signed-in user.
    User,
    /// A secret key or a `service_role` token: the app's own backend.
    Service,
}

/// An authenticated caller. Only `auth` makes one from credentials.
#[derive(Debug, Clone)]
pub struct Principal {
    pub kind: PrincipalKind,
    /// The database role the request runs under, for example `anon`, `authenticated`, `service_role`.
    pub role: Arc<str>,
    /// The `sub` claim, where there is one.
    pub subject: Option<Arc<str>>,
    /// The verified claims as the JSON text that `request.jwt.claims` gets. Always an object with `role`.
    pub claims: Arc<str>,
    /// The `exp` claim in seconds since the Unix epoch; long-lived things (streams, sockets) end there.
    pub expires_at: Option<i64>,
    /// What logs show in place of the subject; made by the first line that shows it.
    pub logged_as: OnceLock<Box<str>>,
}

impl Principal {
    /// The caller without credentials, running as `role`.
    pub fn anonymous(role: &str) -> Self {
        Self {
            kind: PrincipalKind::Anonymous,
            role: role.into(),
            subject: None,
            claims: format!("{{\"role\":{}}}", serde_json::Value::from(role)).into(),
            expires_at: None,
            logged_as: OnceLock::new(),
        }
    }

    pub fn is_signed_in(&self) -> bool {
        self.kind != PrincipalKind::Anonymous
    }
}

/// What SQL may know of the request, as Supabase's and PostgREST's settings `request.method`, `request.path` and
/// `request.headers`.
#[derive(Debug, Clone, Default)]
pub struct RequestInfo {
    pub method: &'static str,
    pub path: String,
    /// JSON object of lower-case header names to values; credentials are left out.
    pub headers: String,
    /// JSON object of cookies, for front doors whose SQL may see them (`request.cookies`).
    pub cookies: Option<String>,
}

/// The context of one request: the caller, the id, the deadline. A user transaction can only be opened from it.
#[derive(Debug, Clone)]
pub struct Ctx {
    pub principal: Arc<Principal>,
    pub request_id: Arc<str>,
    pub request: Arc<RequestInfo>,
    /// When the answer must be out. Work past it is cancelled in PostgreSQL and answered 504.
    pub deadline: Option<Instant>,
}

impl Ctx {
    pub fn new(principal: Arc<Principal>, request_id: impl Into<Arc<str>>) -> Self {
        Self { principal, request_id: request_id.into(), request: Arc::default(), deadline: None }
    }
}
