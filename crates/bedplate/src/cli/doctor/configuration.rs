//! Settings and keys.

use std::os::unix::fs::PermissionsExt;

use bedplate_settings::{Context as Purpose, FILE_NAME, Fault, KeyOrigin, Loaded, unsafe_settings};

use super::check::Check;
use crate::app::keys;

/// A fault of the configuration as a finding.
pub fn fault(fault: &Fault) -> Check {
    let place = match (fault.location(), &fault.key) {
        (place, Some(key)) if place.is_empty() => format!("{key}: "),
        (place, Some(key)) => format!("{place}: {key}: "),
        (place, None) if place.is_empty() => String::new(),
        (place, None) => format!("{place}: "),
    };
    Check::fail("settings", format!("{place}{}", fault.message), &fault.fix)
}

/// Whether there is a project, and whether its settings are safe to run with.
pub fn settings(loaded: &Loaded) -> Vec<Check> {
    let mut checks = Vec::new();
    let migrations = loaded.dir.join(&loaded.settings.migrations.dir);
    if !loaded.has_file && !migrations.is_dir() {
        let message = format!("{} holds no {FILE_NAME} and no folder with migrations", loaded.dir.display());
        checks.push(Check::fail(
            "project",
            message,
            "bedplate new NAME, or name the project's folder with --dir",
        ));
    }
    let origin = keys::origin(loaded).unwrap_or(KeyOrigin::None);
    let (purpose, command) = if loaded.is_development() {
        (Purpose::Dev, "bedplate dev")
    } else {
        (Purpose::Serve, "bedplate serve")
    };
    let faults = unsafe_settings(loaded, purpose, origin);
    if faults.is_empty() {
        let message = format!("environment {}, valid and safe for `{command}`", loaded.env_name);
        checks.push(Check::pass("settings", message));
    }
    checks.extend(faults.iter().map(fault));
    checks.push(proxies(loaded));
    checks.extend(dotenv(loaded));
    checks
}

/// `.env` holds secrets of this machine.
fn dotenv(loaded: &Loaded) -> Option<Check> {
    let path = loaded.dir.join(".env");
    let mode = std::fs::metadata(&path).ok()?.permissions().mode() & 0o777;
    let is_open = mode & 0o077 != 0;
    Some(if !is_open {
        Check::pass("dotenv", "closed to others")
    } else {
        Check::warn(
            "dotenv",
            format!("others can read .env (mode {mode:o})"),
            format!("chmod 600 {}", path.display()),
        )
    })
}

/// Behind a proxy that is not trusted, every caller has the proxy's address.
fn proxies(loaded: &Loaded) -> Check {
    let server = &loaded.settings.server;
    let behind = server.public_url.as_deref().is_some_and(|url| url.starts_with("https://"));
    if behind && server.trusted_proxies.is_empty() {
        return Check::warn(
            "proxies",
            "public_url is https, so a proxy ends TLS, but no proxy is trusted: all callers seem to be the proxy",
            "set server.trusted_proxies to the proxy's address, for example [\"127.0.0.1\"]",
        );
    }
    match server.trusted_proxies.len() {
        0 => Check::pass("proxies", "none trusted: forwarded headers are ignored"),
        count => Check::pass("proxies", format!("{count} trusted")),
    }
}

/// Keys: there, and closed to others.
pub fn keys(loaded: &Loaded) -> Vec<Check> {
    let exposed = match keys::exposed_files(loaded) {
        Ok(exposed) => exposed,
        Err(problem) => {
            let fix = problem.hint_text().unwrap_or("check who owns the keys folder").to_owned();
            return vec![Check::fail("keys", problem.to_string(), fix)];
        }
    };
    if !exposed.is_empty() {
        let to_check = |(path, mode): &(std::path::PathBuf, u32)| {
            let wanted = if path.is_dir() { 700 } else { 600 };
            let fix = format!("chmod {wanted} {}", path.display());
            Check::fail("keys", format!("others can read {} (mode {mode:o})", path.display()), fix)
        };
        return exposed.iter().map(to_check).collect();
    }
    let message = match keys::origin(loaded) {
        Ok(KeyOrigin::None) => "none yet; they are made at the first start",
        Ok(KeyOrigin::Development) => "made for development, closed to others",
        Ok(KeyOrigin::Production) => "made for production, closed to others",
        Err(problem) => {
            let fix = problem.hint_text().unwrap_or("bedplate keys rotate").to_owned();
            return vec![Check::fail("keys", problem.to_string(), fix)];
        }
    };
    vec![Check::pass("keys", message)]
}
