//! A private PostgreSQL as `bedplate dev` runs it: managed settings, fsync and synchronous_commit on, a unix socket.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use bedplate_cluster::{Cluster, Options};
use tempfile::TempDir;
use tokio_postgres::{Client, Config, NoTls};

use crate::{Outcome, cpu};

/// The login that requests and pgbench come by.
pub const LOGIN: &str = "authenticator";

pub struct Database {
    /// Removed when dropped, after the server.
    pub folder: TempDir,
    cluster: Cluster,
    postmaster: u32,
}

impl Database {
    /// Makes and starts the server in a temporary folder.
    pub async fn start() -> Outcome<Self> {
        let folder =
            TempDir::with_prefix("bedplate-bench-").map_err(|error| format!("make a folder: {error}"))?;
        // PostgreSQL refuses to run as root, and its user must be able to enter.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))
            .map_err(|error| format!("open {}: {error}", folder.path().display()))?;
        let mut options = Options { ballast: 0, ..Options::new(folder.path().join("state")) };
        // pgbench with 64 clients, Bedplate's pools and ourselves, all at once.
        options.settings.insert("max_connections".to_owned(), "200".to_owned());
        let cluster =
            bedplate_cluster::start(options, |_| {}).await.map_err(|error| format!("PostgreSQL: {error}"))?;
        let pid_file = cluster.data_dir().join("postmaster.pid");
        let text =
            std::fs::read_to_string(&pid_file).map_err(|error| format!("{}: {error}", pid_file.display()))?;
        let postmaster = text.lines().next().and_then(|line| line.trim().parse().ok());
        let postmaster = postmaster.ok_or_else(|| format!("{} has no process id", pid_file.display()))?;
        Ok(Self { folder, cluster, postmaster })
    }

    pub async fn stop(self) {
        self.cluster.stop().await;
    }

    pub fn version(&self) -> String {
        self.cluster.version().to_string()
    }

    pub fn socket_dir(&self) -> &Path {
        self.cluster.socket_dir()
    }

    pub fn port(&self) -> u16 {
        self.cluster.port()
    }

    pub fn superuser(&self) -> &str {
        self.cluster.superuser()
    }

    /// For programs: a URL with the socket's folder in the query.
    pub fn url(&self, user: &str) -> String {
        let folder = self.socket_dir().to_string_lossy().replace('%', "%25").replace('/', "%2F");
        format!("postgresql://{user}@/postgres?host={folder}&port={}", self.port())
    }

    /// CPU time of the whole server so far, in microseconds.
    pub fn cpu_micros(&self) -> Outcome<u64> {
        cpu::tree_micros(self.postmaster)
    }

    /// A project with the schema as its only migration, applied by Bedplate itself; then the rows.
    pub async fn fill(&self, bedplate: &Path) -> Outcome<PathBuf> {
        let project = self.folder.path().join("project");
        let migrations = project.join("migrations");
        let write = |path: &Path, text: &str| {
            std::fs::write(path, text).map_err(|error| format!("write {}: {error}", path.display()))
        };
        std::fs::create_dir_all(&migrations)
            .map_err(|error| format!("make {}: {error}", migrations.display()))?;
        write(&project.join("bedplate.toml"), "[project]\nname = \"bench\"\n")?;
        write(&migrations.join("20260101000000_bench.sql"), include_str!("../sql/schema.sql"))?;
        let output = Command::new(bedplate)
            .args(["--text", "migrate", "up"])
            .current_dir(&project)
            .env("DATABASE_URL", self.url(self.superuser()))
            .output()
            .map_err(|error| format!("run {}: {error}", bedplate.display()))?;
        if !output.status.success() {
            let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
            return Err(format!("bedplate migrate up failed:\n{}", text.concat()));
        }
        let client = self.connect().await?;
        let run = client.batch_execute(include_str!("../sql/data.sql")).await;
        run.map_err(|error| format!("fill the tables: {error:?}"))?;
        // The dead rows and dirty pages of loading are nobody's measured time.
        let settle = client.batch_execute("vacuum (freeze, analyze) public.users").await;
        settle.map_err(|error| format!("vacuum: {error:?}"))?;
        let settle = client.batch_execute("vacuum (freeze, analyze) public.posts").await;
        settle.map_err(|error| format!("vacuum: {error:?}"))?;
        self.checkpoint(&client).await?;
        Ok(project)
    }

    /// Writes out what earlier cells left, so that it does not fall into the next one.
    pub async fn checkpoint(&self, client: &Client) -> Outcome<()> {
        client.batch_execute("checkpoint").await.map_err(|error| format!("checkpoint: {error:?}"))
    }

    /// As the superuser.
    pub async fn connect(&self) -> Outcome<Client> {
        let mut config = Config::new();
        config.host_path(self.socket_dir()).port(self.port()).user(self.superuser()).dbname("postgres");
        let (client, connection) =
            config.connect(NoTls).await.map_err(|error| format!("connect: {error:?}"))?;
        tokio::spawn(connection);
        Ok(client)
    }
}
