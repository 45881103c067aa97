//! The security context of a request as settings of its transaction.

use std::time::Duration;

use bedplate_core::{Ctx, PrincipalKind, Problem};
use bedplate_query::catalog::{Catalog, RoleId};
use smallvec::SmallVec;

use crate::problems::ROLE_UNKNOWN;

/// How long one statement may run, by kind of caller, and how long it may wait for a lock. PostgreSQL ends it then; the
/// request's own deadline may end it sooner.
#[derive(Debug, Clone)]
pub struct Timeouts {
    pub anonymous: Duration,
    pub user: Duration,
    pub service: Duration,
    pub lock: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { anonymous: seconds(3), user: seconds(8), service: seconds(30), lock: seconds(2) }
    }
}

/// What the connections' sessions were started with, so that a transaction has to set only what differs; and the timeouts
/// in the form that PostgreSQL reads, written once.
#[derive(Debug)]
pub(crate) struct Session {
    /// The sessions have the user's timeouts. Not so behind a pooler.
    prepared: bool,
    anonymous: String,
    user: String,
    service: String,
    lock: String,
}

impl Session {
    pub fn new(timeouts: &Timeouts, prepared: bool) -> Self {
        Self {
            prepared,
            anonymous: text(timeouts.anonymous),
            user: text(timeouts.user),
            service: text(timeouts.service),
            lock: text(timeouts.lock),
        }
    }
}

fn text(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}

/// Settings for the sessions of request connections, as start-up parameters: what nearly every request needs. Requests that
/// differ set their own.
pub fn session_parameters(timeouts: &Timeouts) -> [(&'static str, String); 2] {
    [("statement_timeout", text(timeouts.user)), ("lock_timeout", text(timeouts.lock))]
}

pub(crate) type Pairs<'a> = SmallVec<[(&'a str, &'a str); 12]>;

/// The settings in order: the role first, then what SQL may know of the caller and the request, then bounds. Settings of
/// the role (`ALTER ROLE … SET`) and of the called function come last, so that they win, as they would after a login.
pub(crate) fn pairs<'a>(
    ctx: &'a Ctx,
    session: &'a Session,
    role_settings: &'a [(std::sync::Arc<str>, std::sync::Arc<str>)],
    plan_settings: &'a [(String, String)],
    read_only: bool,
) -> Pairs<'a> {
    let principal = &ctx.principal;
    let statement_timeout = match principal.kind {
        PrincipalKind::Anonymous => Some(&session.anonymous),
        PrincipalKind::User => Some(&session.user).filter(|_| !session.prepared),
        PrincipalKind::Service => Some(&session.service),
    };
    let mut pairs = Pairs::new();
    pairs.push(("role", &*principal.role));
    pairs.push(("request.jwt.claims", &*principal.claims));
    pairs.push(("request.method", ctx.request.method));
    pairs.push(("request.path", &ctx.request.path));
    pairs.push(("request.headers", &ctx.request.headers));
    if let Some(timeout) = statement_timeout {
        pairs.push(("statement_timeout", timeout));
    }
    if !session.prepared {
        pairs.push(("lock_timeout", &session.lock));
    }
    if read_only {
        pairs.push(("transaction_read_only", "on"));
    }
    pairs.extend(role_settings.iter().filter(|(name, _)| is_hoisted(name)).map(|(n, v)| (&**n, &**v)));
    pairs.extend(
        plan_settings.iter().filter(|(name, _)| is_hoisted(name)).map(|(n, v)| (n.as_str(), v.as_str())),
    );
    pairs
}

/// Which settings of a role or function are taken over. Not those that make up the security context, those of the dialects
/// (`pgrst.*`), the search path, which would change what unqualified names mean, or the encoding, which is the protocol's.
/// PostgreSQL compares names of settings without case.
fn is_hoisted(name: &str) -> bool {
    const KEPT: [&str; 5] =
        ["role", "session_authorization", "search_path", "transaction_read_only", "client_encoding"];
    let has_prefix =
        |prefix: &str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    !KEPT.iter().any(|kept| name.eq_ignore_ascii_case(kept))
        && !has_prefix("request.")
        && !has_prefix("pgrst.")
}

/// The role of the caller, which must exist and be one that the request login may become. Never a superuser: a token that
/// names one is refused, however it was signed.
pub(crate) fn role(catalog: &Catalog, login: &str, ctx: &Ctx) -> Result<RoleId, Problem> {
    let refuse = || {
        Problem::new(&ROLE_UNKNOWN)
            .hint("the token's role must be one that was granted to `authenticator`")
            .internal(format!("role {:?} is unknown or may not be taken on by {login:?}", ctx.principal.role))
    };
    let id = catalog.find_role(&ctx.principal.role).ok_or_else(refuse)?;
    let role = catalog.role(id).ok_or_else(refuse)?;
    // With `authenticator` present it says which roles requests may have, whoever logs in.
    let gatekeeper =
        catalog.find_role("authenticator").or_else(|| catalog.find_role(login)).ok_or_else(refuse)?;
    let allowed = catalog.role(gatekeeper).is_some_and(|g| g.can_set.contains(&id)) && id != gatekeeper;
    if allowed && !role.superuser { Ok(id) } else { Err(refuse()) }
}

#[cfg(test)]
mod tests {
    use super::is_hoisted;

    #[test]
    fn settings_of_a_role_never_replace_the_security_context_or_the_encoding() {
        for name in [
            "role",
            "Role",
            "request.jwt.claims",
            "Request.JWT.Claims",
            "PGRST.x",
            "search_path",
            "client_encoding",
        ] {
            assert!(!is_hoisted(name), "{name}");
        }
        for name in ["statement_timeout", "app.settings", "TimeZone", "requests.x", "requé"] {
            assert!(is_hoisted(name), "{name}");
        }
    }
}
