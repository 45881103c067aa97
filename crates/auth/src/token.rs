//! The compact form of a JWS (RFC 7515 §7.1), taken apart strictly and without trusting it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bedplate_core::Problem;
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::refusal::{Refusal, invalid};

/// A token's parts; nothing here is verified.
pub(crate) struct Unverified<'a> {
    pub header: Header,
    pub claims: Map<String, Value>,
    /// The payload as it stood, valid UTF-8 JSON.
    pub payload: String,
    pub message: &'a str,
    pub signature: &'a str,
}

/// The header fields that matter. `jku`, `jwk`, `x5u` and `x5c` are ignored: a token does not choose its key
/// (RFC 8725 §3.10).
#[derive(Deserialize)]
pub(crate) struct Header {
    alg: String,
    pub kid: Option<String>,
    typ: Option<String>,
    /// Extensions that must be understood (RFC 7515 §4.1.11); none are.
    crit: Option<Value>,
    zip: Option<Value>,
}

impl Header {
    pub fn algorithm(&self) -> Result<Algorithm, Problem> {
        match self.alg.as_str() {
            "HS256" => Ok(Algorithm::HS256),
            "ES256" => Ok(Algorithm::ES256),
            "RS256" => Ok(Algorithm::RS256),
            "EdDSA" => Ok(Algorithm::EdDSA),
            alg if alg.eq_ignore_ascii_case("none") => Err(Refusal::Unsecured.problem()),
            _ => Err(Refusal::Algorithm.problem()),
        }
    }
}

impl<'a> Unverified<'a> {
    pub fn parse(token: &'a str, max_bytes: usize) -> Result<Self, Problem> {
        if token.len() > max_bytes {
            return Err(invalid("longer than auth.max_token_bytes"));
        }
        if token.is_empty() {
            return Err(Refusal::Empty.problem());
        }
        let parts = token.split('.').count();
        let split = token.rsplit_once('.').and_then(|(message, signature)| {
            message.split_once('.').map(|(header, payload)| (message, signature, header, payload))
        });
        let Some((message, signature, header, payload)) = split.filter(|_| parts == 3) else {
            return Err(Refusal::Parts(parts).problem());
        };
        let header: Header = serde_json::from_slice(&decode(header)?)
            .map_err(|_| Refusal::Header("header is not the JSON we need").problem())?;
        if header.crit.is_some() || header.zip.is_some() {
            return Err(Refusal::Header("header has critical or compression parameters").problem());
        }
        if !header.typ.as_deref().is_none_or(is_token_type) {
            return Err(Refusal::Header("typ is not a JWT").problem());
        }
        let payload = String::from_utf8(decode(payload)?).map_err(|_| Refusal::Payload.problem())?;
        let claims = serde_json::from_str(&payload).map_err(|_| Refusal::Payload.problem())?;
        if signature.is_empty() && header.algorithm().is_ok() {
            return Err(Refusal::Signature.problem());
        }
        Ok(Self { header, claims, payload, message, signature })
    }
}

/// RFC 9068 access tokens say `at+jwt`; everyone else `JWT`. Compared without case, as media types are.
fn is_token_type(typ: &str) -> bool {
    typ.eq_ignore_ascii_case("JWT")
        || typ.eq_ignore_ascii_case("at+jwt")
        || typ.eq_ignore_ascii_case("application/at+jwt")
}

fn decode(part: &str) -> Result<Vec<u8>, Problem> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::NotBase64.problem())
}
