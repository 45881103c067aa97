//! The reference page of the command line, written from the commands themselves.

use clap::{Arg, Command, CommandFactory};

use super::{Arguments, Exit};

/// Every command with its options, and the exit codes, as Markdown.
pub fn reference_markdown() -> String {
    let mut root = Arguments::command();
    root.build();
    let mut out = String::from(INTRODUCTION);
    out.push_str("\n## Options of every command\n\n");
    out.push_str(&options(root.get_arguments().filter(|arg| arg.is_global_set())));
    commands(&root, "bedplate", &mut out);
    out.push_str("\n## Exit codes\n\n| code | meaning |\n|---|---|\n");
    for exit in Exit::ALL {
        out.push_str(&format!("| {} | {} |\n", *exit as u8, exit.meaning()));
    }
    out
}

const INTRODUCTION: &str = "\
# Command line

Generated from `crates/bedplate/src/cli/args.rs`; do not edit.

Answers are text on a terminal and JSON otherwise, one value per line; `--json` and `--text` decide it. Failures go to
standard error the same way, and name the command or line that fixes them. `NO_COLOR` turns colours off.
";

fn commands(parent: &Command, path: &str, out: &mut String) {
    for command in parent.get_subcommands().filter(|command| command.get_name() != "help") {
        let path = format!("{path} {}", command.get_name());
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        out.push_str(&format!("\n## `{path}`\n\n{about}.\n"));
        let own: Vec<&Arg> = command
            .get_arguments()
            .filter(|arg| !arg.is_global_set() && !matches!(arg.get_id().as_str(), "help" | "version"))
            .collect();
        if !own.is_empty() {
            out.push('\n');
            out.push_str(&options(own.into_iter()));
        }
        commands(command, &path, out);
    }
}

fn options<'a>(arguments: impl Iterator<Item = &'a Arg>) -> String {
    let mut table = String::from("| option | what it does |\n|---|---|\n");
    for argument in arguments {
        let value = argument.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
        let takes_value = argument.get_action().takes_values();
        let value = value.filter(|_| takes_value).unwrap_or_default();
        let name = match argument.get_long() {
            Some(long) if takes_value => format!("--{long} {value}"),
            Some(long) => format!("--{long}"),
            None => value,
        };
        let help = argument.get_help().map(|help| help.to_string().replace('|', "\\|")).unwrap_or_default();
        table.push_str(&format!("| `{name}` | {help} |\n"));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_are_consistent_and_all_described() {
        Arguments::command().debug_assert();
        let page = reference_markdown();
        for command in
            ["new", "dev", "serve", "migrate up", "keys rotate", "config explain", "doctor", "token"]
        {
            assert!(page.contains(&format!("## `bedplate {command}`")), "{command} in {page}");
        }
        assert!(!page.contains("\n\n.\n"), "a command without a description in {page}");
        assert!(page.contains("| 7 | checks ran"));
        assert!(Arguments::command().render_help().to_string().contains("7 checks ran"));
    }
}
