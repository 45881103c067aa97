//! The gate: what is served to whom.

use bedplate_query::catalog::{
    Catalog, Function, FunctionId, MediaHandler, RelationId, RelationKind, Returns, RoleId, TypeKind,
};
use bedplate_query::gate::{Denial, Gate, Verb};

use crate::config::Config;
use crate::policies;
use crate::refusal::Refusal;

pub(crate) const VERBS: [Verb; 4] = [Verb::Select, Verb::Insert, Verb::Update, Verb::Delete];

/// Views over views deeper than this count as not protected.
const MAX_DEPTH: usize = 32;

/// The decisions for one configuration. Made anew when the configuration changes.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    config: Config,
}

impl Rules {
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Why the relation is not served to the role for the verb; `None` when it is.
    pub fn refusal(
        &self,
        catalog: &Catalog,
        role: RoleId,
        relation: RelationId,
        verb: Verb,
    ) -> Option<Refusal> {
        self.exposure(catalog, relation)
            .or_else(|| (!is_exempt(catalog, role)).then(|| self.unprotected(catalog, relation)).flatten())
            .or_else(|| privileges(catalog, role, relation, verb))
            .or_else(|| self.policy(catalog, role, relation, verb))
    }

    /// What is missing for rows to be protected from roles that row-level security holds for. The same for all roles.
    pub(crate) fn unprotected(&self, catalog: &Catalog, id: RelationId) -> Option<Refusal> {
        self.unprotected_at(catalog, id, 0)
    }

    fn unprotected_at(&self, catalog: &Catalog, id: RelationId, depth: usize) -> Option<Refusal> {
        let relation = catalog.relation(id);
        let listed = |list: &crate::Listed| list.has(catalog, &relation.schema, &relation.name);
        match relation.kind {
            RelationKind::Table | RelationKind::Partitioned => {
                let needed = self.config.requires_rls(relation.schema.as_str());
                (needed && !relation.rls_enabled).then_some(Refusal::RlsOff)
            }
            RelationKind::Foreign => (!listed(&self.config.foreign_tables)).then_some(Refusal::Foreign),
            RelationKind::MaterializedView => (!listed(&self.config.views)).then_some(Refusal::Materialized),
            RelationKind::View if listed(&self.config.views) => None,
            RelationKind::View if !relation.security_invoker => Some(Refusal::OwnersRights),
            // It runs with the caller's rights, so it is as safe as what it reads.
            RelationKind::View => relation
                .reads
                .iter()
                .find(|read| depth >= MAX_DEPTH || self.unprotected_at(catalog, **read, depth + 1).is_some())
                .map(|read| Refusal::ReadsUnprotected(*read)),
        }
    }

    fn policy(&self, catalog: &Catalog, role: RoleId, id: RelationId, verb: Verb) -> Option<Refusal> {
        let relation = catalog.relation(id);
        let table = matches!(relation.kind, RelationKind::Table | RelationKind::Partitioned);
        let needed = table && self.config.requires_rls(relation.schema.as_str()) && !is_exempt(catalog, role);
        (needed && !policies::covers(catalog, relation, role, verb)).then_some(Refusal::NoPolicy)
    }

    /// Why the function is not served to the role; `None` when it is.
    pub fn function_refusal(&self, catalog: &Catalog, role: RoleId, id: FunctionId) -> Option<Refusal> {
        let function = catalog.function(id);
        let exempt = is_exempt(catalog, role);
        let schema = function.schema.as_str();
        if !catalog.is_served_schema(schema) || !self.config.offers(schema) {
            return Some(Refusal::SchemaNotServed);
        }
        if !is_callable(catalog, function) {
            return Some(Refusal::NotCallable);
        }
        let listed = self.config.functions.has(catalog, &function.schema, &function.name);
        if function.security_definer && !listed && !exempt {
            return Some(Refusal::Definer);
        }
        if !catalog.can_use_schema(role, function.schema.as_str()) {
            return Some(Refusal::SchemaUsage);
        }
        let on_purpose = catalog.is_granted_execute(role, id) || exempt && function.public_execute;
        let refusal = if function.public_execute { Refusal::PublicOnly } else { Refusal::Privilege };
        (!on_purpose).then_some(refusal)
    }

    /// Whether the relation can be a resource at all.
    pub(crate) fn exposure(&self, catalog: &Catalog, id: RelationId) -> Option<Refusal> {
        let relation = catalog.relation(id);
        if relation.is_partition {
            return Some(Refusal::Partition);
        }
        let schema = relation.schema.as_str();
        let offered = catalog.is_served_schema(schema) && self.config.offers(schema);
        (!offered).then_some(Refusal::SchemaNotServed)
    }

    /// Whether any verb is served: then the role may know that the relation exists.
    pub(crate) fn serves_any(&self, catalog: &Catalog, role: RoleId, relation: RelationId) -> bool {
        VERBS.iter().any(|verb| self.refusal(catalog, role, relation, *verb).is_none())
    }
}

/// Roles that row-level security does not hold for by their own attributes need only the grant. Owners are not among
/// them: a table's owner as a request role is a mistake, not a purpose.
pub(crate) fn is_exempt(catalog: &Catalog, role: RoleId) -> bool {
    catalog.role(role).is_some_and(|r| r.bypass_rls || r.superuser)
}

fn privileges(catalog: &Catalog, role: RoleId, id: RelationId, verb: Verb) -> Option<Refusal> {
    if !catalog.can_use_schema(role, catalog.relation(id).schema.as_str()) {
        return Some(Refusal::SchemaUsage);
    }
    (!catalog.can(role, id, verb)).then_some(Refusal::Privilege)
}

/// Whether arguments can be sent and the result encoded: nothing internal or polymorphic.
pub(crate) fn is_callable(catalog: &Catalog, function: &Function) -> bool {
    let sendable = |oid| catalog.type_of(oid).is_some_and(|t| t.kind != TypeKind::Pseudo);
    !function.aggregate
        && function.returns != Returns::Other
        && function.arguments.iter().all(|a| sendable(a.type_oid))
}

impl Gate for Rules {
    fn relation(
        &self,
        catalog: &Catalog,
        role: RoleId,
        relation: RelationId,
        verb: Verb,
    ) -> Result<(), Denial> {
        let Some(refusal) = self.refusal(catalog, role, relation, verb) else { return Ok(()) };
        let text = refusal.describe(catalog, role, relation, verb);
        let known = self.serves_any(catalog, role, relation);
        Err(if known { Denial::Forbidden(text) } else { Denial::Hidden(text) })
    }

    fn function(&self, catalog: &Catalog, role: RoleId, function: FunctionId) -> Result<(), Denial> {
        match self.function_refusal(catalog, role, function) {
            None => Ok(()),
            // There is one thing to do with a function: who may not call it need not know of it.
            Some(refusal) => Err(Denial::Hidden(refusal.describe_function(catalog, role, function))),
        }
    }

    fn media_handler(&self, catalog: &Catalog, role: RoleId, handler: &MediaHandler) -> bool {
        catalog.is_granted_handler(role, handler) || is_exempt(catalog, role) && handler.public_execute
    }

    fn aggregates(&self, catalog: &Catalog, _: RoleId, relation: RelationId) -> bool {
        let relation = catalog.relation(relation);
        self.config.aggregates.has(catalog, &relation.schema, &relation.name)
    }
}
