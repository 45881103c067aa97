//! Bounds on the shape of a request, checked before anything is resolved. Parsers stop earlier, with a position; this
//! holds for every front door.

use bedplate_core::{Problem, problem};

use crate::limits::Limits;
use crate::request::{Action, Item, Logic, Node, Operation, Returning};

#[derive(Default)]
struct Used {
    terms: usize,
    embeds: usize,
}

pub(super) fn check(operation: &Operation, limits: &Limits) -> Result<(), Problem> {
    let mut used = Used::default();
    let (filters, node): (&[Logic], Option<&Node>) = match operation {
        Operation::Read(read) => (&[], Some(&read.node)),
        Operation::Call(call) => (&[], Some(&call.node)),
        Operation::Insert(insert) => (&[], answered(&insert.returning)),
        Operation::Bulk(bulk) => (
            &[],
            match &bulk.action {
                Action::Fetch { node, .. } => Some(node),
                Action::Insert { .. }
                | Action::Update { .. }
                | Action::Delete { .. }
                | Action::Find { .. } => None,
            },
        ),
        Operation::Update(update) => (&update.filters, answered(&update.returning)),
        Operation::Delete(delete) => (&delete.filters, answered(&delete.returning)),
    };
    filters.iter().try_for_each(|filter| logic(filter, 1, &mut used, limits))?;
    node.map_or(Ok(()), |node| level(node, 0, &mut used, limits))
}

fn answered(returning: &Returning) -> Option<&Node> {
    match returning {
        Returning::Rows(node) => Some(node),
        Returning::Nothing | Returning::Key => None,
    }
}

fn level(node: &Node, depth: usize, used: &mut Used, limits: &Limits) -> Result<(), Problem> {
    within(node.select.len(), limits.select_items, "items of a select list")?;
    within(node.order.len(), limits.order_keys, "keys of an order")?;
    within(depth, limits.embed_depth, "levels of embedded relations")?;
    node.filters.iter().chain(&node.having).try_for_each(|filter| logic(filter, 1, used, limits))?;
    for item in &node.select {
        if let Item::Embed(embed) = item {
            used.embeds += 1;
            within(used.embeds, limits.embeds, "embedded relations")?;
            level(&embed.node, depth + 1, used, limits)?;
        }
    }
    Ok(())
}

fn logic(term: &Logic, depth: usize, used: &mut Used, limits: &Limits) -> Result<(), Problem> {
    within(depth, limits.filter_depth, "levels of and/or")?;
    match term {
        Logic::And(terms) | Logic::Or(terms) => {
            terms.iter().try_for_each(|term| logic(term, depth + 1, used, limits))
        }
        Logic::Not(term) => logic(term, depth + 1, used, limits),
        Logic::Test(test) => {
            used.terms += 1;
            within(test.through.len(), limits.embed_depth, "levels of embedded relations")?;
            within(used.terms, limits.filter_terms, "filter terms")
        }
    }
}

fn within(used: usize, most: usize, what: &str) -> Result<(), Problem> {
    if used <= most {
        return Ok(());
    }
    Err(Problem::new(&problem::LIMIT_EXCEEDED).detail(format!("At most {most} {what} are allowed")))
}
