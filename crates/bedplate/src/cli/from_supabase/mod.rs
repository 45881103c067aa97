//! `bedplate new NAME --from-supabase FOLDER`: a project from the `supabase/` folder of another one. Migrations and seeds
//! are copied as they are; of the configuration is taken what there is a setting for, and the rest is told.

mod files;
mod report;
mod settings;

use std::path::{Path, PathBuf};

use bedplate_migrate::Folder;
use serde_json::Value;

use super::new::{self, Written};
use super::{Context, Exit, Failure};
use files::Seeds;
use settings::Taken;

const CONFIG: &str = "config.toml";
const REPORT: &str = "from-supabase.md";

/// The folder that is taken over.
pub struct Source {
    dir: PathBuf,
    config: Vec<(String, Value)>,
    /// File names of the migrations.
    migrations: Vec<String>,
}

/// What is left behind, and why.
pub struct Left {
    /// A section of the configuration, or a file.
    pub what: String,
    pub why: String,
    /// Its settings with their values; secrets masked.
    pub values: Vec<(String, String)>,
}

/// Reads the folder before anything is written.
pub fn open(folder: &Path, context: &Context) -> Result<Source, Failure> {
    let given = context.base_dir()?.join(folder);
    if !given.is_dir() {
        return Err(Failure::new(
            Exit::Usage,
            "no_folder",
            format!("there is no folder {}", folder.display()),
            "name the `supabase` folder of the project, the one with config.toml and migrations/",
        ));
    }
    // The folder around it will do as well.
    let inner = given.join("supabase");
    let dir = if !is_supabase(&given) && is_supabase(&inner) { inner } else { given };
    if !is_supabase(&dir) {
        return Err(Failure::new(
            Exit::Failed,
            "not_supabase",
            format!("{} has neither {CONFIG} nor migrations/", folder.display()),
            "name the `supabase` folder of the project",
        ));
    }
    let config = read_config(&dir)?;
    let migrations = files::sql_names(&dir.join("migrations"))?;
    if migrations.is_empty() {
        return Err(no_migrations(folder, &config));
    }
    // Two of one version, a text that is not UTF-8: what would stop `bedplate dev` stops here.
    Folder::read(&dir.join("migrations")).map_err(bedplate_core::Problem::from)?;
    Ok(Source { dir, config, migrations })
}

fn is_supabase(dir: &Path) -> bool {
    dir.join(CONFIG).is_file() || dir.join("migrations").is_dir()
}

fn read_config(dir: &Path) -> Result<Vec<(String, Value)>, Failure> {
    let path = dir.join(CONFIG);
    match std::fs::read_to_string(&path) {
        Ok(text) => bedplate_settings::toml_values(CONFIG, &text).map_err(|fault| {
            Failure::configuration(format!("{} cannot be read", path.display()), vec![*fault])
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Failure::file("read", &path, &error)),
    }
}

fn no_migrations(folder: &Path, config: &[(String, Value)]) -> Failure {
    let declared = config.iter().any(|(key, value)| {
        key == "db.migrations.schema_paths" && value.as_array().is_some_and(|paths| !paths.is_empty())
    });
    let fix = if declared {
        "its schema is declared in files (schema_paths): make a migration of them first: supabase db diff -f init"
    } else {
        "make one of the database that there is: supabase db pull"
    };
    let message = format!("{} has no migrations, so there is no schema to take over", folder.display());
    Failure::new(Exit::Failed, "no_migrations", message, fix)
}

/// Writes the project. Answers what was written and what was left.
pub fn write(source: &Source, name: &str, dir: &Path) -> Result<(Vec<Written>, Vec<Left>), Failure> {
    let mut written = Vec::new();
    let mut left = Vec::new();
    for file in &source.migrations {
        files::copy(&source.dir.join("migrations").join(file), &dir.join("migrations").join(file))?;
    }
    let count = source.migrations.len();
    written.push(Written {
        path: "migrations/".to_owned(),
        purpose: format!("{count} file{}, unchanged", if count == 1 { "" } else { "s" }),
    });
    let seeds = Seeds::find(source, &mut left)?;
    for (from, to) in &seeds.files {
        files::copy(from, &dir.join(to))?;
        written.push(Written { path: to.clone(), purpose: "data for development, unchanged".to_owned() });
    }
    let taken = Taken::from_config(&source.config);
    let text = settings::bedplate_toml(name, &taken, &seeds);
    new::write_new(&dir.join(bedplate_settings::FILE_NAME), &text)?;
    written.push(Written {
        path: bedplate_settings::FILE_NAME.to_owned(),
        purpose: "settings, from config.toml".to_owned(),
    });
    left.extend(settings::left(&source.config, &taken));
    files::note_folders(&source.dir, &mut left)?;
    new::write_new(&dir.join(REPORT), &report::text(&taken, &left))?;
    written.push(Written {
        path: REPORT.to_owned(),
        purpose: "what was taken over, and what was not".to_owned(),
    });
    Ok((written, left))
}
