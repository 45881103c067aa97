//! References to earlier results: `{"$ref": "0.data.id"}` in a body, `{$ref:0.data.id}` in a path or query. What is put in
//! their place is a value and never syntax: in a body one JSON scalar, in a path one part of a key, in a query what an
//! operator compares with.

use bedplate_core::problem::VALIDATION_FAILED;
use bedplate_core::{Problem, Result};
use bedplate_query::validate::body::{Limits, parse_object};
use percent_encoding::utf8_percent_encode;
use serde_json::value::RawValue;

use crate::create::SEGMENT;

/// The key of a reference in a body.
const REF: &str = "$ref";
/// A key that is to become `$ref` as it is.
const LITERAL: &str = "$$ref";

/// A place in the result of an earlier operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    pub operation: usize,
    steps: Vec<String>,
}

impl Reference {
    /// `0.data.id`, `2.data.0.key`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let index = parts.next().filter(|index| !index.is_empty() && index.len() <= 6)?;
        let operation = index.bytes().all(|b| b.is_ascii_digit()).then(|| index.parse().ok())??;
        let steps: Vec<String> = parts.map(str::to_owned).collect();
        let whole = !steps.is_empty() && steps.iter().all(|step| !step.is_empty());
        whole.then_some(Self { operation, steps })
    }

    /// The JSON text of the scalar that stands there.
    pub fn find<'r>(&self, result: &'r str) -> Result<&'r str> {
        let mut at: &'r RawValue = serde_json::from_str(result)
            .map_err(|e| Problem::internal_error(format!("a result of a batch is not JSON: {e}")))?;
        for step in &self.steps {
            at = member(at, step).ok_or_else(|| self.fault("does not exist in the result"))?;
        }
        if at.get().starts_with(['{', '[']) {
            return Err(self.fault("is an object or a list; a reference stands for one value"));
        }
        Ok(at.get())
    }

    /// The same as text, for a path.
    pub fn find_text(&self, result: &str) -> Result<String> {
        let json = self.find(result)?;
        match json.as_bytes().first() {
            Some(b'n') => Err(self.fault("is null, which a path cannot hold")),
            Some(b'"') => serde_json::from_str(json).map_err(|e| Problem::internal_error(e.to_string())),
            _ => Ok(json.to_owned()),
        }
    }

    fn name(&self) -> String {
        format!("{}.{}", self.operation, self.steps.join("."))
    }

    fn fault(&self, what: &str) -> Problem {
        let name = self.name();
        Problem::new(&VALIDATION_FAILED)
            .detail(format!("{name} {what}"))
            .field(format!("$ref {name}"), what.to_owned())
    }
}

fn member<'r>(of: &'r RawValue, step: &str) -> Option<&'r RawValue> {
    if of.get().starts_with('[') {
        let items: Vec<&'r RawValue> = serde_json::from_str(of.get()).ok()?;
        return items.get(step.parse::<usize>().ok()?).copied();
    }
    let members: std::collections::HashMap<String, &'r RawValue> = serde_json::from_str(of.get()).ok()?;
    members.get(step).copied()
}

/// What is wrong with the use of a reference, for the caller.
pub(super) type Fault = String;

/// Whether a JSON text may hold a reference at all.
fn is_plain(json: &str) -> bool {
    // A key may be written with escapes.
    !json.contains('$') && !json.contains("\\u")
}

/// The references in a body.
pub(super) fn in_body(json: &str, limits: &Limits, found: &mut Vec<Reference>) -> Result<(), Fault> {
    let mut collect = |reference: &Reference| {
        found.push(reference.clone());
        Ok("null".to_owned())
    };
    rewrite(json, limits, &mut collect).map(drop).map_err(|fault| match fault {
        Broken::Use(fault) => fault,
        Broken::Body(problem) => problem.detail_text().unwrap_or(problem.code().title).to_owned(),
    })
}

/// The body with values in the place of its references.
pub(super) fn fill_body(
    json: &str,
    limits: &Limits,
    mut value: impl FnMut(&Reference) -> Result<String>,
) -> Result<String> {
    rewrite(json, limits, &mut value).map_err(|broken| match broken {
        Broken::Use(fault) => Problem::new(&VALIDATION_FAILED).detail(fault),
        Broken::Body(problem) => problem,
    })
}

enum Broken {
    Use(Fault),
    Body(Problem),
}

