//! Row policies, as far as they say that somebody thought of a role and a verb.

use bedplate_query::catalog::{Catalog, Policy, Relation, RoleId};
use bedplate_query::gate::Verb;

/// Whether a permissive policy gives the role rows for the verb. Without one PostgreSQL gives none; restrictive policies
/// only take away.
pub(crate) fn covers(catalog: &Catalog, relation: &Relation, role: RoleId, verb: Verb) -> bool {
    relation.policies.iter().any(|policy| policy.permissive && applies(catalog, policy, role, verb))
}

pub(crate) fn applies(catalog: &Catalog, policy: &Policy, role: RoleId, verb: Verb) -> bool {
    let to_role = policy.roles.is_empty() || policy.roles.iter().any(|to| catalog.has_role(role, *to));
    to_role && policy.verb.is_none_or(|v| v == verb)
}
