//! Logs: one subscriber for the process, JSON where machines read, text on a terminal.

use std::io::IsTerminal;
use std::sync::{Arc, OnceLock};

use bedplate_core::Problem;
use bedplate_core::redact::Redactor;
use bedplate_http::config::Lines;
use bedplate_settings::Loaded;
use bedplate_settings::sections::LogFormat;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt};

use super::exporters::Errors;
use super::log_writer::LogWriter;

/// Where JSON lines go, once there is a subscriber that writes JSON.
static JSON: OnceLock<LogWriter> = OnceLock::new();

/// For the access log, which writes its own lines when they are JSON.
pub fn json_lines() -> Option<Lines> {
    JSON.get().map(|writer| Lines(Arc::new(writer.clone())))
}

/// Installs the subscriber, until the end of the process; keep what it gives. A level that cannot be read was refused with
/// the settings; here it falls to `info`. Logs go to standard error: standard output belongs to the command's answer.
pub fn install(loaded: &Loaded) -> Result<Logs, Problem> {
    let log = &loaded.settings.log;
    let filter = EnvFilter::try_new(&log.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let json = match log.format {
        LogFormat::Json => true,
        LogFormat::Pretty => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let redactor = redactor(loaded);
    let writer = LogWriter::start(std::io::stderr(), redactor)
        .map_err(|e| Problem::internal_error(format!("no thread for the log can be started: {e}")))?;
    let builder = fmt().with_env_filter(filter).with_writer(writer.clone());
    // A second one in the same process (tests) keeps the first.
    let _ = if json {
        let _ = JSON.set(writer.clone());
        let json = builder.json().flatten_event(true).with_current_span(false).with_span_list(false);
        json.finish().with(Errors).try_init()
    } else {
        builder.compact().with_ansi(std::io::stderr().is_terminal()).finish().with(Errors).try_init()
    };
    log_panics();
    Ok(Logs(writer))
}

/// What takes secrets out of everything that is written.
pub fn redactor(loaded: &Loaded) -> Redactor {
    Redactor { emails: loaded.settings.log.redact_emails }
}

/// A panic's message goes the way of all log lines, not past them to standard error.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string);
        tracing::error!(target: "panic", message = panic.payload_as_str().unwrap_or("without a message"), at);
    }));
}

/// Writes what is left of the log when it is dropped.
pub struct Logs(LogWriter);

impl Drop for Logs {
    fn drop(&mut self) {
        self.0.flush();
    }
}
