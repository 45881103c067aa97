//! `OPTIONS`: which methods a resource takes. As PostgREST tells it, by what the object is; and by what the gate serves, so
//! where the gate hides everything there is nothing (404).
//!
//! Of a function's overloads one may be called by `GET` and another not: what one of them takes is told. Preflights of
//! browsers do not come here: the HTTP kit answers them.

use bedplate_core::problem::NOT_FOUND;
use bedplate_core::{Problem, Result};
use bedplate_http::Response;
use bedplate_query::catalog::{Catalog, Function, Relation, RelationId, RoleId, Volatility};
use bedplate_query::gate::{Gate, Verb};
use bedplate_query::request::{self, Arguments, Call as Invoked, Node, Read, Style, Target};
use bedplate_query::{Operation, plan};
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, ORIGIN};
use http::{HeaderValue, StatusCode};

use crate::Call;

/// Which methods a table or view takes.
pub(crate) fn relation(call: &Call<'_>, name: &str) -> Result<Response> {
    call.report.set_class("rest.options");
    let scope = Scope::of(call)?;
    let found = scope.catalog.find_relation(Some(call.schema.name), name);
    let methods = found.map(|id| scope.methods(id, scope.catalog.relation(id))).unwrap_or_default();
    if methods.is_empty() {
        let target = scope.target(name);
        let node = Node::default();
        let read = Read { target, parents: Vec::new(), node, count: None, style: Style::POSTGREST };
        return Err(scope.refusal(&Operation::Read(read)));
    }
    Ok(answer(call, &methods))
}

/// Which methods a function takes.
pub(crate) fn function(call: &Call<'_>, name: &str) -> Result<Response> {
    call.report.set_class("rest.options");
    let scope = Scope::of(call)?;
    let overloads = scope.catalog.find_functions(Some(call.schema.name), name).iter();
    let served = overloads.filter(|id| scope.gate.function(&scope.catalog, scope.role, **id).is_ok());
    let served: Vec<&Function> = served.map(|id| scope.catalog.function(*id)).collect();
    if served.is_empty() {
        let invoked = Invoked {
            function: scope.target(name),
            arguments: Arguments::Named(Vec::new()),
            node: Node::default(),
            count: None,
            read_only: true,
            style: Style::POSTGREST,
        };
        return Err(scope.refusal(&Operation::Call(invoked)));
    }
    let reads = served.iter().any(|function| function.volatility != Volatility::Volatile);
    Ok(answer(call, if reads { &["GET", "HEAD", "POST"] } else { &["POST"] }))
}

/// The root takes reads only.
pub(crate) fn root(call: &Call<'_>) -> Response {
    call.report.set_class("rest.options");
    answer(call, &["GET", "HEAD"])
}

fn answer(call: &Call<'_>, methods: &[&str]) -> Response {
    let mut response = Response::empty(StatusCode::OK);
    // PostgREST says so whoever asks. What a browser's script may read is the HTTP kit's decision; other callers send no
    // origin.
    if !call.request.headers.contains_key(ORIGIN) {
        response.headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    if let Ok(allow) = HeaderValue::try_from(format!("OPTIONS,{}", methods.join(","))) {
        response.headers.insert(ALLOW, allow);
    }
    response
}

/// What decides.
struct Scope<'a> {
    call: &'a Call<'a>,
    catalog: std::sync::Arc<Catalog>,
    gate: &'a dyn Gate,
    role: RoleId,
}

impl<'a> Scope<'a> {
    fn of(call: &'a Call<'a>) -> Result<Self> {
        let catalog = call.data.catalog();
        let role = call.data.role(&catalog, call.ctx)?;
        Ok(Self { call, catalog, gate: &*call.config.door.gate, role })
    }

    fn methods(&self, id: RelationId, relation: &Relation) -> Vec<&'static str> {
        let serves = |verb| self.gate.relation(&self.catalog, self.role, id, verb).is_ok();
        let insert = relation.insertable && serves(Verb::Insert);
        let update = relation.updatable && serves(Verb::Update);
        let mut methods = Vec::new();
        if serves(Verb::Select) {
            methods.extend(["GET", "HEAD"]);
        }
        if insert {
            methods.push("POST");
        }
        if insert && update && !relation.primary_key.is_empty() {
            methods.push("PUT");
        }
        if update {
            methods.push("PATCH");
        }
        if relation.deletable && serves(Verb::Delete) {
            methods.push("DELETE");
        }
        methods
    }

    fn target(&self, name: &str) -> Target {
        Target { schema: Some(request::Name::from(self.call.schema.name)), name: name.into() }
    }

    /// What a request for it would be told.
    fn refusal(&self, operation: &Operation) -> Problem {
        let limits = &self.call.config.door.limits;
        match plan::resolve(&self.catalog, self.role, self.gate, limits, operation) {
            Err(problem) => problem,
            Ok(_) => Problem::new(&NOT_FOUND),
        }
    }
}
