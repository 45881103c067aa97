//! Databases with the contract, and folders of migrations.

use bedplate_migrate::{Error, Event, Folder, Options, Report, StatementError, system};
use bedplate_testkit::{Database, connect};
use std::path::Path;
use std::time::Duration;
use tokio_postgres::Client;

/// A database with the contract, owned by `postgres`, and connections of both kinds.
pub struct Ready {
    pub database: Database,
    pub owner: Client,
    pub admin: Client,
}

pub async fn ready() -> Ready {
    let key = system::fingerprint()[..16].to_owned();
    let database = Database::from_template(&format!("migrate_{key}"), |config| async move {
        let mut admin = connect(&config).await;
        system::bootstrap(&mut admin, "postgres").await.unwrap();
        let mut as_owner = config.clone();
        as_owner.user("postgres");
        let mut owner = connect(&as_owner).await;
        system::install(Some(&mut admin), &mut owner).await.unwrap();
    })
    .await;
    let admin = database.superuser().await;
    // The owner of a database is not copied from its template.
    admin.batch_execute(&format!("alter database {} owner to postgres", database.name())).await.unwrap();
    let owner = database.connect("postgres").await;
    Ready { database, owner, admin }
}

/// A migrations folder in a temporary directory.
pub struct Files(tempfile::TempDir);

impl Files {
    pub fn new(files: &[(&str, &str)]) -> Self {
        let this = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            this.write(name, text);
        }
        this
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).unwrap();
    }

    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.0.path().join(name)).unwrap();
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn folder(&self) -> Folder {
        Folder::read(self.path()).unwrap()
    }
}

/// Short waits, so that a test that must fail fails soon.
pub fn quick() -> Options {
    Options {
        lock_timeout: Duration::from_millis(150),
        lock_pause: Duration::from_millis(20),
        lock_attempts: 40,
        ..Options::default()
    }
}

pub async fn up(ready: &mut Ready, files: &Files) -> Result<Report, Error> {
    up_with(ready, files, &quick(), &mut Vec::new()).await
}

pub async fn up_with(
    ready: &mut Ready,
    files: &Files,
    options: &Options,
    events: &mut Vec<Event>,
) -> Result<Report, Error> {
    let folder = files.folder();
    bedplate_migrate::up(&mut ready.owner, Some(&mut ready.admin), &folder, options, &mut |e| events.push(e))
        .await
}

/// Without a superuser's connection.
pub async fn up_alone(ready: &mut Ready, files: &Files) -> Result<Report, Error> {
    bedplate_migrate::up(&mut ready.owner, None, &files.folder(), &quick(), &mut |_| {}).await
}

pub fn statement(error: Error) -> StatementError {
    match error {
        Error::Statement(statement) => *statement,
        other => panic!("not a statement's error: {other}"),
    }
}

pub async fn text(client: &Client, sql: &str) -> String {
    client
        .query_one(&format!("select ({sql})::text"), &[])
        .await
        .unwrap()
        .get::<_, Option<String>>(0)
        .unwrap_or_default()
}

pub async fn sqlstate(client: &Client, sql: &str) -> String {
    match client.batch_execute(sql).await {
        Ok(()) => "00000".to_owned(),
        Err(error) => error.as_db_error().map_or_else(|| error.to_string(), |db| db.code().code().to_owned()),
    }
}
