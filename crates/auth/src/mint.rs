//! Making tokens: short-lived user tokens for `bedplate token`, the legacy API keys, and tests.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bedplate_core::{Problem, Secret};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};

use crate::jwk::{Jwk, name_of};
use crate::keys::VerifyKey;

/// A private key that signs tokens, with its id.
pub struct SigningKey {
    kid: Option<String>,
    algorithm: Algorithm,
    key: EncodingKey,
}

impl SigningKey {
    /// The legacy shared secret.
    pub fn hs256(secret: &Secret) -> Self {
        Self {
            kid: None,
            algorithm: Algorithm::HS256,
            key: EncodingKey::from_secret(secret.expose().as_bytes()),
        }
    }

    /// A P-256 key as made by [`generate_es256`]: PKCS#8 in base64.
    pub fn es256(kid: &str, pkcs8: &Secret) -> Result<Self, Problem> {
        let der = decode_pkcs8(pkcs8)?;
        Ok(Self {
            kid: Some(kid.to_owned()),
            algorithm: Algorithm::ES256,
            key: EncodingKey::from_ec_der(&der),
        })
    }

    /// A compact JWS over the claims.
    pub fn sign(&self, claims: &Value) -> Result<String, Problem> {
        let mut header = json!({ "alg": name_of(self.algorithm), "typ": "JWT" });
        if let Some(kid) = &self.kid {
            header["kid"] = kid.as_str().into();
        }
        let message = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let signature = crypto::sign(message.as_bytes(), &self.key, self.algorithm)
            .map_err(|e| Problem::internal_error("a token cannot be signed").caused_by(e))?;
        Ok(format!("{message}.{signature}"))
    }
}

/// A new P-256 private key: PKCS#8 in base64.
pub fn generate_es256() -> Result<Secret, Problem> {
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
        .map_err(|_| Problem::internal_error("no P-256 key can be made"))?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(document.as_ref())))
}

/// The public half of an ES256 key, for verifying and for publishing.
pub fn public_jwk(kid: &str, pkcs8: &Secret) -> Result<Jwk, Problem> {
    let broken = || Problem::internal_error("the ES256 signing key is damaged");
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &decode_pkcs8(pkcs8)?)
        .map_err(|_| broken())?;
    // An uncompressed point: 0x04, x, y (SEC 1 §2.3.3).
    let point = pair.public_key().as_ref();
    let (x, y) = point.get(1..33).zip(point.get(33..65)).ok_or_else(broken)?;
    Ok(Jwk {
        kty: "EC".to_owned(),
        kid: Some(kid.to_owned()),
        alg: Some("ES256".to_owned()),
        usage: Some("sig".to_owned()),
        crv: Some("P-256".to_owned()),
        x: Some(URL_SAFE_NO_PAD.encode(x)),
        y: Some(URL_SAFE_NO_PAD.encode(y)),
        n: None,
        e: None,
    })
}

/// The key that verifies what [`SigningKey::es256`] signs.
pub fn verify_key(kid: &str, pkcs8: &Secret) -> Result<VerifyKey, Problem> {
    public_jwk(kid, pkcs8)?
        .verify_key()
        .ok_or_else(|| Problem::internal_error("the ES256 signing key is damaged"))
}

fn decode_pkcs8(pkcs8: &Secret) -> Result<Vec<u8>, Problem> {
    URL_SAFE_NO_PAD
        .decode(pkcs8.expose())
        .map_err(|_| Problem::internal_error("the ES256 signing key is damaged: not base64url"))
}
