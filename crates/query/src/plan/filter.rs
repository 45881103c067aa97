//! Filters: from the and/or tree of a request to conditions.

use std::sync::Arc;

use bedplate_core::Problem;

use super::column::{Purpose, Typed};
use super::level::{Link, Place, Scope, find_link};
use super::planner::{Planner, Shape};
use super::relate::{Near, Way};
use super::tree::{Alias, Cond, Operand, Paged};
use super::types::oid;
use crate::fault::Fault;
use crate::problems::QUERY_SYNTAX;
use crate::request::{Comparison, Embed, Is, Item, Join, Logic, Node, Op, Quantifier, Test, ValueRef};

impl<'a> Planner<'a> {
    pub(super) fn logic(&mut self, scope: &Scope<'a>, logic: &'a Logic) -> Result<Cond, Problem> {
        Ok(match logic {
            Logic::And(all) => Cond::All(self.each(scope, all)?),
            Logic::Or(any) => Cond::Any(self.each(scope, any)?),
            Logic::Not(inner) => Cond::Not(Box::new(self.logic(scope, inner)?)),
            Logic::Test(test) => self.test(scope, test, &test.through)?,
        })
    }

    fn each(&mut self, scope: &Scope<'a>, terms: &'a [Logic]) -> Result<Vec<Cond>, Problem> {
        terms.iter().map(|term| self.logic(scope, term)).collect()
    }

    fn test(&mut self, scope: &Scope<'a>, test: &'a Test, through: &'a [Arc<str>]) -> Result<Cond, Problem> {
        let Some((first, rest)) = through.split_first() else { return self.here(scope, test) };
        if !self.style.extensions {
            return Err(Problem::new(&QUERY_SYNTAX)
                .detail("A filter on an embedded relation cannot stand inside an or/and tree here"));
        }
        let link = find_link(scope, first).ok_or_else(|| not_embedded(first))?;
        let Some(joined) = &link.joined else {
            let (embed, way) = (link.embed, link.way);
            return self.exists(scope.alias, embed, way, Some((test, rest)));
        };
        let inner = self.test(joined, test, rest)?;
        // A missing row must not pass for one whose column is NULL.
        let lax = matches!(test.op, Op::Is(_) | Op::Compare { op: Comparison::IsDistinct, .. });
        if lax && link.embed.join == Join::Left {
            return Ok(Cond::All(vec![self.present(link.way, joined.alias), inner]));
        }
        Ok(inner)
    }

    /// A related row exists that passes the embed's own filters, its inner embeds, and perhaps one test more.
    pub(super) fn exists(
        &mut self,
        near: Alias,
        embed: &'a Embed,
        way: Way<'a>,
        more: Option<(&'a Test, &'a [Arc<str>])>,
    ) -> Result<Cond, Problem> {
        let shape = self.far_shape(way);
        let page = &embed.node.page;
        let paged = self.is_dialect() && (page.is_bounded() || page.offset.is_some());
        if more.is_none() && !paged && self.is_one_group(&embed.node, shape) {
            return Ok(Cond::All(Vec::new()));
        }
        let alias = self.alias();
        let mut from = vec![(self.far_source(way, near), alias)];
        let mut when = Vec::new();
        for cond in self.joined(way, Near::Row(near), alias).unwrap_or_default() {
            match cond {
                // Here a junction may be joined plainly: repeated pairs do not matter, and PostgreSQL makes one
                // semi-join of it all.
                Cond::Exists { from: junction, when: pairs, .. } => {
                    from.extend(junction);
                    when.extend(pairs);
                }
                cond => when.push(cond),
            }
        }
        when.append(&mut self.unjoined_filters(&embed.node, shape, alias)?);
        if let Some((test, through)) = more {
            let scope = self.unjoined(&embed.node, shape, alias)?;
            when.push(self.test(&scope, test, through)?);
        }
        let page = paged.then(|| Paged { limit: self.limit(page, Place::Nested), offset: page.offset });
        Ok(Cond::Exists { from, when, in_order: false, page })
    }

    /// Aggregates and nothing to group by: SQL, and so PostgREST, answers one row even of no rows.
    fn is_one_group(&self, node: &Node, shape: Shape<'a>) -> bool {
        let aggregate = |item: &Item| matches!(item, Item::Field(field) if self.is_aggregate(shape, field));
        self.is_dialect()
            && !node.select.is_empty()
            && node.having.is_empty()
            && node.select.iter().all(aggregate)
    }

    /// The filters of a level and its inner embeds, as conditions on its own rows.
    pub(super) fn unjoined_filters(
        &mut self,
        node: &'a Node,
        shape: Shape<'a>,
        alias: Alias,
    ) -> Result<Vec<Cond>, Problem> {
        let scope = self.unjoined(node, shape, alias)?;
        let mut when = Vec::new();
        for filter in &node.filters {
            when.push(self.logic(&scope, filter)?);
        }
        for link in scope.links.iter().filter(|link| link.embed.join == Join::Inner) {
            when.push(self.exists(alias, link.embed, link.way, None)?);
        }
        Ok(when)
    }

