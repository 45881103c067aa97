//! The data folder: what is in it before a start, and where a new one goes.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::account::RunAs;
use crate::error::Error;
use crate::event::{Event, Events};
use crate::layout::{Layout, make_open, short_hash};

/// What was found under `pg`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    Data { dir: PathBuf, major: u32, owner: (u32, u32) },
}

/// Looks at the data folder without changing it. An empty folder counts as nothing and is removed.
pub(crate) fn inspect(layout: &Layout) -> Result<Found, Error> {
    let path = layout.data();
    let Some(dir) = resolve(&path)? else { return Ok(Found::Nothing) };
    let meta = fs::metadata(&dir).map_err(Error::io("read", &dir))?;
    let half_made = |why: &str| Error::HalfMade { dir: dir.clone(), why: why.to_owned() };
    if !meta.is_dir() {
        return Err(half_made("it is not a folder"));
    }
    let entries = fs::read_dir(&dir).map_err(|error| not_ours(&dir, &meta, error))?;
    if entries.count() == 0 && dir == path {
        fs::remove_dir(&dir).map_err(Error::io("remove the empty folder", &dir))?;
        return Ok(Found::Nothing);
    }
    let text = match fs::read_to_string(dir.join("PG_VERSION")) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(half_made("it has no file PG_VERSION"));
        }
        Err(error) => return Err(not_ours(&dir, &meta, error)),
    };
    let major = text.trim().parse().map_err(|_| half_made("its file PG_VERSION holds no version"))?;
    if !dir.join("global").join("pg_control").exists() {
        return Err(half_made("it has no file global/pg_control"));
    }
    Ok(Found::Data { dir, major, owner: (meta.uid(), meta.gid()) })
}

fn not_ours(dir: &Path, meta: &fs::Metadata, error: io::Error) -> Error {
    let own = rustix::process::geteuid().as_raw();
    if error.kind() == io::ErrorKind::PermissionDenied && own != 0 && meta.uid() != own {
        return Error::NotOwner { path: dir.to_path_buf(), owner: meta.uid(), own };
    }
    Error::io("read", dir)(error)
}

/// Where `pg` really is: itself, or what it links to.
fn resolve(path: &Path) -> Result<Option<PathBuf>, Error> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", path)(error)),
        Ok(meta) if meta.is_symlink() => match path.canonicalize() {
            Ok(dir) => Ok(Some(dir)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let target = fs::read_link(path).unwrap_or_default();
                Err(Error::DanglingLink { link: path.to_path_buf(), target })
            }
            Err(error) => Err(Error::io("follow the link", path)(error)),
        },
        Ok(_) => Ok(Some(path.to_path_buf())),
    }
}

/// Where a new data folder goes: into the state folder, or (for root, when the server's user cannot enter that) below
/// `fallback`.
pub(crate) fn place_new(
    layout: &Layout,
    run_as: &RunAs,
    fallback: Option<&Path>,
    events: &Events,
) -> Result<PathBuf, Error> {
    let Some(folder) = run_as.find_closed_folder(&layout.state) else { return Ok(layout.data()) };
    let user = run_as.other().map(|account| account.label()).unwrap_or_default();
    let Some(base) = fallback else { return Err(Error::Unreachable { folder, user }) };
    make_open(base)?;
    if let Some(folder) = run_as.find_closed_folder(base) {
        return Err(Error::Unreachable { folder, user });
    }
    let dir = base.join(new_name(layout));
    make_open(&dir)?;
    let dir = dir.canonicalize().map_err(Error::io("open the folder", &dir))?.join("pg");
    let because = format!("user {user}, who runs the server, cannot enter {}", folder.display());
    events.send(Event::Placed { dir: dir.clone(), because });
    Ok(dir)
}

/// Removes the empty folder that was made for data which then could not be made.
pub(crate) fn forget_place(layout: &Layout, dir: &Path) {
    if let Some(place) = dir.parent().filter(|place| *place != layout.state) {
        let _ = fs::remove_dir(place);
    }
}

/// A name that never meets the data of an earlier project in the same place: that may be somebody's only copy.
fn new_name(layout: &Layout) -> String {
    let project =
        layout.state.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
    let project: String =
        project.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).take(40).collect();
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("{project}-{}-{seconds:x}", short_hash(&layout.state))
}

/// Links `pg` to a data folder that was placed elsewhere.
pub(crate) fn link(layout: &Layout, dir: &Path) -> Result<(), Error> {
    let path = layout.data();
    if dir == path {
        return Ok(());
    }
    std::os::unix::fs::symlink(dir, &path).map_err(Error::io("create the link", &path))
}

/// PostgreSQL insists on mode 0700 or 0750; a copied folder often has another.
pub(crate) fn close(dir: &Path) -> Result<(), Error> {
    let mode = fs::metadata(dir).map_err(Error::io("read", dir))?.permissions().mode() & 0o777;
    if mode == 0o700 || mode == 0o750 {
        return Ok(());
    }
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(Error::io("change the mode of", dir))
}
