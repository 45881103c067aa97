//! What `bedplate serve` refuses to run with, and `bedplate dev` too where it concerns it.

use crate::{Fault, Loaded, Origin};

/// How the server is going to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    Dev,
    Serve,
}

/// Where the keys that are not in the settings come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyOrigin {
    /// There are none yet, or none are needed because every key is set.
    None,
    /// Made by `bedplate dev`, and so in the hands of everybody with this folder.
    Development,
    /// Made for production.
    Production,
}

/// Everything that makes this configuration unsafe to run, each with its fix. Empty means safe.
pub fn unsafe_settings(loaded: &Loaded, context: Context, keys: KeyOrigin) -> Vec<Fault> {
    match context {
        Context::Dev => dev(loaded),
        Context::Serve => {
            let mut faults = listeners(loaded);
            faults.extend(development_keys(loaded, keys));
            faults.extend(missing_secrets(loaded));
            faults.extend(open_schemas(loaded));
            faults
        }
    }
}

fn is_public(loaded: &Loaded) -> bool {
    !loaded.settings.server.host.is_loopback()
}

fn fault(loaded: &Loaded, key: &str, message: impl Into<String>, fix: impl Into<String>) -> Fault {
    let fault = Fault::new(message, fix).of(key);
    match loaded.origin(key) {
        Origin::Default => fault,
        origin => fault.at(&origin),
    }
}

/// Dev mode shows details and mints tokens, so it stays on this machine.
fn dev(loaded: &Loaded) -> Vec<Fault> {
    let server = &loaded.settings.server;
    let mut faults = Vec::new();
    for (key, host) in [("server.host", server.host), ("server.admin_host", server.admin_host)] {
        if !host.is_loopback() {
            faults.push(fault(
                loaded,
                key,
                format!("`bedplate dev` listens on this machine only, not on {host}"),
                "use `bedplate serve` for other machines, or set it to 127.0.0.1",
            ));
        }
    }
    if !loaded.settings.database.contract {
        faults.push(fault(
            loaded,
            "database.contract",
            "`bedplate dev` applies migrations, which need the contract",
            "use `bedplate serve` for a database that is served as it is, or set it to true",
        ));
    }
    if loaded.is_production() {
        faults.push(Fault::new(
            "`bedplate dev` does not run with the environment `production`",
            "use `bedplate serve`, or leave --env out",
        ));
    }
    faults
}

fn listeners(loaded: &Loaded) -> Vec<Fault> {
    let mut faults = Vec::new();
    let plain = loaded.settings.server.public_url.as_deref().filter(|url| url.starts_with("http://"));
    if is_public(loaded) && plain.is_some() {
        faults.push(fault(
            loaded,
            "server.public_url",
            "tokens would travel unencrypted over http://",
            "put a TLS proxy in front and write https://",
        ));
    }
    if !loaded.settings.server.admin_host.is_loopback() && !loaded.origin("server.admin_host").is_specific() {
        faults.push(fault(
            loaded,
            "server.admin_host",
            "the admin listener would be reachable from other machines",
            format!("set it to 127.0.0.1, or say it again under [env.{}.server]", loaded.env_name),
        ));
    }
    faults
}

fn unset_keys(loaded: &Loaded) -> Vec<&'static str> {
    let (auth, api) = (&loaded.settings.auth, &loaded.settings.api);
    [
        ("auth.jwt_secret", auth.jwt_secret.is_none()),
        ("auth.signing_key", auth.signing_key.is_none()),
        ("auth.publishable_key", auth.publishable_key.is_none()),
        ("auth.secret_key", auth.secret_key.is_none()),
        ("api.cursor_key", api.cursor_key.is_none()),
    ]
    .into_iter()
    .filter_map(|(key, unset)| unset.then_some(key))
    .collect()
}

fn development_keys(loaded: &Loaded, keys: KeyOrigin) -> Option<Fault> {
    let used = unset_keys(loaded);
    if keys != KeyOrigin::Development || used.is_empty() || !is_public(loaded) {
        return None;
    }
    Some(fault(
        loaded,
        "server.host",
        format!(
            "{} is public, but {} would be the development keys of this folder",
            loaded.settings.server.host,
            used.join(", ")
        ),
        format!("run `bedplate keys rotate --env {}`, or set them as secrets", loaded.env_name),
    ))
}

/// With an external database there are usually several servers, and each would make other keys.
fn missing_secrets(loaded: &Loaded) -> Vec<Fault> {
    if loaded.settings.database.is_managed() {
        return Vec::new();
    }
    unset_keys(loaded)
        .into_iter()
        .map(|key| {
            let variable = format!("BEDPLATE_{}", key.replace('.', "__").to_ascii_uppercase());
            Fault::new(
                "is not set: with an external database every server needs the same key",
                format!("set {variable}; `bedplate keys new` prints fresh values for all of them"),
            )
            .of(key)
        })
        .collect()
}

/// Serving without row-level security must have been decided for this environment.
fn open_schemas(loaded: &Loaded) -> Vec<Fault> {
    let access = &loaded.settings.access;
    let env = &loaded.env_name;
    let mut open = Vec::new();
    if !access.require_rls {
        open.push(("access.require_rls".to_owned(), format!("[env.{env}.access]")));
    }
    for (name, schema) in &access.schemas {
        if schema.require_rls == Some(false) {
            open.push((
                format!("access.schemas.{name}.require_rls"),
                format!("[env.{env}.access.schemas.{name}]"),
            ));
        }
    }
    open.into_iter()
        .filter(|(key, _)| !loaded.origin(key).is_specific())
        .map(|(key, table)| {
            fault(
                loaded,
                &key,
                "tables would be served without row-level security",
                format!("enable row-level security, or confirm it with {table} require_rls = false"),
            )
        })
        .collect()
}
