//! Layers of raw values: what one source says, by dotted path, before types are known.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use toml_edit::{Document, InlineTable, Item, Key, Table, Value};

use crate::{Fault, Origin};

/// A value as its source wrote it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Raw {
    /// From the environment or the command line, where everything is text.
    Text(String),
    Str(String),
    Int(i64),
    Bool(bool),
    List(Vec<Raw>),
    /// A TOML type that no setting has: float or date.
    Other(&'static str),
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub raw: Raw,
    pub origin: Origin,
}

/// Values by path (`auth.issuers[0].issuer`), and the tables that were named, even empty ones.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layer {
    pub entries: BTreeMap<String, Entry>,
    pub tables: BTreeMap<String, Origin>,
}

impl Layer {
    /// Lays `upper` over this layer: values replace values; a list of tables replaces the whole list.
    pub(crate) fn overlay(&mut self, upper: Self) {
        let lists: Vec<String> = upper
            .tables
            .keys()
            .filter_map(|path| path.strip_suffix("[0]"))
            .map(|list| format!("{list}["))
            .collect();
        for list in lists {
            self.entries.retain(|path, _| !path.starts_with(&list));
            self.tables.retain(|path, _| !path.starts_with(&list));
        }
        self.entries.extend(upper.entries);
        self.tables.extend(upper.tables);
    }
}

/// The configuration file: its common part, and its overlays by name.
#[derive(Debug, Default)]
pub(crate) struct FileLayers {
    pub common: Layer,
    pub overlays: BTreeMap<String, (Layer, Origin)>,
}

/// Reads TOML text into layers; syntax errors become faults.
pub(crate) fn read_toml(file: &str, text: &str, faults: &mut Vec<Fault>) -> FileLayers {
    let reader = Reading { file: file.into(), text, overlay: None };
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            faults.push(reader.syntax_fault(&error));
            return FileLayers::default();
        }
    };
    let mut layers = FileLayers::default();
    for (name, item) in document.as_table() {
        let key = document.as_table().key(name);
        if name == "env" {
            reader.overlays(item, key, &mut layers.overlays, faults);
        } else {
            reader.item(name, key, item, &mut layers.common, faults);
        }
    }
    layers
}

struct Reading<'a> {
    file: Arc<str>,
    text: &'a str,
    overlay: Option<Arc<str>>,
}

impl Reading<'_> {
    fn origin(&self, span: Option<Range<usize>>) -> Origin {
        let (line, column) = position(self.text, span.map_or(0, |span| span.start));
        Origin::File { file: self.file.clone(), line, column, overlay: self.overlay.clone() }
    }

    fn syntax_fault(&self, error: &toml_edit::TomlError) -> Fault {
        let origin = self.origin(error.span());
        let line = match &origin {
            Origin::File { line, .. } => self.text.lines().nth(line - 1).unwrap_or(""),
            _ => "",
        };
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        let fix = if line.contains("= secret(") || line.contains("=secret(") {
            "a reference to a secret is a string: write 'secret(\"NAME\")' in single quotes"
        } else {
            "correct the TOML syntax on this line (https://toml.io)"
        };
        Fault::new(format!("not valid TOML: {message}"), fix).at(&origin)
    }

    fn overlays(
        &self,
        item: &Item,
        key: Option<&Key>,
        overlays: &mut BTreeMap<String, (Layer, Origin)>,
        faults: &mut Vec<Fault>,
    ) {
        let Some(table) = item.as_table() else {
            let fault = Fault::new("`env` holds overlays", "write [env.production] and settings under it");
            faults.push(fault.at(&self.origin(key.and_then(Key::span))));
            return;
        };
        for (name, item) in table {
            let origin = self.origin(table.key(name).and_then(Key::span));
            let Some(overlay) = item.as_table() else {
                let message = format!("`env.{name}` must be a table");
                faults.push(Fault::new(message, format!("write [env.{name}.server] and so on")).at(&origin));
                continue;
            };
            let reader = Reading { file: self.file.clone(), text: self.text, overlay: Some(name.into()) };
            let mut layer = Layer::default();
            for (section, item) in overlay {
                reader.item(section, overlay.key(section), item, &mut layer, faults);
            }
            overlays.insert(name.to_owned(), (layer, origin));
        }
    }

    fn item(&self, path: &str, key: Option<&Key>, item: &Item, layer: &mut Layer, faults: &mut Vec<Fault>) {
        let origin = self.origin(key.and_then(Key::span).or_else(|| item.span()));
        match item {
            Item::None => {}
            Item::Table(table) => {
                layer.tables.insert(path.to_owned(), origin);
                self.table(path, table, layer, faults);
            }
            Item::ArrayOfTables(tables) => {
                for (index, table) in tables.iter().enumerate() {
                    let path = format!("{path}[{index}]");
                    layer.tables.insert(path.clone(), self.origin(table.span()));
                    self.table(&path, table, layer, faults);
                }
            }
            Item::Value(value) => self.value(path, value, origin, layer, faults),
        }
    }

    fn table(&self, path: &str, table: &Table, layer: &mut Layer, faults: &mut Vec<Fault>) {
        for (name, item) in table {
            if let Some(path) = self.join(path, name, table.key(name), faults) {
                self.item(&path, table.key(name), item, layer, faults);
            }
        }
    }

    fn value(&self, path: &str, value: &Value, origin: Origin, layer: &mut Layer, faults: &mut Vec<Fault>) {
        match value {
            Value::InlineTable(table) => {
                layer.tables.insert(path.to_owned(), origin);
                self.inline_table(path, table, layer, faults);
            }
            Value::Array(array) if !array.is_empty() && array.iter().all(Value::is_inline_table) => {
                for (index, table) in array.iter().filter_map(Value::as_inline_table).enumerate() {
                    let path = format!("{path}[{index}]");
                    layer.tables.insert(path.clone(), self.origin(table.span()));
                    self.inline_table(&path, table, layer, faults);
                }
            }
            _ => {
                layer.entries.insert(path.to_owned(), Entry { raw: raw(value), origin });
            }
        }
    }

    fn inline_table(&self, path: &str, table: &InlineTable, layer: &mut Layer, faults: &mut Vec<Fault>) {
        for (name, value) in table {
            if let Some(path) = self.join(path, name, table.key(name), faults) {
                let origin = self.origin(table.key(name).and_then(Key::span).or_else(|| value.span()));
                self.value(&path, value, origin, layer, faults);
            }
        }
    }

    /// Paths are joined with dots, so a name may not have one.
    fn join(&self, path: &str, name: &str, key: Option<&Key>, faults: &mut Vec<Fault>) -> Option<String> {
        if name.is_empty() || name.contains(['.', '[', ']']) {
            let message = format!("the name `{name}` cannot be used in {path}");
            let fault = Fault::new(message, "use a name without dots and brackets");
            faults.push(fault.at(&self.origin(key.and_then(Key::span))));
            return None;
        }
        Some(format!("{path}.{name}"))
    }
}

fn raw(value: &Value) -> Raw {
    match value {
        Value::String(text) => Raw::Str(text.value().clone()),
        Value::Integer(number) => Raw::Int(*number.value()),
        Value::Boolean(boolean) => Raw::Bool(*boolean.value()),
        Value::Array(array) => Raw::List(array.iter().map(raw).collect()),
        Value::Float(_) => Raw::Other("a number with a fraction"),
        Value::Datetime(_) => Raw::Other("a date"),
        Value::InlineTable(_) => Raw::Other("a table"),
    }
}

/// Line and column, both from 1, of a byte offset; columns count characters.
pub(crate) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (line, column)
}
