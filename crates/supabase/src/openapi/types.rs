//! PostgreSQL's types in the words of Swagger.

use std::collections::HashMap;
use std::sync::Arc;

use bedplate_query::catalog::{Argument, Catalog, Column, Type, TypeKind};
use serde_json::Value;

use super::document::Items;

const BIT: u32 = 1560;
const VARBIT: u32 = 1562;

/// `None`: any JSON value.
pub(super) fn swagger_type(name: &str) -> Option<&'static str> {
    Some(match name {
        "boolean" => "boolean",
        "smallint" | "integer" | "bigint" => "integer",
        "numeric" | "real" | "double precision" => "number",
        "json" | "jsonb" => return None,
        array if array.ends_with("[]") => "array",
        _ => "string",
    })
}

pub(super) fn format(name: &str) -> &str {
    match name {
        "smallint" | "integer" => "int32",
        "bigint" => "int64",
        other => other,
    }
}

pub(super) fn element(name: &str) -> &str {
    name.strip_suffix("[]").unwrap_or(name)
}

pub(super) fn items(name: &str) -> Option<Items<'static>> {
    let is_array = swagger_type(name) == Some("array");
    is_array.then(|| Items { r#type: swagger_type(element(name)), format: None })
}

/// The name of a column's type: without modifiers where it is PostgreSQL's own, and of domains over PostgreSQL's own types
/// the type below.
pub(super) fn of_column<'a>(catalog: &'a Catalog, column: &'a Column) -> &'a str {
    let builtin = |found: &&Type| found.schema.as_str() == "pg_catalog";
    match catalog.type_of(column.type_oid) {
        Some(Type { kind: TypeKind::Domain { .. }, .. }) => catalog
            .base_type(column.type_oid)
            .filter(builtin)
            .map_or(&column.type_name, |base| &base.sql_name),
        Some(found) if builtin(&found) => &found.sql_name,
        _ => &column.type_name,
    }
}

/// The labels of an enum, or of a domain over one.
pub(super) fn labels<'a>(catalog: &'a Catalog, column: &Column) -> &'a [Arc<str>] {
    match catalog.base_type(column.type_oid).map(|found| &found.kind) {
        Some(TypeKind::Enum(labels)) => labels,
        _ => &[],
    }
}

/// Characters, or bits.
pub(super) fn max_length(column: &Column) -> Option<u32> {
    if matches!(column.type_oid, BIT | VARBIT) {
        let (_, modifier) = column.type_name.split_once('(')?;
        return modifier.strip_suffix(')')?.parse().ok();
    }
    column.max_length
}

/// A column's default, where it is a constant that JSON can say; of texts also the expression itself, as PostgREST has it.
pub(super) fn default(name: &str, expression: &str) -> Option<Value> {
    if swagger_type(name) != Some("string") {
        return serde_json::from_str(expression).ok();
    }
    let literal = expression.strip_suffix(name).and_then(|rest| rest.strip_suffix("::"));
    let text = literal.map_or(expression, |literal| literal.trim_matches('\''));
    // Read as the inside of a JSON text: what has quotes in it is no constant.
    serde_json::from_str(&format!("\"{text}\"")).ok()
}

/// Names of types as a session with the given search path prints them (`regtype`): without the schema where that type is the
/// first of its name on the path.
pub(super) struct Names<'a> {
    catalog: &'a Catalog,
    path: Vec<&'a str>,
    /// By name: the schemas that have a type of it.
    known: HashMap<&'a str, Vec<&'a str>>,
}

impl<'a> Names<'a> {
    pub fn new(catalog: &'a Catalog, path: &[&'a str]) -> Self {
        let mut known: HashMap<&str, Vec<&str>> = HashMap::new();
        for found in catalog.types.values() {
            known.entry(found.name.as_str()).or_default().push(found.schema.as_str());
        }
        Self { catalog, path: std::iter::once("pg_catalog").chain(path.iter().copied()).collect(), known }
    }

    pub fn of_argument(&self, argument: &'a Argument) -> &'a str {
        let full: &'a str = &argument.type_name;
        let Some(found) = self.catalog.type_of(argument.type_oid) else { return full };
        let named = match found.kind {
            TypeKind::Array(element) => self.catalog.type_of(element).unwrap_or(found),
            _ => found,
        };
        let schemas = self.known.get(named.name.as_str());
        let first = self.path.iter().find(|schema| schemas.is_some_and(|all| all.contains(schema)));
        if first != Some(&named.schema.as_str()) {
            return full;
        }
        without_schema(full).unwrap_or(full)
    }
}

/// What follows `schema.`, which is in double quotes where it is not a plain word.
fn without_schema(name: &str) -> Option<&str> {
    if let Some(quoted) = name.strip_prefix('"') {
        let end = quoted.replace("\"\"", "__").find('"')?;
        return quoted.get(end + 1..)?.strip_prefix('.');
    }
    let (schema, rest) = name.split_once('.')?;
    schema.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '$')).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn defaults_are_constants() {
        let default = |name, expression| default(name, expression);
        assert_eq!(default("text", "'default'::text"), Some(json!("default")));
        assert_eq!(default("text", "'say \"hi\"'::text"), None);
        assert_eq!(default("date", "'1900-01-01'::date"), Some(json!("1900-01-01")));
        assert_eq!(default("timestamp with time zone", "now()"), Some(json!("now()")));
        assert_eq!(default("integer", "42"), Some(json!(42)));
        assert_eq!(default("numeric", "42.2"), Some(json!(42.2)));
        assert_eq!(default("boolean", "false"), Some(json!(false)));
        assert_eq!(default("integer", "nextval('a_seq'::regclass)"), None);
        assert_eq!(default("jsonb", "'{}'::jsonb"), None);
        assert_eq!(default("text[]", "'{}'::text[]"), None);
    }

    #[test]
    fn types_and_formats() {
        assert_eq!((swagger_type("bigint"), format("bigint")), (Some("integer"), "int64"));
        assert_eq!((swagger_type("jsonb"), format("jsonb")), (None, "jsonb"));
        assert_eq!(swagger_type("test.mood"), Some("string"));
        assert_eq!(items("json[]").map(|items| items.r#type), Some(None));
        assert_eq!(items("bigint[]").map(|items| items.r#type), Some(Some("integer")));
        assert!(items("text").is_none());
    }

    #[test]
    fn a_schema_is_cut_off_where_it_is_one() {
        assert_eq!(without_schema("test.mood[]"), Some("mood[]"));
        assert_eq!(without_schema("\"a.\"\"b\".\"Mood\""), Some("\"Mood\""));
        assert_eq!(without_schema("integer"), None);
        assert_eq!(without_schema("\"char\""), None);
    }
}
