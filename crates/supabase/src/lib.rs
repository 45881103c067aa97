//! `/rest/v1`: the PostgREST dialect, as the Supabase clients speak it. A parser and a renderer around the query engine: it
//! reads headers, query strings and bodies by PostgREST 14's rules into the query IR, runs them through `data`, and answers
//! with PostgREST's statuses, headers and error bodies. It writes no SQL.
//!
//! One file for each kind of request (`read`, `write`, `rpc`, `root`, `options`), one for each header that shapes it
//! (`prefer`, `range`, `profile`, `accept`), and `error` for how refusals look.

mod accept;
mod body;
pub mod config;
pub mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod once;
mod openapi;
mod options;
mod prefer;
mod profile;
mod range;
mod read;
mod represent;
mod root;
mod route;
mod rpc;
mod sql_response;
mod timing;
mod write;

use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use bedplate_core::{Ctx, Result};
use bedplate_data::{Answer, Attempt, Data, RunOptions};
use bedplate_http::idempotency;
use bedplate_http::{Access, Handler, Mount, Report, Request, RequestBody, RequestContext, Response, Stage};
use bytes::BytesMut;
use http::{HeaderValue, Method};

pub use config::Config;

use prefer::Preferences;
use profile::Schema;
use route::Place;

/// Where the front door is mounted.
pub const PREFIX: &str = "/rest/v1";

/// Metrics and log labels, one for each kind of request.
pub static CLASSES: &[&str] = &[
    "rest",
    "rest.read",
    "rest.insert",
    "rest.update",
    "rest.upsert",
    "rest.delete",
    "rest.rpc",
    "rest.root",
    "rest.options",
];

/// The front door. Its configuration may be replaced while it serves (settings in the database).
pub struct Rest {
    data: Arc<Data>,
    config: Arc<ArcSwap<Config>>,
    descriptions: openapi::Descriptions,
}

/// What every kind of request gets.
pub(crate) struct Call<'a> {
    pub data: &'a Data,
    pub config: &'a Config,
    pub ctx: &'a Ctx,
    pub report: &'a Report,
    pub request: &'a Request,
    pub schema: Schema<'a>,
    pub preferences: Preferences,
    /// Of a request with an idempotency key: its transaction.
    pub within: Option<&'a Attempt>,
}

impl Rest {
    pub fn new(data: Arc<Data>, config: Arc<ArcSwap<Config>>) -> Self {
        Self { data, config, descriptions: openapi::Descriptions::default() }
    }

    /// The row for the route table.
    pub fn mount(self) -> Mount {
        Mount::new(PREFIX, CLASSES, Access::Key, self)
            .problems(error::render)
            .sql_path_below()
            .calls_below("rpc")
    }
}

impl Handler for Rest {
    async fn handle(&self, context: RequestContext, mut request: Request) -> Result<Response> {
        let started = Instant::now();
        let body = request.body.take();
        let config = self.config.load();
        let place = route::read(&request, &config)?;
        let schema = profile::read(&request, &config)?;
        accept::check(&request.headers)?;
        let mut preferences = prefer::read(&request.headers, &config)?;
        preferences.bound_count(config.counts(context.ctx.principal.kind, schema.name));
        let call = Call {
            data: &self.data,
            config: &config,
            ctx: &context.ctx,
            report: &context.report,
            request: &request,
            schema,
            preferences,
            within: None,
        };
        let mut response = match idempotency::key(&request.method, &request.headers)? {
            None => self.answer(&call, &place, &config, body).await,
            Some(key) => Box::pin(once::answer(self, &call, &place, &config, body, &key)).await,
        }?;
        if config.server_timing {
            timing::apply(&context.report, started, &mut response);
        }
        if let Some(name) = &config.trace_header {
            let sent = request.headers.get(name).cloned();
            response.headers.insert(name.clone(), sent.unwrap_or(HeaderValue::from_static("")));
        }
        Ok(response)
    }
}

impl Rest {
    async fn answer(
        &self,
        call: &Call<'_>,
        place: &Place<'_>,
        config: &Arc<Config>,
        body: RequestBody,
    ) -> Result<Response> {
        let method = &call.request.method;
        match place {
            Place::Relation(name) => match *method {
                Method::GET | Method::HEAD => read::read(call, name).await,
                Method::POST => write::create(call, name, body).await,
                Method::PATCH => write::update(call, name, body).await,
                Method::PUT => write::replace(call, name, body).await,
                Method::DELETE => write::delete(call, name).await,
                Method::OPTIONS => options::relation(call, name),
                _ => Err(error::unsupported_method(method)),
            },
            Place::Function(name) => match *method {
                Method::GET | Method::HEAD => rpc::call(call, name, None).await,
                Method::POST => rpc::call(call, name, Some(body)).await,
                Method::OPTIONS => options::function(call, name),
                _ => Err(error::rpc_method(method)),
            },
            Place::Root => match *method {
                Method::GET | Method::HEAD => root::read(call, config, &self.descriptions).await,
                Method::OPTIONS => Ok(options::root(call)),
                _ => Err(error::unsupported_method(method)),
            },
        }
    }
}

impl Call<'_> {
    /// Runs and reports where the time went.
    pub async fn run(
        &self,
        request: &bedplate_query::Request,
        options: RunOptions<'_>,
        out: &mut BytesMut,
    ) -> Result<Answer> {
        let search_path = self.config.search_path(self.schema.name);
        let zone = self.preferences.timezone.as_deref().map(|zone| ("timezone", zone));
        let settings = zone.as_slice();
        let (door, within) = (Some(&self.config.door), self.within);
        let options = RunOptions { door, search_path, settings, within, ..options };
        let answer = self.data.run(self.ctx, request, options, out).await?;
        self.report.add(Stage::Plan, answer.timings.plan);
        self.report.add(Stage::Wait, answer.timings.wait);
        self.report.add(Stage::Database, answer.timings.wait + answer.timings.database);
        Ok(answer)
    }

    pub fn is_head(&self) -> bool {
        self.request.method == Method::HEAD
    }
}
