//! The client from outside: against servers on loopback, and against a name server that lies.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod answers;
mod corpus;
mod failures;
mod server;
