//! Against a real PostgreSQL: the contract on a superuser and on an owner without rights, and the runner.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod contract;
mod extensions;
mod kit;
mod policies;
mod races;
mod runner;
mod steps;
mod storage;
