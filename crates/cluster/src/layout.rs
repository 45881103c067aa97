//! The state folder: what is where, and making it.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::Error;

/// Absolute paths of one cluster.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) state: PathBuf,
}

impl Layout {
    /// Makes the state folder. Root's is open for passing through, since the server runs as another user.
    pub(crate) fn create(state_dir: &Path, is_root: bool) -> Result<Self, Error> {
        let mode = if is_root { 0o711 } else { 0o700 };
        if !state_dir.exists() {
            let mut builder = DirBuilder::new();
            let made = state_dir.parent().map_or(Ok(()), fs::create_dir_all);
            match made.and_then(|()| builder.mode(mode).create(state_dir)) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                    return Err(Error::io("create the folder", state_dir)(error));
                }
                _ => {}
            }
        }
        let state = state_dir.canonicalize().map_err(Error::io("open the folder", state_dir))?;
        if is_root {
            allow_passing(&state)?;
        }
        let layout = Self { state };
        layout.ignore_in_git()?;
        make_private(&layout.state.join("log"))?;
        Ok(layout)
    }

    /// Where the data folder is by default, or a link to where it was placed.
    pub(crate) fn data(&self) -> PathBuf {
        self.state.join("pg")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.state.join("pg.lock")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.state.join("run")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.state.join("log").join("postgres.log")
    }

    fn ignore_in_git(&self) -> Result<(), Error> {
        let path = self.state.join(".gitignore");
        match OpenOptions::new().write(true).create_new(true).mode(0o644).open(&path) {
            Ok(mut file) => file.write_all(b"*\n").map_err(Error::io("write", &path)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(Error::io("create", &path)(error)),
        }
    }
}

/// Adds the right to pass through (not to list) to a folder that exists already.
fn allow_passing(dir: &Path) -> Result<(), Error> {
    let mode = fs::metadata(dir).map_err(Error::io("read", dir))?.permissions().mode() & 0o7777;
    if mode & 0o011 == 0o011 {
        return Ok(());
    }
    fs::set_permissions(dir, fs::Permissions::from_mode(mode | 0o011))
        .map_err(Error::io("change the mode of", dir))
}

/// Makes a folder, and those above it that are missing, so that everybody may enter: whatever the umask says, the
/// server's user has to.
pub(crate) fn make_open(dir: &Path) -> Result<(), Error> {
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = dir.parent() {
        make_open(parent)?;
    }
    match fs::create_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
        outcome => outcome.map_err(Error::io("create the folder", dir))?,
    }
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).map_err(Error::io("change the mode of", dir))
}

/// A folder for this user alone.
pub(crate) fn make_private(dir: &Path) -> Result<(), Error> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(Error::io("create the folder", dir)(error))
        }
        _ => Ok(()),
    }
}

/// Twelve hexadecimal digits that stand for a path.
pub(crate) fn short_hash(path: &Path) -> String {
    let digest = Sha256::digest(path.as_os_str().as_encoded_bytes());
    hex(&digest[..6])
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Writes a file in a folder that another user owns: through a new file and a rename, so that a link planted under
/// either name is never followed.
pub(crate) fn replace_file(
    path: &Path,
    content: &[u8],
    give: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".bedplate-new");
    let fresh = path.with_file_name(name);
    let _ = fs::remove_file(&fresh);
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh);
    written.and_then(|mut file| file.write_all(content)).map_err(Error::io("write", &fresh))?;
    give(&fresh)?;
    fs::rename(&fresh, path).map_err(Error::io("replace", path))
}
