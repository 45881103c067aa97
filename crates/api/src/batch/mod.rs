//! `POST /api/v1/batch`: several operations in one transaction, in their order, all or none.
//!
//! Each operation goes through the handler that serves it as a single request, so it passes the same planner, gate, validation
//! and limits. What differs is when its statement is sent: the handlers leave their questions on a [`Desk`], and questions that
//! do not need each other's answers go to PostgreSQL in one message.

pub(crate) mod desk;
mod operation;
mod outcome;
mod precheck;
mod reference;
mod run;

use bedplate_core::Result;
use bedplate_core::problem::UNKNOWN_PARAMETER;
use bedplate_core::{Problem, RequestInfo};
use bedplate_data::{Pauses, Transaction};
use bedplate_http::{RequestBody, Response, Stage};
use bytes::BytesMut;
use http::StatusCode;

use crate::{Call, conditional, json, media, with_applied};
use operation::Operation;
use outcome::Failure;
use run::Running;

/// Where it is, below the front door's prefix.
pub(crate) const SEGMENT: &str = "batch";

/// Limits of one batch.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub operations: usize,
    /// Of the body of the whole.
    pub bytes: usize,
}

pub(crate) async fn post(call: &Call<'_>, body: RequestBody) -> Result<Response> {
    call.report.set_class("api.batch");
    conditional::refuse(call)?;
    media::check_json(&call.request.headers)?;
    let preferences = call.preferences()?;
    if !call.request.query().is_empty() {
        return Err(Problem::new(&UNKNOWN_PARAMETER)
            .detail("a batch takes no query parameters; they stand in the paths of its operations"));
    }
    let limits = call.api.config.batch;
    let bytes = body.collect_up_to(limits.bytes).await?;
    let mut operations = operation::read(&bytes, &call.api.config.json, limits.operations)?;
    drop(bytes);
    if preferences.minimal == Some(true) {
        operations.iter_mut().for_each(prefer_minimal);
    }
    let mut pauses = Pauses::new();
    let results = loop {
        match attempt(call, &operations, preferences.rollback).await {
            Ok(results) => break results,
            // Another transaction was in the way, or a statement was prepared for another state of the schema: nothing was
            // done.
            Err(failure) if failure.again => match pauses.next(call.ctx.deadline) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(failure.into_problem(call, &operations)),
            },
            Err(failure) => return Err(failure.into_problem(call, &operations)),
        }
    };
    let mut out = BytesMut::with_capacity(results.iter().map(|result| result.len() + 1).sum::<usize>() + 16);
    out.extend_from_slice(b"{\"data\":[");
    for (at, result) in results.iter().enumerate() {
        if at > 0 {
            out.extend_from_slice(b",");
        }
        out.extend_from_slice(result.as_bytes());
    }
    out.extend_from_slice(b"]}");
    Ok(with_applied(json(StatusCode::OK, out), &preferences))
}

/// `Prefer: return=minimal` of the batch holds for operations that say nothing else.
fn prefer_minimal(operation: &mut Operation) {
    let says = |value: &http::HeaderValue| value.to_str().is_ok_and(|text| text.contains("return"));
    if !operation.headers.get_all("prefer").iter().any(says) && operation.method != http::Method::GET {
        operation.headers.append("prefer", http::HeaderValue::from_static("return=minimal"));
    }
}

/// One run of the whole, to its commit. The results as JSON texts.
async fn attempt(
    call: &Call<'_>,
    operations: &[Operation],
    dry_run: bool,
) -> std::result::Result<Vec<String>, Failure> {
    let transaction = Transaction::new(&call.api.data, call.ctx).map_err(Failure::whole)?;
    let transaction = transaction.within(call.claim(dry_run));
    let mut running = Running::new(call, operations);
    let needs = running.prepare().await?;
    transaction.require(needs).await;
    let results = running.finish(&transaction).await?;
    let committed = transaction.commit(&call.api.data, call.ctx, dry_run).await;
    let timings = committed.map_err(Failure::at_commit)?;
    call.report.add(Stage::Plan, timings.plan);
    call.report.add(Stage::Wait, timings.wait);
    call.report.add(Stage::Database, timings.wait + timings.database);
    Ok(results)
}

/// What SQL may know of an operation: what it would know of the same request by itself.
fn info(call: &Call<'_>, method: &http::Method, path: &str) -> RequestInfo {
    let whole = &call.ctx.request;
    let method = match *method {
        http::Method::GET => "GET",
        http::Method::PATCH => "PATCH",
        http::Method::PUT => "PUT",
        http::Method::DELETE => "DELETE",
        _ => "POST",
    };
    RequestInfo {
        method,
        path: path.to_owned(),
        headers: whole.headers.clone(),
        cookies: whole.cookies.clone(),
    }
}
