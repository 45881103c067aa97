//! Columns, computed columns, JSON paths, casts and aggregates: from a name to an expression with a type.

use std::sync::Arc;

use bedplate_core::Problem;

use super::planner::{ColumnInfo, Planner, Shape, builtin_function, output_name, qualified_function};
use super::similar::nearest;
use super::tree::{Alias, Coding, Expr, Field, FieldValue, Key, Step};
use super::types::oid;
use crate::catalog::{ColumnId, Oid, Returns};
use crate::fault::Fault;
use crate::gate::Verb;
use crate::output::Codec;
use crate::problems::{AGGREGATES_OFF, UNKNOWN_COLUMN};
use crate::request::{self, Aggregate, AggregateFunction, Path};

/// A resolved value. `type_oid` is [`oid::UNKNOWN`] where only PostgreSQL knows.
pub(super) struct Typed {
    pub expr: Expr,
    pub type_oid: Oid,
    pub not_null: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Answer,
    /// Filters and orders: json has no operators, jsonb has.
    Compare,
}

impl<'a> Planner<'a> {
    pub(super) fn path(
        &self,
        shape: Shape<'a>,
        of: Alias,
        path: &Path,
        purpose: Purpose,
    ) -> Result<Typed, Problem> {
        let found = match self.find_column(shape, &path.column) {
            Some(c) => {
                Typed { expr: Expr::Column { of, name: c.name }, type_oid: c.type_oid, not_null: c.not_null }
            }
            None => {
                self.computed(shape, of, &path.column).ok_or_else(|| self.unknown(shape, &path.column))?
            }
        };
        Ok(if path.steps.is_empty() { found } else { self.inside(found, &path.steps, purpose) })
    }

    fn inside(&self, base: Typed, steps: &[request::Step], purpose: Purpose) -> Typed {
        let steps: Vec<Step> = steps.iter().map(step).collect();
        let as_text = steps.last().is_some_and(|s| s.as_text);
        let base_type = self.base_type(base.type_oid);
        let keeps =
            base_type == oid::JSONB || base_type == oid::JSON && (as_text || purpose == Purpose::Answer);
        let (expr, json) = if keeps {
            (base.expr, base_type)
        } else {
            (
                Expr::Apply { function: builtin_function("to_jsonb"), argument: Box::new(base.expr) },
                oid::JSONB,
            )
        };
        let type_oid = if as_text { oid::TEXT } else { json };
        Typed { expr: Expr::Json { base: Box::new(expr), steps }, type_oid, not_null: false }
    }

    /// A function of the row type, used as a column.
    fn computed(&self, shape: Shape<'a>, of: Alias, name: &str) -> Option<Typed> {
        let Shape::Relation { id, checked, .. } = shape else { return None };
        let found = self.catalog.find_row_function(id, name).filter(|function| self.uses(*function))?;
        let function = self.function(found);
        let Returns::Scalar { type_oid, set: false } = function.returns else { return None };
        // The whole row is passed, so every column of it must be the role's to read.
        (!checked || self.reads_all(id)).then(|| Typed {
            expr: Expr::Computed { of, function: qualified_function(function) },
            type_oid,
            not_null: false,
        })
    }

    /// 400 `unknown_column`. The hint names only columns that the role may read, in every dialect.
    pub(super) fn unknown(&self, shape: Shape<'a>, name: &str) -> Problem {
        let (relation, on, known): (String, String, Vec<&str>) = match shape {
            Shape::Relation { id, relation, checked } => {
                let readable = |at: usize| !checked || self.holds_on(id, ColumnId(at as u16), Verb::Select);
                let columns = relation.columns.iter().enumerate().filter(|(at, _)| readable(*at));
                let on = format!(" of {:?}", relation.name.as_str());
                (relation.name.to_string(), on, columns.map(|(_, c)| c.name.as_str()).collect())
            }
            Shape::Columns(columns) => {
                let known = columns.iter().map(|(name, _)| name.as_str()).collect();
                (String::new(), String::new(), known)
            }
        };
        // As PostgreSQL says it of PostgREST's statements, where an embedded relation has such an alias.
        let relation = match self.depth {
            0 => relation,
            depth => format!("{relation}_{depth}"),
        };
        let problem = Problem::new(&UNKNOWN_COLUMN)
            .detail(format!("There is no column {name:?}{on}"))
            .field(name, format!("is not a column{on}"))
            .caused_by(Fault::UnknownColumn { relation, column: name.into() });
        match nearest(name, known.into_iter()) {
            Some(near) => problem.hint(format!("Did you mean {near:?}?")),
            None => problem,
        }
    }

