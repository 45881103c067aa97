//! `GET /openapi.json`: the API as OpenAPI 3.1 describes it, for the caller who asks. A pure function of the catalog, the
//! role, the gate and the settings; what the role may not know of is not named. Schemas come from
//! [`bedplate_query::contract`], by which bodies are checked too.
//!
//! | described | in |
//! |---|---|
//! | resources, and paths below others | `resources.rs` |
//! | functions | `functions.rs` |
//! | what stands by itself: health, this document; new routes go there | `platform.rs` |
//! | query parameters and headers that many operations have | `parameters.rs` |
//! | problems, and the statuses of each kind of operation | `answers.rs` |

mod answers;
mod cache;
mod document;
mod functions;
mod names;
mod parameters;
mod platform;
mod resources;

use std::sync::Arc;

use bedplate_core::problem::{NOT_FOUND, UNAUTHENTICATED};
use bedplate_core::{Code, PrincipalKind, Problem, Result};
use bedplate_data::Data;
use bedplate_http::{Access, Handler, Request, RequestContext, Response, Route, etag};
use bedplate_query::catalog::{Catalog, FunctionId, RelationId, RoleId};
use bedplate_query::gate::{Gate, Verb};
use bedplate_query::limits::Limits;
use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH, VARY};
use http::{HeaderValue, Method, StatusCode};

use crate::{CountPolicy, media};
use cache::Descriptions;
pub use platform::{Fixed, Kind};

/// Where it is served.
pub const PATH: &str = "/openapi.json";

/// Who gets a description. Each caller's own: of what the caller's role may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// The service role alone. For all others there is no such path.
    Service,
    SignedIn,
    Everybody,
}

/// What a description says besides the catalog.
pub struct Settings {
    pub audience: Audience,
    /// The API's name.
    pub title: String,
    /// Problems have the shape `{"error": …}`.
    pub envelope: bool,
    /// As [`crate::Config::counts`].
    pub counts: [CountPolicy; 3],
    /// The most operations of a batch.
    pub batch_operations: usize,
    /// Every catalogue of problems that requests can meet.
    pub codes: Vec<&'static Code>,
    /// Routes beside those of this crate.
    pub fixed: Vec<Fixed>,
}

/// The route's handler.
pub struct OpenApi {
    data: Arc<Data>,
    settings: Arc<Settings>,
    descriptions: Descriptions,
}

/// What is described, and for whom.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub catalog: &'a Catalog,
    pub gate: &'a dyn Gate,
    pub limits: &'a Limits,
    pub role: RoleId,
    pub kind: PrincipalKind,
    pub settings: &'a Settings,
}

impl OpenApi {
    pub fn new(data: Arc<Data>, settings: Settings) -> Self {
        Self { data, settings: Arc::new(settings), descriptions: Descriptions::default() }
    }

    /// The row for the route table.
    pub fn route(self) -> Route {
        Route::new(&[Method::GET], PATH, "openapi", Access::Key, self)
    }

    fn admit(&self, kind: PrincipalKind) -> Result<()> {
        match (self.settings.audience, kind) {
            (Audience::Everybody, _) | (_, PrincipalKind::Service) => Ok(()),
            (Audience::SignedIn, PrincipalKind::User) => Ok(()),
            (Audience::SignedIn, PrincipalKind::Anonymous) => Err(Problem::new(&UNAUTHENTICATED)),
            (Audience::Service, _) => Err(Problem::new(&NOT_FOUND)),
        }
    }
}

impl Handler for OpenApi {
    async fn handle(&self, context: RequestContext, request: Request) -> Result<Response> {
        self.admit(context.ctx.principal.kind)?;
        media::check_accept(&request.headers)?;
        let catalog = self.data.catalog();
        let role = self.data.role(&catalog, &context.ctx)?;
        let source = cache::Source {
            catalog,
            gate: self.data.gate(),
            limits: self.data.limits().clone(),
            role,
            kind: context.ctx.principal.kind,
            settings: Arc::clone(&self.settings),
        };
        let described = self.descriptions.get(source).await?;
        let asked = request.headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        let fresh = asked
            .is_some_and(|asked| described.tag.to_str().is_ok_and(|tag| etag::matches_weakly(asked, tag)));
        let response = if fresh {
            Response::empty(StatusCode::NOT_MODIFIED)
        } else {
            Response::json(StatusCode::OK, described.document)
        };
        Ok(response
            .header(ETAG, described.tag)
            .header(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"))
            .header(VARY, HeaderValue::from_static("authorization, apikey")))
    }
}

/// A relation as the role meets it.
#[derive(Clone, Copy)]
pub(crate) struct Resource {
    pub id: RelationId,
    verbs: [bool; 4],
}

const VERBS: [Verb; 4] = [Verb::Select, Verb::Insert, Verb::Update, Verb::Delete];

impl Resource {
    pub fn allows(self, verb: Verb) -> bool {
        VERBS.iter().zip(self.verbs).any(|(known, allowed)| *known == verb && allowed)
    }
}

impl<'a> Scope<'a> {
    /// The relations that the role may do anything with, by name. Of several schemas the first one's counts, as in paths.
    pub fn resources(self) -> Vec<Resource> {
        let mut found: Vec<Resource> = (0..self.catalog.relations.len())
            .map(|at| RelationId(at as u32))
            .filter(|id| self.catalog.find_relation(None, self.name(*id)) == Some(*id))
            .map(|id| {
                let allows = |verb| self.gate.relation(self.catalog, self.role, id, verb).is_ok();
                Resource { id, verbs: VERBS.map(allows) }
            })
            // A resource of that name is shadowed by function calls.
            .filter(|resource| resource.verbs.contains(&true) && self.name(resource.id) != "rpc")
            .collect();
        found.sort_by(|a, b| self.name(a.id).cmp(self.name(b.id)));
        found
    }

    /// The functions that the role may call with named arguments, by name; overloads stand together.
    pub fn functions(self) -> Vec<(&'a str, Vec<FunctionId>)> {
        let mut names: Vec<&str> = self.catalog.functions.iter().map(|f| f.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let callable = |id: &FunctionId| {
            let unnamed = |a: &bedplate_query::catalog::Argument| a.name.is_empty() && !a.has_default;
            !self.catalog.function(*id).arguments.iter().any(unnamed)
                && self.gate.function(self.catalog, self.role, *id).is_ok()
        };
        let overloads = |name: &'a str| {
            let all = self.catalog.find_functions(None, name);
            (name, all.iter().copied().filter(callable).collect::<Vec<_>>())
        };
        names.into_iter().map(overloads).filter(|(_, ids)| !ids.is_empty()).collect()
    }

    pub fn name(self, id: RelationId) -> &'a str {
        self.catalog.relation(id).name.as_str()
    }
}
