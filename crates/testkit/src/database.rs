//! A database per test, dropped with it.

use std::future::Future;
use std::path::Path;

use tokio_postgres::{Client, Config, NoTls};

use crate::server::{SUPERUSER, Server};

/// A database of its own on the shared server.
#[derive(Debug)]
pub struct Database {
    server: Server,
    name: String,
}

impl Database {
    /// An empty database: nothing but PostgreSQL's own objects.
    pub async fn empty() -> Self {
        Self::cloned("template1").await
    }

    /// A copy of a template that `install` fills the first time it is asked for, whichever test process that is. `key`
    /// must change whenever what `install` does changes (hash its inputs). `install` gets the template's name and
    /// must close its connections before it ends.
    pub async fn from_template<F, Fut>(key: &str, install: F) -> Self
    where
        F: FnOnce(Config) -> Fut,
        Fut: Future<Output = ()>,
    {
        let server = Server::shared();
        let template = format!("tpl_{key}");
        let admin = connect(&server.config("postgres", SUPERUSER)).await;
        // One installer at a time over all test processes; the lock goes with the session.
        admin.execute("select pg_advisory_lock(726301)", &[]).await.expect("take the template lock");
        let known = "select datistemplate from pg_database where datname = $1";
        let finished = admin.query_opt(known, &[&template]).await.expect("look for the template");
        if finished.is_none_or(|row| !row.get::<_, bool>(0)) {
            let drop = format!("drop database if exists {template} with (force)");
            admin.batch_execute(&drop).await.expect("drop a half-made template");
            let create = format!("create database {template} template template0");
            admin.batch_execute(&create).await.expect("create the template");
            install(server.config(&template, SUPERUSER)).await;
            let mark = format!("alter database {template} is_template true");
            admin.batch_execute(&mark).await.expect("mark the template as finished");
        }
        admin.execute("select pg_advisory_unlock(726301)", &[]).await.expect("release the template lock");
        drop(admin);
        Self::cloned(&template).await
    }

    async fn cloned(template: &str) -> Self {
        let server = Server::shared();
        let name = format!("t_{:016x}", rand::random::<u64>());
        let admin = connect(&server.config("postgres", SUPERUSER)).await;
        // The owner is not copied either, and with it go the rights on schema public.
        let owner = "select datdba::regrole::text from pg_database where datname = $1";
        let owner: String =
            admin.query_one(owner, &[&template]).await.expect("find the template's owner").get(0);
        let create = format!("create database {name} template {template} owner {owner} strategy file_copy");
        let mut tries = 0;
        // Another session may still be closing its connection to the template.
        while let Err(error) = admin.batch_execute(&create).await {
            tries += 1;
            assert!(tries < 100, "cannot create a test database: {error:?}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        // Settings of the database itself (search_path) are not copied by CREATE DATABASE.
        let copy = format!(
            "do $$ declare s text; begin for s in select unnest(setconfig) from pg_db_role_setting r join pg_database d \
             on d.oid = r.setdatabase where d.datname = '{template}' and r.setrole = 0 loop execute format('alter \
             database {name} set %s = %s', split_part(s, '=', 1), case when split_part(s, '=', 1) = 'search_path' then \
             substr(s, strpos(s, '=') + 1) else quote_literal(substr(s, strpos(s, '=') + 1)) end); end loop; end $$"
        );
        admin.batch_execute(&copy).await.expect("copy the template's settings");
        Self { server, name }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn socket_dir(&self) -> &Path {
        self.server.socket_dir()
    }

    /// How to connect as `user`; there are no passwords on the test server.
    pub fn config(&self, user: &str) -> Config {
        self.server.config(&self.name, user)
    }

    /// The same as a URL, for programs.
    pub fn url(&self, user: &str) -> String {
        let dir = self.socket_dir().to_string_lossy().replace('/', "%2F");
        format!("postgres://{user}@{dir}/{}", self.name)
    }

    /// A connection as the superuser.
    pub async fn superuser(&self) -> Client {
        connect(&self.config(SUPERUSER)).await
    }

    pub async fn connect(&self, user: &str) -> Client {
        connect(&self.config(user)).await
    }
}

impl Server {
    pub fn config(&self, database: &str, user: &str) -> Config {
        let mut config = Config::new();
        config.host_path(self.socket_dir()).port(5432).dbname(database).user(user);
        config
    }
}

/// Connects and drives the connection in the background until the client is dropped.
///
/// # Panics
/// When the connection cannot be made.
pub async fn connect(config: &Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.expect("connect to the test server");
    tokio::spawn(connection);
    client
}

impl Drop for Database {
    fn drop(&mut self) {
        let config = self.server.config("postgres", SUPERUSER);
        let sql = format!("drop database if exists {} with (force)", self.name);
        // Drop cannot be async, and the test's runtime may be single-threaded: a thread of its own does it.
        let cleaner = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(async {
                let (client, connection) = config.connect(NoTls).await.ok()?;
                tokio::spawn(connection);
                client.batch_execute(&sql).await.ok()
            })
        });
        let _ = cleaner.join();
    }
}
