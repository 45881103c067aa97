//! `bedplate gen [--check]`, `bedplate gen types`.

use bedplate_gen::Language;
use bedplate_migrate::State as Migrated;
use bedplate_query::catalog::Catalog;
use bedplate_settings::Loaded;
use serde_json::json;

use super::args::{GenArgs, GenCommand, GenLanguage, GenTypesArgs};
use super::progress::{block_on, with_database};
use super::ui::{DIM, GOOD, NAME};
use super::{Context, Exit, Failure};
use crate::app::database::Database;
use crate::app::schema;
use crate::app::types::{self, File, State};

pub fn run(args: &GenArgs, context: &Context) -> Result<Exit, Failure> {
    let loaded = context.project("development", Vec::new())?;
    match &args.command {
        Some(GenCommand::Types(args)) => one(args, &loaded, context),
        None if types::files(&loaded).is_empty() => Err(nothing_configured()),
        None if args.check => check(&loaded, context),
        None => write(&loaded, context),
    }
}

fn nothing_configured() -> Failure {
    Failure::new(
        Exit::Configuration,
        "nothing_to_generate",
        "no file is named under [gen] in bedplate.toml",
        "write there, for example: typescript = \"client/database.types.ts\"; or print types once: bedplate gen types \
         --lang typescript",
    )
}

/// Types in one language, to standard output or into a file.
fn one(args: &GenTypesArgs, loaded: &Loaded, context: &Context) -> Result<Exit, Failure> {
    let catalog = catalog(loaded, context)?;
    let text = types::text(loaded, &catalog, args.lang.language(), &args.schema)?;
    let Some(out) = &args.out else {
        context.ui.show_raw(|| json!({ "language": args.lang.name(), "text": text }), text.trim_end());
        return Ok(Exit::Done);
    };
    types::replace(&context.base_dir()?.join(out), &text)?;
    context.ui.show(
        || json!({ "language": args.lang.name(), "file": out }),
        |ui| format!("{}    {}", ui.paint(GOOD, "written"), out.display()),
    );
    Ok(Exit::Done)
}

fn write(loaded: &Loaded, context: &Context) -> Result<Exit, Failure> {
    let catalog = catalog(loaded, context)?;
    let done = types::write(loaded, &catalog)?;
    let written = |state: &State| *state != State::UpToDate;
    context.ui.show(
        || {
            let file =
                |(file, state): &(File, State)| json!({ "file": file.path, "written": written(state) });
            json!({ "files": done.iter().map(file).collect::<Vec<_>>() })
        },
        |ui| {
            let line = |(file, state): &(File, State)| {
                let word =
                    if written(state) { ui.paint(GOOD, "written  ") } else { ui.paint(DIM, "unchanged") };
                format!("{word}  {}\n", ui.paint(NAME, &file.path))
            };
            done.iter().map(line).collect()
        },
    );
    Ok(Exit::Done)
}

fn check(loaded: &Loaded, context: &Context) -> Result<Exit, Failure> {
    let catalog = catalog(loaded, context)?;
    let mut faults = Vec::new();
    let mut fine = Vec::new();
    for file in types::files(loaded) {
        match types::compare(loaded, &catalog, &file)? {
            State::UpToDate => fine.push(file.path),
            State::Missing => faults.push(format!("{} does not exist", file.path)),
            State::Stale { line } => {
                faults.push(format!("{} is not what the database says, from line {line} on", file.path));
            }
        }
    }
    if faults.is_empty() {
        context.ui.show(
            || json!({ "up_to_date": fine }),
            |ui| format!("{}  {}", ui.paint(GOOD, "up to date"), fine.join(", ")),
        );
        return Ok(Exit::Done);
    }
    Err(Failure::new(
        Exit::Checks,
        "types_stale",
        faults.join("; "),
        "run `bedplate gen` and commit the result",
    ))
}

/// The project's database as its migrations make it. A private one is brought up to date first; somebody else's is not
/// touched.
fn catalog(loaded: &Loaded, context: &Context) -> Result<Catalog, Failure> {
    block_on(with_database(context, loaded, async |database| {
        if database.admin.is_some() {
            let options = schema::options(loaded, false);
            schema::apply(database, loaded, &options, &mut |_| ()).await?;
        } else {
            refuse_pending(loaded, database).await?;
        }
        Ok(types::read(loaded, database).await?)
    }))
}

/// Types of a database that lacks half of the schema would be wrong without a word.
async fn refuse_pending(loaded: &Loaded, database: &Database) -> Result<(), Failure> {
    let entries = schema::status(database, loaded).await?;
    let waits = |state: &Migrated| {
        matches!(state, Migrated::Pending | Migrated::OutOfOrder | Migrated::Interrupted { .. })
    };
    let pending: Vec<String> =
        entries.iter().filter(|e| waits(&e.state)).map(|e| format!("{}_{}", e.version, e.name)).collect();
    if pending.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Migration,
        "migrations_pending",
        format!("the database lacks migrations, and its types would too: {}", pending.join(", ")),
        "apply them first: bedplate migrate up",
    ))
}

impl GenLanguage {
    fn language(self) -> Language {
        match self {
            Self::Typescript => Language::TypeScript,
            Self::Zod => Language::Zod,
            Self::Python => Language::Python,
            Self::Rust => Language::Rust,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Typescript => "typescript",
            Self::Zod => "zod",
            Self::Python => "python",
            Self::Rust => "rust",
        }
    }
}
