//! `bedplate serve`: production. Applies nothing unless told, and refuses to start with what would be unsafe.

use std::sync::Arc;
use std::time::Instant;

use bedplate_core::Problem;
use bedplate_settings::Loaded;
use serde_json::json;

use super::database::{self, Database, Opening};
use super::keys::Keys;
use super::report::{Line, Report};
use super::service::{Service, request_roles, rules};
use super::{Mode, findings, first_answer, lines, schema};

bedplate_core::codes! {
    /// Migrations are pending, and applying them was not asked for.
    MIGRATIONS_PENDING = "migrations_pending", 500, Database, "Migrations are pending", final;
    /// An object that must be served is missing or not protected.
    ACCESS_UNSAFE = "access_unsafe", 500, Access, "The access rules are not safe to serve", final;
}

/// Runs until a signal ends it.
pub async fn run(loaded: &Loaded, report: Arc<dyn Report>) -> Result<(), Problem> {
    let started = Instant::now();
    let keys = Keys::load_or_create(loaded)?;
    let opening = Opening { on_event: Arc::new(|_| {}), ask: None, share: false };
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
    prepare(loaded, database, report).await?;
    let mut service = Service::start(loaded, keys, database, Mode::Serve).await?;
    check_access(loaded, &service, report)?;
    let mut listeners = service.serve();
    first_answer::wait(service.address).await?;
    report.line(lines::ready(&service, started.elapsed(), false));
    let signals = tokio::spawn(service.shutdown.clone().follow_signals());
    while listeners.join_next().await.is_some() {}
    signals.abort();
    report.line(Line::new("stop", "stopped", json!({})));
    service.flush().await;
    service.close();
    Ok(())
}

/// Brings the database up to date when the settings say so; otherwise it must be.
async fn prepare(loaded: &Loaded, database: &Database, report: &dyn Report) -> Result<(), Problem> {
    if !loaded.settings.database.contract {
        return Ok(());
    }
    if loaded.settings.migrations.auto_apply {
        let options = schema::options(loaded, false);
        let show = &mut |event: bedplate_migrate::Event| report.progress(&schema::describe(&event));
        let applied = schema::apply(database, loaded, &options, show).await?;
        report.line(lines::migrate(&applied.migrations));
        return Ok(());
    }
    let pending: Vec<String> = schema::status(database, loaded)
        .await?
        .into_iter()
        .filter(|entry| entry.state == bedplate_migrate::State::Pending)
        .map(|entry| format!("{}_{}", entry.version, entry.name))
        .collect();
    if pending.is_empty() && schema::is_installed(database).await? {
        return Ok(());
    }
    let what = if pending.is_empty() { "the system schemas".to_owned() } else { pending.join(", ") };
    Err(Problem::new(&MIGRATIONS_PENDING)
        .detail(format!("not applied yet: {what}"))
        .hint("run `bedplate migrate up` first, or set migrations.auto_apply = true"))
}

/// Everything that was listed to be served must be protected; all faults at once. What is open because the configuration
/// says so is said aloud.
fn check_access(loaded: &Loaded, service: &Service, report: &dyn Report) -> Result<(), Problem> {
    let catalog = service.loader.current();
    let findings = bedplate_access::report(&rules(loaded), &catalog, &request_roles(loaded, &catalog));
    let warnings: Vec<_> =
        findings.iter().filter(|f| f.severity == bedplate_access::Severity::Warning).cloned().collect();
    if loaded.settings.database.contract {
        findings::show(&warnings, &loaded.state_dir(), report);
    } else if !loaded.settings.access.require_rls {
        report
            .warning("the database is served as it is: its grants and policies alone decide who may do what");
    }
    let faults: Vec<_> = findings.iter().filter(|f| f.severity == bedplate_access::Severity::Error).collect();
    if faults.is_empty() {
        return Ok(());
    }
    let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
    Err(Problem::new(&ACCESS_UNSAFE)
        .detail(texts.join("\n"))
        .hint("apply the SQL above as a migration, or take the object out of access.exposed"))
}
