//! Against a real PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod catalog;
mod encode;
mod pgtext;
mod random;
mod sql;
mod syntax;
