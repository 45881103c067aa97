//! What PostgREST refuses before PostgreSQL is asked, in its order: relationships first, then orders by related rows, then
//! aggregates. Columns and types come after all of it: those PostgreSQL refuses.

use bedplate_core::Problem;

use super::filter::not_embedded;
use super::order::not_one;
use super::planner::{Planner, Shape};
use super::relate::{Way, embed_name};
use crate::fault::Fault;
use crate::problems::QUERY_SYNTAX;
use crate::request::{Embed, Item, Node, OrderTerm};

/// What is looked at: a level with what it embeds.
struct Seen<'a, 's> {
    node: &'a Node,
    shape: Shape<'a>,
    embeds: &'s [(&'a Embed, Way<'a>)],
}

impl<'a> Planner<'a> {
    pub(super) fn look_ahead(&self, node: &'a Node, shape: Shape<'a>) -> Result<(), Problem> {
        if embeds(node).next().is_none() && !may_refuse(node) {
            return Ok(());
        }
        self.ways_exist(node, shape)?;
        self.each_level(node, shape, &|seen| {
            seen.node.order.iter().try_for_each(|term| related(seen, term))
        })?;
        self.each_level(node, shape, &|seen| self.aggregates_allowed(seen))?;
        self.each_level(node, shape, &|seen| self.spreads_are_plain(seen))
    }

    /// Of the first embed with all below it, then of the next.
    fn ways_exist(&self, node: &'a Node, shape: Shape<'a>) -> Result<(), Problem> {
        embeds(node).try_for_each(|embed| {
            let way = self.way(shape, &embed.relation, embed.hint.as_ref())?;
            self.ways_exist(&embed.node, self.far_shape(way))
        })
    }

    fn each_level(
        &self,
        node: &'a Node,
        shape: Shape<'a>,
        visit: &dyn Fn(&Seen<'a, '_>) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let mut found = Vec::new();
        for embed in embeds(node) {
            found.push((embed, self.way(shape, &embed.relation, embed.hint.as_ref())?));
        }
        visit(&Seen { node, shape, embeds: &found })?;
        for (embed, way) in found {
            self.each_level(&embed.node, self.far_shape(way), visit)?;
        }
        Ok(())
    }

    fn aggregates_allowed(&self, seen: &Seen<'a, '_>) -> Result<(), Problem> {
        if aggregates(seen.node) { self.permit_aggregates(seen.shape) } else { Ok(()) }
    }

    fn spreads_are_plain(&self, seen: &Seen<'a, '_>) -> Result<(), Problem> {
        let refused = |(embed, way): &(&'a Embed, Way<'a>)| {
            embed.spread && !way.to_one() && self.spreads_aggregates(&embed.node, self.far_shape(*way))
        };
        if !seen.embeds.iter().any(refused) {
            return Ok(());
        }
        let message = "Aggregates are not implemented for one-to-many or many-to-many spreads.";
        Err(Problem::new(&QUERY_SYNTAX)
            .detail(message)
            .caused_by(Fault::NotOffered { message: message.to_owned() }))
    }

    /// An aggregate of the level itself, or of what is spread into it.
    fn spreads_aggregates(&self, node: &'a Node, shape: Shape<'a>) -> bool {
        node.select.iter().any(|item| match item {
            Item::Star => false,
            Item::Field(field) => field.aggregate.is_some(),
            Item::Embed(embed) if embed.spread => self
                .way(shape, &embed.relation, embed.hint.as_ref())
                .is_ok_and(|way| way.to_one() && self.spreads_aggregates(&embed.node, self.far_shape(way))),
            Item::Embed(_) => false,
        })
    }
}

/// A level without embeds can only have these faults.
fn may_refuse(node: &Node) -> bool {
    aggregates(node) || node.order.iter().any(|term| term.relation.is_some())
}

fn aggregates(node: &Node) -> bool {
    node.select.iter().any(|item| matches!(item, Item::Field(field) if field.aggregate.is_some()))
}

fn embeds(node: &Node) -> impl Iterator<Item = &Embed> {
    node.select.iter().filter_map(|item| match item {
        Item::Embed(embed) => Some(embed),
        Item::Star | Item::Field(_) => None,
    })
}

/// An order by a column of a relation: it is embedded, and to-one.
fn related(seen: &Seen<'_, '_>, term: &OrderTerm) -> Result<(), Problem> {
    let Some(name) = &term.relation else { return Ok(()) };
    let found = seen.embeds.iter().find(|(embed, _)| embed_name(embed) == name);
    let (_, way) = found.ok_or_else(|| not_embedded(name))?;
    if way.to_one() { Ok(()) } else { Err(not_one(seen.shape, name)) }
}
