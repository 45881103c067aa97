//! [`Client`]: attempts, redirects, time.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, COOKIE, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, timeout, timeout_at};

use crate::Error;
use crate::breaker::Verdict;
use crate::config::Config;
use crate::connect::{Connector, Means};
use crate::guard::Guard;
use crate::hosts::{Hosts, Pass};
use crate::metrics::{Class, Metrics, Statistics};
use crate::request::Request;
use crate::response::{Response, Streaming};
use crate::retry::{self, Seen};
use crate::target::{Target, Trust};
use crate::tls::Tls;

/// Bytes of an answer's head.
const HEAD: usize = 64 * 1024;
/// How long a connection waits for its next call.
const KEPT: Duration = Duration::from_secs(30);
const AGENT: HeaderValue = HeaderValue::from_static(concat!("bedplate/", env!("CARGO_PKG_VERSION")));
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");

type Hyper = legacy::Client<Connector, Full<Bytes>>;

/// The platform's HTTP client; cheap to clone. Connections are kept apart by trust, so that one which the operator may
/// have is never lent to a stranger.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    configured: Hyper,
    foreign: Hyper,
    hosts: Hosts,
    metrics: Metrics,
}

impl Default for Client {
    fn default() -> Self {
        Self::new(Config::default())
    }
}

impl Client {
    pub fn new(config: Config) -> Self {
        let hosts = Hosts::new(&config);
        let means = Arc::new(Means {
            guard: Guard::new(config.allow),
            names: config.names,
            tls: Tls::new(config.authorities),
            limit: config.connect,
        });
        let hyper = |trust| {
            legacy::Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(KEPT)
                .pool_max_idle_per_host(config.per_host)
                .http1_max_buf_size(HEAD)
                .build(Connector { means: Arc::clone(&means), trust })
        };
        let (configured, foreign) = (hyper(Trust::Configured), hyper(Trust::Foreign));
        Self(Arc::new(Inner { configured, foreign, hosts, metrics: Metrics::default() }))
    }

    /// The answer with its whole body, whatever its status. Repeats where the request allows it, until the time is up.
    ///
    /// # Errors
    /// When there is no answer that keeps the limits.
    pub async fn send(&self, request: Request) -> Result<Response, Error> {
        let class = self.0.metrics.class(request.class);
        let _under_way = class.begin();
        let begun = Instant::now();
        let outcome = self.attempts(&request, &class, begun + request.limits.total).await;
        let told = outcome.as_ref().map(|answer| answer.status);
        note(&request, told, begun);
        class.end(told, begun.elapsed());
        outcome
    }

