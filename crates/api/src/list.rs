//! `GET /api/v1/{resource}` and nested lists.

use std::time::Instant;

use bedplate_core::Result;
use bedplate_data::{Answer, RunOptions};
use bedplate_http::Response;
use bedplate_query::cursor::{Binding, Cursor};
use bedplate_query::request::{Node, OrderTerm, Read, Style};
use bedplate_query::{Operation, Request};
use bytes::BytesMut;
use http::HeaderValue;
use http::header::LINK;

use crate::conditional::Tag;
use crate::paging::{self, Mode, Paging};
use crate::path::Above;
use crate::resource::{Resource, parents, target};
use crate::{Call, caching, conditional, links};

/// Enough for a usual page without growing twice.
const CAPACITY: usize = 8 * 1024;

pub(crate) async fn list(call: &Call<'_>, above: Vec<Above<'_>>, name: &str) -> Result<Response> {
    call.report.set_class("api.list");
    let parsed = call.parse_query(paging::is_reserved, false)?;
    let (mut node, mut values) = (parsed.node, parsed.values);
    let paging = paging::read(parsed.leftovers, &node, &values, &call.limits())?;
    paging.check_count(call.ctx.principal.kind, &call.api.config.counts)?;
    let filter = filter_text(call);
    let binding = binding(call, &filter);
    let mut reversed = false;
    match &paging.mode {
        Mode::Cursor(Some(cursor)) => {
            let from = call.api.cursors.open(cursor, &binding)?;
            reversed = from.backward;
            node.page.seek = Some(paging::seek(from.keys, from.backward, &mut values)?);
        }
        Mode::After(after) => {
            let keys = after_keys(call, name, &node, after)?;
            node.page.seek = Some(paging::seek(keys, false, &mut values)?);
        }
        Mode::Cursor(None) | Mode::Number { .. } => {}
    }
    paging.apply(&mut node, &mut values)?;
    let control = if above.is_empty() { caching::control(call, name, &node)? } else { None };
    let parents = parents(call, &above, &mut values)?;
    let read = Read { target: target(name), parents, node, count: paging.count, style: Style::NATIVE };
    let request = Request { operation: Operation::Read(read), values };

    let mut out = BytesMut::with_capacity(CAPACITY);
    out.extend_from_slice(b"{\"data\":[");
    let answer = call.run(&request, RunOptions::default(), &mut out).await?;
    let started = Instant::now();
    out.extend_from_slice(b"],\"meta\":{");
    let ends = Ends::new(call, &paging, &answer, &binding, reversed);
    meta(&paging, &answer, &ends, &mut out);
    out.extend_from_slice(b"}");
    let tag = Tag::of(call, &out);
    let mut response = conditional::respond(call, tag, None, control, out)?;
    if let Some(link) = ends.link(call, &paging) {
        response.headers.insert(LINK, link);
    }
    call.rendered(started);
    Ok(response)
}

/// What a cursor is good for: this path, these filters and this order, for this role. The page's size and the selected
/// columns may change between pages. The order as asked stands in the filter text; what completes it (the primary key) is
/// checked by the planner, which refuses a cursor with another number of keys.
fn binding<'a>(call: &'a Call<'_>, filter: &'a str) -> Binding<'a> {
    Binding { resource: call.request.path(), order: "", filter, role: &call.ctx.principal.role }
}

/// The parameters that choose and order rows, in a fixed order.
fn filter_text(call: &Call<'_>) -> String {
    let chooses = |pair: &&str| {
        let key = pair.split('=').next().unwrap_or_default();
        !pair.is_empty()
            && !matches!(key, "select" | "limit" | "cursor" | "count")
            && !key.starts_with("after_")
    };
    let mut pairs: Vec<&str> = call.request.query().split('&').filter(chooses).collect();
    pairs.sort_unstable();
    pairs.join("&")
}

