//! A running `bedplate serve` on the helpdesk, and a small HTTP client.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bedplate_auth::mint::SigningKey;
use bedplate_core::Secret;
use bedplate_testkit::{Database, connect};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

pub const JWT_SECRET: &str = "a-secret-for-tests-of-at-least-32-bytes";
pub const ALICE: &str = "a1a1a1a1-0000-4000-8000-000000000001";
pub const ADAM: &str = "a1a1a1a1-0000-4000-8000-000000000002";
pub const BOB: &str = "b2b2b2b2-0000-4000-8000-000000000001";

/// The rate limits stay on, and are wide enough for tests that ask as fast as they can.
pub const HURRIED: [&str; 6] = [
    "--set",
    "rate_limit.address=1000000/1s",
    "--set",
    "rate_limit.user=1000000/1s",
    "--set",
    "rate_limit.failures=1000000/1s",
];

pub struct Server {
    pub db: Database,
    pub address: String,
    pub admin: String,
    pub child: Child,
    _dir: tempfile::TempDir,
}

pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The `data` of a success; panics with the whole answer otherwise.
    #[track_caller]
    pub fn data(&self) -> Value {
        assert!((200..300).contains(&self.status), "{} {}", self.status, String::from_utf8_lossy(&self.body));
        self.json()["data"].clone()
    }

    /// The `code` of a problem; panics unless it is a well-formed problem document.
    #[track_caller]
    pub fn code(&self) -> String {
        let body = self.json();
        assert_eq!(self.headers["content-type"], "application/problem+json", "{body}");
        assert_eq!(body["status"], self.status, "{body}");
        for key in ["type", "title", "instance", "request_id"] {
            assert!(body[key].is_string(), "{key} in {body}");
        }
        body["code"].as_str().unwrap().to_owned()
    }
}

/// The example's folder in the checkout.
pub fn helpdesk() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/helpdesk")
}

/// A database with the contract, the helpdesk's migrations, policies and seeds.
pub async fn database() -> Database {
    let mut hash = Sha256::new();
    hash.update(bedplate_migrate::system::fingerprint());
    for folder in ["migrations", "policies", "."] {
        let mut files: Vec<_> =
            std::fs::read_dir(helpdesk().join(folder)).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        for file in files.iter().filter(|f| f.extension().is_some_and(|e| e == "sql")) {
            hash.update(std::fs::read(file).unwrap());
        }
    }
    let digest = hash.finalize();
    let key = u64::from_be_bytes(digest[..8].try_into().unwrap());
    Database::from_template(&format!("helpdesk_{key:016x}"), |config| async move {
        let mut admin = connect(&config).await;
        bedplate_migrate::system::bootstrap(&mut admin, "postgres").await.unwrap();
        let mut owner_config = config.clone();
        owner_config.user("postgres");
        let mut owner = connect(&owner_config).await;
        bedplate_migrate::system::install(Some(&mut admin), &mut owner).await.unwrap();
        let options = bedplate_migrate::Options::default();
        let folder = bedplate_migrate::Folder::read(&helpdesk().join("migrations")).unwrap();
        bedplate_migrate::up(&mut owner, Some(&mut admin), &folder, &options, &mut |_| {}).await.unwrap();
        let policies = bedplate_migrate::Policies::read(&helpdesk().join("policies")).unwrap();
        policies.apply(&mut owner, Some(&mut admin), true, &options, &mut |_| {}).await.unwrap();
        for file in ["seed.sql", "seed.dev.sql"] {
            let sql = std::fs::read_to_string(helpdesk().join(file)).unwrap();
            owner.batch_execute(&sql).await.unwrap();
        }
    })
    .await
}

/// Keys for production as `bedplate keys new` prints them, with a JWT secret that the tests know.
pub fn keys() -> BTreeMap<String, String> {
    let out =
        std::process::Command::new(env!("CARGO_BIN_EXE_bedplate")).args(["keys", "new", "--text"]).output();
    let text = String::from_utf8(out.unwrap().stdout).unwrap();
    let lines = text.lines().filter_map(|line| line.split_once('='));
    let mut keys: BTreeMap<String, String> = lines.map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    keys.insert("BEDPLATE_AUTH__JWT_SECRET".to_owned(), JWT_SECRET.to_owned());
    keys
}

impl Server {
    pub async fn start() -> Self {
        Self::start_with(|_| {}, "").await
    }

