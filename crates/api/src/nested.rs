//! `POST /api/v1/{resource}` with rows of related resources in the body.

use std::time::Instant;

use bedplate_core::{RequestInfo, Result};
use bedplate_data::{Made, Needs, Pauses, Refused, Transaction};
use bedplate_http::{Response, Stage};
use bedplate_query::plan::nested::{self, Nested};
use bedplate_query::request::{Node, Values};
use bedplate_query::validate::body;
use bytes::BytesMut;
use http::StatusCode;
use http::header::LOCATION;

use crate::prefer::Preferences;
use crate::resource::Resource;
use crate::{Call, create, json, with_applied};

/// A nested write as it is run.
#[derive(Debug, Clone)]
pub(crate) struct Write {
    pub nested: Nested,
    /// How the rows are answered; `None`: not at all.
    pub answer: Option<(Node, Values)>,
}

impl Write {
    pub fn with<'w>(&'w self, info: &'w RequestInfo) -> bedplate_data::Write<'w> {
        let answer = self.answer.as_ref().map(|(node, values)| (node, values));
        bedplate_data::Write { nested: &self.nested, answer, info }
    }
}

/// Whether a body has related rows.
pub(crate) fn is_nested(resource: &Resource, body: &body::Rows) -> bool {
    let nested = |fields: &body::Object| nested::is_nested(&resource.catalog, resource.id, fields);
    match body {
        body::Rows::One(fields) => nested(fields),
        body::Rows::Many(rows) => rows.iter().any(nested),
    }
}

pub(crate) async fn create(
    call: &Call<'_>,
    resource: &Resource,
    name: &str,
    body: body::Rows,
    node: Node,
    values: Values,
    preferences: &Preferences,
) -> Result<Response> {
    let (rows, many) = match body {
        body::Rows::One(fields) => (vec![fields], false),
        body::Rows::Many(rows) => (rows, true),
    };
    let data = &call.api.data;
    let gate = data.gate();
    let nested = nested::nested(
        &resource.catalog,
        resource.role,
        &*gate,
        data.limits(),
        resource.id,
        rows,
        many,
        &node,
    )
    .map_err(|problem| data.refusal(call.ctx, problem))?;
    data.check_nested(call.ctx, &nested)?;
    let node = if node.select.is_empty() { Node { select: nested.select.clone(), ..node } } else { node };
    let answer = (preferences.minimal != Some(true)).then_some((node, values));
    let write = Write { nested, answer };
    let mut out = BytesMut::new();
    out.extend_from_slice(if many { b"{\"data\":[" } else { b"{\"data\":" });
    let (made, rows) = run(call, &write, preferences.rollback).await?;
    let started = Instant::now();
    let unseen = !many && made.answer.as_ref().is_some_and(|answer| answer.page.rows == 0);
    out.extend_from_slice(if unseen { b"null" } else { &rows });
    out.extend_from_slice(if many { b"]}" } else { b"}" });
    let mut response = match &made.answer {
        Some(_) => json(StatusCode::CREATED, out),
        None => Response::empty(StatusCode::CREATED),
    };
    let key = made.keys.first().filter(|_| !many);
    if let Some(location) = key.and_then(|key| create::location(name, key)) {
        response.headers.insert(LOCATION, location);
    }
    call.rendered(started);
    Ok(with_applied(response, preferences))
}

async fn run(call: &Call<'_>, write: &Write, dry_run: bool) -> Result<(Made, BytesMut)> {
    if let Some(desk) = call.desk {
        return desk.write(write.clone()).await;
    }
    let mut pauses = Pauses::new();
    loop {
        match attempt(call, write, dry_run).await {
            Ok(done) => return Ok(done),
            Err(refused) if refused.again => match pauses.next(call.ctx.deadline) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(refused.problem),
            },
            Err(refused) => return Err(refused.problem),
        }
    }
}

async fn attempt(
    call: &Call<'_>,
    write: &Write,
    dry_run: bool,
) -> std::result::Result<(Made, BytesMut), Refused> {
    let (data, ctx) = (&call.api.data, call.ctx);
    let transaction = Transaction::new(data, ctx)?.within(call.claim(dry_run));
    transaction.require(Needs { writes: true, ..Needs::default() }).await;
    let mut out = BytesMut::new();
    let made = transaction.write(data, ctx, write.with(&ctx.request), &mut out).await?;
    let timings = transaction.commit(data, ctx, dry_run).await?;
    call.report.add(Stage::Plan, timings.plan);
    call.report.add(Stage::Database, timings.wait + timings.database);
    Ok((made, out))
}
