//! What roles may do by their grants, as PostgreSQL reckons it: by name, through memberships that inherit, and through
//! PUBLIC. Superusers may do all. Row-level security is not looked at here.

use super::model::*;
use crate::gate::Verb;

impl Catalog {
    /// Whether `role` has the privileges of `other` (or is it).
    pub fn has_role(&self, role: RoleId, other: RoleId) -> bool {
        self.role(role).is_some_and(|r| r.superuser || r.member_of.binary_search(&other).is_ok())
    }

    pub fn is_owner(&self, role: RoleId, relation: RelationId) -> bool {
        self.has_role(role, self.relation(relation).owner)
    }

    /// USAGE on the schema, without which nothing in it can be named.
    pub fn can_use_schema(&self, role: RoleId, schema: &str) -> bool {
        let Some(namespace) = self.namespaces.get(schema) else { return false };
        self.granted(role, &namespace.grants, Privileges::USAGE)
            || self.has_predefined(role, &["pg_read_all_data", "pg_write_all_data"])
    }

    /// Whether the role may do this with the relation or at least with one of its columns.
    pub fn can(&self, role: RoleId, relation: RelationId, verb: Verb) -> bool {
        let columns = &self.relation(relation).columns;
        let want = Privileges::of(verb);
        self.can_whole(role, relation, verb) || columns.iter().any(|c| self.granted(role, &c.grants, want))
    }

    /// Whether the role may do this with the whole relation, columns added later included.
    pub fn can_whole(&self, role: RoleId, relation: RelationId, verb: Verb) -> bool {
        let predefined = match verb {
            Verb::Select => "pg_read_all_data",
            Verb::Insert | Verb::Update | Verb::Delete => "pg_write_all_data",
        };
        self.granted(role, &self.relation(relation).grants, Privileges::of(verb))
            || self.has_predefined(role, &[predefined])
    }

    /// By a grant on the relation or on the column. DELETE has no column grants.
    pub fn can_column(&self, role: RoleId, relation: RelationId, column: ColumnId, verb: Verb) -> bool {
        self.granted(role, &self.column(relation, column).grants, Privileges::of(verb))
            || self.can_whole(role, relation, verb)
    }

    /// Whether PostgreSQL lets the role call it, by whatever grant.
    pub fn can_execute(&self, role: RoleId, function: FunctionId) -> bool {
        self.function(function).public_execute || self.is_granted_execute(role, function)
    }

    /// Whether EXECUTE was granted to the role or to one it is a member of, not only to PUBLIC.
    pub fn is_granted_execute(&self, role: RoleId, function: FunctionId) -> bool {
        self.granted(role, &self.function(function).grants, Privileges::EXECUTE)
    }

    /// The same for an aggregate that makes a representation.
    pub fn is_granted_handler(&self, role: RoleId, handler: &MediaHandler) -> bool {
        self.granted(role, &handler.grants, Privileges::EXECUTE)
    }

    fn granted(&self, role: RoleId, grants: &Grants, want: Privileges) -> bool {
        if grants.public.has(want) {
            return true;
        }
        let Some(role) = self.role(role) else { return false };
        let by_name =
            || grants.roles.iter().any(|(to, p)| p.has(want) && role.member_of.binary_search(to).is_ok());
        role.superuser || by_name()
    }

    /// PostgreSQL's predefined roles give privileges that stand in no ACL.
    fn has_predefined(&self, role: RoleId, names: &[&str]) -> bool {
        names.iter().filter_map(|name| self.find_role(name)).any(|other| self.has_role(role, other))
    }
}
