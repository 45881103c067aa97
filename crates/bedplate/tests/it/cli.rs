//! Running the real binary.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// The program with an environment of its own.
pub struct Bedplate {
    command: Command,
}

pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Bedplate {
    pub fn new(dir: &Path, args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bedplate"));
        command.current_dir(dir).args(args).env_clear();
        for name in ["PATH", "HOME", "TMPDIR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        Self { command }
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts it and leaves it running, with its answers in a pipe.
    pub fn spawn(mut self) -> Child {
        self.command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().expect("start bedplate")
    }

    pub fn run(mut self) -> Ran {
        let Output { status, stdout, stderr } = self.command.output().expect("run bedplate");
        Ran {
            code: status.code().unwrap_or(-1),
            out: String::from_utf8(stdout).unwrap(),
            err: String::from_utf8(stderr).unwrap(),
        }
    }
}

/// Runs with text answers and expects success.
pub fn text(dir: &Path, args: &[&str]) -> String {
    let ran = Bedplate::new(dir, &[&["--text"], args].concat()).run();
    assert_eq!(ran.code, 0, "{args:?}: {}{}", ran.out, ran.err);
    ran.out
}

/// Runs with JSON answers and expects success.
pub fn json(dir: &Path, args: &[&str]) -> Value {
    let ran = Bedplate::new(dir, args).run();
    assert_eq!(ran.code, 0, "{args:?}: {}{}", ran.out, ran.err);
    serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {}", ran.out))
}

/// Runs and expects this exit code; what stands on standard error.
pub fn failure(dir: &Path, args: &[&str], code: i32) -> String {
    let ran = Bedplate::new(dir, &[&["--text"], args].concat()).run();
    assert_eq!(ran.code, code, "{args:?}: {}{}", ran.out, ran.err);
    assert_eq!(ran.out, "", "a failure answers on standard error only");
    ran.err
}

/// A fresh project, made as a user makes it.
pub fn project() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    // The private server may run as another user, who has to pass through.
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    text(dir.path(), &["new", "todos"]);
    let path = dir.path().join("todos");
    (dir, path)
}
