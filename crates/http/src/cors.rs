//! CORS (Fetch standard): closed unless origins are listed. An origin is matched whole, so look-alikes with the
//! same beginning or end get nothing, and neither does `null`.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bedplate_core::Problem;
use bedplate_core::problem::MALFORMED;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::config::{Cors, CorsManner};
use crate::idempotency::REPLAYED;
use crate::response::Response;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
/// What a browser's script may send. A list, not an echo: an unknown header is a question to us first. All that Supabase's
/// clients send is among it, and tus (resumable uploads, protocol 1.0.0).
const ALLOWED: HeaderValue = HeaderValue::from_static(
    "accept, accept-language, accept-profile, apikey, authorization, baggage, cache-control, content-language, \
     content-profile, content-type, idempotency-key, if-match, if-modified-since, if-none-match, \
     if-unmodified-since, prefer, range, range-unit, traceparent, tracestate, tus-resumable, upload-concat, \
     upload-defer-length, upload-length, upload-metadata, upload-offset, x-client-info, x-http-method-override, \
     x-region, x-request-id, x-retry-count, x-supabase-api-version, x-upsert",
);
/// What a browser's script may read besides the safelisted headers.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "content-encoding, content-location, content-profile, content-range, etag, idempotency-replayed, link, \
     location, preference-applied, proxy-status, ratelimit, ratelimit-policy, retry-after, server-timing, \
     tus-extension, tus-max-size, tus-resumable, tus-version, upload-expires, upload-length, upload-metadata, \
     upload-offset, www-authenticate, x-request-id, x-total-count",
);

/// PostgREST's methods, in its order.
const POSTGREST_METHODS: HeaderValue =
    HeaderValue::from_static("GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD");
/// What PostgREST lets scripts read.
const POSTGREST_EXPOSED: HeaderValue = HeaderValue::from_static(
    "Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Location, Server, Transfer-Encoding, \
     Range-Unit",
);
const POSTGREST_REPLAYED: HeaderValue = HeaderValue::from_static(
    "Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Location, Server, Transfer-Encoding, \
     Range-Unit, Idempotency-Replayed",
);
const ANY: HeaderValue = HeaderValue::from_static("*");

/// A policy that may be replaced while it is used.
#[derive(Clone)]
pub struct SharedCors(pub(crate) Arc<ArcSwap<CorsPolicy>>);

impl SharedCors {
    /// Fails when an origin cannot be one.
    pub fn new(config: &Cors) -> Result<Self, Problem> {
        Ok(Self(Arc::new(ArcSwap::from_pointee(CorsPolicy::new(config)?))))
    }

    /// For requests from now on.
    pub fn replace(&self, config: &Cors) -> Result<(), Problem> {
        self.0.store(Arc::new(CorsPolicy::new(config)?));
        Ok(())
    }
}

pub(crate) struct CorsPolicy {
    any: bool,
    manner: CorsManner,
    origins: Vec<HeaderValue>,
    localhost: bool,
    credentials: bool,
    max_age: HeaderValue,
}

impl CorsPolicy {
    pub(crate) fn new(config: &Cors) -> Result<Self, Problem> {
        let mut origins = Vec::with_capacity(config.origins.len());
        for origin in &config.origins {
            origins.push(checked(origin)?);
        }
        Ok(Self {
            any: config.any,
            manner: config.manner,
            origins,
            localhost: config.localhost,
            credentials: config.credentials,
            max_age: HeaderValue::from(config.max_age.as_secs()),
        })
    }

    /// Whether answers depend on the origin at all.
    fn is_open(&self) -> bool {
        self.any || self.localhost || !self.origins.is_empty()
    }

    pub(crate) fn allows(&self, origin: &HeaderValue) -> bool {
        self.any || self.origins.contains(origin) || (self.localhost && is_localhost(origin))
    }

