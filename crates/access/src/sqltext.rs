//! Names in the SQL that is printed for people: quoted only where PostgreSQL needs it. Nothing here is ever run.

use bedplate_query::catalog::{Catalog, FunctionId, RelationId};
use bedplate_query::ident::Ident;

/// PostgreSQL's reserved words (documentation, appendix "SQL Key Words"), those that cannot be a name as they are.
const RESERVED: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "binary",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "false",
    "fetch",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "group",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "intersect",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "natural",
    "not",
    "notnull",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "outer",
    "overlaps",
    "placing",
    "primary",
    "references",
    "returning",
    "right",
    "select",
    "session_user",
    "similar",
    "some",
    "symmetric",
    "system_user",
    "table",
    "tablesample",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
];

pub(crate) fn name(name: &str) -> String {
    let first = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let rest = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if first && rest && RESERVED.binary_search(&name).is_err() {
        return name.to_owned();
    }
    let mut quoted = String::new();
    Ident::from_catalog(name).push_quoted(&mut quoted);
    quoted
}

pub(crate) fn relation(catalog: &Catalog, id: RelationId) -> String {
    let relation = catalog.relation(id);
    format!("{}.{}", name(relation.schema.as_str()), name(relation.name.as_str()))
}

/// With argument types, as GRANT wants it.
pub(crate) fn function(catalog: &Catalog, id: FunctionId) -> String {
    let function = catalog.function(id);
    let arguments: Vec<&str> = function.arguments.iter().map(|a| &*a.type_name).collect();
    let (schema, own) = (name(function.schema.as_str()), name(function.name.as_str()));
    format!("{schema}.{own}({})", arguments.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_what_needs_it() {
        assert!(RESERVED.is_sorted());
        assert_eq!(name("tickets_2"), "tickets_2");
        assert_eq!(name("user"), "\"user\"");
        assert_eq!(name("Tickets"), "\"Tickets\"");
        assert_eq!(name("2x"), "\"2x\"");
        assert_eq!(name("a\"b"), "\"a\"\"b\"");
    }
}
