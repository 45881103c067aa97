//! A workbench: a folder that the server's user can enter, and what tests ask of a cluster.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bedplate_cluster::{Cluster, Error, Event, Options};

pub struct Bench {
    pub dir: tempfile::TempDir,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Bench {
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("bp").tempdir().unwrap();
        open(dir.path());
        Self { dir, events: Arc::default() }
    }

    /// A bench whose data folder is there already, as a stopped server leaves it. Made once for all tests of a build,
    /// because initdb takes longer than most tests.
    pub async fn with_data() -> Self {
        let bench = Self::new();
        let Some(template) = crate::template::find_or_make().await else {
            bench.start().await.unwrap().stop().await;
            return bench;
        };
        fs::create_dir(bench.state()).unwrap();
        let copied =
            Command::new("cp").arg("-a").arg(template).arg(bench.state().join("pg")).status().unwrap();
        assert!(copied.success());
        bench
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn state(&self) -> PathBuf {
        self.path().join(".bedplate")
    }

    pub fn options(&self) -> Options {
        options(self.state())
    }

    pub async fn start(&self) -> Result<Cluster, Error> {
        self.start_with(self.options()).await
    }

    pub async fn start_with(&self, options: Options) -> Result<Cluster, Error> {
        self.events.lock().unwrap().clear();
        let events = Arc::clone(&self.events);
        bedplate_cluster::start(options, move |event| events.lock().unwrap().push(event)).await
    }

    /// The events since the last start began.
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    pub fn has_event(&self, wanted: impl Fn(&Event) -> bool) -> bool {
        self.events().iter().any(wanted)
    }
}

/// Options that touch nothing outside `state`.
pub fn options(state: PathBuf) -> Options {
    let mut options = Options::new(state);
    options.fallback_dir = None;
    options.cache_dir = None;
    options.ballast = 0;
    options.memory = Some(512 << 20);
    options
}

/// Lets everybody pass through a folder.
pub fn open(dir: &Path) {
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
}

pub fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == 0)
}

pub async fn connect(cluster: &Cluster) -> tokio_postgres::Client {
    try_connect(cluster).await.unwrap()
}

pub async fn try_connect(cluster: &Cluster) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    connect_at(cluster.socket_dir(), cluster.superuser()).await
}

pub async fn connect_at(
    socket_dir: &Path,
    user: &str,
) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let mut config = tokio_postgres::Config::new();
    config.host_path(socket_dir).port(5432).user(user).dbname("postgres");
    let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

pub async fn ask(client: &tokio_postgres::Client, sql: &str) -> String {
    let rows = client.simple_query(sql).await.unwrap();
    rows.iter()
        .find_map(|row| match row {
            tokio_postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
            _ => None,
        })
        .unwrap_or_default()
}

pub async fn show(client: &tokio_postgres::Client, name: &str) -> String {
    ask(client, &format!("select current_setting('{name}')")).await
}

/// The pid in `postmaster.pid`.
pub fn postmaster(data: &Path) -> Option<i32> {
    fs::read_to_string(data.join("postmaster.pid")).ok()?.lines().next()?.trim().parse().ok()
}

pub fn kill(signal: &str, pid: i32) {
    let done = Command::new("kill").args([signal, &pid.to_string()]).status().unwrap();
    assert!(done.success(), "kill {signal} {pid}");
}

/// Polls until `check` gives something; fails after 30 s.
pub async fn eventually<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(value) = check().await {
            return value;
        }
        assert!(Instant::now() < deadline, "still waiting: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
