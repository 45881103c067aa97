//! Migration files on disk: `<digits>_name.sql` and, beside it, `<digits>_name.down.sql`. The same names as Supabase's,
//! so that folders move both ways.

use crate::error::Error;
use crate::split::{SplitError, Statement, split};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use time::OffsetDateTime;
use time::macros::format_description;

/// One SQL file.
#[derive(Debug, Clone)]
pub struct Script {
    /// As errors and reports name it: relative to where the folder was given.
    pub file: String,
    pub text: String,
    /// SHA-256, hex, of the text with LF line ends and without a byte-order mark: git may change both.
    pub checksum: String,
}

/// A migration and, if it has one, the file that undoes it.
#[derive(Debug, Clone)]
pub struct Migration {
    /// The digits before the first underscore.
    pub version: String,
    pub name: String,
    pub up: Script,
    pub down: Option<Script>,
}

impl Migration {
    /// `<version>_<name>.down.sql`
    pub fn down_file_name(&self) -> String {
        format!("{}_{}.down.sql", self.version, self.name)
    }
}

/// A folder of migrations, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Folder {
    pub migrations: Vec<Migration>,
    /// Files that were left out, and why, in words.
    pub notices: Vec<String>,
}

impl Script {
    /// Reads one file.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Encoding`]
    pub fn read(path: &Path) -> Result<Self, Error> {
        let bytes = std::fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        Self::from_bytes(path.display().to_string(), bytes)
    }

    /// A script that is not on disk, for example a generated one.
    pub fn from_bytes(file: impl Into<String>, bytes: Vec<u8>) -> Result<Self, Error> {
        let file = file.into();
        let text = String::from_utf8(bytes)
            .map_err(|error| Error::Encoding { file: file.clone(), at: error.utf8_error().valid_up_to() })?;
        let text = text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_owned);
        let checksum = sha256_hex(text.replace("\r\n", "\n").as_bytes());
        Ok(Self { file, text, checksum })
    }

    pub(crate) fn statements(&self) -> Result<Vec<Statement>, SplitError> {
        split(&self.text)
    }
}

impl Folder {
    /// Reads all migrations of a folder. A folder that does not exist has none.
    ///
    /// # Errors
    /// Two files of one version, a down file alone, a file that cannot be read or is not UTF-8.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let mut folder = Self::default();
        let mut downs = Vec::new();
        for file in sql_files(path)? {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let Some((version, rest)) = parse_name(&name) else {
                folder.notices.push(format!(
                    "{name} is left out: a migration is called <timestamp>_<name>.sql, for example \
                     20261120193000_tickets.sql"
                ));
                continue;
            };
            if let Some(migration) = rest.strip_suffix(".down") {
                downs.push((version.to_owned(), migration.to_owned(), file));
                continue;
            }
            let up = Script::read(&file)?;
            folder.add(Migration { version: version.to_owned(), name: rest.to_owned(), up, down: None })?;
        }
        folder.leave_out_old_dump();
        let short = folder.migrations.iter().filter(|m| m.version.len() != 14).count();
        if short > 0 {
            folder.notices.push(format!(
                "{short} of {} files have a version without the usual 14 digits; versions are compared as text",
                folder.migrations.len()
            ));
        }
        for (version, name, file) in downs {
            let script = Script::read(&file)?;
            match folder.migrations.iter_mut().find(|m| m.version == version && m.name == name) {
                Some(migration) => migration.down = Some(script),
                None => {
                    return Err(Error::LonelyDown {
                        file: script.file,
                        expected: format!("{version}_{name}.sql"),
                    });
                }
            }
        }
        Ok(folder)
    }

    /// Supabase's tools began projects with a dump of the platform's own schemas until December 2021, and skip it since.
    fn leave_out_old_dump(&mut self) {
        let is_dump = |m: &Migration| {
            m.name == "init" && m.version.len() == 14 && m.version.as_str() < "20211209000000"
        };
        if self.migrations.first().is_some_and(is_dump) {
            let dump = self.migrations.remove(0);
            self.notices.push(format!(
                "{} is left out, as Supabase does: it is a dump of the platform itself",
                dump.up.file
            ));
        }
    }

    fn add(&mut self, migration: Migration) -> Result<(), Error> {
        if let Some(twin) = self.migrations.iter().find(|m| m.version == migration.version) {
            return Err(Error::Twins {
                version: migration.version,
                first: twin.up.file.clone(),
                second: migration.up.file,
            });
        }
        self.migrations.push(migration);
        Ok(())
    }

    /// The migration with this version.
    pub fn find(&self, version: &str) -> Option<&Migration> {
        self.migrations.iter().find(|m| m.version == version)
    }
}

/// Makes an empty migration and its down file, with a timestamp (UTC) that no other file has, and newer than all.
///
/// # Errors
/// A name without a letter or digit; a folder that cannot be written.
pub fn create(path: &Path, name: &str, now: OffsetDateTime) -> Result<(PathBuf, PathBuf), Error> {
    let slug = slug(name).ok_or_else(|| Error::Name { name: name.to_owned() })?;
    std::fs::create_dir_all(path).map_err(|source| Error::Write { path: path.to_owned(), source })?;
    let newest = sql_files(path)?
        .iter()
        .filter_map(|file| {
            parse_name(&file.file_name()?.to_string_lossy()).map(|(version, _)| version.to_owned())
        })
        .filter(|version| version.len() == 14)
        .max();
    let mut now = now.to_offset(time::UtcOffset::UTC);
    loop {
        let version = timestamp(now);
        now += time::Duration::SECOND;
        // A version of the future (a colleague's clock) would make every later file out of order: step past it.
        if newest.as_deref().is_some_and(|newest| newest >= version.as_str()) {
            if let Some(ahead) = newest.as_deref().and_then(parse_timestamp) {
                now = now.max(ahead + time::Duration::SECOND);
            }
            continue;
        }
        let up = path.join(format!("{version}_{slug}.sql"));
        let down = path.join(format!("{version}_{slug}.down.sql"));
        match write_new(&up, &format!("-- {slug}\n\n")) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => continue,
            Err(source) => return Err(Error::Write { path: up, source }),
            Ok(()) => {}
        }
        write_new(&down, &format!("-- Undoes {slug}.\n\n"))
            .map_err(|source| Error::Write { path: down.clone(), source })?;
        return Ok((up, down));
    }
}

