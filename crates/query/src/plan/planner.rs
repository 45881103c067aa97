//! [`Planner`]: what one planning run carries along: the snapshot, who asks, and what has been used up.

use bedplate_core::Problem;

use super::tree::{Alias, Expr, Qualified};
use crate::catalog::{Catalog, Column, ColumnId, Function, FunctionId, Oid, Relation, RelationId, RoleId};
use crate::gate::Gate;
use crate::ident::Ident;
use crate::limits::Limits;
use crate::request::Style;

pub(super) struct Planner<'a> {
    pub catalog: &'a Catalog,
    pub role: RoleId,
    pub gate: &'a dyn Gate,
    pub limits: &'a Limits,
    pub style: Style,
    /// How many embeds deep the planner is.
    pub depth: u16,
    aliases: u16,
}

/// Where the columns of a level come from.
#[derive(Clone, Copy)]
pub(super) enum Shape<'a> {
    /// `checked`: column grants count. They do not for rows that a function answers.
    Relation { id: RelationId, relation: &'a Relation, checked: bool },
    /// A row type without a relation.
    Columns(&'a [(Ident, Oid)]),
}

#[derive(Clone)]
pub(super) struct ColumnInfo {
    pub name: Ident,
    pub type_oid: Oid,
    pub not_null: bool,
}

impl<'a> Planner<'a> {
    pub fn new(
        catalog: &'a Catalog,
        role: RoleId,
        gate: &'a dyn Gate,
        limits: &'a Limits,
        style: Style,
    ) -> Self {
        Self { catalog, role, gate, limits, style, depth: 0, aliases: 0 }
    }

    /// Whether times must be written by PostgreSQL, which knows the time zone: by request, or because the role has one.
    pub fn is_zoned(&self) -> bool {
        let of_role = || {
            let settings = self.catalog.role(self.role).map_or(&[][..], |role| &role.settings);
            settings.iter().any(|(name, _)| &**name == "timezone")
        };
        self.style.zoned || self.is_dialect() && of_role()
    }

    /// Whether refusals and answers are PostgREST's.
    pub fn is_dialect(&self) -> bool {
        !self.style.star_readable_only
    }

    pub fn get(&self, id: RelationId) -> &'a Relation {
        self.catalog.relation(id)
    }

    pub fn name_of(&self, relation: RelationId, at: ColumnId) -> crate::request::Name {
        column(self.get(relation), at).name.shared()
    }

    pub fn function(&self, id: FunctionId) -> &'a Function {
        self.catalog.function(id)
    }

    pub fn alias(&mut self) -> Alias {
        let alias = Alias(self.aliases);
        self.aliases += 1;
        alias
    }

    pub fn whole(&self, id: RelationId, checked: bool) -> Shape<'a> {
        Shape::Relation { id, relation: self.get(id), checked }
    }

    /// The columns that the role may read, in table order. Not for `*` of the PostgREST dialect alone: there grants
    /// are PostgreSQL's business, so all are.
    pub fn columns(&self, shape: Shape<'a>) -> Vec<ColumnInfo> {
        match shape {
            Shape::Relation { id, relation, checked } => relation
                .columns
                .iter()
                .enumerate()
                .filter(|(at, _)| !checked || self.is_dialect() || self.reads(id, ColumnId(*at as u16)))
                .map(|(_, column)| column.into())
                .collect(),
            Shape::Columns(columns) => columns.iter().map(ColumnInfo::from).collect(),
        }
    }

    pub fn find_column(&self, shape: Shape<'a>, name: &str) -> Option<ColumnInfo> {
        match shape {
            Shape::Relation { id, relation, checked } => {
                let found = *relation.column_names.get(name)?;
                (!checked || self.reads(id, found)).then(|| column(relation, found).into())
            }
            Shape::Columns(columns) => columns.iter().find(|(c, _)| c.as_str() == name).map(ColumnInfo::from),
        }
    }
}

impl From<&Column> for ColumnInfo {
    fn from(column: &Column) -> Self {
        Self { name: column.name.clone(), type_oid: column.type_oid, not_null: column.not_null }
    }
}

impl From<&(Ident, Oid)> for ColumnInfo {
    fn from((name, type_oid): &(Ident, Oid)) -> Self {
        Self { name: name.clone(), type_oid: *type_oid, not_null: false }
    }
}

pub(super) fn column(relation: &Relation, id: ColumnId) -> &Column {
    &relation.columns[id.0 as usize]
}

pub(super) fn qualified(relation: &Relation) -> Qualified {
    Qualified { schema: relation.schema.clone(), name: relation.name.clone() }
}

pub(super) fn qualified_function(function: &Function) -> Qualified {
    Qualified { schema: function.schema.clone(), name: function.name.clone() }
}

pub(super) fn builtin_function(name: &str) -> Qualified {
    Qualified { schema: Ident::from_catalog("pg_catalog"), name: Ident::from_catalog(name) }
}

pub(super) fn column_of(of: Alias, column: &Column) -> Expr {
    Expr::Column { of, name: column.name.clone() }
}

/// An output name, which PostgreSQL must be able to carry in nested rows.
pub(super) fn output_name(name: &str) -> Result<Ident, Problem> {
    Ident::alias(name).ok_or_else(|| {
        Problem::new(&crate::problems::QUERY_SYNTAX)
            .detail("An output name is empty, longer than 63 bytes, or holds a NUL")
            .hint("Give it an alias: alias:column")
    })
}
