//! Sending spans.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::redact::Redactor;
use bedplate_outgoing::{Client, Error, Limits, Request, Response, Target};
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue};
use serde_json::{Value as Json, json};

use crate::attribute::Resource;
use crate::queue::{Counts, Flushed, Queue, Sizes, Tally};
use crate::spans::Span;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Spans that may wait; more are dropped.
const WAITING: usize = 2_048;
const BATCH: usize = 512;
const GATHER: Duration = Duration::from_secs(1);
/// A collector that takes longer is down.
const LIMITS: Limits = Limits {
    first_byte: Duration::from_secs(5),
    total: Duration::from_secs(10),
    idle: Duration::from_secs(5),
    bytes: 64 * 1024,
};

/// Where a collector listens, and what it wants to be told.
#[derive(Clone)]
pub struct Endpoint {
    base: String,
    headers: Arc<[(HeaderName, HeaderValue)]>,
}

impl Endpoint {
    /// `base` is the address without `/v1/traces` (`OTEL_EXPORTER_OTLP_ENDPOINT`).
    ///
    /// # Errors
    /// When the address cannot be called.
    pub fn new(base: &str, headers: Vec<(HeaderName, HeaderValue)>) -> Result<Self, String> {
        let endpoint = Self { base: base.trim_end_matches('/').to_owned(), headers: headers.into() };
        endpoint.target("traces").map_err(|error| error.to_string())?;
        Ok(endpoint)
    }

    fn target(&self, signal: &str) -> Result<Target, Error> {
        Target::configured(&format!("{}/v1/{signal}", self.base))
    }

    /// A batch may be sent again: the receiver drops what it has (OTLP, "Retryable Response Codes").
    pub(crate) async fn send(&self, client: &Client, signal: &str, body: &Json) -> Result<Response, Error> {
        let body = body.to_string();
        let mut request = Request::post("otlp", self.target(signal)?, body)
            .repeatable()
            .limits(LIMITS)
            .header(CONTENT_TYPE, JSON);
        for (name, value) in self.headers.iter() {
            request = request.header(name.clone(), value.clone());
        }
        client.send(request).await
    }
}

/// Takes finished spans and sends them in batches. Cheap to clone.
#[derive(Clone)]
pub struct SpanExporter(Queue<Vec<Span>>);

impl SpanExporter {
    /// Starts the task that sends.
    pub fn start(client: Client, endpoint: Endpoint, resource: Resource, redactor: Redactor) -> Self {
        let sizes = Sizes { waiting: WAITING, batch: BATCH, gather: GATHER };
        let shared = Arc::new((client, endpoint, resource));
        Self(Queue::start(sizes, move |batch: Vec<Vec<Span>>, tally| {
            let shared = Arc::clone(&shared);
            async move {
                let (client, endpoint, resource) = &*shared;
                let spans: Vec<Span> = batch.into_iter().flatten().collect();
                let body = encode(resource, &spans, redactor);
                let outcome = endpoint.send(client, "traces", &body).await;
                account(&tally, spans.len() as u64, outcome, "partialSuccess", "rejectedSpans");
            }
        }))
    }

    /// The spans of one request.
    pub fn put(&self, spans: Vec<Span>) {
        self.0.put(spans);
    }

    /// Sends what waits.
    pub fn flush(&self) -> Flushed {
        self.0.flush()
    }

    /// Spans that were sent; requests that found no room count as one.
    pub fn counts(&self) -> Counts {
        self.0.tally.counts()
    }
}

/// Counts what the collector took, and says in the log when it took nothing.
pub(crate) fn account(
    tally: &Tally,
    count: u64,
    outcome: Result<Response, Error>,
    partial: &str,
    rejected: &str,
) {
    match outcome {
        Ok(answer) if answer.status.is_success() => {
            let said: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
            let refused = &said[partial][rejected];
            let refused =
                refused.as_str().and_then(|text| text.parse().ok()).or(refused.as_u64()).unwrap_or(0);
            tally.sent(count.saturating_sub(refused));
            tally.dropped(refused.min(count));
        }
        Ok(answer) => {
            tally.dropped(count);
            tracing::warn!(target: "telemetry", status = answer.status.as_u16(), "the collector refused a batch");
        }
        // While its breaker is open, once was enough.
        Err(Error::Open { .. }) => tally.dropped(count),
        Err(error) => {
            tally.dropped(count);
            tracing::warn!(target: "telemetry", %error, "the collector could not be reached");
        }
    }
}

fn encode(resource: &Resource, spans: &[Span], redactor: Redactor) -> Json {
    let spans: Vec<Json> = spans.iter().map(|span| span.encode(redactor)).collect();
    json!({ "resourceSpans": [{
        "resource": resource.encode(),
        "scopeSpans": [{ "scope": resource.scope(), "spans": spans }],
    }] })
}
