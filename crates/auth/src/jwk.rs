//! JSON Web Keys (RFC 7517): public keys in, and our own public key out.

use jsonwebtoken::{Algorithm, DecodingKey};
use serde::{Deserialize, Serialize};

use crate::keys::VerifyKey;

/// A public key as issuers publish it. Private parts are not read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Jwk {
    pub kty: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub e: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
pub struct JwkSet {
    pub keys: Vec<Jwk>,
}

impl Jwk {
    /// The key with the one algorithm it is for; `None` when it is for something else (encryption, an algorithm that is
    /// not offered) or malformed. A symmetric key in a public set is never taken.
    pub fn verify_key(&self) -> Option<VerifyKey> {
        if self.usage.as_deref().is_some_and(|u| u != "sig") {
            return None;
        }
        let (algorithm, key) = match (self.kty.as_str(), self.crv.as_deref()) {
            ("EC", Some("P-256")) => (
                Algorithm::ES256,
                DecodingKey::from_ec_components(self.x.as_deref()?, self.y.as_deref()?).ok()?,
            ),
            ("OKP", Some("Ed25519")) => {
                (Algorithm::EdDSA, DecodingKey::from_ed_components(self.x.as_deref()?).ok()?)
            }
            ("RSA", _) => (
                Algorithm::RS256,
                DecodingKey::from_rsa_components(self.n.as_deref()?, self.e.as_deref()?).ok()?,
            ),
            _ => return None,
        };
        let named = self.alg.as_deref().is_none_or(|alg| alg == name_of(algorithm));
        named.then(|| VerifyKey::new(self.kid.clone(), algorithm, key))
    }
}

pub(crate) fn name_of(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::HS256 => "HS256",
        Algorithm::ES256 => "ES256",
        Algorithm::RS256 => "RS256",
        Algorithm::EdDSA => "EdDSA",
        _ => "",
    }
}
