//! The gate of the PostgREST dialect. Where a schema asks for row-level security the platform's rules hold; where it does
//! not (`require_rls = false`), requests reach PostgreSQL as PostgREST's do, and its grants and policies are the answer.

use bedplate_query::catalog::{Catalog, FunctionId, MediaHandler, RelationId, RoleId};
use bedplate_query::gate::{Denial, Gate, Verb};

use crate::Rules;
use crate::rules::is_callable;

/// [`Rules`] for `/rest/v1`.
#[derive(Debug, Clone, Default)]
pub struct Dialect {
    rules: Rules,
    aggregates: bool,
}

impl Dialect {
    /// `aggregates`: whether they may be selected (`db-aggregates-enabled`), everywhere.
    pub fn new(rules: Rules, aggregates: bool) -> Self {
        Self { rules, aggregates }
    }

    /// Whether PostgreSQL alone decides in this schema.
    fn is_open(&self, schema: &str) -> bool {
        !self.rules.config().requires_rls(schema)
    }
}

impl Gate for Dialect {
    fn relation(
        &self,
        catalog: &Catalog,
        role: RoleId,
        relation: RelationId,
        verb: Verb,
    ) -> Result<(), Denial> {
        if !self.is_open(catalog.relation(relation).schema.as_str()) {
            return self.rules.relation(catalog, role, relation, verb);
        }
        match self.rules.exposure(catalog, relation) {
            None => Ok(()),
            Some(refusal) => Err(Denial::Hidden(refusal.describe(catalog, role, relation, verb))),
        }
    }

    fn function(&self, catalog: &Catalog, role: RoleId, id: FunctionId) -> Result<(), Denial> {
        let function = catalog.function(id);
        let schema = function.schema.as_str();
        if !self.is_open(schema) {
            return self.rules.function(catalog, role, id);
        }
        let offered = catalog.is_served_schema(schema) && self.rules.config().offers(schema);
        if offered && is_callable(catalog, function) {
            return Ok(());
        }
        Err(Denial::Hidden("the function is in a schema that is not served, or cannot be called".to_owned()))
    }

    fn aggregates(&self, _: &Catalog, _: RoleId, _: RelationId) -> bool {
        self.aggregates
    }

    fn result_aggregates(&self, _: &Catalog, _: RoleId) -> bool {
        self.aggregates
    }

    fn media_handler(&self, catalog: &Catalog, role: RoleId, handler: &MediaHandler) -> bool {
        self.is_open(handler.schema.as_str()) || self.rules.media_handler(catalog, role, handler)
    }

    fn conceals(&self, schema: &str) -> bool {
        !self.is_open(schema)
    }
}
