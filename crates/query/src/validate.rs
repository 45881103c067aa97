//! Bodies checked against the catalog before the database is asked, so that all faults are told at once and by field.
//!
//! PostgreSQL stays the judge: nothing is refused here that it would accept. Where that is not certain (odd spellings of
//! dates, triggers that fill in columns, expressions we do not read) the value is passed on.

pub mod body;
mod dates;
mod literal;
pub mod payload;
mod rules;
mod value;

use bedplate_core::FieldFaults;
use serde_json::value::RawValue;

use crate::catalog::{
    Catalog, Column, ColumnId, FunctionId, Identity, Relation, RelationId, RelationKind, RoleId,
};
use crate::gate::Verb;
use crate::request::Name;
use value::{Checker, Slot};

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
    let write =
        Write { catalog, role, id: relation, relation: catalog.relation(relation), verb: Verb::Insert };
    let mut checker = Checker::new(catalog);
    write.given(&mut checker, fields);
    write.missing(&mut checker, fields, filled);
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
    let write =
        Write { catalog, role, id: relation, relation: catalog.relation(relation), verb: Verb::Update };
    let mut checker = Checker::new(catalog);
    write.given(&mut checker, fields);
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
            Some(argument) => {
                let slot =
                    Slot { type_oid: argument.type_oid, max_length: None, rules: Vec::new(), exact: false };
                checker.check(name, value.get(), &slot);
            }
        }
    }
    for argument in function.arguments.iter().filter(|a| !a.has_default && !a.variadic && !a.name.is_empty())
    {
        if !fields.iter().any(|(name, _)| *name == argument.name) {
            checker.fault(&argument.name, REQUIRED);
        }
    }
    checker.finish()
}

struct Write<'a> {
    catalog: &'a Catalog,
    role: RoleId,
    id: RelationId,
    relation: &'a Relation,
    verb: Verb,
}

impl Write<'_> {
    fn given(&self, checker: &mut Checker<'_>, fields: &[Field]) {
        for (name, value) in fields {
            let Some(id) = self.catalog.find_column(self.id, name) else {
                checker.fault(name, UNKNOWN);
                continue;
            };
            let column = self.catalog.column(self.id, id);
            if let Some(refusal) = self.refusal(id, column) {
                checker.fault(name, refusal);
            } else if value.get() == "null" && self.refuses_null(checker, id, column) {
                checker.fault(name, NOT_NULL);
            } else {
                checker.check(name, value.get(), &self.slot(id, column));
            }
        }
    }

    fn refusal(&self, id: ColumnId, column: &Column) -> Option<&'static str> {
        let may = |verb| self.catalog.can_column(self.role, self.id, id, verb);
        if !may(self.verb) {
            return Some(if may(Verb::Select) { "may not be set" } else { UNKNOWN });
        }
        if column.generated || column.identity == Identity::Always {
            return Some("is set by the database and cannot be given");
        }
        (!column.updatable).then_some("cannot be set")
    }

    /// Whether triggers may change the row before its NOT NULLs and CHECKs count; or these are another server's matter.
    fn is_uncertain(&self) -> bool {
        let triggers = match self.verb {
            Verb::Insert => self.relation.before_insert,
            _ => self.relation.before_update,
        };
        triggers || self.relation.kind == RelationKind::Foreign
    }

    fn refuses_null(&self, checker: &Checker<'_>, id: ColumnId, column: &Column) -> bool {
        // A JSON null is a value of json and jsonb.
        if checker.is_json(column.type_oid) {
            return false;
        }
        let by_check = || self.rules(id).iter().any(|rule| **rule == crate::catalog::Rule::NotNull);
        // A domain's NOT NULL counts before triggers see the row.
        checker.domain_refuses_null(column.type_oid)
            || !self.is_uncertain() && (column.not_null || by_check())
    }

    fn rules(&self, id: ColumnId) -> Vec<&crate::catalog::Rule> {
        let rules = self.relation.checks.iter().flat_map(|check| &check.rules);
        rules.filter(|(column, _)| *column == id).map(|(_, rule)| rule).collect()
    }

    fn slot<'s>(&'s self, id: ColumnId, column: &Column) -> Slot<'s> {
        Slot {
            type_oid: column.type_oid,
            max_length: column.max_length,
            rules: if self.is_uncertain() { Vec::new() } else { self.rules(id) },
            exact: &*column.type_name == "numeric",
        }
    }

    /// NOT NULL columns that the body leaves out and nothing fills. A view does not say what its tables' columns need.
    fn missing(&self, checker: &mut Checker<'_>, fields: &[Field], filled: &[Name]) {
        if !matches!(self.relation.kind, RelationKind::Table | RelationKind::Partitioned) {
            return;
        }
        for (at, column) in self.relation.columns.iter().enumerate() {
            let name = column.name.as_str();
            let made = column.default.is_some() || column.generated || column.identity != Identity::No;
            let needed =
                checker.domain_refuses_null(column.type_oid) || column.not_null && !self.is_uncertain();
            let given = || fields.iter().any(|(n, _)| **n == *name) || filled.iter().any(|n| **n == *name);
            // A column that the role has no right to is not named; PostgreSQL will refuse.
            let may = |verb| self.catalog.can_column(self.role, self.id, ColumnId(at as u16), verb);
            if needed && !made && !given() && (may(Verb::Insert) || may(Verb::Select)) {
                checker.fault(name, REQUIRED);
            }
        }
    }
}