    /// The head of the answer; its body is read from what comes back. Not repeated, and without a limit in total: only
    /// silence ends it.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn stream(&self, request: Request) -> Result<Streaming, Error> {
        let class = self.0.metrics.class(request.class);
        let begun = Instant::now();
        let outcome = self.hops(&request).await;
        let told = outcome.as_ref().map(|answer| answer.status);
        note(&request, told, begun);
        class.end(told, begun.elapsed());
        outcome
    }

    /// What came of the calls so far.
    pub fn statistics(&self) -> Statistics {
        Statistics { classes: self.0.metrics.classes(), open_breakers: self.0.hosts.open() }
    }

    async fn attempts(&self, request: &Request, class: &Class, until: Instant) -> Result<Response, Error> {
        let after = request.limits.total;
        let mut attempt = 1;
        loop {
            let exchange = async { self.hops(request).await?.whole().await };
            let outcome = timeout_at(until, exchange)
                .await
                .unwrap_or(Err(Error::Timeout { what: "complete answer", after }));
            if attempt >= request.attempts {
                return outcome;
            }
            let seen = match &outcome {
                Ok(answer) => Seen::Answered(answer.status, &answer.headers),
                Err(error) => Seen::Failed(error),
            };
            match retry::wait(&seen, attempt) {
                Some(wait) if Instant::now() + wait < until => tokio::time::sleep(wait).await,
                // Done, or the host wants more time than there is.
                _ => return outcome,
            }
            attempt += 1;
            class.repeat();
        }
    }

    /// One attempt: the request, and the redirects that it may follow.
    async fn hops(&self, request: &Request) -> Result<Streaming, Error> {
        let mut target = request.target.clone();
        let mut headers = request.headers.clone();
        let may_follow = matches!(request.method, Method::GET | Method::HEAD);
        let mut left = if may_follow { request.redirects } else { 0 };
        loop {
            let (answer, pass) = self.exchange(request, &target, &headers).await?;
            let location = answer.headers().get(LOCATION).filter(|_| answer.status().is_redirection());
            let (Some(location), true) = (location, may_follow && request.redirects > 0) else {
                return checked(answer, request, pass);
            };
            left = left.checked_sub(1).ok_or(Error::Redirect("there are too many in a row"))?;
            let location = location.to_str().map_err(|_| Error::Redirect("the address is not plain"))?;
            let next = target.follow(location)?;
            if !next.is_same_origin(&target) {
                // They were meant for the first host.
                headers.remove(AUTHORIZATION);
                headers.remove(COOKIE);
            }
            target = next;
        }
    }

    async fn exchange(
        &self,
        request: &Request,
        target: &Target,
        headers: &HeaderMap,
    ) -> Result<(http::Response<Incoming>, Pass), Error> {
        let limits = &request.limits;
        let mut pass = self.0.hosts.enter(target, limits.first_byte).await?;
        let mut call = http::Request::new(Full::new(request.body.clone()));
        *call.method_mut() = request.method.clone();
        *call.uri_mut() = target.uri()?;
        *call.headers_mut() = headers.clone();
        call.headers_mut().entry(USER_AGENT).or_insert(AGENT);
        call.headers_mut().insert(ACCEPT_ENCODING, IDENTITY);
        let client = match target.trust() {
            Trust::Configured => &self.0.configured,
            Trust::Foreign => &self.0.foreign,
        };
        let answer = timeout(limits.first_byte, client.request(call)).await;
        let answer = match answer {
            Ok(answer) => answer.map_err(failure),
            Err(_) => Err(Error::Timeout { what: "answer", after: limits.first_byte }),
        };
        let verdict = match &answer {
            Ok(answer) if answer.status().is_server_error() => Verdict::Failed,
            Ok(_) => Verdict::Worked,
            Err(error) if error.is_failure_of_host() => Verdict::Failed,
            Err(_) => Verdict::Unknown,
        };
        pass.tell(verdict);
        answer.map(|answer| (answer, pass))
    }
}

fn checked(answer: http::Response<Incoming>, request: &Request, pass: Pass) -> Result<Streaming, Error> {
    let mut codings = answer.headers().get_all(CONTENT_ENCODING).iter();
    if codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Error::Encoded);
    }
    // Said beforehand: then nothing of it is read.
    let limit = request.limits.bytes;
    if hyper::body::Body::size_hint(answer.body()).lower() > limit {
        return Err(Error::TooLarge { limit });
    }
    Ok(Streaming::new(answer, request.limits, pass))
}

fn note(request: &Request, outcome: Result<http::StatusCode, &Error>, begun: Instant) {
    let micros = begun.elapsed().as_micros() as u64;
    let (class, host) = (request.class, request.target.host());
    match outcome {
        Ok(status) => {
            tracing::debug!(target: "outgoing", class, host, status = status.as_u16(), micros, "called");
        }
        Err(error) => tracing::debug!(target: "outgoing", class, host, %error, micros, "a call failed"),
    }
}

/// Ours where it came from the connector; else what hyper says.
fn failure(error: legacy::Error) -> Error {
    let mut source: Option<&(dyn StdError + 'static)> = Some(&error);
    while let Some(inner) = source {
        if let Some(own) = inner.downcast_ref::<Error>() {
            return own.clone();
        }
        source = inner.source();
    }
    Error::Broken(cause(&error))
}

/// The innermost cause, which says the most.
pub(crate) fn cause(error: &dyn StdError) -> String {
    let mut innermost = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        innermost = inner.to_string();
        source = inner.source();
    }
    innermost
}