/// The seek of `after_…`: one value for each order key, which are the columns of `order` and then those of the primary key.
fn after_keys(
    call: &Call<'_>,
    name: &str,
    node: &Node,
    after: &[(std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)],
) -> Result<Vec<Option<String>>> {
    let resource = Resource::get(call, name)?;
    let is_column = |term: &OrderTerm| term.relation.is_none() && term.path.steps.is_empty();
    if !node.order.iter().all(is_column) {
        return Err(paging::fault(
            "order",
            "must be by columns of the resource itself together with after_…; use a cursor",
        ));
    }
    let mut keys: Vec<String> = node.order.iter().map(|term| term.path.column.to_string()).collect();
    let no_key = |_| paging::fault("after_…", "needs a primary key that you may read; use page and per_page");
    for name in resource.key_names().map_err(no_key)? {
        if !keys.iter().any(|known| **known == *name) {
            keys.push(name.to_string());
        }
    }
    let unknown = after.iter().find(|(column, _)| !keys.iter().any(|key| *key == **column));
    let missing = keys.iter().find(|key| !after.iter().any(|(column, _)| **key == **column));
    if unknown.is_some() || missing.is_some() {
        let needed: Vec<String> = keys.iter().map(|key| format!("after_{key}")).collect();
        return Err(paging::fault(
            "after_…",
            format!("must be given for each key of the order: {}", needed.join(", ")),
        ));
    }
    let value =
        |key: &String| after.iter().find(|(column, _)| **key == **column).map(|(_, value)| value.to_string());
    Ok(keys.iter().map(value).collect())
}

/// Where the page ends in both directions.
struct Ends {
    next: Option<String>,
    prev: Option<String>,
    has_more: bool,
    /// For numbered pages.
    next_page: Option<String>,
    prev_page: Option<String>,
}

impl Ends {
    fn new(
        call: &Call<'_>,
        paging: &Paging<'_>,
        answer: &Answer,
        binding: &Binding<'_>,
        reversed: bool,
    ) -> Self {
        let page = &answer.page;
        if let Mode::Number { page: number } = paging.mode {
            return Self {
                next: None,
                prev: None,
                has_more: page.has_more,
                next_page: page.has_more.then(|| (number + 1).to_string()),
                prev_page: (number > 1).then(|| (number - 1).to_string()),
            };
        }
        let from_start = matches!(paging.mode, Mode::Cursor(None));
        // Backwards, the probe tells of rows before the page; the page that was come from lies behind it.
        let (more_after, more_before) =
            if reversed { (true, page.has_more) } else { (page.has_more, !from_start) };
        let seal = |keys: &Option<Vec<Option<String>>>, backward, wanted: bool| {
            let keys = keys.as_ref().filter(|_| wanted)?;
            call.api.cursors.seal(&Cursor { keys: keys.clone(), backward }, binding)
        };
        Self {
            next: seal(&page.last, false, more_after),
            prev: seal(&page.first, true, more_before),
            has_more: more_after && page.rows > 0,
            next_page: None,
            prev_page: None,
        }
    }

    fn link(&self, call: &Call<'_>, paging: &Paging<'_>) -> Option<HeaderValue> {
        let numbered = matches!(paging.mode, Mode::Number { .. });
        let (parameter, next, prev) = if numbered {
            ("page", &self.next_page, &self.prev_page)
        } else {
            ("cursor", &self.next, &self.prev)
        };
        let query =
            if numbered { call.request.query().to_owned() } else { without_after(call.request.query()) };
        let targets = [("next", parameter, next.as_deref()), ("prev", parameter, prev.as_deref())];
        let link = links::header(call.request.path(), &query, &targets)?;
        HeaderValue::from_str(&link).ok()
    }
}

/// A cursor takes the place of `after_…`.
fn without_after(query: &str) -> String {
    query.split('&').filter(|pair| !pair.starts_with("after_")).collect::<Vec<_>>().join("&")
}

fn meta(paging: &Paging<'_>, answer: &Answer, ends: &Ends, out: &mut BytesMut) {
    let mut number = itoa::Buffer::new();
    let mut put = |name: &str, value: &str| {
        let first = out.last() == Some(&b'{');
        out.extend_from_slice(if first { b"\"" } else { b",\"" });
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        out.extend_from_slice(value.as_bytes());
    };
    let quoted = |text: &Option<String>| text.as_ref().map_or("null".to_owned(), |t| format!("\"{t}\""));
    match paging.mode {
        Mode::Number { page } => {
            put("page", number.format(page));
            put("per_page", number.format(paging.limit));
            put("has_more", if ends.has_more { "true" } else { "false" });
        }
        Mode::Cursor(_) | Mode::After(_) => {
            put("limit", number.format(paging.limit));
            put("next_cursor", &quoted(&ends.next));
            put("prev_cursor", &quoted(&ends.prev));
            put("has_more", if ends.has_more { "true" } else { "false" });
        }
    }
    if let Some(total) = answer.total {
        put("total", number.format(total));
    }
    out.extend_from_slice(b"}");
}
