//! The request pipeline. This file reads like its list in the API design: request id, access log, panic guard,
//! limits, CORS, rate limit, authentication, authorization, handler, one error renderer, compression. There
//! are no layers: a request passes through these few functions and one boxed handler future.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use bedplate_core::problem::{
    HEADERS_TOO_LARGE, OVERLOADED, SHUTTING_DOWN, TIMEOUT, UNAUTHENTICATED, URI_TOO_LONG,
};
use bedplate_core::{Ctx, Principal, Problem, RequestInfo};
use futures_util::FutureExt;
use http::header::{ALLOW, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, HeaderName};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use hyper::body::Incoming;

use crate::app::{App, CLOSE};
use crate::authenticate::Authentication;
use crate::body::RequestBody;
use crate::compress;
use crate::connection::Connection;
use crate::cors::CorsPolicy;
use crate::exchange::{Exchange, REQUEST_ID};
use crate::host_guard;
use crate::problems::{self, Occurrence};
use crate::rate_limit::check;
use crate::report::Stage;
use crate::request::{Request, RequestContext};
use crate::request_info;
use crate::response::{Body, Outgoing, Response};
use crate::routes::{Access, Endpoint, Matched};
use crate::security_headers;

pub(crate) async fn serve(
    connection: Arc<Connection>,
    request: hyper::Request<Incoming>,
) -> hyper::Response<Outgoing> {
    let (mut head, body) = request.into_parts();
    // Request id, trace and the access log's line.
    let mut exchange = Box::new(Exchange::begin(connection, &mut head));
    // The panic guard: a request may fail, the process may not.
    let answer = AssertUnwindSafe(answer(&mut exchange, head, body)).catch_unwind().await;
    let answer = answer.unwrap_or_else(|panic| Err(caught(&exchange, panic.as_ref())));
    let response = match answer {
        Ok(response) => response,
        Err(problem) => render(&exchange, &problem),
    };
    finish(exchange, response).await
}

async fn answer(
    exchange: &mut Exchange,
    head: http::request::Parts,
    body: Incoming,
) -> Result<Response, Problem> {
    let connection = Arc::clone(&exchange.connection);
    let app: &App = &connection.app;
    // Looked up first, since limits differ by route. What the lookup says is acted on in its turn.
    let matched = app.router.find(&head.method, head.uri.path());
    if let Ok(Matched::Endpoint { endpoint, .. }) = &matched {
        exchange.endpoint = Some(Arc::clone(endpoint));
    }
    check_head(app, &head)?;
    host_guard::check_one_host(&head.uri, &head.headers)?;
    admit(app, exchange.endpoint.as_deref())?;
    if let Some(guard) = &app.host_guard {
        with_cors(exchange, |cors| guard.check(&head.uri, &head.headers, cors))?;
    }
    if let Some(response) = with_cors(exchange, |cors| cors.preflight(&head.method, &head.headers)) {
        return Ok(response);
    }
    check::unnamed(exchange).await?;
    let (endpoint, params) = match matched? {
        Matched::Endpoint { endpoint, params } => (endpoint, params),
        Matched::Options { allow } => return Ok(options(&allow)),
    };
    let principal = identify(app, exchange, &endpoint, &head.headers).await?;
    authorize(&endpoint, &principal)?;
    exchange.principal = Some(Arc::clone(&principal));

    let allowed = endpoint.options.deadline.unwrap_or(app.config.timeouts.request);
    let deadline = exchange.started + allowed;
    let shown = (endpoint.access != Access::Public).then_some(&app.config.sql_headers);
    let below = endpoint.options.sql_path_below.then_some(endpoint.mounted_at);
    let info = request_info::describe(&head, shown, below);
    let context = context(exchange, principal, info, deadline);
    let request = request(exchange, head, body, &endpoint, params);
    let handled = endpoint.handler.call(context, request);
    let mut timer = connection.take_timer();
    let result = timer.within(deadline, handled).await;
    connection.keep_timer(timer);
    let late = || Problem::new(&TIMEOUT).detail(format!("No answer within {} s", allowed.as_secs()));
    result.unwrap_or_else(|| Err(late()))
}

/// The origins of the front door that was asked, else those of the listener.
fn with_cors<T>(exchange: &Exchange, act: impl FnOnce(&CorsPolicy) -> T) -> T {
    match exchange.endpoint.as_ref().and_then(|endpoint| endpoint.options.cors.as_ref()) {
        Some(own) => act(&own.0.load()),
        None => act(&exchange.app().cors),
    }
}

