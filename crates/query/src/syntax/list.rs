//! Lists of values: `in.(…)`, and PostgreSQL's array literals for any/all.

use super::budget::{Budget, within};
use super::error::Fault;
use super::scan::Scanner;

const ITEMS: &str = "items of one list";

/// `(a,"b,c",)`: items up to `,` or `)`, or in quotes with backslash escapes. `()` is the empty list.
pub(super) fn parenthesised(s: &mut Scanner<'_>, b: &Budget<'_>) -> Result<Vec<Option<String>>, Fault> {
    s.blanks();
    s.expect(b'(', "\"(\" and a list of values")?;
    let mut items = Vec::new();
    if b.lenient {
        s.blanks();
    }
    if s.eat(b')') {
        return Ok(items);
    }
    loop {
        within(items.len() + 1, b.limits.in_items, ITEMS)?;
        items.push(Some(bare_or_quoted(s)));
        if !s.eat(b',') {
            s.expect(b')', "\",\" or \")\"")?;
            // PostgREST takes a single empty item, quoted or not, for an empty list.
            if b.lenient && items.len() == 1 && items[0].as_deref() == Some("") {
                items.clear();
            }
            return Ok(items);
        }
    }
}

/// A value inside a list or a tree: quoted when a whole quotation stands before `,` or `)`, else the bare text.
pub(super) fn bare_or_quoted(s: &mut Scanner<'_>) -> String {
    if s.peek() == Some(b'"') {
        let start = s.at;
        match s.quoted() {
            Ok(text) if matches!(s.peek(), None | Some(b',' | b')')) => return text.into_owned(),
            _ => s.at = start,
        }
    }
    s.until(b',', b')').to_owned()
}

/// A one-dimensional array literal as PostgreSQL reads it (array_in): `{a,"b c",NULL}`. `base` is the offset of the
/// literal for faults.
pub(super) fn array(text: &str, base: usize, b: &Budget<'_>) -> Result<Vec<Option<String>>, Fault> {
    let mut s = Scanner::new(text);
    let shifted = |fault| match fault {
        Fault::Unexpected { at, expecting } => Fault::Unexpected { at: at + base, expecting },
        other => other,
    };
    array_items(&mut s, b).map_err(shifted)
}

fn array_items(s: &mut Scanner<'_>, b: &Budget<'_>) -> Result<Vec<Option<String>>, Fault> {
    s.blanks();
    s.expect(b'{', "a list in braces, as {a,b}")?;
    s.blanks();
    let mut items = Vec::new();
    if s.eat(b'}') {
        s.expect_end()?;
        return Ok(items);
    }
    loop {
        within(items.len() + 1, b.limits.in_items, ITEMS)?;
        s.blanks();
        items.push(array_item(s)?);
        s.blanks();
        if !s.eat(b',') {
            s.expect(b'}', "\",\" or \"}\"")?;
            s.expect_end()?;
            return Ok(items);
        }
    }
}

fn array_item(s: &mut Scanner<'_>) -> Result<Option<String>, Fault> {
    if s.peek() == Some(b'"') {
        return s.quoted().map(|text| Some(text.into_owned()));
    }
    let mut item = String::new();
    // How much of the item must stay: trailing blanks go unless they are escaped.
    let mut keep = 0;
    while let Some(letter) = s.rest().chars().next() {
        match letter {
            ',' | '}' => break,
            '{' | '"' => return Err(Fault::at(s.at, "a plain item: quote items that have braces or quotes")),
            '\\' => {
                s.at += 1;
                let Some(escaped) = s.rest().chars().next() else { break };
                s.at += escaped.len_utf8();
                item.push(escaped);
                keep = item.len();
                continue;
            }
            _ => {}
        }
        s.at += letter.len_utf8();
        item.push(letter);
        if !letter.is_ascii_whitespace() {
            keep = item.len();
        }
    }
    item.truncate(keep);
    match item.is_empty() {
        true => Err(Fault::at(s.at, "an item; write an empty one as \"\"")),
        false if item.eq_ignore_ascii_case("null") => Ok(None),
        false => Ok(Some(item)),
    }
}
