//! The route table: one row per route, declared by the crate that serves it; the router, the metrics labels and
//! the coverage tests are read from the same rows.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::Problem;
use bedplate_core::problem::{METHOD_NOT_ALLOWED, NOT_FOUND};
use http::Method;

use crate::authenticate::Authenticator;
use crate::cors::SharedCors;
use crate::handler::{DynHandler, Handler};
use crate::metrics::ClassMetrics;
use crate::problems::Renderer;

/// Who may call a route. What a caller may then do with the data is decided by the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nobody is asked who they are; credentials are not even looked at.
    Public,
    /// The authenticator decides: anonymous callers pass with what it demands of them (a publishable key).
    Key,
    /// A signed-in user or a service.
    SignedIn,
}

/// One row of a route table. A `GET` route answers `HEAD` too.
pub struct Route {
    pub methods: &'static [Method],
    /// `matchit` syntax: `/things/{id}`, `/files/{*path}`.
    pub pattern: &'static str,
    /// The label in metrics and logs, for example `health.live`.
    pub class: &'static str,
    pub access: Access,
    handler: Box<dyn DynHandler>,
    vital: bool,
}

impl Route {
    pub fn new(
        methods: &'static [Method],
        pattern: &'static str,
        class: &'static str,
        access: Access,
        handler: impl Handler,
    ) -> Self {
        Self { methods, pattern, class, access, handler: Box::new(handler), vital: false }
    }

    /// Answered also when the server sheds load: health and metrics, nothing that costs.
    #[must_use]
    pub fn vital(mut self) -> Self {
        self.vital = true;
        self
    }
}

/// A front door: one handler for everything below a prefix. It decides about methods and resources itself.
pub struct Mount {
    /// Without trailing slash: `/api/v1`; `""` for the whole site.
    pub prefix: &'static str,
    /// Metrics labels; the first is the one for requests whose class the handler did not name.
    pub classes: &'static [&'static str],
    pub access: Access,
    handler: Box<dyn DynHandler>,
    options: Options,
}

#[derive(Default)]
pub(crate) struct Options {
    pub(crate) authenticator: Option<Arc<dyn Authenticator>>,
    pub(crate) cors: Option<SharedCors>,
    pub(crate) renderer: Option<Renderer>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) body_limit: Option<usize>,
    pub(crate) sql_path_below: bool,
    pub(crate) calls_below: Option<&'static str>,
}

impl Mount {
    pub fn new(
        prefix: &'static str,
        classes: &'static [&'static str],
        access: Access,
        handler: impl Handler,
    ) -> Self {
        Self { prefix, classes, access, handler: Box::new(handler), options: Options::default() }
    }

    /// Another authenticator than the listener's.
    #[must_use]
    pub fn authenticator(mut self, authenticator: Arc<dyn Authenticator>) -> Self {
        self.options.authenticator = Some(authenticator);
        self
    }

    /// Other origins than the listener's.
    #[must_use]
    pub fn cors(mut self, cors: SharedCors) -> Self {
        self.options.cors = Some(cors);
        self
    }

    /// SQL finds in `request.path` only what comes after the prefix, as behind a gateway that strips it, and the cookies in
    /// `request.cookies`.
    #[must_use]
    pub fn sql_path_below(mut self) -> Self {
        self.options.sql_path_below = true;
        self
    }

    /// The segment below the prefix under which functions are called: they have a rate limit of their own.
    #[must_use]
    pub fn calls_below(mut self, segment: &'static str) -> Self {
        self.options.calls_below = Some(segment);
        self
    }

    /// Renders this front door's problems in a dialect of its own.
    #[must_use]
    pub fn problems(mut self, renderer: Renderer) -> Self {
        self.options.renderer = Some(renderer);
        self
    }

    /// Another deadline than the listener's.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.options.deadline = Some(deadline);
        self
    }

    /// Another body limit than the listener's, bytes.
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.options.body_limit = Some(bytes);
        self
    }
}

pub(crate) struct Endpoint {
    pub(crate) access: Access,
    pub(crate) handler: Box<dyn DynHandler>,
    pub(crate) vital: bool,
    /// Length of the mount's prefix, 0 for plain routes.
    pub(crate) mounted_at: usize,
    pub(crate) options: Options,
    /// Never empty; the first is the default.
    pub(crate) classes: Vec<Arc<ClassMetrics>>,
}

