//! Files that cannot be one transaction: statement by statement, with a note of how far they have come.
//!
//! A statement that can be in a transaction is committed together with the note, so it runs exactly once. One that
//! cannot (CREATE INDEX CONCURRENTLY) is announced first; when the run is interrupted then, the next run cleans up what
//! it may have left, and repeats it.

use crate::classify::{Alone, Kind, Name, mentions_text};
use crate::error::Error;
use crate::exec::{Fault, Outcome, Prepared};
use crate::folder::{Script, sha256_hex};
use crate::ident;
use crate::ledger::{self, Direction, Progress};
use crate::options::Event;
use crate::session::Session;

/// Statements that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// In a transaction with the note: the statements from..to, without their own BEGIN and COMMIT.
    Together { from: usize, to: usize, next: usize },
    /// BEGIN … ROLLBACK as it is written: leaves nothing.
    Discarded { from: usize, next: usize },
    /// Outside any transaction.
    Alone { at: usize },
}

impl Unit {
    fn next(self) -> usize {
        match self {
            Self::Together { next, .. } | Self::Discarded { next, .. } => next,
            Self::Alone { at } => at + 1,
        }
    }
}

/// Whether a file runs as one transaction.
pub(crate) fn is_one_transaction(prepared: &Prepared<'_>) -> bool {
    let kinds = &prepared.kinds;
    !asks_for_steps(prepared.script)
        && !commits_midway(kinds)
        && !kinds.iter().any(|kind| matches!(kind, Kind::Alone(_) | Kind::Rollback))
        && !kinds.iter().enumerate().any(|(at, kind)| match kind {
            // A new enum value can be used only after the transaction that adds it (before PostgreSQL 17 also when
            // that transaction made the type).
            Kind::AddEnumValue { value } => {
                (at + 1..kinds.len()).any(|later| mentions_text(prepared.sql(later), value))
            }
            _ => false,
        })
}

/// Whether the file ends a transaction of its own before its last statement. What SET LOCAL says (a role, say) ends
/// there, and deferred constraints speak up: the statements behind it may count on both.
fn commits_midway(kinds: &[Kind]) -> bool {
    let Some(begin) = kinds.iter().position(|kind| *kind == Kind::Begin) else { return false };
    kinds.iter().enumerate().any(|(at, kind)| *kind == Kind::Commit && begin < at && at + 1 < kinds.len())
}

/// `-- bedplate: no-transaction` on the first line.
fn asks_for_steps(script: &Script) -> bool {
    let first = script.text.lines().next().unwrap_or_default();
    first.trim_start().strip_prefix("--").is_some_and(|comment| {
        comment
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .eq_ignore_ascii_case("bedplate: no-transaction")
    })
}

/// A run through a file in steps.
pub(crate) struct Steps<'a, 's> {
    pub session: &'a Session<'s>,
    pub prepared: &'a Prepared<'a>,
    pub version: &'a str,
    pub direction: Direction,
}

/// Where a step failed.
pub(crate) struct Failure {
    pub at: usize,
    pub fault: Fault,
}

impl Steps<'_, '_> {
    /// Runs what is left of the file. After a [`Failure`] the same call goes on where this one stopped.
    pub(crate) async fn run(
        &self,
        on_event: &mut (dyn FnMut(Event) + Send),
    ) -> Result<Result<(), Failure>, Error> {
        let found = ledger::find_progress(self.session.client, self.version, self.direction).await?;
        let resumed = found.is_some();
        let mut progress =
            found.unwrap_or(Progress { done: 0, done_checksum: sha256_hex(b""), running: None });
        if self.checksum(progress.done) != Some(progress.done_checksum.clone()) {
            return Err(Error::InterruptedEdited {
                file: self.prepared.script.file.clone(),
                done: progress.done,
            });
        }
        if resumed && progress.done > 0 {
            on_event(Event::Resumed { file: self.prepared.script.file.clone(), done: progress.done });
            if let Err(failure) = self.repeat_settings(progress.done).await {
                return Ok(Err(failure));
            }
        }
        let count = self.prepared.statements.len();
        while progress.done < count {
            let file = self.prepared.script.file.clone();
            on_event(Event::Step { file: file.clone(), statement: progress.done + 1, of: count });
            match self.step(self.unit(progress.done), &mut progress).await {
                Ok(outcome) => {
                    if let Some(text) = outcome.notice {
                        on_event(Event::Notice { file, text });
                    }
                }
                Err(failure) => return Ok(Err(failure)),
            }
        }
        Ok(Ok(()))
    }

    /// Settings made by finished statements lived in a session that is gone.
    async fn repeat_settings(&self, done: usize) -> Result<(), Failure> {
        for at in (0..done).filter(|&at| self.prepared.kinds[at] == Kind::SessionSetting) {
            let sql = self.prepared.sql(at);
            self.session
                .client
                .batch_execute(sql)
                .await
                .map_err(|error| Failure { at, fault: error.into() })?;
        }
        Ok(())
    }

    fn unit(&self, from: usize) -> Unit {
        let kinds = &self.prepared.kinds;
        match kinds[from] {
            Kind::Alone(_) => return Unit::Alone { at: from },
            Kind::Begin => {}
            // A COMMIT or ROLLBACK without a BEGIN does nothing.
            Kind::Commit | Kind::Rollback => return Unit::Together { from, to: from, next: from + 1 },
            _ => return Unit::Together { from, to: from + 1, next: from + 1 },
        }
        for (at, kind) in kinds.iter().enumerate().skip(from + 1) {
            match kind {
                Kind::Commit => return Unit::Together { from: from + 1, to: at, next: at + 1 },
                Kind::Rollback => return Unit::Discarded { from, next: at + 1 },
                _ => {}
            }
        }
        Unit::Together { from: from + 1, to: kinds.len(), next: kinds.len() }
    }

