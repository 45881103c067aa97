//! Inserts, updates and deletes: columns and privileges checked, values typed, the answer planned as a read of the
//! rows written.

use bedplate_core::{Problem, problem};

use super::access::forbidden;
use super::level::Place;
use super::parents::Path;
use super::planner::{Planner, column, qualified};
use super::tree::{
    self, Alias, BulkColumn, BulkDefault, Cond, FieldValue, Input, InsertRows, Level, Limit, OnConflict,
    OnConflictAction, Plan, Source, TypeName,
};
use crate::catalog::{Column, ColumnId, Identity, RelationId, RelationKind};
use crate::gate::Verb;
use crate::ident::Ident;
use crate::pgtext::Target;
use crate::problems::UNKNOWN_COLUMN;
use crate::request::{
    Conflict, ConflictAction, Delete, Insert, Logic, Name, Returning, Rows, Update, ValueRef,
};

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
                    row.push((column.name.clone(), self.input(column, *value)));
                }
                InsertRows::One(row)
            }
            Rows::Many { body, .. } => {
                let bulk = columns
                    .iter()
                    .map(|c| self.bulk_column(c, insert.missing_default))
                    .collect::<Result<_, _>>()?;
                InsertRows::Many { body: *body, columns: bulk, fixed: inherited }
            }
        };
        let conflict = insert.conflict.as_ref().map(|c| self.conflict(id, c, &columns)).transpose()?;
        let mut returning = self.returning(id, &insert.returning, alias)?;
        let upserts = matches!(&conflict, Some(c) if matches!(c.action, OnConflictAction::Update { .. }));
        // `xmax` is a system column: it takes the privilege on the whole table, and only plain tables have it. Not
        // asked for where the role does not read, because RETURNING applies its SELECT policies.
        returning.inserted = upserts
            && relation.kind == RelationKind::Table
            && self.holds(id, Verb::Select)
            && self.gate.relation(self.catalog, self.role, id, Verb::Select).is_ok();
        if matches!(insert.returning, Returning::Rows(_) | Returning::Key) {
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
        let set: Vec<(Ident, Input)> = columns
            .iter()
            .zip(&update.set)
            .map(|(c, (_, value))| (c.name.clone(), self.input(c, *value)))
            .collect();
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
        if !self.style.star_readable_only {
            filters.push(Cond::Any(Vec::new()));
        }
        filters.append(&mut level.filters);
        level.filters = filters;
        let silent = !matches!(returning, Returning::Rows(_));
        Ok(Plan::Read(tree::Read { guard: None, level, silent, count: None, count_max: u64::MAX }))
    }

    /// The columns of a body, in its order. All faults are told at once.
    fn writable(&self, id: RelationId, names: &[&Name], verb: Verb) -> Result<Vec<&'a Column>, Problem> {
        let relation = self.get(id);
        let mut columns = Vec::with_capacity(names.len());
        let (mut unknown, mut refused, mut generated) = (Vec::new(), Vec::new(), Vec::new());
        let strict = self.style.star_readable_only;
        for name in names {
            let Some(found) = self.catalog.find_column(id, name) else {
                unknown.push(name);
                continue;
            };
            let column = column(relation, found);
            if strict && !self.holds_on(id, found, verb) {
                let known = self.holds_on(id, found, Verb::Select);
                if known { refused.push(name) } else { unknown.push(name) }
            } else if strict && (column.generated || column.identity == Identity::Always) {
                generated.push(name);
            } else {
                columns.push(column);
            }
        }
        let with = |code, names: &[&&Name], fault: &str| {
            names.iter().fold(Problem::new(code), |p, name| p.field(name.to_string(), fault.to_owned()))
        };
        if !unknown.is_empty() {
            let fault = format!("is not a column of {:?}", relation.name.as_str());
            return Err(with(&UNKNOWN_COLUMN, &unknown, &fault).detail("The body has unknown columns"));
        }
        if !refused.is_empty() {
            return Err(with(&problem::FORBIDDEN, &refused, "may not be written by you"));
        }
        if !generated.is_empty() {
            return Err(with(&problem::VALIDATION_FAILED, &generated, "is set by the database"));
        }
        Ok(columns)
    }

    fn inherit(
        &mut self,
        path: Option<&Path<'a>>,
        id: RelationId,
        given: &[&Column],
    ) -> Result<Vec<(Ident, Input, TypeName)>, Problem> {
        let Some(path) = path else { return Ok(Vec::new()) };
        let relation = self.get(id);
        let mut inherited = Vec::new();
        for (at, name, input) in self.inherited(path)? {
            if given.iter().any(|c| c.name == name) {
                return Err(Problem::new(&problem::VALIDATION_FAILED)
                    .field(name.to_string(), "is set by the path".to_owned()));
            }
            let column = column(relation, at);
            if self.style.star_readable_only && !self.holds_on(id, at, Verb::Insert) {
                return Err(forbidden(
                    relation.name.as_str(),
                    format!("INSERT on column {name} is not granted"),
                ));
            }
            inherited.push((name, input, self.type_name(column.type_oid)?));
        }
        Ok(inherited)
    }

    fn input(&self, column: &Column, value: ValueRef) -> Input {
        let [_, parse, _] = self.representation(column.type_oid);
        let target = if parse.is_some() { Target::Json } else { self.target(column.type_oid) };
        Input::Json { value, target, parse }
    }

    fn bulk_column(&self, column: &Column, missing_default: bool) -> Result<BulkColumn, Problem> {
        let [_, parse, _] = self.representation(column.type_oid);
        let type_name =
            if parse.is_some() { TypeName::Builtin("json") } else { self.type_name(column.type_oid)? };
        let default = match (&column.default, column.identity) {
            _ if !missing_default => None,
            (_, Identity::ByDefault | Identity::Always) => Some(BulkDefault::Identity),
            (Some(expression), Identity::No) => Some(BulkDefault::Expression(expression.clone())),
            (None, Identity::No) => None,
        };
        Ok(BulkColumn { name: column.name.clone(), type_name, default, parse })
    }

    fn conflict(
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
        if self.style.star_readable_only {
            let refused =
                set.iter().find(|name| !self.catalog.find_column(id, name.as_str()).is_some_and(updates));
            if let Some(name) = refused {
                return Err(forbidden(
                    relation.name.as_str(),
                    format!("UPDATE on column {name} is not granted"),
                ));
            }
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
        Ok(OnConflict { columns, action: OnConflictAction::Update { given: set, reset } })
    }

    fn conflict_key(&self, id: RelationId, conflict: &Conflict) -> Result<Vec<ColumnId>, Problem> {
        if conflict.columns.is_empty() {
            let relation = self.get(id);
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
        let relation = self.get(id);
        let same = |key: &[ColumnId]| {
            key.iter().all(|id| columns.contains(id)) && columns.iter().all(|id| key.contains(id))
        };
        let known = same(&relation.primary_key) || relation.uniques.iter().any(|u| same(&u.columns));
        // The PostgREST dialect leaves the answer to PostgreSQL, which also knows partial indexes.
        if known || !self.style.star_readable_only || relation.kind != RelationKind::Table {
            return Ok(columns);
        }
        Err(Problem::new(&problem::MALFORMED)
            .detail(format!(
                "These columns of {:?} have no unique constraint to conflict on",
                relation.name.as_str()
            ))
            .hint("Name exactly the columns of a primary key or unique constraint"))
    }

    /// Filters of a write. They may reach through embeds of the answer, as EXISTS.
    fn write_filters(
        &mut self,
        id: RelationId,
        alias: Alias,
        filters: &'a [Logic],
        returning: &'a Returning,
    ) -> Result<Vec<Cond>, Problem> {
        let shape = self.whole(id, true);
        let scope = match returning {
            Returning::Rows(node) => self.unjoined(node, shape, alias)?,
            Returning::Nothing | Returning::Key => super::level::Scope { shape, alias, links: Vec::new() },
        };
        filters.iter().map(|filter| self.logic(&scope, filter)).collect()
    }

    fn returning(
        &mut self,
        id: RelationId,
        returning: &'a Returning,
        alias: Alias,
    ) -> Result<tree::Returning, Problem> {
        let none =
            tree::Returning { level: None, direct: true, partial: false, key: Vec::new(), inserted: false };
        match returning {
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
                let direct = plain && !partial && level.order.is_empty() && level.joins.is_empty();
                Ok(tree::Returning { level: Some(level), direct, partial, ..none })
            }
        }
    }

    /// The primary key for `Location`, when the role may see what it wrote.
    fn location_key(&self, id: RelationId) -> Vec<Ident> {
        let key = &self.get(id).primary_key;
        let readable = key.iter().all(|at| self.holds_on(id, *at, Verb::Select))
            && self.gate.relation(self.catalog, self.role, id, Verb::Select).is_ok();
        let names = key.iter().map(|at| column(self.get(id), *at).name.clone());
        if readable { names.collect() } else { Vec::new() }
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
    }
}
