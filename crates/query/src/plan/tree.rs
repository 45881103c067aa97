//! What the planner makes and the writer reads: every name resolved against the catalog, every object permitted.
//! Values stay references, so a tree is the same for all requests of one shape.

use std::sync::Arc;

use crate::ident::Ident;
use crate::media::{Media, PlanMedia};
use crate::output::Codec;
use crate::pgtext;
use crate::request::{AggregateFunction, Comparison, Count, Is, TextSearch, ValueRef};

/// A resolved and permitted operation.
#[derive(Debug)]
pub enum Plan {
    Read(Read),
    Insert(Insert),
    Update(Update),
    Delete(Delete),
    Call(Call),
    Bulk(Bulk),
}

/// A table alias of the statement: `t0`, `t1`, ….
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Alias(pub u16);

/// A schema-qualified name from the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qualified {
    pub schema: Ident,
    pub name: Ident,
}

/// A type as it is written in a cast.
#[derive(Debug, Clone, PartialEq)]
pub enum TypeName {
    /// One of PostgreSQL's own, from a fixed table.
    Builtin(&'static str),
    Named(Qualified),
    Array(Box<TypeName>),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    Column {
        of: Alias,
        name: Ident,
    },
    /// The whole row: NULL where an outer join found none.
    Row(Alias),
    /// A computed column: `function(alias.*)`.
    Computed {
        of: Alias,
        function: Qualified,
    },
    /// A conversion function on one value.
    Apply {
        function: Qualified,
        argument: Box<Expr>,
    },
    Json {
        base: Box<Expr>,
        steps: Vec<Step>,
    },
    Cast {
        expr: Box<Expr>,
        to: TypeName,
    },
    /// Without an argument: `count(*)`.
    Aggregate {
        function: AggregateFunction,
        argument: Option<Box<Expr>>,
    },
}

impl Expr {
    /// An aggregate, perhaps cast or converted.
    pub fn is_aggregate(&self) -> bool {
        match self {
            Self::Aggregate { .. } => true,
            Self::Cast { expr, .. } => expr.is_aggregate(),
            Self::Apply { argument, .. } => argument.is_aggregate(),
            Self::Json { base, .. } => base.is_aggregate(),
            Self::Column { .. } | Self::Row(_) | Self::Computed { .. } => false,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub as_text: bool,
    pub key: Key,
}

/// A JSON key is part of a request's shape (it names the output), yet it is written as a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Key {
    Field(Arc<str>),
    Index(i32),
}

/// How a selected value becomes JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// From the wire, by us.
    Wire(Codec),
    /// Through `to_json` in PostgreSQL: composites, arrays, types with a cast to json.
    ToJson,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Operand {
    pub value: ValueRef,
    /// The domain's function from text (domain representations).
    pub parse: Option<Qualified>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Cond {
    /// Empty: true.
    All(Vec<Cond>),
    /// Empty: false.
    Any(Vec<Cond>),
    Not(Box<Cond>),
    Compare {
        left: Expr,
        op: Comparison,
        right: Operand,
    },
    /// `op any(list)`, `op all(list)`. `element` is written where PostgreSQL cannot infer an array of the left type.
    Listed {
        left: Expr,
        op: Comparison,
        all: bool,
        right: Operand,
        element: Option<TypeName>,
    },
    Is {
        left: Expr,
        is: Is,
    },
    /// `vector`: the left side is not a tsvector yet.
    Search {
        left: Expr,
        vector: bool,
        parser: TextSearch,
        config: Option<ValueRef>,
        value: ValueRef,
    },
    /// Both sides are columns of a join.
    Equal(Expr, Expr),
    /// `(a, b) > (x, y)`, for cursors.
    Row {
        left: Vec<Expr>,
        greater: bool,
        right: Vec<ValueRef>,
    },
    /// One column against a cursor's value.
    Bound {
        left: Expr,
        op: Bound,
        right: ValueRef,
    },
    Exists {
        from: Vec<(Source, Alias)>,
        when: Vec<Cond>,
        /// Asked of row after row, in the order in which they come, and not as a join.
        in_order: bool,
        /// Which of the rows count.
        page: Option<Paged>,
    },
    /// A row of a set-returning join is there (not all NULL).
    Present(Alias),
}

/// The page of a subquery.
#[derive(Debug, Clone, PartialEq)]
pub struct Paged {
    pub limit: Limit,
    pub offset: Option<ValueRef>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// What a FROM item reads.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    Relation(Qualified),
    /// A computed relationship: `function(alias.*)`.
    Rows {
        of: Alias,
        function: Qualified,
    },
    /// A called function.
    Function(Invocation),
    /// The rows that this statement wrote.
    Written,
    /// Keys in a JSON array of objects, with their numbers.
    Keys {
        body: ValueRef,
        columns: Vec<(Ident, TypeName)>,
    },
}

/// One SELECT: the resource itself, or a list nested in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Level {
    pub alias: Alias,
    pub source: Source,
    pub joins: Vec<Join>,
    pub fields: Vec<Field>,
    pub filters: Vec<Cond>,
    /// Conditions on aggregates.
    pub having: Vec<Cond>,
    pub seek: Option<Cond>,
    pub order: Vec<OrderKey>,
    /// The order in canonical form.
    pub order_text: Arc<str>,
    /// The order is total: its keys are answered for cursors.
    pub cursors: bool,
    /// The order is turned round in SQL.
    pub backward: bool,
    pub limit: Limit,
    pub offset: Option<ValueRef>,
    /// Some field is an aggregate: the others are grouped by.
    pub grouped: bool,
    pub distinct: bool,
    /// What is nested in a spread relation is NULL where there is no such relation.
    pub only_if: Option<Box<Cond>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    None,
    /// A configured maximum.
    Fixed(u64),
    Asked {
        value: ValueRef,
        max: u64,
        probe: bool,
    },
}

/// A to-one embed in the same FROM, or the lateral lists of a spread.
#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    pub alias: Alias,
    pub inner: bool,
    pub kind: JoinKind,
    pub on: Vec<Cond>,
    /// Joins that hang on this one.
    pub joins: Vec<Join>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum JoinKind {
    Source(Source),
    /// A view that may hold several rows where one is expected: the first of those that fit.
    First {
        source: Source,
        when: Vec<Cond>,
    },
    /// A to-many spread: one array for each field of the level. `comparable`: rows are grouped or made distinct by them.
    Arrays {
        level: Box<Level>,
        comparable: bool,
    },
    /// A list (`single`: a row) by which rows are grouped or made distinct, as the first array.
    Document {
        level: Box<Level>,
        single: bool,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    pub name: Ident,
    pub value: FieldValue,
}

#[derive(Debug, Clone, PartialEq)]
pub enum FieldValue {
    Value {
        expr: Expr,
        coding: Coding,
    },
    /// A joined to-one embed. `present` is absent where the join is inner.
    Object {
        present: Option<Cond>,
        fields: Vec<Field>,
    },
    /// A to-many embed.
    List(Box<Level>),
    /// A to-one embed that aggregates: one row of its own.
    One(Box<Level>),
    /// A field of a to-many spread: the n-th array of the lateral join. Also a list that stands in a join.
    Array {
        of: Alias,
        index: usize,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub struct OrderKey {
    pub expr: Expr,
    pub descending: bool,
    pub nulls_first: bool,
    pub nullable: bool,
    /// Index of the selected field that it is, where DISTINCT or GROUP BY demand it.
    pub field: Option<usize>,
}

/// What the answer is, and how rows become it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Representation {
    pub media: Media,
    pub form: Form,
    /// The plan of the statement is answered in its place.
    pub explain: Option<PlanMedia>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    /// `single`: without brackets.
    Json {
        stripped: bool,
        single: bool,
    },
    Csv,
    /// PostGIS's function from a row to a feature.
    GeoJson(Qualified),
    /// An aggregate of the database over the rows; `of` is the relation whose rows it takes.
    Handler {
        aggregate: Qualified,
        of: Option<Qualified>,
    },
    /// What the called function returns, as it is.
    Result,
}

impl Default for Form {
    fn default() -> Self {
        Self::Json { stripped: false, single: false }
    }
}

impl Representation {
    /// Whether PostgreSQL puts the answer together, in one value.
    pub fn is_gathered(&self) -> bool {
        self.explain.is_some() || !matches!(self.form, Form::Json { .. } | Form::Csv)
    }
}

#[derive(Debug)]
pub struct Read {
    pub guard: Option<Guard>,
    pub level: Level,
    pub representation: Representation,
    /// Rows are counted, not answered.
    pub silent: bool,
    pub count: Option<Count>,
    pub count_max: u64,
    /// What is counted, where that is not the level as it is answered.
    pub counted: Option<Level>,
    /// The rows are held against other writers.
    pub locked: bool,
}

/// The parents of a nested path exist and are visible.
#[derive(Debug)]
pub struct Guard {
    pub source: Source,
    pub alias: Alias,
    pub when: Vec<Cond>,
}

#[derive(Debug)]
pub struct Insert {
    pub guard: Option<Guard>,
    pub relation: Qualified,
    pub alias: Alias,
    pub rows: InsertRows,
    pub conflict: Option<OnConflict>,
    pub returning: Returning,
}

#[derive(Debug)]
pub enum InsertRows {
    One(Vec<(Ident, Input)>),
    Many {
        body: ValueRef,
        columns: Vec<BulkColumn>,
        /// The same for every row.
        fixed: Vec<(Ident, Input, TypeName)>,
        /// Columns (by index) and what they must be for a row to be inserted.
        matching: Vec<(usize, Operand)>,
        /// The body is read as jsonb, which keeps the last of equal keys, not as json, which keeps its text.
        binary: bool,
    },
}

#[derive(Debug)]
pub struct BulkColumn {
    pub name: Ident,
    pub type_name: TypeName,
    /// Evaluated for each row that lacks the key.
    pub default: Option<BulkDefault>,
    /// The default is a sequence's next number, which rows with the key use up as well.
    pub drawn: bool,
    pub parse: Option<Qualified>,
}

#[derive(Debug)]
pub enum BulkDefault {
    /// The column's own expression, as PostgreSQL reported it.
    Expression(Arc<str>),
    /// The sequence of an identity column.
    Identity,
}

/// Where a written value comes from.
#[derive(Debug, Clone)]
pub enum Input {
    /// A field of the body.
    Json { value: ValueRef, target: pgtext::Target, parse: Option<Qualified> },
    /// A field of the body that PostgreSQL reads as it does in bulk rows.
    Record { value: ValueRef, type_name: TypeName, parse: Option<Qualified> },
    /// The column's default.
    Default,
    /// A part of the path.
    Key(ValueRef),
    /// Another column of the parent than its key.
    Lookup { source: Source, alias: Alias, column: Ident, when: Vec<Cond> },
}

#[derive(Debug)]
pub struct OnConflict {
    pub columns: Vec<Ident>,
    pub action: OnConflictAction,
}

#[derive(Debug)]
pub enum OnConflictAction {
    Nothing,
    /// `told`: each row that it changes says so, for [`Inserted::Told`].
    Update {
        given: Vec<Ident>,
        reset: Vec<Ident>,
        told: bool,
    },
}

#[derive(Debug)]
pub struct Update {
    pub relation: Qualified,
    pub alias: Alias,
    pub set: Vec<(Ident, Input)>,
    pub filters: Vec<Cond>,
    pub returning: Returning,
}

#[derive(Debug)]
pub struct Delete {
    pub relation: Qualified,
    pub alias: Alias,
    pub filters: Vec<Cond>,
    pub returning: Returning,
}

/// A part of a nested write.
#[derive(Debug)]
pub struct Bulk {
    pub relation: Qualified,
    pub alias: Alias,
    pub body: ValueRef,
    pub action: BulkAction,
    /// The columns that are written.
    pub columns: Vec<BulkColumn>,
    /// The columns that rows are found by.
    pub key: Vec<(Ident, TypeName)>,
    pub answer: Vec<Ident>,
}

#[derive(Debug)]
pub enum BulkAction {
    /// `ignore`: the primary key whose rows stay as they are; empty: none.
    Insert {
        ignore: Vec<Ident>,
    },
    Update,
    Delete,
    Find,
}

#[derive(Debug)]
pub struct Returning {
    /// What is answered. Its source is [`Source::Written`] when `direct` is false.
    pub level: Option<Level>,
    /// RETURNING alone can answer it.
    pub direct: bool,
    /// The rows answered may be fewer than the rows written.
    pub partial: bool,
    /// The primary key, as text.
    pub key: Vec<Ident>,
    pub inserted: Inserted,
    pub representation: Representation,
}

/// How it is known of each row whether it was inserted or updated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    Unasked,
    /// By its system columns: needs SELECT on the whole of a plain table.
    System,
    /// By a setting of the transaction that an update makes: works everywhere.
    Told,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Invocation {
    pub function: Qualified,
    pub arguments: Vec<PassedArgument>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct PassedArgument {
    /// Absent for the single unnamed argument.
    pub name: Option<Ident>,
    pub value: ValueRef,
    pub target: pgtext::Target,
    /// Absent for polymorphic arguments.
    pub type_name: Option<TypeName>,
    pub variadic: bool,
    /// Of several texts the last counts.
    pub last: bool,
}

#[derive(Debug)]
pub struct Call {
    pub result: CallResult,
    pub representation: Representation,
    pub count: Option<Count>,
    pub count_max: u64,
    pub single: bool,
    pub writes: bool,
    pub settings: Vec<(String, String)>,
}

#[derive(Debug)]
pub enum CallResult {
    Void(Invocation),
    Scalar {
        invocation: Invocation,
        coding: Coding,
    },
    /// `record`: rows without columns, which cannot stand in FROM.
    Scalars {
        invocation: Invocation,
        coding: Coding,
        record: bool,
        limit: Limit,
        offset: Option<ValueRef>,
    },
    Rows(Box<Level>),
}
