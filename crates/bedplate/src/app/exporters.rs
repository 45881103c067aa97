//! What is sent to collectors: spans of requests, metrics, unexpected errors.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use bedplate_core::{Problem, ids};
use bedplate_http::{Metrics, Readings, RequestSpan, Samples, SpanSink, Stage, Tracing};
use bedplate_outgoing::Client;
use bedplate_settings::Loaded;
use bedplate_telemetry::{
    Attribute, Counts, Dsn, Endpoint, Kind, Metric, MetricsExporter, Points, Report, Reporter, Resource,
    Span, SpanExporter, Status, parse_headers,
};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::telemetry::redactor;

bedplate_core::codes! {
    /// `[telemetry]` has a value that cannot be used.
    TELEMETRY_SETTINGS_INVALID = "telemetry_settings_invalid", 500, Server, "The telemetry settings cannot be used", final;
}

/// How long the end of the process waits for collectors.
const FLUSH: Duration = Duration::from_secs(2);

/// Who is told of errors, once the service has started.
static REPORTER: OnceLock<Reporter> = OnceLock::new();

/// What runs beside the service; nothing, unless the settings say where to.
pub struct Exporters {
    spans: Option<SpanExporter>,
    reporter: Option<Reporter>,
    /// Kept for its task.
    _metrics: Option<MetricsExporter>,
    threshold: u64,
}

impl Exporters {
    pub fn start(loaded: &Loaded, client: &Client, metrics: &Arc<Metrics>) -> Result<Self, Problem> {
        let settings = &loaded.settings.telemetry;
        let (resource, redactor) = (resource(loaded), redactor(loaded));
        let (mut spans, mut sending, mut reporter) = (None, None, None);
        if let Some(address) = &settings.otlp_endpoint {
            let headers =
                settings.otlp_headers.as_ref().map_or(Ok(Vec::new()), |text| parse_headers(text.expose()));
            let headers = headers.map_err(|why| invalid(format!("telemetry.otlp_headers: {why}")))?;
            let endpoint = Endpoint::new(address, headers)
                .map_err(|why| invalid(format!("telemetry.otlp_endpoint: {why}")))?;
            let exporter = SpanExporter::start(client.clone(), endpoint.clone(), resource.clone(), redactor);
            spans = Some(exporter.clone());
            metrics.register(move |samples: &mut Samples| count("spans", exporter.counts(), samples));
            if !settings.metrics_interval.is_zero() {
                let read = readings(Arc::downgrade(metrics));
                let (client, resource, every) = (client.clone(), resource.clone(), settings.metrics_interval);
                sending = Some(MetricsExporter::start(client, endpoint, resource, every, read));
            }
        }
        if let Some(dsn) = &settings.sentry_dsn {
            let dsn =
                Dsn::parse(dsn.expose()).map_err(|why| invalid(format!("telemetry.sentry_dsn {why}")))?;
            let started = Reporter::start(client.clone(), dsn, resource, redactor);
            // A second service in the same process (tests) reports to the first one's.
            let _ = REPORTER.set(started.clone());
            reporter = Some(started.clone());
            metrics.register(move |samples: &mut Samples| count("errors", started.counts(), samples));
        }
        let threshold = Tracing::threshold(settings.trace_ratio.trim().parse().unwrap_or(1.0));
        Ok(Self { spans, reporter, _metrics: sending, threshold })
    }

    /// For the HTTP kit.
    pub fn tracing(&self) -> Option<Tracing> {
        let spans = self.spans.clone()?;
        Some(Tracing { sink: Arc::new(Spans(spans)), threshold: self.threshold })
    }

    /// Sends what waits, for a moment at most.
    pub async fn flush(&self) {
        let waiting = self.spans.as_ref().map(SpanExporter::flush).into_iter();
        for flushed in waiting.chain(self.reporter.as_ref().map(Reporter::flush)) {
            flushed.within(FLUSH).await;
        }
    }
}

fn invalid(detail: String) -> Problem {
    Problem::new(&TELEMETRY_SETTINGS_INVALID).detail(detail).hint("correct [telemetry] in bedplate.toml")
}

fn resource(loaded: &Loaded) -> Resource {
    Resource {
        service: loaded.settings.telemetry.service_name.clone(),
        version: env!("CARGO_PKG_VERSION"),
        environment: loaded.env_name.clone(),
        instance: ids::new_request_id(),
    }
}

