//! The HTTP kit: listener, request pipeline, routes, problem rendering, health and metrics.
//!
//! A crate that serves something declares a table of [`Route`]s, or a [`Mount`] for a whole front door. Whoever
//! assembles the process puts them into an [`App`] with an [`Authenticator`], [`Metrics`] and a [`Shutdown`], and
//! runs a [`Listener`] with it. A request then passes through `pipeline.rs`, which reads like its own list.
//!
//! Below that, `framed.rs` stands between the socket and hyper and refuses whatever of HTTP/1 could be read in
//! two ways. Everything that can be set is in [`Config`]. Nothing here knows the database or the API.

mod access_log;
mod app;
mod authenticate;
mod body;
mod chunked;
mod client;
mod compress;
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
mod listener;
mod metrics;
mod pipeline;
pub mod problems;
pub mod redact;
mod refusal;
mod report;
mod request;
mod request_info;
mod response;
mod routes;
mod security_headers;
mod shutdown;
mod static_files;
mod trace;

pub use app::{App, Builder};
pub use authenticate::{Anonymous, Authentication, Authenticator};
pub use body::RequestBody;
pub use config::Config;
pub use handler::{BoxFuture, Handler, handler_fn};
pub use health::{Fault, Health, health_routes, metrics_route};
pub use listener::Listener;
pub use metrics::{ClassMetrics, Collector, Metrics, Samples};
pub use problems::{Occurrence, Renderer};
pub use report::{Report, Stage};
pub use request::{Request, RequestContext, decode_segment};
pub use response::{Body, BoxError, Outgoing, Response};
pub use routes::{Access, Mount, Route};
pub use shutdown::{Phase, Shutdown};
pub use static_files::StaticFiles;
pub use trace::TraceContext;
