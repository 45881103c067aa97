//! Why an object is not served, as a value. The texts are for the log and for developers in dev mode: a caller only
//! learns 403 or 404.

use bedplate_query::catalog::{Catalog, FunctionId, RelationId, RoleId};
use bedplate_query::gate::Verb;

use crate::sqltext;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// In no schema that front doors serve.
    SchemaNotServed,
    /// A partition is reached through its parent.
    Partition,
    /// The role has no USAGE on the schema.
    SchemaUsage,
    /// The role has no such privilege on the object.
    Privilege,
    RlsOff,
    /// Row-level security is on, and no permissive policy lets the role do this.
    NoPolicy,
    /// A view that runs with its owner's rights and is not listed.
    OwnersRights,
    /// A view that runs with the caller's rights over something that is not protected.
    ReadsUnprotected(RelationId),
    /// A materialized view, which shows to all what its owner could see, and is not listed.
    Materialized,
    /// A foreign table, which cannot have row-level security, and is not listed.
    Foreign,
    /// A SECURITY DEFINER function that is not listed.
    Definer,
    /// EXECUTE comes from PUBLIC only, which every function has by default.
    PublicOnly,
    /// Takes or returns types that cannot be sent.
    NotCallable,
}

pub(crate) fn verb_name(verb: Verb) -> &'static str {
    match verb {
        Verb::Select => "select",
        Verb::Insert => "insert",
        Verb::Update => "update",
        Verb::Delete => "delete",
    }
}

pub(crate) fn role_name(catalog: &Catalog, role: RoleId) -> &str {
    catalog.role(role).map_or("(unknown role)", |r| r.name.as_str())
}

impl Refusal {
    /// One sentence about a relation, with what to do.
    pub fn describe(self, catalog: &Catalog, role: RoleId, relation: RelationId, verb: Verb) -> String {
        let object = sqltext::relation(catalog, relation);
        let (role_sql, verb) = (sqltext::name(role_name(catalog, role)), verb_name(verb));
        match self {
            Self::SchemaNotServed => format!("{object} is in a schema that is not served"),
            Self::Partition => format!("{object} is a partition; use its parent"),
            Self::SchemaUsage => {
                let schema = sqltext::name(catalog.relation(relation).schema.as_str());
                format!("{role_sql} may not use the schema: grant usage on schema {schema} to {role_sql};")
            }
            Self::Privilege => {
                format!("{role_sql} may not {verb}: grant {verb} on {object} to {role_sql};")
            }
            Self::RlsOff => format!(
                "row-level security is off: alter table {object} enable row level security; and create a policy"
            ),
            Self::NoPolicy => format!(
                "no policy lets {role_sql} {verb}: create policy … on {object} for {verb} to {role_sql} …;"
            ),
            Self::OwnersRights => format!(
                "the view runs with its owner's rights: alter view {object} set (security_invoker = true); or list it \
                 in [access] views"
            ),
            Self::ReadsUnprotected(table) => {
                format!("the view reads {}, which is not protected", sqltext::relation(catalog, table))
            }
            Self::Materialized => {
                format!("{object} is a materialized view and not listed in [access] views")
            }
            Self::Foreign => {
                format!("{object} is a foreign table and not listed in [access] foreign_tables")
            }
            Self::Definer | Self::PublicOnly | Self::NotCallable => format!("{object} is not served"),
        }
    }

    /// One sentence about a function, with what to do.
    pub fn describe_function(self, catalog: &Catalog, role: RoleId, function: FunctionId) -> String {
        let object = sqltext::function(catalog, function);
        let role_sql = sqltext::name(role_name(catalog, role));
        match self {
            Self::Definer => format!(
                "{object} runs with its owner's rights (SECURITY DEFINER) and is not listed in [access] functions"
            ),
            Self::PublicOnly => format!(
                "EXECUTE on {object} comes from PUBLIC only, which every function has by default: grant execute on \
                 function {object} to {role_sql};"
            ),
            Self::NotCallable => format!("{object} takes or returns types that cannot be sent"),
            Self::SchemaUsage => {
                let schema = sqltext::name(catalog.function(function).schema.as_str());
                format!("{role_sql} may not use the schema: grant usage on schema {schema} to {role_sql};")
            }
            Self::SchemaNotServed => format!("{object} is in a schema that is not served"),
            _ => format!("{role_sql} may not execute it: grant execute on function {object} to {role_sql};"),
        }
    }
}