    /// `*`.
    pub(super) fn star(&self, shape: Shape<'a>, of: Alias) -> Vec<Field> {
        self.columns(shape).into_iter().map(|column| self.plain(of, column)).collect()
    }

    fn plain(&self, of: Alias, column: ColumnInfo) -> Field {
        let name = column.name.clone();
        let value = self.answered(Expr::Column { of, name: column.name }, column.type_oid);
        Field { name, value }
    }

    /// A value with the JSON form of its type.
    fn answered(&self, expr: Expr, type_oid: Oid) -> FieldValue {
        match self.representation(type_oid) {
            [Some(function), ..] => FieldValue::Value {
                expr: Expr::Apply { function, argument: Box::new(expr) },
                coding: Coding::Wire(Codec::Json),
            },
            _ => FieldValue::Value { expr, coding: self.coding(type_oid) },
        }
    }

    pub(super) fn is_aggregate(&self, shape: Shape<'a>, field: &request::Field) -> bool {
        field.aggregate.is_some() || self.bare_count(shape, field).is_some()
    }

    /// A selected field, and whether it is an aggregate. `comparable`: rows are grouped or made distinct by it.
    pub(super) fn field(
        &self,
        shape: Shape<'a>,
        of: Alias,
        field: &request::Field,
        comparable: bool,
    ) -> Result<(Field, bool), Problem> {
        let purpose = if comparable { Purpose::Compare } else { Purpose::Answer };
        let aggregate = field.aggregate.clone().or_else(|| self.bare_count(shape, field));
        let counts_rows = field.aggregate.is_none() && aggregate.is_some();
        let path = if counts_rows { None } else { field.path.as_ref() };
        let mut value = path.map(|path| self.path(shape, of, path, purpose)).transpose()?;
        if let (Some(cast), Some(typed)) = (&field.cast, &mut value) {
            let (type_oid, to) = self.named_type(cast)?;
            let expr = Box::new(self.castable(typed.expr.clone(), typed.type_oid));
            *typed = Typed { expr: Expr::Cast { expr, to }, type_oid, not_null: false };
        }
        let name = output_name(&field_name(field, aggregate.as_ref()))?;
        match aggregate {
            Some(aggregate) => {
                // PostgREST takes the older spelling of a count for a computed column, which is always allowed.
                if !(counts_rows && self.is_dialect()) {
                    self.permit_aggregates(shape)?;
                }
                Ok((Field { name, value: self.aggregate(value, &aggregate)? }, true))
            }
            None => {
                let typed = value.ok_or_else(|| Problem::internal_error("a field without a path"))?;
                Ok((Field { name, value: self.answered(typed.expr, typed.type_oid) }, false))
            }
        }
    }

    /// `rel(count)`: the older spelling of `rel(count())`, where there is no such column.
    fn bare_count(&self, shape: Shape<'a>, field: &request::Field) -> Option<Aggregate> {
        let path = field.path.as_ref()?;
        let bare = &*path.column == "count" && path.steps.is_empty() && field.cast.is_none();
        (bare && self.find_column(shape, "count").is_none())
            .then_some(Aggregate { function: AggregateFunction::Count, cast: None })
    }

