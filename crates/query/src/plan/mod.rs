//! The planner: [`Operation`] → [`Plan`]. Names are resolved against the catalog, objects permitted by the gate,
//! columns by their grants; what a role may not know of is treated as absent. A plan holds no values, so what is
//! planned once serves every request of the same shape, role and catalog version.
//!
//! Only this module makes a [`Plan`]; only [`crate::sql`] makes text of it.

mod access;
mod ahead;
mod bounds;
mod bulk;
mod call;
mod column;
mod conflict;
mod filter;
mod having;
mod level;
mod negotiate;
pub mod nested;
mod order;
mod parents;
mod payload;
mod planner;
mod read;
mod relate;
mod similar;
pub mod tree;
mod types;
mod write;

use bedplate_core::Problem;

pub use parents::Below;
pub use tree::Plan;

use crate::catalog::{Catalog, RelationId, RoleId};
use crate::gate::Gate;
use crate::limits::Limits;
use crate::request::{Operation, Style};
use crate::statement::Planned;
use planner::Planner;

/// Plans an operation for a role and writes its SQL.
///
/// # Errors
/// What the caller asked for does not exist, is not for this role, or is more than the limits allow.
pub fn plan(
    catalog: &Catalog,
    role: RoleId,
    gate: &dyn Gate,
    limits: &Limits,
    operation: &Operation,
) -> Result<Planned, Problem> {
    Ok(crate::sql::write(&resolve(catalog, role, gate, limits, operation)?))
}

/// The first half of [`plan()`]: no SQL yet.
pub fn resolve(
    catalog: &Catalog,
    role: RoleId,
    gate: &dyn Gate,
    limits: &Limits,
    operation: &Operation,
) -> Result<Plan, Problem> {
    bounds::check(operation, limits)?;
    let mut planner = Planner::new(catalog, role, gate, limits, operation.style().clone());
    match operation {
        Operation::Read(read) => planner.read(read).map(Plan::Read),
        Operation::Insert(insert) => planner.insert(insert).map(Plan::Insert),
        Operation::Update(update) => planner.update(update),
        Operation::Delete(delete) => planner.delete(delete).map(Plan::Delete),
        Operation::Call(call) => planner.call(call).map(Plan::Call),
        Operation::Bulk(bulk) => planner.bulk(bulk),
    }
}

/// What the nested path from rows of `parent` to those of `child` offers a role; `None` when there is no such path, or more
/// than one way that it could mean.
pub fn below(
    catalog: &Catalog,
    role: RoleId,
    gate: &dyn Gate,
    limits: &Limits,
    parent: RelationId,
    child: RelationId,
) -> Option<Below> {
    Planner::new(catalog, role, gate, limits, Style::NATIVE).below_of(parent, child)
}
