//! Upserts: on which columns rows collide, and what becomes of them.

use bedplate_core::{Problem, problem};

use super::access::forbidden;
use super::planner::{Planner, column};
use super::tree::{OnConflict, OnConflictAction};
use crate::catalog::{Column, ColumnId, Identity, RelationId, RelationKind};
use crate::gate::Verb;
use crate::ident::Ident;
use crate::request::{Conflict, ConflictAction, Name};

impl<'a> Planner<'a> {
    /// `None`: the PostgREST dialect does without where there is no key to collide on.
    pub(super) fn conflict(
        &self,
        id: RelationId,
        conflict: &Conflict,
        given: &[&'a Column],
    ) -> Result<Option<OnConflict>, Problem> {
        if self.is_dialect() {
            self.dialect(id, conflict, given)
        } else {
            self.native(id, conflict, given).map(Some)
        }
    }

    /// As PostgREST has it: what is given is set, key or not, and PostgreSQL judges columns and privileges.
    fn dialect(
        &self,
        id: RelationId,
        conflict: &Conflict,
        given: &[&'a Column],
    ) -> Result<Option<OnConflict>, Problem> {
        let relation = self.get(id);
        let columns: Vec<Ident> = if conflict.columns.is_empty() {
            relation.primary_key.iter().map(|at| column(relation, *at).name.clone()).collect()
        } else {
            let known = |name: &Name| {
                !self.conceals(id) || self.catalog.find_column(id, name).is_some_and(|at| self.reads(id, at))
            };
            let named = |name: &Name| {
                let found = Ident::alias(name).filter(|_| known(name));
                found.ok_or_else(|| self.unknown(self.whole(id, true), name))
            };
            conflict.columns.iter().map(named).collect::<Result<_, _>>()?
        };
        if columns.is_empty() {
            return Ok(None);
        }
        if conflict.action == ConflictAction::Ignore || given.is_empty() {
            return Ok(Some(OnConflict { columns, action: OnConflictAction::Nothing }));
        }
        self.permit(id, Verb::Update)?;
        let given = given.iter().map(|column| column.name.clone()).collect();
        let action = OnConflictAction::Update { given, reset: Vec::new(), told: true };
        Ok(Some(OnConflict { columns, action }))
    }

    fn native(
        &self,
        id: RelationId,
        conflict: &Conflict,
        given: &[&'a Column],
    ) -> Result<OnConflict, Problem> {
        let relation = self.get(id);
        let key = self.conflict_key(id, conflict)?;
        let is_key = |name: &Ident| key.iter().any(|k| column(relation, *k).name == *name);
        let columns = key.iter().map(|k| column(relation, *k).name.clone()).collect();
        if conflict.action == ConflictAction::Ignore {
            return Ok(OnConflict { columns, action: OnConflictAction::Nothing });
        }
        self.permit(id, Verb::Update)?;
        let mut set: Vec<Ident> = given.iter().map(|c| c.name.clone()).filter(|name| !is_key(name)).collect();
        if set.is_empty() {
            // Something must be set for the row to count as written, and be answered.
            set.push(column(relation, key[0]).name.clone());
        }
        let updates = |at: ColumnId| self.holds_on(id, at, Verb::Update);
        let refused =
            set.iter().find(|name| !self.catalog.find_column(id, name.as_str()).is_some_and(updates));
        if let Some(name) = refused {
            return Err(forbidden(relation.name.as_str(), format!("UPDATE on column {name} is not granted")));
        }
        let mut reset = Vec::new();
        if conflict.action == ConflictAction::Replace {
            for (at, c) in relation.columns.iter().enumerate() {
                let absent = !is_key(&c.name) && !given.iter().any(|g| g.name == c.name);
                if absent && !c.generated && c.identity == Identity::No && updates(ColumnId(at as u16)) {
                    reset.push(c.name.clone());
                }
            }
        }
        Ok(OnConflict { columns, action: OnConflictAction::Update { given: set, reset, told: false } })
    }

    fn conflict_key(&self, id: RelationId, conflict: &Conflict) -> Result<Vec<ColumnId>, Problem> {
        let relation = self.get(id);
        if conflict.columns.is_empty() {
            if relation.primary_key.is_empty() {
                return Err(Problem::new(&problem::MALFORMED)
                    .detail(format!("{:?} has no primary key to conflict on", relation.name.as_str()))
                    .hint("Name the columns of a unique constraint"));
            }
            return Ok(relation.primary_key.clone());
        }
        let find = |name: &Name| {
            let found = self.catalog.find_column(id, name).filter(|at| self.reads(id, *at));
            found.ok_or_else(|| self.unknown(self.whole(id, true), name))
        };
        let columns: Vec<ColumnId> = conflict.columns.iter().map(find).collect::<Result<_, _>>()?;
        let same = |key: &[ColumnId]| {
            key.iter().all(|id| columns.contains(id)) && columns.iter().all(|id| key.contains(id))
        };
        let known = same(&relation.primary_key) || relation.uniques.iter().any(|u| same(&u.columns));
        if known || relation.kind != RelationKind::Table {
            return Ok(columns);
        }
        Err(Problem::new(&problem::MALFORMED)
            .detail(format!(
                "These columns of {:?} have no unique constraint to conflict on",
                relation.name.as_str()
            ))
            .hint("Name exactly the columns of a primary key or unique constraint"))
    }
}
