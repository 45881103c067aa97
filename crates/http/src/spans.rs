//! Traces: a request that is sampled is told to a sink when it is over, with its stages. What is not sampled costs one
//! comparison.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::Version;

use crate::exchange::Exchange;
use crate::report::Stage;
use crate::trace::TraceContext;

/// A finished request.
#[derive(Debug)]
pub struct RequestSpan<'a> {
    pub trace: &'a TraceContext,
    pub method: &'a str,
    /// As it was sent: it may hold secrets.
    pub path: &'a str,
    pub class: &'a str,
    pub status: u16,
    pub version: Version,
    pub request_id: &'a str,
    pub client: IpAddr,
    /// The database role, where the caller was known.
    pub role: Option<&'a str>,
    pub started: SystemTime,
    pub duration: Duration,
    /// Stages that took time: when each began after `started`, and how long it took.
    pub stages: Vec<(Stage, Duration, Duration)>,
}

/// Takes finished requests. Must not wait.
pub trait SpanSink: Send + Sync + 'static {
    fn request(&self, span: &RequestSpan<'_>);
}

/// Which requests are told, and to whom.
#[derive(Clone)]
pub struct Tracing {
    pub sink: Arc<dyn SpanSink>,
    /// The share of traces begun here that are sampled, of 2^56 (OpenTelemetry's `TraceIdRatioBased`). A trace that began
    /// elsewhere is sampled when its caller says so.
    pub threshold: u64,
}

impl Tracing {
    /// The threshold of a ratio from 0 to 1.
    pub fn threshold(ratio: f64) -> u64 {
        (ratio.clamp(0.0, 1.0) * (1_u64 << 56) as f64) as u64
    }
}

impl fmt::Debug for Tracing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracing").field("threshold", &self.threshold).finish_non_exhaustive()
    }
}

pub(crate) fn tell(exchange: &Exchange, tracing: &Tracing, status: u16, class: &str) {
    let duration = exchange.started.elapsed();
    let stages = exchange.report.spans(exchange.started);
    tracing.sink.request(&RequestSpan {
        trace: &exchange.trace,
        method: exchange.method.as_str(),
        path: exchange.uri.path(),
        class,
        status,
        version: exchange.version,
        request_id: &exchange.request_id,
        client: exchange.client.address,
        role: exchange.principal.as_ref().map(|principal| &*principal.role),
        started: SystemTime::now() - duration,
        duration,
        stages,
    });
}
