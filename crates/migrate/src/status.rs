//! What a database has and what a folder would add, without changing anything.

use crate::error::Error;
use crate::exec::Prepared;
use crate::folder::Folder;
use crate::ledger;
use crate::steps::is_one_transaction;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio_postgres::Client;

/// How one migration stands.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    Applied {
        at: String,
        took: Duration,
    },
    /// Applied by Supabase's tools before Bedplate saw the database.
    Adopted {
        at: String,
    },
    /// Applied, and the file is not what it was.
    Edited {
        at: String,
    },
    /// Applied, and the file is gone.
    Missing {
        at: String,
    },
    Pending,
    /// Not applied, and older than one that is.
    OutOfOrder,
    /// Runs in steps, and has stopped behind this many statements.
    Interrupted {
        done: usize,
    },
}

/// A migration of the folder, of the ledger, or of both.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Entry {
    pub version: String,
    pub name: String,
    /// Whether it can be undone.
    pub has_down: bool,
    #[serde(flatten)]
    pub state: State,
}

/// A file that `up` would run.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Planned {
    pub version: String,
    pub name: String,
    pub file: String,
    pub statements: usize,
    /// False: it runs in steps, because it asks for that or cannot be one transaction.
    pub one_transaction: bool,
    pub has_down: bool,
}

/// Every migration known to the folder or the database, oldest first.
///
/// # Errors
/// The contract is not installed; the database goes away.
pub async fn status(owner: &Client, folder: &Folder) -> Result<Vec<Entry>, Error> {
    ledger::ensure_installed(owner).await?;
    let applied = ledger::list_applied(owner).await?;
    let interrupted = ledger::list_interrupted(owner).await?;
    let newest = applied.last().map(|row| row.version.clone());
    let mut entries = BTreeMap::new();
    for row in applied {
        let migration = folder.find(&row.version);
        let at = row.applied_at;
        let state = match migration {
            None => State::Missing { at },
            Some(m) if m.up.checksum != row.checksum => State::Edited { at },
            Some(_) if row.adopted => State::Adopted { at },
            Some(_) => State::Applied { at, took: row.duration },
        };
        let has_down = migration.is_some_and(|m| m.down.is_some());
        entries.insert(row.version.clone(), Entry { version: row.version, name: row.name, has_down, state });
    }
    for migration in &folder.migrations {
        if entries.contains_key(&migration.version) {
            continue;
        }
        let state = match interrupted.get(&migration.version) {
            Some(&done) => State::Interrupted { done },
            None if newest.as_ref().is_some_and(|newest| migration.version < *newest) => State::OutOfOrder,
            None => State::Pending,
        };
        entries.insert(
            migration.version.clone(),
            Entry {
                version: migration.version.clone(),
                name: migration.name.clone(),
                has_down: migration.down.is_some(),
                state,
            },
        );
    }
    Ok(entries.into_values().collect())
}

/// The files that `up` would run now, in order. Each is read to its end, so that a file that cannot be cut into
/// statements is found here.
///
/// # Errors
/// As [`status`]; a file that cannot be read as SQL.
pub async fn plan(owner: &Client, folder: &Folder) -> Result<Vec<Planned>, Error> {
    let entries = status(owner, folder).await?;
    let mut planned = Vec::new();
    for migration in &folder.migrations {
        let waits = entries.iter().any(|entry| {
            entry.version == migration.version
                && matches!(entry.state, State::Pending | State::OutOfOrder | State::Interrupted { .. })
        });
        if !waits {
            continue;
        }
        let prepared = Prepared::migration(&migration.up)?;
        planned.push(Planned {
            version: migration.version.clone(),
            name: migration.name.clone(),
            file: migration.up.file.clone(),
            statements: prepared.statements.len(),
            one_transaction: is_one_transaction(&prepared),
            has_down: migration.down.is_some(),
        });
    }
    Ok(planned)
}