/// SHA-256 as 64 hex digits.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The `.sql` files of a folder, by name. Other files and folders are nobody's business.
pub(crate) fn sql_files(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let unreadable = |source| Error::Read { path: path.to_owned(), source };
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let file = entry.map_err(unreadable)?.path();
        let hidden = file.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
        if !hidden && file.extension().is_some_and(|e| e == "sql") && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// `20261120193000_tickets.sql` → (`20261120193000`, `tickets`)
fn parse_name(file: &str) -> Option<(&str, &str)> {
    let (version, name) = file.strip_suffix(".sql")?.split_once('_')?;
    (!version.is_empty() && version.bytes().all(|b| b.is_ascii_digit())).then_some((version, name))
}

fn slug(name: &str) -> Option<String> {
    let slug: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    let slug = slug.split('_').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_");
    (!slug.is_empty() && slug.len() <= 100).then_some(slug)
}

fn timestamp(at: OffsetDateTime) -> String {
    let (date, time) = (at.date(), at.time());
    format!(
        "{:04}{:02}{:02}{:02}{:02}{:02}",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

fn parse_timestamp(version: &str) -> Option<OffsetDateTime> {
    let format = format_description!("[year][month][day][hour][minute][second]");
    time::PrimitiveDateTime::parse(version, &format).ok().map(time::PrimitiveDateTime::assume_utc)
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    std::fs::OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn folder_with(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        dir
    }

    #[test]
    fn files_are_found_in_order_with_their_down_files_and_strangers_are_noticed() {
        let dir = folder_with(&[
            ("20260102000000_b.sql", "select 2"),
            ("20260101000000_a.sql", "select 1"),
            ("20260101000000_a.down.sql", "select -1"),
            ("notes.sql", ""),
            ("README.md", ""),
            (".#20260101000000_a.sql", ""),
        ]);
        let folder = Folder::read(dir.path()).unwrap();
        let found: Vec<_> = folder.migrations.iter().map(|m| (m.name.as_str(), m.down.is_some())).collect();
        assert_eq!(found, [("a", true), ("b", false)]);
        assert_eq!(folder.notices.len(), 1);
        assert!(folder.notices[0].contains("notes.sql"));
        assert!(Folder::read(&dir.path().join("absent")).unwrap().migrations.is_empty());
    }

    #[test]
    fn the_dump_that_old_projects_begin_with_is_left_out() {
        let dir = folder_with(&[("20210101000000_init.sql", "x"), ("20220101000000_init.sql", "y")]);
        let folder = Folder::read(dir.path()).unwrap();
        assert_eq!(folder.migrations.len(), 1);
        assert_eq!(folder.migrations[0].version, "20220101000000");
        assert!(folder.notices[0].contains("20210101000000_init.sql"));
    }

    #[test]
    fn twins_lonely_downs_and_binary_files_are_refused() {
        let twins = folder_with(&[("20260101000000_a.sql", ""), ("20260101000000_b.sql", "")]);
        assert!(matches!(Folder::read(twins.path()), Err(Error::Twins { .. })));
        let lonely = folder_with(&[("20260101000000_a.down.sql", "")]);
        assert!(matches!(Folder::read(lonely.path()), Err(Error::LonelyDown { .. })));
        let binary = tempfile::tempdir().unwrap();
        std::fs::write(binary.path().join("20260101000000_a.sql"), [b'a', 0xff]).unwrap();
        assert!(matches!(Folder::read(binary.path()), Err(Error::Encoding { at: 1, .. })));
    }

    #[test]
    fn line_ends_and_a_byte_order_mark_do_not_change_a_checksum() {
        let sum = |text: &str| Script::from_bytes("f", text.as_bytes().to_vec()).unwrap().checksum;
        assert_eq!(sum("a\nb\n"), sum("\u{feff}a\r\nb\r\n"));
        assert_ne!(sum("a\nb\n"), sum("a\nb"));
    }

    #[test]
    fn new_files_never_collide_and_are_the_newest() {
        let dir = tempfile::tempdir().unwrap();
        let now = datetime!(2026-11-20 19:30:00 UTC);
        let mut versions = Vec::new();
        for _ in 0..3 {
            let (up, down) = create(dir.path(), "Add  the Tickets!", now).unwrap();
            assert!(up.exists() && down.exists());
            versions.push(up.file_name().unwrap().to_string_lossy().into_owned());
        }
        assert_eq!(
            versions,
            [
                "20261120193000_add_the_tickets.sql",
                "20261120193001_add_the_tickets.sql",
                "20261120193002_add_the_tickets.sql"
            ]
        );
        std::fs::write(dir.path().join("20270101000000_future.sql"), "").unwrap();
        let (up, _) = create(dir.path(), "late", now).unwrap();
        assert!(up.ends_with("20270101000001_late.sql"), "{}", up.display());
        assert!(matches!(create(dir.path(), "!!", now), Err(Error::Name { .. })));
    }
}
