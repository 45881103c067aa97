//! `order=`: columns, JSON paths, and columns of to-one relations.

use super::budget::{Budget, within};
use super::error::Fault;
use super::scan::Scanner;
use crate::request::{Name, OrderTerm, Path};

pub(super) fn whole(text: &str, b: &mut Budget<'_>) -> Result<Vec<OrderTerm>, Fault> {
    let mut s = Scanner::new(text);
    let mut terms = Vec::new();
    loop {
        within(terms.len() + 1, b.limits.order_keys, "order keys")?;
        s.blanks();
        terms.push(term(&mut s, b)?);
        s.blanks();
        if !s.eat(b',') {
            break;
        }
    }
    if s.done() { Ok(terms) } else { Err(Fault::at(s.at, "\".\", \",\" or the end")) }
}

fn term(s: &mut Scanner<'_>, b: &mut Budget<'_>) -> Result<OrderTerm, Fault> {
    let name = s.name("a column to order by")?;
    let name = Name::from(name.text.as_ref());
    let (relation, path) = if s.eat(b'(') {
        s.blanks();
        let path = b.path(s, "a column of the relation")?;
        s.blanks();
        s.expect(b')', "\")\"")?;
        (Some(name), path)
    } else {
        (None, Path { column: name, steps: b.steps(s)? })
    };
    s.blanks();
    let mut term = OrderTerm { relation, path, descending: false, nulls_first: None };
    let mut expecting = "\"asc\", \"desc\", \"nullsfirst\" or \"nullslast\"";
    while s.eat(b'.') {
        let at = s.at;
        match s.take(|byte| byte.is_ascii_lowercase()) {
            "asc" if expecting.starts_with("\"asc") => expecting = NULLS,
            "desc" if expecting.starts_with("\"asc") => {
                term.descending = true;
                expecting = NULLS;
            }
            "nullsfirst" if expecting != NO_MORE => {
                term.nulls_first = Some(true);
                expecting = NO_MORE;
            }
            "nullslast" if expecting != NO_MORE => {
                term.nulls_first = Some(false);
                expecting = NO_MORE;
            }
            _ => return Err(Fault::at(at, expecting)),
        }
    }
    Ok(term)
}

const NULLS: &str = "\"nullsfirst\" or \"nullslast\"";
const NO_MORE: &str = "\",\" or the end";
