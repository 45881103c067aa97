//! Filters on aggregates, by their output names: `select=status,n:count()&having=(n.gt.5)`, or for short `&n=gt.5`, where a
//! column of the same name comes first. Extensions of the grammar.

use bedplate_core::Problem;

use super::column::Typed;
use super::level::Scope;
use super::planner::Planner;
use super::tree::{Cond, Expr, Field, FieldValue};
use super::types::oid;
use crate::problems::QUERY_SYNTAX;
use crate::request::{Logic, Test};

impl<'a> Planner<'a> {
    /// The condition, when every term of the filter names an aggregate.
    pub(super) fn having(
        &self,
        scope: &Scope<'a>,
        fields: &[Field],
        aggregated: bool,
        filter: &Logic,
    ) -> Result<Option<Cond>, Problem> {
        if !aggregated || !self.style.extensions || !self.names_aggregates(scope, fields, filter) {
            return Ok(None);
        }
        self.on_aggregates(fields, filter).map(Some)
    }

    fn names_aggregates(&self, scope: &Scope<'a>, fields: &[Field], filter: &Logic) -> bool {
        match filter {
            Logic::And(terms) | Logic::Or(terms) => {
                !terms.is_empty() && terms.iter().all(|term| self.names_aggregates(scope, fields, term))
            }
            Logic::Not(term) => self.names_aggregates(scope, fields, term),
            Logic::Test(test) => {
                find_aggregate(fields, test).is_some()
                    && self.find_column(scope.shape, &test.path.column).is_none()
            }
        }
    }

    /// Every term of the condition must name an aggregate.
    pub(super) fn on_aggregates(&self, fields: &[Field], filter: &Logic) -> Result<Cond, Problem> {
        let each = |terms: &[Logic]| -> Result<Vec<Cond>, Problem> {
            terms.iter().map(|term| self.on_aggregates(fields, term)).collect()
        };
        Ok(match filter {
            Logic::And(terms) => Cond::All(each(terms)?),
            Logic::Or(terms) => Cond::Any(each(terms)?),
            Logic::Not(term) => Cond::Not(Box::new(self.on_aggregates(fields, term)?)),
            Logic::Test(test) => {
                let expr = find_aggregate(fields, test).ok_or_else(|| {
                    Problem::new(&QUERY_SYNTAX)
                        .detail(format!("{:?} is no selected aggregate", &*test.path.column))
                        .hint("having takes aggregates by their output names: select=kind,n:count()&having=(n.gt.5)")
                })?;
                let left = Typed { expr: expr.clone(), type_oid: oid::UNKNOWN, not_null: false };
                let cond = self.operation(left, test)?;
                if test.negated { Cond::Not(Box::new(cond)) } else { cond }
            }
        })
    }
}

fn find_aggregate<'f>(fields: &'f [Field], test: &Test) -> Option<&'f Expr> {
    if !test.through.is_empty() || !test.path.steps.is_empty() {
        return None;
    }
    fields.iter().find(|field| field.name.as_str() == &*test.path.column).and_then(|field| {
        match &field.value {
            FieldValue::Value { expr, .. } if expr.is_aggregate() => Some(expr),
            _ => None,
        }
    })
}
