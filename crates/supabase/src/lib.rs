//! `/rest/v1`: the PostgREST dialect, as the Supabase clients speak it. A parser and a renderer around the query engine: it
//! reads headers, query strings and bodies by PostgREST 14's rules into the query IR, runs them through `data`, and answers
//! with PostgREST's statuses, headers and error bodies. It writes no SQL.
//!
//! One file for each kind of request (`read`, `write`, `rpc`, `root`, `options`), one for each header that shapes it
//! (`prefer`, `range`, `profile`, `accept`), and `error` for how refusals look.

mod accept;
pub mod config;
pub mod error;
mod prefer;
mod profile;
mod range;
mod read;
mod route;

use std::sync::Arc;

use arc_swap::ArcSwap;
use bedplate_core::{Ctx, Result};
use bedplate_data::{Answer, Data, RunOptions};
use bedplate_http::{Access, Handler, Mount, Report, Request, RequestContext, Response, Stage};
use bytes::BytesMut;
use http::Method;

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
}

impl Rest {
    pub fn new(data: Arc<Data>, config: Arc<ArcSwap<Config>>) -> Self {
        Self { data, config }
    }

    /// The row for the route table.
    pub fn mount(self) -> Mount {
        Mount::new(PREFIX, CLASSES, Access::Key, self).problems(error::render)
    }
}

impl Handler for Rest {
    async fn handle(&self, context: RequestContext, mut request: Request) -> Result<Response> {
        let _body = request.body.take();
        let config = self.config.load();
        let place = route::read(&request, &config)?;
        let schema = profile::read(&request, &config)?;
        let preferences = prefer::read(&request.headers, &config)?;
        let call = Call {
            data: &self.data,
            config: &config,
            ctx: &context.ctx,
            report: &context.report,
            request: &request,
            schema,
            preferences,
        };
        match place {
            Place::Relation(name) => match request.method {
                Method::GET | Method::HEAD => read::read(&call, &name).await,
                _ => Err(error::unsupported_method(&request.method)),
            },
            Place::Function(_) => Err(error::rpc_method(&request.method)),
            Place::Root => Err(error::unsupported_method(&request.method)),
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
        let options = RunOptions { door: Some(&self.config.door), ..options };
        let answer = self.data.run(self.ctx, request, options, out).await?;
        self.report.add(Stage::Plan, answer.timings.plan);
        self.report.add(Stage::Database, answer.timings.wait + answer.timings.database);
        Ok(answer)
    }

    pub fn is_head(&self) -> bool {
        self.request.method == Method::HEAD
    }
}
