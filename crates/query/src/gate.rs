//! The seam to `access`: the planner asks the gate before it names an object in SQL. Fail closed: there is no plan
//! without a gate.

use crate::catalog::{Catalog, FunctionId, MediaHandler, RelationId, RoleId};

/// What an operation wants to do with a relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    Select,
    Insert,
    Update,
    Delete,
}

/// Why an object is not served to a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denial {
    /// Not exposed at all: answered as if it did not exist. The text is for the log and dev mode.
    Hidden(String),
    /// Exposed, but this role may not do this. The text is a hint for developers.
    Forbidden(String),
}

/// Decides whether an object is served. Column grants are checked by the planner against the catalog; row policies by
/// PostgreSQL.
pub trait Gate: Send + Sync {
    fn relation(
        &self,
        catalog: &Catalog,
        role: RoleId,
        relation: RelationId,
        verb: Verb,
    ) -> Result<(), Denial>;
    /// Whether rows of a junction table may decide which rows of a many-to-many embed belong together. None of its
    /// columns is shown.
    fn junction(&self, catalog: &Catalog, role: RoleId, relation: RelationId) -> Result<(), Denial> {
        self.relation(catalog, role, relation, Verb::Select)
    }
    fn function(&self, catalog: &Catalog, role: RoleId, function: FunctionId) -> Result<(), Denial>;
    /// Whether the role may use aggregates on the relation.
    fn aggregates(&self, catalog: &Catalog, role: RoleId, relation: RelationId) -> bool;
    /// Whether the role may use aggregates on rows that a function answers and that are no relation's.
    fn result_aggregates(&self, _catalog: &Catalog, _role: RoleId) -> bool {
        false
    }
    /// Whether an aggregate of the database may make a representation for the role: when EXECUTE was granted to it on
    /// purpose, not only to PUBLIC, which has it by default.
    fn media_handler(&self, catalog: &Catalog, role: RoleId, handler: &MediaHandler) -> bool {
        catalog.is_granted_handler(role, handler)
    }
    /// Whether what a role may not know of in a schema stays untold where PostgreSQL itself would tell it: columns without a
    /// grant are as absent, and its errors name only what the role may know of.
    fn conceals(&self, _schema: &str) -> bool {
        true
    }
}
