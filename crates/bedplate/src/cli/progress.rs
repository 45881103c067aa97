//! Opening the database from the command line: progress as lines, questions on a terminal, a runtime to wait on.

use std::future::Future;
use std::io::{BufRead, Write};
use std::sync::Arc;
use std::time::Duration;

use bedplate_cluster as cluster;
use bedplate_migrate as migrate;
use bedplate_settings::Loaded;
use serde_json::json;

use super::ui::{DIM, GOOD, Ui, WARN};
use super::{Context, Exit, Failure};
use crate::app::database::{self, Ask, Database, Opening};

/// Runs a command's asynchronous work to its end, on one thread per core.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    block_on_threads(None, work)
}

/// As [`block_on`], on so many threads.
pub fn block_on_threads<T>(
    threads: Option<usize>,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = threads {
        builder.worker_threads(threads);
    }
    let runtime = builder.enable_all().build().map_err(|error| {
        let message = format!("no threads can be started: {error}");
        Failure::new(Exit::Failed, "runtime", message, "check the limits of this account: ulimit -a")
    })?;
    runtime.block_on(work)
}

/// How commands open the database: sharing the server of a running `bedplate dev`, asking before a download.
pub fn opening(ui: &Ui) -> Opening {
    let events = ui.clone();
    Opening { on_event: Arc::new(move |event| database_event(&events, &event)), ask: ask(ui), share: true }
}

/// A way to ask the user about a download, where there is one to ask.
pub fn ask(ui: &Ui) -> Option<Ask> {
    let questions = ui.clone();
    ui.can_ask().then(|| -> Ask { Arc::new(move |offer| ask_download(&questions, offer)) })
}

/// Opens the project's database, does the work, and stops the private server again if it was started for that.
pub async fn with_database<T, F>(context: &Context, loaded: &Loaded, work: F) -> Result<T, Failure>
where
    F: AsyncFnOnce(&Database) -> Result<T, Failure>,
{
    let database = database::open(loaded, opening(&context.ui)).await?;
    let result = work(&database).await;
    database.close().await;
    result
}

/// The private server's progress: what takes time or explains something. The rest is for the log.
pub fn database_event(ui: &Ui, event: &cluster::Event) {
    use cluster::Event;
    if matches!(event, Event::Searching | Event::Found { .. } | Event::Started { .. }) {
        return;
    }
    ui.note(format!("postgres  {event}"));
}

fn ask_download(ui: &Ui, offer: &cluster::Offer) -> bool {
    ui.note(format!(
        "This machine has no PostgreSQL. Download version {} from {}? [y/N] ",
        offer.version, offer.url
    ));
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// A migration's progress: a line of text, or a JSON event.
pub fn migration_event(ui: &Ui, event: &migrate::Event) {
    use migrate::Event;
    let warn = |text: String| ui.paint(WARN, text);
    let took = |took: Duration| ui.paint(DIM, format!("{:.2} s", took.as_secs_f64()));
    let line = match event {
        Event::Waiting { waited, holder } => warn(format!(
            "waiting    another process migrates this database ({holder}), {} s",
            waited.as_secs()
        )),
        Event::Adopted { versions } => {
            format!("adopted    {} migrations applied by Supabase's tools", versions.len())
        }
        Event::Started { .. } => return ui.event(event),
        Event::Resumed { file, done } => warn(format!("resumed    {file}, behind statement {done}")),
        Event::Step { file, statement, of } => format!("step       {file}  {statement} of {of}"),
        Event::LockRetry { file, attempt, blocked_by, .. } => {
            warn(format!("locked     {file}, try {attempt}: {blocked_by}"))
        }
        Event::Notice { file, text } => format!("notice     {file}: {text}"),
        Event::Applied { file, took: time } => {
            format!("{}    {file}  {}", ui.paint(GOOD, "applied"), took(*time))
        }
        Event::Undone { file, took: time } => {
            format!("{}     {file}  {}", ui.paint(GOOD, "undone"), took(*time))
        }
        Event::PoliciesApplied { files, took: time } => {
            format!("{}   {files} files  {}", ui.paint(GOOD, "policies"), took(*time))
        }
        Event::Seeded { file, took: time } => {
            format!("{}     {file}  {}", ui.paint(GOOD, "seeded"), took(*time))
        }
    };
    if ui.is_json() { ui.event(event) } else { ui.line(line) }
}

/// What the database cannot do, each with what would change that.
pub fn limitations(ui: &Ui, contract: &migrate::system::Report) {
    for limitation in &contract.limitations {
        ui.event(&json!({ "event": "limitation", "limitation": limitation }));
        ui.line(format!(
            "{}    {}: {}\n           fix: {}",
            ui.paint(WARN, "limited"),
            limitation.what,
            limitation.why,
            limitation.fix
        ));
    }
}
