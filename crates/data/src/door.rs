//! [`Door`]: where a front door's rules differ from the platform's.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bedplate_db::{Format, Statement};
use bedplate_query::gate::Gate;
use bedplate_query::ident::Ident;
use bedplate_query::limits::Limits;

/// The rules of a front door. Made anew when one of them changes: plans belong to the door they were made for.
pub struct Door {
    pub gate: Arc<dyn Gate>,
    pub limits: Limits,
    /// Settings of a called function (`create function … set …`) that hold for the whole transaction, in lower case;
    /// `None`: all that do not make up the security context.
    pub hoisted: Option<Vec<String>>,
    /// Settings of every transaction.
    pub settings: Vec<(String, String)>,
    /// Called in every transaction before its statements.
    pub pre_request: Option<PreRequest>,
    /// Whether SQL may say headers and status of the answer (`response.headers`, `response.status`).
    pub responses: bool,
    id: u64,
}

impl Door {
    pub fn new(gate: Arc<dyn Gate>, limits: Limits) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            gate,
            limits,
            hoisted: None,
            settings: Vec::new(),
            pre_request: None,
            responses: false,
            id: NEXT.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Different for each door ever made, never 0.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door").field("id", &self.id).field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// A function without arguments that looks at each request first.
#[derive(Debug, Clone)]
pub struct PreRequest(pub(crate) Statement);

impl PreRequest {
    /// Without a schema the search path of the request finds it.
    pub fn new(schema: Option<&str>, name: &str) -> Self {
        let mut sql = String::from("select ");
        if let Some(schema) = schema {
            Ident::from_catalog(schema).push_quoted(&mut sql);
            sql.push('.');
        }
        Ident::from_catalog(name).push_quoted(&mut sql);
        sql.push_str("()");
        Self(Statement::new(sql, [Format::Text]))
    }
}

/// What SQL wants the answer to be (`set_config('response.…', …, true)`); empty texts count as not set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SqlResponse {
    /// JSON text: an array of objects with one header each.
    pub headers: Option<String>,
    pub status: Option<String>,
}

pub(crate) const SQL_RESPONSE: &str = "select pg_catalog.current_setting('response.headers', true), pg_catalog.current_setting('response.status', true)";
