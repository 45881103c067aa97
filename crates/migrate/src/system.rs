//! The database contract: the roles, schemas, tables and functions that apps written for Supabase expect, and
//! Bedplate's own ledgers. Two levels: [`bootstrap`] needs a superuser and makes the owner; [`install`] needs the owner
//! only, and says what it could not do.

use crate::classify::Extension;
use crate::error::Error;
use crate::exec::Fault;
use crate::extension;
use crate::limitation::{self, Limitation};
use crate::options::Options;
use crate::session::{LOCK_CLASS, LOCK_CONTRACT, Session, find_superuser, same_database};
use std::time::{Duration, Instant};
use tokio_postgres::Client;

/// One numbered part of the contract. The text of a part never changes once it is released; a change is a new part.
struct Part {
    version: i32,
    name: &'static str,
    sql: &'static str,
    /// When this table is there already and not through us, the schema belongs to another system and is left alone.
    foreign_if: Option<&'static str>,
}

macro_rules! parts {
    ($(($version:literal, $name:literal, $foreign_if:expr)),+ $(,)?) => {
        const PARTS: &[Part] = &[$(Part {
            version: $version,
            name: $name,
            sql: include_str!(concat!("../sql/system/", $name, ".sql")),
            foreign_if: $foreign_if,
        }),+];
    };
}

parts! {
    (1, "0001_foundation", None),
    (2, "0002_auth", Some("auth.users")),
    (3, "0003_auth_providers", Some("auth.users")),
    (4, "0004_auth_functions", None),
    (5, "0005_storage", Some("storage.objects")),
    (6, "0006_storage_functions", Some("storage.objects")),
    (7, "0007_realtime", Some("realtime.messages")),
    (8, "0008_webhooks", Some("supabase_functions.hooks")),
    (9, "0009_idempotency", None),
}

/// What an installation did and what it could not do.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// Parts that were installed now; empty when everything was there.
    pub installed: Vec<&'static str>,
    /// What this database lacks. Read from the database each time, so it is complete also when nothing was installed.
    pub limitations: Vec<Limitation>,
    pub took: Duration,
}

/// Identifies the contract of this build, for caches of prepared databases: changes whenever its SQL does.
pub fn fingerprint() -> String {
    let mut text = String::new();
    for sql in [ROLES, OWNER, DATABASE, RELOAD, LEDGER] {
        text += sql;
    }
    for part in PARTS {
        text += part.sql;
    }
    text += extension::all_sql().as_str();
    crate::folder::sha256_hex(text.as_bytes())
}

const ROLES: &str = include_str!("../sql/system/roles.sql");
const LEDGER: &str = include_str!("../sql/system/ledger.sql");
const OWNER: &str = include_str!("../sql/bootstrap/owner.sql");
const DATABASE: &str = include_str!("../sql/bootstrap/database.sql");
const RELOAD: &str = include_str!("../sql/bootstrap/reload.sql");
const EVENTS_MISSING: &str =
    "select count(*) < 2 from pg_catalog.pg_event_trigger where evtname in ('bedplate_ddl', 'bedplate_drop')";

/// The SQL that makes the event triggers, for a superuser to run by hand where Bedplate has none.
pub fn reload_events_sql() -> &'static str {
    RELOAD
}

/// Prepares a cluster and the connected database for their owner: makes the role (no superuser) if it is not there,
/// gives it the database and the rights that migrations need, makes the event triggers. `admin` is a superuser.
/// Safe to repeat, and at the same time for several databases of one cluster.
///
/// # Errors
/// `admin` is no superuser; the database goes away.
pub async fn bootstrap(admin: &mut Client, owner: &str) -> Result<(), Error> {
    if find_superuser(admin).await?.is_none() {
        return Err(Error::Contract {
            what: "preparing the database".into(),
            message: "the administrator's connection does not belong to a superuser".into(),
            hint: Some(
                "Connect as a superuser, or leave it out: the owner alone installs what it may".into(),
            ),
        });
    }
    let set_owner = "select set_config('bedplate.owner', $1, false)";
    admin.execute(set_owner, &[&owner]).await?;
    repeat_on_races(admin, "roles", ROLES).await?;
    repeat_on_races(admin, "owner", OWNER).await?;
    repeat_on_races(admin, "database", DATABASE).await?;
    let events_missing: bool = admin.query_one(EVENTS_MISSING, &[]).await?.get(0);
    if events_missing {
        repeat_on_races(admin, "reload events", RELOAD).await?;
    }
    Ok(admin.batch_execute("reset bedplate.owner").await?)
}

