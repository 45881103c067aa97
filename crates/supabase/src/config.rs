//! What shapes the dialect's answers: PostgREST's settings, by PostgREST's names.

use std::sync::Arc;

use bedplate_core::PrincipalKind;
use bedplate_data::Door;

/// The settings in force. Replaced as a whole when the database's own settings change.
#[derive(Debug)]
pub struct Config {
    /// `db-schemas`: the exposed schemas, never empty; the first is the default.
    pub schemas: Vec<String>,
    /// The search path of requests for each of `schemas`: that schema and `db-extra-search-path`, as PostgreSQL reads it.
    /// `None` where the connections have it already.
    pub search_paths: Vec<Option<String>>,
    /// `db-extra-search-path`.
    pub extra_search_path: Vec<String>,
    /// `db-tx-end`.
    pub transaction: TransactionEnd,
    /// Filters, orders and grouping beyond PostgREST's grammar.
    pub extensions: bool,
    /// `db-root-spec`: schema, where it names one, and name.
    pub root_spec: Option<Function>,
    /// `db-plan-enabled`.
    pub plans: bool,
    /// `db-max-rows`; `None`: no bound. Also in `door`'s limits.
    pub max_rows: Option<u64>,
    pub openapi: OpenApi,
    /// `server-timing-enabled`.
    pub server_timing: bool,
    /// `server-trace-header`.
    pub trace_header: Option<http::HeaderName>,
    /// Which counts anonymous callers, users and the service may ask for where schemas are protected.
    pub counts: [Counts; 3],
    /// What a JSON body may hold.
    pub json: bedplate_query::validate::body::Limits,
    /// Time zones that `Prefer: timezone=…` may name, sorted.
    pub timezones: Arc<[String]>,
    /// The gate, the limits, `app.settings.*`, `db-pre-request` and `db-hoisted-tx-settings`; the limits' `page_max` and
    /// `embed_rows_max` are `db-max-rows`, `u64::MAX` without one.
    pub door: Door,
}

/// `db-tx-end`: how transactions end, and whether `Prefer: tx=…` may say otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TransactionEnd {
    pub rollback: bool,
    pub allow_override: bool,
}

/// Estimates tell of rows that the caller cannot see.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub exact: bool,
    pub planned: bool,
    pub estimated: bool,
}

/// A function by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    pub schema: Option<String>,
    pub name: String,
}

/// `openapi-*`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenApi {
    pub mode: OpenApiMode,
    pub security_active: bool,
    /// Where clients reach the dialect, when a proxy stands before it.
    pub proxy_uri: Option<String>,
    /// Host and port that the server listens on, for descriptions without `proxy_uri`.
    pub address: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OpenApiMode {
    #[default]
    FollowPrivileges,
    IgnorePrivileges,
    Disabled,
}

impl Config {
    /// Which counts a caller may ask for in a schema. Where grants alone decide they are all PostgREST's.
    pub(crate) fn counts(&self, kind: PrincipalKind, schema: &str) -> Counts {
        if !self.door.gate.conceals(schema) {
            return Counts { exact: true, planned: true, estimated: true };
        }
        let [anonymous, user, service] = self.counts;
        match kind {
            PrincipalKind::Anonymous => anonymous,
            PrincipalKind::User => user,
            PrincipalKind::Service => service,
        }
    }

    pub(crate) fn knows_timezone(&self, name: &str) -> bool {
        self.timezones.binary_search_by(|known| known.as_str().cmp(name)).is_ok()
    }

    /// The search path of requests for a schema; `None` when the connections have it already.
    pub(crate) fn search_path(&self, schema: &str) -> Option<&str> {
        let at = self.schemas.iter().position(|known| known == schema)?;
        self.search_paths.get(at)?.as_deref()
    }
}

impl Function {
    /// `schema.name` or `name`; what follows the first dot is the name.
    pub fn parse(text: &str) -> Self {
        match text.split_once('.') {
            Some((schema, name)) => Self { schema: Some(schema.to_owned()), name: name.to_owned() },
            None => Self { schema: None, name: text.to_owned() },
        }
    }
}