fn rewrite(
    json: &str,
    limits: &Limits,
    value: &mut dyn FnMut(&Reference) -> Result<String>,
) -> Result<String, Broken> {
    if is_plain(json) {
        return Ok(json.to_owned());
    }
    match json.as_bytes().first() {
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(json)
                .map_err(|_| Broken::Use("the body is not well-formed JSON".to_owned()))?;
            let items: Result<Vec<String>, Broken> =
                items.into_iter().map(|item| rewrite(item.get(), limits, value)).collect();
            Ok(format!("[{}]", items?.join(",")))
        }
        Some(b'{') => object(json, limits, value),
        _ => Ok(json.to_owned()),
    }
}

fn object(
    json: &str,
    limits: &Limits,
    value: &mut dyn FnMut(&Reference) -> Result<String>,
) -> Result<String, Broken> {
    let fields = parse_object(json.as_bytes(), limits).map_err(Broken::Body)?;
    if fields.iter().any(|(name, _)| **name == *REF) {
        let [(_, place)] = fields.as_slice() else {
            return Err(Broken::Use(format!("{REF} must be the only key of its object")));
        };
        let text: Option<String> = serde_json::from_str(place.get()).ok();
        let reference =
            text.as_deref().and_then(Reference::parse).ok_or_else(|| Broken::Use(not_one(place.get())))?;
        return value(&reference).map_err(Broken::Body);
    }
    let mut out = String::with_capacity(json.len());
    for (name, field) in &fields {
        out.push(if out.is_empty() { '{' } else { ',' });
        let name = if **name == *LITERAL { REF } else { name };
        out.push_str(&serde_json::Value::from(name).to_string());
        out.push(':');
        out.push_str(&rewrite(field.get(), limits, value)?);
    }
    out.push_str(if out.is_empty() { "{}" } else { "}" });
    Ok(out)
}

fn not_one(text: &str) -> Fault {
    let shown: String = text.chars().take(60).collect();
    format!(
        "{shown} is no reference; write it like \"0.data.id\" (operation, then the place in its result), or {LITERAL} for a key that is {REF}"
    )
}

/// A path with query in which references may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    /// Literal texts, with a reference after each but the last.
    literals: Vec<String>,
    spots: Vec<(Reference, Spot)>,
}

/// Where a reference stands in a path or query.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Spot {
    /// A part of a row's key; `resource` as it stands in the path.
    Key { resource: String, alone: bool },
    /// The whole of a value.
    Whole,
    /// An item of `in.(…)`.
    Item,
}

const OPEN: &str = "{$ref:";

impl Template {
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let mut template = Self { literals: Vec::new(), spots: Vec::new() };
        let mut rest = text;
        let mut at = 0;
        while let Some(start) = rest.find(OPEN) {
            let length = rest[start..].find('}').ok_or("a reference in the path has no closing }")?;
            let end = start + length;
            let reference = Reference::parse(&rest[start + OPEN.len()..end])
                .ok_or_else(|| not_one(&rest[start + OPEN.len()..end]))?;
            let (before, after) = (&text[..at + start], &text[at + end + 1..]);
            template.spots.push((reference, spot(before, after)?));
            template.literals.push(rest[..start].to_owned());
            rest = &rest[end + 1..];
            at += end + 1;
        }
        template.literals.push(rest.to_owned());
        Ok(template)
    }

    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        self.spots.iter().map(|(reference, _)| reference)
    }

    /// The path with values in the place of its references. `columns` tells how many columns the key of a resource has.
    pub fn fill(
        &self,
        mut value: impl FnMut(&Reference) -> Result<String>,
        columns: impl Fn(&str) -> usize,
    ) -> Result<String> {
        let mut out = String::new();
        for (at, literal) in self.literals.iter().enumerate() {
            out.push_str(literal);
            let Some((reference, spot)) = self.spots.get(at) else { break };
            let text = value(reference)?;
            let text = match spot {
                Spot::Whole => text,
                Spot::Key { resource, alone } if *alone && columns(resource) <= 1 => text,
                Spot::Key { .. } => format!("\"{}\"", text.replace('"', "\"\"")),
                Spot::Item => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
            };
            out.extend(utf8_percent_encode(&text, SEGMENT));
        }
        Ok(out)
    }

    /// The path as it was written, for people.
    pub fn shown(&self) -> String {
        let mut out = String::new();
        for (at, literal) in self.literals.iter().enumerate() {
            out.push_str(literal);
            if let Some((reference, _)) = self.spots.get(at) {
                out.push_str(&format!("{OPEN}{}}}", reference.name()));
            }
        }
        out
    }

    /// As [`Template::shown`], without the query.
    pub fn place(&self) -> String {
        self.shown().split('?').next().unwrap_or_default().to_owned()
    }

    /// The path with something in the place of each reference that is as good as any value, to be looked at beforehand.
    pub fn sketch(&self) -> String {
        self.literals.join("0")
    }
}

