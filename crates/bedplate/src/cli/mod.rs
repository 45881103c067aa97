//! The command line: parses, loads the settings, calls the app, and renders what comes back as text or JSON.
//!
//! Every command ends with an [`Exit`] code that stays the same over versions, and every failure says what to do.

mod advise;
mod args;
mod completions;
mod config;
mod context;
mod doctor;
mod exit;
mod failure;
mod from_supabase;
mod r#gen;
mod keys;
mod migrate;
mod new;
mod progress;
mod reference;
mod running;
mod seed;
mod token;
mod ui;

use std::process::ExitCode;

use bedplate_settings::Environment;
use clap::Parser;

pub use args::{Arguments, Command};
pub use context::Context;
pub use exit::Exit;
pub use failure::Failure;
pub use reference::reference_markdown;
pub use ui::Ui;

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return parse_failure(&error),
    };
    let environment = Environment::from_process();
    let ui = Ui::new(&arguments, &environment);
    let context = Context::new(&arguments, environment, ui.clone());
    match dispatch(arguments.command, &context) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            ui.failure(&failure);
            failure.exit.into()
        }
    }
}

fn dispatch(command: Command, context: &Context) -> Result<Exit, Failure> {
    match command {
        Command::New(args) => new::run(&args, context),
        Command::Dev(args) => running::dev(&args, context),
        Command::Serve(args) => running::serve(&args, context),
        Command::Migrate { command } => migrate::run(command, context),
        Command::Seed { force } => seed::run(force, context),
        Command::Gen(args) => r#gen::run(&args, context),
        Command::Advise(args) => advise::run(&args, context),
        Command::Keys(args) => keys::run(args, context),
        Command::Token(args) => token::run(&args, context),
        Command::Doctor => doctor::run(context),
        Command::Config { command } => config::run(command, context),
        Command::Completions { shell } => completions::run(shell),
    }
}

/// Help and version are answers; anything else is a usage fault with clap's own explanation.
fn parse_failure(error: &clap::Error) -> ExitCode {
    // A closed pipe is the reader's choice and no failure of ours.
    let _ = error.print();
    if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() }
}
