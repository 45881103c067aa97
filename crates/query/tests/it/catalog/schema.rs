//! JSON Schema, as much of it as the contract's schemas use, written against the specification and not against them.

use serde_json::Value;

/// Whether the schema allows the value (draft 2020-12; `format` is a remark, patterns are those of decimal numbers).
pub fn allows(schema: &Value, value: &Value) -> bool {
    let Some(schema) = schema.as_object() else { return schema != &Value::Bool(false) };
    schema.iter().all(|(keyword, argument)| match keyword.as_str() {
        "type" => match argument {
            Value::Array(types) => types.iter().any(|name| is_of(name, value)),
            name => is_of(name, value),
        },
        "enum" => argument.as_array().unwrap().contains(value),
        "anyOf" => argument.as_array().unwrap().iter().any(|option| allows(option, value)),
        "allOf" => argument.as_array().unwrap().iter().all(|option| allows(option, value)),
        "minimum" => value.as_f64().is_none_or(|n| n >= argument.as_f64().unwrap()),
        "maximum" => value.as_f64().is_none_or(|n| n <= argument.as_f64().unwrap()),
        "exclusiveMinimum" => value.as_f64().is_none_or(|n| n > argument.as_f64().unwrap()),
        "exclusiveMaximum" => value.as_f64().is_none_or(|n| n < argument.as_f64().unwrap()),
        "minLength" => length(value).is_none_or(|n| n >= argument.as_u64().unwrap()),
        "maxLength" => length(value).is_none_or(|n| n <= argument.as_u64().unwrap()),
        "pattern" => value.as_str().is_none_or(|text| {
            assert!(argument.as_str().unwrap().contains(r"\d"), "{argument}");
            matches!(text, "NaN" | "Infinity" | "-Infinity" | "+Infinity")
                || text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
                    && text.parse::<f64>().is_ok()
        }),
        "items" => value.as_array().is_none_or(|items| items.iter().all(|item| allows(argument, item))),
        "properties" => value.as_object().is_none_or(|fields| {
            fields.iter().all(|(name, field)| argument.get(name).is_none_or(|schema| allows(schema, field)))
        }),
        "required" => value.as_object().is_none_or(|fields| {
            argument.as_array().unwrap().iter().all(|name| fields.contains_key(name.as_str().unwrap()))
        }),
        "additionalProperties" => value.as_object().is_none_or(|fields| {
            argument == &Value::Bool(true)
                || fields.keys().all(|name| schema["properties"].get(name).is_some())
        }),
        "minProperties" => {
            value.as_object().is_none_or(|fields| fields.len() as u64 >= argument.as_u64().unwrap())
        }
        "format" | "description" | "readOnly" => true,
        other => panic!("{other} is not known here"),
    })
}

fn is_of(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|n| n.fract() == 0.0),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is no type"),
    }
}

fn length(value: &Value) -> Option<u64> {
    value.as_str().map(|text| text.chars().count() as u64)
}
