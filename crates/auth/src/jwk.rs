//! JSON Web Keys (RFC 7517): public keys in, and our own public key out.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::keys::{KeyRing, VerifyKey};

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

/// A symmetric key (RFC 7518 §6.4), which only a private setting may hold.
#[derive(Deserialize)]
struct Symmetric {
    k: String,
    alg: Option<String>,
    kid: Option<String>,
}

/// The keys of PostgREST's `jwt-secret`: a JSON Web Key or a set of them, symmetric keys included, or else the text itself
/// as a secret for HS256.
///
/// # Errors
/// What is wrong, as the end of a sentence; never the secret.
pub fn keys_of_secret(secret: &[u8]) -> Result<KeyRing, String> {
    let json: Option<Value> = serde_json::from_slice(secret).ok().filter(Value::is_object);
    let Some(json) = json else { return Ok(KeyRing::new(vec![VerifyKey::hmac(None, secret)?])) };
    let keys = match json.get("keys").and_then(Value::as_array) {
        Some(keys) => keys.clone(),
        None => vec![json],
    };
    let read: Vec<VerifyKey> =
        keys.iter().map(private_key).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    if read.is_empty() {
        return Err("no key of it can verify tokens: HS256, RS256, ES256 and EdDSA are offered".to_owned());
    }
    Ok(KeyRing::new(read))
}

/// `None` for keys that are for something else.
fn private_key(json: &Value) -> Result<Option<VerifyKey>, String> {
    if json.get("kty").and_then(Value::as_str) != Some("oct") {
        let key: Jwk =
            serde_json::from_value(json.clone()).map_err(|_| "a key of it is not a JSON Web Key")?;
        return Ok(key.verify_key());
    }
    let key: Symmetric =
        serde_json::from_value(json.clone()).map_err(|_| "a symmetric key of it has no `k`")?;
    if key.alg.as_deref().is_some_and(|alg| alg != "HS256") {
        return Ok(None);
    }
    let bytes = URL_SAFE_NO_PAD
        .decode(key.k.trim_end_matches('='))
        .map_err(|_| "`k` of a key of it is not base64url")?;
    VerifyKey::hmac(key.kid, &bytes).map(Some)
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
