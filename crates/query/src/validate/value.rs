//! One value against its type.

use std::collections::HashMap;

use bedplate_core::FieldFaults;
use serde_json::value::RawValue;

use super::literal::{self, Literal, Whole};
use super::rules::{self, Context};
use super::{NOT_NULL, dates};
use crate::catalog::{Catalog, Oid, Rule, Type, TypeKind};

/// What a value goes into.
#[derive(Debug, Clone)]
pub(super) struct Slot<'a> {
    pub(super) type_oid: Oid,
    pub(super) max_length: Option<u32>,
    pub(super) rules: Vec<&'a Rule>,
    /// The type keeps numbers as given (`numeric` without a modifier).
    pub(super) exact: bool,
}

impl Slot<'_> {
    fn of(type_oid: Oid) -> Self {
        Self { type_oid, max_length: None, rules: Vec::new(), exact: false }
    }
}

/// Enough to work with; more would only make the answer large.
const MAX_FAULTS: usize = 100;
/// As deep as bodies may be.
const MAX_DEPTH: usize = 128;

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

    pub(super) fn is_json(&self, type_oid: Oid) -> bool {
        self.catalog.base_type(type_oid).is_some_and(|t| matches!(t.oid, JSON | JSONB))
    }

    pub(super) fn domain_refuses_null(&self, type_oid: Oid) -> bool {
        self.domains(type_oid).any(|(_, kind)| matches!(kind, TypeKind::Domain { not_null: true, .. }))
    }

    /// The domains over the base type, from the outside in.
    fn domains(&self, type_oid: Oid) -> impl Iterator<Item = (Oid, &'a TypeKind)> + use<'a> {
        let catalog = self.catalog;
        let at = move |oid| {
            let kind = &catalog.type_of(oid)?.kind;
            matches!(kind, TypeKind::Domain { .. }).then_some((oid, kind))
        };
        std::iter::successors(at(type_oid), move |(_, kind)| match kind {
            TypeKind::Domain { base, .. } => at(*base),
            _ => None,
        })
    }

    /// Checks a value. NULL passes unless a domain refuses it: whether the column does is known elsewhere.
    pub(super) fn check(&mut self, field: &str, json: &str, slot: &Slot<'_>) {
        let json = json.trim_matches([' ', '\t', '\n', '\r']);
        let Some(base) = self.catalog.base_type(slot.type_oid) else { return };
        if json == "null" {
            if self.domain_refuses_null(slot.type_oid) && !matches!(base.oid, JSON | JSONB) {
                self.fault(field, NOT_NULL);
            }
            return;
        }
        let mut slot = slot.clone();
        for (_, kind) in self.domains(slot.type_oid) {
            if let TypeKind::Domain { rules, max_length, from_json, from_text, .. } = kind {
                if from_json.is_some() || from_text.is_some() {
                    // The domain has a representation of its own.
                    return;
                }
                slot.rules.extend(rules);
                slot.max_length = slot.max_length.or(*max_length);
                slot.exact = false;
            }
        }
        self.depth += 1;
        if self.depth <= MAX_DEPTH {
            self.check_base(field, json, base, &slot);
        }
        self.depth -= 1;
    }

    fn check_base(&mut self, field: &str, json: &str, base: &'a Type, slot: &Slot<'_>) {
        match (&base.kind, json.as_bytes().first()) {
            // PostgreSQL's own literals for these are passed on.
            (
                TypeKind::Array(_) | TypeKind::Composite(_) | TypeKind::Range(_) | TypeKind::Multirange(_),
                Some(b'"'),
            ) => {}
            (TypeKind::Array(element), Some(b'[')) => self.array(field, json, *element),
            (TypeKind::Array(_), _) => self.fault(field, "must be an array"),
            (TypeKind::Composite(fields), Some(b'{')) => self.composite(field, json, fields),
            (TypeKind::Composite(_), _) => self.fault(field, "must be an object"),
            (TypeKind::Range(_), _) => self.fault(field, "must be a range, for example \"[1,10)\""),
            (TypeKind::Multirange(_), _) => {
                self.fault(field, "must be ranges, for example \"{[1,3),[7,10)}\"");
            }
            (TypeKind::Pseudo | TypeKind::Domain { .. }, _) => {}
            (TypeKind::Enum(labels), _) => match Literal::read(json) {
                Some(literal) if labels.iter().any(|label| **label == *literal.text()) => {
                    self.rules(field, &literal, base, slot);
                }
                _ => self.fault(field, rules::one_of(labels)),
            },
            (TypeKind::Base, _) => match (Literal::read(json), wrong(base, json, slot.max_length)) {
                (_, Some(message)) => self.fault(field, message),
                (Some(literal), None) => self.rules(field, &literal, base, slot),
                (None, None) => {}
            },
        }
    }

    fn rules(&mut self, field: &str, literal: &Literal<'_>, base: &Type, slot: &Slot<'_>) {
        let context = Context {
            whole: matches!(base.oid, INT2 | INT4 | INT8),
            exact: slot.exact || base.oid == FLOAT8,
            max_length: slot.max_length,
        };
        let broken: Vec<String> =
            slot.rules.iter().filter_map(|rule| rules::broken(rule, literal, context)).collect();
        for message in broken {
            self.fault(field, message);
        }
    }

    fn array(&mut self, field: &str, json: &str, element: Oid) {
        let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(json) else { return };
        let element_is_json = self.is_json(element);
        for (at, item) in items.into_iter().enumerate() {
            let (name, item) = (format!("{field}.{at}"), item.get());
            // A further dimension has the same element type.
            if item.starts_with('[') && !element_is_json && self.depth < MAX_DEPTH {
                self.depth += 1;
                self.array(&name, item, element);
                self.depth -= 1;
            } else {
                self.check(&name, item, &Slot::of(element));
            }
        }
    }

    fn composite(&mut self, field: &str, json: &str, fields: &[(crate::ident::Ident, Oid)]) {
        let Ok(given) = serde_json::from_str::<HashMap<String, &RawValue>>(json) else { return };
        for (name, value) in given {
            let path = format!("{field}.{name}");
            match fields.iter().find(|(known, _)| known.as_str() == name) {
                Some((_, type_oid)) => self.check(&path, value.get(), &Slot::of(*type_oid)),
                None => self.fault(&path, "is not a field here"),
            }
        }
    }
}

