//! [`Target`]: a URL that may be called as far as its text says. Where it leads is checked when it is connected to.

use std::fmt;
use std::net::IpAddr;

use http::Uri;
use url::{Host, Url};

use crate::Error;

/// Longer URLs are not read.
const LONGEST: usize = 8 * 1024;

/// Who wrote a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// The operator, in the settings: to write a host down is to allow it.
    Configured,
    /// Anybody else.
    Foreign,
}

/// Where a call goes. Shown without its query, which may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    url: Url,
    host: String,
    port: u16,
    secure: bool,
    trust: Trust,
}

impl Target {
    /// A URL of the settings.
    ///
    /// # Errors
    /// When the URL is not one that may be called: see [`Target::foreign`].
    pub fn configured(url: &str) -> Result<Self, Error> {
        Self::parse(url, Trust::Configured)
    }

    /// A URL that came from a user, or over the network.
    ///
    /// # Errors
    /// When it is no `http` or `https` URL, has a user name or password in it, or spells its host oddly: IPv4 in
    /// octal, hexadecimal, in one number or with parts left out, percent-encoded, or not in ASCII. Such spellings have
    /// no use but to be read differently by two programs.
    pub fn foreign(url: &str) -> Result<Self, Error> {
        Self::parse(url, Trust::Foreign)
    }

    fn parse(text: &str, trust: Trust) -> Result<Self, Error> {
        let refuse = |why: &str| Error::Url(why.to_owned());
        if text.len() > LONGEST {
            return Err(refuse("it is too long"));
        }
        if !text.is_ascii() {
            return Err(refuse(
                "it has characters outside ASCII; write an international name in its xn-- form",
            ));
        }
        if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f || byte == b'\\') {
            return Err(refuse("it has spaces, control characters or backslashes"));
        }
        let (scheme, rest) =
            text.split_once("://").ok_or_else(|| refuse("it must begin with https:// or http://"))?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(refuse("it must begin with https:// or http://")),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(refuse("a user name or password must not stand in it"));
        }
        let mut url = Url::parse(text).map_err(|error| refuse(&error.to_string()))?;
        url.set_fragment(None);
        let host = host(&url, authority).ok_or_else(|| refuse("its host is not written plainly"))?;
        let port =
            url.port_or_known_default().filter(|port| *port != 0).ok_or_else(|| refuse("it has no port"))?;
        let target = Self { url, host, port, secure, trust };
        target.uri()?;
        Ok(target)
    }

    /// Where a redirect leads. It keeps the trust only where it stays on the same host and port.
    pub(crate) fn follow(&self, location: &str) -> Result<Self, Error> {
        if location.bytes().any(|byte| byte <= b' ' || byte == b'\\' || !byte.is_ascii()) {
            return Err(Error::Redirect("the address is not plain"));
        }
        // A host in any form has to pass the strict reading, so an absolute address is not joined but read.
        let is_absolute =
            location.starts_with("//") || location.split_once("://").is_some_and(|(s, _)| is_scheme(s));
        let text = match (is_absolute, location.starts_with("//")) {
            (true, true) => format!("{}:{location}", self.url.scheme()),
            (true, false) => location.to_owned(),
            (false, _) => self.url.join(location).map_err(|_| Error::Redirect("the address is none"))?.into(),
        };
        let mut next = Self::parse(&text, Trust::Foreign)?;
        if self.secure && !next.secure {
            return Err(Error::Redirect("from https to http"));
        }
        if self.is_same_origin(&next) {
            next.trust = self.trust;
        }
        Ok(next)
    }

    pub(crate) fn is_same_origin(&self, other: &Self) -> bool {
        (self.secure, &self.host, self.port) == (other.secure, &other.host, other.port)
    }

    /// A URL that this target's answer named: trusted as this one where it is on the same host and port, else foreign.
    ///
    /// # Errors
    /// As [`Target::foreign`].
    pub fn named_by_answer(&self, url: &str) -> Result<Self, Error> {
        let mut named = Self::foreign(url)?;
        if self.is_same_origin(&named) {
            named.trust = self.trust;
        }
        Ok(named)
    }

    /// As hyper wants it.
    pub(crate) fn uri(&self) -> Result<Uri, Error> {
        let scheme = if self.secure { "https" } else { "http" };
        let shown = match self.address() {
            Some(IpAddr::V6(address)) => format!("[{address}]"),
            _ => self.host.clone(),
        };
        let authority = match self.url.port() {
            Some(port) => format!("{shown}:{port}"),
            None => shown,
        };
        let query = self.url.query().map(|query| format!("?{query}")).unwrap_or_default();
        Uri::builder()
            .scheme(scheme)
            .authority(authority)
            .path_and_query(format!("{}{query}", self.url.path()))
            .build()
            .map_err(|error| Error::Url(error.to_string()))
    }

    /// Lower case, without a dot at the end, IPv6 without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the scheme is `https`.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    pub(crate) fn trust(&self) -> Trust {
        self.trust
    }

    /// The host, where it is an address.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// Whether the host is this machine by its very text: `localhost`, `127.0.0.1`, `[::1]`.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.address().is_some_and(|address| address.is_loopback())
    }
}

