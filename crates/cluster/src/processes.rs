//! Which server processes use a data folder. Pid files are not enough: backends outlive a killed postmaster, and they
//! keep its shared memory.

use std::path::Path;

/// A server process that belongs to a data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
}

/// What marks a cluster's processes in their command lines and titles (`cluster_name`). Needed because root without
/// the capability SYS_PTRACE (the default in containers) may not read where another user's process works.
pub(crate) fn mark(data: &Path) -> String {
    format!("bedplate-{}", crate::layout::short_hash(data))
}

/// Live server processes of user `uid` that work in `data` or carry its mark. Zombies are not among them.
pub(crate) fn find(data: &Path, uid: u32) -> Vec<Process> {
    list(data, uid, &mark(data))
}

#[cfg(target_os = "linux")]
fn list(data: &Path, uid: u32, mark: &str) -> Vec<Process> {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    let place = fs::metadata(data).ok().map(|meta| (meta.dev(), meta.ino()));
    let own = std::process::id() as i32;
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| *pid != own)
        .filter(|pid| {
            let dir = Path::new("/proc").join(pid.to_string());
            let is_server =
                fs::read_to_string(dir.join("comm")).is_ok_and(|name| name.trim_end() == "postgres");
            let is_theirs = fs::metadata(&dir).is_ok_and(|meta| meta.uid() == uid);
            if !is_server || !is_theirs || is_zombie(*pid) {
                return false;
            }
            let works_there = fs::metadata(dir.join("cwd")).ok().map(|meta| (meta.dev(), meta.ino()));
            let is_marked = || {
                let line = fs::read(dir.join("cmdline")).unwrap_or_default();
                String::from_utf8_lossy(&line).contains(mark)
            };
            (place.is_some() && works_there == place) || is_marked()
        })
        .map(|pid| Process { pid })
        .collect()
}

/// Dead, but not yet collected by its parent. PostgreSQL takes such a process for a live one.
#[cfg(target_os = "linux")]
fn is_zombie(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in parentheses may hold anything, also a closing one; the state follows the last.
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['Z', 'X']))
}

#[cfg(not(target_os = "linux"))]
fn list(_data: &Path, uid: u32, mark: &str) -> Vec<Process> {
    let output = std::process::Command::new("ps").args(["-axww", "-o", "pid=,uid=,stat=,command="]).output();
    let text = output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
    parse(&text, uid, mark, std::process::id() as i32)
}

/// Reads the columns pid, uid, state and command of `ps`.
#[cfg(any(test, not(target_os = "linux")))]
fn parse(text: &str, uid: u32, mark: &str, own: i32) -> Vec<Process> {
    let parse_line = |line: &str| {
        let mut words = line.split_whitespace();
        let pid: i32 = words.next()?.parse().ok()?;
        let is_theirs = words.next()?.parse() == Ok(uid);
        let is_zombie = words.next()?.starts_with('Z');
        let program = words.next()?;
        let is_server = program == "postgres:" || program.rsplit('/').next() == Some("postgres");
        (is_theirs && !is_zombie && is_server && pid != own && line.contains(mark)).then_some(Process { pid })
    };
    text.lines().filter_map(parse_line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_list_is_read_by_user_state_and_mark() {
        let text = "  10   501 Ss  /opt/pg/bin/postgres -D /x -c cluster_name=bedplate-abc\n\
                    \x20 11   501 S   postgres: bedplate-abc: checkpointer\n\
                    \x20 12   501 Z   postgres: bedplate-abc: walwriter\n\
                    \x20 13   502 S   postgres: bedplate-abc: checkpointer\n\
                    \x20 14   501 S   vi bedplate-abc.txt\n\
                    \x20 15   501 S   postgres: bedplate-def: checkpointer\n";
        let pids: Vec<_> = parse(text, 501, "bedplate-abc", 1).into_iter().map(|p| p.pid).collect();
        assert_eq!(pids, [10, 11]);
    }
}
