use std::time::Duration;

use bedplate_core::Secret;

use super::{checks, secs};
use crate::ByteSize;
use crate::field::choices;
use crate::table::section;

choices! {
    /// Signature algorithms of tokens (RFC 7518 §3.1, RFC 8037). Which one a key may be used with is fixed by the
    /// key's row, never by the token (RFC 8725 §3.1).
    pub enum Algorithm {
        /// ECDSA with P-256.
        Es256 = "ES256",
        /// RSA with SHA-256.
        Rs256 = "RS256",
        /// Ed25519.
        EdDsa = "EdDSA",
    }
}

section! {
    /// Tokens, keys and the database roles they lead to. Keys that are not set are made at the first start and kept in
    /// the state folder; several servers need the same ones, so set them there.
    pub struct Auth {
        /// Shared secret of HS256 tokens, at least 32 bytes: Supabase's legacy JWT secret.
        jwt_secret: Option<Secret> = None, check(checks::hmac_key);
        /// Private key that signs our tokens with ES256: PKCS#8 in base64url, as `bedplate keys new` prints it.
        signing_key: Option<Secret> = None;
        /// Key for browsers and apps: `sb_publishable_…`.
        publishable_key: Option<Secret> = None, check(checks::api_key);
        /// Key for the app's own backend, which bypasses row-level security: `sb_secret_…`.
        secret_key: Option<Secret> = None, check(checks::api_key);
        /// Role of callers who are not signed in.
        anon_role: String = "anon".into(), check(checks::identifier);
        /// Role of signed-in users whose token names no role.
        authenticated_role: String = "authenticated".into(), check(checks::identifier);
        /// Role of the secret key.
        service_role: String = "service_role".into(), check(checks::identifier);
        /// Further roles that a token's `role` claim may name.
        extra_roles: Vec<String> = Vec::new(), check(checks::identifiers);
        /// Demanded `iss` of our own tokens; not set: not checked, as legacy keys and tokens have various ones.
        issuer: Option<String> = None;
        /// Accepted `aud` of our own tokens; empty: not checked, as legacy keys have none.
        audience: Vec<String> = Vec::new();
        /// Tolerated difference between clocks.
        jwt_leeway: Duration = secs(30), range(Duration::ZERO, secs(300));
        /// Longer tokens are refused unread.
        max_token_bytes: ByteSize = ByteSize::kib(8), range(ByteSize::kib(1), ByteSize::kib(64));
        /// Verified tokens kept in memory, so that the next request with the same one is not verified again.
        token_cache_entries: usize = 10_000, range(0, 1_000_000);
        tables {
            /// Other issuers whose tokens are accepted.
            issuers: Issuer;
        }
    }
}

section! {
    /// An external issuer of tokens, such as Auth0, Cognito or a Supabase project: one `[[auth.issuers]]` each.
    pub struct Issuer {
        /// The exact `iss` of its tokens. Required.
        issuer: String = String::new(), check(checks::not_empty);
        /// Where its public keys are (RFC 7517); not set: found by `<issuer>/.well-known/openid-configuration`.
        jwks_url: Option<String> = None, check(checks::secure_url);
        /// Accepted `aud`; a token must carry one of them. Required.
        audience: Vec<String> = Vec::new();
        /// Algorithms its tokens may be signed with.
        algorithms: Vec<Algorithm> = vec![Algorithm::Es256, Algorithm::Rs256];
        /// Claim that names the database role; a dot leads into an object. Without it the role is
        /// `auth.authenticated_role`.
        role_claim: Option<String> = None;
    }
}
