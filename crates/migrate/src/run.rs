//! `up` and `down`: from the folder and the ledger to what has to run, and one file after the other.

use crate::error::{Edited, Error};
use crate::exec::{Fault, Prepared};
use crate::folder::{Folder, Migration, Script};
use crate::ledger::{self, Applied, Direction};
use crate::options::{Event, Options, Ran, Report};
use crate::session::Session;
use crate::steps::{Steps, is_one_transaction};
use std::time::{Duration, Instant};
use tokio_postgres::Client;

type OnEvent<'a> = &'a mut (dyn FnMut(Event) + Send);

/// Applies every migration of the folder that the database does not have.
///
/// Both connections are for this call alone: if it is dropped half way, close them. `admin` is a superuser's, of the
/// managed cluster; it may be left out.
///
/// # Errors
/// The contract is not installed; an applied file was edited; a file is out of order; a statement fails (nothing of its
/// file stays, unless it runs in steps); a lock does not come; the database goes away.
pub async fn up(
    owner: &mut Client,
    admin: Option<&mut Client>,
    folder: &Folder,
    options: &Options,
    on_event: OnEvent<'_>,
) -> Result<Report, Error> {
    let started = Instant::now();
    ledger::ensure_installed(owner).await?;
    let session = Session::open(owner, admin.map(|c| &*c), options).await?;
    session.lock(options, on_event).await?;
    let result = up_locked(&session, folder, options, on_event).await;
    finish(session, result, started).await
}

/// Undoes the newest `count` migrations, newest first.
///
/// # Errors
/// As [`up`]; one of them has no down file or no file at all (then nothing is undone).
pub async fn down(
    owner: &mut Client,
    admin: Option<&mut Client>,
    folder: &Folder,
    count: usize,
    options: &Options,
    on_event: OnEvent<'_>,
) -> Result<Report, Error> {
    let started = Instant::now();
    ledger::ensure_installed(owner).await?;
    let session = Session::open(owner, admin.map(|c| &*c), options).await?;
    session.lock(options, on_event).await?;
    let result = down_locked(&session, folder, count, options, on_event).await;
    finish(session, result, started).await
}

/// Unlocks and gives the session back, also after a failure; the failure comes first.
async fn finish(
    session: Session<'_>,
    result: Result<Report, Error>,
    started: Instant,
) -> Result<Report, Error> {
    let unlocked = session.unlock().await;
    let closed = session.close().await;
    let mut report = result?;
    unlocked.and(closed)?;
    report.took = started.elapsed();
    Ok(report)
}

async fn up_locked(
    session: &Session<'_>,
    folder: &Folder,
    options: &Options,
    on_event: OnEvent<'_>,
) -> Result<Report, Error> {
    let mut report = Report { notices: folder.notices.clone(), ..Report::default() };
    report.adopted = adopt(session, folder, options, on_event).await?;
    let applied = ledger::list_applied(session.client).await?;
    refuse_edited(folder, &applied)?;
    refuse_out_of_order(folder, &applied, options)?;
    report.already = applied.len();
    report.missing = applied
        .iter()
        .filter(|row| folder.find(&row.version).is_none())
        .map(|row| format!("{}_{}", row.version, row.name))
        .collect();
    let unwritten = if options.hold_empty { count_unwritten(folder) } else { 0 };
    for (at, migration) in folder.migrations.iter().enumerate() {
        if applied.iter().any(|row| row.version == migration.version) {
            continue;
        }
        if at >= folder.migrations.len() - unwritten {
            report.held.push(migration.up.file.clone());
            continue;
        }
        let work = File { session, options, migration, script: &migration.up, direction: Direction::Up };
        let ran = work.run(on_event).await?;
        on_event(Event::Applied { file: migration.up.file.clone(), took: ran.took });
        report.ran.push(ran);
    }
    Ok(report)
}

