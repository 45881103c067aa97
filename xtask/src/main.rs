//! Chores of the repository: `cargo run -p xtask -- <command>`.

mod docs;
mod layers;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["layers"] => layers::check(),
        ["docs"] => docs::write(),
        ["docs", "--check"] => docs::check(),
        _ => Err("usage: xtask layers | docs [--check]".to_owned()),
    };
    match outcome {
        Ok(message) => {
            println!("{message}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
