//! One value against what the contract says of it.

use std::collections::HashMap;

use bedplate_core::FieldFaults;
use serde_json::value::RawValue;

use super::literal::{self, Literal, Whole};
use super::rules;
use super::{NOT_NULL, dates};
use crate::catalog::{Catalog, Oid};
use crate::contract::{Kind, MAX_DEPTH, Value};

/// Enough to work with; more would only make the answer large.
const MAX_FAULTS: usize = 100;

/// Collects the faults of one record.
#[derive(Debug)]
pub(super) struct Checker<'a> {
    catalog: &'a Catalog,
    faults: FieldFaults,
    depth: usize,
}

impl<'a> Checker<'a> {
    pub(super) fn new(catalog: &'a Catalog) -> Self {
        Self { catalog, faults: FieldFaults::new(), depth: 0 }
    }

    pub(super) fn fault(&mut self, field: &str, message: impl Into<String>) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.entry(field.to_owned()).or_default().push(message.into());
        }
    }

    pub(super) fn finish(self) -> Result<(), FieldFaults> {
        if self.faults.is_empty() { Ok(()) } else { Err(self.faults) }
    }

    /// Checks a value. NULL passes unless a domain refuses it: whether the column does is known elsewhere.
    pub(super) fn check(&mut self, field: &str, json: &str, value: &Value<'a>) {
        let json = json.trim_matches([' ', '\t', '\n', '\r']);
        if json == "null" {
            if value.not_null && value.kind != Kind::Json {
                self.fault(field, NOT_NULL);
            }
            return;
        }
        self.depth += 1;
        if self.depth <= MAX_DEPTH {
            self.check_kind(field, json, value);
        }
        self.depth -= 1;
    }

    fn check_kind(&mut self, field: &str, json: &str, value: &Value<'a>) {
        let first = json.as_bytes().first();
        match (value.kind, first) {
            (Kind::Json | Kind::Any, _) => {}
            (Kind::Array(element), Some(b'[')) => self.array(field, json, element, value.nests),
            (Kind::Composite(fields), Some(b'{')) => self.composite(field, json, fields),
            (Kind::Range | Kind::Multirange, Some(b'"')) => {}
            (Kind::Array(_) | Kind::Composite(_) | Kind::Range | Kind::Multirange, _) => {
                self.fault(field, expectation(value.kind));
            }
            _ => self.scalar(field, json, value),
        }
    }

    fn scalar(&mut self, field: &str, json: &str, value: &Value<'a>) {
        let Some(literal) = Literal::read(json) else {
            let expected = match value.kind {
                Kind::Enum(labels) => rules::one_of(labels),
                kind => expectation(kind).to_owned(),
            };
            return self.fault(field, expected);
        };
        if let Some(message) = wrong(value, &literal) {
            return self.fault(field, message);
        }
        let whole = matches!(value.kind, Kind::Whole { .. });
        for message in value.rules.iter().filter_map(|rule| rules::broken(rule, &literal, whole)) {
            self.fault(field, message);
        }
    }

    fn array(&mut self, field: &str, json: &str, element: Oid, nests: bool) {
        let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(json) else { return };
        let value = Value::of_type(self.catalog, element);
        for (at, item) in items.into_iter().enumerate() {
            let (name, item) = (format!("{field}.{at}"), item.get());
            // A further dimension has the same element type.
            if nests && item.starts_with('[') && value.kind != Kind::Json && self.depth < MAX_DEPTH {
                self.depth += 1;
                self.array(&name, item, element, nests);
                self.depth -= 1;
            } else {
                self.check(&name, item, &value);
            }
        }
    }

    fn composite(&mut self, field: &str, json: &str, fields: &[(crate::ident::Ident, Oid)]) {
        let Ok(given) = serde_json::from_str::<HashMap<String, &RawValue>>(json) else { return };
        for (name, value) in given {
            let path = format!("{field}.{name}");
            match fields.iter().find(|(known, _)| known.as_str() == name) {
                Some((_, type_oid)) => {
                    self.check(&path, value.get(), &Value::of_type(self.catalog, *type_oid));
                }
                None => self.fault(&path, "is not a field here"),
            }
        }
    }
}

