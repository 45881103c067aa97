//! Every limit and switch of the HTTP kit. Plain values with safe defaults; the settings crate reads files and
//! environment, and whoever starts the server maps one to the other.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::Problem;
use bedplate_core::redact::Redactor;

use crate::access_line::LineSink;
use crate::rate_limit::RateLimits;
use crate::spans::Tracing;

#[derive(Debug, Clone, Default)]
pub struct Config {
    pub limits: Limits,
    pub timeouts: Timeouts,
    pub cors: Cors,
    pub error_format: ErrorFormat,
    pub compression: Compression,
    /// Host names this listener answers to, without port. `None`: any. In dev and on the admin listener the list protects
    /// against DNS rebinding; `localhost`, `*.localhost`, `127.0.0.1` and `[::1]` are always on it.
    pub allowed_hosts: Option<Vec<String>>,
    /// Whether any IP address will do as a host, beside the names: for probes and scrapers, which call by address. No page
    /// of another site can have one for its name.
    pub allow_addresses: bool,
    /// Peers whose `Forwarded` and `X-Forwarded-*` are believed. From anybody else the headers are removed.
    pub trusted_proxies: Vec<Network>,
    /// In which header those peers write whom they speak for.
    pub forwarded_header: ForwardedHeader,
    /// Clients reach this listener through TLS, whatever the proxy says of a single request.
    pub https: bool,
    /// `Server-Timing` on answers: dev only, timings are an oracle.
    pub server_timing: bool,
    /// One line per request on the tracing target `access`.
    pub access_log: bool,
    /// Where those lines go as JSON, instead of through the subscriber. The target must still be enabled there.
    pub access_lines: Option<Lines>,
    /// Who is told of requests that are traced. `None`: nobody.
    pub tracing: Option<Tracing>,
    /// Takes secrets out of what the access log shows.
    pub redactor: Redactor,
    /// Which request headers the database may see.
    pub sql_headers: SqlHeaders,
    /// How many requests callers may make. `None`: as many as they like.
    pub rate_limits: Option<RateLimits>,
}

impl Config {
    /// Defaults for production: nothing is open that was not asked for.
    pub fn production() -> Self {
        Self { access_log: true, ..Self::default() }
    }

    /// Defaults for `bedplate dev` on a loopback address: browsers on localhost may call, other hosts may not.
    pub fn dev() -> Self {
        Self {
            access_log: true,
            server_timing: true,
            allowed_hosts: Some(Vec::new()),
            cors: Cors { localhost: true, ..Cors::default() },
            timeouts: Timeouts {
                pre_drain: Duration::ZERO,
                idle_drain: Duration::ZERO,
                ..Timeouts::default()
            },
            ..Self::default()
        }
    }
}

/// The header that trusted proxies write and clients cannot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For` and `X-Forwarded-Proto`.
    #[default]
    XForwardedFor,
    /// RFC 7239.
    Forwarded,
}

/// A [`LineSink`], shared.
#[derive(Clone)]
pub struct Lines(pub Arc<dyn LineSink>);

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lines")
    }
}

/// Request headers for SQL's `request.headers`. Credentials never are among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SqlHeaders {
    #[default]
    All,
    /// Only these, in lower case.
    Listed(Vec<String>),
}

impl SqlHeaders {
    pub(crate) fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Listed(names) => names.iter().any(|listed| listed == name),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Limits {
    /// Request line and header section together, bytes. Beyond: 431.
    pub head_bytes: usize,
    /// Number of header lines. Beyond: 431.
    pub headers: usize,
    /// Request target, bytes, at most 65,000. Beyond: 414.
    pub url_bytes: usize,
    /// Request body, bytes, unless the route says otherwise. Beyond: 413.
    pub body_bytes: usize,
    /// Requests being worked on at once. Beyond: 503 at once; health stays responsive.
    pub in_flight: usize,
    /// Open connections; lowered at start when the process may not open that many files.
    pub connections: usize,
    /// Files that are not connections of this listener: the database's sockets, logs, the admin listener.
    pub files_kept: usize,
    /// Open connections of one remote address (of IPv6, one network of 64 bits); loopback and trusted proxies are exempt.
    pub connections_per_address: usize,
    /// Concurrent HTTP/2 streams of one connection.
    pub h2_streams: u32,
    /// Streams that one connection may reset within 30 s before it is closed (rapid reset, CVE-2023-44487).
    pub h2_resets: u32,
    /// Connections that the kernel may hold before they are accepted.
    pub backlog: i32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 32 << 10,
            headers: 100,
            url_bytes: 8 << 10,
            body_bytes: 2 << 20,
            in_flight: 1024,
            connections: 10_000,
            files_kept: 128,
            connections_per_address: 128,
            h2_streams: 128,
            h2_resets: 200,
            backlog: 4096,
        }
    }
}

