//! The app: its parts, made from the settings, and its life from start to shutdown.

mod cache;
pub mod database;
mod description;
pub mod dev;
mod dev_routes;
mod exporters;
mod findings;
mod first_answer;
mod gauges;
mod idempotency;
mod identify;
pub mod keys;
mod kit;
mod limits;
mod lines;
pub mod log_writer;
pub mod outgoing;
pub mod report;
pub mod rest;
pub mod schema;
pub mod serve;
pub mod service;
mod statistics;
pub mod telemetry;
pub mod token;
pub mod types;
pub mod users;
mod watch;

/// How the server runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// On this machine, for its developer: applies changes, shows details, mints tokens.
    Dev,
    /// For users.
    Serve,
}

/// The problem codes that the app itself raises, for the reference.
pub fn problem_catalogues() -> impl Iterator<Item = &'static [&'static bedplate_core::Code]> {
    let all = [
        cache::ALL,
        database::ALL,
        exporters::ALL,
        idempotency::ALL,
        identify::ALL,
        keys::ALL,
        outgoing::ALL,
        rest::ALL,
        schema::ALL,
        serve::ALL,
        service::ALL,
        types::ALL,
    ];
    all.into_iter()
}
