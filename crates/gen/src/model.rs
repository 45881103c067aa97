//! What is written, free of any language: sorted by name, so that equal schemas give equal files.

use std::sync::Arc;

use bedplate_query::catalog::Bound;

#[derive(Debug)]
pub(crate) struct Model {
    /// By name.
    pub schemas: Vec<Schema>,
    /// The schema that clients mean when they name none.
    pub default_schema: String,
}

#[derive(Debug)]
pub(crate) struct Schema {
    pub name: String,
    pub tables: Vec<Relation>,
    pub views: Vec<Relation>,
    /// Overloads stand together.
    pub functions: Vec<Overloads>,
    pub enums: Vec<Enum>,
    pub composites: Vec<Composite>,
}

#[derive(Debug)]
pub(crate) struct Relation {
    pub name: String,
    pub comment: Option<Arc<str>>,
    pub columns: Vec<Column>,
    /// Functions of one row, which requests select like columns.
    pub computed: Vec<Computed>,
    pub relationships: Vec<Relationship>,
    /// Views: whether rows can be inserted or updated at all.
    pub writable: bool,
}

#[derive(Debug)]
pub(crate) struct Column {
    pub name: String,
    pub comment: Option<Arc<str>>,
    pub ty: Ty,
    /// Whether reading may give NULL.
    pub nullable: bool,
    /// Whether NULL may be written.
    pub takes_null: bool,
    pub insert: Presence,
    pub update: Presence,
    pub insert_limits: Limits,
    pub update_limits: Limits,
}

/// What lengths, domains and CHECKs say of a value that is written, beyond its type.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Limits {
    pub min: Option<Bound>,
    pub max: Option<Bound>,
    /// Characters.
    pub shortest: Option<u32>,
    /// Characters.
    pub longest: Option<u32>,
    /// In place of all values of the type.
    pub choices: Option<Vec<Arc<str>>>,
    /// Regular expressions that each must match, as ECMA-262 has them.
    pub patterns: Vec<String>,
}

/// Whether a column stands in what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    Required,
    Optional,
    /// The database refuses it.
    Never,
}

#[derive(Debug)]
pub(crate) struct Computed {
    pub name: String,
    pub comment: Option<Arc<str>>,
    pub shape: Shape,
    /// Gives rows of a relation: an embed rather than a value.
    pub embeds: bool,
}

/// A foreign key of the relation, as far as its target is offered too.
#[derive(Debug)]
pub(crate) struct Relationship {
    pub constraint: String,
    pub columns: Vec<String>,
    pub one_to_one: bool,
    pub target: String,
    pub target_columns: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Overloads {
    pub name: String,
    pub functions: Vec<Function>,
}

#[derive(Debug)]
pub(crate) struct Function {
    pub comment: Option<Arc<str>>,
    pub arguments: Vec<Argument>,
    pub shape: Shape,
    /// The answer is a list.
    pub list: bool,
    /// Gives rows of a relation or composite type.
    pub rows: Option<Rows>,
    /// Why it cannot be called over HTTP: what the server says when it is tried.
    pub refusal: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Argument {
    /// Empty when it has none.
    pub name: String,
    pub ty: Ty,
    pub optional: bool,
}

/// What a function's rows are, and of which relation's rows it is a computed relationship.
#[derive(Debug)]
pub(crate) struct Rows {
    /// `*` for a function that is called by itself.
    pub from: String,
    pub to: String,
    pub one_to_one: bool,
    pub set: bool,
}

#[derive(Debug)]
pub(crate) enum Shape {
    Value(Ty),
    /// A row of a relation of the same schema.
    Row(Vec<Field>),
    /// RETURNS TABLE, OUT arguments: nothing is known of NULLs.
    Table(Vec<Field>),
}

#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub name: String,
    pub ty: Ty,
    pub nullable: bool,
}

#[derive(Debug)]
pub(crate) struct Enum {
    pub name: String,
    pub comment: Option<Arc<str>>,
    pub labels: Vec<Arc<str>>,
}

#[derive(Debug)]
pub(crate) struct Composite {
    pub name: String,
    pub comment: Option<Arc<str>>,
    /// In the type's own order. Each may be NULL: composite types have no constraints.
    pub fields: Vec<Field>,
}

/// A type as JSON carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ty {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Numeric,
    Text,
    Uuid,
    Date,
    Time,
    Timestamp,
    Timestamptz,
    Json,
    /// A text in JSON for which supabase-js has no word: `inet`, ranges, `tsvector`.
    OtherText,
    /// Nothing is known of its JSON.
    Unknown,
    Void,
    /// An object of which nothing is known.
    Record,
    Enum(Named),
    /// An enum of a schema that is not written.
    Labels(Vec<Arc<str>>),
    Composite(Named),
    /// A relation's row.
    Row {
        of: Named,
        view: bool,
    },
    Array(Box<Ty>),
}

/// Something that is written, by schema and name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Named {
    pub schema: String,
    pub name: String,
}
