//! The files of generated types that `[gen]` names: written, compared, and kept up to date while `dev` runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bedplate_core::Problem;
use bedplate_data::catalog::{self, Loader};
use bedplate_gen::{Language, generate};
use bedplate_query::catalog::Catalog;
use bedplate_settings::Loaded;
use serde_json::json;

use super::database::Database;
use super::report::{Line, Report};

bedplate_core::codes! {
    /// A file of generated types cannot be made.
    TYPES_FAILED = "types_failed", 500, Server, "The types cannot be written", final;
}

/// One configured file.
#[derive(Debug, Clone)]
pub struct File {
    pub language: Language,
    /// As the settings name it, inside the project.
    pub path: String,
}

/// What stands in a file, compared with the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    UpToDate,
    Missing,
    /// The first line that differs, counted from 1.
    Stale {
        line: usize,
    },
}

/// The files that `[gen]` names.
pub fn files(loaded: &Loaded) -> Vec<File> {
    let settings = &loaded.settings.r#gen;
    let named = [
        (Language::TypeScript, &settings.typescript),
        (Language::Zod, &settings.zod),
        (Language::Python, &settings.python),
        (Language::Rust, &settings.rust),
    ];
    let file =
        |(language, path): (Language, &Option<String>)| path.clone().map(|path| File { language, path });
    named.into_iter().filter_map(file).collect()
}

/// The schemas that the files are about: those of `[gen]`, else all that one of the front doors offers.
fn schemas(loaded: &Loaded) -> Vec<String> {
    let settings = &loaded.settings;
    if settings.r#gen.schemas.is_empty() { offered(loaded) } else { settings.r#gen.schemas.clone() }
}

fn offered(loaded: &Loaded) -> Vec<String> {
    let settings = &loaded.settings;
    let mut schemas = settings.database.schemas.clone();
    for schema in settings.rest.db_schemas.iter().flatten() {
        if !schemas.contains(schema) {
            schemas.push(schema.clone());
        }
    }
    schemas
}

/// The text of one file. `only` empty: the schemas of the settings.
pub fn text(
    loaded: &Loaded,
    catalog: &Catalog,
    language: Language,
    only: &[String],
) -> Result<String, Problem> {
    let schemas = if only.is_empty() { schemas(loaded) } else { only.to_vec() };
    generate(catalog, language, &schemas).map_err(|error| {
        Problem::new(&TYPES_FAILED)
            .internal(error.to_string())
            .hint("name one that is offered, or add it to [database] schemas in bedplate.toml")
    })
}

/// The database's catalog as it is now.
pub async fn read(loaded: &Loaded, database: &Database) -> Result<Catalog, Problem> {
    let client = database.connect_owner().await?;
    let schemas: Arc<[String]> = offered(loaded).into();
    Ok(catalog::read(&client, schemas).await?.catalog)
}

/// How a configured file stands against the database.
pub fn compare(loaded: &Loaded, catalog: &Catalog, file: &File) -> Result<State, Problem> {
    let wanted = text(loaded, catalog, file.language, &[])?;
    let path = loaded.dir.join(&file.path);
    match std::fs::read_to_string(&path) {
        Ok(found) => Ok(difference(&found, &wanted)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(State::Missing),
        Err(error) => Err(failed("read", &path, &error)),
    }
}

/// Line endings do not count: version control may change them.
fn difference(found: &str, wanted: &str) -> State {
    let (mut here, mut there) = (found.lines(), wanted.lines());
    let mut line = 1;
    loop {
        match (here.next(), there.next()) {
            (None, None) => return State::UpToDate,
            (one, other) if one == other => line += 1,
            _ => return State::Stale { line },
        }
    }
}

/// Writes the configured files that are not up to date, each as a whole; answers which.
pub fn write(loaded: &Loaded, catalog: &Catalog) -> Result<Vec<(File, State)>, Problem> {
    let mut done = Vec::new();
    for file in files(loaded) {
        let state = compare(loaded, catalog, &file)?;
        if state != State::UpToDate {
            let wanted = text(loaded, catalog, file.language, &[])?;
            replace(&loaded.dir.join(&file.path), &wanted)?;
        }
        done.push((file, state));
    }
    Ok(done)
}

/// Who reads the file meanwhile sees the old one or the new one, never half of it.
pub fn replace(path: &Path, text: &str) -> Result<(), Problem> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(|error| failed("make", folder, &error))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let fresh: PathBuf = folder.join(format!(".{name}.new"));
    std::fs::write(&fresh, text).map_err(|error| failed("write", &fresh, &error))?;
    std::fs::rename(&fresh, path).map_err(|error| failed("replace", path, &error))
}

fn failed(action: &str, path: &Path, error: &std::io::Error) -> Problem {
    Problem::new(&TYPES_FAILED)
        .internal(format!("cannot {action} {}: {error}", path.display()))
        .hint("check the path under [gen] in bedplate.toml, and who may write there")
}

/// Writes the files after each change of the catalog. Does not end.
pub async fn follow(loaded: &Loaded, loader: &Loader, report: &dyn Report) {
    let mut newest = loader.subscribe();
    newest.mark_changed();
    while !files(loaded).is_empty() && newest.changed().await.is_ok() {
        let catalog = Arc::clone(&newest.borrow_and_update());
        write_and_report(loaded, &catalog, report);
    }
    std::future::pending::<()>().await;
}

/// Writes the files and tells which; what goes wrong is no reason for `dev` to stop.
pub fn write_and_report(loaded: &Loaded, catalog: &Catalog, report: &dyn Report) {
    match write(loaded, catalog) {
        Ok(done) => {
            let written: Vec<&str> = done
                .iter()
                .filter(|(_, state)| *state != State::UpToDate)
                .map(|(file, _)| file.path.as_str())
                .collect();
            if !written.is_empty() {
                report.line(Line::new("types", written.join(", "), json!({ "written": written })));
            }
        }
        Err(problem) => report.warning(&format!("types: {problem}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_different_line_is_named() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), State::UpToDate);
        assert_eq!(difference("a\r\nb\r\n", "a\nb\n"), State::UpToDate);
        assert_eq!(difference("a\nb\n", "a\nc\n"), State::Stale { line: 2 });
        assert_eq!(difference("a\n", "a\nc\n"), State::Stale { line: 2 });
        assert_eq!(difference("", "a\n"), State::Stale { line: 1 });
    }

    #[test]
    fn files_are_replaced_as_a_whole_and_folders_are_made() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("client/deep/types.ts");
        replace(&path, "one").unwrap();
        replace(&path, "two").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
