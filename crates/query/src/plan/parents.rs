//! Nested paths, `/users/{id}/posts`: the rows above exist and are visible, and the rows below belong to them.

use bedplate_core::{Problem, problem};

use super::planner::{Planner, column, column_of, qualified};
use super::relate::{Near, Way};
use super::tree::{Alias, Cond, Guard, Input, Operand, Source};
use crate::catalog::{ColumnId, RelationId, Via};
use crate::gate::Verb;
use crate::ident::Ident;
use crate::request::{Comparison, Parent, ValueRef};

/// A step of the path, resolved.
struct Step<'a> {
    relation: RelationId,
    key: Vec<(ColumnId, ValueRef)>,
    /// To the next step.
    way: Way<'a>,
}

/// Where a nested path leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Below {
    /// The columns that a new row below gets from its parent; `None` where rows do not belong to one by a foreign key of their
    /// own.
    pub filled: Option<Vec<ColumnId>>,
    /// Whether the role may make rows with those columns.
    pub creates: bool,
}

/// The path above a resource.
pub(super) struct Path<'a> {
    steps: Vec<Step<'a>>,
}

impl<'a> Planner<'a> {
    pub(super) fn parents(
        &self,
        parents: &[Parent],
        target: RelationId,
    ) -> Result<Option<Path<'a>>, Problem> {
        if parents.is_empty() {
            return Ok(None);
        }
        let ids: Vec<RelationId> =
            parents.iter().map(|p| self.relation(&p.target, Verb::Select)).collect::<Result<_, _>>()?;
        let mut steps = Vec::with_capacity(parents.len());
        for (index, (parent, id)) in parents.iter().zip(&ids).enumerate() {
            let next = ids.get(index + 1).copied().unwrap_or(target);
            let way = self.way_to(*id, next, parent.hint.as_ref())?;
            steps.push(Step { relation: *id, key: self.parent_key(*id, &parent.key)?, way });
        }
        Ok(Some(Path { steps }))
    }

    /// What `parent/{key}/child` offers the role; `None` when there is no such path.
    pub(super) fn below_of(&self, parent: RelationId, child: RelationId) -> Option<Below> {
        let way = self.way_to(parent, child, None).ok()?;
        let primary = &self.get(parent).primary_key;
        if primary.is_empty() || !primary.iter().all(|column| self.reads(parent, *column)) {
            return None;
        }
        let filled = match &way.relationship.via {
            Via::ForeignKey { columns, on_source: false, .. } => {
                Some(columns.iter().map(|(_, there)| *there).collect::<Vec<_>>())
            }
            _ => None,
        };
        let creates = filled
            .as_ref()
            .is_some_and(|columns| columns.iter().all(|column| self.holds_on(child, *column, Verb::Insert)));
        Some(Below { filled, creates })
    }

    fn parent_key(&self, id: RelationId, values: &[ValueRef]) -> Result<Vec<(ColumnId, ValueRef)>, Problem> {
        let relation = self.get(id);
        let primary = &relation.primary_key;
        let readable = primary.iter().all(|column| self.reads(id, *column));
        if primary.is_empty() || !readable {
            return Err(Problem::new(&problem::NOT_FOUND)
                .detail(format!("{:?} has no primary key to be found by", relation.name.as_str())));
        }
        if primary.len() != values.len() {
            return Err(Problem::new(&problem::MALFORMED).detail(format!(
                "The key of {:?} has {} parts, separated by commas",
                relation.name.as_str(),
                primary.len()
            )));
        }
        Ok(primary.iter().copied().zip(values.iter().copied()).collect())
    }

    pub(super) fn guard(&mut self, path: &Path<'a>) -> Guard {
        let alias = self.alias();
        let last = path.steps.len() - 1;
        let source = Source::Relation(qualified(self.get(path.steps[last].relation)));
        let when = self.visible(&path.steps, last, alias);
        Guard { source, alias, when }
    }

    /// The row at `index` has its key, and so has every row above it.
    fn visible(&mut self, steps: &[Step<'a>], index: usize, alias: Alias) -> Vec<Cond> {
        let mut when = self.keyed(&steps[index], alias);
        if let Some(above) = index.checked_sub(1) {
            let over = self.alias();
            let mut inner = self.visible(steps, above, over);
            inner.extend(self.joined(steps[above].way, Near::Row(over), alias).unwrap_or_default());
            let from = Source::Relation(qualified(self.get(steps[above].relation)));
            when.push(Cond::Exists { from: vec![(from, over)], when: inner, in_order: false, page: None });
        }
        when
    }

    fn keyed(&self, step: &Step<'a>, alias: Alias) -> Vec<Cond> {
        let relation = self.get(step.relation);
        let keyed = |(id, value): &(ColumnId, ValueRef)| Cond::Compare {
            left: column_of(alias, column(relation, *id)),
            op: Comparison::Eq,
            right: Operand { value: *value, parse: None },
        };
        step.key.iter().map(keyed).collect()
    }

    /// The rows of the resource that belong to its parent.
    pub(super) fn below(&mut self, path: &Path<'a>, alias: Alias) -> Vec<Cond> {
        let step = &path.steps[path.steps.len() - 1];
        if let Some(conds) = self.joined(step.way, Near::Key(&step.key), alias) {
            return conds;
        }
        let over = self.alias();
        let mut when = self.keyed(step, over);
        when.extend(self.joined(step.way, Near::Row(over), alias).unwrap_or_default());
        let from = Source::Relation(qualified(self.get(step.relation)));
        vec![Cond::Exists { from: vec![(from, over)], when, in_order: false, page: None }]
    }

    /// The columns that a new row below the parent gets from it.
    pub(super) fn inherited(&mut self, path: &Path<'a>) -> Result<Vec<(ColumnId, Ident, Input)>, Problem> {
        let step = &path.steps[path.steps.len() - 1];
        let parent = self.get(step.relation);
        let target = self.get(step.way.relationship.target);
        let Via::ForeignKey { columns, on_source: false, .. } = &step.way.relationship.via else {
            return Err(Problem::new(&problem::METHOD_NOT_ALLOWED)
                .detail(format!(
                    "{:?} does not belong to {:?} by a foreign key of its own",
                    target.name, parent.name
                ))
                .header("Allow", "GET, HEAD, OPTIONS"));
        };
        let mut inherited = Vec::with_capacity(columns.len());
        for (here, there) in columns {
            let input = match step.key.iter().find(|(id, _)| id == here) {
                Some((_, value)) => Input::Key(*value),
                None => {
                    let alias = self.alias();
                    let source = Source::Relation(qualified(parent));
                    let when = self.keyed(step, alias);
                    Input::Lookup { source, alias, column: column(parent, *here).name.clone(), when }
                }
            };
            inherited.push((*there, column(target, *there).name.clone(), input));
        }
        Ok(inherited)
    }
}