const BOOL: Oid = 16;
const INT8: Oid = 20;
const INT2: Oid = 21;
const INT4: Oid = 23;
const JSON: Oid = 114;
const FLOAT4: Oid = 700;
const FLOAT8: Oid = 701;
const BPCHAR: Oid = 1042;
const VARCHAR: Oid = 1043;
const DATE: Oid = 1082;
const TIME: Oid = 1083;
const TIMESTAMP: Oid = 1114;
const TIMESTAMPTZ: Oid = 1184;
const INTERVAL: Oid = 1186;
const TIMETZ: Oid = 1266;
const NUMERIC: Oid = 1700;
const UUID: Oid = 2950;
const JSONB: Oid = 3802;
/// The first oid that is not PostgreSQL's own.
const FIRST_OWN: Oid = 16384;

/// Why a value cannot be one of a base type; `None` when it is or may be.
fn wrong(base: &Type, json: &str, max_length: Option<u32>) -> Option<String> {
    if matches!(base.oid, JSON | JSONB) || base.oid >= FIRST_OWN && base.category != 'S' {
        return None;
    }
    let literal = Literal::read(json);
    let says = |good: bool, message: &str| (!good).then(|| message.to_owned());
    let Some(literal) = literal else { return says(false, expectation(base)) };
    let scalar = &literal;
    let not_bool = !matches!(scalar, Literal::Bool(_));
    let good = match base.oid {
        BOOL => literal::is_bool(scalar),
        INT2 => return number(scalar, i16::MIN.into(), i16::MAX.into()),
        INT4 => return number(scalar, i32::MIN.into(), i32::MAX.into()),
        INT8 => return number(scalar, i64::MIN, i64::MAX),
        NUMERIC | FLOAT4 | FLOAT8 => literal::may_be_number(scalar),
        UUID => literal::is_uuid(scalar),
        DATE | TIME | TIMESTAMP | TIMESTAMPTZ | TIMETZ => not_bool && dates::is_plausible(scalar.text()),
        INTERVAL => not_bool && dates::is_plausible_interval(scalar.text()),
        _ if base.category == 'S' => return text(scalar, base.oid, max_length),
        _ => true,
    };
    says(good, expectation(base))
}

fn expectation(base: &Type) -> &'static str {
    match base.oid {
        BOOL => "must be true or false",
        INT2 | INT4 | INT8 => "must be a whole number",
        NUMERIC | FLOAT4 | FLOAT8 => "must be a number",
        UUID => "must be a UUID",
        DATE => "must be a date, for example 2026-11-20",
        TIME | TIMETZ => "must be a time, for example 19:30:00",
        TIMESTAMP | TIMESTAMPTZ => "must be a date and time, for example 2026-11-20T19:30:00Z",
        INTERVAL => "must be a duration, for example P1DT2H or 1 day 2 hours",
        _ if base.category == 'S' => "must be text",
        _ => "must be a single value, not an object or array",
    }
}

fn number(literal: &Literal<'_>, min: i64, max: i64) -> Option<String> {
    match literal::whole(literal, min, max) {
        Whole::Fits | Whole::Perhaps => None,
        Whole::TooLarge => Some(format!("must be between {min} and {max}")),
        Whole::No => Some("must be a whole number".to_owned()),
    }
}

/// PostgreSQL cuts blanks past the length without a word; anything else it refuses.
fn text(literal: &Literal<'_>, oid: Oid, max_length: Option<u32>) -> Option<String> {
    let text = literal.text();
    if text.contains('\0') {
        return Some("must not contain the character U+0000".to_owned());
    }
    let max = max_length.filter(|_| matches!(oid, BPCHAR | VARCHAR))?;
    (text.trim_end_matches(' ').chars().count() as u32 > max).then(|| rules::too_long(max))
}