/// Installs what the connected database lacks of the contract. `owner` owns the database, or may create schemas in it;
/// it may be a superuser. With `admin` (a superuser) it does [`bootstrap`] first.
///
/// # Errors
/// The owner may not create schemas or roles; the database goes away. What is merely missing is no error but a
/// [`Limitation`].
pub async fn install(admin: Option<&mut Client>, owner: &mut Client) -> Result<Report, Error> {
    let started = Instant::now();
    refuse_old_server(owner).await?;
    let name: String = owner.query_one("select current_user::text", &[]).await?.get(0);
    let admin = match admin {
        Some(admin) => {
            same_database(owner, admin).await?;
            bootstrap(admin, &name).await?;
            Some(&*admin)
        }
        None => None,
    };
    repeat_on_races(owner, "roles", ROLES).await?;
    let mut installed = Vec::new();
    if !is_complete(owner).await? {
        installed = install_parts(owner).await?;
        install_extensions(owner, admin).await?;
    }
    make_reload_events(owner, !installed.is_empty()).await?;
    maintain(owner).await?;
    let limitations = limitation::list(owner).await?;
    Ok(Report { installed, limitations, took: started.elapsed() })
}

/// What has to be done once a day: partitions of `realtime.messages` for the days to come.
///
/// # Errors
/// The database goes away.
pub async fn maintain(owner: &Client) -> Result<(), Error> {
    let ours = "select from bedplate.system_migrations where name = '0007_realtime' and ours";
    if owner.query_opt(ours, &[]).await?.is_some() {
        let sql = "select realtime.ensure_partition((now() at time zone 'utc')::date + ahead) \
                   from generate_series(0, 3) as ahead";
        owner.batch_execute(sql).await?;
    }
    Ok(())
}

async fn refuse_old_server(owner: &Client) -> Result<(), Error> {
    let sql = "select current_setting('server_version_num')::integer, current_setting('server_version')";
    let row = owner.query_one(sql, &[]).await?;
    if row.get::<_, i32>(0) >= 150_000 {
        return Ok(());
    }
    Err(Error::Contract {
        what: "installing".into(),
        message: format!("the server is PostgreSQL {}; Bedplate needs 15 or newer", row.get::<_, String>(1)),
        hint: Some(
            "Upgrade the server, or leave [database] url out: then Bedplate runs a PostgreSQL of its own"
                .into(),
        ),
    })
}

async fn is_complete(owner: &Client) -> Result<bool, Error> {
    let ledger = "select to_regclass('bedplate.system_migrations') is not null";
    if !owner.query_one(ledger, &[]).await?.get::<_, bool>(0) {
        return Ok(false);
    }
    let count: i64 = owner.query_one("select count(*) from bedplate.system_migrations", &[]).await?.get(0);
    Ok(usize::try_from(count).is_ok_and(|count| count >= PARTS.len()))
}

/// All missing parts in one transaction, under a lock: several nodes may start at once.
async fn install_parts(owner: &mut Client) -> Result<Vec<&'static str>, Error> {
    let transaction = owner.transaction().await?;
    // The session may have any search_path, for example from the database's own settings.
    transaction
        .batch_execute("set local search_path = public, extensions; set local lock_timeout = 0")
        .await?;
    transaction.execute("select pg_advisory_xact_lock($1, $2)", &[&LOCK_CLASS, &LOCK_CONTRACT]).await?;
    transaction.batch_execute(LEDGER).await.map_err(|error| failed("ledger", &error))?;
    let rows = transaction.query("select version, ours from bedplate.system_migrations", &[]).await?;
    let known: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
    let mut foreign: Vec<&str> = PARTS
        .iter()
        .filter(|p| rows.iter().any(|r| r.get::<_, i32>(0) == p.version && !r.get::<_, bool>(1)))
        .filter_map(|p| p.foreign_if)
        .collect();
    let mut installed = Vec::new();
    let mut made = Vec::new();
    for part in PARTS.iter().filter(|part| !known.contains(&part.version)) {
        let mut ours = true;
        if let Some(table) = part.foreign_if {
            let exists: bool =
                transaction.query_one("select to_regclass($1) is not null", &[&table]).await?.get(0);
            let by_us = !exists || made.contains(&table) || owns_earlier(&known, table);
            ours = by_us && !foreign.contains(&table);
            if ours { made.push(table) } else { foreign.push(table) }
        }
        if ours {
            transaction.batch_execute(part.sql).await.map_err(|error| failed(part.name, &error))?;
            installed.push(part.name);
        }
        transaction
            .execute(
                "insert into bedplate.system_migrations (version, name, ours, bedplate_version) values ($1, $2, $3, $4)",
                &[&part.version, &part.name, &ours, &env!("CARGO_PKG_VERSION")],
            )
            .await?;
    }
    transaction.commit().await?;
    Ok(installed)
}

