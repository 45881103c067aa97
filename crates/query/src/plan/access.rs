//! Who may touch what: column privileges from the catalog, objects from the gate. An object or column that a role may
//! not know of is reported exactly as one that does not exist.

use bedplate_core::{Problem, problem};

use super::planner::Planner;
use crate::catalog::{ColumnId, FunctionId, Relation, RelationId};
use crate::gate::{Denial, Verb};
use crate::request::Target;

impl<'a> Planner<'a> {
    /// Whether the role has the privilege on the whole relation, system columns included.
    pub(super) fn holds(&self, relation: RelationId, verb: Verb) -> bool {
        self.catalog.can_whole(self.role, relation, verb)
    }

    pub(super) fn holds_on(&self, relation: RelationId, column: ColumnId, verb: Verb) -> bool {
        self.catalog.can_column(self.role, relation, column, verb)
    }

    /// Whether a column is there for the role to read. The PostgREST dialect leaves grants to PostgreSQL.
    pub(super) fn reads(&self, relation: RelationId, column: ColumnId) -> bool {
        !self.style.star_readable_only || self.holds_on(relation, column, Verb::Select)
    }

    pub(super) fn reads_all(&self, relation: RelationId) -> bool {
        !self.style.star_readable_only
            || (0..self.get(relation).columns.len()).all(|at| self.reads(relation, ColumnId(at as u16)))
    }

    /// The relation of a request, permitted for `verb`; 404 when it is not there or not to be known of.
    pub(super) fn relation(&self, target: &Target, verb: Verb) -> Result<RelationId, Problem> {
        let found = self.catalog.find_relation(target.schema.as_deref(), &target.name);
        let id = found.ok_or_else(|| unknown(&target.name))?;
        self.permit(id, verb)?;
        Ok(id)
    }

    /// The gate's word on a relation, and whether the object takes the verb at all.
    pub(super) fn permit(&self, id: RelationId, verb: Verb) -> Result<(), Problem> {
        let relation = self.get(id);
        let name = relation.name.as_str();
        match self.gate.relation(self.catalog, self.role, id, verb) {
            Ok(()) => {}
            Err(Denial::Hidden(why)) => return Err(unknown(name).internal(why)),
            Err(Denial::Forbidden(why)) => return Err(forbidden(name, why)),
        }
        let offered = match verb {
            Verb::Select => true,
            Verb::Insert => relation.insertable,
            Verb::Update => relation.updatable,
            Verb::Delete => relation.deletable,
        };
        if offered {
            return Ok(());
        }
        Err(Problem::new(&problem::METHOD_NOT_ALLOWED)
            .detail(format!("{name:?} does not take this kind of write"))
            .header("Allow", allow(relation)))
    }

    /// Whether a function may be used inside a read (computed columns and relationships).
    pub(super) fn uses(&self, function: FunctionId) -> bool {
        self.gate.function(self.catalog, self.role, function).is_ok()
    }
}

fn unknown(name: &str) -> Problem {
    Problem::new(&problem::NOT_FOUND).detail(format!("There is no resource {name:?}"))
}

pub(super) fn forbidden(name: &str, hint: String) -> Problem {
    Problem::new(&problem::FORBIDDEN).detail(format!("You may not do this with {name:?}")).hint(hint)
}

fn allow(relation: &Relation) -> String {
    let mut methods = vec!["GET", "HEAD", "OPTIONS"];
    if relation.insertable {
        methods.push("POST");
    }
    if relation.updatable {
        methods.push("PATCH");
    }
    if relation.insertable && relation.updatable {
        methods.push("PUT");
    }
    if relation.deletable {
        methods.push("DELETE");
    }
    methods.join(", ")
}
