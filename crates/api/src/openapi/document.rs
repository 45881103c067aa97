//! The document as a whole, written piece by piece: of a large catalog it has tens of megabytes.

use bedplate_core::{PrincipalKind, Problem, Result};
use serde_json::{Value, json};

use super::names::Names;
use super::{Resource, Scope, answers, functions, parameters, platform, resources};

/// The version that is kept to, not the newest: generators and validators know it.
const OPENAPI: &str = "3.1.0";

pub(super) fn write(scope: Scope<'_>) -> Result<Vec<u8>> {
    let described = scope.resources();
    let names = Names::new(scope, &described);
    let mut out = Writer::default();
    out.open();
    out.member("openapi", &OPENAPI.into())?;
    out.member("info", &info(scope))?;
    out.member("servers", &json!([{ "url": "/" }]))?;
    out.member("security", &security(scope.kind))?;
    out.member("tags", &tags(scope, &described))?;
    out.key("paths")?;
    out.open();
    for (path, item) in platform::paths(scope) {
        out.member(&path, &item)?;
    }
    let shared = parameters::shared(scope);
    let list = parameters::references(&parameters::of_lists(&shared));
    let all = resources::Resources { scope, names: &names, all: &described, list };
    for resource in &described {
        for (path, item) in all.paths(*resource) {
            out.member(&path, &item)?;
        }
    }
    for (path, item) in functions::paths(scope, &names) {
        out.member(&path, &item)?;
    }
    out.close();
    out.key("components")?;
    out.open();
    out.key("schemas")?;
    out.open();
    for (name, schema) in answers::schemas(scope).into_iter().chain(parameters::schemas(scope)) {
        out.member(name, &schema)?;
    }
    for resource in &described {
        for (name, schema) in all.schemas(*resource) {
            out.member(&name, &schema)?;
        }
    }
    out.close();
    out.member("parameters", &shared)?;
    out.member("headers", &answers::headers())?;
    out.member("responses", &answers::responses(scope))?;
    out.member("securitySchemes", &schemes())?;
    out.close();
    out.close();
    Ok(out.text)
}

fn info(scope: Scope<'_>) -> Value {
    json!({
        "title": scope.settings.title,
        "version": "v1",
        "description": "Generated from the database, and what this caller may use of it. HEAD is GET without the body; OPTIONS \
            answers with Allow. Paths nest further than they are listed here: /a/{key}/b/{key}/c.",
    })
}

/// What helps the caller: a token, a key, both, or nothing.
fn security(kind: PrincipalKind) -> Value {
    match kind {
        PrincipalKind::Anonymous => json!([{}, { "apikey": [] }, { "bearer": [] }]),
        PrincipalKind::User => json!([{ "bearer": [] }, { "bearer": [], "apikey": [] }]),
        PrincipalKind::Service => json!([{ "apikey": [] }, { "bearer": [] }]),
    }
}

fn schemes() -> Value {
    json!({
        "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "The token of a user." },
        "apikey": {
            "type": "apiKey", "in": "header", "name": "apikey",
            "description": "The publishable key, for callers who are nobody in particular; or the secret key, which passes \
                row-level security and belongs on servers only.",
        },
    })
}

fn tags(scope: Scope<'_>, described: &[Resource]) -> Value {
    let tag = |resource: &Resource| {
        let relation = scope.catalog.relation(resource.id);
        match relation.comment.as_deref() {
            Some(comment) => json!({ "name": relation.name.as_str(), "description": comment }),
            None => json!({ "name": relation.name.as_str() }),
        }
    };
    let mut tags: Vec<Value> = described.iter().map(tag).collect();
    tags.extend([json!({ "name": functions::TAG }), json!({ "name": platform::TAG })]);
    tags.into()
}

/// JSON, one member after the other.
#[derive(Default)]
struct Writer {
    text: Vec<u8>,
}

impl Writer {
    fn open(&mut self) {
        self.text.push(b'{');
    }

    fn close(&mut self) {
        self.text.push(b'}');
    }

    fn key(&mut self, name: &str) -> Result<()> {
        if self.text.last() != Some(&b'{') {
            self.text.push(b',');
        }
        self.value(&name.into())?;
        self.text.push(b':');
        Ok(())
    }

    fn member(&mut self, name: &str, value: &Value) -> Result<()> {
        self.key(name)?;
        self.value(value)
    }

    fn value(&mut self, value: &Value) -> Result<()> {
        serde_json::to_writer(&mut self.text, value)
            .map_err(|e| Problem::internal_error("the description cannot be written").caused_by(e))
    }
}
