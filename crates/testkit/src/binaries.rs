//! Where the server's programs are, and as whom to run them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder with `initdb`, `postgres` and `pg_ctl`.
#[derive(Debug, Clone)]
pub struct Binaries {
    pub dir: PathBuf,
    pub major: u32,
}

impl Binaries {
    /// `BEDPLATE_TEST_PG_BIN`, else the newest of Debian's folders, else `pg_config --bindir`.
    ///
    /// # Panics
    /// When there is none: tests cannot run, and the message says what to install.
    #[allow(clippy::disallowed_methods, reason = "a test fixture; the product reads its settings elsewhere")]
    pub fn find() -> Self {
        if let Ok(dir) = std::env::var("BEDPLATE_TEST_PG_BIN") {
            return Self::at(Path::new(&dir)).expect("BEDPLATE_TEST_PG_BIN holds no initdb and postgres");
        }
        let mut found: Vec<Self> = std::fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|version| Self::at(&version.path().join("bin")))
            .collect();
        found.sort_by_key(|b| b.major);
        found.pop().or_else(Self::from_pg_config).expect(
            "no PostgreSQL server programs found: run `make test`, which installs them, or `apt-get install postgresql`",
        )
    }

    fn from_pg_config() -> Option<Self> {
        let out = Command::new("pg_config").arg("--bindir").output().ok()?;
        Self::at(Path::new(String::from_utf8(out.stdout).ok()?.trim()))
    }

    fn at(dir: &Path) -> Option<Self> {
        let out = Command::new(dir.join("postgres")).arg("--version").output().ok()?;
        let text = String::from_utf8(out.stdout).ok()?;
        let major = text.split_whitespace().nth(2)?.split('.').next()?.parse().ok()?;
        dir.join("initdb").exists().then(|| Self { dir: dir.to_owned(), major })
    }

    pub fn command(&self, program: &str, run_as: &RunAs) -> Command {
        let mut command = Command::new(self.dir.join(program));
        // The caller's folder may be closed to the user that the server runs as.
        command.current_dir("/");
        run_as.apply(&mut command);
        command
    }
}

/// PostgreSQL refuses to run as root, so root runs it as the user `postgres`.
#[derive(Debug, Clone, Copy)]
pub struct RunAs(Option<(u32, u32)>);

impl RunAs {
    pub fn detect() -> Self {
        if !rustix::process::geteuid().is_root() {
            return Self(None);
        }
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let ids = passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next() == Some("postgres"))
                .then(|| Some((fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?)))
                .flatten()
        });
        Self(Some(
            ids.expect("running as root needs a user `postgres` (Debian's postgresql package makes it)"),
        ))
    }

    pub fn apply(self, command: &mut Command) {
        use std::os::unix::process::CommandExt;
        if let Some((uid, gid)) = self.0 {
            command.uid(uid).gid(gid);
        }
    }

    /// Gives a folder to the user that the server runs as.
    pub fn own(self, path: &Path) -> std::io::Result<()> {
        match self.0 {
            Some((uid, gid)) => std::os::unix::fs::chown(path, Some(uid), Some(gid)),
            None => Ok(()),
        }
    }
}
