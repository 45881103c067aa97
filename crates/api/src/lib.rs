//! The native front door, `/api/v1`: parses paths, query strings and bodies into the query IR, runs them through `data`, and
//! renders `{data, meta}`. It writes no SQL and decides no permission. Conventions: docs/api-design.md.

mod batch;
mod caching;
mod call;
mod conditional;
mod create;
pub mod docs;
mod links;
mod list;
mod media;
mod nested;
mod once;
mod one;
pub mod openapi;
mod options;
mod paging;
mod path;
mod prefer;
pub mod problems;
mod resource;

use std::sync::Arc;
use std::time::Instant;

use bedplate_core::problem::METHOD_NOT_ALLOWED;
use bedplate_core::{Ctx, Problem, Result};
use bedplate_data::{Answer, Attempt, Data, RunOptions};
use bedplate_http::idempotency;
use bedplate_http::{Access, Handler, Mount, Report, Request, RequestBody, RequestContext, Response, Stage};
use bedplate_query::cursor;
use bedplate_query::limits::Limits;
use bedplate_query::syntax::{self, Options, Parsed};
use bytes::BytesMut;
use http::{HeaderName, HeaderValue, Method, StatusCode};

pub use batch::Limits as BatchLimits;
pub use caching::CachePolicy;
pub use paging::CountPolicy;

use batch::desk::Desk;
use path::Place;
use prefer::Preferences;

/// Where the front door is mounted.
pub const PREFIX: &str = "/api/v1";

/// Metrics and log labels, one for each kind of request.
pub static CLASSES: &[&str] = &[
    "api",
    "api.list",
    "api.get",
    "api.create",
    "api.update",
    "api.replace",
    "api.delete",
    "api.rpc",
    "api.options",
    "api.batch",
];

pub struct Config {
    /// For anonymous callers, users and the service role.
    pub counts: [CountPolicy; 3],
    pub json: bedplate_query::validate::body::Limits,
    /// Resources (`name`, `schema.name`, or `*` for all) whose writes must say which version they are about.
    pub require_if_match: Vec<String>,
    pub cache_policies: Vec<CachePolicy>,
    pub batch: batch::Limits,
}

pub struct Api {
    data: Arc<Data>,
    cursors: cursor::Keys,
    config: Config,
}

/// What every verb gets.
pub(crate) struct Call<'a> {
    api: &'a Api,
    ctx: &'a Ctx,
    report: &'a Report,
    request: &'a Request,
    /// Of an operation of a batch: where it asks the database.
    desk: Option<&'a Desk>,
    /// Of a request with an idempotency key: its transaction.
    within: Option<&'a Arc<Attempt>>,
}

impl Api {
    pub fn new(data: Arc<Data>, cursors: cursor::Keys, config: Config) -> Self {
        Self { data, cursors, config }
    }

    /// The largest body of a request below the prefix, where it differs from the front door's, bytes.
    pub fn body_limit(&self, rest: &str) -> Option<usize> {
        (rest == batch::SEGMENT).then_some(self.config.batch.bytes)
    }

    /// The row for the route table.
    pub fn mount(self) -> Mount {
        Mount::new(PREFIX, CLASSES, Access::Key, self).calls_below("rpc")
    }
}

impl Handler for Api {
    async fn handle(&self, context: RequestContext, mut request: Request) -> Result<Response> {
        media::check_accept(&request.headers)?;
        let body = request.body.take();
        let call = Call {
            api: self,
            ctx: &context.ctx,
            report: &context.report,
            request: &request,
            desk: None,
            within: None,
        };
        match idempotency::key(&request.method, &request.headers)? {
            None => answer(&call, body).await,
            Some(key) => Box::pin(once::answer(&call, body, &key)).await,
        }
    }
}

async fn answer(call: &Call<'_>, body: RequestBody) -> Result<Response> {
    if call.request.rest() == batch::SEGMENT {
        return match call.request.method {
            Method::POST => batch::post(call, body).await,
            _ => options::batch(call),
        };
    }
    route(call, body).await
}

