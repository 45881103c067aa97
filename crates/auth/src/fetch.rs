//! Getting an issuer's key set, through the platform's client: bounded in time and size, without redirects, TLS verified.

use std::time::Duration;

use bedplate_outgoing::{Client, Limits, Request, Target};
use bytes::Bytes;
use http::header::ACCEPT;
use http::{HeaderValue, StatusCode};

const LIMITS: Limits = Limits {
    first_byte: Duration::from_secs(5),
    total: Duration::from_secs(10),
    idle: Duration::from_secs(5),
    bytes: 256 * 1024,
};

/// The body of a 200 answer; the error says why there is none.
pub(crate) async fn get(client: &Client, target: &Target) -> Result<Bytes, String> {
    let request = Request::get("jwks", target.clone())
        .limits(LIMITS)
        .header(ACCEPT, HeaderValue::from_static("application/json"));
    let answer = client.send(request).await.map_err(|error| error.to_string())?;
    match answer.status {
        StatusCode::OK => Ok(answer.body),
        status => Err(format!("answered {status}")),
    }
}

/// Keys that came unencrypted could be anybody's; plain http is for issuers on this machine.
pub(crate) fn check(target: Target) -> Result<Target, String> {
    if target.is_secure() || target.is_loopback() {
        Ok(target)
    } else {
        Err(format!("the key set's address must be https (http only on loopback): {target}"))
    }
}