    /// The answer to a preflight, when this is one. It comes before authentication, since browsers send
    /// preflights without credentials.
    pub(crate) fn preflight(&self, method: &Method, headers: &HeaderMap) -> Option<Response> {
        let asked = method == Method::OPTIONS
            && headers.contains_key(ORIGIN)
            && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if !asked || !self.is_open() {
            return None;
        }
        let status = match self.manner {
            CorsManner::Listed => StatusCode::NO_CONTENT,
            CorsManner::Postgrest => StatusCode::OK,
        };
        let mut response = Response::empty(status);
        if headers.get(ORIGIN).is_some_and(|origin| self.allows(origin)) {
            let (methods, allowed) = match self.manner {
                CorsManner::Listed => (METHODS, ALLOWED),
                CorsManner::Postgrest => (POSTGREST_METHODS, asked_for(headers)),
            };
            response.headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
            response.headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
            response.headers.insert(ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        }
        Some(response)
    }

    /// The headers of every answer, errors included: a script that may not read an error cannot report it.
    pub(crate) fn apply(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        if !self.is_open() {
            return;
        }
        let exposed = match self.manner {
            CorsManner::Listed => EXPOSED,
            // What PostgREST does not have is told where it is there.
            CorsManner::Postgrest if headers.contains_key(REPLAYED) => POSTGREST_REPLAYED,
            CorsManner::Postgrest => POSTGREST_EXPOSED,
        };
        if self.any {
            // The same for every origin, and so without Vary.
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
            return;
        }
        headers.append(VARY, HeaderValue::from_static("Origin"));
        let Some(origin) = origin.filter(|origin| self.allows(origin)) else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        if self.credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
}

/// `Authorization`, the headers that the preflight asks for, and those that need no asking.
fn asked_for(headers: &HeaderMap) -> HeaderValue {
    let asked = headers.get(ACCESS_CONTROL_REQUEST_HEADERS).and_then(|value| value.to_str().ok());
    let asked = asked.into_iter().flat_map(|names| names.split(',')).map(str::trim);
    let named = asked.filter(|name| !name.is_empty());
    let safe = ["Accept", "Accept-Language", "Content-Language"];
    let all: Vec<&str> = std::iter::once("Authorization").chain(named).chain(safe).collect();
    HeaderValue::try_from(all.join(", ")).unwrap_or(ALLOWED)
}

fn checked(origin: &str) -> Result<HeaderValue, Problem> {
    let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    let plain = |host: &str| {
        !host.is_empty()
            && !host.contains(['/', '*', '?', '#', '@', ' ', ','])
            && *host == host.to_lowercase()
    };
    match HeaderValue::try_from(origin) {
        Ok(value) if host.is_some_and(plain) => Ok(value),
        _ => Err(Problem::new(&MALFORMED)
            .detail(format!("{origin:?} is not an origin that can be allowed"))
            .hint(
                "List origins as a browser sends them: https://app.example.com, lower case, no path, no *",
            )),
    }
}

/// `http://localhost`, with any port; also `https`, 127.0.0.1 and [::1]. Nothing may follow but a port.
fn is_localhost(origin: &HeaderValue) -> bool {
    let Ok(origin) = origin.to_str() else { return false };
    let Some(host) = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://")) else {
        return false;
    };
    ["localhost", "127.0.0.1", "[::1]"].iter().any(|name| {
        host.strip_prefix(name).is_some_and(|rest| {
            rest.is_empty() || rest.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_alikes_are_not_localhost() {
        for good in ["http://localhost", "http://localhost:5173", "https://127.0.0.1:1", "http://[::1]:80"] {
            assert!(is_localhost(&HeaderValue::from_static(good)), "{good}");
        }
        for bad in [
            "null",
            "http://localhost.evil.example",
            "http://localhost:80.evil.example",
            "http://evil-localhost",
            "http://127.0.0.1.evil.example:80",
            "file://localhost",
            "http://localhost:",
        ] {
            assert!(!is_localhost(&HeaderValue::from_static(bad)), "{bad}");
        }
    }

    #[test]
    fn a_star_or_a_path_is_refused_at_start() {
        for bad in ["*", "https://*", "https://a.example/", "a.example", "https://A.example", ""] {
            let config = Cors { origins: vec![bad.to_owned()], ..Cors::default() };
            assert!(CorsPolicy::new(&config).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_supabase_clients_send_and_read_is_listed() {
        let has =
            |list: &HeaderValue, name: &str| list.to_str().unwrap().split(", ").any(|listed| listed == name);
        for name in [
            "apikey",
            "authorization",
            "x-client-info",
            "accept-profile",
            "content-profile",
            "content-type",
            "prefer",
            "range",
            "range-unit",
            "x-supabase-api-version",
            "traceparent",
            "tracestate",
            "baggage",
            "x-retry-count",
            "x-upsert",
            "upload-offset",
        ] {
            assert!(has(&ALLOWED, name), "{name}");
        }
        for name in [
            "content-range",
            "content-location",
            "location",
            "preference-applied",
            "content-profile",
            "x-total-count",
            "link",
            "upload-offset",
        ] {
            assert!(has(&EXPOSED, name), "{name}");
        }
    }
}