/// Whether an earlier part that we installed has made this table.
fn owns_earlier(known: &[i32], table: &str) -> bool {
    PARTS.iter().any(|part| part.foreign_if == Some(table) && known.contains(&part.version))
}

/// The event triggers, where the owner may make them: some cloud providers let it, and an administrator may make it a
/// superuser for one run. If not, servers poll. `first`: try it even if it does not look allowed.
async fn make_reload_events(owner: &Client, first: bool) -> Result<(), Error> {
    let missing: bool = owner.query_one(EVENTS_MISSING, &[]).await?.get(0);
    if missing
        && (first || find_superuser(owner).await?.is_some())
        && let Err(error) = owner.batch_execute(RELOAD).await
    {
        tracing::debug!(%error, "no event triggers");
    }
    Ok(())
}

/// Extensions that every database has from the start, and stand-ins for those that the server lacks.
async fn install_extensions(owner: &Client, admin: Option<&Client>) -> Result<(), Error> {
    let session = Session::open(owner, admin, &Options::default()).await?;
    let client = session.client;
    client.batch_execute("begin").await?;
    client.execute("select pg_advisory_xact_lock($1, $2)", &[&LOCK_CLASS, &LOCK_CONTRACT]).await?;
    for &name in extension::FROM_THE_START {
        let wanted = Extension {
            name: name.to_owned(),
            if_not_exists: true,
            schema: None,
            version: None,
            cascade: false,
        };
        client.batch_execute("savepoint extension").await?;
        match extension::create(&session, &wanted).await {
            Ok(_) => client.batch_execute("release savepoint extension").await?,
            // What is missing in the end is found by the list of limitations.
            Err(Fault::Own { message, .. }) => {
                tracing::debug!(name, message, "extension left out");
                client.batch_execute("rollback to savepoint extension").await?;
            }
            Err(Fault::Database(error)) if error.as_db_error().is_some() => {
                tracing::debug!(name, %error, "extension left out");
                client.batch_execute("rollback to savepoint extension").await?;
            }
            Err(Fault::Database(error)) => return Err(error.into()),
        }
    }
    client.batch_execute("commit").await?;
    session.close().await
}

/// Roles and settings of roles are shared by all databases of a cluster: another installation may win a race, which
/// shows as one of a few errors; then the block is run again and finds the work done.
async fn repeat_on_races(client: &Client, what: &str, sql: &str) -> Result<(), Error> {
    let mut tries = 0u32;
    loop {
        let Err(error) = client.batch_execute(sql).await else { return Ok(()) };
        let raced = error.as_db_error().is_some_and(|db| {
            matches!(db.code().code(), "23505" | "42710" | "40001" | "40P01")
                || (db.code().code() == "XX000" && db.message().contains("concurrently"))
        });
        tries += 1;
        if !raced || tries > 50 {
            return Err(failed(what, &error));
        }
        tokio::time::sleep(Duration::from_millis(rand::random_range(5..40))).await;
    }
}

fn failed(what: &str, error: &tokio_postgres::Error) -> Error {
    let Some(db) = error.as_db_error() else {
        return Error::Contract { what: what.to_owned(), message: error.to_string(), hint: None };
    };
    let hint = match db.code().code() {
        "42501" => Some(
            "The role needs CREATE on the database and CREATEROLE: as the database's administrator run \
             `grant create on database … to …; alter role … createrole;`"
                .to_owned(),
        ),
        _ => db.hint().map(str::to_owned),
    };
    Error::Contract {
        what: format!("installing {what}"),
        message: format!("{} ({})", db.message(), db.code().code()),
        hint,
    }
}