fn is_scheme(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

/// The host as it is called, when the URL's own text says the same.
fn host(url: &Url, authority: &str) -> Option<String> {
    let written = match authority.strip_prefix('[') {
        Some(inner) => inner.split_once(']')?.0,
        None => authority.split(':').next()?,
    };
    match url.host()? {
        Host::Ipv4(address) => (written == address.to_string()).then(|| address.to_string()),
        Host::Ipv6(address) => (written.parse() == Ok(address)).then(|| address.to_string()),
        Host::Domain(domain) => {
            let name = domain.strip_suffix('.').unwrap_or(domain);
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
            let fine = written.eq_ignore_ascii_case(domain) && !name.is_empty() && name.bytes().all(plain);
            (fine && name.len() <= 253).then(|| name.to_owned())
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.url.clone();
        shown.set_query(None);
        write!(f, "{shown}")
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self}, {:?})", self.trust)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_urls_are_taken_as_they_are() {
        for (text, uri) in [
            ("https://Example.com/a?b=c#d", "https://example.com/a?b=c"),
            ("http://example.com.:8080", "http://example.com:8080/"),
            ("https://127.0.0.1/", "https://127.0.0.1/"),
            ("https://[0:0::1]:9/x", "https://[::1]:9/x"),
            ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
            ("https://h/a b".replace(' ', "%20").as_str(), "https://h/a%20b"),
        ] {
            assert_eq!(Target::foreign(text).unwrap().uri().unwrap(), uri);
        }
        let shown = Target::configured("https://h/a?key=s3cret").unwrap();
        assert_eq!(format!("{shown} {shown:?}"), "https://h/a Target(https://h/a, Configured)");
    }

    #[test]
    fn a_redirect_keeps_trust_on_its_own_host_only_and_never_leaves_https() {
        let from = Target::configured("https://a.test/x/y").unwrap();
        let to = |location| from.follow(location);
        assert_eq!(to("/z?q=1").unwrap().uri().unwrap(), "https://a.test/z?q=1");
        assert_eq!(to("/z").unwrap().trust(), Trust::Configured);
        assert_eq!(to("z").unwrap().uri().unwrap(), "https://a.test/x/z");
        assert_eq!(to("https://b.test/").unwrap().trust(), Trust::Foreign);
        assert_eq!(to("//b.test/").unwrap().host(), "b.test");
        assert_eq!(to("https://a.test:8443/").unwrap().trust(), Trust::Foreign);
        for bad in [
            "http://a.test/",
            "ftp://a.test/",
            "https://u:p@a.test/",
            "https://0x7f000001/",
            "\\\\b",
            "https://%6c",
        ] {
            assert!(to(bad).is_err(), "{bad}");
        }
    }
}
