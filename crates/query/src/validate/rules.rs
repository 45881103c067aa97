//! CHECK rules on single values, and the words for what breaks them.

use std::sync::Arc;

use super::literal::Literal;
use crate::catalog::{Bound, Rule};

/// Where rules on this type have to be careful.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context {
    /// A whole-number type.
    pub(super) whole: bool,
    /// A number that is stored as given. Others are rounded to their scale first.
    pub(super) exact: bool,
    /// `varchar(n)` cuts blanks past `n`.
    pub(super) max_length: Option<u32>,
}

/// The fault, when the value breaks the rule for certain.
pub(super) fn broken(rule: &Rule, literal: &Literal<'_>, context: Context) -> Option<String> {
    match rule {
        Rule::Range { min, max } => out_of_range(literal, *min, *max, context),
        Rule::Length { min, max } => {
            let characters = literal.text().chars().count() as u32;
            let characters = context.max_length.map_or(characters, |most| characters.min(most));
            wrong_length(characters, *min, *max)
        }
        Rule::OneOf(values) => {
            let text = literal.text();
            let cut = context.max_length.is_some_and(|most| text.chars().count() as u32 > most);
            let number = || text.trim().parse::<i64>().ok().map(|n| n.to_string());
            let canonical = if context.whole { number()? } else { text.to_owned() };
            let known = cut || values.iter().any(|value| **value == *canonical);
            (!known).then(|| one_of(values))
        }
        // NULL is looked at elsewhere; patterns are PostgreSQL's own language.
        Rule::NotNull | Rule::Pattern { .. } => None,
    }
}

/// Half a unit: as far as rounding to a scale can move a number that has a fraction.
const ROUNDING: f64 = 0.5;

fn out_of_range(
    literal: &Literal<'_>,
    min: Option<Bound>,
    max: Option<Bound>,
    context: Context,
) -> Option<String> {
    let text = literal.text().trim();
    let value: f64 = text.parse().ok()?;
    let moved = !context.exact && !context.whole && text.contains(['.', 'e', 'E']);
    let slack = if moved { ROUNDING } else { 0.0 };
    // Two numbers can be one f64. Equal is equal for certain only among small whole numbers.
    let certain = text.parse::<i32>().is_ok();
    let below = |b: Bound| value + slack < b.value || certain && !b.inclusive && value <= b.value;
    let above = |b: Bound| value - slack > b.value || certain && !b.inclusive && value >= b.value;
    if !min.is_some_and(below) && !max.is_some_and(above) {
        return None;
    }
    Some(match (min, max) {
        (Some(Bound { value: min, inclusive: true }), Some(Bound { value: max, inclusive: true })) => {
            format!("must be between {min} and {max}")
        }
        (Some(b), _) if below(b) => {
            format!("must be {} {}", if b.inclusive { "at least" } else { "greater than" }, b.value)
        }
        (_, Some(b)) => format!("must be {} {}", if b.inclusive { "at most" } else { "less than" }, b.value),
        (_, None) => return None,
    })
}

fn wrong_length(characters: u32, min: Option<u32>, max: Option<u32>) -> Option<String> {
    if min.is_some_and(|min| characters < min) {
        let min = min.unwrap_or_default();
        return Some(if min == 1 {
            "must not be empty".to_owned()
        } else {
            format!("must be at least {min} characters")
        });
    }
    max.filter(|max| characters > *max).map(too_long)
}

pub(super) fn too_long(max: u32) -> String {
    format!("must be at most {max} character{}", if max == 1 { "" } else { "s" })
}

/// The most values that a message names.
const NAMED: usize = 20;

pub(super) fn one_of(values: &[Arc<str>]) -> String {
    let named: Vec<&str> = values.iter().take(NAMED).map(|v| &**v).collect();
    let more = if values.len() > NAMED { ", …" } else { "" };
    format!("must be one of: {}{more}", named.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(rule: &Rule, json: &str, context: Context) -> Option<String> {
        broken(rule, &Literal::read(json).unwrap(), context)
    }

    const WHOLE: Context = Context { whole: true, exact: false, max_length: None };
    const NUMERIC: Context = Context { whole: false, exact: true, max_length: None };
    const SCALED: Context = Context { whole: false, exact: false, max_length: None };

    #[test]
    fn ranges_do_not_refuse_what_rounding_may_save() {
        let bound = |value, inclusive| Some(Bound { value, inclusive });
        let percent = Rule::Range { min: bound(0.0, true), max: bound(100.0, true) };
        assert_eq!(fault(&percent, "101", WHOLE).as_deref(), Some("must be between 0 and 100"));
        assert_eq!(fault(&percent, "100", WHOLE), None);
        assert!(fault(&percent, "100.001", NUMERIC).is_some());
        assert_eq!(fault(&percent, "100.001", SCALED), None);
        assert!(fault(&percent, "100.7", SCALED).is_some());
        assert_eq!(fault(&percent, "\"NaN\"", NUMERIC), None);
        let positive = Rule::Range { min: bound(0.0, false), max: None };
        assert_eq!(fault(&positive, "0", WHOLE).as_deref(), Some("must be greater than 0"));
        assert_eq!(fault(&positive, "1e-400", NUMERIC), None, "underflows to 0 and is greater");
        let below = Rule::Range { min: None, max: bound(1.5, false) };
        assert_eq!(fault(&below, "2", NUMERIC).as_deref(), Some("must be less than 1.5"));
    }

    #[test]
    fn lengths_and_lists() {
        let length = Rule::Length { min: Some(1), max: Some(3) };
        assert_eq!(fault(&length, "\"\"", SCALED).as_deref(), Some("must not be empty"));
        assert_eq!(fault(&length, "\"äöü\"", SCALED), None);
        assert_eq!(fault(&length, "\"four\"", SCALED).as_deref(), Some("must be at most 3 characters"));
        let list = Rule::OneOf(vec!["1".into(), "2".into()]);
        assert_eq!(fault(&list, "\" 02\"", WHOLE), None);
        assert_eq!(fault(&list, "3", WHOLE).as_deref(), Some("must be one of: 1, 2"));
        assert_eq!(fault(&list, "1e0", WHOLE), None);
    }
}
