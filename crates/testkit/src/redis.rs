//! A private Redis for one test: on a socket of its own, without anything on disk, gone with the test.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

const STARTS_WITHIN: Duration = Duration::from_mins(1);

/// A running `redis-server`.
#[derive(Debug)]
pub struct Redis {
    dir: PathBuf,
    child: Option<Child>,
}

impl Redis {
    /// # Panics
    /// When there is no `redis-server`, or it does not start: tests cannot run then.
    pub fn start() -> Self {
        let dir = std::env::temp_dir().join(format!("bedplate-redis-{:016x}", rand::random::<u64>()));
        std::fs::create_dir(&dir).expect("make the test Redis's folder");
        let mut redis = Self { dir, child: None };
        redis.start_again();
        redis
    }

    /// After [`Redis::kill`]: the same address, without what was in it.
    ///
    /// # Panics
    /// As [`Redis::start`].
    pub fn start_again(&mut self) {
        let child = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--daemonize", "no", "--unixsocket"])
            .arg(self.socket())
            .arg("--dir")
            .arg(&self.dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("run redis-server: `make test` installs it, and so does `apt-get install redis-server`");
        self.child = Some(child);
        let begun = Instant::now();
        while UnixStream::connect(self.socket()).is_err() {
            assert!(begun.elapsed() < STARTS_WITHIN, "the test Redis did not start");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn socket(&self) -> PathBuf {
        self.dir.join("redis.sock")
    }

    pub fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// From here on it takes connections and commands, and answers nothing.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// At once, as a machine that loses power.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = self.child.as_ref().and_then(|child| Pid::from_raw(child.id().cast_signed()));
        kill_process(pid.expect("the test Redis runs"), signal).expect("signal the test Redis");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
