//! The commands and their options, as clap reads them; the help texts are written for somebody who sees Bedplate
//! for the first time.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use super::Exit;

/// What stands below the list of options.
fn after_help() -> String {
    let codes: Vec<_> =
        Exit::ALL.iter().map(|exit| format!("  {} {}", *exit as u8, exit.meaning())).collect();
    format!(
        "First steps:\n  bedplate new todos          make a small working project\n  cd todos && bedplate dev    \
         start it: database, migrations, API\n\nExit codes:\n{}\n\nAnswers are text on a terminal and JSON \
         otherwise. Every failure ends with what fixes it.",
        codes.join("\n")
    )
}

/// A production backend in one binary: SQL migrations and policies in, a secure REST API out
#[derive(Debug, Parser)]
#[command(name = "bedplate", version, after_help = after_help(), max_term_width = 100)]
pub struct Arguments {
    /// Folder of the project [default: here, or the nearest folder above with a bedplate.toml; BEDPLATE_DIR]
    #[arg(long, global = true, value_name = "DIR")]
    pub dir: Option<PathBuf>,

    /// Environment, which selects [env.NAME] in bedplate.toml [default: production for serve, else development;
    /// BEDPLATE_ENV]
    #[arg(long, global = true, value_name = "NAME")]
    pub env: Option<String>,

    /// Set one setting for this run, for example --set server.port=8080
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    pub set: Vec<String>,

    /// Answer in JSON, also on a terminal
    #[arg(long, global = true, conflicts_with = "text")]
    pub json: bool,

    /// Answer in text, also when not on a terminal
    #[arg(long, global = true)]
    pub text: bool,

    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a new project: a small working app to change into yours
    New(NewArgs),
    /// Start everything for development on this machine, and apply migrations, policies and seeds on save
    Dev(DevArgs),
    /// Serve in production: refuses unsafe settings, applies no migrations unless told
    Serve(ServeArgs),
    /// Make, apply, undo and list migrations
    Migrate {
        #[command(subcommand)]
        command: MigrateCommand,
    },
    /// Fill the database with the seed files that it does not have yet
    Seed {
        /// Run all of them again, also those that the database has
        #[arg(long)]
        force: bool,
    },
    /// Write the types for clients that [gen] names, from the database
    Gen(GenArgs),
    /// Show the project's API keys, or make new ones
    Keys(KeysArgs),
    /// Print a short-lived token of a seeded user, to try the API as that user; development only
    Token(TokenArgs),
    /// Say what costs most: slow and frequent statements, loops over rows, missing indexes
    Advise(AdviseArgs),
    /// Check machine, settings, keys and database; every failure comes with the command that fixes it
    Doctor,
    /// Look at the configuration: values, where they come from, what they mean
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Print the completion script of a shell, for example: bedplate completions bash
    Completions { shell: Shell },
}

#[derive(Debug, Args)]
pub struct NewArgs {
    /// Name of the project, and of the folder that is made for it
    #[arg(value_name = "NAME")]
    pub path: PathBuf,

    /// Take over the `supabase` folder of another project: its migrations, seeds and settings
    #[arg(long, value_name = "FOLDER")]
    pub from_supabase: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct DevArgs {
    /// Port of the API; 0 takes a free one [default: 54321]
    #[arg(long, short)]
    pub port: Option<u16>,

    /// Do not watch files
    #[arg(long)]
    pub no_watch: bool,

    /// Do not run seed files
    #[arg(long)]
    pub no_seed: bool,
}

#[derive(Debug, Args)]
pub struct AdviseArgs {
    /// Admin listener of the running server [default: the one of the settings, http://127.0.0.1:54322]
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,

    /// How many statements are shown of each kind
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    pub limit: usize,
}

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address to listen on, for example 0.0.0.0 [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    pub host: Option<String>,

    /// Port of the API; 0 takes a free one [default: 54321]
    #[arg(long, short)]
    pub port: Option<u16>,

    /// Apply pending migrations and policies before serving
    #[arg(long)]
    pub migrate: bool,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct GenArgs {
    #[command(subcommand)]
    pub command: Option<GenCommand>,

    /// Write nothing; fail when a file is not what the database says. For CI
    #[arg(long)]
    pub check: bool,
}

#[derive(Debug, Subcommand)]
pub enum GenCommand {
    /// Print the types in one language, or write them into a file
    Types(GenTypesArgs),
}

#[derive(Debug, Args)]
pub struct GenTypesArgs {
    /// The language, or a library of one
    #[arg(long, value_enum, value_name = "LANGUAGE")]
    pub lang: GenLanguage,

    /// Only these schemas, separated by commas [default: gen.schemas, else those that the API offers]
    #[arg(long, value_name = "SCHEMA", value_delimiter = ',')]
    pub schema: Vec<String>,

    /// Write into this file
    #[arg(long, short, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum GenLanguage {
    /// `Database` for supabase-js
    #[value(alias = "ts")]
    Typescript,
    /// Schemas for zod 4
    Zod,
    /// Models for Pydantic 2
    #[value(alias = "py")]
    Python,
    /// Structs for serde
    #[value(alias = "rs")]
    Rust,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct KeysArgs {
    #[command(subcommand)]
    pub command: Option<KeysCommand>,

    /// Show the secret keys too, and the legacy anon and service_role keys
    #[arg(long)]
    pub reveal: bool,
}

#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make new keys for this project; the old ones stay valid beside them until the next rotation
    Rotate {
        /// Which ones [default: all]
        #[arg(value_enum, value_name = "KEY")]
        keys: Vec<KeyName>,

        /// End the old ones now: whoever uses them is signed out at the next start
        #[arg(long)]
        revoke: bool,
    },
    /// Print fresh values for a deployment, as NAME=value lines; nothing is stored
    New,
}

/// The keys of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum KeyName {
    /// For browsers and apps
    Publishable,
    /// For your own backend
    Secret,
    /// The legacy shared secret, and with it the anon and service_role keys
    Jwt,
    /// What signs access tokens
    Signing,
    /// What authenticates page cursors
    Cursor,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show every setting, its value and where it comes from; secrets are masked
    Show {
        /// Only this setting or section
        key: Option<String>,

        /// Only what differs from the defaults
        #[arg(long)]
        changed: bool,
    },
    /// Explain a setting or a section, for example: bedplate config explain server.port
    Explain { key: Option<String> },
    /// Print the JSON Schema of bedplate.toml for editors
    Schema,
}

#[derive(Debug, Subcommand)]
pub enum MigrateCommand {
    /// Make an empty migration and its way back, for example: bedplate migrate new add_due_date
    New {
        /// What it does, in a few words
        name: String,
    },
    /// Apply pending migrations, then the policies if something changed
    Up {
        /// Apply files that are older than the newest applied one, as happens when branches are merged
        #[arg(long)]
        allow_out_of_order: bool,
    },
    /// Undo the newest migrations by their .down.sql files
    Down {
        /// How many
        #[arg(default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        count: u32,
    },
    /// List migrations: applied, pending, edited
    Status,
}

#[derive(Debug, Args)]
pub struct TokenArgs {
    /// E-mail address or id of the user
    #[arg(long = "as", value_name = "USER")]
    pub user: String,

    /// How long it is valid, at most 24h
    #[arg(long, default_value = "1h", value_name = "DURATION")]
    pub expires: String,
}
