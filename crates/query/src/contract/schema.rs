//! JSON Schemas (draft 2020-12) of records, rows and calls, as OpenAPI 3.1 takes them.

use serde_json::{Map, Value as Json, json};

use super::{Kind, Record, Standing, Value, is_required};
use crate::catalog::{Bound, Catalog, ColumnId, FunctionId, Oid, RelationId, Returns, RoleId};
use crate::gate::Verb;

/// Which way a value goes. What is read keeps no CHECK for certain (`NOT VALID` ones have not looked at old rows), and
/// PostgreSQL writes each type in one way only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Read,
    Write,
}

/// Digits as PostgreSQL's `numeric` reads them, NaN and the infinities.
const DECIMAL: &str = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?$|^(NaN|[+-]?Infinity)$";

/// The fields that a role may give with a verb; `full` is for whole records, which have to name what nothing else fills.
pub fn record(record: &Record<'_>, full: bool) -> Json {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (id, column) in record.columns() {
        if record.standing(id) != Standing::Given {
            continue;
        }
        let value = record.value(id);
        let mut schema = of(record.catalog, &value, Way::Write, record.takes_null(id), 0);
        describe(&mut schema, column.comment.as_deref());
        properties.insert(column.name.as_str().to_owned(), schema);
        if full && record.is_required(id) {
            required.push(Json::from(column.name.as_str()));
        }
    }
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    if record.verb == Verb::Update {
        schema["minProperties"] = 1.into();
    }
    describe(&mut schema, record.relation().comment.as_deref());
    schema
}

/// A row as the role reads it without a `select`. Columns that only the database makes are `readOnly`.
pub fn row(catalog: &Catalog, role: Option<RoleId>, id: RelationId) -> Json {
    let record = Record::new(catalog, role, id, Verb::Select);
    let mut properties = Map::new();
    for (at, column) in record.columns().filter(|(at, _)| record.reads(*at)) {
        let value = Value::of_column(catalog, column);
        let mut schema = of(catalog, &value, Way::Read, !column.not_null, 0);
        describe(&mut schema, column.comment.as_deref());
        if is_read_only(catalog, role, id, at) {
            annotate(&mut schema, "readOnly", true.into());
        }
        properties.insert(column.name.as_str().to_owned(), schema);
    }
    // Which of them an answer has is the request's to choose.
    let mut schema = json!({ "type": "object", "properties": properties });
    describe(&mut schema, record.relation().comment.as_deref());
    schema
}

/// Whether the role can set the column neither in a new row nor in an old one.
fn is_read_only(catalog: &Catalog, role: Option<RoleId>, id: RelationId, column: ColumnId) -> bool {
    [Verb::Insert, Verb::Update]
        .into_iter()
        .all(|verb| Record::new(catalog, role, id, verb).standing(column) != Standing::Given)
}

/// A single column in a row: the value of a key in a path.
pub fn column(catalog: &Catalog, id: RelationId, column: ColumnId) -> Json {
    let value = Value::of_column(catalog, catalog.column(id, column));
    of(catalog, &value, Way::Read, false, 0)
}

