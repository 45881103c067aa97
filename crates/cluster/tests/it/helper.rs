//! A second process that runs a cluster: this test binary, started again for one ignored test. It can be killed, and
//! it can be another user.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const STATE: &str = "BEDPLATE_TEST_STATE";
const NO_USERS: &str = "BEDPLATE_TEST_NO_USERS";

pub struct Helper {
    child: Child,
    /// `ready`, or what went wrong.
    pub outcome: String,
}

impl Helper {
    /// Starts a cluster in `state` in another process and waits for the outcome. `user`: uid and gid to run as.
    pub fn start(state: &Path, user: Option<(u32, u32)>) -> Self {
        Self::start_with(state, user, |_| {})
    }

    /// The same on a machine that knows no users.
    pub fn start_without_users(state: &Path, user: (u32, u32)) -> Self {
        Self::start_with(state, Some(user), |command| {
            command.env(NO_USERS, "1");
        })
    }

    fn start_with(state: &Path, user: Option<(u32, u32)>, change: impl FnOnce(&mut Command)) -> Self {
        let mut program = std::env::current_exe().unwrap();
        if user.is_some() {
            // The build folder may be closed to that user.
            let copy = state.parent().unwrap().join("helper-program");
            std::fs::copy(&program, &copy).unwrap();
            program = copy;
        }
        let mut command = Command::new(program);
        command.args(["--exact", "helper::run", "--ignored", "--nocapture", "--test-threads=1"]);
        command.env(STATE, state).env_remove("XDG_RUNTIME_DIR").env_remove("TMPDIR").current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        if let Some((uid, gid)) = user {
            command.uid(uid).gid(gid);
        }
        change(&mut command);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let outcome =
            lines.find_map(|line| line.unwrap().split_once("outcome: ").map(|(_, text)| text.to_owned()));
        Self { child, outcome: outcome.unwrap_or_default() }
    }

    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Kills the process with -9 and collects it.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Lets the process end in order, without stopping its cluster first.
    pub fn finish(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
#[ignore = "runs in a second process, started by other tests"]
async fn run() {
    let Some(state) = std::env::var_os(STATE) else { return };
    let mut options = crate::bench::options(state.into());
    if std::env::var_os(NO_USERS).is_some() {
        options.probes.user = |_| None;
    }
    let outcome = bedplate_cluster::start(options, |_| {}).await;
    match &outcome {
        Ok(_) => println!("outcome: ready"),
        Err(error) => println!("outcome: {error:?} | {error}"),
    }
    // Until the other end closes.
    let _ = std::io::stdin().read(&mut [0]);
    // As when a program forgets to stop it: no destructor runs.
    std::mem::forget(outcome);
}
