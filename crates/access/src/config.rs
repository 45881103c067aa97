//! What the app's owner decided: the sections `[access]` and `[api]` of the configuration, as far as they matter here.

use std::collections::BTreeMap;

use bedplate_query::catalog::Catalog;
use bedplate_query::ident::Ident;

/// Names of objects as the configuration lists them: `schema.name`, or `name` in the first served schema; `*` for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed(pub Vec<String>);

impl Listed {
    pub fn has(&self, catalog: &Catalog, schema: &Ident, name: &Ident) -> bool {
        self.0.iter().any(|listed| match listed.split_once('.') {
            _ if listed == "*" => true,
            Some((s, n)) => s == schema.as_str() && n == name.as_str(),
            None => catalog.schemas.first() == Some(schema) && listed == name.as_str(),
        })
    }
}

impl<S: Into<String>> FromIterator<S> for Listed {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }
}

/// The defaults serve only what is protected.
#[derive(Debug, Clone)]
pub struct Config {
    /// The schemas of one front door, where it serves fewer than all of them together. `None`: all.
    pub schemas: Option<Vec<String>>,
    /// Whether tables need row-level security and a policy.
    pub require_rls: bool,
    /// The same for single schemas, where it differs.
    pub require_rls_in: BTreeMap<String, bool>,
    /// Objects that must be served: [`report`](crate::report()) has errors for those that are missing or not protected.
    pub exposed: Listed,
    /// Views and materialized views that are meant to run with their owner's rights.
    pub views: Listed,
    /// Functions that are meant to run with their owner's rights.
    pub functions: Listed,
    /// Foreign tables that are meant to be served.
    pub foreign_tables: Listed,
    /// Where aggregates may be selected.
    pub aggregates: Listed,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            schemas: None,
            require_rls: true,
            require_rls_in: BTreeMap::new(),
            exposed: Listed::default(),
            views: Listed::default(),
            functions: Listed::default(),
            foreign_tables: Listed::default(),
            aggregates: Listed::default(),
        }
    }
}

impl Config {
    /// Whether objects of the schema are offered, as far as the door decides.
    pub(crate) fn offers(&self, schema: &str) -> bool {
        self.schemas.as_ref().is_none_or(|schemas| schemas.iter().any(|offered| offered == schema))
    }

    pub fn requires_rls(&self, schema: &str) -> bool {
        self.require_rls_in.get(schema).copied().unwrap_or(self.require_rls)
    }
}
