//! The HTTP kit from outside: real sockets, an in-process server per test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod access_log;
mod compression;
mod cors;
mod errors;
mod few_files;
mod frames;
mod health;
mod http2;
mod limits;
mod malformed;
mod pipeline;
mod rate_limit;
mod routing;
mod server;
mod shutdown;
mod static_files;
mod streaming;
mod timeouts;