#[derive(Debug, Clone)]
pub struct Timeouts {
    /// From the first byte of a request (or from connecting) to the end of its head. Beyond: 408.
    pub head: Duration,
    /// An idle connection is closed after this.
    pub keep_alive: Duration,
    /// Longest gap between two pieces of a body. Beyond: 408.
    pub body_gap: Duration,
    /// The whole body. Beyond: 408.
    pub body_total: Duration,
    /// From the head to the answer's head, unless the route says otherwise. Beyond: 504.
    pub request: Duration,
    /// A client that takes no byte of its answer for so long is cut off.
    pub write_idle: Duration,
    /// On shutdown: readiness is off and answers say `connection: close`, but new connections are still taken.
    pub pre_drain: Duration,
    /// After the listener is closed, how long idle connections stay open for a request already on its way.
    pub idle_drain: Duration,
    /// After the listener is closed, how long requests in flight may take.
    pub grace: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(5),
            keep_alive: Duration::from_secs(75),
            body_gap: Duration::from_secs(10),
            body_total: Duration::from_secs(30),
            request: Duration::from_secs(30),
            write_idle: Duration::from_secs(10),
            pre_drain: Duration::from_secs(5),
            idle_drain: Duration::from_secs(1),
            grace: Duration::from_secs(30),
        }
    }
}

/// Cross-origin access. Empty: no origin may read answers.
#[derive(Debug, Clone)]
pub struct Cors {
    /// Exact origins: `https://app.example.com`. Never `*`.
    pub origins: Vec<String>,
    /// Any origin, told as `*`; never with credentials.
    pub any: bool,
    /// What else is told.
    pub manner: CorsManner,
    /// Also `http(s)://localhost:*`, `127.0.0.1:*` and `[::1]:*`. Dev.
    pub localhost: bool,
    /// Cookies and TLS client certificates, for the listed origins.
    pub credentials: bool,
    /// How long a browser may keep a preflight's answer.
    pub max_age: Duration,
}

/// Which methods and headers a preflight allows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CorsManner {
    /// Those that we know.
    #[default]
    Listed,
    /// PostgREST's: whatever headers are asked for, and its list of what scripts may read.
    Postgrest,
}

impl Default for Cors {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            any: false,
            manner: CorsManner::Listed,
            localhost: false,
            credentials: false,
            max_age: Duration::from_mins(10),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ErrorFormat {
    /// RFC 9457, `application/problem+json`.
    #[default]
    Problem,
    /// `{"error":{"code","message","details"}}`.
    Envelope,
}

#[derive(Debug, Clone)]
pub struct Compression {
    pub enabled: bool,
    /// Smaller bodies are sent as they are.
    pub min_bytes: usize,
    /// Larger bodies are compressed away from the threads that serve requests.
    pub offload_bytes: usize,
}

impl Default for Compression {
    fn default() -> Self {
        Self { enabled: true, min_bytes: 1024, offload_bytes: 64 << 10 }
    }
}

/// An address block, `10.0.0.0/8` or `::1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(ip)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                (net.to_bits() ^ ip.to_bits()) & mask == 0
            }
            (IpAddr::V6(net), IpAddr::V6(ip)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                (net.to_bits() ^ ip.to_bits()) & mask == 0
            }
            _ => false,
        }
    }
}

impl std::str::FromStr for Network {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let fault = || {
            Problem::new(&bedplate_core::problem::MALFORMED)
                .detail(format!("{text:?} is not an address or an address block such as 10.0.0.0/8"))
        };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().map_err(|_| fault())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| fault())?;
        let widest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(widest);
        if prefix > widest {
            return Err(fault());
        }
        Ok(Self { address, prefix })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_what_their_prefix_says() {
        let net: Network = "10.1.0.0/16".parse().unwrap();
        assert!(net.contains("10.1.255.3".parse().unwrap()));
        assert!(net.contains("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!net.contains("10.2.0.0".parse().unwrap()));
        assert!(!net.contains("::1".parse().unwrap()));
        let all: Network = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains("203.0.113.9".parse().unwrap()));
        let one: Network = "fd00::1".parse().unwrap();
        assert!(one.contains("fd00::1".parse().unwrap()));
        assert!(!one.contains("fd00::2".parse().unwrap()));
        for bad in ["", "10.0.0.0/33", "example.com", "1.2.3.4/x"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }
}
