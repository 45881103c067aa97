//! One running server process.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::account::RunAs;
use crate::binaries::Binaries;
use crate::error::Error;
use crate::initdb::cannot_run;
use crate::log::Log;
use crate::supervisor::Message;
use crate::{processes, socket, spawn};

/// The postmaster as our child. It is collected only by [`Postmaster::collect`], so until then its pid is its own and
/// may be signalled.
pub(crate) struct Postmaster {
    child: Child,
    pid: Pid,
    /// Tells the exit of this server from that of an earlier one.
    pub(crate) generation: u64,
    /// Where its lines begin in the log.
    pub(crate) log_start: u64,
    #[cfg(not(target_os = "linux"))]
    guard: Option<crate::guard::Guard>,
}

/// What a server is started with.
pub(crate) struct Start<'a> {
    pub(crate) binaries: &'a Binaries,
    pub(crate) data: &'a Path,
    pub(crate) socket_dir: &'a Path,
    pub(crate) run_as: &'a RunAs,
    pub(crate) log: &'a Log,
}

impl Postmaster {
    /// Starts the server from the calling thread, which must live as long as the server is wanted. Its end is reported
    /// to `outbox`.
    pub(crate) fn spawn(
        start: &Start<'_>,
        generation: u64,
        outbox: mpsc::Sender<Message>,
    ) -> Result<Self, Error> {
        let program = start.binaries.program("postgres");
        let log_file = start.log.open()?;
        let log_start = start.log.end();
        let second = log_file.try_clone().map_err(Error::io("open", start.log.path()))?;
        let mut command = spawn::command(&program, start.run_as);
        command
            .args(arguments(start.data, start.socket_dir))
            .stdout(Stdio::from(second))
            .stderr(Stdio::from(log_file));
        // SIGINT is a fast shutdown: it ends sessions, writes a checkpoint and leaves nothing to recover.
        spawn::tie(&mut command, Signal::INT);
        let child = command.spawn().map_err(|error| cannot_run(&program, start.run_as, error))?;
        let pid = Pid::from_child(&child);
        report_exit(pid, generation, outbox)?;
        Ok(Self {
            #[cfg(not(target_os = "linux"))]
            guard: attach_guard(start.run_as, &child),
            child,
            pid,
            generation,
            log_start,
        })
    }

    /// Signals the server, when it still runs.
    pub(crate) fn signal(&self, signal: Signal) {
        let _ = kill_process(self.pid, signal);
    }

    /// Collects the process. Blocks until it has ended.
    pub(crate) fn collect(mut self) -> String {
        #[cfg(not(target_os = "linux"))]
        drop(self.guard.take());
        match self.child.wait() {
            Ok(status) => describe(status),
            Err(error) => error.to_string(),
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn attach_guard(run_as: &RunAs, child: &Child) -> Option<crate::guard::Guard> {
    let mut shell = spawn::command(Path::new("/bin/sh"), run_as);
    // Its own session, out of reach of the terminal's signals.
    spawn::tie(&mut shell, Signal::INT);
    let guard = crate::guard::Guard::attach(shell, child.id());
    guard
        .inspect_err(|error| tracing::warn!(target: "bedplate::cluster", %error, "the server is not guarded"))
        .ok()
}

/// What must hold whatever any configuration file says. The rest is in `bedplate.conf`.
fn arguments(data: &Path, socket_dir: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["-D".into(), data.into()];
    let mut set = |name: &str, value: &std::ffi::OsStr| {
        let mut pair = OsString::from(format!("{name}="));
        pair.push(value);
        arguments.extend(["-c".into(), pair]);
    };
    for (name, value) in [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("listen_addresses", ""),
        ("port", &socket::PORT.to_string()),
        ("unix_socket_permissions", "0700"),
        ("logging_collector", "off"),
        ("log_destination", "stderr"),
        ("cluster_name", &processes::mark(data)),
    ] {
        set(name, value.as_ref());
    }
    set("unix_socket_directories", &list_item(socket_dir));
    arguments
}

/// One element of a comma-separated list: quoted, so that commas and spaces belong to it.
fn list_item(path: &Path) -> OsString {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let mut quoted = vec![b'"'];
    for byte in path.as_os_str().as_bytes() {
        if *byte == b'"' {
            quoted.push(b'"');
        }
        quoted.push(*byte);
    }
    quoted.push(b'"');
    OsString::from_vec(quoted)
}

/// Watches for the end without collecting the process, so that its pid is not given to another one meanwhile.
fn report_exit(pid: Pid, generation: u64, outbox: mpsc::Sender<Message>) -> Result<(), Error> {
    let watch = move || {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), options) {}
        // The supervisor may be gone; then nobody waits for this.
        let _ = outbox.send(Message::Exited { generation });
    };
    let spawned =
        std::thread::Builder::new().name("bedplate-pg-wait".to_owned()).stack_size(128 << 10).spawn(watch);
    match spawned {
        Ok(_) => Ok(()),
        Err(error) => {
            let _ = kill_process(pid, Signal::QUIT);
            Err(Error::io("start a thread for", Path::new("postgres"))(error))
        }
    }
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// How long to wait after each step of a shutdown before the next, harder one.
pub(crate) fn shutdown_steps(patience: Duration) -> [(Signal, Duration); 3] {
    [(Signal::INT, patience), (Signal::QUIT, Duration::from_secs(5)), (Signal::KILL, Duration::from_secs(5))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_commas_and_quotes_stays_one_list_item() {
        assert_eq!(list_item(Path::new("/a b,c\"d")), OsString::from("\"/a b,c\"\"d\""));
    }
}
