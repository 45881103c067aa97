//! Nested creates: a body with rows of related resources becomes parts, each one statement over all rows at its place in the
//! body, in an order in which each part needs only what those before it answered.
//!
//! A related row's foreign key is filled with what its parent's statement answered. The statements stay separate, because a
//! policy that looks for the parent does not see a row that the same statement writes.

mod given;
mod resolve;

use bedplate_core::Problem;
use bedplate_core::problem::{FieldFaults, VALIDATION_FAILED};
use serde_json::value::RawValue;

use super::planner::Planner;
use crate::catalog::{Catalog, RelationId, RoleId};
use crate::gate::Gate;
use crate::limits::Limits;
use crate::request::{Bulk, Item, Name, Node, Style};
use crate::validate::body::Object;
use resolve::{Input, Resolver};

/// A nested write, resolved.
#[derive(Debug, Clone)]
pub struct Nested {
    /// Each needs only those before it.
    pub parts: Vec<Part>,
    /// The part that writes the rows of the resource itself.
    pub root: usize,
    /// The resource's primary key, and where the root's part answers it.
    pub key: Vec<(Name, usize)>,
    /// What is answered when nothing is selected: all columns, and the relations that the body has.
    pub select: Vec<Item>,
}

/// One statement.
#[derive(Debug, Clone)]
pub struct Part {
    pub bulk: Bulk,
    pub rows: Vec<Row>,
}

/// One element of a part's array.
#[derive(Debug, Clone)]
pub struct Row {
    /// Where it stands in the body: `comments.1`; empty for the only row of the resource itself.
    pub place: String,
    /// Members of the element.
    pub cells: Vec<(Name, Cell)>,
}

/// A value of a row.
#[derive(Debug, Clone)]
pub enum Cell {
    Json(Box<RawValue>),
    /// What an earlier part answered for a row, in the column of this index.
    Of {
        part: usize,
        row: usize,
        column: usize,
    },
}

/// Whether a body has rows of related resources: members that are no columns, with objects or lists as their values.
pub fn is_nested(catalog: &Catalog, relation: RelationId, fields: &Object) -> bool {
    fields.iter().any(|(name, value)| {
        value.get().starts_with(['{', '[']) && catalog.find_column(relation, name).is_none()
    })
}

/// Resolves and validates new rows. `many`: the body is a list, and places begin with the row's number. `node` is what is to be
/// answered: its embeds give relations their names.
///
/// # Errors
/// All faults of all rows by field (`comments.1.body`); relations that are not clear; limits.
#[allow(clippy::too_many_arguments, reason = "the planner's own, and what is to be written")]
pub fn nested(
    catalog: &Catalog,
    role: RoleId,
    gate: &dyn Gate,
    limits: &Limits,
    relation: RelationId,
    rows: Vec<Object>,
    many: bool,
    node: &Node,
) -> Result<Nested, Problem> {
    let planner = Planner::new(catalog, role, gate, limits, Style::NATIVE);
    let key: Vec<Name> =
        catalog.relation(relation).primary_key.iter().map(|at| planner.name_of(relation, *at)).collect();
    if key.is_empty() {
        return Err(Problem::new(&VALIDATION_FAILED)
            .detail("this resource has no primary key, so related rows cannot be written with it"));
    }
    let place = |at: usize| if many { at.to_string() } else { String::new() };
    let rows = rows.into_iter().enumerate();
    let inputs = rows.map(|(at, fields)| Input { place: place(at), fields, cells: Vec::new() }).collect();
    let mut resolver = Resolver::new(planner, limits);
    let (root, select) = resolver.level(relation, inputs, Some(node), 0)?;
    let key = key.into_iter().map(|name| {
        let at = resolver.answer_at(root, &name);
        (name, at)
    });
    let key = key.collect();
    if !resolver.faults.is_empty() {
        return Err(refused(resolver.faults));
    }
    Ok(Nested { parts: resolver.parts, root, key, select })
}

fn refused(faults: FieldFaults) -> Problem {
    let detail = match faults.len() {
        1 => "1 field is not valid".to_owned(),
        several => format!("{several} fields are not valid"),
    };
    Problem::new(&VALIDATION_FAILED).detail(detail).with_fields(faults)
}
