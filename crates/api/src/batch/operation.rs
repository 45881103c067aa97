//! The body of a batch: `{"operations": [{"method", "path", "body", "headers"}, …]}`.

use bedplate_core::problem::{FieldFaults, LIMIT_EXCEEDED};
use bedplate_core::{Problem, Result};
use bedplate_query::validate::body::{self, Limits, Object};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::value::RawValue;

use super::reference::{Reference, Template, in_body};
use crate::create::check;

/// One operation, as far as it can be read before others have run.
#[derive(Debug)]
pub(super) struct Operation {
    pub method: Method,
    pub path: Template,
    /// JSON text.
    pub body: Option<Box<RawValue>>,
    pub headers: HeaderMap,
    /// The operations whose results it needs.
    pub needs: Vec<usize>,
}

/// A batch's body is many bodies in one: so many times the limits of one.
const BODIES: usize = 10;

const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PATCH, Method::PUT, Method::DELETE];
const HEADERS: [&str; 3] = ["prefer", "if-match", "if-none-match"];

/// Reads the operations. All faults are told at once, by field.
pub(super) fn read(bytes: &[u8], limits: &Limits, most: usize) -> Result<Vec<Operation>> {
    let whole = Limits { depth: limits.depth + 3, keys: BODIES * limits.keys, items: BODIES * limits.items };
    let fields = body::parse_object(bytes, &whole)?;
    let mut faults = FieldFaults::new();
    let mut listed = None;
    for (name, value) in &fields {
        match &**name {
            "operations" => listed = Some(value),
            other => fault(&mut faults, other, "is not a field of a batch"),
        }
    }
    let objects = match listed {
        Some(value) if value.get().starts_with('[') => {
            match body::parse_rows(value.get().as_bytes(), &whole)? {
                body::Rows::Many(objects) => objects,
                body::Rows::One(_) => Vec::new(),
            }
        }
        Some(_) => {
            fault(&mut faults, "operations", "must be a list");
            Vec::new()
        }
        None => {
            fault(&mut faults, "operations", "is required");
            Vec::new()
        }
    };
    if objects.len() > most {
        return Err(Problem::new(&LIMIT_EXCEEDED)
            .detail(format!("a batch has at most {most} operations, and this one has {}", objects.len()))
            .hint("send several batches; rows of one table can be created by one operation, as a list"));
    }
    if objects.is_empty() && faults.is_empty() {
        fault(&mut faults, "operations", "must have at least one operation");
    }
    let mut operations = Vec::with_capacity(objects.len());
    for (at, object) in objects.into_iter().enumerate() {
        let mut reading = Reading { at, faults: &mut faults, limits };
        operations.extend(reading.operation(object));
    }
    check(if faults.is_empty() { Ok(()) } else { Err(faults) })?;
    Ok(operations)
}

fn fault(faults: &mut FieldFaults, field: &str, message: impl Into<String>) {
    faults.entry(field.to_owned()).or_default().push(message.into());
}

struct Reading<'f> {
    at: usize,
    faults: &'f mut FieldFaults,
    limits: &'f Limits,
}

