//! Getting an issuer's key set over HTTPS: bounded in time and size, no redirects, no proxy, TLS verified.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;

const CONNECT: Duration = Duration::from_secs(3);
const TOTAL: Duration = Duration::from_secs(10);
const MAX_BYTES: usize = 256 * 1024;

#[derive(Clone)]
pub(crate) struct Fetcher(Client<HttpsConnector<HttpConnector>, Empty<Bytes>>);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the key set's address must be https (http only on loopback): {0}")]
    Address(String),
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] std::io::Error),
    #[error("no answer within {} s", TOTAL.as_secs())]
    Timeout,
    #[error("request failed: {0}")]
    Request(String),
    #[error("answered {0}")]
    Status(StatusCode),
}

impl Fetcher {
    pub fn new() -> Result<Self, Error> {
        let mut http = HttpConnector::new();
        http.set_connect_timeout(Some(CONNECT));
        http.enforce_http(false);
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(provider)?
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        Ok(Self(Client::builder(TokioExecutor::new()).build(connector)))
    }

    pub async fn get(&self, uri: &Uri) -> Result<Bytes, Error> {
        check_address(uri)?;
        let request = Request::get(uri.clone())
            .header(http::header::ACCEPT, "application/json")
            .body(Empty::new())
            .map_err(|e| Error::Request(e.to_string()))?;
        let exchange = async {
            let answer = self.0.request(request).await.map_err(|e| Error::Request(e.to_string()))?;
            if answer.status() != StatusCode::OK {
                return Err(Error::Status(answer.status()));
            }
            let body = Limited::new(answer.into_body(), MAX_BYTES).collect().await;
            Ok(body.map_err(|e| Error::Request(e.to_string()))?.to_bytes())
        };
        tokio::time::timeout(TOTAL, exchange).await.map_err(|_| Error::Timeout)?
    }
}

/// The address comes from the operator, never from a token; plain http is for tests and local issuers.
pub(crate) fn check_address(uri: &Uri) -> Result<(), Error> {
    let host = uri.host().unwrap_or_default();
    let loopback = host == "localhost"
        || host.trim_matches(['[', ']']).parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    match uri.scheme_str() {
        Some("https") if !host.is_empty() => Ok(()),
        Some("http") if loopback => Ok(()),
        _ => Err(Error::Address(uri.to_string())),
    }
}
