//! Test fixtures: one private PostgreSQL shared by every test of this checkout, and a database per test.
//!
//! The server is started by the first test that needs it (a file lock decides who), in the temporary directory, with
//! fsync off: it holds nothing worth keeping. It stays up for the next run; `make test` stops it, and so does
//! `cargo run -p bedplate-testkit -- stop`. Its superuser is `supabase_admin`, as in the managed cluster.
//!
//! And a private [`Redis`] for each test that wants one.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stderr)]

mod binaries;
mod database;
mod redis;
mod server;

pub use binaries::{Binaries, RunAs};
pub use database::{Database, connect};
pub use redis::Redis;
pub use server::Server;
