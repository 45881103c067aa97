//! The snapshot's types. Ids are indexes into one snapshot and mean nothing in another.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::gate::Verb;
use crate::ident::Ident;
use crate::media::Media;

pub type Oid = u32;
pub type Map<K, V> = HashMap<K, V, RandomState>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelationId(pub u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ColumnId(pub u16);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionId(pub u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoleId(pub u32);

/// One snapshot of the database.
#[derive(Debug, Default)]
pub struct Catalog {
    /// Grows with each snapshot of one process; part of every plan's key.
    pub version: u64,
    /// `server_version_num`, for example 150018.
    pub server_version: u32,
    /// The schemas that front doors serve, in order of preference.
    pub schemas: Vec<Ident>,
    pub relations: Vec<Relation>,
    pub functions: Vec<Function>,
    pub types: Map<Oid, Type>,
    pub roles: Vec<Role>,
    /// By schema and name.
    pub relation_names: Map<(Arc<str>, Arc<str>), RelationId>,
    /// Overloads by schema and name.
    pub function_names: Map<(Arc<str>, Arc<str>), Vec<FunctionId>>,
    pub role_names: Map<Arc<str>, RoleId>,
    /// By name; the system's own schemas are left out.
    pub namespaces: Map<Arc<str>, Namespace>,
    /// By the oid of a relation's row type.
    pub row_types: Map<Oid, RelationId>,
    /// By relation: every way to another relation, in a stable order. Only between relations of `schemas`, and only
    /// through junctions there.
    pub relationships: Vec<Vec<Relationship>>,
    /// Aggregates that make a representation: of the rows of a relation, or (`None`) of any rows. By what is asked for;
    /// [`Media::Any`] answers whatever is.
    pub media_handlers: Map<(Option<RelationId>, Media), MediaHandler>,
}

/// An aggregate `name(row)` whose result is the answer.
#[derive(Debug, Clone)]
pub struct MediaHandler {
    pub schema: Ident,
    pub name: Ident,
    /// What the answer says it is.
    pub media: Media,
    /// EXECUTE, without what PUBLIC has.
    pub grants: Grants,
    pub public_execute: bool,
}

/// A schema.
#[derive(Debug)]
pub struct Namespace {
    pub owner: RoleId,
    /// USAGE.
    pub grants: Grants,
    pub comment: Option<Arc<str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RelationKind {
    Table,
    Partitioned,
    View,
    MaterializedView,
    Foreign,
}

#[derive(Debug)]
pub struct Relation {
    pub oid: Oid,
    /// The type of its rows, as functions take and return it.
    pub row_type: Oid,
    pub schema: Ident,
    pub name: Ident,
    pub kind: RelationKind,
    pub owner: RoleId,
    pub columns: Vec<Column>,
    pub column_names: Map<Arc<str>, ColumnId>,
    /// In key order. For views: traced to the base tables.
    pub primary_key: Vec<ColumnId>,
    /// Unique constraints and unique indexes that are neither partial nor on expressions; without the primary key.
    pub uniques: Vec<Unique>,
    pub foreign_keys: Vec<ForeignKey>,
    pub checks: Vec<Check>,
    pub comment: Option<Arc<str>>,
    pub rls_enabled: bool,
    pub rls_forced: bool,
    pub policies: Vec<Policy>,
    /// Views: `security_invoker = true`.
    pub security_invoker: bool,
    /// Views: the relations that the query names, directly. Those of PostgreSQL's own schemas are left out.
    pub reads: Vec<RelationId>,
    /// Whether the object takes these verbs at all (views that are not updatable do not).
    pub insertable: bool,
    pub updatable: bool,
    pub deletable: bool,
    pub grants: Grants,
    /// Triggers may change or fill rows before PostgreSQL checks NOT NULL and CHECKs (BEFORE and INSTEAD OF, for each row).
    pub before_insert: bool,
    pub before_update: bool,
    /// A partition of another table: not a resource of its own, still a table.
    pub is_partition: bool,
    /// The planner's row estimate (`reltuples`), -1 when never analysed.
    pub estimated_rows: f32,
    /// Belongs to an extension.
    pub extension: bool,
}

#[derive(Debug)]
pub struct Column {
    pub name: Ident,
    /// `attnum`.
    pub number: i16,
    pub type_oid: Oid,
    /// As `format_type` prints it, with modifiers: `character varying(80)`, `numeric(10,2)`.
    pub type_name: Arc<str>,
    /// Characters, for `varchar(n)` and `char(n)`, also through domains.
    pub max_length: Option<u32>,
    /// Of an array, as declared; PostgreSQL takes any. 0 for what is none, and where nothing is declared: views, domains.
    pub dimensions: u16,
    /// NOT NULL of the column or of its domain.
    pub not_null: bool,
    /// The default expression as SQL, from `pg_get_expr`: the column's own, or else its domain's.
    pub default: Option<Arc<str>>,
    pub generated: bool,
    pub identity: Identity,
    pub comment: Option<Arc<str>>,
    /// Beyond what is granted on the whole relation.
    pub grants: Grants,
    /// Views: the table's column it comes from, when it is a plain reference (also through views over views).
    pub base: Option<(RelationId, ColumnId)>,
    /// Views: whether this column can be written.
    pub updatable: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    No,
    Always,
    ByDefault,
}

#[derive(Debug, Clone)]
pub struct Unique {
    pub name: Ident,
    pub columns: Vec<ColumnId>,
    /// Unique columns may hold several NULLs unless `NULLS NOT DISTINCT`.
    pub nulls_not_distinct: bool,
    pub is_constraint: bool,
}

#[derive(Debug, Clone)]
pub struct ForeignKey {
    pub name: Ident,
    pub columns: Vec<ColumnId>,
    pub target: RelationId,
    pub target_columns: Vec<ColumnId>,
}

#[derive(Debug, Clone)]
pub struct Check {
    pub name: Ident,
    /// From `pg_get_expr`: as `pg_get_constraintdef` prints it, without `CHECK`.
    pub expression: Arc<str>,
    /// What the edge can check of it. Empty when the expression is not simple; each rule must hold by itself.
    pub rules: Vec<(ColumnId, Rule)>,
}

/// A CHECK simple enough to be checked before the database is asked. The database checks it all the same. NULL passes
/// all but `NotNull`, as in SQL.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    /// Bounds on a number, at least one.
    Range {
        min: Option<Bound>,
        max: Option<Bound>,
    },
    /// Characters (`char_length`, `length`), inclusive.
    Length {
        min: Option<u32>,
        max: Option<u32>,
    },
    OneOf(Vec<Arc<str>>),
    /// `~` or `~*`: a POSIX pattern, shown to callers but not evaluated here.
    Pattern {
        pattern: Arc<str>,
        ignore_case: bool,
    },
    NotNull,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bound {
    pub value: f64,
    /// Whether the bound itself is allowed.
    pub inclusive: bool,
}

#[derive(Debug, Clone)]
pub struct Policy {
    pub name: Ident,
    pub permissive: bool,
    /// `None` is ALL.
    pub verb: Option<Verb>,
    /// Empty is PUBLIC.
    pub roles: Vec<RoleId>,
    pub using: Option<Arc<str>>,
    pub check: Option<Arc<str>>,
}

#[derive(Debug)]
pub struct Function {
    pub oid: Oid,
    pub schema: Ident,
    pub name: Ident,
    pub owner: RoleId,
    pub arguments: Vec<Argument>,
    pub variadic: bool,
    pub returns: Returns,
    pub volatility: Volatility,
    pub security_definer: bool,
    pub comment: Option<Arc<str>>,
    /// `SET` clauses: lower-case name and value.
    pub settings: Vec<(Arc<str>, Arc<str>)>,
    /// EXECUTE by name, the owner's included; `public` stays empty.
    pub grants: Grants,
    /// EXECUTE comes from PUBLIC (by default or by grant).
    pub public_execute: bool,
    pub estimated_rows: f32,
    pub extension: bool,
    /// A procedure or a trigger function is not served; only plain functions are listed here.
    pub aggregate: bool,
}

#[derive(Debug, Clone)]
pub struct Argument {
    /// Empty for an unnamed argument.
    pub name: Arc<str>,
    pub type_oid: Oid,
    pub type_name: Arc<str>,
    pub has_default: bool,
    pub variadic: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Returns {
    Void,
    /// A base type, enum, domain, array, range; `record` without columns, which is answered as one object.
    Scalar {
        type_oid: Oid,
        set: bool,
    },
    /// A row type; `relation` when it is a table's.
    Row {
        type_oid: Oid,
        relation: Option<RelationId>,
        set: bool,
    },
    /// OUT parameters or RETURNS TABLE; anonymous record.
    Table {
        columns: Vec<(Ident, Oid)>,
        set: bool,
    },
    /// Polymorphic and internal types: cannot be called from outside.
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Volatility {
    Immutable,
    Stable,
    Volatile,
}

#[derive(Debug, Clone)]
pub struct Type {
    pub oid: Oid,
    pub schema: Ident,
    pub name: Ident,
    /// As SQL names it (`format_type`): `integer`, `text[]`, `public.mood`. Quoted where needed, safe in SQL text.
    pub sql_name: Arc<str>,
    /// `typcategory`, for example `N` numeric, `S` string, `D` date/time, `A` array.
    pub category: char,
    pub kind: TypeKind,
    pub comment: Option<Arc<str>>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum TypeKind {
    Base,
    Enum(Vec<Arc<str>>),
    Domain {
        base: Oid,
        not_null: bool,
        /// Expressions on `VALUE`.
        checks: Vec<Arc<str>>,
        /// What the edge can check of them.
        rules: Vec<Rule>,
        /// Of its own modifier: `varchar(n)`, `char(n)`.
        max_length: Option<u32>,
        default: Option<Arc<str>>,
        /// Casts to and from json/text that stand for the domain's representation (PostgREST's "domain representations"):
        /// function oids.
        to_json: Option<Oid>,
        from_json: Option<Oid>,
        from_text: Option<Oid>,
    },
    Composite(Vec<(Ident, Oid)>),
    Range(Oid),
    Multirange(Oid),
    Array(Oid),
    Pseudo,
}

#[derive(Debug)]
pub struct Role {
    pub oid: Oid,
    pub name: Ident,
    pub superuser: bool,
    pub bypass_rls: bool,
    pub inherit: bool,
    /// Roles whose privileges this one has, itself included (through INHERIT memberships).
    pub member_of: Vec<RoleId>,
    /// Every role this one can SET ROLE to.
    pub can_set: Vec<RoleId>,
    /// `ALTER ROLE … SET`: lower-case name and value.
    pub settings: Vec<(Arc<str>, Arc<str>)>,
}

/// Privileges by grantee, in role order. PUBLIC stands apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    pub public: Privileges,
    pub roles: Vec<(RoleId, Privileges)>,
}

/// A set of privileges.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Privileges(pub u8);

impl Privileges {
    pub const SELECT: Self = Self(1);
    pub const INSERT: Self = Self(2);
    pub const UPDATE: Self = Self(4);
    pub const DELETE: Self = Self(8);
    pub const EXECUTE: Self = Self(16);
    /// Of a schema.
    pub const USAGE: Self = Self(32);

    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub fn of(verb: Verb) -> Self {
        match verb {
            Verb::Select => Self::SELECT,
            Verb::Insert => Self::INSERT,
            Verb::Update => Self::UPDATE,
            Verb::Delete => Self::DELETE,
        }
    }
}

/// A way from one relation to another.
#[derive(Debug, Clone)]
pub struct Relationship {
    pub target: RelationId,
    pub cardinality: Cardinality,
    pub via: Via,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cardinality {
    ManyToOne,
    OneToOne,
    OneToMany,
    ManyToMany,
}

impl Cardinality {
    pub fn to_one(self) -> bool {
        matches!(self, Self::ManyToOne | Self::OneToOne)
    }
}

#[derive(Debug, Clone)]
pub enum Via {
    /// Pairs of (column here, column there). `on_source`: the foreign key stands on the source relation.
    ForeignKey { constraint: Ident, columns: Vec<(ColumnId, ColumnId)>, on_source: bool },
    /// Through a junction: its two foreign keys, as (here, junction) and (junction, there).
    Junction {
        junction: RelationId,
        source_constraint: Ident,
        target_constraint: Ident,
        source: Vec<(ColumnId, ColumnId)>,
        target: Vec<(ColumnId, ColumnId)>,
    },
    /// A function `name(source row) returns [setof] target`.
    Computed { function: FunctionId },
}
