//! The connection that migrations run on: as the owner, with the settings they expect, one runner at a time.
//!
//! When there is a superuser's connection, it is used for the whole run under `SET SESSION AUTHORIZATION owner`. So a
//! statement that needs more (CREATE EXTENSION of an untrusted one, an event trigger) can run with more inside the same
//! transaction, and everything else has the owner's rights only.

use crate::error::Error;
use crate::ident;
use crate::options::{Event, Options};
use std::time::{Duration, Instant};
use tokio_postgres::Client;

/// Advisory locks of the migration machinery: (this, what).
pub(crate) const LOCK_CLASS: i32 = 4_274_391;
pub(crate) const LOCK_CONTRACT: i32 = 1;
pub(crate) const LOCK_MIGRATIONS: i32 = 2;

pub(crate) struct Session<'a> {
    pub client: &'a Client,
    pub owner: String,
    /// The superuser behind the connection, when there is one.
    admin: Option<String>,
    settings: String,
}

impl<'a> Session<'a> {
    pub(crate) async fn open(
        owner: &'a Client,
        admin: Option<&'a Client>,
        options: &Options,
    ) -> Result<Session<'a>, Error> {
        let name: String = owner.query_one("select current_user::text", &[]).await?.get(0);
        let (client, admin) = match admin {
            Some(admin) => {
                same_database(owner, admin).await?;
                match find_superuser(admin).await? {
                    Some(superuser) if superuser != name => (admin, Some(superuser)),
                    _ => (owner, None),
                }
            }
            None => (owner, None),
        };
        let session =
            Self { client, settings: settings(&name, admin.is_some(), options), owner: name, admin };
        session.reset().await?;
        Ok(session)
    }

    /// Back to the settings that a file starts with, whatever the one before has set.
    pub(crate) async fn reset(&self) -> Result<(), Error> {
        Ok(self.client.batch_execute(&self.settings).await?)
    }

    /// Gives the connection back as it came.
    pub(crate) async fn close(self) -> Result<(), Error> {
        let back = if self.admin.is_some() { "reset session authorization; " } else { "" };
        Ok(self.client.batch_execute(&format!("{back}reset role; reset all")).await?)
    }

    pub(crate) fn has_admin(&self) -> bool {
        self.admin.is_some()
    }

    /// Runs `sql` as the superuser if there is one, else as the owner. Only inside a transaction.
    pub(crate) async fn privileged(&self, sql: &str) -> Result<(), tokio_postgres::Error> {
        let Some(admin) = &self.admin else { return self.client.batch_execute(sql).await };
        let set = |role: &str| format!("set local session authorization {}", ident::quote(role));
        self.client.batch_execute(&set(admin)).await?;
        self.client.batch_execute(sql).await?;
        self.client.batch_execute(&set(&self.owner)).await
    }

    /// Takes the lock under which migrations run; others wait here.
    ///
    /// Asks again and again instead of waiting inside the database: a waiting statement holds a snapshot, and CREATE
    /// INDEX CONCURRENTLY of the one who holds the lock would wait for that snapshot: a deadlock.
    pub(crate) async fn lock(
        &self,
        options: &Options,
        on_event: &mut (dyn FnMut(Event) + Send),
    ) -> Result<(), Error> {
        let since = Instant::now();
        let mut told = None::<Instant>;
        loop {
            let got: bool = self
                .client
                .query_one("select pg_try_advisory_lock($1, $2)", &[&LOCK_CLASS, &LOCK_MIGRATIONS])
                .await?
                .get(0);
            if got {
                return Ok(());
            }
            let waited = since.elapsed();
            if waited > options.wait_for_others {
                return Err(Error::Busy { seconds: waited.as_secs(), holder: self.holder().await? });
            }
            if told.is_none_or(|at| at.elapsed() > Duration::from_secs(5)) {
                told = Some(Instant::now());
                on_event(Event::Waiting { waited, holder: self.holder().await? });
            }
            tokio::time::sleep(Duration::from_millis(rand::random_range(40..160))).await;
        }
    }

    pub(crate) async fn unlock(&self) -> Result<(), Error> {
        self.client.execute("select pg_advisory_unlock($1, $2)", &[&LOCK_CLASS, &LOCK_MIGRATIONS]).await?;
        Ok(())
    }

    async fn holder(&self) -> Result<String, Error> {
        let (class, what) = (i64::from(LOCK_CLASS), i64::from(LOCK_MIGRATIONS));
        let sql = include_str!("../sql/runner/lock_holder.sql");
        Ok(self.client.query_one(sql, &[&class, &what]).await?.get(0))
    }

    /// In words, who has long transactions open: the likely reason for a lock that does not come.
    pub(crate) async fn blockers(&self) -> Result<String, Error> {
        Ok(self.client.query_one(include_str!("../sql/runner/longest_transactions.sql"), &[]).await?.get(0))
    }
}

/// The connection's user, if it is a superuser.
pub(crate) async fn find_superuser(client: &Client) -> Result<Option<String>, Error> {
    let sql = "select rolname::text from pg_catalog.pg_roles where rolname = current_user and rolsuper";
    Ok(client.query_opt(sql, &[]).await?.map(|row| row.get(0)))
}

/// The whole run goes over the superuser's connection: it must lead to the same place.
pub(crate) async fn same_database(owner: &Client, admin: &Client) -> Result<(), Error> {
    let here = "select current_database()::text, extract(epoch from pg_postmaster_start_time())::text";
    let (a, b) = (owner.query_one(here, &[]).await?, admin.query_one(here, &[]).await?);
    let place = |row: &tokio_postgres::Row| (row.get::<_, String>(0), row.get::<_, String>(1));
    if place(&a) == place(&b) {
        return Ok(());
    }
    Err(Error::Contract {
        what: "connecting".to_owned(),
        message: format!(
            "the owner's connection leads to the database {}, the administrator's to {}, or to another server",
            place(&a).0,
            place(&b).0
        ),
        hint: Some("Give both the same host, port and database".to_owned()),
    })
}

/// When the runner is killed while a long statement runs, the server notices within two seconds, ends the session and
/// with it the lock. Not every platform can; there the statement ends first.
const NOTICE_A_LOST_CLIENT: &str = "do $$ begin perform set_config('client_connection_check_interval', '2s', false); \
     exception when others then null; end $$";

fn settings(owner: &str, elevated: bool, options: &Options) -> String {
    let authorization =
        if elevated { format!("set session authorization {}; ", ident::quote(owner)) } else { String::new() };
    format!(
        "reset role; {authorization}reset all; set search_path = public, extensions; set statement_timeout = 0; \
         set idle_in_transaction_session_timeout = 0; set lock_timeout = {}; set client_min_messages = warning; \
         set standard_conforming_strings = on; {NOTICE_A_LOST_CLIENT}",
        options.lock_timeout.as_millis()
    )
}
