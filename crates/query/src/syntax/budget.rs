//! What one request has used of its [`Limits`], and the values found so far.

use super::Options;
use super::error::Fault;
use super::scan::Scanner;
use crate::limits::Limits;
use crate::request::{Key, Name, Path, Step, Value, ValueRef, Values};

pub(super) struct Budget<'l> {
    pub(super) limits: &'l Limits,
    /// Whether the grammar's extensions are allowed.
    pub(super) extensions: bool,
    /// PostgREST's leniency: what stands behind a list, a tree or a path that ended is not looked at.
    pub(super) lenient: bool,
    pub(super) values: Values,
    terms: usize,
    embeds: usize,
}

impl<'l> Budget<'l> {
    pub(super) fn new(limits: &'l Limits, options: &Options) -> Self {
        Self {
            limits,
            extensions: options.extensions,
            lenient: options.postgrest,
            values: Values::default(),
            terms: 0,
            embeds: 0,
        }
    }

    /// The end of what is read.
    pub(super) fn end(&self, s: &mut Scanner<'_>) -> Result<(), Fault> {
        if self.lenient { Ok(()) } else { s.expect_end() }
    }

    pub(super) fn term(&mut self) -> Result<(), Fault> {
        self.terms += 1;
        within(self.terms, self.limits.filter_terms, "filter terms")
    }

    pub(super) fn embed(&mut self, depth: usize) -> Result<(), Fault> {
        self.embeds += 1;
        within(self.embeds, self.limits.embeds, "embedded relations")?;
        within(depth, self.limits.embed_depth, "levels of embedding")
    }

    pub(super) fn value(&mut self, value: Value) -> Result<ValueRef, Fault> {
        let limit = Fault::Limit { what: "values", most: usize::from(u16::MAX) };
        self.values.push(value).ok_or(limit)
    }

    pub(super) fn text(&mut self, text: &str) -> Result<ValueRef, Fault> {
        self.value(Value::Text(text.to_owned()))
    }

    /// The `->key` and `->>key` steps behind a column, if any.
    pub(super) fn steps(&mut self, s: &mut Scanner<'_>) -> Result<Vec<Step>, Fault> {
        let mut steps = Vec::new();
        while s.eat_str("->") {
            within(steps.len() + 1, MOST_STEPS, "steps of one JSON path")?;
            let as_text = s.eat(b'>');
            let key = match s.json_index()? {
                Some(index) => Key::Index(index),
                None => {
                    let key = s.json_key()?;
                    Key::Field { value: self.text(&key)?, name: Name::from(key.as_ref()) }
                }
            };
            steps.push(Step { as_text, key });
        }
        Ok(steps)
    }

    /// A column with its JSON path.
    pub(super) fn path(&mut self, s: &mut Scanner<'_>, expecting: &'static str) -> Result<Path, Fault> {
        let column = s.name(expecting)?;
        Ok(Path { column: Name::from(column.text.as_ref()), steps: self.steps(s)? })
    }
}

/// Deeper than any body that we accept (security.md §4: JSON depth 64).
const MOST_STEPS: usize = 64;

pub(super) fn within(used: usize, most: usize, what: &'static str) -> Result<(), Fault> {
    if used > most { Err(Fault::Limit { what, most }) } else { Ok(()) }
}
