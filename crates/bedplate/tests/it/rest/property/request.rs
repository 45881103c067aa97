//! What a request asks for, in neither URL nor SQL.

use super::schema::{Schema, Table};
use super::types::Type;

#[derive(Debug, Clone)]
pub enum Action {
    Read {
        count: bool,
    },
    Delete,
    /// Columns with their values.
    Update(Vec<(usize, Option<String>)>),
    Insert(Insert),
}

#[derive(Debug, Clone)]
pub struct Insert {
    /// Each row has values for some columns.
    pub rows: Vec<Vec<(usize, Option<String>)>>,
    pub missing_default: bool,
    /// `Some(true)`: rows that are there are merged; `Some(false)`: they are left alone.
    pub upsert: Option<bool>,
}

#[derive(Debug, Clone)]
pub struct Request {
    pub action: Action,
    pub level: Level,
}

#[derive(Debug, Clone)]
pub struct Level {
    pub table: usize,
    pub items: Vec<Item>,
    pub filters: Vec<Tree>,
    pub order: Vec<Order>,
    pub limit: Option<usize>,
    pub offset: Option<usize>,
}

#[derive(Debug, Clone)]
pub enum Item {
    Star,
    Field { alias: Option<String>, path: Path, cast: Option<&'static str> },
    Aggregate { alias: String, path: Option<Path>, function: &'static str, cast: Option<&'static str> },
    Embed(Embed),
}

#[derive(Debug, Clone)]
pub struct Embed {
    pub relation: usize,
    pub form: usize,
    pub alias: Option<String>,
    /// `!inner`, `!left`, or nothing.
    pub join: &'static str,
    pub spread: bool,
    pub level: Level,
}

impl Embed {
    /// By what filters and the answer call it.
    pub fn name<'a>(&'a self, schema: &'a Schema) -> &'a str {
        self.alias.as_deref().unwrap_or(&schema.relations[self.relation].forms[self.form].0)
    }

    /// `rel()`: it is not answered.
    pub fn is_empty(&self) -> bool {
        self.level.items.is_empty()
    }
}

/// A column, or a place in a JSON one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    pub column: usize,
    /// Keys and numbers of elements.
    pub steps: Vec<&'static str>,
    /// The last step is `->>`.
    pub text: bool,
}

impl Path {
    pub fn ty(&self, table: &Table) -> Type {
        if self.text { Type::Text } else { table.columns[self.column].ty }
    }
}

#[derive(Debug, Clone)]
pub enum Tree {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    Test {
        path: Path,
        negated: bool,
        op: Op,
    },
    /// Whether an embed of this name has no rows.
    Missing {
        embed: String,
        negated: bool,
    },
}

#[derive(Debug, Clone)]
pub enum Op {
    /// PostgREST's name, SQL's operator, and the value.
    Compare(&'static str, &'static str, String),
    /// The same for `(any)` or `(all)`.
    Quantified(&'static str, &'static str, &'static str, Vec<String>),
    In(Vec<String>),
    Is(&'static str),
    /// PostgREST's name, SQL's function, a configuration, words.
    Search(&'static str, &'static str, Option<&'static str>, &'static str),
}

#[derive(Debug, Clone)]
pub struct Order {
    /// Of an embedded to-one relation.
    pub embed: Option<String>,
    pub path: Path,
    /// `.asc`, `.desc`, or nothing.
    pub direction: &'static str,
    /// `.nullsfirst`, `.nullslast`, or nothing.
    pub nulls: &'static str,
}

impl Level {
    pub fn embeds(&self) -> impl Iterator<Item = &Embed> {
        self.items.iter().filter_map(|item| match item {
            Item::Embed(embed) => Some(embed),
            _ => None,
        })
    }

    pub fn find(&self, name: &str, schema: &Schema) -> &Embed {
        self.embeds().find(|embed| embed.name(schema) == name).unwrap()
    }

    pub fn is_grouped(&self) -> bool {
        self.items.iter().any(|item| matches!(item, Item::Aggregate { .. }))
    }
}
