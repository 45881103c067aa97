//! Swagger 2.0, as far as the description needs it (<https://swagger.io/specification/v2/>): plain values that are written as
//! JSON once.

use std::borrow::Cow;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// What does not depend on where the server is reached; see [`super::server::Server::write`] for the rest.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document<'a> {
    pub info: Info<'a>,
    pub consumes: &'static [&'static str],
    pub produces: &'static [&'static str],
    pub paths: Map<String, PathItem<'a>>,
    pub definitions: Map<&'a str, Schema<'a>>,
    pub parameters: Map<Cow<'static, str>, Parameter<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_definitions: Option<Map<&'static str, SecurityScheme>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub security: Vec<Map<&'static str, [(); 0]>>,
    pub external_docs: ExternalDocs,
}

#[derive(Serialize)]
pub(super) struct Info<'a> {
    pub title: &'a str,
    pub description: &'a str,
    pub version: &'static str,
}

#[derive(Serialize)]
pub(super) struct ExternalDocs {
    pub description: &'static str,
    pub url: &'static str,
}

#[derive(Serialize)]
pub(super) struct SecurityScheme {
    pub r#type: &'static str,
    pub name: &'static str,
    pub r#in: &'static str,
    pub description: &'static str,
}

#[derive(Serialize, Default)]
pub(super) struct PathItem<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub get: Option<Operation<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post: Option<Operation<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch: Option<Operation<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete: Option<Operation<'a>>,
}

#[derive(Serialize)]
pub(super) struct Operation<'a> {
    pub tags: [Cow<'a, str>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub produces: &'static [&'static str],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Parameter<'a>>,
    pub responses: Map<&'static str, Response<'a>>,
}

#[derive(Serialize)]
pub(super) struct Response<'a> {
    pub description: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<ListOf<'a>>,
}

/// `{"type": "array", "items": {"$ref": …}}`
#[derive(Serialize)]
pub(super) struct ListOf<'a> {
    pub r#type: &'static str,
    pub items: Parameter<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Parameter<'a> {
    Reference {
        #[serde(rename = "$ref")]
        to: String,
    },
    Body {
        name: &'a str,
        r#in: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        required: bool,
        schema: BodySchema<'a>,
    },
    Plain(Plain<'a>),
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum BodySchema<'a> {
    Reference {
        #[serde(rename = "$ref")]
        to: String,
    },
    Inline(Schema<'a>),
}

/// A parameter in the query string or a header.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct Plain<'a> {
    pub name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<&'a str>,
    pub required: bool,
    pub r#in: &'static str,
    pub r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub r#enum: &'static [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<Items<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collection_format: Option<&'static str>,
}

#[derive(Serialize, Default)]
pub(super) struct Schema<'a> {
    pub r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<&'a str>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub properties: Map<&'a str, Property<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub required: Vec<&'a str>,
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct Property<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub r#enum: &'a [std::sync::Arc<str>],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<Items<'a>>,
}

/// What the elements of an array are; json has no type.
#[derive(Serialize, Default)]
pub(super) struct Items<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<&'a str>,
}

/// A JSON object in the order of its making.
pub(super) struct Map<K, V>(pub Vec<(K, V)>);

impl<K, V> Default for Map<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K, V> Map<K, V> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: Serialize, V: Serialize> Serialize for Map<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// `#/parameters/…`
pub(super) fn parameter(name: impl std::fmt::Display) -> Parameter<'static> {
    Parameter::Reference { to: format!("#/parameters/{name}") }
}
