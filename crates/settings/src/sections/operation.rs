use std::time::Duration;

use super::{checks, ms, secs};
use crate::field::choices;
use crate::table::section;

choices! {
    /// How log lines look.
    pub enum LogFormat {
        /// Readable on a terminal, JSON otherwise.
        Auto = "auto",
        Json = "json",
        Pretty = "pretty",
    }
}

section! {
    /// Logging. Credentials and bodies are never logged; see docs/observability.md for what is taken out of lines.
    pub struct Log {
        /// How log lines look.
        format: LogFormat = LogFormat::Auto;
        /// What is logged: a level, or levels per area as in `info,bedplate_db=debug`.
        level: String = "info".into(), check(checks::log_filter);
        /// Whether e-mail addresses are taken out of lines too, as credentials and card numbers always are.
        redact_emails: bool = false;
    }
}

section! {
    /// Prometheus metrics on the admin listener.
    pub struct Metrics {
        /// Whether `/metrics` is offered.
        enabled: bool = true;
    }
}

section! {
    /// `bedplate dev` only.
    pub struct Dev {
        /// Whether migrations, policies and seeds are watched and applied on save.
        watch: bool = true;
        /// How long a file must be quiet before a change is applied.
        debounce: Duration = ms(150), range(ms(10), secs(10));
        /// Whether the seed files run on a new database.
        seed: bool = true;
    }
}
