//! and/or trees.

use super::budget::{Budget, within};
use super::error::Fault;
use super::filter::{self, Place};
use super::scan::Scanner;
use crate::request::{Logic, Name, Path, Test};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Connective {
    And,
    Or,
}

/// The value of `and=(…)` or `or=(…)`.
pub(super) fn whole(
    text: &str,
    b: &mut Budget<'_>,
    connective: Connective,
    negated: bool,
) -> Result<Logic, Fault> {
    let mut s = Scanner::new(text);
    s.blanks();
    s.expect(b'(', "\"(\"")?;
    let tree = group(&mut s, b, connective, negated, 1)?;
    b.end(&mut s)?;
    Ok(tree)
}

/// Everything behind the opening parenthesis. Recursion is bounded by the limit on the depth of filters.
fn group(
    s: &mut Scanner<'_>,
    b: &mut Budget<'_>,
    connective: Connective,
    negated: bool,
    depth: usize,
) -> Result<Logic, Fault> {
    within(depth, b.limits.filter_depth, "levels of and/or")?;
    let mut members = Vec::new();
    loop {
        s.blanks();
        members.push(member(s, b, depth)?);
        s.blanks();
        if !s.eat(b',') {
            break;
        }
    }
    s.expect(b')', "\",\" or \")\"")?;
    let logic = match connective {
        Connective::And => Logic::And(members),
        Connective::Or => Logic::Or(members),
    };
    Ok(if negated { Logic::Not(Box::new(logic)) } else { logic })
}

fn member(s: &mut Scanner<'_>, b: &mut Budget<'_>, depth: usize) -> Result<Logic, Fault> {
    let start = s.at;
    let unread = match test(s, b)? {
        Found::Test(test) => return Ok(Logic::Test(test)),
        Found::Nothing { operator_at } => operator_at,
    };
    s.at = start;
    let negated = s.eat_str("not.");
    let connective = if s.eat_str("and") {
        Some(Connective::And)
    } else if s.eat_str("or") {
        Some(Connective::Or)
    } else {
        None
    };
    s.blanks();
    match connective {
        Some(connective) if s.eat(b'(') => group(s, b, connective, negated, depth + 1),
        _ => Err(match unread {
            Some(at) => Fault::Operator { at },
            None => Fault::at(start, "a column, \"not\", \"and\" or \"or\""),
        }),
    }
}

enum Found {
    Test(Test),
    /// Not a test. Where an operator was missed, if there was a column.
    Nothing {
        operator_at: Option<usize>,
    },
}

/// `column.op.value`, or with extensions `relation.column.op.value`. The first word that can be an operator is one,
/// so that what PostgREST accepts means the same here; a relation with such a name is written in quotes.
fn test(s: &mut Scanner<'_>, b: &mut Budget<'_>) -> Result<Found, Fault> {
    let mut through: Vec<Name> = Vec::new();
    let mut operator_at = None;
    let keep = b.values.0.len();
    while let Ok(column) = s.name("a column") {
        let path = Path { column: Name::from(column.text.as_ref()), steps: b.steps(s)? };
        s.blanks();
        if !s.eat(b'.') {
            break;
        }
        if let Some(head) = filter::head(s) {
            let op = filter::operation(s, b, &head, Place::Tree)?;
            return Ok(Found::Test(Test { through, path, negated: head.negated, op }));
        }
        operator_at.get_or_insert(s.at);
        if !b.extensions || !path.steps.is_empty() || through.len() == b.limits.embed_depth {
            break;
        }
        through.push(path.column);
    }
    b.values.0.truncate(keep);
    Ok(Found::Nothing { operator_at })
}