/// Everything but batches: single requests, and the operations of a batch.
async fn route(call: &Call<'_>, body: RequestBody) -> Result<Response> {
    match path::read(call.request.segments()?)? {
        Place::Collection { above, resource } => match call.request.method {
            Method::GET | Method::HEAD => list::list(call, above, &resource).await,
            Method::POST => create::create(call, above, &resource, body).await,
            _ => options::collection(call, &above, &resource),
        },
        Place::One { above, resource, key } => match call.request.method {
            Method::GET | Method::HEAD => one::get(call, above, &resource, &key).await,
            Method::PATCH if above.is_empty() => one::patch(call, &resource, &key, body).await,
            Method::PUT if above.is_empty() => one::put(call, &resource, &key, body).await,
            Method::DELETE if above.is_empty() => one::delete(call, &resource, &key).await,
            _ => options::one(call, &above, &resource),
        },
        Place::Function { name } => match call.request.method {
            Method::POST => {
                conditional::refuse(call)?;
                call::post(call, &name, body).await
            }
            Method::GET | Method::HEAD => call::get(call, &name).await,
            _ => options::function(call, &name),
        },
    }
}

impl<'a> Call<'a> {
    /// The query string in the shared grammar; `reserved` keys are left over.
    fn parse_query(&self, reserved: fn(&str) -> bool, arguments: bool) -> Result<Parsed<'a>> {
        if self.request.query().is_empty() {
            return Ok(Parsed::default());
        }
        let options = Options { reserved, arguments, ..Options::NATIVE };
        Ok(syntax::parse(self.request.query(), self.api.data.limits(), &options)?)
    }

    /// Runs and reports where the time went.
    async fn run(
        &self,
        request: &bedplate_query::Request,
        options: RunOptions<'_>,
        out: &mut BytesMut,
    ) -> Result<Answer> {
        if let Some(desk) = self.desk {
            let mut answers = desk.run(vec![request.clone()]).await?;
            let (answer, rows) =
                answers.pop().ok_or_else(|| Problem::internal_error("a question got no answer"))?;
            out.extend_from_slice(&rows);
            return Ok(answer);
        }
        let options = RunOptions { within: self.within.map(|attempt| &**attempt), ..options };
        let answer = self.api.data.run(self.ctx, request, options, out).await?;
        self.report.add(Stage::Plan, answer.timings.plan);
        self.report.add(Stage::Wait, answer.timings.wait);
        self.report.add(Stage::Database, answer.timings.wait + answer.timings.database);
        Ok(answer)
    }

    /// What keeps the answer in the request's transaction; not of a dry run, which leaves nothing.
    fn claim(&self, dry_run: bool) -> Option<Arc<Attempt>> {
        self.within.filter(|_| !dry_run).cloned()
    }

    /// The limits that hold for the caller.
    fn limits(&self) -> Limits {
        Limits { page_max: self.api.data.page_max(self.ctx), ..self.api.data.limits().clone() }
    }

    fn preferences(&self) -> Result<Preferences> {
        let preferences = prefer::read(&self.request.headers)?;
        let is_service = self.ctx.principal.kind == bedplate_core::PrincipalKind::Service;
        if preferences.rollback && !is_service {
            return Err(Problem::new(&problems::ROLLBACK_NOT_ALLOWED));
        }
        Ok(preferences)
    }

    fn rendered(&self, from: Instant) {
        self.report.since(Stage::Render, from);
    }
}

fn json(status: StatusCode, body: BytesMut) -> Response {
    Response::json(status, body.freeze())
}

fn with_applied(mut response: Response, preferences: &Preferences) -> Response {
    if !preferences.applied.is_empty()
        && let Ok(value) = HeaderValue::from_str(&preferences.applied.join(", "))
    {
        response.headers.insert(HeaderName::from_static("preference-applied"), value);
    }
    response
}

/// 405 with what is offered instead (RFC 9110 §15.5.6).
fn not_allowed(allow: &str) -> Problem {
    Problem::new(&METHOD_NOT_ALLOWED)
        .header("allow", allow.to_owned())
        .detail(format!("offered here: {allow}"))
}
