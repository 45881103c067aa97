//! Finding server binaries. Client packages leave folders without a server, so both programs must be there, and the
//! server itself says which version it is.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Error, install_line};
use crate::options::Options;

/// A server version. Ordered: a pre-release is older than every release of its major.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub major: u32,
    /// `None` for a pre-release (`19beta1`).
    pub minor: Option<u32>,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.minor {
            Some(minor) => write!(f, "{}.{minor}", self.major),
            None => write!(f, "{} (pre-release)", self.major),
        }
    }
}

impl Version {
    /// Reads `15.18 (Debian 15.18-0+deb12u1)`, `18.4` or `19beta1`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let word = text.split_whitespace().next()?;
        let digits = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
        let major = word[..digits].parse().ok()?;
        let minor = word[digits..].strip_prefix('.').and_then(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            rest[..end].parse().ok()
        });
        Some(Self { major, minor })
    }
}

/// A usable set of server programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    pub dir: PathBuf,
    pub version: Version,
}

impl Binaries {
    /// Looks into one folder; the reason when there is no server in it.
    pub(crate) fn inspect(dir: &Path) -> Result<Self, String> {
        let dir = dir.canonicalize().map_err(|error| error.to_string())?;
        for program in ["postgres", "initdb"] {
            if !dir.join(program).is_file() {
                return Err(format!("it has no `{program}`"));
            }
        }
        let server = dir.join("postgres");
        let output = Command::new(&server)
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("`postgres` cannot be run: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = text.strip_prefix("postgres (PostgreSQL) ").and_then(Version::parse);
        let version = version.ok_or_else(|| {
            let said = String::from_utf8_lossy(&output.stderr);
            format!(
                "`postgres --version` did not tell a version ({})",
                said.lines().next().unwrap_or("no output")
            )
        })?;
        Ok(Self { dir, version })
    }

    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// What is there for data of `major` (`None`: new data) at `data`. `Ok(None)`: nothing suitable, so a download is
/// the next thing to ask for; `others` tells what was found instead.
pub(crate) struct Search {
    pub(crate) binaries: Option<Binaries>,
    pub(crate) others: Vec<Version>,
}

/// The binaries that the first start would use, without starting or making anything: for diagnosis. Blocks.
///
/// # Errors
/// None are on this machine, or those that were named are not usable; the text says what to install.
pub fn find_binaries(options: &Options) -> Result<Binaries, Error> {
    let found = search(options, &options.state_dir.join("pg"), None)?.binaries;
    let install = install_line(None);
    found.ok_or(Error::NotFound { major: None, download: String::new(), install })
}

/// Searches in the order of the design: the explicit folder alone, else the system, else the cache.
pub(crate) fn search(options: &Options, data: &Path, major: Option<u32>) -> Result<Search, Error> {
    if let Some(dir) = &options.bin_dir {
        let binaries = Binaries::inspect(dir).map_err(|why| Error::BinDir { dir: dir.clone(), why })?;
        return check_explicit(binaries, data, major)
            .map(|b| Search { binaries: Some(b), others: Vec::new() });
    }
    let mut others = Vec::new();
    // Each one only when those before have nothing: `pg_config` is a slow script on some systems.
    let places: [fn(&Options) -> Vec<PathBuf>; 3] =
        [options.probes.system_folders, configured_folders, cached_folders];
    for place in places {
        let found: Vec<_> = place(options).iter().filter_map(|dir| Binaries::inspect(dir).ok()).collect();
        let best = found.iter().filter(|b| is_suitable(b.version, major)).max_by_key(|b| b.version);
        if let Some(binaries) = best {
            return Ok(Search { binaries: Some(binaries.clone()), others });
        }
        others.extend(found.iter().map(|b| b.version));
    }
    others.sort_unstable();
    others.dedup();
    Ok(Search { binaries: None, others })
}

fn check_explicit(binaries: Binaries, data: &Path, major: Option<u32>) -> Result<Binaries, Error> {
    match major {
        Some(major) if major != binaries.version.major => Err(Error::OtherMajor {
            dir: data.to_path_buf(),
            data: major,
            found: vec![binaries.version],
            install: install_line(Some(major)),
        }),
        None if binaries.version.major < crate::OLDEST_MAJOR => Err(Error::BinDir {
            why: format!(
                "it is version {}, and {} is the oldest that works",
                binaries.version,
                crate::OLDEST_MAJOR
            ),
            dir: binaries.dir,
        }),
        _ => Ok(binaries),
    }
}

fn is_suitable(version: Version, major: Option<u32>) -> bool {
    match major {
        Some(major) => version.major == major,
        // Data of a pre-release cannot be opened by the release, so it is only used when named.
        None => version.major >= crate::OLDEST_MAJOR && version.minor.is_some(),
    }
}

/// Where systems put servers: Debian; the project's RPMs; SUSE and Alpine; Homebrew; Postgres.app; then `PATH`.
pub(crate) fn system_folders(options: &Options) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for (base, prefix, below) in [
        ("/usr/lib/postgresql", "", "bin"),
        ("/usr", "pgsql-", "bin"),
        ("/usr/lib", "postgresql", "bin"),
        ("/usr/libexec", "postgresql", ""),
        ("/opt/homebrew/opt", "postgresql", "bin"),
        ("/usr/local/opt", "postgresql", "bin"),
        ("/home/linuxbrew/.linuxbrew/opt", "postgresql", "bin"),
        ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
        ("/usr/local/pgsql", "bin", ""),
    ] {
        folders.extend(subfolders(Path::new(base), prefix).map(|dir| dir.join(below)));
    }
    folders.extend(path_folders(options));
    keep_servers(folders)
}

fn path_folders(options: &Options) -> Vec<PathBuf> {
    let path = options.search_path.as_deref().unwrap_or_default();
    std::env::split_paths(path).filter(|dir| dir.is_absolute()).collect()
}

/// Where `pg_config` on `PATH` says that the programs are.
fn configured_folders(options: &Options) -> Vec<PathBuf> {
    let programs =
        path_folders(options).into_iter().map(|dir| dir.join("pg_config")).filter(|file| file.is_file());
    keep_servers(programs.filter_map(|program| ask_pg_config(&program)).collect())
}

fn cached_folders(options: &Options) -> Vec<PathBuf> {
    let cached = options.cache_dir.iter().flat_map(|cache| {
        subfolders(&cache.join("pg-bin"), "")
            .filter(|dir| !is_hidden(dir))
            .map(|dir| dir.join("bin"))
            .collect::<Vec<_>>()
    });
    keep_servers(cached.collect())
}

fn is_hidden(dir: &Path) -> bool {
    dir.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn subfolders(base: &Path, prefix: &str) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(base).into_iter().flatten().flatten();
    entries.filter(move |e| e.file_name().as_encoded_bytes().starts_with(prefix.as_bytes())).map(|e| e.path())
}

/// One of each, by where links really lead: `PATH` is full of links to the one set of programs.
fn keep_servers(folders: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut real: Vec<PathBuf> = folders.iter().filter_map(|dir| real_folder(dir)).collect();
    real.sort_unstable();
    real.dedup();
    real
}

fn real_folder(dir: &Path) -> Option<PathBuf> {
    let server = dir.join("postgres").canonicalize().ok()?;
    let beside =
        server.parent().filter(|real| real.join("postgres").is_file() && real.join("initdb").is_file());
    beside.map_or_else(|| dir.canonicalize().ok(), |real| Some(real.to_path_buf()))
}

fn ask_pg_config(program: &Path) -> Option<PathBuf> {
    let output = Command::new(program).arg("--bindir").stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(text.trim())).filter(|dir| dir.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_servers_write_them_and_ordered() {
        let parsed = |text| Version::parse(text).unwrap();
        assert_eq!(parsed("15.18 (Debian 15.18-0+deb12u1)").to_string(), "15.18");
        assert_eq!(parsed("19beta1"), Version { major: 19, minor: None });
        assert!(parsed("18.4") > parsed("18rc1") && parsed("16.10") > parsed("16.9"));
        assert_eq!(Version::parse("devel"), None);
    }

    #[test]
    fn links_to_one_set_of_programs_count_once() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        let (real, links) = (base.join("lib/bin"), base.join("bin"));
        fs::create_dir_all(&real).unwrap();
        fs::create_dir_all(&links).unwrap();
        for program in ["postgres", "initdb"] {
            fs::write(real.join(program), "").unwrap();
            std::os::unix::fs::symlink(real.join(program), links.join(program)).unwrap();
        }
        let client_only = base.join("client");
        fs::create_dir_all(&client_only).unwrap();
        assert_eq!(keep_servers(vec![links, real.clone(), client_only]), [real]);
    }

    #[test]
    fn a_pre_release_or_an_old_major_is_not_chosen_for_new_data() {
        assert!(!is_suitable(Version { major: 19, minor: None }, None));
        assert!(!is_suitable(Version { major: 14, minor: Some(20) }, None));
        assert!(is_suitable(Version { major: 14, minor: Some(20) }, Some(14)));
    }
}
