//! One load over one connection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bedplate_core::{Problem, Result};
use bedplate_query::catalog::introspect::{self, Answer};
use bedplate_query::catalog::{Catalog, assemble};
use tokio_postgres::{Client, SimpleQueryMessage};

/// Where the time of a load went.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timings {
    /// In PostgreSQL and on the way.
    pub queries: Duration,
    /// Putting the snapshot together.
    pub assemble: Duration,
}

/// A catalog as read, with version 0.
pub struct Loaded {
    pub catalog: Catalog,
    /// Equal for equal schemas; row estimates do not count.
    pub content: u64,
    pub timings: Timings,
}

/// Reads the catalog: one round trip, one snapshot of the database. `schemas` are those that front doors serve, in order
/// of preference.
///
/// # Errors
/// What the database says, or an internal error when it is no PostgreSQL that we understand.
pub async fn read(client: &Client, schemas: Arc<[String]>) -> Result<Loaded> {
    let start = Instant::now();
    let answer = ask(client).await?;
    let queries = start.elapsed();
    // A large schema takes longer than a runtime's thread should be kept.
    let work = tokio::task::spawn_blocking(move || {
        let start = Instant::now();
        let catalog = assemble(&answer, &schemas)?;
        let timings = Timings { queries, assemble: start.elapsed() };
        Ok::<_, introspect::Error>(Loaded { catalog, content: answer.fingerprint(), timings })
    });
    Ok(work.await.map_err(|e| Problem::internal_error("assembling the catalog failed").caused_by(e))??)
}

async fn ask(client: &Client) -> Result<Answer> {
    let messages = client.simple_query(introspect::script()).await.map_err(bedplate_db::Error::from)?;
    let mut answer = Answer::default();
    for message in messages {
        match message {
            SimpleQueryMessage::RowDescription(_) => answer.begin(),
            SimpleQueryMessage::Row(row) => answer.push((0..row.len()).map(|at| row.get(at))),
            _ => {}
        }
    }
    Ok(answer)
}

/// The state of the database's own catalogs, as a text that differs after DDL.
pub(super) async fn fingerprint(client: &Client) -> Result<String> {
    let rows = client.simple_query(introspect::FINGERPRINT).await.map_err(bedplate_db::Error::from)?;
    let text = rows.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    text.map(str::to_owned).ok_or_else(|| Problem::internal_error("the catalog's fingerprint is empty"))
}
