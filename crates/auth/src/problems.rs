//! Problem codes of authentication.

bedplate_core::codes! {
    /// The token is malformed, not signed by a known key, or not meant for this server.
    TOKEN_INVALID = "auth_token_invalid", 401, Auth, "The token is not valid", final;
    TOKEN_EXPIRED = "auth_token_expired", 401, Auth, "The token has expired", final;
    /// Anonymous callers are not served here.
    TOKEN_REQUIRED = "auth_token_required", 401, Auth, "A token is needed", final;
    /// Tokens are not accepted here.
    TOKENS_OFF = "auth_tokens_off", 500, Auth, "Tokens are not accepted here", final;
    API_KEY_INVALID = "auth_api_key_invalid", 401, Auth, "The API key is not valid", final;
    /// An external issuer's keys cannot be had right now.
    KEYS_UNAVAILABLE = "auth_keys_unavailable", 503, Auth, "The token cannot be checked right now", retry;
}
