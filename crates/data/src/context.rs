//! The security context of a request as settings of its transaction.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::{Ctx, PrincipalKind, Problem};
use bedplate_db::Isolation;
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
    /// By database role, in place of the callers' kind.
    pub roles: Vec<(String, Duration)>,
}

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            anonymous: seconds(3),
            user: seconds(8),
            service: seconds(30),
            lock: seconds(2),
            roles: Vec::new(),
        }
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
    roles: Vec<(String, String)>,
}

impl Session {
    pub fn new(timeouts: &Timeouts, prepared: bool) -> Self {
        Self {
            prepared,
            anonymous: text(timeouts.anonymous),
            user: text(timeouts.user),
            service: text(timeouts.service),
            lock: text(timeouts.lock),
            roles: timeouts.roles.iter().map(|(role, time)| (role.clone(), text(*time))).collect(),
        }
    }
}

fn text(duration: Duration) -> String {
    match duration.subsec_nanos() {
        0 => format!("{}s", duration.as_secs()),
        _ => format!("{}ms", duration.as_millis()),
    }
}

/// Settings for the sessions of request connections, as start-up parameters: what nearly every request needs. Requests that
/// differ set their own.
pub fn session_parameters(timeouts: &Timeouts) -> [(&'static str, String); 2] {
    [("statement_timeout", text(timeouts.user)), ("lock_timeout", text(timeouts.lock))]
}

pub(crate) type Pairs<'a> = SmallVec<[(&'a str, &'a str); 12]>;

/// Settings of the role and of the called function that hold for the whole transaction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hoisting<'a> {
    pub role: &'a [(Arc<str>, Arc<str>)],
    pub function: &'a [(String, String)],
    /// Which of the function's; `None`: all.
    pub allowed: Option<&'a [String]>,
}

const ISOLATION: &str = "default_transaction_isolation";

impl<'a> Hoisting<'a> {
    fn role(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.role.iter().map(|(name, value)| (&**name, &**value))
    }

    fn function(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let allowed = move |name: &str| {
            self.allowed.is_none_or(|listed| listed.iter().any(|l| l.eq_ignore_ascii_case(name)))
        };
        self.function
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(move |(name, _)| allowed(name))
    }

    /// How isolated the transaction is to be. The function's word counts before the role's, as it would in a session of the
    /// role.
    pub fn isolation(self) -> Isolation {
        let found = self.function().chain(self.role()).find(|(name, _)| *name == ISOLATION);
        match found.map(|(_, value)| value.to_ascii_lowercase()).as_deref() {
            Some("repeatable read") => Isolation::RepeatableRead,
            Some("serializable") => Isolation::Serializable,
            _ => Isolation::ReadCommitted,
        }
    }
}

/// What a called function sets that holds beyond its own statement.
pub(crate) fn of_function(hoisting: Hoisting<'_>) -> impl Iterator<Item = (&str, &str)> {
    hoisting.function().filter(|(name, _)| is_hoisted(name))
}

