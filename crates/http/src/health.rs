//! Health: `live` says that the process answers, `ready` that it can do its work. Readiness is asked of the
//! registered checks, all at once, and kept for a second, so that probing costs nothing however often it comes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::Problem;
use bedplate_core::problem::SHUTTING_DOWN;
use bytes::Bytes;
use futures_util::future::join_all;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, StatusCode};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::handler::{BoxFuture, handler_fn};
use crate::metrics::Metrics;
use crate::problems::NOT_READY;
use crate::response::Response;
use crate::routes::{Access, Route};
use crate::shutdown::Shutdown;

/// How long an answer of the checks is good for.
const CACHED: Duration = Duration::from_secs(1);
/// A check that takes longer has failed.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// What is wrong, for anybody to read: no address, no user name, no SQL.
pub type Fault = std::borrow::Cow<'static, str>;

type Check = Box<dyn Fn() -> BoxFuture<'static, Result<(), Fault>> + Send + Sync>;

pub struct Health {
    checks: Vec<(&'static str, Check)>,
    shutdown: Shutdown,
    last: Mutex<Option<(Instant, Arc<Faults>)>>,
}

type Faults = BTreeMap<&'static str, Fault>;

impl Health {
    pub fn new(shutdown: Shutdown) -> Self {
        Self { checks: Vec::new(), shutdown, last: Mutex::new(None) }
    }

    /// Adds a part that must work for the server to be ready: `database`, `migrations`.
    #[must_use]
    pub fn check<F, Fut>(mut self, name: &'static str, check: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Fault>> + Send + 'static,
    {
        self.checks.push((name, Box::new(move || Box::pin(check()))));
        self
    }

    /// Whether every part works; otherwise 503 with each failing part in `details`.
    pub async fn ready(&self) -> Result<(), Problem> {
        if self.shutdown.is_draining() {
            return Err(Problem::new(&SHUTTING_DOWN));
        }
        let faults = self.faults().await;
        if faults.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = faults.keys().copied().collect();
        let problem = Problem::new(&NOT_READY).detail(format!("Not working: {}", names.join(", ")));
        Err(faults.iter().fold(problem, |problem, (name, fault)| problem.field(*name, fault.as_ref())))
    }

    async fn faults(&self) -> Arc<Faults> {
        // Held while checking on purpose: a hundred probes at once ask the database once.
        let mut last = self.last.lock().await;
        if let Some((at, faults)) = last.as_ref()
            && at.elapsed() < CACHED
        {
            return Arc::clone(faults);
        }
        let results = join_all(self.checks.iter().map(|(name, check)| async move {
            let outcome = tokio::time::timeout(CHECK_TIMEOUT, check()).await;
            let fault = outcome.unwrap_or(Err(Fault::Borrowed("did not answer in time"))).err();
            fault.map(|fault| (*name, fault))
        }))
        .await;
        let faults: Arc<Faults> = Arc::new(results.into_iter().flatten().collect());
        *last = Some((Instant::now(), Arc::clone(&faults)));
        faults
    }
}

/// `/health/live` and `/health/ready`.
pub fn health_routes(health: Arc<Health>) -> Vec<Route> {
    let live = handler_fn(|_, _| async {
        Ok(Response::json(StatusCode::OK, Bytes::from_static(br#"{"status":"live"}"#)))
    });
    let ready = handler_fn(move |_, _| {
        let health = Arc::clone(&health);
        async move {
            health.ready().await?;
            Ok(Response::json(StatusCode::OK, Bytes::from_static(br#"{"status":"ready"}"#)))
        }
    });
    const GET: &[Method] = &[Method::GET];
    vec![
        Route::new(GET, "/health/live", "health.live", Access::Public, live).vital(),
        Route::new(GET, "/health/ready", "health.ready", Access::Public, ready).vital(),
    ]
}

/// `/metrics`, for the admin listener only.
pub fn metrics_route(metrics: Arc<Metrics>) -> Route {
    const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let handler = handler_fn(move |_, _| {
        let body = metrics.render();
        async move {
            let response = Response::text(StatusCode::OK, body);
            Ok(response.header(CONTENT_TYPE, HeaderValue::from_static(OPENMETRICS)))
        }
    });
    Route::new(&[Method::GET], "/metrics", "metrics", Access::Public, handler).vital()
}