/// HTTP/1 heads were measured while they were read; this is for HTTP/2, whose framing knows no such limits.
fn check_head(app: &App, head: &http::request::Parts) -> Result<(), Problem> {
    if head.version != Version::HTTP_2 {
        return Ok(());
    }
    let limits = &app.config.limits;
    let url = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if url > limits.url_bytes {
        return Err(Problem::new(&URI_TOO_LONG).detail(too_long("URL", limits.url_bytes)));
    }
    let bytes: usize = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if bytes > limits.head_bytes || head.headers.len() > limits.headers {
        return Err(Problem::new(&HEADERS_TOO_LARGE).detail(too_long("header section", limits.head_bytes)));
    }
    Ok(())
}

pub(crate) fn too_long(what: &str, bytes: usize) -> String {
    format!("The {what} may have at most {bytes} bytes")
}

/// Sheds load before it costs anything; what watches the server is let through.
fn admit(app: &App, endpoint: Option<&Endpoint>) -> Result<(), Problem> {
    let busy = app.metrics.in_flight.load(Relaxed) > app.config.limits.in_flight as i64;
    if busy && !endpoint.is_some_and(|endpoint| endpoint.vital) {
        app.metrics.sheds.fetch_add(1, Relaxed);
        return Err(Problem::new(&OVERLOADED).retry_after(Duration::from_secs(1)));
    }
    Ok(())
}

fn options(allow: &str) -> Response {
    let mut response = Response::empty(StatusCode::NO_CONTENT);
    if let Ok(allow) = HeaderValue::try_from(allow) {
        response.headers.insert(ALLOW, allow);
    }
    response
}

/// Who asks, within the rate limits: guesses are counted before, and callers after they are known.
async fn identify(
    app: &App,
    exchange: &mut Exchange,
    endpoint: &Endpoint,
    headers: &HeaderMap,
) -> Result<Arc<Principal>, Problem> {
    if endpoint.access == Access::Public {
        return Ok(Arc::clone(&app.anonymous));
    }
    check::guesses(exchange, headers)?;
    match authenticate(app, exchange, endpoint, headers).await {
        Ok(principal) => {
            check::known(exchange, endpoint, &principal).await?;
            Ok(principal)
        }
        Err(problem) => Err(check::failed(exchange, problem).await),
    }
}

async fn authenticate(
    app: &App,
    exchange: &Exchange,
    endpoint: &Endpoint,
    headers: &HeaderMap,
) -> Result<Arc<Principal>, Problem> {
    let begun = Instant::now();
    let authenticator = endpoint.options.authenticator.as_ref().unwrap_or(&app.authenticator);
    let result = match authenticator.authenticate(headers, exchange.client.address) {
        Authentication::Ready(result) => result,
        Authentication::Pending(future) => {
            let deadline = exchange.started + app.config.timeouts.request;
            let late =
                |_| Problem::new(&TIMEOUT).detail("The keys to check the token could not be had in time");
            tokio::time::timeout_at(deadline.into(), future).await.map_err(late)?
        }
    };
    exchange.report.since(Stage::Identify, begun);
    result
}

fn authorize(endpoint: &Endpoint, principal: &Principal) -> Result<(), Problem> {
    if endpoint.access == Access::SignedIn && !principal.is_signed_in() {
        return Err(Problem::new(&UNAUTHENTICATED));
    }
    Ok(())
}

fn context(
    exchange: &Exchange,
    principal: Arc<Principal>,
    info: RequestInfo,
    deadline: Instant,
) -> RequestContext {
    let ctx = Ctx {
        principal,
        request_id: Arc::clone(&exchange.request_id),
        request: Arc::new(info),
        deadline: Some(deadline),
    };
    RequestContext { ctx, report: Arc::clone(&exchange.report) }
}

fn request(
    exchange: &Exchange,
    head: http::request::Parts,
    body: Incoming,
    endpoint: &Endpoint,
    params: Vec<(String, String)>,
) -> Request {
    let config = &exchange.app().config;
    let limit = endpoint.options.body_limit.unwrap_or(config.limits.body_bytes);
    let mut body = RequestBody::new(body, limit, config.timeouts.body_gap, config.timeouts.body_total);
    if head
        .headers
        .get(CONTENT_ENCODING)
        .is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        body.refuse_encoded();
    }
    Request {
        method: head.method,
        uri: head.uri,
        version: head.version,
        headers: head.headers,
        client: exchange.client.address,
        secure: exchange.client.secure,
        trace: exchange.trace.clone(),
        body,
        params,
        mounted_at: endpoint.mounted_at,
    }
}

