//! A request as PostgREST's dialect writes it: method, path, headers, body.

use serde_json::{Map, Value};

use super::dice::Dice;
use super::request::{Action, Embed, Insert, Item, Level, Op, Order, Path, Request, Tree};
use super::schema::{Schema, Table};

pub struct Sent {
    pub method: &'static str,
    /// Below `/rest/v1`.
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

/// The order of the parameters says nothing, so it is random.
pub fn render(schema: &Schema, request: &Request, dice: &mut Dice) -> Sent {
    let mut url = Url { schema, parameters: Vec::new() };
    let select = url.items(&request.level);
    url.parameters.push(("select".to_owned(), select));
    url.level(&request.level, "");
    let mut prefer = Vec::new();
    let mut body = String::new();
    let method = match &request.action {
        Action::Read { count } => {
            prefer.extend(count.then_some("count=exact"));
            "GET"
        }
        Action::Delete => "DELETE",
        Action::Update(values) => {
            body = object(url.table(&request.level), values);
            "PATCH"
        }
        Action::Insert(insert) => {
            body = url.insert(&request.level, insert, &mut prefer);
            "POST"
        }
    };
    if method != "GET" {
        prefer.push("return=representation");
    }
    dice.shuffle(&mut url.parameters);
    let query: Vec<String> =
        url.parameters.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    let profile = if method == "GET" { "accept-profile" } else { "content-profile" };
    let mut headers = vec![(profile, schema.name.clone()), ("content-type", "application/json".to_owned())];
    if !prefer.is_empty() {
        headers.push(("prefer", prefer.join(", ")));
    }
    let path = format!("/{}?{}", encode(&schema.tables[request.level.table].name), query.join("&"));
    Sent { method, path, headers, body }
}

struct Url<'s> {
    schema: &'s Schema,
    parameters: Vec<(String, String)>,
}

impl Url<'_> {
    fn table(&self, level: &Level) -> &Table {
        &self.schema.tables[level.table]
    }

    fn items(&self, level: &Level) -> String {
        let table = self.table(level);
        let aliased =
            |alias: &Option<String>| alias.as_ref().map(|a| format!("{}:", name(a))).unwrap_or_default();
        let cast = |cast: Option<&str>| cast.map(|cast| format!("::{cast}")).unwrap_or_default();
        let item = |item: &Item| match item {
            Item::Star => "*".to_owned(),
            Item::Field { alias, path: at, cast: to } => {
                format!("{}{}{}", aliased(alias), path(table, at), cast(*to))
            }
            Item::Aggregate { alias, path: None, cast: to, .. } => {
                format!("{}:count(){}", name(alias), cast(*to))
            }
            Item::Aggregate { alias, path: Some(at), function, cast: to } => {
                format!("{}:{}.{function}(){}", name(alias), path(table, at), cast(*to))
            }
            Item::Embed(embed) => {
                let (relation, hint) = &self.schema.relations[embed.relation].forms[embed.form];
                let hint = hint.as_ref().map(|hint| format!("!{}", name(hint))).unwrap_or_default();
                let before = if embed.spread { "...".to_owned() } else { aliased(&embed.alias) };
                format!("{before}{}{hint}{}({})", name(relation), embed.join, self.items(&embed.level))
            }
        };
        level.items.iter().map(item).collect::<Vec<_>>().join(",")
    }

    fn level(&mut self, level: &Level, prefix: &str) {
        let table = self.table(level);
        let mut parameters: Vec<(String, String)> = Vec::new();
        for filter in &level.filters {
            let (before, tree) = match filter {
                Tree::Not(tree) => ("not.", &**tree),
                tree => ("", tree),
            };
            match tree {
                Tree::And(all) => parameters.push((format!("{prefix}{before}and"), list(table, all))),
                Tree::Or(any) => parameters.push((format!("{prefix}{before}or"), list(table, any))),
                tree => {
                    let (field, test) = test(table, tree, false);
                    parameters.push((format!("{prefix}{field}"), format!("{before}{test}")));
                }
            }
        }
        if !level.order.is_empty() {
            let terms: Vec<String> = level.order.iter().map(|term| self.order(level, term)).collect();
            parameters.push((format!("{prefix}order"), terms.join(",")));
        }
        parameters.extend(level.limit.map(|limit| (format!("{prefix}limit"), limit.to_string())));
        parameters.extend(level.offset.map(|offset| (format!("{prefix}offset"), offset.to_string())));
        self.parameters.extend(parameters);
        for embed in level.embeds() {
            let below = format!("{prefix}{}.", name(embed.name(self.schema)));
            self.level(&embed.level, &below);
        }
    }

    fn order(&self, level: &Level, term: &Order) -> String {
        let field = match &term.embed {
            None => path(self.table(level), &term.path),
            Some(embed) => {
                let embed: &Embed = level.find(embed, self.schema);
                format!("{}({})", name(embed.name(self.schema)), path(self.table(&embed.level), &term.path))
            }
        };
        format!("{field}{}{}", term.direction, term.nulls)
    }

    fn insert(&mut self, level: &Level, insert: &Insert, prefer: &mut Vec<&'static str>) -> String {
        let table = self.table(level);
        let mut columns: Vec<usize> = insert.rows.iter().flatten().map(|(column, _)| *column).collect();
        columns.sort_unstable();
        columns.dedup();
        let rows: Vec<String> = insert.rows.iter().map(|row| object(table, row)).collect();
        let named =
            columns.iter().map(|column| quoted(&table.columns[*column].name)).collect::<Vec<_>>().join(",");
        if insert.rows.iter().any(|row| row.len() != columns.len()) {
            self.parameters.push(("columns".to_owned(), named));
        }
        if insert.missing_default {
            prefer.push("missing=default");
        }
        prefer.extend(
            insert.upsert.map(|merge| {
                if merge { "resolution=merge-duplicates" } else { "resolution=ignore-duplicates" }
            }),
        );
        if let [row] = &rows[..] { row.clone() } else { format!("[{}]", rows.join(",")) }
    }
}

