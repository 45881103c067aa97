//! Which fields a refused write is about: constraint names become the columns that the caller sent.

use bedplate_core::Problem;
use bedplate_db::Error;
use bedplate_query::catalog::{Catalog, ColumnId, Relation, RelationId, RoleId};
use bedplate_query::gate::{Gate, Verb};

/// For whom a problem is told.
pub(crate) struct Audience<'a> {
    pub catalog: &'a Catalog,
    pub gate: &'a dyn Gate,
    pub role: RoleId,
    pub anonymous: bool,
}

/// The problem for the caller. A violated constraint names its columns, so that a form can show the message at the field; it
/// never shows values, which may belong to rows that the caller cannot see, and never a column that the caller may not know
/// of: a trigger may have been writing elsewhere.
pub(crate) fn problem(error: Error, audience: &Audience<'_>) -> Problem {
    let columns = error.db().and_then(|db| columns_of(db, audience)).unwrap_or_default();
    let message = error.db().and_then(|db| message_for(&db.code));
    let mut problem = error.into_problem(audience.anonymous);
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

fn columns_of(db: &bedplate_db::DbError, audience: &Audience<'_>) -> Option<Vec<String>> {
    let catalog = audience.catalog;
    let id = catalog.find_any_relation(db.schema.as_deref()?, db.table.as_deref()?)?;
    let relation = catalog.relation(id);
    let columns = match (&db.column, &db.constraint) {
        (Some(column), _) => vec![catalog.find_column(id, column)?],
        (None, Some(constraint)) => constraint_columns(relation, constraint)?,
        (None, None) => return None,
    };
    let known = columns.into_iter().filter(|column| audience.knows(id, *column));
    Some(known.map(|c| relation.columns[c.0 as usize].name.to_string()).collect())
}

impl Audience<'_> {
    /// Whether the caller can come across this column: it may do something with the relation, and may read or write the
    /// column.
    fn knows(&self, relation: RelationId, column: ColumnId) -> bool {
        [Verb::Select, Verb::Insert, Verb::Update].into_iter().any(|verb| {
            self.gate.relation(self.catalog, self.role, relation, verb).is_ok()
                && self.catalog.can_column(self.role, relation, column, verb)
        })
    }
}

fn constraint_columns(relation: &Relation, name: &str) -> Option<Vec<ColumnId>> {
    let unique = relation.uniques.iter().find(|u| u.name.as_str() == name).map(|u| &u.columns);
    let foreign = || relation.foreign_keys.iter().find(|f| f.name.as_str() == name).map(|f| &f.columns);
    if let Some(columns) = unique.or_else(foreign) {
        return Some(columns.clone());
    }
    // Only simple CHECKs are read, and a simple one is about the columns of its rules.
    let check = relation.checks.iter().find(|check| check.name.as_str() == name)?;
    Some(check.rules.iter().map(|(column, _)| *column).collect())
}
