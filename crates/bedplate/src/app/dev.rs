//! `bedplate dev`: everything up to date, served on this machine, and kept up to date while files are saved.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use bedplate_core::Problem;
use bedplate_migrate::{self as migrate, Event};
use bedplate_settings::Loaded;
use serde_json::json;

use super::database::{self, Ask, Database, Opening};
use super::keys::Keys;
use super::report::{Line, Report};
use super::service::{Service, request_roles, rules};
use super::{Mode, findings, first_answer, lines, schema, types, watch};

pub struct Options {
    pub report: Arc<dyn Report>,
    /// Asks whether PostgreSQL may be downloaded.
    pub ask: Option<Ask>,
}

/// Runs until a signal ends it. Whatever happens, the private server is stopped in order.
pub async fn run(loaded: &Loaded, options: &Options) -> Result<(), Problem> {
    let started = Instant::now();
    let keys = Keys::load_or_create(loaded)?;
    let report = Arc::clone(&options.report);
    let progress = Arc::clone(&report);
    let opening = Opening {
        on_event: Arc::new(move |event| {
            if lines::is_notable(&event) {
                progress.progress(&event.to_string());
            }
        }),
        ask: options.ask.clone(),
        share: false,
    };
    let database = database::open(loaded, opening).await?;
    report.line(lines::postgres(loaded, &database));
    let outcome = Box::pin(serve(loaded, &keys, &database, &*report, started)).await;
    database.close().await;
    outcome
}

async fn serve(
    loaded: &Loaded,
    keys: &Keys,
    database: &Database,
    report: &dyn Report,
    started: Instant,
) -> Result<(), Problem> {
    // Before anything is read: what is saved from now on must not be missed.
    let saved = watch_files(loaded)?;
    let applied = apply(loaded, database, report).await?;
    let mut service = Service::start(loaded, keys, database, Mode::Dev).await?;
    show_access(loaded, &service, &applied.policies, report);
    if loaded.settings.dev.seed {
        let seeded = schema::seed(database, loaded, false, &mut |event| show_event(&event, report)).await?;
        report.line(lines::seed(&seeded));
    }
    types::write_and_report(loaded, &service.loader.current(), report);
    let mut listeners = service.serve();
    first_answer::wait(service.address).await?;
    let cold = database.cluster.as_ref().is_none_or(bedplate_cluster::Cluster::created);
    report.line(lines::ready(&service, started.elapsed(), cold));
    report.line(Line::new(
        "",
        lines::doors(loaded, &service),
        json!({ "doors": lines::doors(loaded, &service) }),
    ));

    let signals = service.shutdown.clone().follow_signals();
    tokio::pin!(signals);
    let changes = follow(loaded, database, &service, saved, report);
    tokio::pin!(changes);
    let types = types::follow(loaded, &service.loader, report);
    tokio::pin!(types);
    let mut watching = true;
    loop {
        tokio::select! {
            ended = listeners.join_next() => {
                if ended.is_none() { break; }
            }
            _ = &mut signals => break,
            () = &mut types => {}
            outcome = &mut changes, if watching => {
                watching = false;
                outcome?;
            }
        }
    }
    report.line(Line::new("stop", "stopped", json!({})));
    service.flush().await;
    service.close();
    Ok(())
}

async fn apply(
    loaded: &Loaded,
    database: &Database,
    report: &dyn Report,
) -> Result<schema::Applied, Problem> {
    let options = migrate::Options { hold_empty: true, ..schema::options(loaded, false) };
    let applied = schema::apply(database, loaded, &options, &mut |event| show_event(&event, report)).await?;
    report.line(lines::migrate(&applied.migrations));
    for notice in &applied.migrations.notices {
        report.warning(notice);
    }
    Ok(applied)
}

fn show_event(event: &Event, report: &dyn Report) {
    report.progress(&schema::describe(event));
}

/// Says what is served, and for what is not, which SQL would change that.
fn show_access(
    loaded: &Loaded,
    service: &Service,
    policies: &bedplate_migrate::PoliciesReport,
    report: &dyn Report,
) {
    let catalog = service.loader.current();
    report.line(lines::policy(policies, bedplate_access::coverage(&catalog)));
    let found = bedplate_access::report(&rules(loaded), &catalog, &request_roles(loaded, &catalog));
    findings::show(&found, &loaded.state_dir(), report);
}

/// The project's SQL files under watch; `None` when watching is off.
fn watch_files(loaded: &Loaded) -> Result<Option<watch::Changes>, Problem> {
    if !loaded.settings.dev.watch {
        return Ok(None);
    }
    let settings = &loaded.settings;
    let mut paths: Vec<PathBuf> =
        vec![loaded.dir.join(&settings.migrations.dir), loaded.dir.join(&settings.policies.dir)];
    paths
        .extend(settings.seed.files.iter().chain(&settings.seed.dev_files).map(|file| loaded.dir.join(file)));
    watch::watch(&paths, settings.dev.debounce).map(Some)
}

/// Applies what is saved. A file with a fault is reported and the server goes on with what it has.
async fn follow(
    loaded: &Loaded,
    database: &Database,
    service: &Service,
    saved: Option<watch::Changes>,
    report: &dyn Report,
) -> Result<(), Problem> {
    let Some(mut changes) = saved else { return Ok(()) };
    while let Some(files) = changes.next().await {
        let names: Vec<String> =
            files.iter().filter_map(|f| f.file_name()).map(|n| n.to_string_lossy().into_owned()).collect();
        let at = Instant::now();
        match update(loaded, database, service, report).await {
            Ok(what) => {
                let text = format!("{}: {what}   {}", names.join(", "), lines::seconds(at.elapsed()));
                report.line(Line::new("change", text, json!({ "files": names, "done": what })));
            }
            Err(problem) => report.warning(&problem.to_string()),
        }
    }
    Ok(())
}

async fn update(
    loaded: &Loaded,
    database: &Database,
    service: &Service,
    report: &dyn Report,
) -> Result<String, Problem> {
    let options = migrate::Options { hold_empty: true, ..schema::options(loaded, false) };
    let applied = schema::apply(database, loaded, &options, &mut |event| show_event(&event, report)).await?;
    let seeded = if loaded.settings.dev.seed {
        Some(schema::seed(database, loaded, false, &mut |event| show_event(&event, report)).await?)
    } else {
        None
    };
    // Not only when told by the database: the next request is to see the change.
    service.loader.reload().await?;
    let mut done = Vec::new();
    if !applied.migrations.ran.is_empty() {
        done.push(format!("{} applied", lines::count(applied.migrations.ran.len(), "migration")));
    }
    if applied.policies.applied {
        done.push("policies applied".to_owned());
    }
    let is_new = |outcome: &bedplate_migrate::Seeded| *outcome == bedplate_migrate::Seeded::Now;
    if seeded.is_some_and(|seeded| seeded.files.iter().any(|(_, outcome)| is_new(outcome))) {
        done.push("seed applied".to_owned());
    }
    if done.is_empty() && !applied.migrations.held.is_empty() {
        return Ok("waiting for its SQL".to_owned());
    }
    if done.is_empty() {
        return Ok("nothing new to apply".to_owned());
    }
    show_access(loaded, service, &applied.policies, report);
    Ok(done.join(", "))
}
