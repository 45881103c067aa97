//! Finding and copying files.

use std::fs;
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use super::super::Failure;
use super::{Left, Source};

/// Parts of a `supabase/` folder that stay where they are, and why.
const FOLDERS: &[(&str, &str)] = &[
    ("functions", "Edge functions are not run; they are left in place"),
    ("schemas", "the schema comes from the migrations; declared schemas are for making those"),
    ("tests", "pgTAP tests are not run by Bedplate; `supabase test db` runs them"),
    ("templates", "there is no sign-in server that would send e-mail"),
];

/// The names of the `.sql` files of a folder, sorted; none when there is no folder.
pub fn sql_names(dir: &Path) -> Result<Vec<String>, Failure> {
    let mut names = names(dir)?;
    names.retain(|name| {
        !name.starts_with('.')
            && Path::new(name).extension().is_some_and(|e| e == "sql")
            && dir.join(name).is_file()
    });
    Ok(names)
}

fn names(dir: &Path) -> Result<Vec<String>, Failure> {
    let failed = |error: &std::io::Error| Failure::file("look into", dir, error);
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error)
            if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(failed(&error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.map_err(|error| failed(&error))?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Byte for byte.
pub fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    let folder = to.parent().unwrap_or(to);
    fs::create_dir_all(folder).map_err(|error| Failure::file("make", folder, &error))?;
    let bytes = fs::read(from).map_err(|error| Failure::file("read", from, &error))?;
    fs::write(to, bytes).map_err(|error| Failure::file("write", to, &error))
}

/// The seed files: where they are, and their paths in the new project.
#[derive(Debug, Default)]
pub struct Seeds {
    pub files: Vec<(PathBuf, String)>,
}

impl Seeds {
    /// By `[db.seed]`: `sql_paths` with `*`, `?` and `[…]`, relative to the folder; `seed.sql` when it does not say.
    pub fn find(source: &Source, left: &mut Vec<Left>) -> Result<Self, Failure> {
        let setting = |key: &str| source.config.iter().find(|(path, _)| path == key).map(|(_, value)| value);
        let disabled = setting("db.seed.enabled") == Some(&Value::Bool(false));
        let usual = Value::Array(vec!["./seed.sql".into()]);
        let paths = setting("db.seed.sql_paths");
        let mut seeds = Self::default();
        for pattern in paths.unwrap_or(&usual).as_array().into_iter().flatten().filter_map(Value::as_str) {
            let found = matches(&source.dir, pattern)?;
            let missing = found.is_empty() && (paths.is_some() || source.dir.join("seed.sql").exists());
            if missing && pattern.trim_start_matches("./") != "seed.sql" {
                left.push(Left::file(pattern, "no such seed file"));
            }
            for path in found {
                if disabled {
                    left.push(Left::file(
                        pattern,
                        "seeding is switched off there ([db.seed] enabled = false)",
                    ));
                } else {
                    seeds.add(&source.dir, path);
                }
            }
        }
        Ok(seeds)
    }

    /// Once each; what stands outside the folder comes into `seeds/`.
    fn add(&mut self, dir: &Path, path: PathBuf) {
        if self.files.iter().any(|(known, _)| *known == path) {
            return;
        }
        let inside = path
            .strip_prefix(dir)
            .ok()
            .filter(|rest| rest.components().all(|part| matches!(part, Component::Normal(_))));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let wanted =
            inside.map_or_else(|| format!("seeds/{name}"), |rest| rest.to_string_lossy().into_owned());
        let mut to = wanted.clone();
        let mut number = 2;
        while self.files.iter().any(|(_, taken)| *taken == to) {
            to = format!("{}_{number}.sql", wanted.trim_end_matches(".sql"));
            number += 1;
        }
        self.files.push((path, to));
    }
}

/// Files that a pattern finds, sorted.
fn matches(dir: &Path, pattern: &str) -> Result<Vec<PathBuf>, Failure> {
    let mut found = vec![if pattern.starts_with('/') { PathBuf::from("/") } else { dir.to_owned() }];
    for part in pattern.split('/').filter(|part| !part.is_empty() && *part != ".") {
        let mut next = Vec::new();
        for folder in &found {
            if !part.contains(['*', '?', '[']) {
                next.push(folder.join(part));
                continue;
            }
            let fits = names(folder)?.into_iter().filter(|name| fits(part.as_bytes(), name.as_bytes()));
            next.extend(fits.map(|name| folder.join(name)));
        }
        found = next;
    }
    found.retain(|path| path.is_file());
    Ok(found)
}

/// Whether a name fits a pattern with `*`, `?` and `[a-z]`.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=name.len()).any(|skipped| fits(rest, &name[skipped..])),
        ([b'?', rest @ ..], [_, others @ ..]) => fits(rest, others),
        ([b'[', set @ ..], [first, others @ ..]) => match set.iter().position(|b| *b == b']') {
            Some(end) => in_set(&set[..end], *first) && fits(&set[end + 1..], others),
            None => false,
        },
        ([one, rest @ ..], [other, others @ ..]) => one == other && fits(rest, others),
        _ => false,
    }
}

fn in_set(set: &[u8], found: u8) -> bool {
    let (negated, set) = set.strip_prefix(b"^").map_or((false, set), |rest| (true, rest));
    let mut at = 0;
    let mut inside = false;
    while at < set.len() {
        if set.get(at + 1) == Some(&b'-') && at + 2 < set.len() {
            inside |= (set[at]..=set[at + 2]).contains(&found);
            at += 3;
        } else {
            inside |= set[at] == found;
            at += 1;
        }
    }
    inside != negated
}

/// Tells of the folders that are not copied.
pub fn note_folders(dir: &Path, left: &mut Vec<Left>) -> Result<(), Failure> {
    for (folder, why) in FOLDERS {
        if !names(&dir.join(folder))?.is_empty() {
            left.push(Left::file(&format!("{folder}/"), why));
        }
    }
    Ok(())
}

impl Left {
    pub fn file(what: &str, why: &str) -> Self {
        Self { what: what.to_owned(), why: why.to_owned(), values: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_in_a_shell() {
        for (pattern, name, wanted) in [
            ("*.sql", "a.sql", true),
            ("*.sql", "a.txt", false),
            ("seed_?.sql", "seed_1.sql", true),
            ("seed_?.sql", "seed_10.sql", false),
            ("[a-c]*", "beta", true),
            ("[^a-c]*", "beta", false),
            ("[", "[", false),
        ] {
            assert_eq!(fits(pattern.as_bytes(), name.as_bytes()), wanted, "{pattern} {name}");
        }
    }
}