/// Files at the end of the folder that hold no statement. One that cannot be split is written; running it says what is
/// wrong.
fn count_unwritten(folder: &Folder) -> usize {
    let is_empty = |m: &&Migration| m.up.statements().is_ok_and(|statements| statements.is_empty());
    folder.migrations.iter().rev().take_while(is_empty).count()
}

async fn down_locked(
    session: &Session<'_>,
    folder: &Folder,
    count: usize,
    options: &Options,
    on_event: OnEvent<'_>,
) -> Result<Report, Error> {
    let applied = ledger::list_applied(session.client).await?;
    let mut work = Vec::new();
    for row in applied.iter().rev().take(count) {
        let migration = folder
            .find(&row.version)
            .ok_or_else(|| Error::MissingFile { version: row.version.clone(), name: row.name.clone() })?;
        let script = migration.down.as_ref().ok_or_else(|| Error::NoDown {
            file: migration.up.file.clone(),
            expected: migration.down_file_name(),
        })?;
        work.push(File { session, options, migration, script, direction: Direction::Down });
    }
    let mut report = Report { already: applied.len().saturating_sub(work.len()), ..Report::default() };
    for file in work {
        let ran = file.run(on_event).await?;
        on_event(Event::Undone { file: file.script.file.clone(), took: ran.took });
        report.ran.push(ran);
    }
    Ok(report)
}

/// A database that Supabase's tools have migrated: what they applied counts as applied, as the files are now.
async fn adopt(
    session: &Session<'_>,
    folder: &Folder,
    options: &Options,
    on_event: OnEvent<'_>,
) -> Result<usize, Error> {
    let theirs = ledger::list_adoptable(session.client).await?;
    let found: Vec<&Migration> = folder.migrations.iter().filter(|m| theirs.contains(&m.version)).collect();
    if found.is_empty() {
        return Ok(0);
    }
    let client = session.client;
    client.batch_execute("begin").await?;
    for migration in &found {
        let done =
            ledger::record_applied(client, migration, &[], true, Duration::ZERO, &options.bedplate_version)
                .await;
        if let Err(error) = done {
            client.batch_execute("rollback").await?;
            return Err(error.into());
        }
    }
    client.batch_execute("commit").await?;
    on_event(Event::Adopted { versions: found.iter().map(|m| m.version.clone()).collect() });
    Ok(found.len())
}

fn refuse_edited(folder: &Folder, applied: &[Applied]) -> Result<(), Error> {
    let mut edited = applied.iter().filter_map(|row| {
        let migration = folder.find(&row.version).filter(|m| m.up.checksum != row.checksum)?;
        Some(Edited {
            file: migration.up.file.clone(),
            version: row.version.clone(),
            applied_at: row.applied_at.clone(),
        })
    });
    match edited.next() {
        Some(first) => Err(Error::Edited { first, more: edited.count() }),
        None => Ok(()),
    }
}

fn refuse_out_of_order(folder: &Folder, applied: &[Applied], options: &Options) -> Result<(), Error> {
    let Some(newest) = applied.last().filter(|_| !options.allow_out_of_order) else { return Ok(()) };
    let mut late = folder
        .migrations
        .iter()
        .filter(|m| m.version < newest.version && !applied.iter().any(|row| row.version == m.version));
    match late.next() {
        Some(first) => Err(Error::OutOfOrder {
            file: first.up.file.clone(),
            newest: format!("{}_{}", newest.version, newest.name),
            more: late.count(),
        }),
        None => Ok(()),
    }
}

/// One file to run.
struct File<'a, 's> {
    session: &'a Session<'s>,
    options: &'a Options,
    migration: &'a Migration,
    script: &'a Script,
    direction: Direction,
}