impl Endpoint {
    /// The metrics of a class by its name; the default's when it was not declared.
    pub(crate) fn metrics(&self, class: Option<&'static str>) -> Option<&Arc<ClassMetrics>> {
        class.and_then(|name| self.classes.iter().find(|c| c.name() == name)).or(self.classes.first())
    }
}

/// What one pattern offers.
struct Resource {
    by_method: Vec<(&'static Method, Arc<Endpoint>)>,
    any: Option<Arc<Endpoint>>,
}

impl Resource {
    fn allow(&self) -> String {
        let mut names: Vec<&str> = self.by_method.iter().map(|(method, _)| method.as_str()).collect();
        if names.contains(&"GET") && !names.contains(&"HEAD") {
            names.push("HEAD");
        }
        names.push("OPTIONS");
        names.join(", ")
    }
}

pub(crate) enum Matched {
    Endpoint {
        endpoint: Arc<Endpoint>,
        params: Vec<(String, String)>,
    },
    /// `OPTIONS` on a plain route: the methods it has.
    Options {
        allow: String,
    },
}

pub(crate) struct Router {
    paths: matchit::Router<Resource>,
}

impl Router {
    /// Builds the router. Two rows for the same pattern and method, or patterns that contradict each other, are
    /// a programming error and refuse the start.
    pub(crate) fn build(
        routes: Vec<Route>,
        mounts: Vec<Mount>,
        mut metrics: impl FnMut(&'static str) -> Arc<ClassMetrics>,
    ) -> Result<Self, Problem> {
        let mut table: Vec<(String, Resource)> = Vec::new();
        for route in routes {
            let endpoint = Arc::new(Endpoint {
                access: route.access,
                handler: route.handler,
                vital: route.vital,
                mounted_at: 0,
                options: Options::default(),
                classes: vec![metrics(route.class)],
            });
            let position = table.iter().position(|(pattern, _)| pattern == route.pattern);
            let at = position.unwrap_or_else(|| {
                table.push((route.pattern.to_owned(), Resource { by_method: Vec::new(), any: None }));
                table.len() - 1
            });
            for method in route.methods {
                let resource = &mut table[at].1;
                if resource.by_method.iter().any(|(known, _)| *known == method) {
                    return Err(twice(&format!("{method} {}", route.pattern)));
                }
                resource.by_method.push((method, Arc::clone(&endpoint)));
            }
        }
        for mount in mounts {
            let endpoint = Arc::new(Endpoint {
                access: mount.access,
                handler: mount.handler,
                vital: false,
                mounted_at: mount.prefix.len(),
                options: mount.options,
                classes: mount.classes.iter().copied().map(&mut metrics).collect(),
            });
            for tail in ["", "/", "/{*rest}"] {
                let pattern = [mount.prefix, tail].concat();
                if !pattern.is_empty() {
                    let resource = Resource { by_method: Vec::new(), any: Some(Arc::clone(&endpoint)) };
                    table.push((pattern, resource));
                }
            }
        }
        let mut paths = matchit::Router::new();
        for (pattern, resource) in table {
            paths.insert(pattern.as_str(), resource).map_err(|_| twice(&pattern))?;
        }
        Ok(Self { paths })
    }

    pub(crate) fn find(&self, method: &Method, path: &str) -> Result<Matched, Problem> {
        if path == "*" && method == Method::OPTIONS {
            // About the server as a whole (RFC 9110 §9.3.7): all that some resource may offer.
            return Ok(Matched::Options { allow: "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS".to_owned() });
        }
        let Ok(found) = self.paths.at(path) else {
            return Err(Problem::new(&NOT_FOUND));
        };
        let resource = found.value;
        let wanted = |wanted: &Method| resource.by_method.iter().find(|(known, _)| *known == wanted);
        let row = wanted(method).or_else(|| (method == Method::HEAD).then(|| wanted(&Method::GET)).flatten());
        if let Some(endpoint) = row.map(|(_, endpoint)| endpoint).or(resource.any.as_ref()) {
            let own = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
            let params =
                if endpoint.mounted_at > 0 { Vec::new() } else { found.params.iter().map(own).collect() };
            return Ok(Matched::Endpoint { endpoint: Arc::clone(endpoint), params });
        }
        if method == Method::OPTIONS {
            return Ok(Matched::Options { allow: resource.allow() });
        }
        Err(Problem::new(&METHOD_NOT_ALLOWED).header("allow", resource.allow()))
    }
}

fn twice(what: &str) -> Problem {
    Problem::internal_error(format!("the route table has {what} twice, or in conflict with another pattern"))
}
