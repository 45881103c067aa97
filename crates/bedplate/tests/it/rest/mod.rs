//! `/rest/v1` from outside: its settings, tokens and transactions, on databases that are served as they are.

mod attacks;
mod cors;
mod errors;
mod in_database;
mod media;
mod openapi;
mod options;
mod plain;
mod property;
mod requests;
mod rpc;
mod tokens;
mod write;
mod write_bodies;
mod write_upserts;

use std::process::Stdio;

use bedplate_testkit::{Database, connect};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::api::Answer;
use crate::api::server::{HURRIED, drain, keys, ready, send};

/// What a PostgREST setup usually has: a login without rights of its own and the roles that it may become. Roles belong to
/// the whole server, so all tests share them; what is granted to them stands in each test's database.
const ROLES: &str = "
    do $$ begin create role rest_login login noinherit; exception when duplicate_object then null; end $$;
    do $$ begin create role rest_anon; exception when duplicate_object then null; end $$;
    do $$ begin create role rest_author; exception when duplicate_object then null; end $$;
    do $$ begin create role rest_stranger; exception when duplicate_object then null; end $$;
    do $$ begin create role rest_root superuser; exception when duplicate_object then null; end $$;
    grant rest_anon, rest_author, rest_root to rest_login;";

const TABLES: &str = "
    create schema api;
    grant usage on schema api to rest_anon, rest_author;
    create table api.items (id int primary key, name text);
    insert into api.items select n, 'item ' || n from generate_series(1, 30) n;
    create table api.secrets (id int primary key);
    insert into api.secrets values (1);
    grant select, insert, update, delete on api.items to rest_anon, rest_author;
    grant select on api.secrets to rest_author;
    create function api.setting(name text) returns text language sql as $$ select current_setting(name, true) $$;
    create function api.me() returns text language sql as $$ select current_user::text $$;";

pub const SECRET: &str = "a-secret-of-rest-that-has-at-least-32-bytes";

/// A running `bedplate serve` on a database without the contract.
pub struct Plain {
    pub db: Database,
    pub address: String,
    _child: Child,
    _dir: tempfile::TempDir,
}

/// A database with the roles, the tables and `sql`.
pub async fn database(sql: &str) -> Database {
    let db = Database::empty().await;
    // Two tests must not change the same roles at once, and advisory locks hold within one database.
    let mut shared = db.config("supabase_admin");
    shared.dbname("postgres");
    let admin = connect(&shared).await;
    admin.batch_execute(&format!("select pg_advisory_lock(726302); {ROLES}")).await.unwrap();
    drop(admin);
    db.superuser().await.batch_execute(&format!("{TABLES} {sql}")).await.unwrap();
    db
}

/// Where a project with these lines of `[rest]` stands, and the command that would run in it.
pub fn project(db: &Database, rest: &str) -> (tempfile::TempDir, Command) {
    let dir = tempfile::tempdir().unwrap();
    let toml = format!(
        "[database]\ncontract = false\nschemas = [\"api\"]\nextra_search_path = []\n[api]\nenabled = false\n\
         [env.production.access]\nrequire_rls = false\n[rest]\ndb_anon_role = \"rest_anon\"\n{rest}\n"
    );
    std::fs::write(dir.path().join("bedplate.toml"), toml).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_bedplate"));
    command
        .env("DATABASE_URL", db.url("rest_login"))
        .envs(keys())
        .env("BEDPLATE_REST__JWT_SECRET", SECRET)
        .current_dir(dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    (dir, command)
}

impl Plain {
    pub async fn start(sql: &str, rest: &str) -> Self {
        Self::start_with(sql, rest, |_| {}).await
    }

    pub async fn start_with(sql: &str, rest: &str, prepare: impl FnOnce(&mut Command)) -> Self {
        let db = database(sql).await;
        let (dir, mut command) = project(&db, rest);
        command
            .args(["serve", "--json", "--set", "server.port=0", "--set", "server.admin_port=0"])
            .args(["--set", "server.pre_drain=0s"])
            .args(HURRIED);
        prepare(&mut command);
        let mut child = command.spawn().unwrap();
        let (address, _) = ready(&mut child).await;
        drain(&mut child);
        Self { db, address, _child: child, _dir: dir }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"").await
    }

    pub async fn get_as(&self, path: &str, token: &str) -> Answer {
        self.send("GET", path, &[("authorization", &format!("Bearer {token}"))], b"").await
    }

    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let headers = [&[("content-type", "application/json")], headers].concat();
        self.send("POST", path, &headers, body.to_string().as_bytes()).await
    }

    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        send(&self.address, method, &format!("/rest/v1{path}"), headers, body).await
    }

    /// The setting as the function sees it that asks for it.
    pub async fn setting(&self, name: &str) -> Value {
        self.get(&format!("/rpc/setting?name={name}")).await.json()
    }

    /// Asks until the answer is as wanted; settings in the database are followed in the background.
    pub async fn until(&self, path: &str, wanted: impl Fn(&Answer) -> bool) -> Answer {
        let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
        loop {
            let answer = self.get(path).await;
            if wanted(&answer) {
                return answer;
            }
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(std::time::Instant::now() < end, "{path}: {} {text}", answer.status);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

pub fn author() -> String {
    sign(&json!({ "role": "rest_author" }))
}

pub fn sign(claims: &Value) -> String {
    sign_with(SECRET, claims)
}

pub fn sign_with(secret: &str, claims: &Value) -> String {
    bedplate_auth::mint::SigningKey::hs256(&bedplate_core::Secret::new(secret)).sign(claims).unwrap()
}

/// Code and message of a refusal in PostgREST's form.
#[track_caller]
pub fn refusal(answer: &Answer) -> (u16, String, String) {
    let body = answer.json();
    for key in ["code", "message", "details", "hint"] {
        assert!(body.get(key).is_some(), "{body}");
    }
    let text = |key: &str| body[key].as_str().unwrap().to_owned();
    (answer.status, text("code"), text("message"))
}
