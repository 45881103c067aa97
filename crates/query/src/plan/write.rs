//! Inserts, updates and deletes: columns and privileges checked, values typed, the answer planned as a read of the
//! rows written.

use bedplate_core::Problem;

use super::level::Place;
use super::negotiate::Offered;
use super::planner::{Planner, column, qualified};
use super::relate::embed_name;
use super::tree::{
    self, Alias, Cond, FieldValue, Form, Input, InsertRows, Inserted, Level, Limit, OnConflictAction, Plan,
    Representation, Source,
};
use crate::catalog::{ColumnId, RelationId, RelationKind};
use crate::gate::Verb;
use crate::ident::Ident;
use crate::request::{Delete, Insert, Logic, Name, Returning, Rows, Update};

impl<'a> Planner<'a> {
    pub(super) fn insert(&mut self, insert: &'a Insert) -> Result<tree::Insert, Problem> {
        let id = self.relation(&insert.target, Verb::Insert)?;
        let relation = self.get(id);
        let alias = self.alias();
        let path = self.parents(&insert.parents, id)?;
        let names: Vec<&Name> = match &insert.rows {
            Rows::One(fields) => fields.iter().map(|(name, _)| name).collect(),
            Rows::Many { columns, .. } => columns.iter().collect(),
        };
        let columns = self.writable(id, &names, Verb::Insert)?;
        let inherited = self.inherit(path.as_ref(), id, &columns)?;
        let rows = match &insert.rows {
            Rows::One(fields) => {
                let mut row: Vec<(Ident, Input)> =
                    inherited.into_iter().map(|(name, input, _)| (name, input)).collect();
                for (column, (_, value)) in columns.iter().zip(fields) {
                    row.push((column.name.clone(), self.input(column, *value)?));
                }
                InsertRows::One(row)
            }
            Rows::Many { body, matching, .. } => {
                let bulk = columns
                    .iter()
                    .map(|c| self.bulk_column(c, insert.missing_default))
                    .collect::<Result<_, _>>()?;
                InsertRows::Many {
                    body: *body,
                    columns: bulk,
                    fixed: inherited,
                    matching: self.matching(&columns, matching)?,
                    binary: self.is_dialect() && insert.missing_default,
                }
            }
        };
        let conflict = match &insert.conflict {
            Some(conflict) => self.conflict(id, conflict, &columns)?,
            None => None,
        };
        let mut returning = self.returning(id, &insert.returning, alias)?;
        if matches!(&conflict, Some(c) if matches!(c.action, OnConflictAction::Update { .. })) {
            returning.inserted = self.tells_inserted(id);
        }
        if !self.is_dialect() && matches!(insert.returning, Returning::Rows(_)) {
            returning.key = self.location_key(id);
        }
        let guard = path.as_ref().map(|path| self.guard(path));
        Ok(tree::Insert { guard, relation: qualified(relation), alias, rows, conflict, returning })
    }

    pub(super) fn update(&mut self, update: &'a Update) -> Result<Plan, Problem> {
        let id = self.relation(&update.target, Verb::Update)?;
        let relation = self.get(id);
        let alias = self.alias();
        let names: Vec<&Name> = update.set.iter().map(|(name, _)| name).collect();
        let columns = self.writable(id, &names, Verb::Update)?;
        let reset = self.writable(id, &update.reset.iter().collect::<Vec<_>>(), Verb::Update)?;
        let mut set: Vec<(Ident, Input)> = Vec::with_capacity(columns.len() + reset.len());
        for (column, (_, value)) in columns.iter().zip(&update.set) {
            set.push((column.name.clone(), self.input(column, *value)?));
        }
        set.extend(reset.iter().map(|column| (column.name.clone(), Input::Default)));
        let filters = self.write_filters(id, alias, &update.filters, &update.returning)?;
        if set.is_empty() {
            return self.unchanged(id, alias, filters, &update.returning);
        }
        let returning = self.returning(id, &update.returning, alias)?;
        Ok(Plan::Update(tree::Update { relation: qualified(relation), alias, set, filters, returning }))
    }

    pub(super) fn delete(&mut self, delete: &'a Delete) -> Result<tree::Delete, Problem> {
        let id = self.relation(&delete.target, Verb::Delete)?;
        let alias = self.alias();
        let filters = self.write_filters(id, alias, &delete.filters, &delete.returning)?;
        let returning = self.returning(id, &delete.returning, alias)?;
        Ok(tree::Delete { relation: qualified(self.get(id)), alias, filters, returning })
    }

    /// An update that sets nothing changes nothing. Natively the rows are answered as they are (RFC 7396: an empty
    /// patch is valid); the PostgREST dialect answers none.
    fn unchanged(
        &mut self,
        id: RelationId,
        alias: Alias,
        mut filters: Vec<Cond>,
        returning: &'a Returning,
    ) -> Result<Plan, Problem> {
        let source = Source::Relation(qualified(self.get(id)));
        let mut level = match returning {
            Returning::Rows(node) => {
                self.permit(id, Verb::Select)?;
                self.level(node, self.whole(id, true), alias, source, Place::Written)?
            }
            Returning::Nothing | Returning::Key => bare(alias, source),
        };
        if self.is_dialect() {
            filters.push(Cond::Any(Vec::new()));
        }
        filters.append(&mut level.filters);
        level.filters = filters;
        let silent = !matches!(returning, Returning::Rows(_));
        let representation = self.represented(id, returning)?;
        let read = tree::Read {
            guard: None,
            level,
            representation,
            silent,
            count: None,
            count_max: u64::MAX,
            counted: None,
            locked: false,
        };
        Ok(Plan::Read(read))
    }

