//! `select=`: fields, embedded relations, spreads and aggregates.

use super::budget::{Budget, within};
use super::error::Fault;
use super::scan::{Scanner, Word};
use crate::request::{Aggregate, AggregateFunction, Embed, Field, Item, Join, Name, Node, Path};

/// A whole select list; empty text is an empty list (`*`).
pub(super) fn whole(text: &str, b: &mut Budget<'_>) -> Result<Vec<Item>, Fault> {
    let mut s = Scanner::new(text);
    let items = list(&mut s, b, 0)?;
    b.end(&mut s)?;
    Ok(items)
}

/// Recursion is bounded by the limit on levels of embedding.
fn list(s: &mut Scanner<'_>, b: &mut Budget<'_>, depth: usize) -> Result<Vec<Item>, Fault> {
    let mut items = Vec::new();
    s.blanks();
    if s.done() || s.peek() == Some(b')') {
        return Ok(items);
    }
    loop {
        within(items.len() + 1, b.limits.select_items, "items of one select list")?;
        s.blanks();
        items.push(item(s, b, depth)?);
        s.blanks();
        if !s.eat(b',') {
            return Ok(items);
        }
    }
}

fn item(s: &mut Scanner<'_>, b: &mut Budget<'_>, depth: usize) -> Result<Item, Fault> {
    if s.eat_str("...") {
        let relation = s.name("the name of a relation to spread")?;
        return embed(s, b, depth, Head { relation, alias: None, spread: true });
    }
    if s.eat(b'*') {
        s.blanks();
        return end(s).map(|()| Item::Star);
    }
    let mut name = s.name("a column, a relation or *")?;
    let mut alias = None;
    if s.peek() == Some(b':') && !s.rest().starts_with("::") {
        s.at += 1;
        s.blanks();
        alias = Some(name);
        name = s.name("a column or a relation")?;
    }
    if name.is("count") && s.eat_str("()") {
        let cast = cast(s)?;
        end(s)?;
        let aggregate = Aggregate { function: AggregateFunction::Count, cast };
        return Ok(Item::Field(Field {
            path: None,
            cast: None,
            alias: alias.map(shared),
            aggregate: Some(aggregate),
        }));
    }
    if matches!(s.peek(), Some(b'(' | b'!')) {
        return embed(s, b, depth, Head { relation: name, alias, spread: false });
    }
    field(s, b, name, alias).map(Item::Field)
}

fn shared(word: Word<'_>) -> Name {
    Name::from(word.text.as_ref())
}

fn field(
    s: &mut Scanner<'_>,
    b: &mut Budget<'_>,
    column: Word<'_>,
    alias: Option<Word<'_>>,
) -> Result<Field, Fault> {
    let path = Path { column: shared(column), steps: b.steps(s)? };
    s.blanks();
    let field_cast = cast(s)?;
    let mut aggregate = None;
    if s.eat(b'.') {
        let function = function(s)?;
        aggregate = Some(Aggregate { function, cast: cast(s)? });
    }
    end(s)?;
    Ok(Field { path: Some(path), cast: field_cast, alias: alias.map(shared), aggregate })
}

fn function(s: &mut Scanner<'_>) -> Result<AggregateFunction, Fault> {
    const ALL: [(&str, AggregateFunction); 5] = [
        ("sum()", AggregateFunction::Sum),
        ("avg()", AggregateFunction::Avg),
        ("count()", AggregateFunction::Count),
        ("min()", AggregateFunction::Min),
        ("max()", AggregateFunction::Max),
    ];
    let found = ALL.into_iter().find(|(text, _)| s.eat_str(text));
    found
        .map(|(_, function)| function)
        .ok_or_else(|| Fault::at(s.at, "sum(), avg(), count(), min() or max()"))
}

fn cast(s: &mut Scanner<'_>) -> Result<Option<Name>, Fault> {
    if !s.eat_str("::") {
        return Ok(None);
    }
    let start = s.at;
    let name = s.identifier("the name of a type")?;
    if !s.eat_str("[]") {
        return Ok(Some(Name::from(name)));
    }
    Ok(s.text.get(start..s.at).map(|array| Name::from(array.trim())))
}

/// An item ends at a comma, a closing parenthesis or the end.
fn end(s: &mut Scanner<'_>) -> Result<(), Fault> {
    s.blanks();
    match s.peek() {
        None | Some(b',' | b')') => Ok(()),
        _ => Err(Fault::at(s.at, "\"->>\", \"->\", \"::\", \".\", \",\", \")\" or the end")),
    }
}

struct Head<'a> {
    relation: Word<'a>,
    alias: Option<Word<'a>>,
    spread: bool,
}

fn embed(s: &mut Scanner<'_>, b: &mut Budget<'_>, depth: usize, head: Head<'_>) -> Result<Item, Fault> {
    let (mut hint, mut join) = (None, None);
    while s.peek() == Some(b'!') && (hint.is_none() || join.is_none()) {
        let at = s.at;
        s.at += 1;
        let word = s.name("inner, left, or the name of a foreign key, column or junction table")?;
        let slot_taken = match &word {
            word if word.is("inner") => join.replace(Join::Inner).is_some(),
            word if word.is("left") => join.replace(Join::Left).is_some(),
            _ => hint.replace(word).is_some(),
        };
        if slot_taken {
            return Err(Fault::at(at, "one hint and one of !inner and !left at most"));
        }
    }
    s.blanks();
    s.expect(b'(', "\"!\" or \"(\"")?;
    b.embed(depth + 1)?;
    let select = list(s, b, depth + 1)?;
    s.blanks();
    s.expect(b')', "\",\" or \")\"")?;
    Ok(Item::Embed(Embed {
        relation: shared(head.relation),
        alias: head.alias.map(shared),
        hint: hint.map(shared),
        join: join.unwrap_or_default(),
        spread: head.spread,
        empty: select.is_empty(),
        node: Node { select, ..Node::default() },
    }))
}
