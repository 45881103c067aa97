//! Operations that stand by themselves, whatever the database has: one row each. A new route of the platform gets its row
//! here, or, where another crate serves it, in that crate's table ([`super::Settings::fixed`]).

use bedplate_query::gate::Verb;
use serde_json::{Map, Value, json};

use super::answers::{LIGHT, WRITE, answers, body, data, unchanged};
use super::names::segment;
use super::{Scope, parameters};
use crate::{PREFIX, batch};

/// The tag of these operations.
pub(super) const TAG: &str = "platform";

/// A route that is the same for every database.
#[derive(Debug, Clone, Copy)]
pub struct Fixed {
    pub method: &'static str,
    /// As in the route table.
    pub path: &'static str,
    pub id: &'static str,
    pub summary: &'static str,
    pub kind: Kind,
}

/// What a fixed route answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Json,
    /// JSON, and 503 with the same shape while it is not so.
    Page,
}

const OWN: &[Fixed] = &[Fixed {
    method: "get",
    path: super::PATH,
    id: "openapi",
    summary: "This document: the API as this caller may use it",
    kind: Kind::Json,
}];

pub(super) fn paths(scope: Scope<'_>) -> Vec<(String, Value)> {
    let mut paths: Vec<(String, Value)> =
        vec![(format!("{PREFIX}/{}", batch::SEGMENT), json!({ "post": batch(scope) }))];
    for row in OWN.iter().chain(&scope.settings.fixed) {
        let operation = operation(scope, row);
        match paths.iter_mut().find(|(path, _)| path == row.path) {
            Some((_, item)) => item[row.method] = operation,
            None => {
                let item: Map<String, Value> = [(row.method.to_owned(), operation)].into_iter().collect();
                paths.push((row.path.to_owned(), item.into()));
            }
        }
    }
    paths
}

/// `POST /api/v1/batch`.
fn batch(scope: Scope<'_>) -> Value {
    let header = json!({ "type": "string" });
    let operation = json!({
        "type": "object",
        "required": ["method", "path"],
        "additionalProperties": false,
        "properties": {
            "method": { "type": "string", "enum": ["GET", "POST", "PATCH", "PUT", "DELETE"] },
            "path": {
                "type": "string", "pattern": "^/[^/#]",
                "description": "Below /api/v1, with its query; {0.data.id} stands for what an earlier operation answered.",
            },
            "body": { "description": "As the operation by itself takes it; {\"$ref\": \"0.data.id\"} stands for an earlier answer." },
            "headers": {
                "type": "object", "additionalProperties": false,
                "properties": { "Prefer": header, "If-Match": header, "If-None-Match": header },
            },
        },
        "if": { "properties": { "method": { "enum": ["GET", "DELETE"] } } },
        "then": { "properties": { "body": false } },
    });
    let list = json!({ "type": "array", "minItems": 1, "maxItems": scope.settings.batch_operations, "items": operation });
    let whole = json!({
        "type": "object", "required": ["operations"], "additionalProperties": false, "properties": { "operations": list },
    });
    let results = data(json!({ "type": "array", "items": { "type": "object" } }));
    let example =
        json!({ "operations": [{ "method": "GET", "path": format!("/{}?limit=1", example_of(scope)) }] });
    json!({
        "tags": [TAG],
        "operationId": "batch",
        "summary": "Several operations in one transaction, all or none",
        "parameters": parameters::references(parameters::CALL),
        "requestBody": {
            "required": true,
            "content": { "application/json": { "schema": whole, "example": example } },
        },
        "responses": answers(scope, vec![("200", body("What each operation answers, in their order.", results))], &[WRITE, &[405]]),
    })
}

/// A list that the role may read; where there is none, any name does.
fn example_of(scope: Scope<'_>) -> String {
    let readable = scope.resources().into_iter().find(|resource| resource.allows(Verb::Select));
    readable.map_or_else(|| "things".to_owned(), |resource| segment(scope.name(resource.id)))
}

fn operation(scope: Scope<'_>, row: &Fixed) -> Value {
    let mut good = match row.kind {
        Kind::Json => vec![("200", body("As asked.", json!({ "type": "object" })))],
        Kind::Page => vec![("200", json!({ "description": "The page.", "content": { "text/html": {} } }))],
    };
    if row.path == super::PATH {
        good.push(unchanged());
    }
    json!({
        "tags": [TAG],
        "operationId": row.id,
        "summary": row.summary,
        "security": [{}, { "bearer": [] }, { "apikey": [] }],
        "responses": answers(scope, good, &[LIGHT]),
    })
}
