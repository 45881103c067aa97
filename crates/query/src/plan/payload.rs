//! The values of a write: which columns a body may name, and how what it says of them becomes theirs.

use bedplate_core::{Problem, problem};

use super::access::forbidden;
use super::parents::Path;
use super::planner::{Planner, column};
use super::tree::{BulkColumn, BulkDefault, Input, Operand, TypeName};
use crate::catalog::{Column, Identity, Oid, Relation, RelationId};
use crate::fault::Fault;
use crate::gate::Verb;
use crate::ident::Ident;
use crate::pgtext::Target;
use crate::problems::UNKNOWN_COLUMN;
use crate::request::{Name, ValueRef};

/// PostgreSQL's `bit`, which without a length has exactly one digit.
const BIT: Oid = 1560;

impl<'a> Planner<'a> {
    /// The columns of a body, in its order. All faults are told at once; the PostgREST dialect leaves to PostgreSQL
    /// what may not be written.
    pub(super) fn writable(
        &self,
        id: RelationId,
        names: &[&Name],
        verb: Verb,
    ) -> Result<Vec<&'a Column>, Problem> {
        let relation = self.get(id);
        let mut columns = Vec::with_capacity(names.len());
        let (mut unknown, mut refused, mut generated) = (Vec::new(), Vec::new(), Vec::new());
        let strict = !self.is_dialect();
        for name in names {
            let found = self.catalog.find_column(id, name).filter(|found| strict || self.knows(id, *found));
            let Some(found) = found else {
                unknown.push(*name);
                continue;
            };
            let column = column(relation, found);
            if strict && !self.holds_on(id, found, verb) {
                let known = self.holds_on(id, found, Verb::Select);
                if known { refused.push(*name) } else { unknown.push(*name) }
            } else if strict && (column.generated || column.identity == Identity::Always) {
                generated.push(*name);
            } else {
                columns.push(column);
            }
        }
        let with = |code, names: &[&Name], fault: &str| {
            names.iter().fold(Problem::new(code), |p, name| p.field(name.to_string(), fault.to_owned()))
        };
        if !unknown.is_empty() {
            let fault = format!("is not a column of {:?}", relation.name.as_str());
            let problem = with(&UNKNOWN_COLUMN, &unknown, &fault).detail("The body has unknown columns");
            return Err(unknown_written(problem, relation, &unknown));
        }
        if !refused.is_empty() {
            return Err(with(&problem::FORBIDDEN, &refused, "may not be written by you"));
        }
        if !generated.is_empty() {
            return Err(with(&problem::VALIDATION_FAILED, &generated, "is set by the database"));
        }
        Ok(columns)
    }

    /// What the path above a resource fills in.
    pub(super) fn inherit(
        &mut self,
        path: Option<&Path<'a>>,
        id: RelationId,
        given: &[&Column],
    ) -> Result<Vec<(Ident, Input, TypeName)>, Problem> {
        let Some(path) = path else { return Ok(Vec::new()) };
        let relation = self.get(id);
        let mut inherited = Vec::new();
        for (at, name, input) in self.inherited(path)? {
            if given.iter().any(|c| c.name == name) {
                return Err(Problem::new(&problem::VALIDATION_FAILED)
                    .field(name.to_string(), "is set by the path".to_owned()));
            }
            let column = column(relation, at);
            if self.style.star_readable_only && !self.holds_on(id, at, Verb::Insert) {
                return Err(forbidden(
                    relation.name.as_str(),
                    format!("INSERT on column {name} is not granted"),
                ));
            }
            inherited.push((name, input, self.type_name(column.type_oid)?));
        }
        Ok(inherited)
    }

    /// One field. The PostgREST dialect has PostgreSQL read arrays and composites, as it does in bulk rows: with its
    /// leniency and its messages. So it does for domains with a representation, whose functions then see only what is
    /// really written.
    pub(super) fn input(&self, column: &Column, value: ValueRef) -> Result<Input, Problem> {
        let [_, parse, _] = self.representation(column.type_oid);
        if self.is_dialect() && parse.is_some() {
            return Ok(Input::Record { value, type_name: TypeName::Builtin("json"), parse });
        }
        if parse.is_some() {
            return Ok(Input::Json { value, target: Target::Json, parse });
        }
        let target = self.target(column.type_oid);
        if self.is_dialect() && matches!(target, Target::Array(_) | Target::Composite(_)) {
            let type_name = self.read_type(column.type_oid)?;
            return Ok(Input::Record { value, type_name, parse: None });
        }
        Ok(Input::Json { value, target, parse: None })
    }

    pub(super) fn bulk_column(&self, column: &Column, missing_default: bool) -> Result<BulkColumn, Problem> {
        let [_, parse, _] = self.representation(column.type_oid);
        let default = match (&column.default, column.identity) {
            _ if !missing_default || column.generated => None,
            (_, Identity::ByDefault | Identity::Always) => Some(BulkDefault::Identity),
            (Some(expression), Identity::No) => Some(BulkDefault::Expression(expression.clone())),
            (None, Identity::No) => None,
        };
        // PostgREST draws one for each row of a body, so that numbers are the same ones there and here.
        let drawn = self.is_dialect()
            && default.as_ref().is_some_and(|default| match default {
                BulkDefault::Identity => true,
                BulkDefault::Expression(expression) => expression.starts_with("nextval("),
            });
        let type_name = match (&parse, &default) {
            (Some(_), _) => TypeName::Builtin("json"),
            // A domain that takes no NULL must not refuse the missing value before the default stands in for it.
            (None, Some(_)) => self.read_type(self.base_type(column.type_oid))?,
            (None, None) => self.read_type(column.type_oid)?,
        };
        Ok(BulkColumn { name: column.name.clone(), type_name, default, drawn, parse })
    }

    /// The columns that rows must have these values in.
    pub(super) fn matching(
        &self,
        columns: &[&Column],
        matching: &[(Name, ValueRef)],
    ) -> Result<Vec<(usize, Operand)>, Problem> {
        let operand = |(name, value): &(Name, ValueRef)| {
            let (at, column) =
                columns.iter().enumerate().find(|(_, column)| column.name.as_str() == &**name).ok_or_else(
                    || Problem::new(&problem::MALFORMED).detail(format!("The body lacks {name:?}")),
                )?;
            let [_, _, parse] = self.representation(column.type_oid);
            Ok((at, Operand { value: *value, parse }))
        };
        matching.iter().map(operand).collect()
    }

    /// The type as JSON is read into it. Lengths are left to the assignment.
    fn read_type(&self, type_oid: Oid) -> Result<TypeName, Problem> {
        const ANY_BITS: TypeName = TypeName::Builtin("varbit");
        match self.element(type_oid) {
            _ if type_oid == BIT => Ok(ANY_BITS),
            Some(BIT) => Ok(TypeName::Array(Box::new(ANY_BITS))),
            _ => self.type_name(type_oid),
        }
    }
}

/// One column is told as data: the first in the order of names.
fn unknown_written(problem: Problem, relation: &Relation, unknown: &[&Name]) -> Problem {
    match unknown.iter().min() {
        None => problem,
        Some(first) => problem.caused_by(Fault::UnknownWrittenColumn {
            relation: relation.name.to_string(),
            column: Name::clone(first),
        }),
    }
}