    /// What names mean where embeds are not joined.
    pub(super) fn unjoined(
        &self,
        node: &'a Node,
        shape: Shape<'a>,
        alias: Alias,
    ) -> Result<Scope<'a>, Problem> {
        let mut links = Vec::new();
        for item in &node.select {
            if let Item::Embed(embed) = item {
                let way = self.way(shape, &embed.relation, embed.hint.as_ref())?;
                links.push(Link { embed, way, joined: None });
            }
        }
        Ok(Scope { shape, alias, links })
    }

    fn here(&mut self, scope: &Scope<'a>, test: &'a Test) -> Result<Cond, Problem> {
        let link = if test.path.steps.is_empty() { find_link(scope, &test.path.column) } else { None };
        match (link, &test.op) {
            (Some(link), Op::Is(is @ (Is::Null | Is::NotNull))) => {
                return self.is_related(scope, link, (*is == Is::NotNull) != test.negated);
            }
            (Some(_), _) if self.find_column(scope.shape, &test.path.column).is_none() => {
                return Err(Problem::new(&QUERY_SYNTAX)
                    .detail(format!("{:?} is an embedded relation", &*test.path.column))
                    .hint("Only is.null and not.is.null can be asked of it")
                    .caused_by(Fault::EmbedFilter {
                        name: test.path.column.clone(),
                        operator: crate::syntax::operator_name(&test.op),
                    }));
            }
            _ => {}
        }
        let left = self.path(scope.shape, scope.alias, &test.path, Purpose::Compare)?;
        let cond = self.operation(left, test)?;
        Ok(if test.negated { Cond::Not(Box::new(cond)) } else { cond })
    }

    /// `embed=not.is.null` and `embed=is.null`.
    fn is_related(&mut self, scope: &Scope<'a>, link: &Link<'a>, related: bool) -> Result<Cond, Problem> {
        let cond = match &link.joined {
            Some(joined) => self.present(link.way, joined.alias),
            None => self.exists(scope.alias, link.embed, link.way, None)?,
        };
        Ok(match cond {
            Cond::Is { left, .. } if !related => Cond::Is { left, is: Is::Null },
            cond if related => cond,
            cond => Cond::Not(Box::new(cond)),
        })
    }

    pub(super) fn operation(&self, left: Typed, test: &Test) -> Result<Cond, Problem> {
        let operand = |value: ValueRef| {
            let [.., parse] = if test.path.steps.is_empty() && !self.compares_as_written(&test.op) {
                self.representation(left.type_oid)
            } else {
                [None, None, None]
            };
            Operand { value, parse }
        };
        Ok(match &test.op {
            Op::Compare { op, quantifier: None, value } => {
                Cond::Compare { right: operand(*value), left: left.expr, op: *op }
            }
            Op::Compare { op, quantifier: Some(quantifier), value } => {
                self.listed(operand(*value), left, *op, *quantifier == Quantifier::All)?
            }
            Op::In(value) => self.listed(operand(*value), left, Comparison::Eq, false)?,
            Op::Is(is) => Cond::Is { left: left.expr, is: *is },
            Op::TextSearch { parser, config, value } => Cond::Search {
                vector: self.base_type(left.type_oid) != oid::TSVECTOR,
                left: left.expr,
                parser: *parser,
                config: *config,
                value: *value,
            },
        })
    }

    /// Operators whose value is left alone, whatever the column's representation: PostgREST's choice.
    fn compares_as_written(&self, op: &Op) -> bool {
        let plain =
            |op: &Comparison| matches!(op, Comparison::Like | Comparison::Ilike | Comparison::IsDistinct);
        self.is_dialect() && matches!(op, Op::Compare { op, .. } if plain(op))
    }

    /// PostgreSQL takes `= ANY($1)` as an array of the left type, except where that type is itself an array, or goes
    /// through a function: there the list is unnested.
    fn listed(&self, right: Operand, left: Typed, op: Comparison, all: bool) -> Result<Cond, Problem> {
        let unnested = right.parse.is_some() || self.element(self.base_type(left.type_oid)).is_some();
        let element = if unnested { Some(self.type_name(left.type_oid)?) } else { None };
        Ok(Cond::Listed { left: left.expr, op, all, right, element })
    }
}

pub(super) fn not_embedded(name: &str) -> Problem {
    Problem::new(&QUERY_SYNTAX)
        .detail(format!("{name:?} is not embedded in the select list"))
        .hint(format!("Add {name}() to select to filter or order by it"))
        .caused_by(Fault::NotEmbedded { name: name.into() })
}