impl Reading<'_> {
    fn fault(&mut self, field: &str, message: impl Into<String>) {
        let field = format!("operations.{}.{field}", self.at);
        fault(self.faults, &field, message);
    }

    /// `None` where a fault was noted.
    fn operation(&mut self, object: Object) -> Option<Operation> {
        let (mut method, mut path, mut content, mut headers) = (None, None, None, HeaderMap::new());
        for (name, value) in object {
            match &*name {
                "method" => method = self.method(value.get()),
                "path" => path = self.path(value.get()),
                "body" => content = Some(value),
                "headers" => headers = self.headers(value.get()),
                other => self.fault(other, "is not a field of an operation"),
            }
        }
        if method.is_none() && !self.is_faulty("method") {
            self.fault("method", "is required");
        }
        if path.is_none() && !self.is_faulty("path") {
            self.fault("path", "is required");
        }
        let (method, path) = (method?, path?);
        if content.is_some() && matches!(method, Method::GET | Method::DELETE) {
            self.fault("body", format!("is not for {method}"));
        }
        let needs = self.needs(&path, content.as_deref())?;
        Some(Operation { method, path, body: content, headers, needs })
    }

    fn is_faulty(&self, field: &str) -> bool {
        self.faults.contains_key(&format!("operations.{}.{field}", self.at))
    }

    fn method(&mut self, json: &str) -> Option<Method> {
        let text: Option<String> = serde_json::from_str(json).ok();
        let found = text.and_then(|text| METHODS.into_iter().find(|method| method.as_str() == text));
        if found.is_none() {
            self.fault("method", "must be GET, POST, PATCH, PUT or DELETE");
        }
        found
    }

    fn path(&mut self, json: &str) -> Option<Template> {
        let Ok(text) = serde_json::from_str::<String>(json) else {
            self.fault("path", "must be text");
            return None;
        };
        let resource = text.split('?').next().unwrap_or_default().trim_end_matches('/');
        let message = if !text.starts_with('/') || text.starts_with("//") {
            "must begin with one / and the name of a resource, for example \"/tickets/5\""
        } else if resource == "/batch" {
            "must not be a batch again"
        } else if resource == crate::PREFIX || resource.starts_with("/api/v1/") {
            "must be relative to /api/v1, for example \"/tickets/5\""
        } else if text.contains('#') {
            "must have no fragment; write # as %23"
        } else {
            return match Template::parse(&text) {
                Ok(template) => Some(template),
                Err(why) => {
                    self.fault("path", why);
                    None
                }
            };
        };
        self.fault("path", message);
        None
    }

    fn headers(&mut self, json: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let Ok(fields) = body::parse_object(json.as_bytes(), self.limits) else {
            self.fault("headers", "must be an object of texts");
            return headers;
        };
        for (name, value) in fields {
            let known = HEADERS.iter().find(|known| name.eq_ignore_ascii_case(known));
            let text: Option<String> = serde_json::from_str(value.get()).ok();
            let text = text.and_then(|text| HeaderValue::try_from(text).ok());
            match (known, text) {
                (Some(known), Some(text)) => {
                    headers.append(HeaderName::from_static(known), text);
                }
                (Some(_), None) => self.fault(&format!("headers.{name}"), "must be the text of a header"),
                (None, _) if name.eq_ignore_ascii_case("idempotency-key") => {
                    self.fault(
                        &format!("headers.{name}"),
                        "is for the batch as a whole; send it with the request",
                    );
                }
                (None, _) => self.fault(
                    &format!("headers.{name}"),
                    "is not a header of an operation; these are Prefer, If-Match and If-None-Match",
                ),
            }
        }
        headers
    }

    fn needs(&mut self, path: &Template, content: Option<&RawValue>) -> Option<Vec<usize>> {
        let mut references: Vec<Reference> = path.references().cloned().collect();
        let in_path = references.len();
        if let Some(content) = content
            && let Err(why) = in_body(content.get(), self.limits, &mut references)
        {
            self.fault("body", why);
            return None;
        }
        let mut needs = Vec::with_capacity(references.len());
        for (index, reference) in references.iter().enumerate() {
            if reference.operation >= self.at {
                let field = if index < in_path { "path" } else { "body" };
                let other = reference.operation;
                self.fault(field, format!("refers to operation {other}, which does not come before it"));
                return None;
            }
            needs.push(reference.operation);
        }
        Some(needs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        let problem = read(text.as_bytes(), &Limits::default(), 3).map(|_| ()).unwrap_err();
        problem.fields().keys().cloned().collect()
    }

    #[test]
    fn operations_are_read_with_what_they_need() {
        let text = r#"{"operations":[
            {"method":"POST","path":"/tickets","body":{"title":"x"},"headers":{"Prefer":"return=minimal"}},
            {"method":"GET","path":"/tickets/{$ref:0.data.id}?select=id"},
            {"method":"POST","path":"/comments","body":{"ticket_id":{"$ref":"0.data.id"},"x":{"$ref":"1.data.id"}}}]}"#;
        let read = read(text.as_bytes(), &Limits::default(), 3).unwrap();
        assert_eq!(read.iter().map(|o| o.needs.clone()).collect::<Vec<_>>(), [vec![], vec![0], vec![0, 1]]);
        assert_eq!(read[0].headers["prefer"], "return=minimal");
        assert_eq!(read[1].path.shown(), "/tickets/{$ref:0.data.id}?select=id");
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let text = r#"{"x":1,"operations":[
            {"method":"get","path":"tickets","extra":1},
            {"path":"/batch","method":"POST"},
            {"method":"DELETE","path":"/t/{$ref:2.data.id}","headers":{"Cookie":"a","Idempotency-Key":"k"}}]}"#;
        assert_eq!(
            faults(text),
            [
                "operations.0.extra",
                "operations.0.method",
                "operations.0.path",
                "operations.1.path",
                "operations.2.headers.Cookie",
                "operations.2.headers.Idempotency-Key",
                "operations.2.path",
                "x",
            ]
        );
        assert_eq!(faults("{}"), ["operations"]);
        assert_eq!(faults(r#"{"operations":[]}"#), ["operations"]);
        assert_eq!(faults(r#"{"operations":{}}"#), ["operations"]);
        let body = r#"{"operations":[{"method":"GET","path":"/t","body":{}}]}"#;
        assert_eq!(faults(body), ["operations.0.body"]);
        let path = r#"{"operations":[{"method":"GET","path":"/api/v1/t"},{"method":"GET","path":"/t#x"}]}"#;
        assert_eq!(faults(path), ["operations.0.path", "operations.1.path"]);
    }

    #[test]
    fn more_operations_than_allowed_are_refused_as_such() {
        let one = r#"{"method":"GET","path":"/t"}"#;
        let text = format!(r#"{{"operations":[{}]}}"#, [one; 4].join(","));
        let problem = read(text.as_bytes(), &Limits::default(), 3).map(|_| ()).unwrap_err();
        assert_eq!(problem.code().name, "limit_exceeded");
    }
}
