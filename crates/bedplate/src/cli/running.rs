//! `bedplate dev` and `bedplate serve`: checks that it is safe, then runs the app and shows what it tells.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bedplate_settings::{Context as Purpose, Loaded, Override, unsafe_settings};
use serde_json::{Value, json};

use super::args::{DevArgs, ServeArgs};
use super::progress::{ask, block_on_threads};
use super::ui::{DIM, NAME, Ui, WARN};
use super::{Context, Exit, Failure};
use crate::app::report::{Line, Report};
use crate::app::{self, keys, telemetry};

pub fn dev(args: &DevArgs, context: &Context) -> Result<Exit, Failure> {
    let mut overrides = Vec::new();
    set(&mut overrides, "server.port", args.port.map(|port| port.to_string()), "--port");
    set(&mut overrides, "dev.watch", args.no_watch.then(|| "false".into()), "--no-watch");
    set(&mut overrides, "dev.seed", args.no_seed.then(|| "false".into()), "--no-seed");
    let loaded = context.project("development", overrides)?;
    refuse_unsafe(&loaded, Purpose::Dev, "bedplate dev")?;
    let _logs = telemetry::install(&loaded)?;
    let options = app::dev::Options { report: Arc::new(Shown::new(&context.ui)), ask: ask(&context.ui) };
    block_on_threads(
        loaded.settings.server.workers,
        Box::pin(async {
            app::dev::run(&loaded, &options).await?;
            Ok(Exit::Done)
        }),
    )
}

pub fn serve(args: &ServeArgs, context: &Context) -> Result<Exit, Failure> {
    let mut overrides = Vec::new();
    set(&mut overrides, "server.host", args.host.clone(), "--host");
    set(&mut overrides, "server.port", args.port.map(|port| port.to_string()), "--port");
    set(&mut overrides, "migrations.auto_apply", args.migrate.then(|| "true".into()), "--migrate");
    let loaded = context.project("production", overrides)?;
    refuse_unsafe(&loaded, Purpose::Serve, "bedplate serve")?;
    let _logs = telemetry::install(&loaded)?;
    let report = Arc::new(Shown::new(&context.ui));
    block_on_threads(
        loaded.settings.server.workers,
        Box::pin(async {
            app::serve::run(&loaded, report).await?;
            Ok(Exit::Done)
        }),
    )
}

fn set(overrides: &mut Vec<Override>, key: &str, value: Option<String>, flag: &str) {
    if let Some(value) = value {
        overrides.push(Override { key: key.to_owned(), value, flag: flag.to_owned() });
    }
}

fn refuse_unsafe(loaded: &Loaded, purpose: Purpose, command: &str) -> Result<(), Failure> {
    let faults = unsafe_settings(loaded, purpose, keys::origin(loaded)?);
    if faults.is_empty() {
        return Ok(());
    }
    Err(Failure::configuration(format!("these settings are not safe for `{command}`"), faults))
}

/// What the app tells, on this terminal.
struct Shown {
    ui: Ui,
    /// A progress text stands on the last line and has to give way.
    unfinished: AtomicBool,
}

impl Shown {
    fn new(ui: &Ui) -> Self {
        Self { ui: ui.clone(), unfinished: AtomicBool::new(false) }
    }

    fn clear(&self) {
        if self.unfinished.swap(false, Ordering::Relaxed) {
            let _ = write!(std::io::stderr().lock(), "\r\u{1b}[2K");
        }
    }
}

impl Report for Shown {
    fn line(&self, line: Line) {
        self.clear();
        self.ui.show(
            || {
                let mut event = json!({ "event": line.label, "text": line.text });
                if let (Value::Object(event), Value::Object(data)) = (&mut event, line.data.clone()) {
                    event.extend(data);
                }
                event
            },
            |ui| format!("{} {}", ui.paint(NAME, format!("{:9}", line.label)), line.text),
        );
    }

    fn progress(&self, text: &str) {
        if self.ui.is_live() {
            self.unfinished.store(true, Ordering::Relaxed);
            let text = self.ui.paint(DIM, text.lines().next().unwrap_or_default());
            let mut out = std::io::stderr().lock();
            let _ = write!(out, "\r\u{1b}[2K{text}");
            let _ = out.flush();
        }
    }

    fn warning(&self, text: &str) {
        self.clear();
        self.ui.event(&json!({ "event": "warning", "text": text }));
        self.ui.line(format!("{} {}", self.ui.paint(WARN, "warning  "), text.replace('\n', "\n          ")));
    }
}
