//! Query parameters and headers that many operations have, once each; operations refer to them.

use bedplate_core::PrincipalKind;
use bedplate_query::limits::Limits;
use serde_json::{Map, Value, json};

use super::Scope;

/// Of lists.
const LIST: &[&str] = &[
    "select",
    "order",
    "limit",
    "cursor",
    "page",
    "per_page",
    "count",
    "and",
    "or",
    "distinct",
    "having",
    "If-None-Match",
];
pub(super) const ONE: &[&str] = &["select", "If-None-Match"];
/// Of what creates rows.
pub(super) const WRITE: &[&str] = &["select", "Prefer", "Idempotency-Key"];
/// Of what changes one row.
pub(super) const CHANGE: &[&str] = &["select", "Prefer", "Idempotency-Key", "If-Match"];
/// Of calls and batches.
pub(super) const CALL: &[&str] = &["Prefer", "Idempotency-Key"];

/// [`LIST`] without `count` where no count may be asked for.
pub(super) fn of_lists(shared: &Value) -> Vec<&'static str> {
    LIST.iter().copied().filter(|name| shared.get(name).is_some()).collect()
}

pub(super) fn references(names: &[&str]) -> Vec<Value> {
    names.iter().map(|name| json!({ "$ref": format!("#/components/parameters/{name}") })).collect()
}

/// The schema of filters on columns.
pub(super) fn schemas(_: Scope<'_>) -> Vec<(&'static str, Value)> {
    let filter = json!({
        "type": "string",
        "description": "An operator, a dot and a value: eq.5, not.in.(a,b), gte.2026-01-01, like.*text*, is.null. Operators: eq neq gt \
            gte lt lte like ilike match imatch in is isdistinct fts plfts phfts wfts cs cd ov sl sr nxr nxl adj; not. before \
            one negates it.",
    });
    let after = json!({
        "type": "string",
        "description": "Rows behind this value; one for each column of the order, those of the key included.",
    });
    vec![("Filter", filter), ("After", after)]
}

pub(super) fn shared(scope: Scope<'_>) -> Value {
    let mut all = Map::new();
    let mut add = |name: &str, place: &str, description: &str, schema: Value, example: Option<Value>| {
        let mut parameter =
            json!({ "name": name, "in": place, "description": description, "schema": schema });
        if let Some(example) = example {
            parameter["example"] = example;
        }
        all.insert(name.to_owned(), parameter);
    };
    let text = || json!({ "type": "string" });
    let grammar = "see docs/api-design.md";
    add(
        "select",
        "query",
        "Columns, with an alias, a cast or a JSON path where wanted, and related resources with columns of their own: \
         id,title,author:profiles(display_name). Without it all columns.",
        text(),
        Some("*".into()),
    );
    add(
        "order",
        "query",
        "Columns, each with .asc or .desc, .nullsfirst or .nullslast: priority.asc,id.desc",
        text(),
        None,
    );
    pages(&mut add, scope.limits);
    let counts = counts(scope);
    if !counts.is_empty() {
        add("count", "query", "Adds meta.total.", json!({ "type": "string", "enum": counts }), None);
    }
    add(
        "and",
        "query",
        &format!("Conditions that all hold: (a.eq.1,or(b.is.null,c.gt.5)); {grammar}"),
        text(),
        None,
    );
    add("or", "query", &format!("Conditions of which one holds: (a.eq.1,b.gt.5); {grammar}"), text(), None);
    add("distinct", "query", "Without equal rows.", json!({ "type": "boolean" }), None);
    add("having", "query", &format!("Conditions on aggregates: (n.gte.10); {grammar}"), text(), None);
    add("Prefer", "header", preferences(scope.kind), text(), None);
    headers(&mut add);
    all.into()
}

fn headers(add: &mut impl FnMut(&str, &str, &str, Value, Option<Value>)) {
    add(
        "Idempotency-Key",
        "header",
        "Names this request, in up to 255 characters: sent again with the same key, it is answered as before and done once.",
        json!({ "type": "string" }),
        None,
    );
    let tags = || json!({ "type": "string" });
    add("If-Match", "header", "The ETag that the row must still have; 412 otherwise.", tags(), None);
    add("If-None-Match", "header", "The ETag that is known; 304 while it is the same.", tags(), None);
}

fn pages(add: &mut impl FnMut(&str, &str, &str, Value, Option<Value>), limits: &Limits) {
    let rows = |default: u64| json!({ "type": "integer", "minimum": 0, "maximum": limits.page_max, "default": default });
    let default = limits.page_default.min(limits.page_max);
    add("limit", "query", "Rows of a page; not together with page.", rows(default), None);
    add(
        "cursor",
        "query",
        "Where the page starts: meta.next_cursor or meta.prev_cursor of another.",
        json!({ "type": "string" }),
        None,
    );
    let page = json!({ "type": "integer", "minimum": 1 });
    add("page", "query", "A page by its number; with per_page, and without limit and cursor.", page, None);
    add("per_page", "query", "Rows of a page by number.", rows(default), None);
}

fn counts(scope: Scope<'_>) -> Vec<&'static str> {
    let policy = match scope.kind {
        PrincipalKind::Anonymous => scope.settings.counts[0],
        PrincipalKind::User => scope.settings.counts[1],
        PrincipalKind::Service => scope.settings.counts[2],
    };
    let all = [(policy.exact, "exact"), (policy.planned, "planned"), (policy.estimated, "estimated")];
    all.into_iter().filter(|(allowed, _)| *allowed).map(|(_, name)| name).collect()
}

fn preferences(kind: PrincipalKind) -> &'static str {
    match kind {
        PrincipalKind::Service => {
            "return=minimal leaves the rows out of the answer, tx=rollback makes it a dry run; others are ignored (RFC 7240)."
        }
        PrincipalKind::User | PrincipalKind::Anonymous => {
            "return=minimal leaves the rows out of the answer; others are ignored (RFC 7240)."
        }
    }
}
