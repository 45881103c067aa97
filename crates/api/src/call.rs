//! `POST /api/v1/rpc/{function}`, and `GET` for functions that do not write.

use std::time::Instant;

use bedplate_core::Result;
use bedplate_data::{Answer, RunOptions};
use bedplate_http::{RequestBody, Response};
use bedplate_query::request::{Arguments, Call as FunctionCall, Name, Node, Style, Value, Values};
use bedplate_query::{Operation, Request, validate};
use bytes::BytesMut;
use http::StatusCode;

use crate::paging::{bound_rows, push};
use crate::prefer::Preferences;
use crate::resource::target;
use crate::{Call, create, json, media, with_applied};

const CAPACITY: usize = 4 * 1024;

/// Arguments by name in a JSON object; no body is no arguments.
pub(crate) async fn post(call: &Call<'_>, name: &str, body: RequestBody) -> Result<Response> {
    call.report.set_class("api.rpc");
    let preferences = call.preferences()?;
    let parsed = call.parse_query(|_| false, false)?;
    let mut values = parsed.values;
    let bytes = body.collect().await?;
    let fields = if bytes.is_empty() {
        Vec::new()
    } else {
        media::check_json(&call.request.headers)?;
        validate::body::parse_object(&bytes, &call.api.config.json)?
    };
    check_arguments(call, name, &fields)?;
    let arguments = Arguments::Named(create::columns(fields, &mut values)?);
    run(call, name, arguments, parsed.node, values, &preferences, false).await
}

/// All faults at once, by argument. With several functions of the name the planner finds out which is meant.
fn check_arguments(call: &Call<'_>, name: &str, fields: &validate::body::Object) -> Result<()> {
    let data = &call.api.data;
    let catalog = data.catalog();
    let role = data.role(&catalog, call.ctx)?;
    match catalog.find_functions(None, name) {
        [only] if data.gate().function(&catalog, role, *only).is_ok() => {
            create::check(validate::call(&catalog, *only, fields))
        }
        _ => Ok(()),
    }
}

/// Arguments in the query string; a name given several times is a variadic argument.
pub(crate) async fn get(call: &Call<'_>, name: &str) -> Result<Response> {
    call.report.set_class("api.rpc");
    let parsed = call.parse_query(|_| false, true)?;
    let mut values = parsed.values;
    let mut texts: Vec<(Name, Vec<String>)> = Vec::new();
    for (key, value) in parsed.leftovers {
        match texts.iter_mut().find(|(known, _)| **known == *key) {
            Some((_, several)) => several.push(value.into_owned()),
            None => texts.push((Name::from(&*key), vec![value.into_owned()])),
        }
    }
    let mut named = Vec::with_capacity(texts.len());
    for (name, mut several) in texts {
        let value = match (several.len(), several.pop()) {
            (1, Some(text)) => Value::Text(text),
            (_, last) => Value::List(several.into_iter().chain(last).map(Some).collect()),
        };
        named.push((name, push(&mut values, value)?));
    }
    run(call, name, Arguments::Named(named), parsed.node, values, &Preferences::default(), true).await
}

async fn run(
    call: &Call<'_>,
    name: &str,
    arguments: Arguments,
    mut node: Node,
    values: Values,
    preferences: &Preferences,
    read_only: bool,
) -> Result<Response> {
    bound(call, &mut node, &values)?;
    let function = FunctionCall {
        function: target(name),
        arguments,
        node,
        count: None,
        read_only,
        style: Style::NATIVE,
    };
    let request = Request { operation: Operation::Call(function), values };
    let mut out = BytesMut::with_capacity(CAPACITY);
    out.extend_from_slice(b"{\"data\":");
    let rows_from = out.len();
    let options = RunOptions { rollback: preferences.rollback, ..RunOptions::default() };
    let answer = call.run(&request, options, &mut out).await?;
    let started = Instant::now();
    let response = render(&answer, out, rows_from);
    call.rendered(started);
    Ok(with_applied(response, preferences))
}

/// Results are bounded like lists, but the page's maximum is the default: a function says itself how much it returns.
fn bound(call: &Call<'_>, node: &mut Node, values: &Values) -> Result<()> {
    let most = call.limits().page_max;
    let asked = node.page.limit.map(|at| values.get(at)).and_then(|value| match value {
        Value::Int(limit) => u64::try_from(*limit).ok(),
        _ => None,
    });
    if asked.is_some_and(|limit| limit > most) {
        return Err(crate::paging::fault("limit", format!("must be at most {most}")));
    }
    bound_rows(node, asked.unwrap_or(most));
    Ok(())
}

/// One value or row as it is, nothing as null, a set as an array that says when it was cut.
fn render(answer: &Answer, mut out: BytesMut, rows_from: usize) -> Response {
    if answer.single {
        if out.len() == rows_from {
            out.extend_from_slice(b"null");
        }
        out.extend_from_slice(b"}");
        return json(StatusCode::OK, out);
    }
    // The opening bracket goes before the rows that are already there.
    let rows = out.split_off(rows_from);
    out.reserve(rows.len() + 48);
    out.extend_from_slice(b"[");
    out.extend_from_slice(&rows);
    let truncated: &[u8] = if answer.page.has_more { b"true" } else { b"false" };
    out.extend_from_slice(b"],\"meta\":{\"truncated\":");
    out.extend_from_slice(truncated);
    out.extend_from_slice(b"}}");
    json(StatusCode::OK, out)
}
