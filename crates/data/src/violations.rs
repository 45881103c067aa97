//! Which fields a refused write is about: constraint names become the columns that the caller sent.

use bedplate_core::Problem;
use bedplate_db::Error;
use bedplate_query::catalog::{Catalog, ColumnId, Relation};

/// The problem for the caller. A violated constraint names its columns, so that a form can show the message at the field; it
/// never shows values, which may belong to rows that the caller cannot see.
pub(crate) fn problem(error: Error, catalog: &Catalog, anonymous: bool) -> Problem {
    let columns = error.db().map(|db| columns_of(db, catalog)).unwrap_or_default();
    let message = error.db().and_then(|db| message_for(&db.code));
    let mut problem = error.into_problem(anonymous);
    if let Some(message) = message {
        for column in columns {
            problem = problem.field(column, message);
        }
    }
    problem
}

fn message_for(sqlstate: &str) -> Option<&'static str> {
    Some(match sqlstate {
        "23502" => "must not be null",
        "23503" => "must refer to an existing record that is not in use elsewhere",
        "23505" => "is taken",
        "23514" => "breaks a rule of this resource",
        "23P01" => "conflicts with an existing record",
        "22001" => "is too long",
        _ => return None,
    })
}

fn columns_of(db: &bedplate_db::DbError, catalog: &Catalog) -> Vec<String> {
    if let Some(column) = &db.column {
        return vec![column.clone()];
    }
    let find = || {
        let (schema, table) = (db.schema.as_deref()?, db.table.as_deref()?);
        let relation = catalog.relation(catalog.find_any_relation(schema, table)?);
        constraint_columns(relation, db.constraint.as_deref()?)
    };
    find().unwrap_or_default()
}

fn constraint_columns(relation: &Relation, name: &str) -> Option<Vec<String>> {
    let unique = relation.uniques.iter().find(|u| u.name.as_str() == name).map(|u| &u.columns);
    let foreign = || relation.foreign_keys.iter().find(|f| f.name.as_str() == name).map(|f| &f.columns);
    let name_of = |c: &ColumnId| relation.columns[c.0 as usize].name.to_string();
    if let Some(columns) = unique.or_else(foreign) {
        return Some(columns.iter().map(name_of).collect());
    }
    // Only simple CHECKs are read, and a simple one is about the columns of its rules.
    let check = relation.checks.iter().find(|check| check.name.as_str() == name)?;
    Some(check.rules.iter().map(|(column, _)| name_of(column)).collect())
}
