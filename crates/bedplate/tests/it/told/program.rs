//! A running `bedplate serve` on the helpdesk whose log is kept.

use std::process::Stdio;

use bedplate_testkit::Database;
use tokio::process::{Child, Command};

use crate::api::server::{Answer, database, helpdesk, keys, ready, send};

pub struct Program {
    pub db: Database,
    pub address: String,
    pub admin: String,
    child: Child,
    dir: tempfile::TempDir,
}

impl Program {
    /// `settings` are environment variables; `sql` runs as the owner before the start.
    pub async fn start(settings: &[(&str, &str)], sql: &str) -> Self {
        let db = database().await;
        if !sql.is_empty() {
            db.connect("postgres").await.batch_execute(sql).await.unwrap();
        }
        let dir = tempfile::tempdir().unwrap();
        std::fs::copy(helpdesk().join("bedplate.toml"), dir.path().join("bedplate.toml")).unwrap();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_bedplate"))
            .args(["serve", "--json", "--set", "server.port=0", "--set", "server.admin_port=0"])
            .args(["--set", "server.pre_drain=0s"])
            .env("DATABASE_URL", db.url("postgres"))
            .envs(keys())
            .env("BEDPLATE_DATABASE__API_URL", db.url("authenticator"))
            .envs(settings.iter().copied())
            .current_dir(dir.path())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        // Without a pipe for its errors a failed start is told by the log.
        let started =
            tokio::time::timeout(std::time::Duration::from_secs(40), ready_or_log(&mut child, &dir)).await;
        let (address, admin) = started.unwrap();
        Self { db, address, admin, child, dir }
    }

    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        send(&self.address, method, path, headers, body).await
    }

    pub fn folder(&self) -> &std::path::Path {
        self.dir.path()
    }

    pub async fn metrics(&self) -> String {
        String::from_utf8(send(&self.admin, "GET", "/metrics", &[], b"").await.body).unwrap()
    }

    /// Ends it in order, and gives its log.
    pub async fn stop(mut self) -> String {
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
        let ended = tokio::time::timeout(std::time::Duration::from_secs(30), self.child.wait()).await;
        assert!(ended.unwrap().unwrap().success());
        std::fs::read_to_string(self.dir.path().join("log")).unwrap()
    }
}

async fn ready_or_log(child: &mut Child, dir: &tempfile::TempDir) -> (String, String) {
    tokio::select! {
        ready = ready(child) => ready,
        () = failed(dir) => unreachable!(),
    }
}

/// Ends with the log in a panic when there is an error in it before the server is ready.
async fn failed(dir: &tempfile::TempDir) {
    loop {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        let log = std::fs::read_to_string(dir.path().join("log")).unwrap_or_default();
        assert!(!log.contains("\"error\":{"), "{log}");
    }
}
