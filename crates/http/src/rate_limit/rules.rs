//! The limits as they are set, and in the form in which requests look them up.

use std::fmt::Write;
use std::sync::Arc;

use bedplate_core::{Principal, PrincipalKind};
use http::{HeaderValue, Method};

use super::quota::Quota;
use super::shared::SharedCounts;

/// Who may make how many requests. `None`: no limit.
#[derive(Clone, Default)]
pub struct RateLimits {
    /// Callers who are not signed in, each address by itself.
    pub address: Option<Quota>,
    /// Credentials that were refused, by address: as many guesses, then none is looked at any more.
    pub failures: Option<Quota>,
    /// Each signed-in user.
    pub user: Option<Quota>,
    /// Each service key.
    pub service: Option<Quota>,
    /// Kinds of requests, besides what holds for the caller altogether.
    pub kinds: Kinds,
    /// By database role; what is not set there is as above.
    pub roles: Vec<(String, RoleLimits)>,
    /// Callers remembered at once.
    pub callers: usize,
    /// Counts that all nodes share; without them, and while they are away, each node counts for itself.
    pub shared: Option<Arc<dyn SharedCounts>>,
}

impl std::fmt::Debug for RateLimits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RateLimits")
            .field("address", &self.address)
            .field("user", &self.user)
            .field("service", &self.service)
            .field("shared", &self.shared.is_some())
            .finish_non_exhaustive()
    }
}

/// Quotas of kinds of requests, for each caller.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kinds {
    pub reads: Option<Quota>,
    pub writes: Option<Quota>,
    pub rpc: Option<Quota>,
}

/// Quotas of one role. The outer `None`: as for others; `Some(None)`: no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RoleLimits {
    pub requests: Option<Option<Quota>>,
    pub reads: Option<Option<Quota>>,
    pub writes: Option<Option<Quota>>,
    pub rpc: Option<Option<Quota>>,
}

/// What kind of request it is, as far as method and path tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Read,
    Write,
    Rpc,
}

impl Kind {
    /// `below` is the path below the front door, `calls` the segment there under which functions are called.
    pub(crate) fn of(method: &Method, below: &str, calls: Option<&str>) -> Self {
        let first = below.trim_start_matches('/').split('/').next();
        if calls.is_some() && first == calls {
            Self::Rpc
        } else if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
            Self::Read
        } else {
            Self::Write
        }
    }
}

/// Why a request was refused: the policy's name in the headers, and the reason in the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Name {
    Address,
    Failures,
    User,
    Service,
    Reads,
    Writes,
    Rpc,
}

impl Name {
    pub(crate) const ALL: [Self; 7] =
        [Self::Address, Self::Failures, Self::User, Self::Service, Self::Reads, Self::Writes, Self::Rpc];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Failures => "failures",
            Self::User => "user",
            Self::Service => "service",
            Self::Reads => "reads",
            Self::Writes => "writes",
            Self::Rpc => "rpc",
        }
    }
}

/// One limit of one kind of caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) name: Name,
    pub(crate) quota: Quota,
}

impl Name {
    /// How its item of `RateLimit` begins.
    pub(crate) fn item(self) -> &'static [u8] {
        match self {
            Self::Address => b"\"address\";r=",
            Self::Failures => b"\"failures\";r=",
            Self::User => b"\"user\";r=",
            Self::Service => b"\"service\";r=",
            Self::Reads => b"\"reads\";r=",
            Self::Writes => b"\"writes\";r=",
            Self::Rpc => b"\"rpc\";r=",
        }
    }
}

/// The limits that hold for a request, at most two, with what the headers say of them.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) policies: Vec<Policy>,
    /// `RateLimit-Policy`.
    pub(crate) told: HeaderValue,
}

impl Row {
    fn new(policies: Vec<Policy>) -> Option<Arc<Self>> {
        let mut told = String::new();
        for Policy { name, quota } in &policies {
            let comma = if told.is_empty() { "" } else { ", " };
            // Writing to a string cannot fail.
            let _ = write!(told, "{comma}\"{}\";q={};w={}", name.as_str(), quota.requests(), quota.seconds());
        }
        let told = HeaderValue::try_from(told).ok()?;
        (!policies.is_empty()).then(|| Arc::new(Self { policies, told }))
    }
}

/// The rows of one kind of caller, by kind of request.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    read: Option<Arc<Row>>,
    write: Option<Arc<Row>>,
    rpc: Option<Arc<Row>>,
}

impl Rows {
    fn new(name: Name, requests: Option<Quota>, kinds: Kinds) -> Self {
        let whole = requests.map(|quota| Policy { name, quota });
        let row = |name, quota: Option<Quota>| {
            Row::new(quota.map(|quota| Policy { name, quota }).into_iter().chain(whole).collect())
        };
        Self {
            read: row(Name::Reads, kinds.reads),
            write: row(Name::Writes, kinds.writes),
            rpc: row(Name::Rpc, kinds.rpc),
        }
    }

