//! Policies that ask who the caller is once per row instead of once per statement: measured at twice the CPU for 100 rows.
//! A scalar subselect around the call lets PostgreSQL compute it once.

use std::ops::Range;

use bedplate_query::catalog::{Policy, RelationId};

use super::{Finding, Kind, Scope, Severity};
use crate::sqltext;

/// Calls that give the same for every row of a statement.
const CALLS: &[&str] = &["auth.uid(", "auth.jwt(", "auth.role(", "auth.email(", "current_setting("];

pub(super) fn check(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    for (at, relation) in scope.catalog.relations.iter().enumerate() {
        let object = sqltext::relation(scope.catalog, RelationId(at as u32));
        findings.extend(relation.policies.iter().filter_map(|policy| slow(&object, policy)));
    }
}

fn slow(object: &str, policy: &Policy) -> Option<Finding> {
    let using = policy.using.as_deref().map(wrapped);
    let check = policy.check.as_deref().map(wrapped);
    let changed = |clause: &Option<(String, bool)>| clause.as_ref().is_some_and(|(_, changed)| *changed);
    if !changed(&using) && !changed(&check) {
        return None;
    }
    let name = sqltext::name(policy.name.as_str());
    let mut fix = format!("alter policy {name} on {object}");
    if let Some((text, _)) = using.filter(|(_, changed)| *changed) {
        fix.push_str(&format!("\n    using {}", parenthesised(&text)));
    }
    if let Some((text, _)) = check.filter(|(_, changed)| *changed) {
        fix.push_str(&format!("\n    with check {}", parenthesised(&text)));
    }
    Some(Finding {
        severity: Severity::Advice,
        object: object.to_owned(),
        kind: Kind::SlowPolicy,
        message: format!(
            "policy {name} asks for the caller once per row; a subselect asks once per statement"
        ),
        fix: Some(fix + ";"),
    })
}

fn parenthesised(text: &str) -> String {
    let whole = text.starts_with('(') && close(text, 0) == Some(text.len() - 1);
    if whole { text.to_owned() } else { format!("({text})") }
}

/// The expression with each bare call in a subselect, and whether that changed anything.
fn wrapped(text: &str) -> (String, bool) {
    let mut out = String::with_capacity(text.len() + 16);
    let mut done = 0;
    for call in bare_calls(text) {
        out.push_str(&text[done..call.start]);
        out.push_str(&format!("(select {})", &text[call.clone()]));
        done = call.end;
    }
    out.push_str(&text[done..]);
    (out, done > 0)
}

/// Where calls stand that no scalar subselect surrounds. Calls inside another found call count as part of it.
fn bare_calls(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    // For each open parenthesis, whether it begins a subselect without FROM.
    let mut scalar: Vec<bool> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if let Some(skip) = literal(rest) {
            at += skip;
            continue;
        }
        let inside = found.last().is_some_and(|last| at < last.end);
        let fresh = !text[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '"'));
        if let Some(call) = CALLS.iter().find(|call| fresh && !inside && rest.starts_with(**call))
            && !scalar.contains(&true)
            && let Some(end) = close(text, at + call.len() - 1)
        {
            found.push(at..end + 1);
        }
        match rest.as_bytes()[0] {
            b'(' => scalar.push(is_scalar_subselect(text, at)),
            b')' => {
                scalar.pop();
            }
            _ => {}
        }
        at += rest.chars().next().map_or(1, char::len_utf8);
    }
    found
}

/// The length of the quoted text or name that begins here. Doubled quotes read as two in a row, which does no harm.
fn literal(text: &str) -> Option<usize> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    Some(text[1..].find(quote).map_or(text.len(), |end| end + 2))
}

/// The parenthesis that closes the one at `open`.
fn close(text: &str, open: usize) -> Option<usize> {
    let mut depth = 0usize;
    let mut at = open;
    while at < text.len() {
        if let Some(skip) = literal(&text[at..]) {
            at += skip;
            continue;
        }
        match text.as_bytes()[at] {
            b'(' => depth += 1,
            b')' if depth == 1 => return Some(at),
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += text[at..].chars().next().map_or(1, char::len_utf8);
    }
    None
}

fn is_scalar_subselect(text: &str, open: usize) -> bool {
    let Some(end) = close(text, open) else { return false };
    let body = &text[open + 1..end];
    if !body.trim_start().to_ascii_uppercase().starts_with("SELECT") {
        return false;
    }
    // FROM of its own, not of a subselect further in.
    let mut depth = 0;
    let mut flat = String::new();
    for c in body.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            c if depth == 0 => flat.push(if c.is_whitespace() { ' ' } else { c.to_ascii_uppercase() }),
            _ => {}
        }
    }
    !flat.contains(" FROM ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_calls_are_wrapped_and_wrapped_ones_left_alone() {
        let fixed = |text: &str| {
            let (text, changed) = wrapped(text);
            changed.then_some(text)
        };
        let once = fixed("(auth.uid() = user_id)").unwrap();
        assert_eq!(once, "((select auth.uid()) = user_id)");
        assert_eq!(fixed("(( SELECT auth.uid() AS uid) = user_id)"), None);
        assert_eq!(fixed("(( SELECT (auth.jwt() ->> 'org'::text)) = org)"), None);
        assert_eq!(
            fixed("(org = (current_setting('app.x(y'::text, true))::uuid)").unwrap(),
            "(org = ((select current_setting('app.x(y'::text, true)))::uuid)"
        );
        let exists = "(EXISTS ( SELECT 1\n   FROM public.members m\n  WHERE (m.user_id = auth.uid())))";
        assert!(fixed(exists).unwrap().contains("m.user_id = (select auth.uid())"));
        let wrapped_inside = "(EXISTS ( SELECT 1\n   FROM m\n  WHERE (m.u = ( SELECT auth.uid() AS uid))))";
        assert_eq!(fixed(wrapped_inside), None);
        assert_eq!(fixed("(note = 'auth.uid()'::text)"), None);
        assert_eq!(fixed("(my_current_setting('x') = other.auth.uid())"), None);
        assert_eq!(fixed("true"), None);
    }
}
