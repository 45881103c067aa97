//! Where the description says that the server is reached.

use bedplate_http::Request;
use http::Uri;
use http::header::HOST;
use serde_json::json;

use crate::PREFIX;
use crate::config::OpenApi;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Server {
    scheme: &'static str,
    /// Host and port.
    host: String,
    base_path: String,
}

impl Server {
    /// The configured address, else the one that the request was sent to.
    pub fn of(request: &Request, config: &OpenApi) -> Self {
        config.proxy_uri.as_deref().and_then(Self::configured).unwrap_or_else(|| Self {
            scheme: if request.secure { "https" } else { "http" },
            host: asked(request).unwrap_or_else(|| config.address.clone()),
            base_path: PREFIX.to_owned(),
        })
    }

    /// From `openapi-server-proxy-uri`. The port is always told.
    fn configured(uri: &str) -> Option<Self> {
        let uri: Uri = uri.parse().ok()?;
        let (scheme, usual_port) = match uri.scheme_str()? {
            "http" => ("http", 80),
            _ => ("https", 443),
        };
        let host = format!("{}:{}", uri.host()?, uri.port_u16().unwrap_or(usual_port));
        Some(Self { scheme, host, base_path: uri.path().to_owned() })
    }

    /// The document that `described` is the greater part of.
    pub fn write(&self, described: &[u8]) -> Vec<u8> {
        let own = json!({
            "swagger": "2.0",
            "host": self.host,
            "basePath": self.base_path,
            "schemes": [self.scheme],
        })
        .to_string();
        let own = own.strip_suffix('}').unwrap_or(&own);
        let described = described.strip_prefix(b"{").unwrap_or(described);
        let mut document = Vec::with_capacity(own.len() + 1 + described.len());
        document.extend_from_slice(own.as_bytes());
        document.push(b',');
        document.extend_from_slice(described);
        document
    }
}

/// The authority that the client used, when it is one.
fn asked(request: &Request) -> Option<String> {
    let header = request.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = request.uri.authority().map(|authority| authority.as_str()).or(header)?;
    let authority: http::uri::Authority = host.parse().ok()?;
    (!authority.as_str().contains('@')).then(|| authority.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(scheme: &'static str, host: &str, base_path: &str) -> Server {
        Server { scheme, host: host.into(), base_path: base_path.into() }
    }

    #[test]
    fn the_configured_address_has_a_port_and_a_path() {
        let at = Server::configured;
        assert_eq!(
            at("https://postgrest.com/openapi.json"),
            Some(server("https", "postgrest.com:443", "/openapi.json"))
        );
        assert_eq!(at("http://a.example:8080"), Some(server("http", "a.example:8080", "/")));
        assert_eq!(at("a.example"), None);
    }

    #[test]
    fn the_two_parts_make_one_object() {
        let document = server("http", "a:1", "/rest/v1").write(br#"{"info":{}}"#);
        let expected = r#"{"swagger":"2.0","host":"a:1","basePath":"/rest/v1","schemes":["http"],"info":{}}"#;
        assert_eq!(String::from_utf8(document).unwrap(), expected);
    }
}
