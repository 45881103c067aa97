//! The machine: ports, disk, open files, clock, proxy variables.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;

use bedplate_core::{Clock, SystemClock};
use bedplate_settings::{Environment, Loaded};

use super::check::Check;

const MIB: u64 = 1 << 20;
/// With less, PostgreSQL may come to a stop (docs/design: writes are braked at 512 MiB or 5 %).
const LEAST_FREE: u64 = 512 * MIB;
const LITTLE_FREE: u64 = 2_048 * MIB;
/// 2026-01-01, before which this program did not exist.
const BUILT_AFTER: i64 = 1_767_225_600;

/// Variables of the shell that get in the way, and the clock.
pub fn environment(environment: &Environment) -> Vec<Check> {
    vec![clock(SystemClock.unix_seconds()), proxy_variables(environment)]
}

fn clock(now: i64) -> Check {
    if now < BUILT_AFTER {
        return Check::fail(
            "clock",
            "this machine's clock is years behind, so tokens and certificates do not work",
            "sudo timedatectl set-ntp true",
        );
    }
    Check::pass("clock", "plausible")
}

/// A proxy for everything, also for this machine, swallows calls to the API.
fn proxy_variables(environment: &Environment) -> Check {
    let set = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]
        .iter()
        .find(|name| environment.find(name).is_some());
    let Some(name) = set else { return Check::pass("proxy-variables", "none set") };
    let exempt = ["no_proxy", "NO_PROXY"].iter().filter_map(|name| environment.find(name)).any(|list| {
        list.split(',')
            .map(str::trim)
            .any(|host| matches!(host, "*" | "127.0.0.1" | "localhost" | "127.0.0.0/8"))
    });
    if exempt {
        return Check::pass("proxy-variables", format!("{name} is set, this machine is exempt"));
    }
    Check::warn(
        "proxy-variables",
        format!("{name} is set: curl and others send calls to this machine to the proxy"),
        "export NO_PROXY=localhost,127.0.0.1",
    )
}

/// Whether the ports are free.
pub fn ports(loaded: &Loaded) -> Vec<Check> {
    let server = &loaded.settings.server;
    vec![
        port("port", "server.port", server.host, server.port),
        port("admin-port", "server.admin_port", server.admin_host, server.admin_port),
    ]
}

fn port(name: &'static str, key: &str, host: IpAddr, port: u16) -> Check {
    let address = SocketAddr::new(host, port);
    match TcpListener::bind(address) {
        Ok(_) => Check::pass(name, format!("{address} is free")),
        // Often it is this very project in another terminal, which is no fault.
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Check::warn(
            name,
            format!("{address} is in use; fine if that is this project's `bedplate dev`"),
            format!(
                "else find who it is with `ss -ltnp | grep :{port}`, or use another: --set {key}={}",
                port.wrapping_add(10).max(1024)
            ),
        ),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Check::fail(
            name,
            format!("ports below 1024 need a privilege, and {port} is one"),
            format!("use a port above 1023 behind a proxy: --set {key}=8080"),
        ),
        Err(error) => Check::fail(
            name,
            format!("{address} cannot be used: {error}"),
            format!("set {} to an address of this machine (ip addr)", key.replace("port", "host")),
        ),
    }
}

/// Disk and open files.
pub fn resources(loaded: &Loaded) -> Vec<Check> {
    vec![disk(loaded), open_files(loaded)]
}

fn disk(loaded: &Loaded) -> Check {
    let state = loaded.state_dir();
    let exists = |path: &&Path| path.exists();
    let Some(dir) = state.ancestors().find(exists) else {
        return Check::skip("disk", format!("no folder of {} exists", state.display()));
    };
    match rustix::fs::statvfs(dir) {
        Ok(stat) => free_space(dir, stat.f_bavail * stat.f_frsize, stat.f_blocks * stat.f_frsize),
        Err(error) => Check::skip("disk", format!("cannot be read: {error}")),
    }
}

fn free_space(dir: &Path, free: u64, total: u64) -> Check {
    let message = format!("{} MiB free for {}", free / MIB, dir.display());
    let fix = format!("free some space: du -xh {} | sort -h | tail", dir.display());
    if free < LEAST_FREE {
        Check::fail("disk", message, fix)
    } else if free < LITTLE_FREE || free < total / 20 {
        Check::warn("disk", message, fix)
    } else {
        Check::pass("disk", message)
    }
}

fn open_files(loaded: &Loaded) -> Check {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let allowed = limit.maximum.or(limit.current).unwrap_or(u64::MAX);
    let wanted = loaded.settings.server.max_connections as u64 + 200;
    if allowed >= wanted {
        return Check::pass("open-files", format!("up to {allowed} allowed"));
    }
    Check::warn(
        "open-files",
        format!(
            "{allowed} open files are allowed, and server.max_connections = {} wants {wanted}",
            wanted - 200
        ),
        format!(
            "ulimit -n {wanted} (LimitNOFILE={wanted} in a systemd unit), or lower server.max_connections"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::check::Verdict;

    #[test]
    fn a_taken_port_is_noticed_and_a_free_one_is_not() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        assert_eq!(port("port", "server.port", address.ip(), address.port()).verdict, Verdict::Warn);
        drop(taken);
        assert_eq!(port("port", "server.port", address.ip(), address.port()).verdict, Verdict::Pass);
        let elsewhere = port("port", "server.port", "192.0.2.1".parse().unwrap(), 80);
        assert!(elsewhere.fix.unwrap().contains("server.host"));
    }

    #[test]
    fn little_space_warns_and_none_fails() {
        let dir = Path::new("/data");
        assert_eq!(free_space(dir, 100 * MIB, 100_000 * MIB).verdict, Verdict::Fail);
        assert_eq!(free_space(dir, 1_000 * MIB, 4_000 * MIB).verdict, Verdict::Warn);
        assert_eq!(free_space(dir, 4_000 * MIB, 100_000 * MIB).verdict, Verdict::Warn);
        assert_eq!(free_space(dir, 50_000 * MIB, 100_000 * MIB).verdict, Verdict::Pass);
    }

    #[test]
    fn proxy_variables_matter_when_this_machine_is_not_exempt() {
        let check =
            |pairs: &[(&str, &str)]| proxy_variables(&Environment::from_pairs(pairs.iter().copied())).verdict;
        assert_eq!(check(&[]), Verdict::Pass);
        assert_eq!(check(&[("HTTP_PROXY", "http://p:1")]), Verdict::Warn);
        assert_eq!(
            check(&[("HTTP_PROXY", "http://p:1"), ("no_proxy", ".example, localhost")]),
            Verdict::Pass
        );
        assert_eq!(clock(0).verdict, Verdict::Fail);
    }
}
