//! A command's failure: what went wrong and the command or line that fixes it.

use bedplate_core::Problem;
use bedplate_settings::Fault;
use serde_json::{Value, json};

use super::Exit;

/// Why a command ended without doing its work.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    /// Stable name, for scripts.
    pub code: &'static str,
    pub message: String,
    /// Single faults, where there are several.
    pub faults: Vec<Fault>,
    /// The command to run or the line to write.
    pub fix: String,
}

impl Failure {
    pub fn new(exit: Exit, code: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { exit, code, message: message.into(), faults: Vec::new(), fix: fix.into() }
    }

    /// Faults of the configuration, all of them.
    pub fn configuration(message: impl Into<String>, faults: Vec<Fault>) -> Self {
        let fix = "correct the above and run the command again".to_owned();
        Self { exit: Exit::Configuration, code: "configuration", message: message.into(), faults, fix }
    }

    /// A file that could not be read or written.
    pub fn file(action: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        let fix = match error.kind() {
            std::io::ErrorKind::PermissionDenied => {
                format!("check who owns it and what is allowed: ls -ld {}", path.display())
            }
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                "free some disk space and run the command again".to_owned()
            }
            _ => format!("look at it: ls -la {}", path.parent().unwrap_or(path).display()),
        };
        Self::new(Exit::Failed, "file", format!("cannot {action} {}: {error}", path.display()), fix)
    }

    pub fn as_json(&self) -> Value {
        let faults: Vec<Value> = self
            .faults
            .iter()
            .map(|f| json!({ "location": f.location(), "key": f.key, "message": f.message, "fix": f.fix }))
            .collect();
        json!({ "error": {
            "code": self.code, "exit": self.exit as u8, "message": self.message, "faults": faults, "fix": self.fix,
        } })
    }
}

impl From<Problem> for Failure {
    /// The person at the command line runs the server, so the internal part is for them.
    fn from(problem: Problem) -> Self {
        let code = problem.code().name;
        let text = problem.to_string();
        let message = match (problem.detail_text(), problem.internal_text()) {
            // Written for this reader; the title around it would say less.
            (None, Some(internal)) => internal,
            _ => text.strip_prefix(code).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&text),
        };
        let fix = problem.hint_text().map_or_else(|| default_fix(&problem).to_owned(), str::to_owned);
        Self::new(Exit::of(&problem), code, message, fix)
    }
}

fn default_fix(problem: &Problem) -> &'static str {
    match Exit::of(problem) {
        Exit::Busy => {
            "stop the other one, or choose another folder or port: bedplate dev --set server.port=54331"
        }
        Exit::Database => "run `bedplate doctor`; it checks the database and names what to do",
        Exit::Migration => "correct the file and run `bedplate migrate up` again",
        _ => "run `bedplate doctor`",
    }
}
