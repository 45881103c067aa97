//! Logs: one subscriber for the process, JSON where machines read, text on a terminal.

use std::io::IsTerminal;

use bedplate_settings::Loaded;
use bedplate_settings::sections::LogFormat;
use tracing_subscriber::{EnvFilter, fmt};

/// Installs the subscriber. A level that cannot be read was refused with the settings; here it falls to `info`. Logs go to
/// standard error: standard output belongs to the command's answer.
pub fn install(loaded: &Loaded) {
    let log = &loaded.settings.log;
    let filter = EnvFilter::try_new(&log.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let json = match log.format {
        LogFormat::Json => true,
        LogFormat::Pretty => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second one in the same process (tests) keeps the first.
    let _ = if json {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    } else {
        builder.compact().with_ansi(std::io::stderr().is_terminal()).try_init()
    };
}
