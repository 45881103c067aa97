//! Against a real PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod catalog;
