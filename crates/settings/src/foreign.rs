//! Other programs' TOML files, which are taken over into ours.

use serde_json::{Map, Number, Value};
use toml_edit::{Document, Item, TableLike, Value as Toml};

use crate::layer::position;
use crate::{Fault, Origin};

/// Every value of a TOML text by its dotted path, in the order of the file. Tables inside lists stay whole.
///
/// # Errors
/// The place and the reason when it is no TOML.
pub fn toml_values(file: &str, text: &str) -> Result<Vec<(String, Value)>, Box<Fault>> {
    let document = Document::parse(text).map_err(|error| {
        let (line, column) = position(text, error.span().map_or(0, |span| span.start));
        let origin = Origin::File { file: file.into(), line, column, overlay: None };
        Box::new(
            Fault::new(format!("is not valid TOML: {}", error.message()), "correct the line").at(&origin),
        )
    })?;
    let mut values = Vec::new();
    table("", document.as_table(), &mut values);
    Ok(values)
}

fn table(prefix: &str, found: &dyn TableLike, values: &mut Vec<(String, Value)>) {
    for (name, item) in found.iter() {
        let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
        match item {
            Item::None => {}
            Item::Value(Toml::InlineTable(inner)) => table(&path, inner, values),
            Item::Value(found) => values.push((path, value(found))),
            Item::Table(inner) => table(&path, inner, values),
            Item::ArrayOfTables(list) => {
                let items = list.iter().map(|inner| Value::Object(object(inner)));
                values.push((path, items.collect()));
            }
        }
    }
}

fn object(found: &dyn TableLike) -> Map<String, Value> {
    let mut values = Vec::new();
    table("", found, &mut values);
    values.into_iter().collect()
}

fn value(found: &Toml) -> Value {
    match found {
        Toml::String(text) => text.value().as_str().into(),
        Toml::Integer(number) => (*number.value()).into(),
        Toml::Float(number) => Number::from_f64(*number.value()).map_or(Value::Null, Value::Number),
        Toml::Boolean(flag) => (*flag.value()).into(),
        Toml::Datetime(time) => time.value().to_string().into(),
        Toml::Array(items) => items.iter().map(value).collect(),
        Toml::InlineTable(inner) => Value::Object(object(inner)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_come_in_order_with_their_paths() {
        let text = "name = 'a'\n[b.c]\nn = 1\nlist = [true, 'x']\ninline = { k = 2.5 }\n[[d]]\nx = 1\n";
        let values = toml_values("config.toml", text).unwrap();
        let wanted = [
            ("name", json!("a")),
            ("b.c.n", json!(1)),
            ("b.c.list", json!([true, "x"])),
            ("b.c.inline.k", json!(2.5)),
            ("d", json!([{ "x": 1 }])),
        ];
        assert_eq!(values, wanted.map(|(path, value)| (path.to_owned(), value)));
    }

    #[test]
    fn a_syntax_fault_names_its_line() {
        let fault = toml_values("supabase/config.toml", "[api]\nport = \n").unwrap_err();
        assert!(fault.to_string().starts_with("supabase/config.toml:2:"), "{fault}");
    }
}
