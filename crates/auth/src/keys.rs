//! Keys that verify, each tied to one algorithm.

use bedplate_core::{Problem, Secret};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};

use crate::refusal::Refusal;
use crate::token::Unverified;

/// Shorter HMAC secrets can be guessed offline (RFC 7518 §3.2 asks for at least the hash's size).
pub const MIN_SECRET_BYTES: usize = 32;

#[derive(Clone)]
pub struct VerifyKey {
    kid: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

impl VerifyKey {
    pub(crate) fn new(kid: Option<String>, algorithm: Algorithm, key: DecodingKey) -> Self {
        Self { kid, algorithm, key }
    }

    pub(crate) fn algorithm_name(&self) -> &'static str {
        crate::jwk::name_of(self.algorithm)
    }

    /// A shared secret for HS256. `Err` says what is wrong with it.
    pub fn hs256(kid: Option<String>, secret: &Secret) -> Result<Self, String> {
        Self::hmac(kid, secret.expose().as_bytes())
    }

    pub(crate) fn hmac(kid: Option<String>, secret: &[u8]) -> Result<Self, String> {
        if secret.len() < MIN_SECRET_BYTES {
            return Err(format!("the JWT secret needs at least {MIN_SECRET_BYTES} bytes"));
        }
        Ok(Self::new(kid, Algorithm::HS256, DecodingKey::from_secret(secret)))
    }
}

impl std::fmt::Debug for VerifyKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifyKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// The keys of one issuer.
#[derive(Debug, Clone, Default)]
pub struct KeyRing {
    keys: Vec<VerifyKey>,
}

impl KeyRing {
    pub fn new(keys: Vec<VerifyKey>) -> Self {
        Self { keys }
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether a key with this id is known. A token without an id may fit any key of its algorithm.
    pub(crate) fn knows(&self, kid: Option<&str>) -> bool {
        kid.is_none_or(|kid| self.keys.iter().any(|key| key.kid.as_deref() == Some(kid)))
    }

    /// Checks the signature with the keys that may have made it: the one with the token's `kid`, else keys without an id
    /// (or, for a token without one, all) of the token's algorithm. The algorithm is the key's: a key is never used for
    /// another one, so a public key cannot pass as an HMAC secret.
    pub(crate) fn verify(&self, token: &Unverified<'_>) -> Result<(), Problem> {
        let algorithm = token.header.algorithm()?;
        let kid = token.header.kid.as_deref();
        let by_id = kid.is_some() && self.knows(kid);
        let fits = |key: &&VerifyKey| {
            key.algorithm == algorithm
                && if by_id { key.kid.as_deref() == kid } else { kid.is_none() || key.kid.is_none() }
        };
        let mut candidates = self.keys.iter().filter(fits).peekable();
        if candidates.peek().is_none() {
            return Err(Refusal::NoKey.problem());
        }
        let holds = candidates.any(|key| {
            crypto::verify(token.signature, token.message.as_bytes(), &key.key, key.algorithm)
                .unwrap_or(false)
        });
        if holds { Ok(()) } else { Err(Refusal::Signature.problem()) }
    }
}
