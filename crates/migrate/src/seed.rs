//! `seed.sql` and `seed.<environment>.sql`: rows to begin with. Each file runs once per database, in one transaction.

use crate::error::Error;
use crate::exec::Prepared;
use crate::folder::Script;
use crate::ledger;
use crate::options::{Event, Options};
use crate::run::Retries;
use crate::session::Session;
use crate::transaction::Transaction;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio_postgres::Client;

/// The seed files of an app for one environment.
#[derive(Debug, Clone, Default)]
pub struct Seeds {
    pub scripts: Vec<Script>,
}

/// What became of one seed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Seeded {
    Now,
    /// The database has it, as the file is.
    Before,
    /// The database has an earlier text of it; only `force` runs it again.
    BeforeAndEdited,
}

/// What a run of the seeds did.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct SeedReport {
    pub files: Vec<(String, Seeded)>,
    /// Rows that the INSERT statements of this run wrote, by table as it is written.
    pub rows: BTreeMap<String, u64>,
    pub took: Duration,
}

impl Seeds {
    /// `seed.sql`, then `seed.<environment>.sql`, of a project folder; either may be absent.
    ///
    /// # Errors
    /// A file that cannot be read or is not UTF-8.
    pub fn read(project: &Path, environment: &str) -> Result<Self, Error> {
        let mut scripts = Vec::new();
        for name in ["seed.sql".to_owned(), format!("seed.{environment}.sql")] {
            let path = project.join(name);
            if path.is_file() {
                scripts.push(Script::read(&path)?);
            }
        }
        Ok(Self { scripts })
    }

    /// Runs what the database does not have; with `force`, all of it.
    ///
    /// # Errors
    /// A statement fails (then nothing of its file stays), a lock does not come, the database goes away.
    pub async fn apply(
        &self,
        owner: &mut Client,
        admin: Option<&mut Client>,
        force: bool,
        options: &Options,
        on_event: &mut (dyn FnMut(Event) + Send),
    ) -> Result<SeedReport, Error> {
        let started = Instant::now();
        ledger::ensure_installed(owner).await?;
        let session = Session::open(owner, admin.map(|c| &*c), options).await?;
        session.lock(options, on_event).await?;
        let result = self.apply_locked(&session, force, options, on_event).await;
        let unlocked = session.unlock().await;
        let closed = session.close().await;
        let mut report = result?;
        unlocked.and(closed)?;
        report.took = started.elapsed();
        Ok(report)
    }

    async fn apply_locked(
        &self,
        session: &Session<'_>,
        force: bool,
        options: &Options,
        on_event: &mut (dyn FnMut(Event) + Send),
    ) -> Result<SeedReport, Error> {
        let known = ledger::list_seeds(session.client).await?;
        let mut report = SeedReport::default();
        for script in &self.scripts {
            // By file name: the same project may be mounted elsewhere tomorrow.
            let name = script.file.rsplit(['/', '\\']).next().unwrap_or_default();
            let state = match known.get(name) {
                _ if force => Seeded::Now,
                None => Seeded::Now,
                Some(checksum) if *checksum == script.checksum => Seeded::Before,
                Some(_) => Seeded::BeforeAndEdited,
            };
            if state == Seeded::Now {
                run(session, script, name, options, &mut report.rows, on_event).await?;
            }
            report.files.push((name.to_owned(), state));
        }
        Ok(report)
    }
}

async fn run(
    session: &Session<'_>,
    script: &Script,
    name: &str,
    options: &Options,
    rows: &mut BTreeMap<String, u64>,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<(), Error> {
    let prepared = Prepared::one_transaction(script)?;
    let transaction = Transaction { session, prepared: &prepared };
    let mut retries = Retries::new(session, options, &script.file);
    let started = Instant::now();
    loop {
        session.reset().await?;
        let mut written = BTreeMap::<String, u64>::new();
        let count = prepared.statements.len();
        let done = transaction
            .run(
                |text| on_event(Event::Notice { file: script.file.clone(), text }),
                |table, count| *written.entry(table).or_default() += count,
                ledger::record_seed(session.client, name, &script.checksum, count, &options.bedplate_version),
            )
            .await;
        match done {
            Ok(()) => {
                for (table, count) in written {
                    *rows.entry(table).or_default() += count;
                }
                on_event(Event::Seeded { file: script.file.clone(), took: started.elapsed() });
                return Ok(());
            }
            Err((_, fault)) if fault.is_lock() => retries.pause(on_event).await?,
            Err((at, fault)) => return Err(prepared.locate(at, fault)),
        }
    }
}
