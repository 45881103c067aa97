//! CPU time and memory of processes, from /proc (Linux).

use std::collections::HashMap;
use std::fs;

use crate::Outcome;

/// CPU time used so far, in microseconds, by a process and everything below it, ended children included.
pub fn tree_micros(root: u32) -> Outcome<u64> {
    let ticks = rustix::param::clock_ticks_per_second();
    let processes = processes();
    let Some(top) = processes.get(&root) else { return Err(format!("process {root} is gone")) };
    let mut total = top.own + top.ended_children;
    let mut below = vec![root];
    while let Some(parent) = below.pop() {
        for (pid, process) in &processes {
            if process.parent == parent && *pid != root {
                total += process.own + process.ended_children;
                below.push(*pid);
            }
        }
    }
    Ok(total * 1_000_000 / ticks)
}

/// Resident memory of one process in bytes.
pub fn resident(pid: u32) -> Outcome<u64> {
    let text =
        fs::read_to_string(format!("/proc/{pid}/status")).map_err(|error| format!("/proc/{pid}: {error}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| format!("/proc/{pid}/status has no VmRSS"))
}

/// The processors' time so far, in clock ticks: all of it, and what the host gave to others while this machine had work
/// ("steal", proc(5) on /proc/stat).
#[derive(Debug, Clone, Copy)]
pub struct Processors {
    total: u64,
    stolen: u64,
}

impl Processors {
    pub fn now() -> Outcome<Self> {
        let text = fs::read_to_string("/proc/stat").map_err(|error| format!("/proc/stat: {error}"))?;
        let line = text.lines().next().unwrap_or_default();
        // user, nice, system, idle, iowait, irq, softirq, steal; the guests' time after them is in user already.
        let ticks: Vec<u64> = line.split_whitespace().skip(1).take(8).flat_map(str::parse).collect();
        Ok(Self { total: ticks.iter().sum(), stolen: ticks.get(7).copied().unwrap_or_default() })
    }

    /// The share of the time since `earlier` that the host took, 0 to 1.
    pub fn stolen_since(self, earlier: Self) -> f64 {
        let total = self.total.saturating_sub(earlier.total).max(1);
        self.stolen.saturating_sub(earlier.stolen) as f64 / total as f64
    }
}

struct Process {
    parent: u32,
    /// Clock ticks of the process itself, all threads.
    own: u64,
    /// Clock ticks of children that have ended and been waited for.
    ended_children: u64,
}

fn processes() -> HashMap<u32, Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| Some((pid, read(pid)?))).collect()
}

/// proc(5): fields behind the command's closing parenthesis are 3 state, 4 ppid, … 14 utime, 15 stime, 16 cutime,
/// 17 cstime.
fn read(pid: u32) -> Option<Process> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at - 3)?.parse::<u64>().ok();
    Some(Process {
        parent: u32::try_from(number(4)?).ok()?,
        own: number(14)? + number(15)?,
        ended_children: number(16)? + number(17)?,
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn sees_its_own_time_and_memory() {
        let me = std::process::id();
        let before = super::tree_micros(me).unwrap();
        let start = std::time::Instant::now();
        let mut work = 0_u64;
        while start.elapsed().as_millis() < 200 || super::tree_micros(me).unwrap() == before {
            work = work.wrapping_add(1);
        }
        assert!(super::tree_micros(me).unwrap() > before, "{work}");
        assert!(super::resident(me).unwrap() > 100_000);
        assert!(super::tree_micros(u32::MAX).is_err());
    }
}
