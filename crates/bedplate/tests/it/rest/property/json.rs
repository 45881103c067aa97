//! JSON by value, but with numbers by their digits, and lists without an order compared as bags.

use std::collections::BTreeMap;

use super::request::Level;
use super::schema::Schema;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Json {
    /// `null`, `true`, `false` and numbers as they are written.
    Word(String),
    Text(String),
    List(Vec<Self>),
    Object(BTreeMap<String, Self>),
}

/// # Panics
/// When it is not JSON, or an object has a key twice.
pub fn parse(text: &str) -> Json {
    let raw: &serde_json::value::RawValue =
        serde_json::from_str(text).unwrap_or_else(|error| panic!("no JSON, {error}: {text}"));
    convert(raw)
}

fn convert(raw: &serde_json::value::RawValue) -> Json {
    let text = raw.get();
    match text.as_bytes()[0] {
        b'{' => {
            let fields: Fields<'_> = serde_json::from_str(text).unwrap();
            let mut object = BTreeMap::new();
            for (name, value) in fields.0 {
                let twice = object.insert(name.clone(), convert(value));
                assert!(twice.is_none(), "{name:?} twice in {text}");
            }
            Json::Object(object)
        }
        b'[' => {
            let items: Vec<&serde_json::value::RawValue> = serde_json::from_str(text).unwrap();
            Json::List(items.into_iter().map(convert).collect())
        }
        b'"' => Json::Text(serde_json::from_str(text).unwrap()),
        _ => Json::Word(text.to_owned()),
    }
}

/// The fields of an object as they stand there.
struct Fields<'j>(Vec<(String, &'j serde_json::value::RawValue)>);

impl<'de> serde::Deserialize<'de> for Fields<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Fields<'de>;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        from.deserialize_map(Visitor)
    }
}

/// Sorts what has no order of its own.
pub fn settle(value: &mut Json, level: &Level, schema: &Schema) {
    if let Json::List(rows) = value {
        for row in rows.iter_mut() {
            settle_row(row, level, schema);
        }
        if level.order.is_empty() {
            rows.sort();
        }
    }
}

fn settle_row(row: &mut Json, level: &Level, schema: &Schema) {
    for embed in level.embeds() {
        if embed.spread {
            settle_row(row, &embed.level, schema);
            continue;
        }
        let Json::Object(fields) = &mut *row else { return };
        match fields.get_mut(embed.name(schema)) {
            Some(list @ Json::List(_)) => settle(list, &embed.level, schema),
            Some(one) => settle_row(one, &embed.level, schema),
            None => {}
        }
    }
}