    /// What a cast starts from: in the PostgREST dialect a domain's representation.
    fn castable(&self, expr: Expr, type_oid: Oid) -> Expr {
        match self.representation(type_oid) {
            [Some(function), ..] if self.is_dialect() => Expr::Apply { function, argument: Box::new(expr) },
            _ => expr,
        }
    }

    pub(super) fn permit_aggregates(&self, shape: Shape<'a>) -> Result<(), Problem> {
        let allowed = match shape {
            Shape::Relation { id, .. } => self.gate.aggregates(self.catalog, self.role, id),
            Shape::Columns(_) => self.gate.result_aggregates(self.catalog, self.role),
        };
        if allowed {
            return Ok(());
        }
        Err(Problem::new(&AGGREGATES_OFF)
            .hint("The setting api.aggregates names the resources that offer them")
            .caused_by(Fault::AggregatesOff))
    }

    fn aggregate(&self, argument: Option<Typed>, aggregate: &Aggregate) -> Result<FieldValue, Problem> {
        let of = argument.as_ref().map_or(oid::UNKNOWN, |a| self.base_type(a.type_oid));
        let type_oid = aggregate_type(aggregate.function, of);
        let expr =
            Expr::Aggregate { function: aggregate.function, argument: argument.map(|a| Box::new(a.expr)) };
        match &aggregate.cast {
            None => Ok(FieldValue::Value { expr, coding: self.coding(type_oid) }),
            Some(cast) => {
                let (type_oid, to) = self.named_type(cast)?;
                Ok(self.answered(Expr::Cast { expr: Box::new(expr), to }, type_oid))
            }
        }
    }
}

fn step(step: &request::Step) -> Step {
    let key = match &step.key {
        request::Key::Field { name, .. } => Key::Field(name.clone()),
        request::Key::Index(index) => Key::Index(*index),
    };
    Step { as_text: step.as_text, key }
}

fn aggregate_type(function: AggregateFunction, of: Oid) -> Oid {
    use AggregateFunction::{Avg, Count, Max, Min, Sum};
    match (function, of) {
        (Count, _) | (Sum, oid::INT2 | oid::INT4) => oid::INT8,
        (Sum, oid::INT8 | oid::NUMERIC) | (Avg, oid::INT2 | oid::INT4 | oid::INT8 | oid::NUMERIC) => {
            oid::NUMERIC
        }
        (Avg, oid::FLOAT4 | oid::FLOAT8) => oid::FLOAT8,
        (Sum, oid::FLOAT4 | oid::FLOAT8 | oid::MONEY | oid::INTERVAL)
        | (Avg, oid::INTERVAL)
        | (Min | Max, _) => of,
        (Sum | Avg, _) => oid::UNKNOWN,
    }
}

/// The output name: alias, aggregate, last JSON key, column.
fn field_name(field: &request::Field, aggregate: Option<&Aggregate>) -> Arc<str> {
    if let Some(alias) = &field.alias {
        return alias.clone();
    }
    if let Some(aggregate) = aggregate {
        return match aggregate.function {
            AggregateFunction::Count => "count",
            AggregateFunction::Sum => "sum",
            AggregateFunction::Avg => "avg",
            AggregateFunction::Min => "min",
            AggregateFunction::Max => "max",
        }
        .into();
    }
    let Some(path) = &field.path else { return "".into() };
    let keys = path.steps.iter().rev().find_map(|step| match &step.key {
        request::Key::Field { name, .. } => Some(name.clone()),
        request::Key::Index(_) => None,
    });
    keys.unwrap_or_else(|| path.column.clone())
}

/// The path as it stands in a canonical order text.
pub(super) fn path_text(path: &Path) -> String {
    let mut text = path.column.to_string();
    for step in &path.steps {
        text.push_str(if step.as_text { "->>" } else { "->" });
        match &step.key {
            request::Key::Field { name, .. } => text.push_str(name),
            request::Key::Index(index) => text.push_str(&index.to_string()),
        }
    }
    text
}
