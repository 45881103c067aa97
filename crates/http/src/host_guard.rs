//! The guard of listeners that trust their network: dev and admin. A web page anywhere can make a browser call
//! loopback; only the names in `Host` and `Origin` tell (DNS rebinding, CVE-2026-47671).

use bedplate_core::Problem;
use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Uri};

use crate::cors::CorsPolicy;
use crate::problems::HOST_NOT_ALLOWED;

pub(crate) struct HostGuard {
    names: Vec<String>,
}

impl HostGuard {
    pub(crate) fn new(names: &[String]) -> Self {
        Self { names: names.iter().map(|name| name.to_ascii_lowercase()).collect() }
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
        matches!(name.as_str(), "localhost" | "127.0.0.1" | "[::1]")
            || name.ends_with(".localhost")
            || self.names.contains(&name)
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
        let guard = HostGuard::new(&["Dev.Example".to_owned()]);
        for good in [
            "localhost",
            "LOCALHOST:80",
            "app.localhost:3000",
            "127.0.0.1:1",
            "[::1]:8080",
            "[::1]",
            "dev.example",
        ] {
            assert!(guard.allows(good), "{good}");
        }
        for bad in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.nip.example:80",
            "evil.example:localhost",
            "::1",
        ] {
            assert!(!guard.allows(bad), "{bad}");
        }
    }
}
