//! Ending what an earlier run left behind, before the server starts. Only called with the lock held: whoever these
//! processes belonged to is gone. They are never adopted, since nobody knows their settings.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, test_kill_process, waitpid};

use crate::account::RunAs;
use crate::error::Error;
use crate::event::{Event, Events};
use crate::layout::replace_file;
use crate::processes::{self, Process};

/// Ends every server process of `data`: a whole server gets `patience` for a fast shutdown, orphans are told to quit
/// (measured: a backend in a long query otherwise blocks the start for more than 12 s), and at last all are killed.
pub(crate) fn end(data: &Path, run_as: &RunAs, patience: Duration, events: &Events) -> Result<(), Error> {
    let find = || processes::find(data, run_as.uid());
    let found = find();
    if found.is_empty() {
        return Ok(());
    }
    events.send(Event::EndedLeftovers { pids: pids(&found) });
    let short = Duration::from_secs(2);
    let postmaster = read_pid(data).filter(|pid| found.iter().any(|p| p.pid == *pid));
    let mut steps = vec![(Signal::QUIT, short), (Signal::KILL, short)];
    if let Some(pid) = postmaster {
        signal(pid, Signal::INT);
        if wait_until_none(&find, patience) {
            return Ok(());
        }
    }
    while !steps.is_empty() {
        let (which, wait) = steps.remove(0);
        for process in find() {
            signal(process.pid, which);
        }
        if wait_until_none(&find, wait) {
            return Ok(());
        }
    }
    Err(Error::Leftovers { dir: data.to_path_buf(), pids: pids(&find()) })
}

fn pids(processes: &[Process]) -> Vec<i32> {
    processes.iter().map(|p| p.pid).collect()
}

fn signal(pid: i32, signal: Signal) {
    // One that ended meanwhile is what we wanted.
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, signal);
    }
}

fn wait_until_none(find: &dyn Fn() -> Vec<Process>, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    loop {
        let left = find();
        if left.is_empty() {
            return true;
        }
        // As process 1 of a container we are their parent by now, and only we can collect them.
        for process in &left {
            if let Some(pid) = Pid::from_raw(process.pid) {
                let _ = waitpid(Some(pid), WaitOptions::NOHANG);
            }
        }
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn read_pid(data: &Path) -> Option<i32> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    text.lines().next()?.trim().parse().ok().filter(|pid| *pid > 0)
}

/// Lets PostgreSQL see that the pid in `postmaster.pid` is nobody's. That pid may be a zombie that nobody collects, or
/// be given to another process of the same user meanwhile (usual in containers, where pids are small); PostgreSQL
/// takes both for a running server and refuses to start.
///
/// The file is not removed, because its other lines make PostgreSQL check whether the old shared memory is still in
/// use. Instead our own pid goes into it: the parent of a new postmaster is never taken for a running server.
pub(crate) fn disown(data: &Path, run_as: &RunAs) -> Result<(), Error> {
    let path = data.join("postmaster.pid");
    let Some(pid) = read_pid(data) else { return Ok(()) };
    let is_used = Pid::from_raw(pid).is_some_and(|pid| test_kill_process(pid).is_ok());
    if !is_used {
        return Ok(());
    }
    let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    let rest = text.split_once('\n').map_or("", |(_, rest)| rest);
    replace_file(&path, format!("{}\n{rest}", std::process::id()).as_bytes(), |file| run_as.give(file))
}
