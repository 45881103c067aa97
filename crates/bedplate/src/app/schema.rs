//! The app's SQL on its database: the contract, migrations, policies, seeds. `dev`, `serve` and the commands of the
//! command line all come through here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bedplate_core::Problem;
use bedplate_migrate::{
    self as migrate, Event, Folder, Policies, PoliciesReport, Report, Script, SeedReport, Seeds,
};
use bedplate_settings::{Loaded, Origin};
use serde::Serialize;

use super::database::Database;
use super::lines;

bedplate_core::codes! {
    /// Something needs Bedplate's contract in a database that is served without it.
    NO_CONTRACT = "no_contract", 500, Database, "This database is served without the contract", final;
}

/// A problem where the database is served as it is (`database.contract = false`): then nothing is installed in it.
fn needs_contract(loaded: &Loaded) -> Result<(), Problem> {
    if loaded.settings.database.contract {
        return Ok(());
    }
    Err(Problem::new(&NO_CONTRACT)
        .detail("migrations, policies and seeds need Bedplate's contract, and database.contract is false")
        .hint("apply them with the tools that this database is kept with, or set database.contract = true"))
}

/// What [`apply`] did.
#[derive(Debug, Serialize)]
pub struct Applied {
    pub contract: migrate::system::Report,
    pub migrations: Report,
    pub policies: PoliciesReport,
}

/// The runner's options from the settings. `allow_out_of_order` is for this run, beside the setting.
pub fn options(loaded: &Loaded, allow_out_of_order: bool) -> migrate::Options {
    let settings = &loaded.settings.migrations;
    migrate::Options {
        allow_out_of_order: allow_out_of_order || settings.allow_out_of_order,
        lock_timeout: settings.lock_timeout,
        ..migrate::Options::default()
    }
}

pub fn folder(loaded: &Loaded) -> Result<Folder, Problem> {
    Ok(Folder::read(&shown(&loaded.dir.join(&loaded.settings.migrations.dir)))?)
}

/// The path as messages should name it: relative to where the command runs, when it is below.
fn shown(path: &Path) -> PathBuf {
    let here = std::env::current_dir().ok();
    let relative = here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_path_buf));
    relative.filter(|path| !path.as_os_str().is_empty()).unwrap_or_else(|| path.to_path_buf())
}

/// Brings the database up to date: the contract, pending migrations, changed policies.
pub async fn apply(
    database: &Database,
    loaded: &Loaded,
    options: &migrate::Options,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<Applied, Problem> {
    needs_contract(loaded)?;
    let folder = folder(loaded)?;
    let policies = Policies::read(&shown(&loaded.dir.join(&loaded.settings.policies.dir)))?;
    let (mut owner, mut admin) = database.connect_for_migrations().await?;
    let contract = migrate::system::install(admin.as_deref_mut(), &mut owner).await?;
    let migrations = migrate::up(&mut owner, admin.as_deref_mut(), &folder, options, on_event).await?;
    let migrated = !migrations.ran.is_empty();
    let policies = policies.apply(&mut owner, admin.as_deref_mut(), migrated, options, on_event).await?;
    Ok(Applied { contract, migrations, policies })
}

/// Undoes the newest `count` migrations.
pub async fn undo(
    database: &Database,
    loaded: &Loaded,
    count: usize,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<Report, Problem> {
    needs_contract(loaded)?;
    let folder = folder(loaded)?;
    let (mut owner, mut admin) = database.connect_for_migrations().await?;
    let options = options(loaded, false);
    Ok(migrate::down(&mut owner, admin.as_deref_mut(), &folder, count, &options, on_event).await?)
}

/// How every migration stands. A database without the contract has applied none.
pub async fn status(database: &Database, loaded: &Loaded) -> Result<Vec<migrate::Entry>, Problem> {
    needs_contract(loaded)?;
    let folder = folder(loaded)?;
    let (owner, _) = database.connect_for_migrations().await?;
    match migrate::status(&owner, &folder).await {
        Err(migrate::Error::NotInstalled) => Ok(folder
            .migrations
            .iter()
            .map(|migration| migrate::Entry {
                version: migration.version.clone(),
                name: migration.name.clone(),
                has_down: migration.down.is_some(),
                state: migrate::State::Pending,
            })
            .collect()),
        other => Ok(other?),
    }
}

/// Whether the database has the contract, which migrations and requests build on.
pub async fn is_installed(database: &Database) -> Result<bool, Problem> {
    let owner = database.connect_owner().await?;
    match migrate::status(&owner, &Folder::default()).await {
        Ok(_) => Ok(true),
        Err(migrate::Error::NotInstalled) => Ok(false),
        Err(other) => Err(other.into()),
    }
}

/// Runs the seed files of this environment that the database does not have; with `force`, all of them.
pub async fn seed(
    database: &Database,
    loaded: &Loaded,
    force: bool,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<SeedReport, Problem> {
    needs_contract(loaded)?;
    let seeds = seeds(loaded)?;
    let (mut owner, mut admin) = database.connect_for_migrations().await?;
    let options = options(loaded, false);
    Ok(seeds.apply(&mut owner, admin.as_deref_mut(), force, &options, on_event).await?)
}

/// The files for every environment, and in other environments than production those for development.
pub fn seeds(loaded: &Loaded) -> Result<Seeds, Problem> {
    let settings = &loaded.settings.seed;
    let mut names: Vec<(&str, &String)> = settings.files.iter().map(|name| ("seed.files", name)).collect();
    if !loaded.is_production() {
        names.extend(settings.dev_files.iter().map(|name| ("seed.dev_files", name)));
    }
    let mut seeds = Seeds::default();
    for (key, name) in names {
        let path = shown(&loaded.dir.join(name));
        // The usual names may be absent; a name that somebody wrote down may not.
        if path.is_file() || loaded.origin(key) != Origin::Default {
            seeds.scripts.push(Script::read(&path)?);
        }
    }
    Ok(seeds)
}

/// A runner's event as a sentence for a person.
pub fn describe(event: &Event) -> String {
    let seconds = |took: &Duration| format!("{:.2} s", took.as_secs_f64());
    match event {
        Event::Waiting { waited, holder } => {
            format!(
                "waiting for another process that migrates this database ({holder}), {} s",
                waited.as_secs()
            )
        }
        Event::Adopted { versions } => {
            format!("{} migrations applied by Supabase's tools taken over", versions.len())
        }
        Event::Started { file, statements, .. } => {
            format!("{file}: {}", lines::count(*statements, "statement"))
        }
        Event::Resumed { file, done } => format!("{file}: goes on behind statement {done}"),
        Event::Step { file, statement, of } => format!("{file}: statement {statement} of {of}"),
        Event::LockRetry { file, attempt, blocked_by, .. } => {
            format!("{file}: waits for a lock, try {attempt}: {blocked_by}")
        }
        Event::Notice { file, text } => format!("{file}: {text}"),
        Event::Applied { file, took } => format!("{file}: applied in {}", seconds(took)),
        Event::Undone { file, took } => format!("{file}: undone in {}", seconds(took)),
        Event::PoliciesApplied { files, took } => {
            format!("policies: {} applied in {}", lines::count(*files, "file"), seconds(took))
        }
        Event::Seeded { file, took } => format!("{file}: run in {}", seconds(took)),
    }
}
