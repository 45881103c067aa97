//! What is written down in schema `bedplate`: one typed function per statement.

use crate::error::Error;
use crate::folder::Migration;
use std::collections::HashMap;
use std::time::Duration;
use tokio_postgres::Client;

/// A row of `bedplate.migrations`.
#[derive(Debug, Clone)]
pub(crate) struct Applied {
    pub version: String,
    pub name: String,
    pub checksum: String,
    pub adopted: bool,
    pub duration: Duration,
    /// ISO 8601, UTC.
    pub applied_at: String,
}

/// A row of `bedplate.migration_progress`.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    pub done: usize,
    pub done_checksum: String,
    pub running: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Up,
    Down,
}

impl Direction {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

pub(crate) async fn ensure_installed(client: &Client) -> Result<(), Error> {
    let installed: bool = client.query_one(include_str!("../sql/runner/installed.sql"), &[]).await?.get(0);
    if installed { Ok(()) } else { Err(Error::NotInstalled) }
}

pub(crate) async fn list_applied(client: &Client) -> Result<Vec<Applied>, Error> {
    let rows = client.query(include_str!("../sql/runner/list_applied.sql"), &[]).await?;
    Ok(rows
        .iter()
        .map(|row| Applied {
            version: row.get("version"),
            name: row.get("name"),
            checksum: row.get("checksum"),
            adopted: row.get("adopted"),
            duration: Duration::from_millis(row.get::<_, i64>("duration_ms").unsigned_abs()),
            applied_at: row.get("applied_at"),
        })
        .collect())
}

/// Tells the servers, when the transaction commits, that the schema or its rights have changed.
pub(crate) async fn notify_reload(client: &Client) -> Result<(), tokio_postgres::Error> {
    client.execute(include_str!("../sql/runner/notify_reload.sql"), &[]).await.map(drop)
}

/// Statements done per interrupted migration, by version.
pub(crate) async fn list_interrupted(client: &Client) -> Result<HashMap<String, usize>, Error> {
    let rows = client.query(include_str!("../sql/runner/list_progress.sql"), &[]).await?;
    Ok(rows.iter().map(|row| (row.get("version"), to_usize(row.get("done")))).collect())
}

pub(crate) async fn list_adoptable(client: &Client) -> Result<Vec<String>, Error> {
    let rows = client.query(include_str!("../sql/runner/list_adoptable.sql"), &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Inside the migration's own transaction.
pub(crate) async fn record_applied(
    client: &Client,
    migration: &Migration,
    statements: &[&str],
    adopted: bool,
    took: Duration,
    bedplate_version: &str,
) -> Result<(), tokio_postgres::Error> {
    let count = i32::try_from(statements.len()).unwrap_or(i32::MAX);
    let milliseconds = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
    client
        .execute(
            include_str!("../sql/runner/record_applied.sql"),
            &[
                &migration.version,
                &migration.name,
                &migration.up.checksum,
                &adopted,
                &count,
                &milliseconds,
                &bedplate_version,
                &statements,
            ],
        )
        .await
        .map(drop)
}

pub(crate) async fn record_undone(client: &Client, version: &str) -> Result<(), tokio_postgres::Error> {
    client.execute(include_str!("../sql/runner/record_undone.sql"), &[&version]).await.map(drop)
}

pub(crate) async fn find_progress(
    client: &Client,
    version: &str,
    direction: Direction,
) -> Result<Option<Progress>, tokio_postgres::Error> {
    let row = client
        .query_opt(include_str!("../sql/runner/read_progress.sql"), &[&version, &direction.as_str()])
        .await?;
    Ok(row.map(|row| Progress {
        done: to_usize(row.get("done")),
        done_checksum: row.get("done_checksum"),
        running: row.get::<_, Option<i32>>("running").map(to_usize),
    }))
}

pub(crate) async fn write_progress(
    client: &Client,
    version: &str,
    direction: Direction,
    progress: &Progress,
) -> Result<(), tokio_postgres::Error> {
    let done = i32::try_from(progress.done).unwrap_or(i32::MAX);
    let running = progress.running.map(|r| i32::try_from(r).unwrap_or(i32::MAX));
    client
        .execute(
            include_str!("../sql/runner/write_progress.sql"),
            &[&version, &direction.as_str(), &done, &progress.done_checksum, &running],
        )
        .await
        .map(drop)
}

/// The checksum of the policies that ran last.
pub(crate) async fn find_policies(client: &Client) -> Result<Option<String>, Error> {
    let row = client.query_opt(include_str!("../sql/runner/read_policies.sql"), &[]).await?;
    Ok(row.map(|row| row.get(0)))
}

pub(crate) async fn record_policies(
    client: &Client,
    checksum: &str,
    files: usize,
    bedplate_version: &str,
) -> Result<(), tokio_postgres::Error> {
    let files = i32::try_from(files).unwrap_or(i32::MAX);
    let sql = include_str!("../sql/runner/record_policies.sql");
    client.execute(sql, &[&checksum, &files, &bedplate_version]).await.map(drop)
}

/// Checksums of the seeds that this database has, by name.
pub(crate) async fn list_seeds(client: &Client) -> Result<HashMap<String, String>, Error> {
    let rows = client.query(include_str!("../sql/runner/list_seeds.sql"), &[]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

pub(crate) async fn record_seed(
    client: &Client,
    name: &str,
    checksum: &str,
    statements: usize,
    bedplate_version: &str,
) -> Result<(), tokio_postgres::Error> {
    let statements = i32::try_from(statements).unwrap_or(i32::MAX);
    let sql = include_str!("../sql/runner/record_seed.sql");
    client.execute(sql, &[&name, &checksum, &statements, &bedplate_version]).await.map(drop)
}

fn to_usize(value: i32) -> usize {
    usize::try_from(value).unwrap_or(0)
}