/// The settings in order: the role first, then what SQL may know of the caller and the request, then bounds. Settings of
/// the role (`ALTER ROLE … SET`) and of the called function come last, so that they win, as they would after a login.
pub(crate) fn pairs<'a>(
    ctx: &'a Ctx,
    session: &'a Session,
    hoisting: Hoisting<'a>,
    read_only: bool,
) -> Pairs<'a> {
    let principal = &ctx.principal;
    // Of several timeouts the last one holds, and the one that the session has needs no setting.
    let own = session.roles.iter().find(|(role, _)| **role == *principal.role).map(|(_, time)| time.as_str());
    let mut statement_timeout = own.unwrap_or(match principal.kind {
        PrincipalKind::Anonymous => session.anonymous.as_str(),
        PrincipalKind::User => &session.user,
        PrincipalKind::Service => &session.service,
    });
    let mut others = Pairs::new();
    let is_time = |name: &str| name.eq_ignore_ascii_case("statement_timeout");
    // What the operator sets for the role comes before what the database does.
    let of_role = hoisting.role().filter(|(name, _)| own.is_none() || !is_time(name));
    for (name, value) in of_role.chain(hoisting.function()).filter(|(name, _)| is_hoisted(name)) {
        if is_time(name) {
            statement_timeout = value;
        } else {
            others.push((name, value));
        }
    }
    let mut pairs = Pairs::new();
    pairs.push(("role", &*principal.role));
    pairs.push(("request.jwt.claims", &*principal.claims));
    pairs.push(("request.method", ctx.request.method));
    pairs.push(("request.path", &ctx.request.path));
    pairs.push(("request.headers", &ctx.request.headers));
    pairs.extend(ctx.request.cookies.as_deref().map(|cookies| ("request.cookies", cookies)));
    if !(session.prepared && is_same_time(statement_timeout, &session.user)) {
        pairs.push(("statement_timeout", statement_timeout));
    }
    if !session.prepared {
        pairs.push(("lock_timeout", &session.lock));
    }
    if read_only {
        pairs.push(("transaction_read_only", "on"));
    }
    pairs.extend(others);
    pairs
}

/// Whether two timeouts are the same, as far as that can be told without PostgreSQL.
fn is_same_time(one: &str, other: &str) -> bool {
    one == other || millis(one).is_some_and(|time| Some(time) == millis(other))
}

/// A whole number of PostgreSQL's units of time ("Parameter Names and Values"); milliseconds where it has none.
fn millis(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim_start() {
        "" | "ms" => 1,
        "s" => 1000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(unit)
}

/// Which settings of a role or function are taken over. Not those that make up the security context, those of the dialects
/// (`pgrst.*`), the search path, which would change what unqualified names mean, or the encoding, which is the protocol's.
/// PostgreSQL compares names of settings without case.
fn is_hoisted(name: &str) -> bool {
    const KEPT: [&str; 6] = [
        "role",
        "session_authorization",
        "search_path",
        "transaction_read_only",
        "client_encoding",
        ISOLATION,
    ];
    let has_prefix =
        |prefix: &str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    !KEPT.iter().any(|kept| name.eq_ignore_ascii_case(kept))
        && !has_prefix("request.")
        && !has_prefix("pgrst.")
}

/// Why a caller's role was refused: the cause of its problem.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoleRefusal {
    #[error("the role {0:?} does not exist")]
    Unknown(Arc<str>),
    #[error("the role {0:?} was not granted to the login of requests")]
    NotGranted(Arc<str>),
    #[error("the role {0:?} is a superuser")]
    Superuser(Arc<str>),
}