/// What a panic becomes: a 500 for this caller, a line in the log, a count.
fn caught(exchange: &Exchange, panic: &(dyn Any + Send)) -> Problem {
    exchange.app().metrics.panics.fetch_add(1, Relaxed);
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Problem::internal_error(format!("panic: {}", text.unwrap_or("without a message")))
}

/// The one error renderer. Our own failures are logged here, once, with what the caller does not get to see.
fn render(exchange: &Exchange, problem: &Problem) -> Response {
    let request_id: &str = &exchange.request_id;
    if problem.code() == &SHUTTING_DOWN {
        // Asked for by the operator, and told to every probe until the end: nothing to be alarmed at.
        tracing::info!(request_id, %problem, path = exchange.uri.path(), "request refused");
    } else if problem.status() >= 500 {
        let status = problem.status();
        tracing::error!(request_id, status, %problem, path = exchange.uri.path(), "request failed");
    } else {
        tracing::debug!(request_id, %problem, path = exchange.uri.path(), "request refused");
    }
    let occurrence = Occurrence { request_id, instance: Some(exchange.uri.path()) };
    match exchange.endpoint.as_ref().and_then(|endpoint| endpoint.options.renderer) {
        Some(renderer) => {
            let mut response = renderer(problem, occurrence);
            problems::add_headers(problem, &mut response);
            response
        }
        None => problems::render(problem, exchange.app().config.error_format, occurrence),
    }
}

/// The headers that every answer has, compression, and the end of the exchange.
async fn finish(mut exchange: Box<Exchange>, mut response: Response) -> hyper::Response<Outgoing> {
    let connection = Arc::clone(&exchange.connection);
    let app = &connection.app;
    let headers = &mut response.headers;
    if let Ok(id) = HeaderValue::try_from(&*exchange.request_id) {
        headers.insert(REQUEST_ID, id);
    }
    with_cors(&exchange, |cors| cors.apply(exchange.origin.as_ref(), headers));
    if let Some(standing) = &exchange.standing {
        standing.apply(headers);
    }
    let cross_origin = headers.contains_key(http::header::ACCESS_CONTROL_ALLOW_ORIGIN);
    let secure = exchange.client.secure || app.config.https;
    security_headers::apply(headers, secure, cross_origin);
    // A dialect that tells its own keeps it.
    if app.config.server_timing
        && !headers.contains_key("server-timing")
        && let Ok(timing) = HeaderValue::try_from(server_timing(&exchange))
    {
        headers.insert(HeaderName::from_static("server-timing"), timing);
    }
    if exchange.version < Version::HTTP_2 {
        if app.shutdown.is_draining() {
            headers.insert(CONNECTION, CLOSE);
        }
    } else {
        headers.remove(CONNECTION);
    }
    compress::apply(&mut response, &exchange.accept_encoding, &app.config.compression).await;
    if exchange.method == Method::HEAD {
        drop_body(&mut response);
    }
    exchange.status = Some(response.status);
    let Response { status, headers, body, reason } = response;
    let outgoing = match body {
        Body::Stream(_) => Outgoing::new(body, Some(exchange)),
        Body::Empty => {
            exchange.sent(0, true);
            Outgoing::new(body, None)
        }
        Body::Full(ref bytes) => {
            exchange.sent(bytes.len() as u64, true);
            Outgoing::new(body, None)
        }
    };
    let mut answer = hyper::Response::new(outgoing);
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    if let Some(reason) = reason {
        answer.extensions_mut().insert(reason);
    }
    answer
}

/// `HEAD`: the headers that `GET` would have, its length included (RFC 9110 §9.3.2).
fn drop_body(response: &mut Response) {
    if let Body::Full(bytes) = &response.body {
        response.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    }
    response.body = Body::Empty;
}

fn server_timing(exchange: &Exchange) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(96);
    for stage in Stage::ALL {
        let micros = exchange.report.micros(stage);
        if micros > 0 {
            let _ = write!(text, "{};dur={}.{:03}, ", stage.name(), micros / 1000, micros % 1000);
        }
    }
    let total = exchange.started.elapsed().as_micros();
    let _ = write!(text, "total;dur={}.{:03}", total / 1000, total % 1000);
    text
}
