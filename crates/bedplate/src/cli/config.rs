//! `bedplate config show | explain | schema`.

use bedplate_settings::{Key, Row, explain, json_schema};
use serde_json::{Value, json};

use super::args::ConfigCommand;
use super::ui::{DIM, NAME, STRONG, Ui, WARN};
use super::{Context, Exit, Failure};

pub fn run(command: ConfigCommand, context: &Context) -> Result<Exit, Failure> {
    match command {
        ConfigCommand::Show { key, changed } => show(key.as_deref(), changed, context),
        ConfigCommand::Explain { key } => explain_key(key.as_deref().unwrap_or(""), context),
        ConfigCommand::Schema => {
            let schema = serde_json::to_string_pretty(&json_schema()).unwrap_or_default();
            context.ui.out(schema);
            Ok(Exit::Done)
        }
    }
}

fn show(key: Option<&str>, changed: bool, context: &Context) -> Result<Exit, Failure> {
    // A name that is no setting is a slip, not an empty answer.
    if let Some(key) = key {
        explain(key).map_err(|fault| unknown(*fault))?;
    }
    let loaded = context.load("development", Vec::new())?;
    let wanted = |row: &Row| {
        let named = key.is_none_or(|key| {
            row.key == key || row.key.strip_prefix(key).is_some_and(|rest| rest.starts_with(['.', '[']))
        });
        named && (!changed || row.origin != bedplate_settings::Origin::Default)
    };
    let rows: Vec<Row> = loaded.show().into_iter().filter(wanted).collect();
    context.ui.show(|| rows_json(&loaded.env_name, &rows), |ui| rows_text(ui, &loaded.env_name, &rows));
    Ok(Exit::Done)
}

fn origin_text(row: &Row) -> String {
    match &row.secret_place {
        Some(place) => format!("{} → {place}", row.origin),
        None => row.origin.to_string(),
    }
}

fn rows_json(env_name: &str, rows: &[Row]) -> Value {
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| json!({ "key": row.key, "value": row.value, "from": origin_text(row) }))
        .collect();
    json!({ "environment": env_name, "settings": rows })
}

fn rows_text(ui: &Ui, env_name: &str, rows: &[Row]) -> String {
    let mut text = format!("environment {}\n\n", ui.paint(STRONG, env_name));
    let key_width = rows.iter().map(|row| row.key.len()).max().unwrap_or(0);
    let value = |row: &Row| Key::text_of(&row.value);
    let value_width = rows.iter().map(|row| value(row).chars().count()).max().unwrap_or(0).min(40);
    for row in rows {
        let is_default = row.origin == bedplate_settings::Origin::Default;
        let value = format!("{:value_width$}", value(row));
        let value = if is_default { ui.paint(DIM, value) } else { ui.paint(WARN, value) };
        let key = ui.paint(NAME, format!("{:key_width$}", row.key));
        text.push_str(&format!("{key}  {value}  {}\n", ui.paint(DIM, origin_text(row))));
    }
    text
}

fn unknown(fault: bedplate_settings::Fault) -> Failure {
    Failure::new(Exit::Usage, "unknown_setting", fault.message, fault.fix)
}

fn explain_key(name: &str, context: &Context) -> Result<Exit, Failure> {
    let explanation = explain(name).map_err(|fault| unknown(*fault))?;
    // The current value is welcome, but a broken configuration must not hide what a setting means.
    let rows = context.load("development", Vec::new()).map(|loaded| loaded.show()).unwrap_or_default();
    let current = |key: &Key| rows.iter().find(|row| row.key == key.path || row.key == name);
    let single = explanation.keys.len() == 1;
    context.ui.show(
        || {
            let keys: Vec<Value> = explanation.keys.iter().map(|key| key_json(key, current(key))).collect();
            json!({ "about": explanation.doc, "settings": keys })
        },
        |ui| {
            let mut text = String::new();
            if !explanation.doc.is_empty() {
                text.push_str(&format!("{}\n\n", explanation.doc));
            }
            for key in &explanation.keys {
                let long = single.then(|| current(key));
                text.push_str(&key_text(ui, key, long));
            }
            text
        },
    );
    Ok(Exit::Done)
}

fn key_json(key: &Key, row: Option<&Row>) -> Value {
    json!({
        "key": key.path, "about": key.doc, "type": key.kind, "default": key.default, "secret": key.secret,
        "range": key.range.as_ref().map(|(low, high)| json!([low, high])), "variable": key.variable(),
        "value": row.map(|row| row.value.clone()), "from": row.map(origin_text),
    })
}

/// One setting: in full with its value, or as an item of a list.
fn key_text(ui: &Ui, key: &Key, long: Option<Option<&Row>>) -> String {
    let default = Key::text_of(&key.default);
    let Some(row) = long else {
        return format!("{}  {}\n    {}\n", ui.paint(NAME, &key.path), ui.paint(DIM, default), key.doc);
    };
    let mut text = format!("{}\n  {}\n\n", ui.paint(NAME, &key.path), key.doc);
    let mut add = |label: &str, value: String| text.push_str(&format!("  {label:<9} {value}\n"));
    add("type", key.kind.clone());
    if let Some((low, high)) = &key.range {
        add("range", format!("{} to {}", Key::text_of(low), Key::text_of(high)));
    }
    add("default", default);
    if let Some(row) = row {
        add("value", format!("{}  ({})", Key::text_of(&row.value), origin_text(row)));
    }
    add("variable", key.variable());
    add("file", file_line(key));
    text
}

/// How the setting is written in bedplate.toml.
fn file_line(key: &Key) -> String {
    let (section, name) = key.path.rsplit_once('.').unwrap_or(("", &key.path));
    let header = match section.strip_suffix("[]") {
        Some(list) => format!("[[{list}]]"),
        None => format!("[{}]", section.replace('*', "NAME")),
    };
    let value = match &key.default {
        _ if key.secret => format!("'secret(\"{}\")'", name.to_ascii_uppercase()),
        Value::Null => "…".to_owned(),
        other => other.to_string(),
    };
    format!("{header} {name} = {value}")
}
