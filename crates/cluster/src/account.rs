//! Who the server runs as. PostgreSQL refuses root, so root gives it another user id; everybody else keeps their own.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::options::Probes;

/// A user of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub uid: u32,
    pub gid: u32,
    /// Empty when only the number is known (the owner of an existing data folder).
    pub name: String,
}

impl Account {
    pub(crate) fn label(&self) -> String {
        if self.name.is_empty() { self.uid.to_string() } else { self.name.clone() }
    }
}

/// The user of the server's processes and files.
#[derive(Debug, Clone)]
pub(crate) struct RunAs {
    /// This process's own effective uid.
    own: u32,
    /// Set when the server runs as somebody else.
    other: Option<Account>,
}

impl RunAs {
    /// Decides who the server runs as. `owner` is the owner of an existing data folder at `data`.
    pub(crate) fn choose(probes: &Probes, data: &Path, owner: Option<(u32, u32)>) -> Result<Self, Error> {
        let own = (probes.uid)();
        if own != 0 {
            return match owner {
                Some((uid, _)) if uid != own => {
                    Err(Error::NotOwner { path: data.to_path_buf(), owner: uid, own })
                }
                _ => Ok(Self { own, other: None }),
            };
        }
        let other = match owner {
            Some((uid, gid)) if uid != 0 => Some(Account { uid, gid, name: String::new() }),
            _ => ["postgres", "bedplate"]
                .into_iter()
                .find_map(|name| (probes.user)(name).filter(|a| a.uid != 0)),
        };
        other.map(|account| Self { own, other: Some(account) }).ok_or(Error::RootWithoutUser)
    }

    pub(crate) fn other(&self) -> Option<&Account> {
        self.other.as_ref()
    }

    /// The uid of the server's processes.
    pub(crate) fn uid(&self) -> u32 {
        self.other.as_ref().map_or(self.own, |account| account.uid)
    }

    /// Makes `command` run as the server's user. Supplementary groups are dropped with it.
    pub(crate) fn apply(&self, command: &mut Command) {
        if let Some(account) = &self.other {
            command.uid(account.uid).gid(account.gid);
        }
    }

    /// Gives `path` itself (never what a link points to) to the server's user.
    pub(crate) fn give(&self, path: &Path) -> Result<(), Error> {
        match &self.other {
            Some(account) => std::os::unix::fs::lchown(path, Some(account.uid), Some(account.gid))
                .map_err(Error::io("change the owner of", path)),
            None => Ok(()),
        }
    }

    /// The first folder on the way to `path` that the server's user cannot pass through.
    ///
    /// Looks at mode bits only: an access list may allow more, never less.
    pub(crate) fn find_closed_folder(&self, path: &Path) -> Option<PathBuf> {
        let account = self.other.as_ref()?;
        let mut folders: Vec<_> = path.ancestors().collect();
        folders.reverse();
        let closed = folders
            .into_iter()
            .find(|folder| fs::metadata(folder).is_ok_and(|meta| !may_pass(&meta, account)));
        closed.map(Path::to_path_buf)
    }
}

fn may_pass(meta: &fs::Metadata, account: &Account) -> bool {
    let bit = match meta {
        m if m.uid() == account.uid => 0o100,
        m if m.gid() == account.gid => 0o010,
        _ => 0o001,
    };
    meta.mode() & bit != 0
}

pub(crate) fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// A user by name: from the local file, else by asking `id`, which knows directories (LDAP, macOS) as well.
pub(crate) fn find_user(name: &str) -> Option<Account> {
    let file = fs::read_to_string("/etc/passwd").unwrap_or_default();
    find_in_passwd(&file, name).or_else(|| {
        let uid = ask_id("-u", name)?;
        let gid = ask_id("-g", name)?;
        Some(Account { uid, gid, name: name.to_owned() })
    })
}

fn find_in_passwd(file: &str, name: &str) -> Option<Account> {
    file.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then_some(())?;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Account { uid, gid, name: name.to_owned() })
    })
}

fn ask_id(flag: &str, name: &str) -> Option<u32> {
    let output = Command::new("id").args([flag, name]).output().ok().filter(|o| o.status.success())?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> Probes {
        Probes { uid: || 0, user: |_| None, ..Probes::default() }
    }

    #[test]
    fn root_runs_the_server_as_the_owner_of_existing_data_then_as_a_known_user() {
        let data = Path::new("/data");
        let owned = RunAs::choose(&root(), data, Some((77, 78))).unwrap();
        assert_eq!(owned.uid(), 77);
        let known =
            |name: &str| (name == "bedplate").then(|| Account { uid: 5, gid: 6, name: name.to_owned() });
        assert_eq!(RunAs::choose(&Probes { user: known, ..root() }, data, None).unwrap().uid(), 5);
        assert!(matches!(RunAs::choose(&root(), data, None), Err(Error::RootWithoutUser)));
    }

    #[test]
    fn others_keep_their_uid_and_need_to_own_the_data() {
        let probes = Probes { uid: || 1000, ..root() };
        assert_eq!(RunAs::choose(&probes, Path::new("/data"), Some((1000, 1))).unwrap().uid(), 1000);
        let refused = RunAs::choose(&probes, Path::new("/data"), Some((33, 33)));
        assert!(matches!(refused, Err(Error::NotOwner { owner: 33, own: 1000, .. })));
    }

    #[test]
    fn a_user_is_read_from_the_passwd_file_by_its_whole_name() {
        let file =
            "postgres2:x:1:2::/:/bin/sh\npostgres:x:101:104:PostgreSQL,,,:/var/lib/postgresql:/bin/bash\n";
        let account = find_in_passwd(file, "postgres").unwrap();
        assert_eq!((account.uid, account.gid), (101, 104));
        assert_eq!(find_in_passwd(file, "post"), None);
    }
}
