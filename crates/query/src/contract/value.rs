//! One value: its kind in JSON, and the rules it has to keep.

use std::sync::Arc;

use crate::catalog::{Argument, Bound, Catalog, Column, Oid, Rule, Type, TypeKind};
use crate::ident::Ident;

/// As deep as bodies may be.
pub const MAX_DEPTH: usize = 128;

/// What a value of a type is in JSON.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind<'a> {
    Boolean,
    /// `smallint`, `integer`, `bigint`: a JSON number without fraction.
    Whole {
        min: i64,
        max: i64,
    },
    /// `real` and `double precision`: a JSON number, or NaN and the infinities as text.
    Float,
    /// `numeric`: as [`Kind::Float`], or a text with the digits. `below`: what the number's size stays under, by the type's
    /// precision.
    Numeric {
        below: Option<f64>,
    },
    Text,
    Uuid,
    Date,
    Time,
    Timestamp {
        zone: bool,
    },
    Interval,
    /// Any JSON.
    Json,
    Enum(&'a [Arc<str>]),
    Array(Oid),
    Composite(&'a [(Ident, Oid)]),
    Range,
    Multirange,
    /// Another type of PostgreSQL's own, or an extension's that counts as text: a text, or a number.
    Scalar,
    /// Nothing is known of its JSON: an extension's type, a domain with a representation of its own.
    Any,
}

/// What a value has to be. NULL apart.
#[derive(Debug, Clone)]
pub struct Value<'a> {
    pub kind: Kind<'a>,
    /// Of CHECKs; those of the column first, then those of its domains. Each must hold.
    pub rules: Vec<&'a Rule>,
    /// Characters, of `varchar(n)` and `char(n)`.
    pub max_length: Option<u32>,
    /// A domain refuses NULL.
    pub not_null: bool,
    /// Arrays may hold arrays: the declaration has several dimensions, or none is known.
    pub nests: bool,
}

const BOOL: Oid = 16;
const INT8: Oid = 20;
const INT2: Oid = 21;
const INT4: Oid = 23;
const JSON: Oid = 114;
const FLOAT4: Oid = 700;
const FLOAT8: Oid = 701;
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

impl<'a> Value<'a> {
    /// Of a type by itself: an argument, an element, a field.
    pub fn of_type(catalog: &'a Catalog, type_oid: Oid) -> Self {
        let mut value =
            Self { kind: Kind::Any, rules: Vec::new(), max_length: None, not_null: false, nests: true };
        let mut oid = type_oid;
        let mut opaque = false;
        while let Some(found) = catalog.type_of(oid) {
            let TypeKind::Domain { base, not_null, rules, max_length, to_json, from_json, from_text, .. } =
                &found.kind
            else {
                value.kind = if opaque { Kind::Any } else { kind(found) };
                break;
            };
            // A domain with a representation of its own.
            opaque |= to_json.is_some() || from_json.is_some() || from_text.is_some();
            value.not_null |= not_null;
            value.rules.extend(rules);
            value.max_length = value.max_length.or(*max_length);
            oid = *base;
        }
        if opaque {
            value.rules.clear();
            value.max_length = None;
        }
        value
    }

    pub(super) fn of_column(catalog: &'a Catalog, column: &'a Column) -> Self {
        let mut value = Self::of_type(catalog, column.type_oid);
        if value.kind == Kind::Any {
            return value;
        }
        value.max_length = column.max_length.or(value.max_length);
        value.nests = column.dimensions != 1;
        if let Kind::Numeric { below } = &mut value.kind {
            *below = magnitude(&column.type_name);
        }
        value
    }

    pub fn of_argument(catalog: &'a Catalog, argument: &Argument) -> Self {
        Self::of_type(catalog, argument.type_oid)
    }

    /// The narrowest bounds of all rules on a number.
    pub fn range(&self) -> (Option<Bound>, Option<Bound>) {
        let (mut low, mut high): (Option<Bound>, Option<Bound>) = (None, None);
        for rule in &self.rules {
            if let Rule::Range { min, max } = rule {
                low = narrower(low, *min, |new, known| new > known);
                high = narrower(high, *max, |new, known| new < known);
            }
        }
        (low, high)
    }

    /// The narrowest bounds of all rules on a length in characters, the type's own among them.
    pub fn length(&self) -> (Option<u32>, Option<u32>) {
        let (mut low, mut high) = (None, self.max_length);
        for rule in &self.rules {
            if let Rule::Length { min, max } = rule {
                low = low.max(*min);
                high = high.into_iter().chain(*max).min();
            }
        }
        (low, high)
    }

