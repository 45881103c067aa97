//! Answers: of success as each operation has them, of failure the same everywhere (RFC 9457).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Scope;

/// The statuses of failures that a kind of operation can have. Of them only those that stand in the catalogue of problems are
/// described, so that one list serves whatever is switched on.
pub(super) const READ: &[u16] = &[400, 401, 403, 404, 406, 412, 413, 414, 429, 431, 500, 501, 503, 504];
pub(super) const WRITE: &[u16] =
    &[400, 401, 403, 404, 406, 408, 409, 412, 413, 414, 415, 422, 428, 429, 431, 500, 501, 503, 504, 507];
/// Without the database: health and this document.
pub(super) const LIGHT: &[u16] = &[400, 401, 404, 406, 414, 429, 431, 500, 503, 504];

/// An operation's answers: those of success, then problems by status.
pub(super) fn answers(scope: Scope<'_>, good: Vec<(&str, Value)>, problems: &[&[u16]]) -> Value {
    let mut all: Map<String, Value> =
        good.into_iter().map(|(status, answer)| (status.to_owned(), answer)).collect();
    for status in problems.iter().copied().flatten() {
        if scope.settings.codes.iter().any(|code| code.status == *status) {
            let name = status.to_string();
            let reference = json!({ "$ref": format!("#/components/responses/{name}") });
            all.insert(name, reference);
        }
    }
    all.into()
}

/// An answer with a JSON body.
pub(super) fn body(description: &str, schema: Value) -> Value {
    json!({ "description": description, "content": { "application/json": { "schema": schema } } })
}

pub(super) fn empty(description: &str) -> Value {
    json!({ "description": description })
}

/// An answer to a read, with its tag.
pub(super) fn tagged(mut answer: Value) -> Value {
    answer["headers"]["ETag"] = json!({ "$ref": "#/components/headers/ETag" });
    answer
}

/// As `If-None-Match` has it.
pub(super) fn unchanged() -> (&'static str, Value) {
    ("304", empty("As If-None-Match has it."))
}

/// `{"data": …}`
pub(super) fn data(schema: Value) -> Value {
    json!({ "type": "object", "required": ["data"], "properties": { "data": schema } })
}

pub(super) fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

/// The schemas of problems and of a list's `meta`.
pub(super) fn schemas(scope: Scope<'_>) -> Vec<(&'static str, Value)> {
    vec![("Problem", problem(scope.settings.envelope)), ("Meta", meta())]
}

fn problem(envelope: bool) -> Value {
    let of_fields = json!({
        "type": "object",
        "description": "What is wrong with each field, by its name; inside lists and objects as tags.0, address.zip.",
        "additionalProperties": { "type": "array", "items": { "type": "string" } },
    });
    let of_operation = json!({
        "type": "object",
        "description": "Of a batch: which operation failed, counted from 0, and what it would have answered by itself.",
        "required": ["operation", "problem"],
        "properties": { "operation": { "type": "integer", "minimum": 0 }, "problem": { "type": "object" } },
    });
    let details = json!({ "anyOf": [of_fields, of_operation, { "type": "null" }] });
    let code = json!({ "type": "string", "description": "Stable; docs/reference/problems.md lists all." });
    let hint = json!({ "type": ["string", "null"], "description": "What to do next." });
    let request_id =
        json!({ "type": "string", "description": "As in the header x-request-id and in the log." });
    if envelope {
        return json!({
            "type": "object", "required": ["error"],
            "properties": { "error": {
                "type": "object", "required": ["code", "message", "details", "request_id"],
                "properties": {
                    "code": code, "message": { "type": "string" }, "details": details, "hint": hint,
                    "request_id": request_id,
                },
            } },
        });
    }
    json!({
        "type": "object",
        "description": "RFC 9457 Problem Details.",
        "required": ["type", "title", "status", "code", "request_id", "details", "hint"],
        "properties": {
            "type": { "type": "string", "format": "uri" },
            "title": { "type": "string" },
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "detail": { "type": "string" },
            "instance": { "type": "string", "description": "The path that was asked for." },
            "code": code,
            "request_id": request_id,
            "details": details,
            "hint": hint,
        },
    })
}

fn meta() -> Value {
    let cursor = json!({ "type": ["string", "null"], "description": "For the parameter cursor." });
    json!({
        "type": "object",
        "properties": {
            "limit": { "type": "integer", "minimum": 0 },
            "next_cursor": cursor,
            "prev_cursor": cursor,
            "has_more": { "type": "boolean" },
            "page": { "type": "integer", "minimum": 1 },
            "per_page": { "type": "integer", "minimum": 0 },
            "total": { "type": "integer", "minimum": 0, "description": "With the parameter count." },
            "truncated": { "type": "boolean", "description": "The answer was cut short." },
        },
    })
}

/// Headers that several answers have.
pub(super) fn headers() -> Value {
    json!({
        "Location": { "description": "The path of the new row.", "schema": { "type": "string" } },
        "Link": { "description": "The next and the previous page (RFC 8288).", "schema": { "type": "string" } },
        "ETag": { "description": "The version of what is answered.", "schema": { "type": "string" } },
        "Retry-After": { "description": "Seconds.", "schema": { "type": "integer", "minimum": 0 } },
        "Preference-Applied": { "description": "RFC 7240.", "schema": { "type": "string" } },
    })
}

/// One response for each status that a problem has, with the codes that it can mean.
pub(super) fn responses(scope: Scope<'_>) -> Value {
    let mut by_status: BTreeMap<u16, Vec<(&str, &str)>> = BTreeMap::new();
    for code in &scope.settings.codes {
        by_status.entry(code.status).or_default().push((code.name, code.title));
    }
    let media = if scope.settings.envelope { "application/json" } else { "application/problem+json" };
    let response = |(status, mut codes): (u16, Vec<(&str, &str)>)| {
        codes.sort_unstable();
        codes.dedup();
        let listed: Vec<String> = codes.iter().map(|(name, title)| format!("- `{name}`: {title}")).collect();
        let mut answer = json!({
            "description": listed.join("\n"),
            "content": { media: { "schema": reference("Problem") } },
        });
        if matches!(status, 429 | 503) {
            answer["headers"] = json!({ "Retry-After": { "$ref": "#/components/headers/Retry-After" } });
        }
        (status.to_string(), answer)
    };
    by_status.into_iter().map(response).collect::<Map<_, _>>().into()
}
