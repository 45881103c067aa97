//! Attributes of spans, metrics and of the process itself.

use std::borrow::Cow;

use bedplate_core::redact::Redactor;
use serde_json::{Value as Json, json};

/// A value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Text(Cow<'static, str>),
    Int(i64),
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

pub type Attribute = (&'static str, Value);

/// As `KeyValue` of the protocol; 64-bit integers are texts in its JSON.
pub(crate) fn encode<'a>(attributes: impl IntoIterator<Item = &'a Attribute>, redactor: Redactor) -> Json {
    let pair = |(key, value): &Attribute| {
        let value = match value {
            Value::Text(text) => json!({ "stringValue": redactor.scrub(text) }),
            Value::Int(number) => json!({ "intValue": number.to_string() }),
        };
        json!({ "key": key, "value": value })
    };
    attributes.into_iter().map(pair).collect()
}

/// The process that speaks (OpenTelemetry semantic conventions, "Service").
#[derive(Debug, Clone)]
pub struct Resource {
    pub service: String,
    pub version: &'static str,
    pub environment: String,
    /// Different for each process.
    pub instance: String,
}

impl Resource {
    pub(crate) fn encode(&self) -> Json {
        let text = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
        json!({ "attributes": [
            text("service.name", &self.service),
            text("service.version", self.version),
            text("service.instance.id", &self.instance),
            text("deployment.environment.name", &self.environment),
        ] })
    }

    pub(crate) fn scope(&self) -> Json {
        json!({ "name": "bedplate", "version": self.version })
    }
}
