use std::time::Duration;

use bedplate_core::Secret;

use super::{checks, secs};
use crate::table::section;

section! {
    /// What this server tells of itself to other systems. Off until an address is set; see docs/observability.md.
    pub struct Telemetry {
        /// Address of an OpenTelemetry collector that takes OTLP over HTTP, without `/v1/traces`:
        /// `http://localhost:4318`. Also set by `OTEL_EXPORTER_OTLP_ENDPOINT`.
        otlp_endpoint: Option<String> = None, check(checks::http_url);
        /// Headers that the collector wants, as `name=value` with commas between them. Also set by
        /// `OTEL_EXPORTER_OTLP_HEADERS`.
        otlp_headers: Option<Secret> = None;
        /// The name of this service in traces. Also set by `OTEL_SERVICE_NAME`.
        service_name: String = "bedplate".into(), check(checks::not_empty);
        /// Share of requests that are traced, from "0" to "1", unless the caller's `traceparent` decides. Also set by
        /// `OTEL_TRACES_SAMPLER_ARG`.
        trace_ratio: String = "1".into(), check(checks::ratio);
        /// How often metrics are sent to the collector; 0 for never.
        metrics_interval: Duration = secs(60), range(Duration::ZERO, secs(3600));
        /// Where unexpected errors are reported: the DSN of a project in Sentry, or in a service that speaks its protocol.
        /// Also set by `SENTRY_DSN`.
        sentry_dsn: Option<Secret> = None;
    }
}
