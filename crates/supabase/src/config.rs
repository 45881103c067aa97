//! What shapes the dialect's answers: PostgREST's settings, by PostgREST's names.

use std::sync::Arc;

use bedplate_data::Door;

/// The settings in force. Replaced as a whole when the database's own settings change.
#[derive(Debug)]
pub struct Config {
    /// `db-schemas`: the exposed schemas, never empty; the first is the default.
    pub schemas: Vec<String>,
    /// `db-tx-end`.
    pub transaction: TransactionEnd,
    /// Filters, orders and grouping beyond PostgREST's grammar.
    pub extensions: bool,
    /// Time zones that `Prefer: timezone=…` may name, sorted.
    pub timezones: Arc<[String]>,
    /// The gate and the limits; `page_max` and `embed_rows_max` are `db-max-rows`.
    pub door: Door,
}

/// `db-tx-end`: how transactions end, and whether `Prefer: tx=…` may say otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TransactionEnd {
    pub rollback: bool,
    pub allow_override: bool,
}

impl Config {
    pub(crate) fn knows_timezone(&self, name: &str) -> bool {
        self.timezones.binary_search_by(|known| known.as_str().cmp(name)).is_ok()
    }
}
