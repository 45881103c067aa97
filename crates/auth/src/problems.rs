//! Problem codes of authentication.

use bedplate_core::Problem;

bedplate_core::codes! {
    /// The token is malformed, not signed by a known key, or not meant for this server.
    TOKEN_INVALID = "auth_token_invalid", 401, Auth, "The token is not valid", final;
    TOKEN_EXPIRED = "auth_token_expired", 401, Auth, "The token has expired", final;
    API_KEY_INVALID = "auth_api_key_invalid", 401, Auth, "The API key is not valid", final;
    /// An external issuer's keys cannot be had right now.
    KEYS_UNAVAILABLE = "auth_keys_unavailable", 503, Auth, "The token cannot be checked right now", retry;
}

/// The challenge of RFC 6750 §3.
const CHALLENGE: &str = "Bearer error=\"invalid_token\"";

/// A refusal; `why` is for the log. The caller learns only that the token is not valid, so that probing teaches nothing.
pub(crate) fn invalid(why: &'static str) -> Problem {
    Problem::new(&TOKEN_INVALID).header("WWW-Authenticate", CHALLENGE).internal(why)
}

pub(crate) fn expired() -> Problem {
    Problem::new(&TOKEN_EXPIRED)
        .header("WWW-Authenticate", CHALLENGE)
        .hint("sign in again or refresh the token")
}
