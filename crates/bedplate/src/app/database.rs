//! The database of a project: an external one, or the private server that Bedplate runs in the state folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bedplate_cluster::{self as cluster, Cluster, Consent};
use bedplate_core::Problem;
use bedplate_db::{Connector, Target, system};
use bedplate_settings::sections::{Download, Pooler};
use bedplate_settings::{ConnectionUrl, Loaded};

bedplate_core::codes! {
    /// The URL of the database cannot be used.
    DATABASE_URL_INVALID = "database_url_invalid", 500, Database, "The database URL cannot be used", final;
}

/// Role that owns the app's objects in the managed database, as in Supabase.
const OWNER: &str = "postgres";
/// Login that serves requests in the managed database; it may switch to the API roles and nothing else.
pub const API_LOGIN: &str = "authenticator";
const DATABASE: &str = "postgres";

/// Answers whether what is offered may be downloaded.
pub type Ask = Arc<dyn Fn(&cluster::Offer) -> bool + Send + Sync>;

/// How to open the database.
#[derive(Clone)]
pub struct Opening {
    /// Progress of the private server's start.
    pub on_event: Arc<dyn Fn(cluster::Event) + Send + Sync>,
    /// Asks whether PostgreSQL may be downloaded; without it nobody can be asked.
    pub ask: Option<Ask>,
    /// Whether a private server that another Bedplate of this project runs will do. For commands that come and go;
    /// `dev` and `serve` run their own.
    pub share: bool,
}

/// An open database: ways to connect to it, and the private server when it is ours.
pub struct Database {
    /// The superuser's way in; the managed database only.
    pub admin: Option<Connector>,
    /// Owner of the app's objects: migrations, policies, seeds.
    pub owner: Connector,
    /// Login for requests.
    pub api: Connector,
    /// The private server, when this process runs it.
    pub cluster: Option<Cluster>,
}

/// Opens the database that the settings select. Never falls from an external database to a managed one.
pub async fn open(loaded: &Loaded, opening: Opening) -> Result<Database, Problem> {
    match &loaded.settings.database.url {
        Some(url) => external(loaded, url),
        None => managed(loaded, opening).await,
    }
}

fn external(loaded: &Loaded, url: &ConnectionUrl) -> Result<Database, Problem> {
    let database = &loaded.settings.database;
    let owner = target(loaded, url, "database.url")?;
    let api = match &database.api_url {
        Some(url) => target(loaded, url, "database.api_url")?,
        None => owner.clone(),
    };
    // What the URL itself says about a pooler holds as well.
    let pooler = api.pooler || database.pooler == Pooler::Transaction;
    Ok(Database {
        admin: None,
        owner: Connector::new(owner)?,
        api: Connector::new(api.with_pooler(pooler))?,
        cluster: None,
    })
}

fn target(loaded: &Loaded, url: &ConnectionUrl, key: &str) -> Result<Target, Problem> {
    let mut target = Target::parse(url.expose()).map_err(|error| {
        Problem::new(&DATABASE_URL_INVALID)
            .internal(format!("{key}: {error}"))
            .hint(format!("correct it where it is set: {}", loaded.origin(key)))
    })?;
    // The driver's own default means that the URL does not say.
    if target.connect_timeout == Target::DEFAULT_CONNECT_TIMEOUT {
        target.connect_timeout = loaded.settings.database.connect_timeout;
    }
    Ok(target)
}

async fn managed(loaded: &Loaded, opening: Opening) -> Result<Database, Problem> {
    let share = opening.share;
    let state_dir = loaded.state_dir();
    let on_event = Arc::clone(&opening.on_event);
    match cluster::start(options(loaded, &opening), move |event| on_event(event)).await {
        Ok(cluster) => {
            let database = on_socket(cluster.socket_dir(), cluster.port(), cluster.superuser())?;
            Ok(Database { cluster: Some(cluster), ..database })
        }
        Err(error @ cluster::Error::Locked { .. }) if share => match running_socket(&state_dir) {
            Some((dir, port)) => on_socket(&dir, port, &options(loaded, &opening).superuser),
            None => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}

fn on_socket(dir: &Path, port: u16, superuser: &str) -> Result<Database, Problem> {
    let connector = |user: &str| Connector::new(Target::socket(dir, port, user, DATABASE));
    Ok(Database {
        admin: Some(connector(superuser)?),
        owner: connector(OWNER)?,
        api: connector(API_LOGIN)?,
        cluster: None,
    })
}

/// The server programs that the private database would be made with. Nothing is started. Blocks.
pub fn find_binaries(loaded: &Loaded) -> Result<cluster::Binaries, cluster::Error> {
    cluster::find_binaries(&local_options(loaded))
}

fn local_options(loaded: &Loaded) -> cluster::Options {
    let mut options = cluster::Options::new(loaded.state_dir());
    options.bin_dir = loaded.settings.database.pg_bin.as_ref().map(|dir| loaded.dir.join(dir));
    options
}

fn options(loaded: &Loaded, opening: &Opening) -> cluster::Options {
    let database = &loaded.settings.database;
    let mut options = local_options(loaded);
    options.download.consent = match (database.download, &opening.ask) {
        (Download::Yes, _) => Consent::Yes,
        (Download::Ask, Some(ask)) => Consent::Ask(Arc::clone(ask)),
        _ => Consent::Never,
    };
    let parts = (&database.download_url, &database.download_version, &database.download_sha256);
    if let (Some(url), Some(version), Some(sha256)) = parts {
        options.download.source =
            Some(cluster::Source { url: url.clone(), version: version.clone(), sha256: sha256.clone() });
    }
    options
}

/// Where the private server of another process listens, from its lock file (PostgreSQL's manual, "postmaster.pid":
/// the fourth line is the port, the fifth the socket's folder).
fn running_socket(state_dir: &Path) -> Option<(PathBuf, u16)> {
    let text = std::fs::read_to_string(state_dir.join("pg/postmaster.pid")).ok()?;
    let mut lines = text.lines().skip(3);
    let port = lines.next()?.trim().parse().ok()?;
    let dir = lines.next().map(str::trim).filter(|dir| !dir.is_empty())?;
    Some((PathBuf::from(dir), port))
}

impl Database {
    /// A connection as the owner, who must exist.
    pub async fn connect_owner(&self) -> Result<system::Client, Problem> {
        Ok(system::connect(&self.owner).await?)
    }

    /// A connection as the superuser of the managed database; `None` for an external one.
    pub async fn connect_admin(&self) -> Result<Option<system::Client>, Problem> {
        match &self.admin {
            Some(admin) => Ok(Some(system::connect(admin).await?)),
            None => Ok(None),
        }
    }

    /// The pair that migrations need: owner, and superuser where there is one. Makes the owner's role if needed.
    pub async fn connect_for_migrations(&self) -> Result<(system::Client, Option<system::Client>), Problem> {
        let mut admin = self.connect_admin().await?;
        if let Some(admin) = &mut admin {
            bedplate_migrate::system::bootstrap(admin, OWNER).await?;
        }
        Ok((self.connect_owner().await?, admin))
    }

    /// Stops the private server in order, if this process runs it.
    pub async fn close(self) {
        if let Some(cluster) = self.cluster {
            cluster.stop().await;
        }
    }
}
