//! Authentication: who is calling. Credentials in (API key, bearer token), a [`Principal`](bedplate_core::Principal)
//! or a [`Problem`](bedplate_core::Problem) out.
//!
//! Tokens are JWTs (RFC 7519) checked by RFC 8725's rules: the algorithm belongs to the key and never comes from the
//! token, nothing in a token names a key's address, each issuer has its own key set. Verified tokens are cached until
//! they expire or the keys change. Accounts and sessions are not here yet; this crate is what they will issue into.

mod api_key;
mod authenticator;
mod claim_path;
mod claims;
mod fetch;
mod issuer;
pub mod jwk;
mod keys;
pub mod mint;
pub mod problems;
mod refusal;
mod token;
mod verifier;

pub use api_key::{ApiKeyKind, ApiKeys};
pub use authenticator::{Authenticator, Credentials, Manner};
pub use claim_path::ClaimPath;
pub use issuer::IssuerConfig;
pub use keys::{KeyRing, VerifyKey};
pub use refusal::Refusal;
pub use verifier::{LocalConfig, PostgrestRules, Verifier};
