//! Server settings for the size of the machine. They go into `bedplate.conf` in the data folder, included from
//! `postgresql.conf`, so that `ALTER SYSTEM` still wins. What keeps data safe and the socket private does not go there
//! but onto the command line ([`crate::postmaster`]), where nothing else wins.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::account::RunAs;
use crate::error::Error;
use crate::layout::replace_file;
use crate::options::Options;

const MB: u64 = 1 << 20;
const NAME: &str = "bedplate.conf";
const INCLUDE: &str = "include_if_exists = 'bedplate.conf'";

/// What the settings depend on.
#[derive(Debug, Clone, Copy)]
struct Machine {
    memory: u64,
    cpus: usize,
    major: u32,
}

/// Settings that callers may not change, and why.
const FIXED: [(&str, &str); 14] = [
    ("fsync", "without it a power loss destroys data"),
    ("full_page_writes", "without it a power loss destroys data"),
    ("listen_addresses", "the private server has no TCP port; use a server of your own for that"),
    ("port", "it is part of the socket's name"),
    ("unix_socket_directories", "the socket folder belongs to Bedplate"),
    ("unix_socket_permissions", "the socket is private, and local users are trusted"),
    ("unix_socket_group", "the socket is private, and local users are trusted"),
    ("hba_file", "who may connect is decided by the socket folder"),
    ("ident_file", "who may connect is decided by the socket folder"),
    ("config_file", "it belongs to the data folder"),
    ("data_directory", "it belongs to the state folder"),
    ("cluster_name", "Bedplate finds its processes by it"),
    ("log_destination", "Bedplate keeps the log"),
    ("logging_collector", "Bedplate keeps the log"),
];

/// Refuses settings that are fixed, or whose name is not one.
pub(crate) fn check(settings: &BTreeMap<String, String>) -> Result<(), Error> {
    for name in settings.keys() {
        let lower = name.to_ascii_lowercase();
        let fault = match FIXED.iter().find(|(fixed, _)| *fixed == lower) {
            Some((_, why)) => Some(*why),
            None if name.is_empty()
                || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.".contains(&b)) =>
            {
                Some("it is not the name of a server setting")
            }
            None => None,
        };
        if let Some(why) = fault {
            return Err(Error::Setting { name: name.clone(), why });
        }
    }
    Ok(())
}

/// Writes `bedplate.conf` and makes sure that `postgresql.conf` includes it.
pub(crate) fn write(options: &Options, data: &Path, major: u32, run_as: &RunAs) -> Result<(), Error> {
    let machine = Machine {
        memory: options.memory.unwrap_or_else(measure_memory),
        cpus: options.cpus.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)),
        major,
    };
    let mut settings = tuned(machine);
    settings.extend(options.settings.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())));
    let path = data.join(NAME);
    let text = render(&settings);
    if fs::read_to_string(&path).ok().as_deref() != Some(&text) {
        replace_file(&path, text.as_bytes(), |file| run_as.give(file))?;
    }
    include(&data.join("postgresql.conf"), run_as)
}

fn include(path: &Path, run_as: &RunAs) -> Result<(), Error> {
    let text = fs::read_to_string(path).map_err(Error::io("read", path))?;
    if text.lines().any(|line| line.trim() == INCLUDE) {
        return Ok(());
    }
    let text = format!(
        "{}\n\n# Written anew at every start. Lines below this one win over it.\n{INCLUDE}\n",
        text.trim_end()
    );
    replace_file(path, text.as_bytes(), |file| run_as.give(file))
}

fn render(settings: &BTreeMap<String, String>) -> String {
    let head = "# Made by Bedplate for this machine at every start; changes here are lost.\n\
        # To change a setting: ALTER SYSTEM, or a line below the include in postgresql.conf.\n";
    settings.iter().fold(head.to_owned(), |mut text, (name, value)| {
        let value = value.replace('\\', "\\\\").replace('\'', "''").replace(['\n', '\r'], " ");
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name} = '{value}'");
        text
    })
}

