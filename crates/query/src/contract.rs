//! What the data model demands of records, as one set of rules. The edge checks bodies by it ([`crate::validate`]), JSON
//! Schemas are written from it ([`schema`]), examples are made to fit it ([`sample`]), and the types of `gen` carry it.
//!
//! A rule stands here only when PostgreSQL holds it for certain: where a trigger may still change the row, or a CHECK is
//! not understood, there is no rule, and PostgreSQL alone decides.

mod pattern;
pub mod sample;
pub mod schema;
mod value;

pub use value::{Kind, MAX_DEPTH, Value};

use crate::catalog::{
    Argument, Catalog, Column, ColumnId, Identity, Relation, RelationId, RelationKind, RoleId, Rule,
};
use crate::gate::Verb;

/// What a column is to whoever writes a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The role may neither read nor write it: for the role it does not exist.
    Unknown,
    /// The role may read it, and not write it.
    Denied,
    /// Generated, or an identity that is always made.
    Made,
    /// An expression of a view.
    Fixed,
    Given,
}

/// Where the value of a column comes from when a new record leaves it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Always from the database; it cannot be given.
    Made,
    /// From the database, unless it is given: a default, or an identity by default.
    Default,
    /// NULL, unless it is given.
    Null,
}

/// Records of a relation as one role writes them with one verb.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    pub catalog: &'a Catalog,
    /// `None`: whoever has all rights.
    pub role: Option<RoleId>,
    pub id: RelationId,
    pub verb: Verb,
}

impl<'a> Record<'a> {
    pub fn new(catalog: &'a Catalog, role: Option<RoleId>, id: RelationId, verb: Verb) -> Self {
        Self { catalog, role, id, verb }
    }

    pub fn relation(&self) -> &'a Relation {
        self.catalog.relation(self.id)
    }

    pub fn columns(&self) -> impl Iterator<Item = (ColumnId, &'a Column)> + use<'a> {
        self.relation().columns.iter().enumerate().map(|(at, column)| (ColumnId(at as u16), column))
    }

    fn can(&self, column: ColumnId, verb: Verb) -> bool {
        self.role.is_none_or(|role| self.catalog.can_column(role, self.id, column, verb))
    }

    pub fn reads(&self, column: ColumnId) -> bool {
        self.can(column, Verb::Select)
    }

    pub fn standing(&self, id: ColumnId) -> Standing {
        let column = self.catalog.column(self.id, id);
        if !self.can(id, self.verb) {
            return if self.reads(id) { Standing::Denied } else { Standing::Unknown };
        }
        match source(column) {
            Source::Made => Standing::Made,
            _ if !column.updatable => Standing::Fixed,
            _ => Standing::Given,
        }
    }

    /// Whether triggers may change the row before its NOT NULLs and CHECKs count; or these are another server's matter.
    fn is_uncertain(&self) -> bool {
        let relation = self.relation();
        let triggers = match self.verb {
            Verb::Insert => relation.before_insert,
            _ => relation.before_update,
        };
        triggers || relation.kind == RelationKind::Foreign
    }

    fn rules(&self, id: ColumnId) -> impl Iterator<Item = &'a Rule> + use<'a> {
        let rules = self.relation().checks.iter().flat_map(|check| &check.rules);
        rules.filter(move |(column, _)| *column == id).map(|(_, rule)| rule)
    }

    /// What a value of the column has to be.
    pub fn value(&self, id: ColumnId) -> Value<'a> {
        let column = self.catalog.column(self.id, id);
        let mut value = Value::of_column(self.catalog, column);
        if !self.is_uncertain() && value.kind != Kind::Any {
            // Those of the column count before those of its domain.
            let domains = std::mem::take(&mut value.rules);
            value.rules.extend(self.rules(id));
            value.rules.extend(domains);
        }
        value
    }

    /// Whether NULL may be written.
    pub fn takes_null(&self, id: ColumnId) -> bool {
        let column = self.catalog.column(self.id, id);
        let value = Value::of_column(self.catalog, column);
        // A JSON null is a value of json and jsonb.
        if value.kind == Kind::Json {
            return true;
        }
        // A domain's NOT NULL counts before triggers see the row.
        !value.not_null
            && (self.is_uncertain() || !column.not_null && !self.rules(id).any(|rule| *rule == Rule::NotNull))
    }

    /// Whether a new record must name the column: it is NOT NULL and nothing fills it. A view does not say what its tables'
    /// columns need, and a column that the role has no right to is PostgreSQL's to refuse.
    pub fn is_required(&self, id: ColumnId) -> bool {
        let table = matches!(self.relation().kind, RelationKind::Table | RelationKind::Partitioned);
        let column = self.catalog.column(self.id, id);
        let needed =
            || Value::of_column(self.catalog, column).not_null || column.not_null && !self.is_uncertain();
        self.verb == Verb::Insert
            && table
            && source(column) == Source::Null
            && needed()
            && (self.can(id, Verb::Insert) || self.reads(id))
    }
}

/// Where the value of a column comes from when a new record leaves it out.
pub fn source(column: &Column) -> Source {
    if column.generated || column.identity == Identity::Always {
        Source::Made
    } else if column.default.is_some() || column.identity == Identity::ByDefault {
        Source::Default
    } else {
        Source::Null
    }
}

/// Whether a call must name the argument.
pub fn is_required(argument: &Argument) -> bool {
    !argument.has_default && !argument.variadic && !argument.name.is_empty()
}