    /// `prepare` may add environment variables; `extra` SQL runs as the owner before the start.
    pub async fn start_with(prepare: impl FnOnce(&mut Command), extra: &str) -> Self {
        let db = database().await;
        if !extra.is_empty() {
            db.connect("postgres").await.batch_execute(extra).await.unwrap();
        }
        let dir = tempfile::tempdir().unwrap();
        copy(&helpdesk(), dir.path());
        let mut command = Command::new(env!("CARGO_BIN_EXE_bedplate"));
        command
            .args(["serve", "--json", "--set", "server.port=0", "--set", "server.admin_port=0"])
            .args(["--set", "server.pre_drain=0s"])
            .args(HURRIED)
            .env("DATABASE_URL", db.url("postgres"))
            .envs(keys())
            .env("BEDPLATE_DATABASE__API_URL", db.url("authenticator"))
            .current_dir(dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        prepare(&mut command);
        let mut child = command.spawn().unwrap();
        let (address, admin) = ready(&mut child).await;
        drain(&mut child);
        Self { db, address, admin, child, _dir: dir }
    }

    pub async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        self.call("GET", path, token, None).await
    }

    pub async fn call(&self, method: &str, path: &str, token: Option<&str>, body: Option<Value>) -> Answer {
        let mut headers = Vec::new();
        if let Some(token) = token {
            headers.push(("authorization", format!("Bearer {token}")));
        }
        if body.is_some() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let body = body.map(|b| b.to_string()).unwrap_or_default();
        self.send(method, path, &headers, body.as_bytes()).await
    }

    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        send(&self.address, method, path, headers, body).await
    }
}

pub async fn send(address: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    try_send(address, method, path, headers, body).await.expect("a whole answer")
}

/// `None` when the server goes away before it has answered.
pub async fn try_send(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Option<Answer> {
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() || matches!(method, "POST" | "PATCH" | "PUT") {
        request.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    request.push_str("\r\n");
    let mut stream = TcpStream::connect(address).await.ok()?;
    stream.write_all(request.as_bytes()).await.ok()?;
    stream.write_all(body).await.ok()?;
    let mut bytes = Vec::new();
    tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut bytes)).await.unwrap().ok()?;
    bytes.windows(4).any(|w| w == b"\r\n\r\n").then(|| parse(&bytes))
}

fn parse(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").expect("an answer has a head");
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: BTreeMap<String, String> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let body = bytes[end + 4..].to_vec();
    if let Some(length) = headers.get("content-length").filter(|_| !body.is_empty()) {
        assert_eq!(length.parse::<usize>().unwrap(), body.len());
    }
    Answer { status, headers, body }
}

/// Reads the JSON lines of the start until the server says where it listens.
pub async fn ready(child: &mut Child) -> (String, String) {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut seen = Vec::new();
    while let Ok(Some(line)) = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await.unwrap()
    {
        let value: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
        if let Some(url) = find(&value, "url") {
            let admin = find(&value, "admin").unwrap_or_default();
            let strip = |url: String| url.strip_prefix("http://").unwrap_or_default().to_owned();
            // The pipe must not fill up.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return (strip(url), strip(admin));
        }
        seen.push(line);
    }
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).await.unwrap();
    panic!("the server did not start: {seen:?}\n{errors}");
}

/// The log goes nowhere, but it must go.
pub fn drain(child: &mut Child) {
    let mut errors = child.stderr.take().unwrap();
    tokio::spawn(async move { tokio::io::copy(&mut errors, &mut tokio::io::sink()).await });
}

fn find(value: &Value, key: &str) -> Option<String> {
    match value {
        Value::Object(map) => map
            .get(key)
            .and_then(|v| v.as_str().map(str::to_owned))
            .or_else(|| map.values().find_map(|v| find(v, key))),
        _ => None,
    }
}

pub fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(".bedplate") {
            continue;
        }
        let target = to.join(&name);
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
}

fn now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64
}

pub fn claims(role: &str, subject: &str) -> Value {
    json!({ "role": role, "sub": subject, "aud": "authenticated", "iat": now() - 5, "exp": now() + 600 })
}

/// A token of a signed-in user.
pub fn user(subject: &str) -> String {
    sign(&claims("authenticated", subject))
}

pub fn service() -> String {
    sign(&claims("service_role", "00000000-0000-0000-0000-000000000000"))
}

pub fn sign(claims: &Value) -> String {
    SigningKey::hs256(&Secret::new(JWT_SECRET)).sign(claims).unwrap()
}