/// Why a scalar cannot be a value of its kind; `None` when it is or may be.
fn wrong(value: &Value<'_>, literal: &Literal<'_>) -> Option<String> {
    let text = |is: fn(&str) -> bool| matches!(literal, Literal::Text(text) if is(text));
    let good = match value.kind {
        Kind::Boolean => matches!(literal, Literal::Bool(_)),
        Kind::Whole { min, max } => return whole(literal, min, max),
        Kind::Float => matches!(literal, Literal::Number(_)) || text(literal::is_special_number),
        Kind::Numeric { below } => return numeric(literal, below),
        Kind::Uuid => text(literal::is_uuid),
        Kind::Date | Kind::Time | Kind::Timestamp { .. } => text(dates::is_plausible),
        Kind::Interval => text(dates::is_plausible_interval),
        Kind::Text => return words(literal, value.max_length),
        Kind::Enum(labels) => {
            let is_label = matches!(literal, Literal::Text(text) if labels.iter().any(|l| **l == **text));
            return (!is_label).then(|| rules::one_of(labels));
        }
        Kind::Scalar => !matches!(literal, Literal::Bool(_)),
        Kind::Json | Kind::Any => true,
        Kind::Array(_) | Kind::Composite(_) | Kind::Range | Kind::Multirange => false,
    };
    (!good).then(|| expectation(value.kind).to_owned())
}

fn expectation(kind: Kind<'_>) -> &'static str {
    match kind {
        Kind::Boolean => "must be true or false",
        Kind::Whole { .. } => "must be a whole number",
        Kind::Float | Kind::Numeric { .. } => "must be a number",
        Kind::Uuid => "must be a UUID",
        Kind::Date => "must be a date, for example 2026-11-20",
        Kind::Time => "must be a time, for example 19:30:00",
        Kind::Timestamp { .. } => "must be a date and time, for example 2026-11-20T19:30:00Z",
        Kind::Interval => "must be a duration, for example P1DT2H or 1 day 2 hours",
        Kind::Array(_) => "must be an array",
        Kind::Composite(_) => "must be an object",
        Kind::Range => "must be a range, for example \"[1,10)\"",
        Kind::Multirange => "must be ranges, for example \"{[1,3),[7,10)}\"",
        Kind::Text | Kind::Enum(_) => "must be text",
        Kind::Scalar | Kind::Json | Kind::Any => "must be text or a number",
    }
}

fn whole(literal: &Literal<'_>, min: i64, max: i64) -> Option<String> {
    match literal::whole(literal, min, max) {
        Whole::Fits | Whole::Perhaps => None,
        Whole::TooLarge => Some(format!("must be between {min} and {max}")),
        Whole::No => Some(expectation(Kind::Whole { min, max }).to_owned()),
    }
}

fn numeric(literal: &Literal<'_>, below: Option<f64>) -> Option<String> {
    let may_be = match literal {
        Literal::Number(_) => true,
        Literal::Text(text) => literal::is_decimal(text) || literal::is_special_number(text),
        Literal::Bool(_) => false,
    };
    if !may_be {
        return Some(expectation(Kind::Numeric { below }).to_owned());
    }
    // NaN fits any precision.
    let size = literal.text().parse::<f64>().ok().map(f64::abs).filter(|size| !size.is_nan())?;
    let below = below.filter(|below| size >= *below)?;
    Some(format!("must be less than {below}, without its sign"))
}

fn words(literal: &Literal<'_>, max_length: Option<u32>) -> Option<String> {
    let Literal::Text(text) = literal else { return Some(expectation(Kind::Text).to_owned()) };
    if text.contains('\0') {
        return Some("must not contain the character U+0000".to_owned());
    }
    let max = max_length?;
    (text.chars().count() as u32 > max).then(|| rules::too_long(max))
}