fn count(what: &'static str, counts: Counts, samples: &mut Samples) {
    for (outcome, count) in [("sent", counts.sent), ("dropped", counts.dropped)] {
        let labels = [("what", what), ("outcome", outcome)];
        samples.counter(
            "bedplate_telemetry_exported",
            "What was sent to collectors, or lost.",
            &labels,
            count,
        );
    }
}

/// Makes spans of requests: one for the whole, one for each stage.
struct Spans(SpanExporter);

impl SpanSink for Spans {
    fn request(&self, request: &RequestSpan<'_>) {
        self.0.put(spans(request));
    }
}

fn spans(request: &RequestSpan<'_>) -> Vec<Span> {
    let trace = request.trace;
    let root = Span {
        trace: trace.trace_id().to_owned(),
        id: trace.span_id().to_owned(),
        parent: trace.parent_id().map(str::to_owned),
        state: trace.state().map(str::to_owned),
        name: format!("{} {}", request.method, request.class),
        kind: Kind::Server,
        start: request.started,
        duration: request.duration,
        attributes: attributes(request),
        status: if request.status >= 500 { Status::Error } else { Status::Unset },
    };
    let stages = request.stages.iter().map(|(stage, begin, duration)| {
        let is_database = *stage == Stage::Database;
        Span {
            id: Span::new_id(),
            parent: Some(root.id.clone()),
            state: None,
            name: stage.name().to_owned(),
            kind: if is_database { Kind::Client } else { Kind::Internal },
            start: request.started + *begin,
            duration: *duration,
            attributes: if is_database { vec![("db.system.name", "postgresql".into())] } else { Vec::new() },
            status: Status::Unset,
            ..root.clone()
        }
    });
    let stages: Vec<Span> = stages.collect();
    std::iter::once(root).chain(stages).collect()
}

/// OpenTelemetry's semantic conventions for HTTP servers, as far as they apply. No query: it holds what users ask for.
fn attributes(request: &RequestSpan<'_>) -> Vec<Attribute> {
    let mut attributes: Vec<Attribute> = vec![
        ("http.request.method", request.method.to_owned().into()),
        ("url.path", request.path.to_owned().into()),
        ("http.route", request.class.to_owned().into()),
        ("http.response.status_code", i64::from(request.status).into()),
        ("client.address", request.client.to_string().into()),
        ("bedplate.request_id", request.request_id.to_owned().into()),
    ];
    attributes.extend(request.role.map(|role| ("bedplate.role", role.to_owned().into())));
    attributes
}

/// The families of `/metrics`, for the collector.
fn readings(metrics: Weak<Metrics>) -> impl Fn() -> Vec<Metric> + Send + Sync + 'static {
    let labels = |labels: Vec<(&'static str, String)>| -> Vec<Attribute> {
        labels.into_iter().map(|(name, value)| (name, value.into())).collect()
    };
    move || {
        let families = metrics.upgrade().map(|metrics| metrics.read()).unwrap_or_default();
        let metric = |family: bedplate_http::FamilyReading| Metric {
            name: family.name,
            help: family.help,
            points: match family.readings {
                Readings::Gauges(rows) => {
                    Points::Gauge(rows.into_iter().map(|(names, value)| (labels(names), value)).collect())
                }
                Readings::Counters(rows) => {
                    Points::Counter(rows.into_iter().map(|(names, value)| (labels(names), value)).collect())
                }
                Readings::Histograms(bounds, rows) => {
                    let rows = rows.into_iter().map(|(names, counts, sum)| (labels(names), counts, sum));
                    Points::Histogram(bounds, rows.collect())
                }
            },
        };
        families.into_iter().map(metric).collect()
    }
}

/// Hands what is logged as an error to the reporter, unless it is load (503) or lateness (504), which metrics tell better.
pub struct Errors;

impl<S: Subscriber> Layer<S> for Errors {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() != Level::ERROR {
            return;
        }
        let Some(reporter) = REPORTER.get() else { return };
        let mut fields = Fields::default();
        event.record(&mut fields);
        if fields.status.is_some_and(|status| status > 500) {
            return;
        }
        reporter.put(Report {
            message: fields.message,
            place: event.metadata().target().to_owned(),
            fields: fields.others,
        });
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    status: Option<u64>,
    others: Vec<(String, String)>,
}

impl Fields {
    fn keep(&mut self, field: &Field, value: String) {
        match field.name() {
            "message" => self.message = value,
            name => self.others.push((name.to_owned(), value)),
        }
    }
}

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "status" {
            self.status = Some(value);
        }
        self.keep(field, value.to_string());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.keep(field, format!("{value:?}"));
    }
}
