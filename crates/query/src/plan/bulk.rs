//! The parts of a nested write: statements over the objects of a JSON array, whose rows are told apart by their numbers.

use bedplate_core::Problem;

use super::level::Place;
use super::negotiate::Offered;
use super::planner::{Planner, column, column_of, qualified};
use super::tree::{self, BulkAction, Cond, Expr, Join, JoinKind, OrderKey, Plan, Source, TypeName};
use crate::catalog::{Column, RelationId};
use crate::gate::Verb;
use crate::ident::Ident;
use crate::output::NUMBER;
use crate::problems::UNKNOWN_COLUMN;
use crate::request::{Action, Bulk, Name, Node, ValueRef, key_member};

impl<'a> Planner<'a> {
    pub(super) fn bulk(&mut self, bulk: &'a Bulk) -> Result<Plan, Problem> {
        let (verb, set, key): (Verb, &[Name], &[Name]) = match &bulk.action {
            Action::Insert { columns, .. } => (Verb::Insert, columns, &[]),
            Action::Update { set, key } => (Verb::Update, set, key),
            Action::Delete { key } => (Verb::Delete, &[], key),
            Action::Find { key } | Action::Fetch { key, .. } => (Verb::Select, &[], key),
        };
        let id = self.relation(&bulk.target, verb)?;
        if !key.is_empty() || !bulk.answer.is_empty() {
            self.permit(id, Verb::Select)?;
        }
        let written = self.writable(id, &set.iter().collect::<Vec<_>>(), verb)?;
        let key = self.keys(id, key)?;
        if let Action::Fetch { node, .. } = &bulk.action {
            return self.fetch(id, &key, node, bulk.body).map(Plan::Read);
        }
        let inserts = verb == Verb::Insert;
        let columns =
            written.iter().map(|column| self.bulk_column(column, inserts)).collect::<Result<_, _>>()?;
        let relation = self.get(id);
        let ignored = relation.primary_key.iter().map(|at| column(relation, *at).name.clone());
        let action = match &bulk.action {
            Action::Insert { ignore: true, .. } => BulkAction::Insert { ignore: ignored.collect() },
            Action::Insert { .. } => BulkAction::Insert { ignore: Vec::new() },
            Action::Update { .. } => BulkAction::Update,
            Action::Delete { .. } => BulkAction::Delete,
            Action::Find { .. } | Action::Fetch { .. } => BulkAction::Find,
        };
        let answer = self.readable(id, &bulk.answer)?.iter().map(|column| column.name.clone()).collect();
        let alias = self.alias();
        let key = key.into_iter().map(|(column, type_name)| (column.name.clone(), type_name)).collect();
        Ok(Plan::Bulk(tree::Bulk {
            relation: qualified(relation),
            alias,
            body: bulk.body,
            action,
            columns,
            key,
            answer,
        }))
    }

    fn readable(&self, id: RelationId, names: &[Name]) -> Result<Vec<&'a Column>, Problem> {
        let relation = self.get(id);
        let find = |name: &Name| {
            let found = self.catalog.find_column(id, name);
            let found = found.filter(|found| self.holds_on(id, *found, Verb::Select));
            found.map(|found| column(relation, found)).ok_or_else(|| {
                let fault = format!("is not a column of {:?} that you may read", relation.name.as_str());
                Problem::new(&UNKNOWN_COLUMN)
                    .detail(format!("{name:?} {fault}"))
                    .field(name.to_string(), fault)
            })
        };
        names.iter().map(find).collect()
    }

    fn keys(&self, id: RelationId, names: &[Name]) -> Result<Vec<(&'a Column, TypeName)>, Problem> {
        let columns = self.readable(id, names)?;
        columns.into_iter().map(|column| Ok((column, self.type_name(column.type_oid)?))).collect()
    }

    /// The rows with these keys, in the order of the keys.
    fn fetch(
        &mut self,
        id: RelationId,
        key: &[(&'a Column, TypeName)],
        node: &'a Node,
        body: ValueRef,
    ) -> Result<tree::Read, Problem> {
        let alias = self.alias();
        let source = Source::Relation(qualified(self.get(id)));
        let mut level = self.level(node, self.whole(id, true), alias, source, Place::Written)?;
        let list = self.alias();
        let named = |name: &Ident| Ident::from_catalog(&key_member(name.as_str()));
        let on = key.iter().map(|(column, _)| {
            Cond::Equal(column_of(alias, column), Expr::Column { of: list, name: named(&column.name) })
        });
        let on = on.collect();
        let columns =
            key.iter().map(|(column, type_name)| (named(&column.name), type_name.clone())).collect();
        let kind = JoinKind::Source(Source::Keys { body, columns });
        level.joins.insert(0, Join { alias: list, inner: true, kind, on, joins: Vec::new() });
        if !level.grouped && !level.distinct {
            let expr = Expr::Column { of: list, name: Ident::from_catalog(NUMBER) };
            level.order =
                vec![OrderKey { expr, descending: false, nulls_first: false, nullable: false, field: None }];
        }
        level.cursors = false;
        Ok(tree::Read {
            guard: None,
            level,
            representation: self.negotiate(Offered::rows(Some(id), node))?,
            silent: false,
            count: None,
            count_max: u64::MAX,
            counted: None,
            locked: false,
        })
    }
}
