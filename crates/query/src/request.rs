//! The query IR: what a caller asks for, before anything is looked up. Front doors (`/api/v1`, the PostgREST dialect,
//! GraphQL, RPC) parse into it; only the planner reads it.
//!
//! Names are as the caller wrote them. Values are kept apart, in [`Values`], and the tree refers to them by
//! [`ValueRef`]: so [`Operation`] is the *shape* of a request, equal for requests that differ only in values. It is
//! the key of the plan cache, which is why everything in it is `Eq + Hash`.

use std::sync::Arc;

pub use crate::media::Accept;

/// A name as the caller wrote it; unchecked.
pub type Name = Arc<str>;

/// Index into [`Values`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ValueRef(pub u16);

/// A value of a request. It reaches PostgreSQL as a parameter only.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text that PostgreSQL casts to the type of what it is compared with.
    Text(String),
    /// The items of an `in` list or an any/all array, unescaped; `None` is NULL. Sent as one array parameter.
    List(Vec<Option<String>>),
    /// JSON text of one field of a body, or of a whole body. Converted to the column's type when bound
    /// (see `pgtext::from_json`).
    Json(Box<str>),
    Int(i64),
    Null,
}

/// The values of one request, in the order of their references.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Values(pub Vec<Value>);

impl Values {
    /// The limits on terms and lists keep a request far below 65,535 values; past that the reference would wrap, so
    /// `None` is returned and the caller answers `limit_exceeded`.
    pub fn push(&mut self, value: Value) -> Option<ValueRef> {
        let at = u16::try_from(self.0.len()).ok()?;
        self.0.push(value);
        Some(ValueRef(at))
    }

    pub fn get(&self, at: ValueRef) -> &Value {
        &self.0[at.0 as usize]
    }
}

#[derive(Debug, Clone)]
pub struct Request {
    pub operation: Operation,
    pub values: Values,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Operation {
    Read(Read),
    Insert(Insert),
    Update(Update),
    Delete(Delete),
    Call(Call),
    /// A part of a nested write.
    Bulk(Bulk),
}

impl Operation {
    /// How it is meant.
    pub fn style(&self) -> &Style {
        match self {
            Self::Read(read) => &read.style,
            Self::Insert(insert) => &insert.style,
            Self::Update(update) => &update.style,
            Self::Delete(delete) => &delete.style,
            Self::Call(call) => &call.style,
            Self::Bulk(bulk) => &bulk.style,
        }
    }
}

/// A table, view or function by name; without a schema the first API schema that has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    pub schema: Option<Name>,
    pub name: Name,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Read {
    pub target: Target,
    /// `/users/{id}/posts`: the resources above, outermost first. Each must exist and be visible, else 404.
    pub parents: Vec<Parent>,
    pub node: Node,
    pub count: Option<Count>,
    pub style: Style,
}

/// A step of a nested path: the row of `target` whose primary key is `key` (in key column order).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Parent {
    pub target: Target,
    pub key: Vec<ValueRef>,
    /// Which foreign key leads to the next step, where several do.
    pub hint: Option<Name>,
}

/// Where front doors differ in what the same request means.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Style {
    /// `*` means the columns that the role may read (native); otherwise all columns, and PostgreSQL refuses (PostgREST).
    pub star_readable_only: bool,
    /// The order is completed by the primary key so that pages are stable (native).
    pub total_order: bool,
    /// Extensions of the grammar (filters on embedded relations inside or/and trees) are allowed.
    pub extensions: bool,
    /// Times are answered in the time zone of the transaction, which the request sets; otherwise in UTC.
    pub zoned: bool,
    /// Which representations of the answer the caller takes.
    pub accept: Accept,
    /// Reads: the rows are held against other writers until the transaction ends.
    pub locked: bool,
}

impl Style {
    pub const NATIVE: Self = Self {
        star_readable_only: true,
        total_order: true,
        extensions: true,
        zoned: false,
        accept: Accept::Json,
        locked: false,
    };
    pub const POSTGREST: Self = Self {
        star_readable_only: false,
        total_order: false,
        extensions: false,
        zoned: false,
        accept: Accept::Json,
        locked: false,
    };
}

/// One level of a read: the resource itself or an embedded relation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Node {
    /// Empty means `*`, except for an embed written `rel()`, which selects nothing.
    pub select: Vec<Item>,
    /// All must hold.
    pub filters: Vec<Logic>,
    /// Conditions on aggregates, by their output names; all must hold. An extension of the grammar.
    pub having: Vec<Logic>,
    pub order: Vec<OrderTerm>,
    pub page: Page,
    pub distinct: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Item {
    Star,
    Field(Field),
    Embed(Embed),
}

