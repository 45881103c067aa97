//! CHECK rules on single values, and the words for what breaks them.

use std::sync::Arc;

use super::literal::Literal;
use crate::catalog::{Bound, Rule};

/// The fault, when the value breaks the rule for certain. `whole`: of a whole-number type.
pub(super) fn broken(rule: &Rule, literal: &Literal<'_>, whole: bool) -> Option<String> {
    match rule {
        Rule::Range { min, max } => out_of_range(literal, *min, *max),
        Rule::Length { min, max } => wrong_length(literal.text().chars().count() as u32, *min, *max),
        Rule::OneOf(values) => {
            let text = literal.text();
            let canonical = if whole { text.parse::<i64>().ok()?.to_string() } else { text.to_owned() };
            let known = values.iter().any(|value| **value == *canonical);
            (!known).then(|| one_of(values))
        }
        // NULL is looked at elsewhere; patterns are PostgreSQL's own language.
        Rule::NotNull | Rule::Pattern { .. } => None,
    }
}

fn out_of_range(literal: &Literal<'_>, min: Option<Bound>, max: Option<Bound>) -> Option<String> {
    let text = literal.text();
    let value: f64 = text.parse().ok()?;
    // Two numbers can be one f64. Equal is equal for certain only among small whole numbers.
    let certain = text.parse::<i32>().is_ok();
    let below = |b: Bound| value < b.value || certain && !b.inclusive && value <= b.value;
    let above = |b: Bound| value > b.value || certain && !b.inclusive && value >= b.value;
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

    fn fault(rule: &Rule, json: &str) -> Option<String> {
        broken(rule, &Literal::read(json).unwrap(), false)
    }

    #[test]
    fn ranges() {
        let bound = |value, inclusive| Some(Bound { value, inclusive });
        let percent = Rule::Range { min: bound(0.0, true), max: bound(100.0, true) };
        assert_eq!(fault(&percent, "101").as_deref(), Some("must be between 0 and 100"));
        assert_eq!(fault(&percent, "100"), None);
        assert!(fault(&percent, "100.001").is_some() && fault(&percent, "\"100.001\"").is_some());
        assert_eq!(fault(&percent, "\"NaN\""), None);
        let positive = Rule::Range { min: bound(0.0, false), max: None };
        assert_eq!(fault(&positive, "0").as_deref(), Some("must be greater than 0"));
        assert_eq!(fault(&positive, "1e-400"), None, "underflows to 0 and is greater");
        let below = Rule::Range { min: None, max: bound(1.5, false) };
        assert_eq!(fault(&below, "2").as_deref(), Some("must be less than 1.5"));
    }

    #[test]
    fn lengths_and_lists() {
        let length = Rule::Length { min: Some(1), max: Some(3) };
        assert_eq!(fault(&length, "\"\"").as_deref(), Some("must not be empty"));
        assert_eq!(fault(&length, "\"äöü\""), None);
        assert_eq!(fault(&length, "\"four\"").as_deref(), Some("must be at most 3 characters"));
        let list = Rule::OneOf(vec!["1".into(), "2".into()]);
        let whole = |json: &str| broken(&list, &Literal::read(json).unwrap(), true);
        assert_eq!(whole("2"), None);
        assert_eq!(whole("3").as_deref(), Some("must be one of: 1, 2"));
        assert_eq!(whole("1e0"), None);
    }
}