    /// What it may be, when that is listed: the values that are in each list, in the order of the first.
    pub fn choices(&self) -> Option<Vec<&'a Arc<str>>> {
        let labels = match self.kind {
            Kind::Enum(labels) => Some(labels),
            _ => None,
        };
        let lists = self.rules.iter().filter_map(|rule| match rule {
            Rule::OneOf(values) => Some(values.as_slice()),
            _ => None,
        });
        let mut lists = labels.into_iter().chain(lists);
        let first = lists.next()?.iter().collect();
        Some(lists.fold(first, |mut left: Vec<&Arc<str>>, list| {
            left.retain(|value| list.contains(value));
            left
        }))
    }

    /// Regular expressions in PostgreSQL's language, and whether they ignore case.
    pub fn patterns(&self) -> impl Iterator<Item = (&'a str, bool)> {
        self.rules.iter().filter_map(|rule| match rule {
            Rule::Pattern { pattern, ignore_case } => Some((&**pattern, *ignore_case)),
            _ => None,
        })
    }
}

impl Value<'_> {
    /// Those of [`Value::patterns`] that mean the same in ECMA-262.
    pub fn portable_patterns(&self) -> Vec<String> {
        let known = self.patterns().filter(|(_, ignores_case)| !ignores_case);
        known.filter_map(|(pattern, _)| super::pattern::ecma(pattern)).collect()
    }
}

fn narrower(known: Option<Bound>, new: Option<Bound>, tighter: fn(f64, f64) -> bool) -> Option<Bound> {
    match (known, new) {
        (Some(known), Some(new)) => {
            let same = !tighter(new.value, known.value) && !tighter(known.value, new.value);
            let takes = tighter(new.value, known.value) || same && !new.inclusive;
            Some(if takes { new } else { known })
        }
        (known, new) => known.or(new),
    }
}

fn kind(found: &Type) -> Kind<'_> {
    match &found.kind {
        TypeKind::Enum(labels) => Kind::Enum(labels),
        TypeKind::Array(element) => Kind::Array(*element),
        TypeKind::Composite(fields) => Kind::Composite(fields),
        TypeKind::Range(_) => Kind::Range,
        TypeKind::Multirange(_) => Kind::Multirange,
        TypeKind::Pseudo | TypeKind::Domain { .. } => Kind::Any,
        TypeKind::Base => base(found),
    }
}

fn base(found: &Type) -> Kind<'static> {
    match found.oid {
        BOOL => Kind::Boolean,
        INT2 => Kind::Whole { min: i16::MIN.into(), max: i16::MAX.into() },
        INT4 => Kind::Whole { min: i32::MIN.into(), max: i32::MAX.into() },
        INT8 => Kind::Whole { min: i64::MIN, max: i64::MAX },
        FLOAT4 | FLOAT8 => Kind::Float,
        NUMERIC => Kind::Numeric { below: None },
        UUID => Kind::Uuid,
        DATE => Kind::Date,
        TIME | TIMETZ => Kind::Time,
        TIMESTAMP => Kind::Timestamp { zone: false },
        TIMESTAMPTZ => Kind::Timestamp { zone: true },
        INTERVAL => Kind::Interval,
        JSON | JSONB => Kind::Json,
        _ if found.category == 'S' => Kind::Text,
        oid if oid < FIRST_OWN => Kind::Scalar,
        _ => Kind::Any,
    }
}

/// `numeric(6,2)` holds numbers below 10 to the power of 4.
fn magnitude(type_name: &str) -> Option<f64> {
    let (precision, scale) = type_name.strip_prefix("numeric(")?.strip_suffix(')')?.split_once(',')?;
    let (precision, scale): (i32, i32) = (precision.parse().ok()?, scale.parse().ok()?);
    Some(10_f64.powi(precision - scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(rules: &[Rule], max_length: Option<u32>) -> Value<'_> {
        Value { kind: Kind::Text, rules: rules.iter().collect(), max_length, not_null: false, nests: false }
    }

    #[test]
    fn the_narrowest_of_several_rules_counts() {
        let bound = |value, inclusive| Some(Bound { value, inclusive });
        let rules = [
            Rule::Range { min: bound(0.0, true), max: bound(9.0, true) },
            Rule::Range { min: bound(0.0, false), max: None },
            Rule::Length { min: Some(2), max: Some(80) },
            Rule::Length { min: Some(1), max: Some(40) },
            Rule::OneOf(vec!["a".into(), "b".into(), "c".into()]),
            Rule::OneOf(vec!["c".into(), "b".into()]),
        ];
        let value = value(&rules, Some(60));
        assert_eq!(value.range(), (bound(0.0, false), bound(9.0, true)));
        assert_eq!(value.length(), (Some(2), Some(40)));
        let choices: Vec<&str> = value.choices().unwrap().into_iter().map(|c| &**c).collect();
        assert_eq!(choices, ["b", "c"]);
    }

    #[test]
    fn precision_bounds_a_number() {
        assert_eq!(magnitude("numeric(6,2)"), Some(10_000.0));
        assert_eq!(magnitude("numeric(2,4)"), Some(0.01));
        assert_eq!((magnitude("numeric"), magnitude("public.money")), (None, None));
    }
}