impl File<'_, '_> {
    /// Runs the file; when a lock does not come, all of it (or, in steps, what is left of it) is tried again.
    async fn run(&self, on_event: OnEvent<'_>) -> Result<Ran, Error> {
        let prepared = Prepared::migration(self.script)?;
        // A file that has begun in steps goes on in steps, whatever its first line says by now.
        let begun =
            ledger::find_progress(self.session.client, &self.migration.version, self.direction).await?;
        let one_transaction = begun.is_none() && is_one_transaction(&prepared);
        let (file, statements) = (self.script.file.clone(), prepared.statements.len());
        on_event(Event::Started { file, statements, one_transaction });
        let mut retries = Retries::new(self.session, self.options, &self.script.file);
        let took = loop {
            self.session.reset().await?;
            let started = Instant::now();
            let failed = if one_transaction {
                self.in_one_transaction(&prepared, started, on_event).await.err()
            } else {
                self.in_steps(&prepared, started, on_event).await?
            };
            match failed {
                None => break started.elapsed(),
                Some((_, fault)) if fault.is_lock() => retries.pause(on_event).await?,
                Some((at, fault)) => return Err(prepared.locate(at, fault)),
            }
        };
        Ok(Ran {
            version: self.migration.version.clone(),
            name: self.migration.name.clone(),
            statements,
            took,
        })
    }

    async fn in_one_transaction(
        &self,
        prepared: &Prepared<'_>,
        started: Instant,
        on_event: OnEvent<'_>,
    ) -> Result<(), (usize, Fault)> {
        let transaction = crate::transaction::Transaction { session: self.session, prepared };
        transaction
            .run(
                |notice| on_event(Event::Notice { file: self.script.file.clone(), text: notice }),
                |_, _| {},
                self.record(prepared, started),
            )
            .await
    }

    async fn in_steps(
        &self,
        prepared: &Prepared<'_>,
        started: Instant,
        on_event: OnEvent<'_>,
    ) -> Result<Option<(usize, Fault)>, Error> {
        let (version, direction) = (self.migration.version.as_str(), self.direction);
        let steps = Steps { session: self.session, prepared, version, direction };
        if let Err(failure) = steps.run(on_event).await? {
            return Ok(Some((failure.at, failure.fault)));
        }
        self.session.reset().await?;
        self.record(prepared, started).await?;
        Ok(None)
    }

    async fn record(&self, prepared: &Prepared<'_>, started: Instant) -> Result<(), tokio_postgres::Error> {
        let client = self.session.client;
        ledger::notify_reload(client).await?;
        match self.direction {
            Direction::Up => {
                let (texts, version) = (prepared.texts(), &self.options.bedplate_version);
                ledger::record_applied(client, self.migration, &texts, false, started.elapsed(), version)
                    .await
            }
            Direction::Down => ledger::record_undone(client, &self.migration.version).await,
        }
    }
}

/// Counts tries, and waits longer after each.
pub(crate) struct Retries<'a, 's> {
    session: &'a Session<'s>,
    options: &'a Options,
    file: &'a str,
    attempt: u32,
}

impl<'a, 's> Retries<'a, 's> {
    pub(crate) fn new(session: &'a Session<'s>, options: &'a Options, file: &'a str) -> Self {
        Self { session, options, file, attempt: 0 }
    }

    pub(crate) async fn pause(&mut self, on_event: OnEvent<'_>) -> Result<(), Error> {
        self.attempt += 1;
        let blocked_by = self.session.blockers().await?;
        if self.attempt >= self.options.lock_attempts {
            return Err(Error::Locked {
                file: self.file.to_owned(),
                attempts: self.attempt,
                seconds: self.options.lock_timeout.as_secs(),
                blocked_by: if blocked_by.is_empty() {
                    "End the long transactions that use its tables, then run again".to_owned()
                } else {
                    format!(
                        "In the way may be: {blocked_by}. End it (select pg_terminate_backend(pid)), then run again"
                    )
                },
            });
        }
        let doubled = self.options.lock_pause.saturating_mul(1 << self.attempt.min(10).saturating_sub(1));
        let pause = doubled.min(Duration::from_secs(30)).mul_f64(rand::random_range(0.8..1.2));
        on_event(Event::LockRetry { file: self.file.to_owned(), attempt: self.attempt, pause, blocked_by });
        tokio::time::sleep(pause).await;
        Ok(())
    }
}
