//! `[not.]operator[(any|all|language)].value`.

use super::budget::Budget;
use super::error::Fault;
use super::list;
use super::scan::Scanner;
use crate::request::{Comparison, Is, Op, Quantifier, TextSearch, Value};

/// Where an expression stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// `column=…`: the value is the rest of the text.
    Top,
    /// Inside and/or: the value ends at `,` or `)`, or is quoted.
    Tree,
}

/// Everything before the value.
pub(super) struct Head<'a> {
    pub(super) negated: bool,
    operator: Operator,
    quantifier: Option<Quantifier>,
    config: Option<&'a str>,
}

#[derive(Clone, Copy)]
enum Operator {
    In,
    Is,
    Compare(Comparison),
    Search(TextSearch),
}

/// By name.
fn operator(name: &str) -> Option<Operator> {
    use Comparison::*;
    Some(Operator::Compare(match name {
        "eq" => Eq,
        "neq" => Neq,
        "gt" => Gt,
        "gte" => Gte,
        "lt" => Lt,
        "lte" => Lte,
        "like" => Like,
        "ilike" => Ilike,
        "match" => Match,
        "imatch" => Imatch,
        "isdistinct" => IsDistinct,
        "cs" => Contains,
        "cd" => ContainedBy,
        "ov" => Overlaps,
        "sl" => StrictlyLeft,
        "sr" => StrictlyRight,
        "nxr" => NotExtendRight,
        "nxl" => NotExtendLeft,
        "adj" => Adjacent,
        "in" => return Some(Operator::In),
        "is" => return Some(Operator::Is),
        "fts" => return Some(Operator::Search(TextSearch::Query)),
        "plfts" => return Some(Operator::Search(TextSearch::Plain)),
        "phfts" => return Some(Operator::Search(TextSearch::Phrase)),
        "wfts" => return Some(Operator::Search(TextSearch::Web)),
        _ => return None,
    }))
}

/// Whether a bare word in a tree would be read as an operator or a connective instead of a relation's name.
pub(super) fn is_reserved(word: &str) -> bool {
    operator(word).is_some() || matches!(word, "not" | "and" | "or")
}

pub(super) fn takes_quantifier(comparison: Comparison) -> bool {
    use Comparison::*;
    matches!(comparison, Eq | Gt | Gte | Lt | Lte | Like | Ilike | Match | Imatch)
}

/// Reads up to the dot before the value. `None`, and nothing taken, when there is no operator here.
pub(super) fn head<'a>(s: &mut Scanner<'a>) -> Option<Head<'a>> {
    let start = s.at;
    let found = try_head(s);
    if found.is_none() {
        s.at = start;
    }
    found
}

fn try_head<'a>(s: &mut Scanner<'a>) -> Option<Head<'a>> {
    let negated = s.eat_str("not.");
    let operator = operator(s.take(|byte| byte.is_ascii_lowercase()))?;
    let mut head = Head { negated, operator, quantifier: None, config: None };
    if s.eat(b'(') {
        match operator {
            Operator::Compare(comparison) if takes_quantifier(comparison) => {
                head.quantifier = match s.take(|byte| byte.is_ascii_lowercase()) {
                    "any" => Some(Quantifier::Any),
                    "all" => Some(Quantifier::All),
                    _ => return None,
                };
            }
            Operator::Search(_) => head.config = Some(s.identifier("a text search configuration").ok()?),
            _ => return None,
        }
        if !s.eat(b')') {
            return None;
        }
    }
    s.eat(b'.').then_some(head)
}

/// Reads the value that belongs to a head.
pub(super) fn operation(
    s: &mut Scanner<'_>,
    b: &mut Budget<'_>,
    head: &Head<'_>,
    place: Place,
) -> Result<Op, Fault> {
    b.term()?;
    let op = match head.operator {
        Operator::In => {
            let items = list::parenthesised(s, b)?;
            Op::In(b.value(Value::List(items))?)
        }
        Operator::Is => Op::Is(is(s)?),
        Operator::Compare(op) => {
            let at = s.at;
            let text = value(s, place);
            let value = match head.quantifier {
                Some(_) => Value::List(list::array(&text, at, b)?),
                None => Value::Text(text),
            };
            Op::Compare { op, quantifier: head.quantifier, value: b.value(value)? }
        }
        Operator::Search(parser) => {
            let config = head.config.map(|config| b.text(config)).transpose()?;
            let value = value(s, place);
            Op::TextSearch { parser, config, value: b.value(Value::Text(value))? }
        }
    };
    Ok(op)
}

fn is(s: &mut Scanner<'_>) -> Result<Is, Fault> {
    const ALL: [(&str, Is); 5] = [
        ("null", Is::Null),
        ("not_null", Is::NotNull),
        ("true", Is::True),
        ("false", Is::False),
        ("unknown", Is::Unknown),
    ];
    let at = s.at;
    let word = s.take(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    let found = ALL.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    found.map(|(_, is)| is).ok_or_else(|| Fault::at(at, "isVal: (null, not_null, true, false, unknown)"))
}

fn value(s: &mut Scanner<'_>, place: Place) -> String {
    if place == Place::Top {
        let rest = s.rest();
        s.at = s.text.len();
        return rest.to_owned();
    }
    if s.peek() == Some(b'{')
        && let Some(length) = braces(s.rest())
    {
        let text = s.rest().get(..length).unwrap_or("");
        s.at += length;
        return text.to_owned();
    }
    list::bare_or_quoted(s)
}

/// The length of a group in braces at the start of the text that ends before `,`, `)` or the end. Braces may nest, and
/// those in double quotes do not count: an array or a JSON document needs no quotes around it. Only looks as far as a
/// URL is long by default, so that many unclosed groups cost no more than the text itself.
fn braces(text: &str) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().take(8192).enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b'{' if !quoted => depth += 1,
            b'}' if !quoted => {
                depth -= 1;
                if depth == 0 {
                    let next = text.as_bytes().get(at + 1);
                    return matches!(next, None | Some(b',' | b')')).then_some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}
