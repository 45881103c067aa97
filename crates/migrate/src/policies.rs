//! `policies/*.sql`: grants and row-level security, kept apart from the migrations so that they can be read as they
//! are today. All files run in one transaction, in the order of their names, whenever one of them or the schema has
//! changed. So each must be able to run again: `drop policy if exists … ; create policy …`.

use crate::error::Error;
use crate::exec::{Fault, Prepared};
use crate::folder::{Script, sha256_hex, sql_files};
use crate::ledger;
use crate::options::{Event, Options};
use crate::run::Retries;
use crate::session::Session;
use crate::transaction::Transaction;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio_postgres::Client;

/// The policy files of an app.
#[derive(Debug, Clone, Default)]
pub struct Policies {
    pub scripts: Vec<Script>,
}

/// What became of them.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PoliciesReport {
    pub files: usize,
    /// False: nothing had changed.
    pub applied: bool,
    pub took: Duration,
}

impl Policies {
    /// Reads `*.sql` of a folder. A folder that does not exist has none.
    ///
    /// # Errors
    /// A file that cannot be read or is not UTF-8.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let scripts = sql_files(path)?.iter().map(|file| Script::read(file)).collect::<Result<_, _>>()?;
        Ok(Self { scripts })
    }

    /// Changes with every file's content, and with files that come, go or change their order.
    pub fn checksum(&self) -> String {
        let name = |file: &str| file.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
        let parts: Vec<_> =
            self.scripts.iter().map(|s| format!("{} {}", s.checksum, name(&s.file))).collect();
        sha256_hex(parts.join("\n").as_bytes())
    }

    /// Applies them if they or the schema changed; `migrated` says that migrations have run.
    ///
    /// # Errors
    /// A statement fails (then all of them stay as they were), a lock does not come, the database goes away.
    pub async fn apply(
        &self,
        owner: &mut Client,
        admin: Option<&mut Client>,
        migrated: bool,
        options: &Options,
        on_event: &mut (dyn FnMut(Event) + Send),
    ) -> Result<PoliciesReport, Error> {
        let started = Instant::now();
        ledger::ensure_installed(owner).await?;
        let session = Session::open(owner, admin.map(|c| &*c), options).await?;
        session.lock(options, on_event).await?;
        let result = self.apply_locked(&session, migrated, options, on_event).await;
        let unlocked = session.unlock().await;
        let closed = session.close().await;
        let applied = result?;
        unlocked.and(closed)?;
        let took = started.elapsed();
        if applied {
            on_event(Event::PoliciesApplied { files: self.scripts.len(), took });
        }
        Ok(PoliciesReport { files: self.scripts.len(), applied, took })
    }

    async fn apply_locked(
        &self,
        session: &Session<'_>,
        migrated: bool,
        options: &Options,
        on_event: &mut (dyn FnMut(Event) + Send),
    ) -> Result<bool, Error> {
        let checksum = self.checksum();
        let last = ledger::find_policies(session.client).await?;
        let unchanged = last.as_ref().is_some_and(|last| *last == checksum);
        if (unchanged && !migrated) || (last.is_none() && self.scripts.is_empty()) {
            return Ok(false);
        }
        let prepared = self.scripts.iter().map(Prepared::one_transaction).collect::<Result<Vec<_>, _>>()?;
        let mut retries = Retries::new(session, options, "policies");
        loop {
            session.reset().await?;
            match self.try_once(session, &prepared, &checksum, options).await {
                Ok(()) => return Ok(true),
                Err((_, _, fault)) if fault.is_lock() => retries.pause(on_event).await?,
                Err((Some(file), at, fault)) => return Err(prepared[file].locate(at, fault)),
                Err((None, _, fault)) => {
                    return Err(match (prepared.last(), fault) {
                        (Some(last), fault) => last.locate(last.statements.len(), fault),
                        (None, Fault::Database(error)) => Error::Database(error),
                        (None, Fault::Own { message, hint, .. }) => {
                            Error::Contract { what: "policies".into(), message, hint: Some(hint) }
                        }
                    });
                }
            }
        }
    }

    async fn try_once(
        &self,
        session: &Session<'_>,
        prepared: &[Prepared<'_>],
        checksum: &str,
        options: &Options,
    ) -> Result<(), (Option<usize>, usize, Fault)> {
        let result = self.inside(session, prepared, checksum, options).await;
        if result.is_err()
            && let Err(error) = session.client.batch_execute("rollback").await
        {
            tracing::debug!(%error, "rolling policies back failed as well; the session's end does it");
        }
        result
    }

    async fn inside(
        &self,
        session: &Session<'_>,
        prepared: &[Prepared<'_>],
        checksum: &str,
        options: &Options,
    ) -> Result<(), (Option<usize>, usize, Fault)> {
        let client = session.client;
        let ours = |error: tokio_postgres::Error| (None, 0, Fault::from(error));
        client.batch_execute("begin").await.map_err(ours)?;
        for (file, script) in prepared.iter().enumerate() {
            let transaction = Transaction { session, prepared: script };
            transaction
                .statements(&mut |_| {}, &mut |_, _| {})
                .await
                .map_err(|(at, f)| (Some(file), at, f))?;
        }
        client.batch_execute("reset role").await.map_err(ours)?;
        ledger::record_policies(client, checksum, self.scripts.len(), &options.bedplate_version)
            .await
            .map_err(ours)?;
        ledger::notify_reload(client).await.map_err(ours)?;
        client.batch_execute("commit").await.map_err(ours)
    }
}
