//! `GET` and `HEAD` of the root: the description of the API.

use std::sync::Arc;
use std::time::Instant;

use bedplate_core::{Problem, Result};
use bedplate_http::{Body, Response, Stage};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};

use crate::accept::{self, Media};
use crate::config::{Config, OpenApiMode};
use crate::error::{self, PGRST107, PGRST126, Said};
use crate::openapi::{Descriptions, Server, Source};
use crate::{Call, sql_response};

/// Refuses the root where the description is off, whatever would be at the root.
pub(crate) fn check_enabled(config: &Config) -> Result<()> {
    match config.openapi.mode {
        OpenApiMode::Disabled => Err(error::plain(&PGRST126, "Root endpoint metadata is disabled")),
        OpenApiMode::FollowPrivileges | OpenApiMode::IgnorePrivileges => Ok(()),
    }
}

pub(crate) async fn read(
    call: &Call<'_>,
    config: &Arc<Config>,
    descriptions: &Descriptions,
) -> Result<Response> {
    call.report.set_class("rest.root");
    check_accepted(call)?;
    let started = Instant::now();
    // It may refuse the request, here as elsewhere.
    let search_path = config.search_path(call.schema.name);
    let said = call.data.pre_request(call.ctx, &config.door, search_path).await?;
    let catalog = call.data.catalog();
    let role = call.data.role(&catalog, call.ctx)?;
    let body = if call.is_head() {
        // Its length would cost as much as the document; PostgREST does not tell it either.
        Body::Empty
    } else {
        let source = Source { catalog: &catalog, config, role, schema: call.schema.name };
        let described = descriptions.get(source).await?;
        Body::Full(Server::of(call.request, &config.openapi).write(&described).into())
    };
    let mut response = Response::new(StatusCode::OK, body);
    response
        .headers
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/openapi+json; charset=utf-8"));
    response.headers.extend(call.schema.header());
    call.report.since(Stage::Render, started);
    sql_response::apply(response, &said)
}

fn check_accepted(call: &Call<'_>) -> Result<(), Problem> {
    let accepted = accept::read(&call.request.headers);
    if accepted.iter().any(|media| matches!(media, Media::OpenApi | Media::Json | Media::Any)) {
        return Ok(());
    }
    let named: Vec<String> = accepted.iter().map(Media::name).collect();
    Err(Said::new(format!("None of these media types are available: {}", named.join(", ")))
        .problem(&PGRST107))
}