fn tuned(machine: Machine) -> BTreeMap<String, String> {
    let Machine { memory, cpus, major } = machine;
    let mb = |bytes: u64, least: u64, most: u64| format!("{}MB", (bytes / MB).clamp(least, most));
    let is_small = memory < 4096 * MB || cpus <= 2;
    let mut settings: BTreeMap<String, String> = [
        ("autovacuum_max_workers", "2"),
        // A statement whose client is gone ends within this time.
        ("client_connection_check_interval", "2s"),
        // `explain` and pg_stat_activity name a query by a number, as on Supabase. It costs at parsing only.
        ("compute_query_id", "on"),
        ("huge_pages", "off"),
        ("jit", "off"),
        ("log_line_prefix", "%m [%p] %q%u@%d "),
        ("log_timezone", "UTC"),
        ("max_connections", "60"),
        // A baseline migration makes thousands of objects in one transaction, each with its lock.
        ("max_locks_per_transaction", "256"),
        ("max_replication_slots", "6"),
        ("max_slot_wal_keep_size", "1GB"),
        ("min_wal_size", "32MB"),
        // Cost of a random read on the flash disks of today, not on a turning one.
        ("random_page_cost", "1.1"),
        ("timezone", "UTC"),
        ("wal_level", "logical"),
        ("wal_writer_delay", "10ms"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    let mut set = |name: &str, value: String| settings.insert(name.to_owned(), value);
    set("shared_buffers", mb(memory / 10, 32, 1024));
    set("effective_cache_size", mb(memory / 2, 128, 64 << 10));
    set("maintenance_work_mem", mb(memory / 32, 32, 512));
    set("work_mem", mb(memory / 512, 4, 32));
    set("max_wal_size", mb(memory / 8, 512, 2048));
    set("max_parallel_workers_per_gather", if cpus <= 2 { "0" } else { "2" }.to_owned());
    if cfg!(target_os = "linux") {
        set("recovery_init_sync_method", "syncfs".to_owned());
    }
    if major >= 18 && is_small {
        set("io_method", "sync".to_owned());
    }
    settings
}

/// Memory that this process may use: the machine's, or the container's limit when that is less.
fn measure_memory() -> u64 {
    // A machine that does not tell is treated as a small one.
    let unknown = 2048 * MB;
    if cfg!(not(target_os = "linux")) {
        return unknown;
    }
    let total = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:").map(str::to_owned))?;
        line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok()
    });
    let total = total.map_or(unknown, |kb| kb * 1024);
    let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    limits.iter().filter_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok()).fold(total, u64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(memory: u64, cpus: usize, major: u32, name: &str) -> Option<String> {
        tuned(Machine { memory, cpus, major }).remove(name)
    }

    #[test]
    fn buffers_follow_memory_within_their_bounds() {
        assert_eq!(value(256 * MB, 1, 15, "shared_buffers").unwrap(), "32MB");
        assert_eq!(value(4096 * MB, 2, 15, "shared_buffers").unwrap(), "409MB");
        assert_eq!(value(1 << 40, 64, 15, "shared_buffers").unwrap(), "1024MB");
        assert_eq!(value(256 * MB, 1, 17, "io_method"), None);
        assert_eq!(value(256 * MB, 1, 18, "io_method").unwrap(), "sync");
    }

    #[test]
    fn settings_that_protect_data_are_refused_in_any_case_of_letters() {
        for name in ["fsync", "FSYNC", "full_page_writes", "listen_addresses", "work_mem = 1\nfsync"] {
            let settings = BTreeMap::from([(name.to_owned(), "off".to_owned())]);
            assert!(matches!(check(&settings), Err(Error::Setting { .. })), "{name}");
        }
        check(&BTreeMap::from([("pg_stat_statements.max".to_owned(), "1000".to_owned())])).unwrap();
    }

    #[test]
    fn a_value_cannot_leave_its_quotes() {
        let settings = BTreeMap::from([("a".to_owned(), "x'\nfsync = off".to_owned())]);
        assert!(render(&settings).ends_with("a = 'x'' fsync = off'\n"));
    }
}
