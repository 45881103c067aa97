//! What each key means, and on which level of the select list its value belongs.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::budget::{Budget, within};
use super::decode::Pair;
use super::error::{Error, Fault, Kind, Subject};
use super::filter::{self, Place};
use super::logic::{self, Connective};
use super::scan::{Scanner, Word};
use super::{Options, Parsed, order, select};
use crate::limits::Limits;
use crate::request::{Embed, Item, Logic, Name, Node, Path, Test, Value, ValueRef};

/// A key by its last dotted word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keyword {
    Order,
    Limit,
    Offset,
    Distinct,
    Having,
    Logic(Connective),
}

pub(super) struct Reader<'l, 'q> {
    budget: Budget<'l>,
    options: &'l Options,
    parsed: Parsed<'q>,
    /// Keys that may stand once and have been seen; only kept where repetition is an error.
    seen: SmallVec<[Cow<'q, str>; 4]>,
}

impl<'l, 'q> Reader<'l, 'q> {
    pub(super) fn new(limits: &'l Limits, options: &'l Options) -> Self {
        Self {
            budget: Budget::new(limits, options),
            options,
            parsed: Parsed::default(),
            seen: SmallVec::new(),
        }
    }

    pub(super) fn finish(self) -> Parsed<'q> {
        Parsed { values: self.budget.values, ..self.parsed }
    }

    /// The select list comes first: it makes the levels that the other keys name.
    pub(super) fn select(&mut self, pairs: &[Pair<'q>]) -> Result<(), Error> {
        let mut lists = pairs.iter().filter(|(key, _)| key == "select");
        let Some((key, value)) = lists.next() else { return Ok(()) };
        if !self.options.postgrest && lists.next().is_some() {
            return Err(repeated(key));
        }
        let text = value.as_deref().unwrap_or("");
        let items = select::whole(text, &mut self.budget);
        self.parsed.node.select = items.map_err(|fault| fault.into_error(key, Subject::Select, text))?;
        Ok(())
    }

    pub(super) fn pair(&mut self, key: Cow<'q, str>, value: Option<Cow<'q, str>>) -> Result<(), Error> {
        if key == "select" {
            return Ok(());
        }
        let value = match value {
            Some(value) => value,
            None if self.options.postgrest => return Ok(()),
            None => Cow::Borrowed(""),
        };
        if (self.options.reserved)(&key) {
            self.parsed.leftovers.push((key, value));
            return Ok(());
        }
        if self.options.postgrest && matches!(&*key, "columns" | "on_conflict") {
            return self.column_list(&key, &value);
        }
        match self.keyword(&key) {
            Some((Keyword::Logic(connective), path)) => self.logic(&key, path, connective, &value),
            Some((Keyword::Having, path)) => self.having(&key, path, &value),
            Some((keyword, path)) => self.setting(key.clone(), path.len(), keyword, &value),
            None => self.filter(key, value),
        }
    }

    /// Splits a key at its last dot when the last word is a keyword.
    fn keyword<'k>(&self, key: &'k str) -> Option<(Keyword, &'k str)> {
        let (path, word) = key.rsplit_once('.').unwrap_or(("", key));
        let keyword = match word {
            "order" => Keyword::Order,
            "limit" => Keyword::Limit,
            "offset" => Keyword::Offset,
            "and" => Keyword::Logic(Connective::And),
            "or" => Keyword::Logic(Connective::Or),
            "distinct" if self.options.extensions => Keyword::Distinct,
            "having" if self.options.extensions => Keyword::Having,
            _ => return None,
        };
        Some((keyword, path))
    }

    fn column_list(&mut self, key: &str, text: &str) -> Result<(), Error> {
        let (slot, subject) = match key {
            "columns" => (&mut self.parsed.columns, Subject::Columns),
            _ => (&mut self.parsed.on_conflict, Subject::OnConflict),
        };
        if slot.is_none() {
            let names = names(text, self.budget.limits, true);
            *slot = Some(names.map_err(|fault| fault.into_error(key, subject, text))?);
        }
        Ok(())
    }

