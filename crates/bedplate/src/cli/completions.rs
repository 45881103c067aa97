//! `bedplate completions SHELL`.

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Arguments, Exit, Failure};

pub fn run(shell: Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "bedplate", &mut script);
    let written = std::io::Write::write_all(&mut std::io::stdout().lock(), &script);
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::new(
            Exit::Failed,
            "file",
            format!("cannot write the script: {error}"),
            "check where the output goes",
        )),
        _ => Ok(Exit::Done),
    }
}
