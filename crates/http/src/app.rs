//! [`App`]: what one listener serves: its routes, who authenticates, and its limits.

use std::sync::Arc;

use bedplate_core::{Principal, Problem};
use http::HeaderValue;

use crate::authenticate::{Anonymous, Authenticator};
use crate::config::Config;
use crate::cors::CorsPolicy;
use crate::host_guard::HostGuard;
use crate::metrics::{ClassMetrics, Metrics, Samples};
use crate::rate_limit::Limiter;
use crate::routes::{Mount, Route, Router};
use crate::shutdown::Shutdown;

pub struct App {
    pub(crate) config: Config,
    pub(crate) router: Router,
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) anonymous: Arc<Principal>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) shutdown: Shutdown,
    pub(crate) cors: CorsPolicy,
    pub(crate) host_guard: Option<HostGuard>,
    pub(crate) limiter: Option<Arc<Limiter>>,
    /// For requests that end before a route is known.
    pub(crate) unrouted: Arc<ClassMetrics>,
    /// For requests that HTTP itself could not read.
    pub(crate) malformed: Arc<ClassMetrics>,
}

pub struct Builder {
    config: Config,
    routes: Vec<Route>,
    mounts: Vec<Mount>,
    authenticator: Arc<dyn Authenticator>,
    metrics: Arc<Metrics>,
    shutdown: Shutdown,
}

impl App {
    /// Starts with no routes, everybody anonymous, its own metrics and its own shutdown.
    pub fn builder(config: Config) -> Builder {
        Builder {
            config,
            routes: Vec::new(),
            mounts: Vec::new(),
            authenticator: Arc::new(Anonymous::default()),
            metrics: Arc::default(),
            shutdown: Shutdown::default(),
        }
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }
}

impl Builder {
    #[must_use]
    pub fn routes(mut self, routes: impl IntoIterator<Item = Route>) -> Self {
        self.routes.extend(routes);
        self
    }

    #[must_use]
    pub fn mount(mut self, mount: Mount) -> Self {
        self.mounts.push(mount);
        self
    }

    #[must_use]
    pub fn authenticator(mut self, authenticator: Arc<dyn Authenticator>) -> Self {
        self.authenticator = authenticator;
        self
    }

    /// Metrics shared with other listeners.
    #[must_use]
    pub fn metrics(mut self, metrics: Arc<Metrics>) -> Self {
        self.metrics = metrics;
        self
    }

    /// A shutdown shared with other listeners.
    #[must_use]
    pub fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.shutdown = shutdown;
        self
    }

    /// Fails when two rows of the route table contradict each other, or a setting cannot be used.
    pub fn build(self) -> Result<Arc<App>, Problem> {
        let metrics = self.metrics;
        let router = Router::build(self.routes, self.mounts, |class| metrics.class(class))?;
        let cors = CorsPolicy::new(&self.config.cors)?;
        let host_guard = self.config.allowed_hosts.as_deref();
        let host_guard = host_guard.map(|names| HostGuard::new(names, self.config.allow_addresses));
        let limiter = self.config.rate_limits.as_ref().map(|limits| Arc::new(Limiter::new(limits)));
        if let Some(limiter) = limiter.clone() {
            metrics.register(move |samples: &mut Samples| limiter.samples(samples));
        }
        Ok(Arc::new(App {
            router,
            cors,
            host_guard,
            limiter,
            authenticator: self.authenticator,
            anonymous: Arc::new(Principal::anonymous("anon")),
            unrouted: metrics.class("unrouted"),
            malformed: metrics.class("malformed"),
            metrics,
            shutdown: self.shutdown,
            config: self.config,
        }))
    }
}

pub(crate) const CLOSE: HeaderValue = HeaderValue::from_static("close");
