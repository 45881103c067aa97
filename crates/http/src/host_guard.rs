//! The guard of listeners that trust their network: dev and admin. A web page anywhere can make a browser call
//! loopback; only the names in `Host` and `Origin` tell (DNS rebinding, CVE-2026-47671).

use std::net::IpAddr;

use bedplate_core::Problem;
use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Uri};

use crate::cors::CorsPolicy;
use crate::problems::{HOST_NOT_ALLOWED, MALFORMED_HTTP};

pub(crate) struct HostGuard {
    names: Vec<String>,
    /// Any IP address will do.
    addresses: bool,
}

/// Where the request says twice for whom it is (`:authority` of HTTP/2 or an absolute target, and `Host`), both must say the
/// same (RFC 9113 §8.3.1): one part of the server may look at one and another at the other.
pub(crate) fn check_one_host(uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(authority) = uri.authority() else { return Ok(()) };
    let mut hosts = headers.get_all(HOST).iter();
    let same = |host: &[u8]| host.eq_ignore_ascii_case(authority.as_str().as_bytes());
    match (hosts.next(), hosts.next()) {
        (None, _) => Ok(()),
        (Some(host), None) if same(host.as_bytes()) => Ok(()),
        _ => Err(Problem::new(&MALFORMED_HTTP).detail("The Host header and the target name different hosts")),
    }
}

impl HostGuard {
    pub(crate) fn new(names: &[String], addresses: bool) -> Self {
        Self { names: names.iter().map(|name| name.to_ascii_lowercase()).collect(), addresses }
    }

    pub(crate) fn check(&self, uri: &Uri, headers: &HeaderMap, cors: &CorsPolicy) -> Result<(), Problem> {
        let host =
            uri.authority().map(http::uri::Authority::as_str).or_else(|| headers.get(HOST)?.to_str().ok());
        let Some(host) = host.filter(|host| self.allows(host)) else {
            return Err(Problem::new(&HOST_NOT_ALLOWED)
                .detail("The Host header names a host that this listener does not serve")
                .hint("Call it as localhost, or add the name to the allowed hosts"));
        };
        let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
        let same = origin.to_str().is_ok_and(|origin| {
            origin.split_once("://").is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
        });
        if same || cors.allows(origin) {
            return Ok(());
        }
        Err(Problem::new(&HOST_NOT_ALLOWED)
            .detail("The page that makes this request comes from an origin that is not allowed here")
            .hint("Serve the page from localhost, or add its origin to the CORS origins"))
    }

    fn allows(&self, host: &str) -> bool {
        let name = without_port(host).to_ascii_lowercase();
        // A name with the root's dot at its end is the same name (RFC 1034 §3.1).
        let name = name.strip_suffix('.').unwrap_or(&name);
        matches!(name, "localhost" | "127.0.0.1" | "[::1]")
            || name.ends_with(".localhost")
            || self.names.iter().any(|listed| listed == name)
            || (self.addresses && is_address(name))
    }
}

fn is_address(name: &str) -> bool {
    match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(inner) => matches!(inner.parse(), Ok(IpAddr::V6(_))),
        None => matches!(name.parse(), Ok(IpAddr::V4(_))),
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.is_empty() => {
            // An IPv6 address has its own colons; only after its bracket is there a port.
            if name.starts_with('[') && !name.ends_with(']') { host } else { name }
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_names_pass() {
        let guard = HostGuard::new(&["Dev.Example".to_owned()], false);
        for good in [
            "localhost",
            "LOCALHOST:80",
            "localhost.",
            "localhost.:80",
            "app.localhost:3000",
            "127.0.0.1:1",
            "[::1]:8080",
            "[::1]",
            "dev.example",
            "DEV.example.:8080",
        ] {
            assert!(guard.allows(good), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            ":80",
            "evil.example",
            "localhost.evil.example",
            "localhost..",
            "evillocalhost",
            "dev.example.evil.example",
            "127.0.0.1.nip.example:80",
            "127.1",
            "2130706433",
            "0x7f.0.0.1",
            "0.0.0.0",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::1",
            "10.0.0.1",
            "evil.example:localhost",
            "localhost:80:80",
            "localhost@evil.example",
            "::1",
        ] {
            assert!(!guard.allows(bad), "{bad}");
        }
    }

    #[test]
    fn where_addresses_will_do_names_still_do_not() {
        let guard = HostGuard::new(&[], true);
        for good in ["10.0.0.7", "10.0.0.7:54322", "[fd00::7]:54322", "[fd00::7]", "0.0.0.0:1", "localhost"] {
            assert!(guard.allows(good), "{good}");
        }
        for bad in [
            "evil.example",
            "10.0.0.7.evil.example",
            "10.7",
            "2130706433",
            "fd00::7",
            "[10.0.0.7]",
            "[fd00::7%25eth0]",
        ] {
            assert!(!guard.allows(bad), "{bad}");
        }
    }

    #[test]
    fn two_hosts_in_one_request_are_refused() {
        let uri = |text: &str| text.parse::<Uri>().unwrap();
        let headers = |hosts: &[&'static str]| -> HeaderMap {
            hosts.iter().map(|host| (HOST, http::HeaderValue::from_static(host))).collect()
        };
        let check =
            |target: &str, hosts: &[&'static str]| check_one_host(&uri(target), &headers(hosts)).is_ok();
        assert!(check("/a", &["anything"]));
        assert!(check("http://localhost:1/a", &[]));
        assert!(check("http://localhost:1/a", &["LOCALHOST:1"]));
        assert!(!check("http://localhost:1/a", &["evil.example"]));
        assert!(!check("http://localhost:1/a", &["localhost"]));
        assert!(!check("http://localhost:1/a", &["localhost:1", "localhost:1"]));
    }
}