    async fn step(&self, unit: Unit, progress: &mut Progress) -> Result<Outcome, Failure> {
        let after = Progress {
            done: unit.next(),
            done_checksum: self.extend_checksum(&progress.done_checksum, progress.done, unit.next()),
            running: None,
        };
        let outcome = match unit {
            Unit::Together { from, to, .. } => self.together(from, to, &after).await?,
            Unit::Discarded { from, next } => {
                for at in from..next {
                    if let Err(error) = self.session.client.batch_execute(self.prepared.sql(at)).await {
                        return Err(self.undo(at, error.into()).await);
                    }
                }
                self.note(from, &after).await?;
                Outcome::default()
            }
            Unit::Alone { at } => self.alone(at, progress, &after).await?,
        };
        *progress = after;
        Ok(outcome)
    }

    async fn together(&self, from: usize, to: usize, after: &Progress) -> Result<Outcome, Failure> {
        let client = self.session.client;
        let failed = |at: usize| move |error: tokio_postgres::Error| Failure { at, fault: error.into() };
        client.batch_execute("begin").await.map_err(failed(from))?;
        // First: a SET LOCAL ROLE among the statements would take away the right to write it.
        let noted = ledger::write_progress(client, self.version, self.direction, after).await;
        if let Err(error) = noted {
            return Err(self.undo(from, error.into()).await);
        }
        let mut last = Outcome::default();
        for at in from..to {
            match self.prepared.execute(self.session, at).await {
                Ok(outcome) => last = outcome,
                Err(fault) => return Err(self.undo(at, fault).await),
            }
        }
        match client.batch_execute("commit").await {
            Ok(()) => Ok(last),
            Err(error) => Err(self.undo(from, error.into()).await),
        }
    }

    async fn undo(&self, at: usize, fault: Fault) -> Failure {
        if let Err(error) = self.session.client.batch_execute("rollback").await {
            tracing::debug!(%error, "rolling a failed step back failed as well; the session's end does it");
        }
        Failure { at, fault }
    }

    async fn note(&self, at: usize, progress: &Progress) -> Result<(), Failure> {
        ledger::write_progress(self.session.client, self.version, self.direction, progress)
            .await
            .map_err(|error| Failure { at, fault: error.into() })
    }

    async fn alone(&self, at: usize, before: &Progress, after: &Progress) -> Result<Outcome, Failure> {
        let failed = |fault: Fault| Failure { at, fault };
        let Kind::Alone(kind) = &self.prepared.kinds[at] else { return Ok(Outcome::default()) };
        let interrupted = before.running == Some(at);
        let mut notice = None;
        if let Alone::CreateIndex { name } = kind {
            let Some(name) = name else {
                return Err(failed(Fault::own(
                    "",
                    "this index has no name",
                    "Name it, so that what an interruption leaves can be found: create index concurrently my_index on …",
                )));
            };
            match self.clear_index(name).await.map_err(failed)? {
                Index::Valid if interrupted => {
                    self.note(at, after).await?;
                    return Ok(Outcome::default());
                }
                Index::Dropped => {
                    notice = Some(format!("dropped the unfinished index {} and built it again", name.name));
                }
                _ => {}
            }
        }
        self.note(at, &Progress { running: Some(at), ..before.clone() }).await?;
        match self.session.client.batch_execute(self.prepared.sql(at)).await {
            Ok(()) => {}
            Err(error) => {
                let fault = Fault::from(error);
                // Done already, just before the interruption.
                let done = matches!(fault.sqlstate(), Some("42704" | "42710" | "42P04" | "3D000"));
                if !(interrupted && done) {
                    return Err(failed(fault));
                }
            }
        }
        self.note(at, after).await?;
        Ok(Outcome { notice, inserted: None })
    }

    /// Drops an index of this name that is not valid.
    async fn clear_index(&self, name: &Name) -> Result<Index, Fault> {
        let client = self.session.client;
        let sql = include_str!("../sql/runner/invalid_indexes.sql");
        let rows = client.query(sql, &[&name.name, &name.schema]).await?;
        let Some(row) = rows.first() else { return Ok(Index::Absent) };
        if row.get::<_, bool>("indisvalid") {
            return Ok(Index::Valid);
        }
        let (schema, name): (&str, &str) = (row.get("nspname"), row.get("relname"));
        client
            .batch_execute(&format!("drop index concurrently if exists {}", ident::qualified(schema, name)))
            .await?;
        Ok(Index::Dropped)
    }

    /// Of the text of the first `count` statements; `None` when the file has fewer.
    fn checksum(&self, count: usize) -> Option<String> {
        (count <= self.prepared.statements.len()).then(|| self.extend_checksum(&sha256_hex(b""), 0, count))
    }

    /// The checksum of `from` statements carried on to `to`: each step hashes its own text only.
    fn extend_checksum(&self, before: &str, from: usize, to: usize) -> String {
        (from..to).fold(before.to_owned(), |sum, at| {
            sha256_hex(format!("{sum}\n{}", self.prepared.sql(at).replace("\r\n", "\n")).as_bytes())
        })
    }
}

enum Index {
    Absent,
    Valid,
    Dropped,
}
