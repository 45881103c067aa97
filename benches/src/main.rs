//! `make bench`: how fast Bedplate is, as a share of what PostgreSQL itself does for the same authenticated transaction.
//!
//! Starts a private PostgreSQL with the managed settings and a release Bedplate on it, then runs in interleaved rounds:
//! `pgbench` with the textbook transaction (begin, set_config, query, commit: four round trips), `pgbench` with the same
//! work in one pipeline with one Sync, Bedplate over HTTP, and PostgREST when its binary is given. Rates move with
//! whatever else the machine does; ratios of one round and CPU time per request stay.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program")]

mod args;
mod client;
mod contest;
mod cpu;
mod database;
mod load;
mod micro;
mod pgbench;
mod report;
mod server;
mod workload;

use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Mode};

/// A failure, for the person at the terminal.
type Outcome<T> = Result<T, String>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.mode {
        Some(Mode::Load(load)) => block_on(load::run(&load)),
        Some(Mode::Micro) => micro::run(),
        None => block_on(contest::run(&arguments.contest)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("bench: {message}");
            ExitCode::FAILURE
        }
    }
}

fn block_on(work: impl Future<Output = Outcome<()>>) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| format!("cannot start a runtime: {error}"))?.block_on(work)
}
