//! Starting a child that cannot outlive this process.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, getpid, getppid, setsid};

use crate::account::RunAs;

/// A command for a server program, run as the server's user.
///
/// It gets an environment of its own: ours may hold secrets, and `PG*` variables would redirect the programs. Messages
/// are in English, since some of them are read here.
pub(crate) fn command(program: &Path, run_as: &RunAs) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("LC_ALL", "C").env("TZ", "UTC").stdin(Stdio::null());
    for name in ["PATH", "LD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    // Whatever folder we are in, the other user may not be allowed there.
    command.current_dir("/");
    run_as.apply(&mut command);
    command
}

/// Ties the child to this process: when the *thread* that spawns it ends, however that happens, the child gets
/// `signal` (prctl(2), `PR_SET_PDEATHSIG`). The child also leaves the terminal's process group, so that Ctrl-C reaches
/// only us and the order of shutdown is ours.
///
/// Other systems than Linux have no such signal; see [`crate::guard`].
#[allow(unsafe_code, reason = "the only way to run code between fork and exec")]
pub(crate) fn tie(command: &mut Command, signal: Signal) {
    let parent = getpid();
    // SAFETY: the closure runs in the child between fork and exec, where other threads' locks may be held for ever. It
    // makes three system calls and neither allocates nor locks. `std` changes the user id before it runs closures,
    // and that order matters: a change of credentials clears the death signal.
    unsafe {
        command.pre_exec(move || prepare_child(parent, signal));
    }
}

fn prepare_child(parent: Pid, signal: Signal) -> io::Result<()> {
    setsid()?;
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(signal))?;
    #[cfg(not(target_os = "linux"))]
    let _ = signal;
    // The parent may have died before the signal was set; then nobody would ever end this child.
    if getppid() == Some(parent) { Ok(()) } else { Err(rustix::io::Errno::CHILD.into()) }
}
