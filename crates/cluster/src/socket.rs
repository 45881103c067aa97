//! The folder of the unix socket: private, owned by the server's user, and short enough. A socket's whole path must
//! fit in 104 bytes (`sockaddr_un` on macOS and the BSDs; 108 on Linux).

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::account::RunAs;
use crate::error::Error;
use crate::layout::{Layout, short_hash};
use crate::options::Options;

/// The number in the socket's name; no TCP port is opened.
pub(crate) const PORT: u16 = 5432;
const LONGEST: usize = 100;

/// The folder for the socket, made and private.
pub(crate) fn choose(options: &Options, layout: &Layout, run_as: &RunAs) -> Result<PathBuf, Error> {
    let usual = layout.socket();
    if is_short(&usual) && run_as.find_closed_folder(&layout.state).is_none() {
        make(&usual, run_as)?;
        return Ok(usual);
    }
    let mut tried = vec![usual.display().to_string()];
    for dir in fallbacks(options, layout, run_as) {
        tried.push(dir.display().to_string());
        let is_open = dir.parent().is_some_and(|parent| run_as.find_closed_folder(parent).is_none());
        if is_short(&dir) && is_open && make(&dir, run_as).is_ok() {
            return Ok(dir);
        }
    }
    Err(Error::PathTooLong { tried: tried.join(", ") })
}

fn fallbacks(options: &Options, layout: &Layout, run_as: &RunAs) -> Vec<PathBuf> {
    let name = format!("bedplate-{}", short_hash(&layout.state));
    let mut dirs = Vec::new();
    match run_as.other() {
        Some(_) => dirs.push(Path::new("/run").join(&name)),
        None => dirs.extend(options.runtime_dir.iter().map(|base| base.join(&name))),
    }
    // Everybody may write here, so the name carries the user: two users never meet in one folder.
    let name = format!("{name}-{}", run_as.uid());
    dirs.extend([std::env::temp_dir().join(&name), Path::new("/tmp").join(&name)]);
    dirs
}

fn is_short(dir: &Path) -> bool {
    file(dir).as_os_str().as_bytes().len() <= LONGEST
}

/// The socket itself.
pub(crate) fn file(dir: &Path) -> PathBuf {
    dir.join(format!(".s.PGSQL.{PORT}"))
}

/// Makes the folder with mode 0700. One that is there must be a real folder of the same user: in a shared place
/// somebody else may have put a link or a folder of their own under this name.
fn make(dir: &Path, run_as: &RunAs) -> Result<(), Error> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => return run_as.give(dir),
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(Error::io("create the folder", dir)(error));
        }
        Err(_) => {}
    }
    let meta = fs::symlink_metadata(dir).map_err(Error::io("read", dir))?;
    let own = rustix::process::geteuid().as_raw();
    if !meta.is_dir() || (meta.uid() != run_as.uid() && meta.uid() != own) {
        return Err(Error::NotOwner { path: dir.to_path_buf(), owner: meta.uid(), own });
    }
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
        .map_err(Error::io("change the mode of", dir))?;
    run_as.give(dir)
}

/// Removes what a killed server left. Only called when no server runs: PostgreSQL would refuse to start when the pid
/// in the lock file has been given to another process meanwhile.
pub(crate) fn remove_stale(dir: &Path) {
    for path in [file(dir), dir.join(format!(".s.PGSQL.{PORT}.lock"))] {
        let _ = fs::remove_file(path);
    }
}

/// Folders outside the state folder are removed when the server has stopped.
pub(crate) fn clean_up(dir: &Path, layout: &Layout) {
    if !dir.starts_with(&layout.state) {
        remove_stale(dir);
        let _ = fs::remove_dir(dir);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Probes;

    fn run_as_self() -> RunAs {
        let probes = Probes { uid: || 4_000_000, ..Probes::default() };
        RunAs::choose(&probes, Path::new("/"), None).unwrap()
    }

    #[test]
    fn a_link_or_a_file_under_the_name_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path(), &link).unwrap();
        assert!(matches!(make(&link, &run_as_self()), Err(Error::NotOwner { .. })));
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(make(&file, &run_as_self()), Err(Error::NotOwner { .. })));
    }

    #[test]
    fn a_folder_that_is_too_open_is_closed() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        DirBuilder::new().mode(0o777).create(&run).unwrap();
        make(&run, &run_as_self()).unwrap();
        assert_eq!(fs::metadata(&run).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