/// The role of the caller, which must exist and be one that the request login may become. Never a superuser: a token that
/// names one is refused, however it was signed.
///
/// Where the database has a `gatekeeper` it says which roles requests may have, whoever logs in.
pub(crate) fn role(
    catalog: &Catalog,
    login: &str,
    gatekeeper: Option<&str>,
    ctx: &Ctx,
) -> Result<RoleId, Problem> {
    let name = &ctx.principal.role;
    let refuse = |why: RoleRefusal| {
        Problem::new(&ROLE_UNKNOWN)
            .hint("the token's role must be one that was granted to the login of requests")
            .caused_by(why)
    };
    let unknown = || refuse(RoleRefusal::Unknown(Arc::clone(name)));
    let id = catalog.find_role(name).ok_or_else(unknown)?;
    let role = catalog.role(id).ok_or_else(unknown)?;
    if role.superuser {
        return Err(refuse(RoleRefusal::Superuser(Arc::clone(name))));
    }
    let keeper = gatekeeper.and_then(|name| catalog.find_role(name)).or_else(|| catalog.find_role(login));
    let granted = keeper.and_then(|id| catalog.role(id)).is_some_and(|keeper| keeper.can_set.contains(&id));
    // A database of PostgREST's kind may serve as its login; where there is a gatekeeper, it is no role of requests.
    let is_keeper = gatekeeper.is_some() && keeper == Some(id);
    if granted && !is_keeper { Ok(id) } else { Err(refuse(RoleRefusal::NotGranted(Arc::clone(name)))) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use bedplate_core::{Ctx, Principal, PrincipalKind};

    use super::{Hoisting, Session, Timeouts, is_hoisted, is_same_time, pairs};

    /// The statement timeout that a user's transaction gets, beyond what its session has.
    fn timeout(prepared: bool, role: &[(&str, &str)], function: &[(&str, &str)]) -> Option<String> {
        let user = Principal { kind: PrincipalKind::User, ..Principal::anonymous("authenticated") };
        let ctx = Ctx::new(Arc::new(user), "1");
        let timeouts = Timeouts { user: Duration::from_secs(8), ..Timeouts::default() };
        let session = Session::new(&timeouts, prepared);
        let role: Vec<(Arc<str>, Arc<str>)> = role.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
        let function: Vec<_> = function.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let hoisting = Hoisting { role: &role, function: &function, allowed: None };
        let pairs = pairs(&ctx, &session, hoisting, true);
        let mut found = pairs.iter().filter(|(name, _)| name.eq_ignore_ascii_case("statement_timeout"));
        let value = found.next().map(|(_, value)| (*value).to_owned());
        assert!(found.next().is_none(), "once at most");
        value
    }

    #[test]
    fn a_timeout_is_set_only_where_it_differs_from_the_sessions() {
        let set = |text: &str| Some(text.to_owned());
        assert_eq!(timeout(true, &[], &[]), None);
        assert_eq!(timeout(true, &[("statement_timeout", "8s")], &[]), None);
        assert_eq!(timeout(true, &[("statement_timeout", "9s")], &[]), set("9s"));
        assert_eq!(timeout(true, &[("Statement_Timeout", "9s")], &[("statement_timeout", "8000")]), None);
        assert_eq!(
            timeout(true, &[("statement_timeout", "8s")], &[("statement_timeout", "1min")]),
            set("1min")
        );
        assert_eq!(timeout(true, &[("statement_timeout", "8.0s")], &[]), set("8.0s"));
        assert_eq!(timeout(false, &[], &[]), set("8s"));
        assert_eq!(timeout(false, &[("statement_timeout", "8s")], &[]), set("8s"));
    }

    #[test]
    fn a_budget_of_time_comes_before_the_roles_own_and_behind_the_functions() {
        let user = Principal { kind: PrincipalKind::User, ..Principal::anonymous("authenticated") };
        let ctx = Ctx::new(Arc::new(user), "1");
        let roles = vec![("authenticated".to_owned(), Duration::from_millis(1500))];
        let session = Session::new(&Timeouts { roles, ..Timeouts::default() }, true);
        let role: Vec<(Arc<str>, Arc<str>)> = vec![("Statement_Timeout".into(), "8s".into())];
        let function = vec![("statement_timeout".to_owned(), "1min".to_owned())];
        let told = |function: &[(String, String)]| {
            let pairs = pairs(&ctx, &session, Hoisting { role: &role, function, allowed: None }, true);
            let times: Vec<_> = pairs.iter().filter(|(name, _)| *name == "statement_timeout").collect();
            assert_eq!(times.len(), 1);
            times[0].1.to_owned()
        };
        assert_eq!(told(&[]), "1500ms");
        assert_eq!(told(&function), "1min");
    }

    #[test]
    fn times_are_compared_by_their_length() {
        for (one, other) in
            [("8s", "8000ms"), ("8000", " 8 s"), ("2min", "120s"), ("1d", "24h"), ("odd", "odd")]
        {
            assert!(is_same_time(one, other), "{one} {other}");
        }
        for (one, other) in
            [("8s", "8"), ("8us", "8"), ("", "0"), ("-1", "1"), ("99999999999999999999s", "1")]
        {
            assert!(!is_same_time(one, other), "{one} {other}");
        }
    }

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
