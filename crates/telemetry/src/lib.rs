//! What leaves the process about itself: traces and metrics over OTLP/HTTP in its JSON encoding (OpenTelemetry Protocol
//! 1.x, "JSON Protobuf Encoding"), and unexpected errors to a service that speaks Sentry's protocol. All of it goes
//! through the platform's outgoing client, is freed of secrets, and is dropped and counted rather than waited for.

mod attribute;
mod headers;
mod metrics;
mod queue;
mod sentry;
mod spans;
mod traces;

pub use attribute::{Attribute, Resource, Value};
pub use headers::parse_headers;
pub use metrics::{Metric, MetricsExporter, Points};
pub use queue::{Counts, Flushed};
pub use sentry::{Dsn, Report, Reporter};
pub use spans::{Kind, Span, Status};
pub use traces::{Endpoint, SpanExporter};
