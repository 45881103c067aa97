//! The servers under test, as processes of their own.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bedplate_auth::mint::SigningKey;
use bedplate_core::{Clock as _, Secret, SystemClock};
use rustix::process::{Pid, Signal, kill_process};

use crate::client::Client;
use crate::database::{Database, LOGIN};
use crate::workload::{Dialect, SUBJECT};
use crate::{Outcome, cpu};

/// A running server.
pub struct Server {
    pub name: &'static str,
    /// The front doors it has.
    pub dialects: &'static [Dialect],
    pub address: String,
    /// From the start of the process to the first answer that it is ready.
    pub started_in: Duration,
    child: Child,
}

/// Settings that every start of Bedplate gets: fresh production keys, everything else as it is by default.
pub struct Keys {
    variables: Vec<(String, String)>,
    pub jwt_secret: Secret,
}

impl Keys {
    /// As for a deployment: `bedplate keys new`.
    pub fn new(bedplate: &Path) -> Outcome<Self> {
        let output = Command::new(bedplate).args(["--text", "keys", "new"]).output();
        let output = output.map_err(|error| format!("run {}: {error}", bedplate.display()))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let variables: Vec<(String, String)> = text
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .collect();
        let secret = variables.iter().find(|(name, _)| name.ends_with("JWT_SECRET"));
        let secret = secret.ok_or_else(|| format!("bedplate keys new printed no JWT_SECRET:\n{text}"))?;
        let jwt_secret = Secret::new(secret.1.clone());
        Ok(Self { variables, jwt_secret })
    }

    /// A user's token that outlives the run.
    pub fn token(&self) -> Outcome<String> {
        let claims = serde_json::json!({
            "sub": SUBJECT.to_string(), "role": "authenticated", "exp": SystemClock.unix_seconds() + 86_400,
        });
        SigningKey::hs256(&self.jwt_secret)
            .sign(&claims)
            .map_err(|problem| format!("sign a token: {problem}"))
    }
}

impl Server {
    /// `bedplate serve` in production, with the whole request pipeline on.
    pub async fn bedplate(program: &Path, project: &Path, database: &Database, keys: &Keys) -> Outcome<Self> {
        let (port, admin_port) = (free_port()?, free_port()?);
        let mut command = Command::new(program);
        command
            .arg("serve")
            .current_dir(project)
            .envs(keys.variables.iter().map(|(name, value)| (name, value)))
            .env("DATABASE_URL", database.url(database.superuser()))
            .env("BEDPLATE_DATABASE__API_URL", database.url(LOGIN))
            .env("BEDPLATE_SERVER__PORT", port.to_string())
            .env("BEDPLATE_SERVER__ADMIN_PORT", admin_port.to_string())
            // One user asks as fast as it can: the limits stay on and are paid for, and let it.
            .env("BEDPLATE_RATE_LIMIT__USER", "1000000/1s")
            .env("BEDPLATE_RATE_LIMIT__ADDRESS", "1000000/1s")
            // Nothing is drained at the end of a measurement.
            .env("BEDPLATE_SERVER__PRE_DRAIN", "0s");
        let log = database.folder.path().join("bedplate.log");
        Self::start("bedplate", &[Dialect::Native, Dialect::Rest], command, port, ("/health/ready", log))
            .await
    }

    /// PostgREST with its defaults, on the same database, role and secret.
    pub async fn postgrest(program: &Path, database: &Database, keys: &Keys) -> Outcome<Self> {
        let port = free_port()?;
        let mut command = Command::new(program);
        command
            .env("PGRST_DB_URI", database.url(LOGIN))
            .env("PGRST_DB_SCHEMAS", "public")
            .env("PGRST_DB_ANON_ROLE", "anon")
            .env("PGRST_JWT_SECRET", keys.jwt_secret.expose())
            .env("PGRST_SERVER_HOST", "127.0.0.1")
            .env("PGRST_SERVER_PORT", port.to_string())
            .env("PGRST_LOG_LEVEL", "error");
        let log = database.folder.path().join("postgrest.log");
        Self::start("postgrest", &[Dialect::Postgrest], command, port, ("/", log)).await
    }

    async fn start(
        name: &'static str,
        dialects: &'static [Dialect],
        mut command: Command,
        port: u16,
        (ready, log): (&str, PathBuf),
    ) -> Outcome<Self> {
        let file = |error| format!("make {}: {error}", log.display());
        let output = File::create(&log).map_err(file)?;
        let errors = output.try_clone().map_err(file)?;
        let begin = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(output).stderr(errors).spawn();
        let child = child.map_err(|error| format!("start {name}: {error}"))?;
        let address = format!("127.0.0.1:{port}");
        let mut server = Self { name, dialects, address, started_in: Duration::ZERO, child };
        while begin.elapsed() < Duration::from_secs(30) {
            if server.answers(ready).await {
                server.started_in = begin.elapsed();
                return Ok(server);
            }
            if !matches!(server.child.try_wait(), Ok(None)) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        Err(format!("{name} did not become ready; it said:\n{said}"))
    }

    async fn answers(&self, path: &str) -> bool {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        let Ok(mut client) = Client::connect(&self.address).await else { return false };
        matches!(client.send(request.as_bytes()).await, Ok((200, _)))
    }

    /// CPU time so far, in microseconds.
    pub fn cpu_micros(&self) -> Outcome<u64> {
        cpu::tree_micros(self.child.id())
    }

    /// Resident memory in bytes.
    pub fn resident(&self) -> Outcome<u64> {
        cpu::resident(self.child.id())
    }

    /// Ends it as a service manager would.
    pub fn stop(mut self) -> Outcome<()> {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            kill_process(pid, Signal::TERM).map_err(|error| format!("stop {}: {error}", self.name))?;
        }
        self.child.wait().map(|_| ()).map_err(|error| format!("wait for {}: {error}", self.name))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already ended and waited for, normally; after a failure nothing may stay behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago.
fn free_port() -> Outcome<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(|error| format!("find a free port: {error}"))
}