    pub(crate) fn of(&self, kind: Kind) -> Option<&Arc<Row>> {
        match kind {
            Kind::Read => self.read.as_ref(),
            Kind::Write => self.write.as_ref(),
            Kind::Rpc => self.rpc.as_ref(),
        }
    }
}

/// All rows, made once.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) anonymous: Rows,
    user: Rows,
    service: Rows,
    roles: Vec<(String, [Rows; 3])>,
    pub(crate) failures: Option<Arc<Row>>,
}

impl Rules {
    pub(crate) fn new(limits: &RateLimits) -> Self {
        let callers = [
            (Name::Address, limits.address),
            (Name::User, limits.user),
            // What the app's own backend does for many users is not measured like one of them.
            (Name::Service, limits.service),
        ];
        let kinds = |name| if name == Name::Service { Kinds::default() } else { limits.kinds };
        let [anonymous, user, service] = callers.map(|(name, quota)| Rows::new(name, quota, kinds(name)));
        let of_role = |role: &RoleLimits| {
            callers.map(|(name, quota)| {
                let usual = kinds(name);
                let kinds = Kinds {
                    reads: role.reads.unwrap_or(usual.reads),
                    writes: role.writes.unwrap_or(usual.writes),
                    rpc: role.rpc.unwrap_or(usual.rpc),
                };
                Rows::new(name, role.requests.unwrap_or(quota), kinds)
            })
        };
        let failures = limits.failures.map(|quota| vec![Policy { name: Name::Failures, quota }]);
        Self {
            anonymous,
            user,
            service,
            roles: limits.roles.iter().map(|(name, role)| (name.clone(), of_role(role))).collect(),
            failures: failures.and_then(Row::new),
        }
    }

    pub(crate) fn of(&self, principal: &Principal) -> &Rows {
        let own = self.roles.iter().find(|(name, _)| **name == *principal.role).map(|(_, rows)| rows);
        match (principal.kind, own) {
            (PrincipalKind::Anonymous, None) => &self.anonymous,
            (PrincipalKind::User, None) => &self.user,
            (PrincipalKind::Service, None) => &self.service,
            (PrincipalKind::Anonymous, Some([rows, _, _]))
            | (PrincipalKind::User, Some([_, rows, _]))
            | (PrincipalKind::Service, Some([_, _, rows])) => rows,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_told_from_a_resource_by_its_path() {
        for (method, below, kind) in [
            (Method::GET, "/tickets", Kind::Read),
            (Method::HEAD, "/tickets/1", Kind::Read),
            (Method::OPTIONS, "/tickets", Kind::Read),
            (Method::POST, "/tickets", Kind::Write),
            (Method::DELETE, "/tickets/1", Kind::Write),
            (Method::POST, "/batch", Kind::Write),
            (Method::GET, "/rpc/f", Kind::Rpc),
            (Method::POST, "/rpc/f", Kind::Rpc),
            (Method::POST, "/rpcs", Kind::Write),
            (Method::GET, "", Kind::Read),
        ] {
            assert_eq!(Kind::of(&method, below, Some("rpc")), kind, "{method} {below}");
        }
        assert_eq!(Kind::of(&Method::POST, "/rpc/f", None), Kind::Write);
        assert_eq!(Kind::of(&Method::GET, "", None), Kind::Read);
    }

    #[test]
    fn a_role_has_what_is_set_for_it_and_else_what_all_have() {
        let quota = |n| Quota::new(n, 10);
        let limits = RateLimits {
            address: quota(3),
            user: quota(5),
            kinds: Kinds { writes: quota(2), ..Kinds::default() },
            roles: vec![
                ("support".to_owned(), RoleLimits { requests: Some(quota(9)), ..RoleLimits::default() }),
                (
                    "robot".to_owned(),
                    RoleLimits { requests: Some(None), writes: Some(None), ..RoleLimits::default() },
                ),
            ],
            ..RateLimits::default()
        };
        let rules = Rules::new(&limits);
        let told = |kind, role: &str, request| {
            let principal = Principal { kind, ..Principal::anonymous(role) };
            rules.of(&principal).of(request).map(|row| row.told.to_str().unwrap().to_owned())
        };
        let user = PrincipalKind::User;
        assert_eq!(told(PrincipalKind::Anonymous, "anon", Kind::Read).unwrap(), "\"address\";q=3;w=10");
        assert_eq!(
            told(user, "authenticated", Kind::Write).unwrap(),
            "\"writes\";q=2;w=10, \"user\";q=5;w=10"
        );
        assert_eq!(told(user, "support", Kind::Write).unwrap(), "\"writes\";q=2;w=10, \"user\";q=9;w=10");
        assert_eq!(told(user, "robot", Kind::Write), None);
        assert_eq!(told(PrincipalKind::Service, "service_role", Kind::Write), None);
    }
}
