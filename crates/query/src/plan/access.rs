//! Who may touch what: column privileges from the catalog, objects from the gate. An object or column that a role may
//! not know of is reported exactly as one that does not exist.

use bedplate_core::{Problem, problem};

use super::planner::Planner;
use super::similar::{CLOSE, similar};
use crate::catalog::{ColumnId, FunctionId, Relation, RelationId, RelationKind};
use crate::fault::Fault;
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

    /// Whether columns without a grant are as absent. Where the gate conceals nothing, the PostgREST dialect leaves grants to
    /// PostgreSQL.
    pub(super) fn conceals(&self, relation: RelationId) -> bool {
        !self.is_dialect() || self.gate.conceals(self.get(relation).schema.as_str())
    }

    /// Whether a column is there for the role to read.
    pub(super) fn reads(&self, relation: RelationId, column: ColumnId) -> bool {
        !self.conceals(relation) || self.holds_on(relation, column, Verb::Select)
    }

    /// Whether the role may do anything with a column, and so know of it.
    pub(super) fn knows(&self, relation: RelationId, column: ColumnId) -> bool {
        !self.conceals(relation)
            || [Verb::Select, Verb::Insert, Verb::Update]
                .into_iter()
                .any(|verb| self.holds_on(relation, column, verb))
    }

    pub(super) fn reads_all(&self, relation: RelationId) -> bool {
        !self.conceals(relation)
            || (0..self.get(relation).columns.len()).all(|at| self.reads(relation, ColumnId(at as u16)))
    }

    /// The relation of a request, permitted for `verb`; 404 when it is not there or not to be known of.
    pub(super) fn relation(&self, target: &Target, verb: Verb) -> Result<RelationId, Problem> {
        let found = self.catalog.find_relation(target.schema.as_deref(), &target.name);
        let id = found.ok_or_else(|| self.unknown_relation(target.schema.as_deref(), &target.name))?;
        self.permit(id, verb)?;
        Ok(id)
    }

    /// The gate's word on a relation, and whether the object takes the verb at all.
    pub(super) fn permit(&self, id: RelationId, verb: Verb) -> Result<(), Problem> {
        let relation = self.get(id);
        let name = relation.name.as_str();
        match self.gate.relation(self.catalog, self.role, id, verb) {
            Ok(()) => {}
            Err(Denial::Hidden(why)) => {
                return Err(self.unknown_relation(Some(relation.schema.as_str()), name).internal(why));
            }
            Err(Denial::Forbidden(why)) => return Err(refused(kind(relation), name, why)),
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

    /// 404. What is like the name is looked for in the schema that was asked for, among what the role may read.
    fn unknown_relation(&self, schema: Option<&str>, name: &str) -> Problem {
        let near = schema.filter(|_| self.is_dialect()).and_then(|schema| {
            let known = self.catalog.relations.iter().enumerate().filter_map(|(at, relation)| {
                let id = RelationId(at as u32);
                let served = relation.schema.as_str() == schema && self.catalog.is_resource(id);
                let told = served && self.gate.relation(self.catalog, self.role, id, Verb::Select).is_ok();
                // Where grants alone decide, the gate lets pass what PostgreSQL would refuse.
                (told && self.catalog.can(self.role, id, Verb::Select)).then(|| relation.name.as_str())
            });
            similar(name, known, CLOSE)
        });
        let fault = Fault::UnknownRelation {
            schema: schema.map(Into::into),
            name: name.into(),
            similar: near.map(str::to_owned),
        };
        Problem::new(&problem::NOT_FOUND).detail(format!("There is no resource {name:?}")).caused_by(fault)
    }

    /// Whether a function may be used inside a read (computed columns and relationships).
    pub(super) fn uses(&self, function: FunctionId) -> bool {
        self.gate.function(self.catalog, self.role, function).is_ok()
    }
}

/// 403 for a table.
pub(super) fn forbidden(name: &str, hint: String) -> Problem {
    refused("table", name, hint)
}

/// 403. `kind` as PostgreSQL says it.
pub(super) fn refused(kind: &'static str, name: &str, hint: String) -> Problem {
    Problem::new(&problem::FORBIDDEN)
        .detail(format!("You may not do this with {name:?}"))
        .hint(hint)
        .caused_by(Fault::Forbidden { kind, name: name.to_owned() })
}

fn kind(relation: &Relation) -> &'static str {
    match relation.kind {
        RelationKind::Table | RelationKind::Partitioned => "table",
        RelationKind::View => "view",
        RelationKind::MaterializedView => "materialized view",
        RelationKind::Foreign => "foreign table",
    }
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