    fn filter(&mut self, key: Cow<'q, str>, value: Cow<'q, str>) -> Result<(), Error> {
        let mut s = Scanner::new(&value);
        let Some(head) = filter::head(&mut s) else {
            if self.options.arguments {
                self.parsed.leftovers.push((key, value));
                return Ok(());
            }
            return Err(Fault::Operator { at: operator_at(&value) }.into_error(
                &key,
                Subject::Filter,
                &value,
            ));
        };
        let in_key = |fault: Fault| fault.into_error(&key, Subject::TreePath, &key);
        let mut k = Scanner::new(&key);
        let mut path = words(&mut k).map_err(in_key)?;
        let steps = self.budget.steps(&mut k).map_err(in_key)?;
        self.budget.end(&mut k).map_err(in_key)?;
        let Some(column) = path.pop() else { return Err(in_key(Fault::at(0, "a column"))) };
        let path_of_column = Path { column: Name::from(column.text.as_ref()), steps };
        let in_value = |fault: Fault| fault.into_error(&key, Subject::Filter, &value);
        let op = filter::operation(&mut s, &mut self.budget, &head, Place::Top).map_err(in_value)?;
        self.budget.end(&mut s).map_err(in_value)?;
        let test = Test { through: Vec::new(), path: path_of_column, negated: head.negated, op };
        level(&mut self.parsed.node, &path, &key)?.filters.push(Logic::Test(test));
        Ok(())
    }

    fn logic(&mut self, key: &str, path: &str, connective: Connective, value: &str) -> Result<(), Error> {
        let in_key = |fault: Fault| fault.into_error(key, Subject::LogicPath, key);
        let mut path = path_words(path).map_err(in_key)?;
        // PostgREST takes a `not` anywhere in the path; the last word is the only place where it makes sense.
        let negated = path.last().is_some_and(|word| word.is("not"));
        if negated {
            path.pop();
        }
        let tree = logic::whole(value, &mut self.budget, connective, negated);
        let tree = tree.map_err(|fault| fault.into_error(key, Subject::LogicTree, value))?;
        level(&mut self.parsed.node, &path, key)?.filters.push(tree);
        Ok(())
    }

    /// `having=(n.gt.5,total.lt.100)`: all must hold.
    fn having(&mut self, key: &str, path: &str, value: &str) -> Result<(), Error> {
        let path = path_words(path).map_err(|fault| fault.into_error(key, Subject::LogicPath, key))?;
        let tree = logic::whole(value, &mut self.budget, Connective::And, false);
        let tree = tree.map_err(|fault| fault.into_error(key, Subject::LogicTree, value))?;
        level(&mut self.parsed.node, &path, key)?.having.push(tree);
        Ok(())
    }

    /// `order`, `limit`, `offset`, `distinct`: once for each level. `path` is the length of the key's path.
    fn setting(
        &mut self,
        key: Cow<'q, str>,
        path: usize,
        keyword: Keyword,
        value: &str,
    ) -> Result<(), Error> {
        let path = path_words(key.get(..path).unwrap_or(""))
            .map_err(|fault| fault.into_error(&key, Subject::TreePath, &key))?;
        if !self.options.postgrest {
            if self.seen.contains(&key) {
                return Err(repeated(&key));
            }
            self.seen.push(key.clone());
        }
        let node = level(&mut self.parsed.node, &path, &key)?;
        match keyword {
            Keyword::Order if node.order.is_empty() => {
                let terms = order::whole(value, &mut self.budget);
                node.order = terms.map_err(|fault| fault.into_error(&key, Subject::Order, value))?;
            }
            Keyword::Limit if self.options.postgrest => {
                lenient_number(&mut self.budget, &mut node.page.limit, &key, value)?;
            }
            // A negative offset is none.
            Keyword::Offset if self.options.postgrest => {
                let value = if value.trim_start().starts_with('-') { "0" } else { value };
                lenient_number(&mut self.budget, &mut node.page.offset, &key, value)?;
            }
            Keyword::Limit => number(&mut self.budget, &mut node.page.limit, &key, value)?,
            Keyword::Offset => number(&mut self.budget, &mut node.page.offset, &key, value)?,
            Keyword::Distinct => {
                node.distinct = match value.trim() {
                    "true" => true,
                    "false" => false,
                    _ => return Err(Fault::at(0, "true or false").into_error(&key, Subject::Word, value)),
                };
            }
            Keyword::Order | Keyword::Having | Keyword::Logic(_) => {}
        }
        Ok(())
    }
}

