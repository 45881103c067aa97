//! The shared server.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};

use crate::binaries::{Binaries, RunAs};

/// The superuser, named as in the managed cluster.
pub const SUPERUSER: &str = "supabase_admin";

/// A running PostgreSQL for tests.
#[derive(Debug, Clone)]
pub struct Server {
    root: PathBuf,
}

impl Server {
    /// The server of this checkout, started when it is not up.
    ///
    /// # Panics
    /// When it cannot be started; the message carries the server's log.
    pub fn shared() -> Self {
        let server = Self { root: shared_root() };
        fs::create_dir_all(&server.root).expect("create the test server's folder");
        let lock = File::create(server.root.join("lock")).expect("create the lock file");
        flock(&lock, FlockOperation::LockExclusive).expect("lock the test server's folder");
        if !server.is_up() {
            server.start();
        }
        server
    }

    /// Stops the shared server and removes its data; nothing happens when there is none.
    pub fn stop_shared() {
        let server = Self { root: shared_root() };
        if server.data().exists() {
            let binaries = Binaries::find();
            let _ = binaries
                .command("pg_ctl", &RunAs::detect())
                .args(["stop", "-m", "immediate", "-w", "-s", "-D"])
                .arg(server.data())
                .status();
        }
        let _ = fs::remove_dir_all(&server.root);
    }

    pub fn socket_dir(&self) -> &Path {
        &self.root
    }

    pub fn superuser(&self) -> &'static str {
        SUPERUSER
    }

    fn data(&self) -> PathBuf {
        self.root.join("pg")
    }

    fn is_up(&self) -> bool {
        UnixStream::connect(self.root.join(".s.PGSQL.5432")).is_ok()
    }

    fn start(&self) {
        let binaries = Binaries::find();
        let run_as = RunAs::detect();
        fs::set_permissions(&self.root, fs::Permissions::from_mode(0o755)).expect("open the folder");
        run_as.own(&self.root).expect("give the folder to the server's user");
        if !self.data().join("PG_VERSION").exists() || !self.data().join("ready").exists() {
            self.init(&binaries, run_as);
        }
        let log = self.root.join("log");
        let started = binaries
            .command("pg_ctl", &run_as)
            .args(["start", "-w", "-s", "-t", "60", "-D"])
            .arg(self.data())
            .arg("-l")
            .arg(&log)
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .status()
            .expect("run pg_ctl");
        let text = fs::read_to_string(&log).unwrap_or_default();
        assert!(started.success(), "the test PostgreSQL did not start:\n{text}");
    }

    fn init(&self, binaries: &Binaries, run_as: RunAs) {
        let _ = fs::remove_dir_all(self.data());
        let out = binaries
            .command("initdb", &run_as)
            .args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", "-U", SUPERUSER, "-D"])
            .arg(self.data())
            .output()
            .expect("run initdb");
        assert!(out.status.success(), "initdb failed: {}", String::from_utf8_lossy(&out.stderr));
        let mut conf = OpenOptions::new()
            .append(true)
            .open(self.data().join("postgresql.conf"))
            .expect("open postgresql.conf");
        write!(
            conf,
            "listen_addresses = ''\nunix_socket_directories = '{}'\nfsync = off\nfull_page_writes = off\n\
             synchronous_commit = off\nmax_connections = 400\nshared_buffers = 128MB\nwal_level = logical\n\
             max_wal_senders = 10\njit = off\nmax_wal_size = 2GB\nautovacuum_naptime = 1h\ntimezone = 'UTC'\n\
             log_timezone = 'UTC'\n",
            self.root.display()
        )
        .expect("write postgresql.conf");
        File::create(self.data().join("ready")).expect("mark the cluster as made");
    }
}

fn shared_root() -> PathBuf {
    let checkout = Sha256::digest(env!("CARGO_MANIFEST_DIR").as_bytes());
    let tag: String = checkout.iter().take(6).map(|b| format!("{b:02x}")).collect();
    std::env::temp_dir().join(format!("bedplate-test-{tag}"))
}