    /// Filters of a write. They may reach through embeds of the answer, as EXISTS. For PostgREST they speak of columns only:
    /// what is written is never chosen by an embed that happens to have a column's name.
    fn write_filters(
        &mut self,
        id: RelationId,
        alias: Alias,
        filters: &'a [Logic],
        returning: &'a Returning,
    ) -> Result<Vec<Cond>, Problem> {
        let shape = self.whole(id, true);
        let mut scope = match returning {
            Returning::Rows(node) => self.unjoined(node, shape, alias)?,
            Returning::Nothing | Returning::Key => super::level::Scope { shape, alias, links: Vec::new() },
        };
        if self.is_dialect() {
            let extended = self.style.extensions;
            scope.links.retain(|link| extended && self.find_column(shape, embed_name(link.embed)).is_none());
        }
        filters.iter().map(|filter| self.logic(&scope, filter)).collect()
    }

    fn returning(
        &mut self,
        id: RelationId,
        returning: &'a Returning,
        alias: Alias,
    ) -> Result<tree::Returning, Problem> {
        let none = tree::Returning {
            level: None,
            direct: true,
            partial: false,
            key: Vec::new(),
            inserted: Inserted::Unasked,
            representation: self.represented(id, returning)?,
        };
        match returning {
            // A plan is answered whatever the write would have answered.
            Returning::Nothing | Returning::Key if none.representation.explain.is_some() => {
                let level = Some(bare(alias, Source::Written));
                let representation = Representation { form: Form::Result, ..none.representation };
                Ok(tree::Returning { level, direct: false, representation, ..none })
            }
            Returning::Nothing => Ok(none),
            Returning::Key => Ok(tree::Returning { key: self.location_key(id), ..none }),
            Returning::Rows(node) => {
                self.permit(id, Verb::Select)?;
                let level = self.level(node, self.whole(id, true), alias, Source::Written, Place::Written)?;
                let partial = !level.filters.is_empty()
                    || level.joins.iter().any(|join| join.inner)
                    || level.limit != Limit::None
                    || level.offset.is_some()
                    || level.grouped
                    || level.distinct;
                let plain = level.fields.iter().all(|f| matches!(f.value, FieldValue::Value { .. }));
                let by_row = matches!(none.representation.form, Form::Json { .. })
                    && none.representation.explain.is_none();
                let direct = plain && by_row && !partial && level.order.is_empty() && level.joins.is_empty();
                Ok(tree::Returning { level: Some(level), direct, partial, ..none })
            }
        }
    }

    /// Rows or none, the answer must be one that the caller takes.
    fn represented(&self, id: RelationId, returning: &'a Returning) -> Result<Representation, Problem> {
        match returning {
            Returning::Rows(node) => self.negotiate(Offered::rows(Some(id), node)),
            Returning::Nothing | Returning::Key => {
                let offered = self.negotiate(Offered { relation: Some(id), whole: true, scalar: None })?;
                Ok(Representation { form: Form::default(), ..offered })
            }
        }
    }

    /// The primary key for `Location`, when the role may see what it wrote. The PostgREST dialect has PostgreSQL say
    /// whether it may, and names the columns in table order.
    fn location_key(&self, id: RelationId) -> Vec<Ident> {
        let relation = self.get(id);
        let mut key: Vec<ColumnId> = relation.primary_key.clone();
        let granted = self.is_dialect() || key.iter().all(|at| self.holds_on(id, *at, Verb::Select));
        if !granted || self.gate.relation(self.catalog, self.role, id, Verb::Select).is_err() {
            return Vec::new();
        }
        if self.is_dialect() {
            key.sort_unstable();
        }
        key.iter().map(|at| column(relation, *at).name.clone()).collect()
    }

    /// How an upsert tells what it did. `xmax` is a system column: it takes the privilege on the whole table, and only
    /// plain tables have it. Not asked for where the role does not read, because RETURNING applies its SELECT policies.
    fn tells_inserted(&self, id: RelationId) -> Inserted {
        if self.is_dialect() {
            return Inserted::Told;
        }
        let readable = self.get(id).kind == RelationKind::Table
            && self.holds(id, Verb::Select)
            && self.gate.relation(self.catalog, self.role, id, Verb::Select).is_ok();
        if readable { Inserted::System } else { Inserted::Unasked }
    }
}

/// A level that answers no fields.
fn bare(alias: Alias, source: Source) -> Level {
    Level {
        alias,
        source,
        joins: Vec::new(),
        fields: Vec::new(),
        filters: Vec::new(),
        having: Vec::new(),
        seek: None,
        order: Vec::new(),
        order_text: "".into(),
        cursors: false,
        backward: false,
        limit: Limit::None,
        offset: None,
        grouped: false,
        distinct: false,
        only_if: None,
    }
}