fn list(table: &Table, trees: &[Tree]) -> String {
    let tree = |tree: &Tree| {
        let (before, tree) = match tree {
            Tree::Not(tree) => ("not.", &**tree),
            tree => ("", tree),
        };
        match tree {
            Tree::And(all) => format!("{before}and{}", list(table, all)),
            Tree::Or(any) => format!("{before}or{}", list(table, any)),
            tree => {
                let (field, test) = test(table, tree, true);
                format!("{field}.{before}{test}")
            }
        }
    };
    format!("({})", trees.iter().map(tree).collect::<Vec<_>>().join(","))
}

/// Field and test. Within a tree values are quoted where they hold marks of the grammar.
fn test(table: &Table, tree: &Tree, within: bool) -> (String, String) {
    let value = |text: &str| if within { item(text) } else { text.to_owned() };
    let not = |negated: bool| if negated { "not." } else { "" };
    match tree {
        Tree::Missing { embed, negated } => (name(embed), format!("{}is.null", not(*negated))),
        Tree::Test { path: at, negated, op } => {
            let test = match op {
                Op::Compare(op, _, with) => format!("{op}.{}", value(with)),
                Op::Quantified(op, _, which, all) => format!("{op}({which}).{}", value(&array(all))),
                // One empty text means no value at all, as with PostgREST; twice it is a text.
                Op::In(all) if all.len() == 1 && all[0].is_empty() => "in.(\"\",\"\")".to_owned(),
                Op::In(all) => {
                    format!("in.({})", all.iter().map(|one| item(one)).collect::<Vec<_>>().join(","))
                }
                Op::Is(what) => format!("is.{what}"),
                Op::Search(op, _, config, words) => {
                    let config = config.map(|config| format!("({config})")).unwrap_or_default();
                    format!("{op}{config}.{}", value(words))
                }
            };
            (path(table, at), format!("{}{test}", not(*negated)))
        }
        Tree::And(_) | Tree::Or(_) | Tree::Not(_) => unreachable!("a tree is no test"),
    }
}

fn object(table: &Table, values: &[(usize, Option<String>)]) -> String {
    let mut object = Map::new();
    for (column, value) in values {
        let column = &table.columns[*column];
        let json = value.as_deref().map_or_else(|| "null".to_owned(), |value| column.ty.json(value));
        object.insert(column.name.clone(), Value::from(json));
    }
    // The values are texts of JSON already, which must keep their digits.
    let fields: Vec<String> = object
        .iter()
        .map(|(name, json)| format!("{}:{}", Value::from(name.as_str()), json.as_str().unwrap()))
        .collect();
    format!("{{{}}}", fields.join(","))
}

/// A name, quoted where the grammar needs it.
fn name(name: &str) -> String {
    if name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') { name.to_owned() } else { quoted(name) }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A value in a list or tree.
fn item(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '*' | '%');
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { quoted(text) }
}

/// An array as PostgreSQL reads it.
fn array(values: &[String]) -> String {
    format!("{{{}}}", values.iter().map(|value| quoted(value)).collect::<Vec<_>>().join(","))
}

fn path(table: &Table, path: &Path) -> String {
    let mut text = name(&table.columns[path.column].name);
    for (at, step) in path.steps.iter().enumerate() {
        text.push_str(if path.text && at + 1 == path.steps.len() { "->>" } else { "->" });
        text.push_str(&if step.parse::<i32>().is_ok() { (*step).to_owned() } else { name(step) });
    }
    text
}

/// Percent-encoding of everything that could mean something.
fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'-'
            | b'.'
            | b'_'
            | b'*'
            | b'('
            | b')'
            | b','
            | b':'
            | b'!' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
