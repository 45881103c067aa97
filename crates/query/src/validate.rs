//! Bodies checked against the contract before the database is asked, so that all faults are told at once and by field.
//!
//! What is demanded stands in [`crate::contract`], from which the published JSON Schemas are written too: a body that its
//! schema allows is not refused here. Each type has one form in JSON, where PostgreSQL would also read others (a number as
//! text); apart from that nothing is refused that PostgreSQL would accept. Where that is not certain (odd spellings of
//! dates, triggers that fill in columns, expressions we do not read) the value is passed on.

pub mod body;
mod dates;
mod literal;
pub mod payload;
mod rules;
mod value;

use bedplate_core::FieldFaults;
use serde_json::value::RawValue;

use crate::catalog::{Catalog, FunctionId, RelationId, RoleId};
use crate::contract::{Record, Standing, Value, is_required};
use crate::gate::Verb;
use crate::request::Name;
use value::Checker;

/// One key of a body and the JSON text of its value, as [`body`] reads them.
pub type Field = (Name, Box<RawValue>);

/// Unknown, or not to be known of: the same words, so that nothing is learned from them.
const UNKNOWN: &str = "is not a field of this resource";
const NOT_NULL: &str = "must not be null";
const REQUIRED: &str = "is required";

/// The fields of a new record.
///
/// # Errors
/// The faults by field; those inside arrays and composites as `tags.0`, `address.zip`.
pub fn create(
    catalog: &Catalog,
    role: RoleId,
    relation: RelationId,
    fields: &[Field],
) -> Result<(), FieldFaults> {
    create_below(catalog, role, relation, fields, &[])
}

/// As [`create`], for a record whose columns `filled` come from elsewhere (the parent of a nested path).
pub fn create_below(
    catalog: &Catalog,
    role: RoleId,
    relation: RelationId,
    fields: &[Field],
    filled: &[Name],
) -> Result<(), FieldFaults> {
    let record = Record::new(catalog, Some(role), relation, Verb::Insert);
    let mut checker = Checker::new(catalog);
    given(&record, &mut checker, fields);
    missing(&record, &mut checker, fields, filled);
    checker.finish()
}

/// The fields of a merge patch.
///
/// # Errors
/// As [`create`].
pub fn update(
    catalog: &Catalog,
    role: RoleId,
    relation: RelationId,
    fields: &[Field],
) -> Result<(), FieldFaults> {
    let record = Record::new(catalog, Some(role), relation, Verb::Update);
    let mut checker = Checker::new(catalog);
    given(&record, &mut checker, fields);
    checker.finish()
}

/// The arguments of one function by name. Which overload is meant is the planner's question.
///
/// # Errors
/// As [`create`].
pub fn call(catalog: &Catalog, function: FunctionId, fields: &[Field]) -> Result<(), FieldFaults> {
    let function = catalog.function(function);
    let mut checker = Checker::new(catalog);
    for (name, value) in fields {
        match function.arguments.iter().find(|a| !a.name.is_empty() && a.name == *name) {
            None => checker.fault(name, "is not an argument of this function"),
            Some(argument) => checker.check(name, value.get(), &Value::of_argument(catalog, argument)),
        }
    }
    for argument in function.arguments.iter().filter(|argument| is_required(argument)) {
        if !fields.iter().any(|(name, _)| *name == argument.name) {
            checker.fault(&argument.name, REQUIRED);
        }
    }
    checker.finish()
}

fn given<'a>(record: &Record<'a>, checker: &mut Checker<'a>, fields: &[Field]) {
    for (name, value) in fields {
        let Some(id) = record.catalog.find_column(record.id, name) else {
            checker.fault(name, UNKNOWN);
            continue;
        };
        if let Some(refusal) = refusal(record.standing(id)) {
            checker.fault(name, refusal);
        } else if value.get() == "null" {
            if !record.takes_null(id) {
                checker.fault(name, NOT_NULL);
            }
        } else {
            checker.check(name, value.get(), &record.value(id));
        }
    }
}

fn refusal(standing: Standing) -> Option<&'static str> {
    match standing {
        Standing::Given => None,
        Standing::Unknown => Some(UNKNOWN),
        Standing::Denied => Some("may not be set"),
        Standing::Made => Some("is set by the database and cannot be given"),
        Standing::Fixed => Some("cannot be set"),
    }
}

/// What a new record has to name, and the body leaves out.
fn missing(record: &Record<'_>, checker: &mut Checker<'_>, fields: &[Field], filled: &[Name]) {
    for (at, column) in record.columns() {
        let name = column.name.as_str();
        let given = || fields.iter().any(|(n, _)| **n == *name) || filled.iter().any(|n| **n == *name);
        if record.is_required(at) && !given() {
            checker.fault(name, REQUIRED);
        }
    }
}