/// The arguments of a function, by name.
pub fn arguments(catalog: &Catalog, id: FunctionId) -> Json {
    let function = catalog.function(id);
    let mut properties = Map::new();
    let mut required = Vec::new();
    for argument in function.arguments.iter().filter(|argument| !argument.name.is_empty()) {
        let value = Value::of_argument(catalog, argument);
        let schema = of(catalog, &value, Way::Write, !value.not_null, 0);
        properties.insert(argument.name.to_string(), schema);
        if is_required(argument) {
            required.push(Json::from(&*argument.name));
        }
    }
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

/// One value of what a function answers, and whether there are several.
pub fn result(catalog: &Catalog, id: FunctionId) -> (Json, bool) {
    match &catalog.function(id).returns {
        Returns::Void | Returns::Other => (json!({ "type": "null" }), false),
        Returns::Scalar { type_oid, set } => (read(catalog, *type_oid, true), *set),
        Returns::Row { set, .. } => (json!({ "type": ["object", "null"] }), *set),
        Returns::Table { columns, set } => {
            let property = |(name, oid): &(crate::ident::Ident, Oid)| {
                (name.as_str().to_owned(), read(catalog, *oid, true))
            };
            let properties: Map<String, Json> = columns.iter().map(property).collect();
            let kind: Json = if *set { "object".into() } else { json!(["object", "null"]) };
            (json!({ "type": kind, "properties": properties }), *set)
        }
    }
}

fn read(catalog: &Catalog, oid: Oid, nullable: bool) -> Json {
    of(catalog, &Value::of_type(catalog, oid), Way::Read, nullable, 0)
}

/// Nesting of types in a schema; what lies deeper is any value.
const DEEPEST: usize = 6;

/// One value. `nullable`: null as well.
pub fn of(catalog: &Catalog, value: &Value<'_>, way: Way, nullable: bool, depth: usize) -> Json {
    if depth > DEEPEST {
        return json!({});
    }
    let mut schema = plain(catalog, value, way, depth);
    if way == Way::Write {
        constrain(&mut schema, value);
    }
    if nullable {
        allow_null(&mut schema);
    }
    schema
}

fn plain(catalog: &Catalog, value: &Value<'_>, way: Way, depth: usize) -> Json {
    match value.kind {
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::Whole { min, max } => {
            let format = match max {
                32767 => "int16",
                2_147_483_647 => "int32",
                _ => "int64",
            };
            json!({ "type": "integer", "format": format, "minimum": min, "maximum": max })
        }
        Kind::Float => {
            json!({ "anyOf": [{ "type": "number" }, { "enum": ["NaN", "Infinity", "-Infinity"] }] })
        }
        Kind::Numeric { below } => numeric(below, way),
        Kind::Text | Kind::Interval | Kind::Range | Kind::Multirange => json!({ "type": "string" }),
        Kind::Uuid => json!({ "type": "string", "format": "uuid" }),
        Kind::Date => json!({ "type": "string", "format": "date" }),
        Kind::Time => json!({ "type": "string", "format": "time-local" }),
        Kind::Timestamp { zone: true } => json!({ "type": "string", "format": "date-time" }),
        Kind::Timestamp { zone: false } => json!({ "type": "string", "format": "date-time-local" }),
        Kind::Enum(_) => match value.choices() {
            Some(labels) => json!({ "type": "string", "enum": labels }),
            None => json!({ "type": "string" }),
        },
        Kind::Array(element) => array(catalog, element, value.nests, way, depth),
        Kind::Composite(fields) => {
            let property = |(name, oid): &(crate::ident::Ident, Oid)| {
                let field = Value::of_type(catalog, *oid);
                (name.as_str().to_owned(), of(catalog, &field, way, !field.not_null, depth + 1))
            };
            let properties: Map<String, Json> = fields.iter().map(property).collect();
            json!({ "type": "object", "properties": properties, "additionalProperties": false })
        }
        Kind::Scalar => json!({ "type": ["string", "number"] }),
        Kind::Json | Kind::Any => json!({}),
    }
}

fn numeric(below: Option<f64>, way: Way) -> Json {
    let mut number = json!({ "type": "number" });
    if let Some(below) = below.filter(|_| way == Way::Write) {
        number["exclusiveMinimum"] = json_number(-below);
        number["exclusiveMaximum"] = json_number(below);
    }
    let text = match way {
        Way::Read => json!({ "enum": ["NaN", "Infinity", "-Infinity"] }),
        Way::Write => json!({ "type": "string", "pattern": DECIMAL }),
    };
    json!({ "anyOf": [number, text] })
}

fn array(catalog: &Catalog, element: Oid, nests: bool, way: Way, depth: usize) -> Json {
    let value = Value::of_type(catalog, element);
    let items = of(catalog, &value, way, !value.not_null, depth + 1);
    // A further dimension has the same elements.
    let items = if nests { json!({ "anyOf": [items, { "type": "array" }] }) } else { items };
    json!({ "type": "array", "items": items })
}

/// The rules of CHECKs and domains, and lengths.
fn constrain(schema: &mut Json, value: &Value<'_>) {
    match value.kind {
        Kind::Whole { .. } => {
            if let Some(choices) = value.choices() {
                let numbers = choices.iter().filter_map(|choice| choice.parse::<i64>().ok());
                schema["enum"] = numbers.map(Json::from).collect();
            }
            bounds(schema, value);
        }
        Kind::Float | Kind::Numeric { .. } => bounds(&mut schema["anyOf"][0], value),
        Kind::Text => text(schema, value),
        _ => {}
    }
}

fn bounds(schema: &mut Json, value: &Value<'_>) {
    let (min, max) = value.range();
    let ends = [(min, "minimum", "exclusiveMinimum"), (max, "maximum", "exclusiveMaximum")];
    for (bound, inclusive, exclusive) in ends {
        let Some(Bound { value, inclusive: included }) = bound else { continue };
        let known = schema[inclusive].as_f64();
        // The type's own bound, where it is the narrower one.
        let wider =
            known.is_some_and(|known| if inclusive == "minimum" { value < known } else { value > known });
        if wider {
            continue;
        }
        if let Some(object) = schema.as_object_mut() {
            object.remove(inclusive);
            object.remove(exclusive);
            object.insert(if included { inclusive } else { exclusive }.to_owned(), json_number(value));
        }
    }
}

/// A whole number without a fraction, as people write it.
fn json_number(value: f64) -> Json {
    if value.fract() == 0.0 && value.abs() < 9e15 { Json::from(value as i64) } else { Json::from(value) }
}

fn text(schema: &mut Json, value: &Value<'_>) {
    let (min, max) = value.length();
    if let Some(min) = min.filter(|min| *min > 0) {
        schema["minLength"] = min.into();
    }
    if let Some(max) = max {
        schema["maxLength"] = max.into();
    }
    if let Some(choices) = value.choices() {
        schema["enum"] = choices.into_iter().map(|choice| Json::from(&**choice)).collect();
    }
    let mut patterns = value.portable_patterns().into_iter();
    if let Some(first) = patterns.next() {
        schema["pattern"] = first.into();
    }
    let others: Vec<Json> = patterns.map(|pattern| json!({ "pattern": pattern })).collect();
    if !others.is_empty() {
        schema["allOf"] = others.into();
    }
}

fn allow_null(schema: &mut Json) {
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(listed) = object.get_mut("enum").and_then(Json::as_array_mut) {
        listed.push(Json::Null);
    }
    match object.get_mut("type") {
        Some(Json::Array(types)) => types.push("null".into()),
        Some(single) => *single = json!([single.take(), "null"]),
        None => {
            if let Some(options) = object.get_mut("anyOf").and_then(Json::as_array_mut) {
                options.push(json!({ "type": "null" }));
            }
        }
    }
}

fn describe(schema: &mut Json, comment: Option<&str>) {
    if let Some(comment) = comment.filter(|comment| !comment.trim().is_empty()) {
        annotate(schema, "description", comment.trim().into());
    }
}

fn annotate(schema: &mut Json, key: &str, value: Json) {
    if let Some(object) = schema.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
}