/// What a reference means between these two texts.
fn spot(before: &str, after: &str) -> Result<Spot, Fault> {
    match before.split_once('?') {
        Some((_, query)) => in_query(query.rsplit('&').next().unwrap_or(query), after),
        None => in_path(before, after),
    }
}

fn in_path(before: &str, after: &str) -> Result<Spot, Fault> {
    let mut above = before.trim_start_matches('/').rsplit('/');
    let start = above.next().unwrap_or_default();
    let above: Vec<&str> = above.collect();
    let end = after.split(['/', '?']).next().unwrap_or_default();
    // resource / key / resource / key …
    let is_key = above.len() % 2 == 1 && above.last() != Some(&"rpc");
    let bounded = (start.is_empty() || start.ends_with(',')) && (end.is_empty() || end.starts_with(','));
    match above.first().filter(|_| is_key && bounded) {
        // The name of the resource is never a reference: one that stood there was refused before.
        Some(resource) => {
            Ok(Spot::Key { resource: (*resource).to_owned(), alone: start.is_empty() && end.is_empty() })
        }
        None => Err("a reference in a path stands for a key, or for one part of a key".to_owned()),
    }
}

/// `pair` is what stands before the reference in its `name=value`.
fn in_query(pair: &str, after: &str) -> Result<Spot, Fault> {
    const COMPARED: [&str; 7] = ["eq.", "neq.", "gt.", "gte.", "lt.", "lte.", "isdistinct."];
    const PAGING: [&str; 5] = ["cursor", "limit", "page", "per_page", "count"];
    let refused = || {
        "a reference in a query stands for what eq, neq, gt, gte, lt, lte or isdistinct compares with, for an item of in.(…), or for a cursor".to_owned()
    };
    let (name, value) = pair.split_once('=').ok_or_else(refused)?;
    let end = after.split('&').next().unwrap_or_default();
    let grammar = name == "select"
        || name
            .rsplit('.')
            .next()
            .is_some_and(|word| matches!(word, "order" | "and" | "or" | "having" | "select"));
    if grammar {
        return Err(refused());
    }
    if value.is_empty() && end.is_empty() && (PAGING.contains(&name) || name.starts_with("after_")) {
        return Ok(Spot::Whole);
    }
    let value = value.strip_prefix("not.").unwrap_or(value);
    if COMPARED.contains(&value) && end.is_empty() {
        return Ok(Spot::Whole);
    }
    let in_list = value.strip_prefix("in.(").is_some_and(|items| items.is_empty() || items.ends_with(','));
    if in_list && end.starts_with([',', ')']) {
        return Ok(Spot::Item);
    }
    Err(refused())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &str, value: &str) -> Result<String, String> {
        let template = Template::parse(text)?;
        let filled =
            template.fill(|_| Ok(value.to_owned()), |resource| if resource == "pairs" { 2 } else { 1 });
        filled.map_err(|problem| problem.to_string())
    }

    #[test]
    fn a_reference_names_an_operation_and_a_place() {
        let reference = Reference::parse("12.data.0.id").unwrap();
        assert_eq!((reference.operation, reference.steps.len()), (12, 3));
        for bad in [
            "",
            "0",
            "0.",
            ".data",
            "a.data",
            "0..id",
            "-1.data",
            "+1.data",
            "0.data.",
            "9999999.data",
            "#/definitions/x",
        ] {
            assert_eq!(Reference::parse(bad), None, "{bad}");
        }
        let result = r#"{"status":200,"data":[{"id":12345678901234567890,"t":"a\"b","n":null,"o":{}}]}"#;
        let at = |text: &str| {
            Reference::parse(text).unwrap().find(result).map(str::to_owned).map_err(|p| p.status())
        };
        assert_eq!(at("0.data.0.id").unwrap(), "12345678901234567890");
        assert_eq!(at("0.data.0.t").unwrap(), r#""a\"b""#);
        for bad in ["0.data", "0.data.0.o", "0.data.1", "0.nothing", "0.data.x"] {
            assert_eq!(at(bad).unwrap_err(), 400, "{bad}");
        }
        assert!(Reference::parse("0.data.0.n").unwrap().find_text(result).is_err());
    }

    #[test]
    fn a_value_in_a_path_is_never_syntax() {
        assert_eq!(fill("/tickets/{$ref:0.data.id}/comments", "7").unwrap(), "/tickets/7/comments");
        let hostile = "7/../../x?select=*&a=b#%2f,\"";
        assert_eq!(
            fill("/tickets/{$ref:0.data.id}", hostile).unwrap(),
            "/tickets/7%2F..%2F..%2Fx%3Fselect%3D%2A%26a%3Db%23%252f%2C%22"
        );
        // A part of a composite key is quoted, so that its commas separate nothing; so is the whole of one.
        assert_eq!(
            fill("/pairs/{$ref:0.data.a},{$ref:0.data.b}", "1,2").unwrap(),
            "/pairs/%221%2C2%22,%221%2C2%22"
        );
        assert_eq!(fill("/pairs/{$ref:0.data.a}", "1,2").unwrap(), "/pairs/%221%2C2%22");
        assert_eq!(fill("/t?a=eq.{$ref:0.data.id}", "x&b=eq.1").unwrap(), "/t?a=eq.x%26b%3Deq.1");
        assert_eq!(
            fill("/t?a=in.(1,{$ref:0.data.id})", "x\"),b").unwrap(),
            "/t?a=in.(1,%22x%5C%22%29%2Cb%22)"
        );
        assert_eq!(
            fill("/t?cursor={$ref:0.meta.next_cursor}&limit=1", "a b").unwrap(),
            "/t?cursor=a%20b&limit=1"
        );
    }

    #[test]
    fn where_a_reference_would_be_syntax_it_is_refused() {
        for bad in [
            "/{$ref:0.data.id}",
            "/tickets/{$ref:0.data.id}/{$ref:0.data.t}",
            "/rpc/{$ref:0.data.id}",
            "/tickets/x{$ref:0.data.id}",
            "/tickets/{$ref:0.data.id}x",
            "/tickets/{$ref:0.data.id",
            "/tickets/{$ref:nothing}",
            "/tickets?select={$ref:0.data.id}",
            "/tickets?order={$ref:0.data.id}",
            "/tickets?{$ref:0.data.id}=eq.1",
            "/tickets?a={$ref:0.data.id}",
            "/tickets?a=like.{$ref:0.data.id}",
            "/tickets?a=is.{$ref:0.data.id}",
            "/tickets?a=eq.1{$ref:0.data.id}",
            "/tickets?a=in.({$ref:0.data.id}x)",
            "/tickets?or=(a.eq.{$ref:0.data.id})",
            "/tickets?comments.or=(a.eq.{$ref:0.data.id})",
            "/rpc/f?a={$ref:0.data.id}",
        ] {
            assert!(Template::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn bodies_take_scalars_and_keep_everything_else() {
        let limits = Limits::default();
        let fill = |text: &str| {
            let filled = fill_body(text, &limits, |_| Ok("\"a\\\"}b\"".to_owned()));
            filled.map_err(|p| p.status())
        };
        assert_eq!(
            fill(r#"{"a":1.10,"b":[{"$ref":"0.data.id"}],"c":"$ref"}"#).unwrap(),
            r#"{"a":1.10,"b":["a\"}b"],"c":"$ref"}"#
        );
        assert_eq!(
            fill(r##"{"schema":{"$$ref":"#/x"},"e":{}}"##).unwrap(),
            r##"{"schema":{"$ref":"#/x"},"e":{}}"##
        );
        assert_eq!(fill(r#"{"a":{"\u0024ref":"0.data.id"}}"#).unwrap(), r#"{"a":"a\"}b"}"#);
        for bad in [r##"{"a":{"$ref":"#/x"}}"##, r#"{"a":{"$ref":"0.data.id","b":1}}"#, r#"{"a":{"$ref":0}}"#]
        {
            assert_eq!(fill(bad), Err(400), "{bad}");
        }
        let mut found = Vec::new();
        in_body(r#"[{"a":{"$ref":"1.data.id"}},{"b":{"c":{"$ref":"0.data.x"}}}]"#, &limits, &mut found)
            .unwrap();
        assert_eq!(found.iter().map(|r| r.operation).collect::<Vec<_>>(), [1, 0]);
    }
}
