//! [`Exchange`]: what is known of one request from its first to its last byte. It counts the request as in
//! flight while it lives, and sees to it that there is exactly one log line whatever happens: also when the
//! client goes away and the future is dropped in the middle.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use bedplate_core::{Principal, ids};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version};

use crate::access_log;
use crate::app::App;
use crate::client::{self, Client};
use crate::compress::AcceptEncoding;
use crate::connection::Connection;
use crate::metrics::ClassMetrics;
use crate::rate_limit::Standing;
use crate::report::Report;
use crate::routes::Endpoint;
use crate::spans;
use crate::trace::TraceContext;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

pub(crate) struct Exchange {
    pub(crate) connection: Arc<Connection>,
    pub(crate) started: Instant,
    pub(crate) request_id: Arc<str>,
    pub(crate) trace: TraceContext,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
    pub(crate) client: Client,
    pub(crate) origin: Option<HeaderValue>,
    pub(crate) accept_encoding: AcceptEncoding,
    pub(crate) report: Arc<Report>,
    pub(crate) endpoint: Option<Arc<Endpoint>>,
    pub(crate) principal: Option<Arc<Principal>>,
    /// What the rate limits said.
    pub(crate) standing: Option<Standing>,
    /// Set when the answer's head is out.
    pub(crate) status: Option<StatusCode>,
    logged: bool,
}

impl Exchange {
    pub(crate) fn begin(connection: Arc<Connection>, head: &mut http::request::Parts) -> Self {
        connection.in_flight.fetch_add(1, Relaxed);
        connection.app.metrics.in_flight.fetch_add(1, Relaxed);
        let config = &connection.app.config;
        let mut trace = TraceContext::from_headers(&head.headers);
        if let Some(tracing) = &config.tracing {
            trace.sample(tracing.threshold);
        }
        let (proxies, written) = (&config.trusted_proxies, config.forwarded_header);
        let client = client::identify(connection.peer, proxies, written, &mut head.headers);
        Self {
            started: Instant::now(),
            request_id: request_id(&head.headers),
            trace,
            method: head.method.clone(),
            uri: head.uri.clone(),
            version: head.version,
            client,
            origin: head.headers.get(http::header::ORIGIN).cloned(),
            accept_encoding: AcceptEncoding::of(&head.headers),
            report: Arc::default(),
            endpoint: None,
            principal: None,
            standing: None,
            status: None,
            logged: false,
            connection,
        }
    }

    pub(crate) fn app(&self) -> &App {
        &self.connection.app
    }

    /// The answer is complete (or broken off) after `bytes` of body.
    pub(crate) fn sent(&mut self, bytes: u64, complete: bool) {
        if std::mem::replace(&mut self.logged, true) {
            return;
        }
        let metrics = self.class();
        let status = match self.status.filter(|_| complete) {
            Some(status) => {
                metrics.record(status, self.started.elapsed());
                status.as_u16()
            }
            None => {
                self.app().metrics.abandoned.fetch_add(1, Relaxed);
                self.connection.count_abort();
                access_log::CLIENT_GONE
            }
        };
        access_log::write(self, status, bytes, metrics.name());
        if let Some(tracing) = self.app().config.tracing.as_ref().filter(|_| self.trace.is_sampled()) {
            spans::tell(self, tracing, status, metrics.name());
        }
    }

    fn class(&self) -> Arc<ClassMetrics> {
        let endpoint = self.endpoint.as_deref();
        let named = endpoint.and_then(|endpoint| endpoint.metrics(self.report.class()));
        Arc::clone(named.unwrap_or(&self.app().unrouted))
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.sent(0, false);
        self.connection.in_flight.fetch_sub(1, Relaxed);
        self.app().metrics.in_flight.fetch_sub(1, Relaxed);
    }
}

fn request_id(headers: &HeaderMap) -> Arc<str> {
    let sent = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    match sent.filter(|id| ids::is_acceptable_request_id(id)) {
        Some(id) => id.into(),
        None => ids::new_request_id().into(),
    }
}
