//! What the tables say about themselves: the reference page, the JSON Schema, `config explain`.

use serde_json::{Map, Value, json};

use crate::known::Known;
use crate::table::{Key, Section};
use crate::{Fault, Settings};

/// The answer of `config explain`.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// What a section is about; empty for a single setting.
    pub doc: String,
    pub keys: Vec<Key>,
}

/// Explains a setting or a section; no name explains everything. Concrete paths such as
/// `access.schemas.legacy.require_rls` are understood.
pub fn explain(name: &str) -> Result<Explanation, Box<Fault>> {
    let known = Known::new();
    if let Some(key) = known.find(name) {
        return Ok(Explanation { doc: String::new(), keys: vec![key.clone()] });
    }
    let (mut all, mut sections) = (Vec::new(), Vec::new());
    Settings::describe("", &mut all, &mut sections);
    let bare = |path: &str| path.replace("[]", "").replace(".*", "");
    let section = sections.iter().find(|(path, _)| path == name || bare(path) == name);
    match section {
        Some((path, doc)) => {
            let inside = if path.is_empty() { String::new() } else { format!("{path}.") };
            let list = format!("{path}[");
            all.retain(|key| {
                key.path.starts_with(&inside) || (!path.is_empty() && key.path.starts_with(&list))
            });
            Ok(Explanation { doc: doc.clone(), keys: all })
        }
        None => {
            let fix = known.suggest(name).map_or_else(
                || "`bedplate config explain` lists every setting".to_owned(),
                |near| format!("did you mean `bedplate config explain {near}`?"),
            );
            Err(Box::new(Fault::new(format!("`{name}` is not a setting"), fix)))
        }
    }
}

/// The reference of all settings as Markdown.
pub fn reference_markdown() -> String {
    let (mut all, mut sections) = (Vec::new(), Vec::new());
    Settings::describe("", &mut all, &mut sections);
    let mut out = String::from(INTRODUCTION);
    for (path, doc) in sections.iter().filter(|(path, _)| !path.is_empty()) {
        let rows: Vec<&Key> = all.iter().filter(|key| key.section() == path).collect();
        let header = match path.strip_suffix("[]") {
            Some(list) => format!("[[{list}]]"),
            None => format!("[{}]", path.replace('*', "NAME")),
        };
        out.push_str(&format!("\n## `{header}`\n\n{doc}\n"));
        if rows.is_empty() {
            continue;
        }
        out.push_str("\n| setting | type | default | what it does |\n|---|---|---|---|\n");
        for key in rows {
            out.push_str(&reference_row(key));
        }
    }
    out
}

const INTRODUCTION: &str = "\
# Settings

Generated from the tables in `crates/settings/src/sections`; do not edit.

Settings stand in `bedplate.toml`, and only those that differ from the defaults need to. The later source wins:
the file, its overlay `[env.NAME]` (chosen by `--env` or `BEDPLATE_ENV`; `dev` takes `development`, `serve` takes
`production`), `.env` (not in production), the environment, the command line.

- Any setting is overridden by a variable: `BEDPLATE_SERVER__PORT=8080`; lists are separated by commas, indexes of
  tables are numbers (`BEDPLATE_AUTH__ISSUERS__0__ISSUER`). `DATABASE_URL` sets `database.url`.
- Durations are written `250ms`, `30s`, `5m`, `1h30m`; sizes `512B`, `32KiB`, `2MiB`.
- A secret never stands in the file: write `'secret(\"NAME\")'`. The value comes from the variable `NAME`, from the file
  that `NAME_FILE` names, or from the file `NAME` in the keys folder.
- An unknown setting is an error. `bedplate config show` tells where each value came from.
";

fn reference_row(key: &Key) -> String {
    let name = key.path.rsplit('.').next().unwrap_or(&key.path);
    let default = match &key.default {
        Value::Null => "not set".to_owned(),
        Value::Array(items) if items.is_empty() => "empty".to_owned(),
        Value::String(text) if text.is_empty() => "required".to_owned(),
        other => format!("`{}`", Key::text_of(other)),
    };
    let range = key.range.as_ref().map_or_else(String::new, |(low, high)| {
        format!(" From {} to {}.", Key::text_of(low), Key::text_of(high))
    });
    let doc = key.doc.replace('|', "\\|");
    format!("| `{name}` | {} | {default} | {doc}{range} |\n", key.kind)
}

/// JSON Schema (2020-12) of `bedplate.toml` for editors.
pub fn json_schema() -> Value {
    let (mut all, mut sections) = (Vec::new(), Vec::new());
    Settings::describe("", &mut all, &mut sections);
    let mut root = object();
    for (path, doc) in sections.iter().filter(|(path, _)| !path.is_empty()) {
        let node = descend(&mut root, path);
        node.insert("description".into(), doc.as_str().into());
    }
    for key in all {
        let mut schema = key.schema.as_object().cloned().unwrap_or_default();
        schema.insert("description".into(), key.doc.as_str().into());
        if !key.default.is_null() && key.default != "" {
            schema.insert("default".into(), key.default.clone());
        }
        if let Some((Value::Number(low), Value::Number(high))) = &key.range {
            schema.insert("minimum".into(), low.clone().into());
            schema.insert("maximum".into(), high.clone().into());
        }
        let (section, name) = key.path.rsplit_once('.').unwrap_or(("", &key.path));
        let node = descend(&mut root, section);
        if name == "*" {
            node.insert("additionalProperties".into(), schema.into());
        } else if let Some(Value::Object(properties)) = node.get_mut("properties") {
            properties.insert(name.into(), schema.into());
        }
    }
    let overlay = Value::Object(root.clone());
    if let Some(Value::Object(properties)) = root.get_mut("properties") {
        let reference = json!({ "$ref": "#/$defs/settings" });
        let description = "Overlays: settings that differ in one environment.";
        properties.insert(
            "env".into(),
            json!({ "type": "object", "description": description, "additionalProperties": reference }),
        );
    }
    root.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
    root.insert("title".into(), "bedplate.toml".into());
    root.insert("$defs".into(), json!({ "settings": overlay }));
    Value::Object(root)
}

fn object() -> Map<String, Value> {
    let schema = json!({ "type": "object", "additionalProperties": false, "properties": {} });
    schema.as_object().cloned().unwrap_or_default()
}

/// The schema node of a section, made on the way where it is not there yet.
fn descend<'a>(node: &'a mut Map<String, Value>, path: &str) -> &'a mut Map<String, Value> {
    let (first, rest) = path.split_once('.').map_or((path, ""), |(first, rest)| (first, rest));
    if first.is_empty() {
        return node;
    }
    let child = if first == "*" {
        let slot = node.entry("additionalProperties").or_insert(Value::Null);
        if !slot.is_object() {
            *slot = Value::Object(object());
        }
        slot
    } else {
        let properties = node.entry("properties").or_insert_with(|| json!({}));
        if !properties.is_object() {
            *properties = json!({});
        }
        let name = first.strip_suffix("[]").unwrap_or(first);
        let is_list = name != first;
        let slot = &mut properties[name];
        if slot.is_null() {
            let inner = Value::Object(object());
            *slot = if is_list { json!({ "type": "array", "items": inner }) } else { inner };
        }
        if is_list { &mut slot["items"] } else { slot }
    };
    if !child.is_object() {
        *child = Value::Object(object());
    }
    match child {
        Value::Object(map) => descend(map, rest),
        // Made an object just above.
        _ => unreachable!("a section's schema is an object"),
    }
}
