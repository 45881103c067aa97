//! Ending the server after this process was killed, where the kernel offers no death signal (macOS, the BSDs).
//!
//! A shell waits on a pipe whose other end only this process holds. However this process ends, the pipe closes, the
//! shell's `read` returns, and it tells the server to shut down.

use std::io;
use std::process::{Child, Command, Stdio};

/// Lives as long as the server it guards. Dropping it before the server is collected keeps the pid safe from reuse.
#[derive(Debug)]
pub(crate) struct Guard {
    shell: Child,
}

impl Guard {
    /// Guards the process `pid`. `command` is `/bin/sh`, prepared to run as the server's user.
    pub(crate) fn attach(mut command: Command, pid: u32) -> io::Result<Self> {
        command
            .args(["-c", "trap '' INT HUP; read -r _; kill -INT \"$1\"", "bedplate-guard"])
            .arg(pid.to_string());
        let shell = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Ok(Self { shell })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Killed before its pipe closes, so it never signals a server that we ended ourselves.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn sleeper() -> Child {
        Command::new("sleep").arg("600").spawn().unwrap()
    }

    fn ends_within(child: &mut Child, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if child.try_wait().unwrap().is_some() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }

    #[test]
    fn the_guarded_process_ends_when_the_pipe_closes_and_not_before() {
        let mut child = sleeper();
        let mut guard = Guard::attach(Command::new("/bin/sh"), child.id()).unwrap();
        assert!(!ends_within(&mut child, Duration::from_millis(100)));
        // What the kernel does when the holder is killed.
        drop(guard.shell.stdin.take());
        assert!(ends_within(&mut child, Duration::from_secs(10)));
    }

    #[test]
    fn a_guard_that_is_dropped_leaves_the_process_alone() {
        let mut child = sleeper();
        drop(Guard::attach(Command::new("/bin/sh"), child.id()).unwrap());
        assert!(!ends_within(&mut child, Duration::from_millis(100)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
