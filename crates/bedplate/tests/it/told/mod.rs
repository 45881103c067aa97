//! What the program tells of itself: log lines, traces, metrics, reports of errors; and what must not be in them.

mod advise;
#[path = "../../../../telemetry/tests/it/collector.rs"]
mod collector;
mod issuers;
mod program;
mod secrets;
mod traces;
