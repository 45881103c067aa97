//! The HTTP kit from outside: real sockets, an in-process server per test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod compression;
mod cors;
mod errors;
mod health;
mod http2;
mod limits;
mod malformed;
mod pipeline;
mod routing;
mod server;
mod shutdown;
mod static_files;
mod timeouts;