/// `alias:col->a->>b::cast`, `alias:col.sum()::cast`, `count()`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Field {
    /// `None` only for `count()`, which counts rows.
    pub path: Option<Path>,
    pub cast: Option<Name>,
    pub alias: Option<Name>,
    pub aggregate: Option<Aggregate>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Aggregate {
    pub function: AggregateFunction,
    pub cast: Option<Name>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AggregateFunction {
    Count,
    Sum,
    Avg,
    Min,
    Max,
}

/// A column, or a place inside a JSON or composite column.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Path {
    pub column: Name,
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Step {
    /// `->>`: the result is text. `->`: the result is JSON.
    pub as_text: bool,
    pub key: Key,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// The key is a value and becomes a parameter; `name` is kept for the default output name.
    Field {
        name: Name,
        value: ValueRef,
    },
    Index(i32),
}

/// `alias:relation!hint!inner(...)`, `...relation(...)`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Embed {
    /// A table, view, foreign key column, or computed relationship.
    pub relation: Name,
    pub alias: Option<Name>,
    /// A foreign key's name, its column, or a junction table.
    pub hint: Option<Name>,
    pub join: Join,
    pub spread: bool,
    pub node: Node,
    /// `rel()`: nothing is selected; it only filters.
    pub empty: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Join {
    /// Rows without a match stay.
    #[default]
    Left,
    /// Rows without a match go.
    Inner,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Logic {
    And(Vec<Logic>),
    Or(Vec<Logic>),
    Not(Box<Logic>),
    Test(Test),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Test {
    /// Embedded relations (by output name) between this node and the column; empty for the node itself. Filters of
    /// `emb.col=op.value` form are put on the embed's own node by the parser; this is for or/and trees across embeds.
    pub through: Vec<Name>,
    pub path: Path,
    pub negated: bool,
    pub op: Op,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Op {
    Compare {
        op: Comparison,
        quantifier: Option<Quantifier>,
        value: ValueRef,
    },
    /// A [`Value::List`].
    In(ValueRef),
    Is(Is),
    TextSearch {
        parser: TextSearch,
        config: Option<ValueRef>,
        value: ValueRef,
    },
}

/// The binary operators, by PostgREST's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    Eq,
    Neq,
    Gt,
    Gte,
    Lt,
    Lte,
    /// `*` in the value stands for `%`.
    Like,
    Ilike,
    /// `~`
    Match,
    /// `~*`
    Imatch,
    IsDistinct,
    /// `cs`: `@>`
    Contains,
    /// `cd`: `<@`
    ContainedBy,
    /// `ov`: `&&`
    Overlaps,
    /// `sl`: `<<`
    StrictlyLeft,
    /// `sr`: `>>`
    StrictlyRight,
    /// `nxr`: `&<`
    NotExtendRight,
    /// `nxl`: `&>`
    NotExtendLeft,
    /// `adj`: `-|-`
    Adjacent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quantifier {
    Any,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Is {
    Null,
    NotNull,
    True,
    False,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TextSearch {
    /// `fts`: `to_tsquery`
    Query,
    /// `plfts`: `plainto_tsquery`
    Plain,
    /// `phfts`: `phraseto_tsquery`
    Phrase,
    /// `wfts`: `websearch_to_tsquery`
    Web,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OrderTerm {
    /// Order by a column of a to-one embed, by the embed's output name.
    pub relation: Option<Name>,
    pub path: Path,
    pub descending: bool,
    /// `None` is PostgreSQL's default: nulls last ascending, first descending.
    pub nulls_first: Option<bool>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Page {
    /// A [`Value::Int`]. `None` only where no bound applies (the front door or the planner adds the maximum).
    pub limit: Option<ValueRef>,
    /// In place of `limit`: the number itself, as part of the shape, for front doors that bound it. PostgreSQL plans a
    /// prepared statement once only when it knows the limit; with a parameter it plans again at each execution, because a
    /// plan for a tenth of all rows never looks good. The number is written from this integer, not from any text.
    pub rows: Option<u32>,
    /// A [`Value::Int`].
    pub offset: Option<ValueRef>,
    pub seek: Option<Seek>,
    /// Ask for one row more than `limit`, to learn whether there are more; the row is not answered.
    pub probe: bool,
}

impl Page {
    /// Whether the caller (or the front door for it) named a limit.
    pub fn is_bounded(&self) -> bool {
        self.limit.is_some() || self.rows.is_some()
    }
}

/// Continue after (or before) a row, given the values of its order keys in order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Seek {
    /// One for each resolved order key; `None` is SQL NULL (its own shape, since NULL compares differently).
    pub keys: Vec<Option<ValueRef>>,
    /// Towards the start: the order is reversed in SQL and the rows turned back when answered.
    pub backward: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Count {
    Exact,
    /// The planner's estimate.
    Planned,
    /// Exact up to the page maximum, else planned.
    Estimated,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Insert {
    pub target: Target,
    /// `/users/{id}/posts`: as in [`Read`]; the key columns are filled from the last parent.
    pub parents: Vec<Parent>,
    pub rows: Rows,
    pub conflict: Option<Conflict>,
    /// A bulk row without a key that others have: the column's default (true) or NULL (false).
    pub missing_default: bool,
    pub returning: Returning,
    pub style: Style,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Rows {
    /// One row: column and its [`Value::Json`], or [`Value::Null`]. No column: `DEFAULT VALUES`.
    One(Vec<(Name, ValueRef)>),
    /// A [`Value::Json`] array of objects; `columns` is the union of their keys, or what the caller listed. Elements whose
    /// columns differ from `matching` are left out (PUT of the PostgREST dialect).
    Many { columns: Vec<Name>, body: ValueRef, matching: Vec<(Name, ValueRef)> },
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Conflict {
    /// Empty: the primary key.
    pub columns: Vec<Name>,
    pub action: ConflictAction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConflictAction {
    /// `ON CONFLICT DO UPDATE` of the given columns; the PostgREST dialect sets those of the key as well.
    Merge,
    Ignore,
    /// PUT: as merge, but columns that are not given get their defaults (the row is replaced).
    Replace,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Update {
    pub target: Target,
    /// Column and its [`Value::Json`], or [`Value::Null`].
    pub set: Vec<(Name, ValueRef)>,
    /// Columns that get their defaults.
    pub reset: Vec<Name>,
    pub filters: Vec<Logic>,
    pub returning: Returning,
    pub style: Style,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Delete {
    pub target: Target,
    pub filters: Vec<Logic>,
    pub returning: Returning,
    pub style: Style,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Returning {
    /// Only how many rows.
    Nothing,
    /// The rows, with embeds. Filters, order and page of the node apply to the answer only (embeds have their own).
    Rows(Node),
    /// The primary key only, for `Location`.
    Key,
}

/// One statement over the objects of a JSON array: a part of a nested write. Its rows are told apart by their numbers in the
/// array, from 1.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Bulk {
    pub target: Target,
    pub action: Action,
    /// A [`Value::Json`]: an array of objects. Columns that rows are found by are members by [`key_member`].
    pub body: ValueRef,
    /// Columns of the rows that are answered, as text, behind each row's number.
    pub answer: Vec<Name>,
    pub style: Style,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Action {
    /// `ignore`: rows whose primary key is there already stay as they are.
    Insert {
        columns: Vec<Name>,
        ignore: bool,
    },
    /// The rows with these keys.
    Update {
        set: Vec<Name>,
        key: Vec<Name>,
    },
    Delete {
        key: Vec<Name>,
    },
    Find {
        key: Vec<Name>,
    },
    /// Reads the rows as the node says, in the order of the array.
    Fetch {
        key: Vec<Name>,
        node: Node,
    },
}

/// The member of a step's object for a column that rows are found by: apart from the column's new value.
pub fn key_member(column: &str) -> String {
    format!("={column}")
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Call {
    pub function: Target,
    pub arguments: Arguments,
    /// Reads over the result, when it is table-valued.
    pub node: Node,
    pub count: Option<Count>,
    /// GET and HEAD: only functions that are not volatile, in a read-only transaction.
    pub read_only: bool,
    pub style: Style,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Arguments {
    /// Values are [`Value::Json`] (from a body) or [`Value::Text`] (from a query string; [`Value::List`] for variadics).
    Named(Vec<(Name, ValueRef)>),
    /// A JSON object: named arguments, or the whole `body` for a single unnamed json parameter where no function
    /// takes them by name.
    Object { named: Vec<(Name, ValueRef)>, body: ValueRef },
    /// The whole body for a single unnamed parameter; `media` tells which type fits.
    Body { value: ValueRef, media: BodyMedia },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BodyMedia {
    Json,
    Text,
    Xml,
    Bytes,
}
