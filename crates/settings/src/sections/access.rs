use super::checks;
use crate::table::section;

section! {
    /// What may be served. Closed by default: a table without row-level security and a policy is not offered.
    pub struct Access {
        /// Whether tables need row-level security and a policy to be served. `false` is for legacy databases; production
        /// starts only when `[env.production.access]` says it again.
        require_rls: bool = true;
        /// Objects, as `name` in the first API schema or `schema.name`, that must be served: `bedplate serve` refuses to start when one of them is missing
        /// or not protected. Empty: whatever is protected and granted is served.
        exposed: Vec<String> = Vec::new(), check(checks::qualified);
        /// Views, by such names, that are meant to run with their owner's rights. Others need `security_invoker`.
        views: Vec<String> = Vec::new(), check(checks::qualified);
        /// Functions, by such names, that are meant to run with their owner's rights (SECURITY DEFINER).
        functions: Vec<String> = Vec::new(), check(checks::qualified);
        /// Foreign tables, by such names, that are meant to be served, though they cannot have row-level security.
        foreign_tables: Vec<String> = Vec::new(), check(checks::qualified);
        maps {
            /// Differences for single schemas: `[access.schemas.legacy]`.
            schemas: SchemaAccess;
        }
    }
}

section! {
    /// Differences for one schema.
    pub struct SchemaAccess {
        /// As `access.require_rls`, for the tables of this schema; not set: as there.
        require_rls: Option<bool> = None;
    }
}

impl Access {
    /// Whether tables of `schema` need row-level security and a policy to be served.
    pub fn requires_rls(&self, schema: &str) -> bool {
        self.schemas.get(schema).and_then(|s| s.require_rls).unwrap_or(self.require_rls)
    }
}
