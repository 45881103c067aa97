//! What the caller decides. [`Options::new`] fills everything with what is right for most machines.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::account::{self, Account};
use crate::download::Download;
use crate::{binaries, space};

/// How to run the private server. Make one with [`Options::new`] and change what differs.
#[derive(Clone)]
pub struct Options {
    /// The state folder, normally `.bedplate` in the project. Made when absent; ignores itself in git.
    pub state_dir: PathBuf,
    /// Where `postgres` and `initdb` are. `None`: search.
    pub bin_dir: Option<PathBuf>,
    /// Whether, and from where, binaries may be downloaded when none are installed.
    pub download: Download,
    /// The superuser that `initdb` makes and the ready check signs in as.
    pub superuser: String,
    /// Memory of the machine in bytes, for tuning. `None`: measured (the container's limit counts).
    pub memory: Option<u64>,
    /// Cores, for tuning. `None`: measured.
    pub cpus: Option<usize>,
    /// Server settings that win over the tuned ones. Those that keep data safe or the socket private are refused.
    pub settings: BTreeMap<String, String>,
    /// Where downloaded binaries are kept (`pg-bin` below it). `None`: nothing is cached, so nothing is downloaded.
    pub cache_dir: Option<PathBuf>,
    /// A short private folder for the socket when `state_dir/run` is too long (`XDG_RUNTIME_DIR`).
    pub runtime_dir: Option<PathBuf>,
    /// The search path for binaries (`PATH`).
    pub search_path: Option<OsString>,
    /// Run as root in a folder that the database's user cannot enter (such as `/root`): a *new* data folder is made
    /// below this one and `pg` becomes a link to it. `None`: refuse and say how to open the folder.
    pub fallback_dir: Option<PathBuf>,
    /// Bytes to reserve for the day when the disk is full. 0: none.
    pub ballast: u64,
    /// How long one start may take, recovery included.
    pub startup_timeout: Duration,
    /// How long a fast shutdown may take before it becomes an immediate one.
    pub stop_timeout: Duration,
    pub restart: Restart,
    /// What the machine says. Replaced by tests only.
    #[doc(hidden)]
    pub probes: Probes,
}

/// When to start a crashed server again, and when to give up.
#[derive(Debug, Clone, Copy)]
pub struct Restart {
    /// Before the first restart; doubles with each further one.
    pub shortest: Duration,
    pub longest: Duration,
    /// So many crashes within `window` end the attempts.
    pub crashes: usize,
    pub window: Duration,
}

impl Default for Restart {
    fn default() -> Self {
        Self {
            shortest: Duration::from_millis(200),
            longest: Duration::from_secs(10),
            crashes: 5,
            window: Duration::from_mins(1),
        }
    }
}

/// Questions to the machine that a test must be able to answer differently.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Probes {
    /// The effective uid of this process.
    pub uid: fn() -> u32,
    /// A user of the machine by name.
    pub user: fn(&str) -> Option<Account>,
    /// Free bytes for an ordinary user on the file system of a path.
    pub free_space: fn(&Path) -> io::Result<u64>,
    /// Folders of installed servers.
    pub system_folders: fn(&Options) -> Vec<PathBuf>,
}

impl Default for Probes {
    fn default() -> Self {
        Self {
            uid: account::own_uid,
            user: account::find_user,
            free_space: space::free,
            system_folders: binaries::system_folders,
        }
    }
}

impl Options {
    /// The defaults, with the few facts of the environment that are the operating system's and not configuration
    /// (`PATH`, `XDG_RUNTIME_DIR`, the cache folder).
    pub fn new(state_dir: impl Into<PathBuf>) -> Self {
        let is_root = account::own_uid() == 0;
        Self {
            state_dir: state_dir.into(),
            bin_dir: None,
            download: Download::default(),
            superuser: "supabase_admin".to_owned(),
            memory: None,
            cpus: None,
            settings: BTreeMap::new(),
            cache_dir: default_cache(is_root),
            runtime_dir: std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|p| p.is_absolute()),
            search_path: std::env::var_os("PATH"),
            fallback_dir: Some(PathBuf::from("/var/lib/bedplate")),
            ballast: 256 << 20,
            startup_timeout: Duration::from_mins(10),
            stop_timeout: Duration::from_secs(10),
            restart: Restart::default(),
            probes: Probes::default(),
        }
    }
}

/// Root's own cache is closed to the user that the server runs as, so root caches for the machine.
fn default_cache(is_root: bool) -> Option<PathBuf> {
    if is_root {
        return Some(PathBuf::from("/var/cache/bedplate"));
    }
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|p| p.is_absolute());
    let base = if cfg!(target_os = "macos") {
        home.map(|h| h.join("Library/Caches"))
    } else {
        let xdg = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|p| p.is_absolute());
        xdg.or_else(|| home.map(|h| h.join(".cache")))
    };
    base.map(|b| b.join("bedplate"))
}
