//! Examples: values that keep all rules that are known of a record. The same catalog gives the same examples.

use serde_json::{Map, Value as Json, json};

use super::{Kind, Record, Standing, Value, is_required};
use crate::catalog::{Argument, Catalog, Column, ColumnId, FunctionId, Oid, RelationId};
use crate::gate::Verb;

/// A body that creates a record, or changes one: what is required, and a few more fields. `None` where a rule is not
/// understood well enough to keep it.
pub fn record(record: &Record<'_>) -> Option<Json> {
    let given = || record.columns().filter(|(id, _)| record.standing(*id) == Standing::Given);
    let mut body = Map::new();
    for (id, column) in given() {
        let required = record.is_required(id);
        // The database's own default is the better example, and a column that may be empty may stay so.
        if !required && (record.verb == Verb::Insert || refers(record, id)) {
            continue;
        }
        match of(record.catalog, &record.value(id), 0) {
            Some(value) => body.insert(column.name.as_str().to_owned(), value),
            None if required => return None,
            None => None,
        };
        if record.verb != Verb::Insert && body.len() == FEW {
            break;
        }
    }
    (record.verb == Verb::Insert || !body.is_empty()).then_some(Json::Object(body))
}

/// Fields of an example of a change.
const FEW: usize = 2;

/// Whether the column is part of a foreign key: an example would name a row that is not there.
fn refers(record: &Record<'_>, id: ColumnId) -> bool {
    record.relation().foreign_keys.iter().any(|key| key.columns.contains(&id))
}

/// A value of a column in a row.
pub fn column(catalog: &Catalog, relation: RelationId, id: ColumnId) -> Option<Json> {
    of(catalog, &Record::new(catalog, None, relation, Verb::Insert).value(id), 0)
}

/// The arguments that a call has to name.
pub fn arguments(catalog: &Catalog, id: FunctionId) -> Option<Json> {
    let required = catalog.function(id).arguments.iter().filter(|argument| is_required(argument));
    let value = |argument: &Argument| {
        Some((argument.name.to_string(), of(catalog, &Value::of_argument(catalog, argument), 0)?))
    };
    required.map(value).collect::<Option<Map<_, _>>>().map(Json::Object)
}

/// A filter on the column, as the query string has it.
pub fn filter(catalog: &Catalog, column: &Column) -> String {
    let value = Value::of_type(catalog, column.type_oid);
    let equal = || match of(catalog, &value, 0) {
        Some(Json::String(text)) => format!("eq.{text}"),
        _ => "not.is.null".to_owned(),
    };
    match value.kind {
        Kind::Boolean => "is.true".to_owned(),
        Kind::Text if value.choices().is_none() => "ilike.*a*".to_owned(),
        Kind::Whole { .. } | Kind::Float | Kind::Numeric { .. } => "gte.1".to_owned(),
        Kind::Date | Kind::Timestamp { .. } => format!("gte.{DATE}"),
        Kind::Uuid | Kind::Enum(_) | Kind::Text => equal(),
        _ => "not.is.null".to_owned(),
    }
}

/// Nesting of types in an example.
const DEEPEST: usize = 6;
const DATE: &str = "2026-11-20";
const WORD: &str = "example text ";

fn of(catalog: &Catalog, value: &Value<'_>, depth: usize) -> Option<Json> {
    if depth > DEEPEST || value.patterns().next().is_some() {
        return None;
    }
    Some(match value.kind {
        Kind::Boolean => json!(true),
        Kind::Whole { .. } => match value.choices() {
            Some(choices) => json!(choices.first()?.parse::<i64>().ok()?),
            None => json!(number(value)? as i64),
        },
        Kind::Float | Kind::Numeric { .. } => json_number(number(value)?),
        Kind::Text => match value.choices() {
            Some(choices) => json!(choices.first()?),
            None => json!(text(value)?),
        },
        Kind::Enum(_) => json!(value.choices()?.first()?),
        Kind::Uuid => json!("3f2c1b6e-8d5a-4c7e-9b1f-0a2d4e6f8a1b"),
        Kind::Date => json!(DATE),
        Kind::Time => json!("19:30:00"),
        Kind::Timestamp { zone: true } => json!(format!("{DATE}T19:30:00Z")),
        Kind::Timestamp { zone: false } => json!(format!("{DATE}T19:30:00")),
        Kind::Interval => json!("P1DT2H"),
        Kind::Json => json!({}),
        Kind::Array(element) => json!([element_of(catalog, element, depth)?]),
        Kind::Composite(fields) => {
            let field = |(name, oid): &(crate::ident::Ident, Oid)| {
                Some((name.as_str().to_owned(), of(catalog, &Value::of_type(catalog, *oid), depth + 1)?))
            };
            Json::Object(fields.iter().map(field).collect::<Option<_>>()?)
        }
        Kind::Range => json!("empty"),
        Kind::Multirange => json!("{}"),
        Kind::Scalar | Kind::Any => return None,
    })
}

fn element_of(catalog: &Catalog, element: Oid, depth: usize) -> Option<Json> {
    of(catalog, &Value::of_type(catalog, element), depth + 1)
}

/// One, or what the bounds leave that is nearest to it.
fn number(value: &Value<'_>) -> Option<f64> {
    let (min, max) = value.range();
    let low = min.map(|b| if b.inclusive { b.value.ceil() } else { (b.value + 1.0).floor() });
    let high = max.map(|b| if b.inclusive { b.value.floor() } else { (b.value - 1.0).ceil() });
    let below = match value.kind {
        Kind::Numeric { below } => below,
        _ => None,
    };
    let (low, high) = (low.unwrap_or(f64::MIN), high.unwrap_or(f64::MAX));
    let wanted = 1.0_f64.max(low).min(high);
    let fits = wanted >= low && below.is_none_or(|below| wanted.abs() < below);
    fits.then_some(wanted)
}

fn json_number(value: f64) -> Json {
    if value.fract() == 0.0 { json!(value as i64) } else { json!(value) }
}

/// As long as the rules want, and short where they want nothing.
fn text(value: &Value<'_>) -> Option<String> {
    let (min, max) = value.length();
    let min = min.unwrap_or(0) as usize;
    let usual = WORD.trim_end().len();
    let length = usual.max(min).min(max.map_or(usize::MAX, |max| max as usize));
    if length < min || length > LONGEST {
        return None;
    }
    let made: String = WORD.chars().cycle().take(length).collect();
    // A blank at the end would not count where a CHECK trims.
    Some(if made.ends_with(' ') { format!("{}x", &made[..made.len() - 1]) } else { made })
}

/// Longer examples say nothing.
const LONGEST: usize = 200;

/// An example as a row of the relation would have it: each readable column that one can be made for.
pub fn row(record: &Record<'_>) -> Json {
    let value = |(id, column): (ColumnId, &Column)| {
        let value = of(record.catalog, &record.value(id), 0);
        let value = value.or_else(|| (!column.not_null).then_some(Json::Null))?;
        Some((column.name.as_str().to_owned(), value))
    };
    Json::Object(record.columns().filter(|(id, _)| record.reads(*id)).filter_map(value).collect())
}
