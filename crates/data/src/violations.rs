//! Which fields a refused write is about: constraint names become the columns that the caller sent.

use bedplate_core::Problem;
use bedplate_db::{DbError, Error};
use bedplate_query::catalog::{Catalog, ColumnId, Relation, RelationId, RoleId};
use bedplate_query::gate::{Gate, Verb};

const VERBS: [Verb; 4] = [Verb::Select, Verb::Insert, Verb::Update, Verb::Delete];

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

/// The same for callers of dialects that show PostgreSQL's words, which name only what the audience may know of. In development
/// (`open`) the audience is the developer.
pub(crate) fn for_door(error: Error, audience: &Audience<'_>, open: bool) -> Problem {
    let hidden = error.db().filter(|_| !open).and_then(|db| Some((concealed(db, audience)?, db.to_string())));
    let problem = problem(error, audience);
    match hidden {
        Some((told, whole)) => problem.internal(whole).caused_by(told),
        None => problem,
    }
}

/// What PostgreSQL said, without what the audience may not know of: relations that a trigger, a policy or a function touched,
/// columns without a grant, and with them the values in its details. `None`: all of it may be told.
fn concealed(error: &DbError, audience: &Audience<'_>) -> Option<DbError> {
    // The app's own words are meant for its callers.
    if error.routine.as_deref() == Some("exec_stmt_raise") {
        return None;
    }
    let message = match error.code.as_str() {
        code if code.starts_with("23") => {
            let (schema, table) = (error.schema.as_deref()?, error.table.as_deref()?);
            if !audience.gate.conceals(schema) {
                return None;
            }
            match audience.tells(schema, table, error) {
                Told::All => return None,
                Told::NoDetail => return Some(DbError { detail: None, ..error.clone() }),
                Told::Nothing => neutral(code),
            }
        }
        "42501" => match error.routine.as_deref()? {
            "aclcheck_error" | "aclcheck_error_col" if !audience.is_named(&error.message) => {
                "permission denied"
            }
            "ExecWithCheckOptions" if !audience.is_named(&error.message) => {
                "new row violates row-level security policy"
            }
            _ => return None,
        },
        _ => return None,
    };
    let (severity, code) = (error.severity.clone(), error.code.clone());
    Some(DbError { severity, code, message: message.to_owned(), ..DbError::default() })
}

/// PostgreSQL's words for a violated constraint, without names.
fn neutral(sqlstate: &str) -> &'static str {
    match sqlstate {
        "23502" => "null value violates not-null constraint",
        "23503" => "violates foreign key constraint",
        "23505" => "duplicate key value violates unique constraint",
        "23514" => "violates check constraint",
        "23P01" => "conflicting key value violates exclusion constraint",
        _ => "violates a constraint",
    }
}

/// How much of a violation may be told.
enum Told {
    All,
    /// Of a foreign key, whose other end stands in the details.
    NoDetail,
    Nothing,
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

fn columns_of(db: &DbError, audience: &Audience<'_>) -> Option<Vec<String>> {
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

impl Audience<'_> {
    fn knows_relation(&self, relation: RelationId) -> bool {
        VERBS.into_iter().any(|verb| self.gate.relation(self.catalog, self.role, relation, verb).is_ok())
    }

    fn tells(&self, schema: &str, table: &str, error: &DbError) -> Told {
        let found = self.catalog.find_any_relation(schema, table).filter(|id| self.knows_relation(*id));
        let Some(id) = found else { return Told::Nothing };
        let relation = self.catalog.relation(id);
        let constraint = error.constraint.as_deref();
        let columns = match (&error.column, constraint) {
            (Some(column), _) => self.catalog.find_column(id, column).map(|column| vec![column]),
            (None, Some(constraint)) => constraint_columns(relation, constraint),
            (None, None) => None,
        };
        if columns.is_some_and(|columns| columns.into_iter().any(|column| !self.knows(id, column))) {
            return Told::Nothing;
        }
        let key = relation.foreign_keys.iter().find(|key| Some(key.name.as_str()) == constraint);
        if key.is_some_and(|key| !self.knows_relation(key.target)) { Told::NoDetail } else { Told::All }
    }

    /// Whether the message ends in the name of something that the caller may know of. Messages may be translated; names
    /// are not.
    fn is_named(&self, message: &str) -> bool {
        let ends = |name: &str| {
            let before = message.trim_end_matches('"').strip_suffix(name);
            before.is_some_and(|before| before.ends_with([' ', '"']))
        };
        self.catalog
            .schemas
            .iter()
            .any(|schema| !self.gate.conceals(schema.as_str()) || ends(schema.as_str()))
            || self.catalog.relations.iter().enumerate().any(|(at, relation)| {
                let id = RelationId(at as u32);
                ends(relation.name.as_str()) && self.catalog.is_resource(id) && self.knows_relation(id)
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
