//! The HTTP kit: listener, request pipeline, routes, problem rendering, health and metrics.
//!
//! A crate that serves something declares a table of [`Route`]s, or a [`Mount`] for a whole front door. Whoever
//! assembles the process puts them into an [`App`] with an [`Authenticator`], [`Metrics`] and a [`Shutdown`], and
//! runs a [`Listener`] with it; a second `App` with [`metrics_route`] makes the admin listener.
//!
//! The way of a request: `listener.rs` accepts, whatever happens, and keeps the limits on connections ·
//! `framed.rs` with `head.rs` and `chunked.rs` stands between the socket and hyper and refuses what of HTTP/1
//! could be read in two ways, with a reason (`refusal.rs`) · `connection.rs` runs the protocol and ends it
//! politely · `pipeline.rs` reads like its own list: request id, access log, panic guard, limits, CORS, rate limit,
//! authentication, authorization, handler, one error renderer, compression. `exchange.rs` is what is known of the
//! request all the way, and sees to its one log line.
//!
//! What a handler gets is a [`RequestContext`] (the `Ctx` for services, the [`Report`] for timings and the class)
//! and a [`Request`] with nothing decoded or normalised; what it gives is a [`Response`] or a `Problem`. Its future
//! is dropped at an `await` when the deadline passes or the client goes away.
//!
//! Everything that can be set is in [`Config`]. Nothing here knows the database or the API.

mod access_line;
mod access_log;
mod app;
mod authenticate;
mod body;
mod chunked;
mod client;
mod compress;
pub mod conditional;
pub mod config;
mod connection;
mod cors;
pub mod etag;
mod exchange;
mod framed;
mod handler;
mod head;
mod health;
mod host_guard;
pub mod idempotency;
mod listener;
mod metrics;
mod pipeline;
pub mod problems;
pub mod rate_limit;
pub mod redact;
mod refusal;
mod report;
mod request;
mod request_info;
mod response;
mod routes;
mod security_headers;
mod shutdown;
mod spans;
mod static_files;
mod trace;

pub use access_line::LineSink;
pub use app::{App, Builder};
pub use authenticate::{Anonymous, Authentication, Authenticator};
pub use body::RequestBody;
pub use config::Config;
pub use cors::SharedCors;
pub use handler::{BoxFuture, Handler, handler_fn};
pub use health::{Fault, Health, health_routes, metrics_route};
pub use listener::Listener;
pub use metrics::{ClassMetrics, Collector, FamilyReading, Labels, Metrics, Readings, Samples};
pub use problems::{Occurrence, Renderer};
pub use report::{Report, Stage};
pub use request::{Request, RequestContext, decode_segment};
pub use response::{Body, BoxError, Outgoing, Response};
pub use routes::{Access, Mount, Route};
pub use shutdown::{Phase, Shutdown};
pub use spans::{RequestSpan, SpanSink, Tracing};
pub use static_files::StaticFiles;
pub use trace::TraceContext;
