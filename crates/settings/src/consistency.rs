//! Rules between settings, checked after each is read.

use crate::sections::{OpenApiAudience, Pooler};
use crate::{Fault, Origin, Settings};

/// Faults between settings. `origin` tells where a setting came from.
pub(crate) fn check(settings: &Settings, origin: &dyn Fn(&str) -> Origin) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut fault = |key: &str, message: String, fix: String| {
        faults.push(Fault::new(message, fix).at(&origin(key)).of(key));
    };
    let limits = &settings.limits;
    if limits.page_size_default > limits.page_size_max {
        fault(
            "limits.page_size_default",
            format!("is {}, above page_size_max = {}", limits.page_size_default, limits.page_size_max),
            format!(
                "raise limits.page_size_max, or set page_size_default to at most {}",
                limits.page_size_max
            ),
        );
    }
    let server = &settings.server;
    if server.port != 0 && server.port == server.admin_port && server.host == server.admin_host {
        fault(
            "server.admin_port",
            format!("is {}, the same as server.port", server.admin_port),
            "give the admin listener another port".into(),
        );
    }
    if settings.api.docs == Some(true) && settings.api.openapi == Some(OpenApiAudience::Off) {
        fault(
            "api.docs",
            "is on, and api.openapi is off: the page would have nothing to show".into(),
            "set api.openapi = \"service\" at least, or remove api.docs".into(),
        );
    }
    roles(settings, &mut fault);
    issuers(settings, &mut fault);
    database(settings, &mut fault);
    rest(settings, &mut fault);
    faults
}

fn roles(settings: &Settings, fault: &mut dyn FnMut(&str, String, String)) {
    let auth = &settings.auth;
    if auth.service_role == auth.anon_role || auth.service_role == auth.authenticated_role {
        fault(
            "auth.service_role",
            format!("`{}` is also the role of users", auth.service_role),
            "the service role bypasses row-level security: give it a name of its own".into(),
        );
    }
    for (key, role) in
        [("auth.anon_role", &auth.anon_role), ("auth.authenticated_role", &auth.authenticated_role)]
    {
        if matches!(role.as_str(), "postgres" | "supabase_admin" | "authenticator") {
            fault(
                key,
                format!("`{role}` is an administrative role"),
                "use a role that owns nothing, such as the default".into(),
            );
        }
    }
    if let Some(role) = auth.extra_roles.iter().find(|r| matches!(r.as_str(), "postgres" | "supabase_admin"))
    {
        fault(
            "auth.extra_roles",
            format!("`{role}` is an administrative role"),
            "a token must never lead to it: remove it".into(),
        );
    }
}

fn issuers(settings: &Settings, fault: &mut dyn FnMut(&str, String, String)) {
    for (index, issuer) in settings.auth.issuers.iter().enumerate() {
        let table = format!("auth.issuers[{index}]");
        if issuer.issuer.is_empty() {
            fault(
                &table,
                "has no `issuer`".into(),
                "write issuer = \"https://…\" exactly as the tokens' iss claim has it".into(),
            );
        }
        if issuer.audience.is_empty() {
            fault(
                &table,
                "has no `audience`".into(),
                "write audience = [\"…\"], else tokens made for other apps would be accepted".into(),
            );
        }
        if issuer.algorithms.is_empty() {
            fault(
                &table,
                "accepts no algorithm".into(),
                "write algorithms = [\"RS256\"], or remove the line".into(),
            );
        }
        let twin = settings.auth.issuers[..index].iter().any(|other| other.issuer == issuer.issuer);
        if twin && !issuer.issuer.is_empty() {
            fault(&table, format!("issuer `{}` is listed twice", issuer.issuer), "merge the two".into());
        }
    }
}

/// PostgreSQL refuses settings by other names, and so every request would be.
fn rest(settings: &Settings, fault: &mut dyn FnMut(&str, String, String)) {
    let plain = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$'))
    };
    for name in settings.rest.app_settings.keys().filter(|name| !plain(name)) {
        fault(
            &format!("rest.app_settings.{name}"),
            format!("`{name}` cannot be the name of a setting"),
            "use letters, digits and _, beginning with a letter or _".into(),
        );
    }
}

fn database(settings: &Settings, fault: &mut dyn FnMut(&str, String, String)) {
    let database = &settings.database;
    if database.api_url.is_some() && database.url.is_none() {
        fault(
            "database.api_url",
            "is set, but database.url is not".into(),
            "set database.url (or DATABASE_URL) to the owner's connection, or remove api_url".into(),
        );
    }
    if database.pooler == Pooler::Transaction && database.api_url.is_none() {
        fault(
            "database.pooler",
            "is set, but there is no api_url that leads through it".into(),
            "set database.api_url to the pooler; database.url stays the server itself, for migrations".into(),
        );
    }
    if !database.contract && database.url.is_none() {
        fault(
            "database.contract",
            "is false, but there is no database that could be served as it is".into(),
            "set database.url (or DATABASE_URL), or set database.contract = true".into(),
        );
    }
    if !database.contract && settings.migrations.auto_apply {
        fault(
            "migrations.auto_apply",
            "migrations need the contract, and database.contract is false".into(),
            "apply them with the tools that this database is kept with, or set database.contract = true"
                .into(),
        );
    }
    let download = [&database.download_url, &database.download_version, &database.download_sha256];
    let set = download.iter().filter(|part| part.is_some()).count();
    if set != 0 && set != download.len() {
        fault(
            "database.download_url",
            "needs download_version and download_sha256, and they need it".into(),
            "set all three: what is downloaded is pinned".into(),
        );
    }
}
