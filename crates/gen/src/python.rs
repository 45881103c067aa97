//! Pydantic 2 models: `TicketsRow`, `TicketsInsert`, `TicketsUpdate`. Names of other schemas than the default one begin
//! with the schema's.

use std::collections::HashMap;

use super::depend::{Item, computed_value, in_order};
use super::model::*;
use super::names::{Taken, is_letter, pascal};

const HEADER: &str = include_str!("python/header.py");

/// Python's keywords and constants (reference, 2.3.1), and the soft ones that read badly as names.
const KEYWORDS: &[&str] = &[
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def",
    "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is",
    "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];
/// What annotations below a field of that name would no longer mean, and what Pydantic's models are made of.
const RESERVED: &[&str] = &[
    "bool",
    "int",
    "float",
    "str",
    "payload",
    "construct",
    "copy",
    "dict",
    "from_orm",
    "json",
    "mro",
    "register",
    "parse_file",
    "parse_obj",
    "parse_raw",
    "schema",
    "schema_json",
    "update_forward_refs",
    "validate",
];

struct Names {
    classes: HashMap<(Named, Kind), String>,
    taken: Taken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Enum,
    Composite,
    Relation,
}

pub(crate) fn write(model: &Model) -> String {
    let names = names(model);
    let mut out = String::from(HEADER);
    for schema in &model.schemas {
        for found in &schema.enums {
            let name = names.class(schema, &found.name, Kind::Enum);
            out.push_str(&format!(
                "\n\n{}{name} = {}\n",
                hash(found.comment.as_deref()),
                labels(&found.labels)
            ));
        }
    }
    for item in in_order(model) {
        match item {
            Item::Composite(schema, composite) => out.push_str(&self::composite(&names, schema, composite)),
            Item::Relation { schema, relation, view } => {
                out.push_str(&self::relation(&names, schema, relation, view));
            }
        }
    }
    out
}

fn named(schema: &Schema, name: &str) -> Named {
    Named { schema: schema.name.clone(), name: name.to_owned() }
}

impl Names {
    fn class(&self, schema: &Schema, name: &str, kind: Kind) -> &str {
        &self.classes[&(named(schema, name), kind)]
    }
}

fn names(model: &Model) -> Names {
    let mut taken = Taken::with(KEYWORDS);
    let mut classes = HashMap::new();
    for schema in &model.schemas {
        let prefix =
            if schema.name == model.default_schema { String::new() } else { pascal(&schema.name, "S") };
        let enums = schema.enums.iter().map(|e| (&e.name, Kind::Enum));
        let composites = schema.composites.iter().map(|c| (&c.name, Kind::Composite));
        let relations = schema.tables.iter().chain(&schema.views).map(|r| (&r.name, Kind::Relation));
        for (name, kind) in relations.chain(enums).chain(composites) {
            let wanted = format!("{prefix}{}", pascal(name, "T"));
            let free =
                if kind == Kind::Relation { relation_name(&mut taken, wanted) } else { taken.take(wanted) };
            classes.insert((named(schema, name), kind), free);
        }
    }
    Names { classes, taken }
}

/// The three classes of a relation have one name in common.
fn relation_name(taken: &mut Taken, wanted: String) -> String {
    let ends = ["Row", "Insert", "Update"];
    let mut name = wanted.clone();
    let mut number = 2;
    while ends.iter().any(|end| taken.has(&format!("{name}{end}"))) {
        name = format!("{wanted}{number}");
        number += 1;
    }
    for end in ends {
        taken.take(format!("{name}{end}"));
    }
    name
}

fn composite(names: &Names, schema: &Schema, found: &Composite) -> String {
    let mut fields = Fields::new(names);
    for field in &found.fields {
        let ty = annotation(names, &field.ty);
        fields.add(&field.name, &optional(&ty, true), Value::Default("None"), &[]);
    }
    class(names.class(schema, &found.name, Kind::Composite), "_Row", found.comment.as_deref(), &fields.text)
}

fn relation(names: &Names, schema: &Schema, relation: &Relation, view: bool) -> String {
    let name = names.class(schema, &relation.name, Kind::Relation);
    let mut row = Fields::new(names);
    for column in &relation.columns {
        let ty = optional(&annotation(names, &column.ty), column.nullable);
        row.add(&column.name, &ty, Value::Required, &description(column.comment.as_deref()));
    }
    for computed in &relation.computed {
        if let Some(value) = computed_value(computed) {
            let ty = optional(&annotation(names, &value), true);
            row.add(&computed.name, &ty, Value::Default("None"), &description(computed.comment.as_deref()));
        }
    }
    let mut out = class(&format!("{name}Row"), "_Row", relation.comment.as_deref(), &row.text);
    if relation.writable || !view {
        let insert: Part = |c| (c.insert, &c.insert_limits);
        let update: Part = |c| (c.update, &c.update_limits);
        out.push_str(&written(names, &format!("{name}Insert"), relation, insert));
        out.push_str(&written(names, &format!("{name}Update"), relation, update));
    }
    out
}

/// Whether a column stands in what is written, and what is demanded of it.
type Part = fn(&Column) -> (Presence, &Limits);

fn written(names: &Names, name: &str, relation: &Relation, part: Part) -> String {
    let mut fields = Fields::new(names);
    for column in &relation.columns {
        let (presence, limits) = part(column);
        let ty = match &limits.choices {
            Some(choices) => choices_of(&column.ty, choices),
            None => annotation(names, &column.ty),
        };
        let ty = optional(&ty, column.takes_null);
        let demands = demands(&column.ty, limits);
        match presence {
            Presence::Never => {}
            Presence::Required => fields.add(&column.name, &ty, Value::Required, &demands),
            Presence::Optional => fields.add(&column.name, &ty, Value::Default("_UNSET"), &demands),
        }
    }
    class(name, "_Write", relation.comment.as_deref(), &fields.text)
}

fn is_number(ty: &Ty) -> bool {
    matches!(ty, Ty::Int2 | Ty::Int4 | Ty::Int8 | Ty::Float4 | Ty::Float8 | Ty::Numeric)
}

fn choices_of(ty: &Ty, choices: &[std::sync::Arc<str>]) -> String {
    if is_number(ty) {
        return format!("_typing.Literal[{}]", choices.join(", "));
    }
    labels(choices)
}

/// Arguments of `Field` for what is demanded of a value.
fn demands(ty: &Ty, limits: &Limits) -> Vec<String> {
    let mut arguments = Vec::new();
    if limits.choices.is_some() {
        return arguments;
    }
    if is_number(ty) {
        for (bound, inclusive, exclusive) in [(limits.min, "ge", "gt"), (limits.max, "le", "lt")] {
            if let Some(bound) = bound {
                let name = if bound.inclusive { inclusive } else { exclusive };
                arguments.push(format!("{name}={}", bound.value));
            }
        }
    } else if *ty == Ty::Text {
        arguments.extend(limits.shortest.map(|n| format!("min_length={n}")));
        arguments.extend(limits.longest.map(|n| format!("max_length={n}")));
        // A field takes one; PostgreSQL checks the others.
        arguments.extend(limits.patterns.first().map(|pattern| format!("pattern={}", literal(pattern))));
    }
    arguments
}

fn description(comment: Option<&str>) -> Vec<String> {
    comment.iter().map(|comment| format!("description={}", literal(comment.trim()))).collect()
}

fn class(name: &str, base: &str, comment: Option<&str>, fields: &str) -> String {
    let doc = comment.map_or_else(String::new, |text| format!("    {}\n\n", docstring(text)));
    let body = if fields.is_empty() { "    pass\n" } else { fields };
    format!("\n\nclass {name}({base}):\n{doc}{body}")
}

#[derive(Clone, Copy)]
enum Value {
    Required,
    Default(&'static str),
}

/// The fields of one class.
struct Fields<'a> {
    names: &'a Names,
    taken: Taken,
    text: String,
}

impl<'a> Fields<'a> {
    fn new(names: &'a Names) -> Self {
        Self { names, taken: Taken::default(), text: String::new() }
    }

    /// `more`: further arguments of `Field`.
    fn add(&mut self, column: &str, ty: &str, value: Value, more: &[String]) {
        let name = self.taken.take(self.field_name(column));
        let mut arguments = Vec::new();
        if let Value::Default(text) = value {
            arguments.push(format!("default={text}"));
        }
        if name != column {
            arguments.push(format!("alias={}", literal(column)));
        }
        arguments.extend_from_slice(more);
        let value = match (value, arguments.as_slice()) {
            (_, []) => String::new(),
            (Value::Default(text), [_]) => format!(" = {text}"),
            _ => format!(" = _pydantic.Field({})", arguments.join(", ")),
        };
        self.text.push_str(&format!("    {name}: {ty}{value}\n"));
    }

    /// As the column is called, as far as Python and Pydantic allow: no leading underscore, nothing that means something
    /// else to a model.
    fn field_name(&self, column: &str) -> String {
        let name: String =
            column.chars().map(|c| if c.is_ascii_digit() || is_letter(c) { c } else { '_' }).collect();
        let name =
            if name.starts_with(is_letter) { name } else { format!("f_{}", name.trim_start_matches('_')) };
        let used = KEYWORDS.contains(&name.as_str())
            || RESERVED.contains(&name.as_str())
            || name.starts_with("model_")
            || self.names.taken.has(&name);
        if used { format!("{name}_") } else { name }
    }
}

fn optional(ty: &str, nullable: bool) -> String {
    if nullable && ty != "_typing.Any" { format!("_typing.Optional[{ty}]") } else { ty.to_owned() }
}

fn annotation(names: &Names, ty: &Ty) -> String {
    let class = |named: &Named, kind, end: &str| {
        let found = names.classes.get(&(named.clone(), kind));
        found.map_or_else(|| "_typing.Any".to_owned(), |name| format!("{name}{end}"))
    };
    match ty {
        Ty::Bool => "bool".to_owned(),
        Ty::Int2 | Ty::Int4 | Ty::Int8 => "int".to_owned(),
        Ty::Float4 | Ty::Float8 => "float".to_owned(),
        Ty::Numeric => "_Numeric".to_owned(),
        Ty::Text | Ty::OtherText => "str".to_owned(),
        Ty::Uuid => "_uuid.UUID".to_owned(),
        Ty::Date => "_datetime.date".to_owned(),
        Ty::Time => "_datetime.time".to_owned(),
        Ty::Timestamp | Ty::Timestamptz => "_datetime.datetime".to_owned(),
        Ty::Json | Ty::Unknown | Ty::Record => "_typing.Any".to_owned(),
        Ty::Void => "None".to_owned(),
        Ty::Enum(named) => class(named, Kind::Enum, ""),
        Ty::Labels(found) => labels(found),
        Ty::Composite(named) => class(named, Kind::Composite, ""),
        Ty::Row { of, .. } => class(of, Kind::Relation, "Row"),
        Ty::Array(element) => format!("_typing.List[{}]", annotation(names, element)),
    }
}

fn labels(labels: &[std::sync::Arc<str>]) -> String {
    if labels.is_empty() {
        return "_typing.Any".to_owned();
    }
    format!("_typing.Literal[{}]", labels.iter().map(|label| literal(label)).collect::<Vec<_>>().join(", "))
}

/// `# ` in front of each line.
fn hash(comment: Option<&str>) -> String {
    comment
        .iter()
        .flat_map(|text| text.trim().lines())
        .map(|line| format!("# {line}").trim_end().to_owned() + "\n")
        .collect()
}

fn docstring(text: &str) -> String {
    let text = text.trim().replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"\"\"{}\"\"\"", text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n    "))
}

fn literal(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