fn repeated(key: &str) -> Error {
    Error::plain(Kind::Repeated, key, key, "this parameter may be given once")
}

/// Where the operator stands in a filter's value, behind `not.`.
fn operator_at(value: &str) -> usize {
    if value.starts_with("not.") { 4 } else { 0 }
}

/// A whole number of zero or more; one past the range of bigint is as good as the largest.
fn number(b: &mut Budget<'_>, slot: &mut Option<ValueRef>, key: &str, text: &str) -> Result<(), Error> {
    let digits = text.trim();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::plain(Kind::Range, key, text, "must be a whole number of zero or more"));
    }
    let value = Value::Int(digits.parse().unwrap_or(i64::MAX));
    if let Some(at) = slot {
        if let Some(place) = b.values.0.get_mut(usize::from(at.0)) {
            *place = value;
        }
        return Ok(());
    }
    let at = b.value(value).map_err(|fault| fault.into_error(key, Subject::TreePath, text))?;
    *slot = Some(at);
    Ok(())
}

/// As PostgREST reads it: what is no whole number is as good as not there, and a negative one is refused.
fn lenient_number(
    b: &mut Budget<'_>,
    slot: &mut Option<ValueRef>,
    key: &str,
    text: &str,
) -> Result<(), Error> {
    let digits = text.trim().strip_prefix('-').unwrap_or(text.trim());
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    number(b, slot, key, if digits.bytes().all(|byte| byte == b'0') { "0" } else { text })
}

/// More than any sensible limit on levels of embedding.
const MOST_WORDS: usize = 64;

type Words<'a> = SmallVec<[Word<'a>; 4]>;

/// Names with dots between them.
fn words<'a>(s: &mut Scanner<'a>) -> Result<Words<'a>, Fault> {
    let mut words = Words::new();
    loop {
        within(words.len() + 1, MOST_WORDS, "dotted words of one key")?;
        words.push(s.name("a field name (* or [a..z0..9_$])")?);
        if !s.eat(b'.') {
            return Ok(words);
        }
    }
}

fn path_words(path: &str) -> Result<Words<'_>, Fault> {
    if path.is_empty() {
        return Ok(Words::new());
    }
    let mut s = Scanner::new(path);
    let words = words(&mut s)?;
    s.expect_end()?;
    Ok(words)
}

/// The level that a path of embedded relations leads to.
fn level<'n>(root: &'n mut Node, path: &[Word<'_>], key: &str) -> Result<&'n mut Node, Error> {
    let mut node = root;
    for word in path {
        let Some(embed) = embed_mut(node, &word.text) else {
            let name: Box<str> = word.text.as_ref().into();
            let message = format!("`{name}` is not an embedded resource of this request; add it to select");
            return Err(Error::plain(Kind::NotEmbedded { name }, key, key, message));
        };
        node = &mut embed.node;
    }
    Ok(node)
}

/// An embed by its output name, else by its relation.
fn embed_mut<'n>(node: &'n mut Node, name: &str) -> Option<&'n mut Embed> {
    let by = |fits: &dyn Fn(&Embed) -> bool| {
        node.select.iter().position(|item| matches!(item, Item::Embed(embed) if fits(embed)))
    };
    let output = |embed: &Embed| &**embed.alias.as_ref().unwrap_or(&embed.relation) == name;
    let at = by(&output).or_else(|| by(&|embed| &*embed.relation == name))?;
    match node.select.get_mut(at) {
        Some(Item::Embed(embed)) => Some(embed),
        _ => None,
    }
}

/// `lenient`: what stands behind the list is not looked at.
pub(super) fn names(text: &str, limits: &Limits, lenient: bool) -> Result<Vec<Name>, Fault> {
    let mut s = Scanner::new(text);
    let mut names: Vec<Name> = Vec::new();
    loop {
        s.blanks();
        let name = s.name("a column")?;
        if !names.iter().any(|known| **known == *name.text) {
            within(names.len() + 1, limits.select_items, "columns of one list")?;
            names.push(Name::from(name.text.as_ref()));
        }
        s.blanks();
        if !s.eat(b',') {
            break;
        }
    }
    if !lenient {
        s.expect_end()?;
    }
    Ok(names)
}
