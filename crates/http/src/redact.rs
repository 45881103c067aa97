//! The one list of names whose values never reach a log, a metric or SQL's `request.headers`.

/// Compared without case, `-` and `_` alike (security.md §4, "logs").
const SENSITIVE: &[&str] = &[
    "access_token",
    "apikey",
    "assertion",
    "authorization",
    "card",
    "client_secret",
    "code",
    "code_verifier",
    "connection_string",
    "cookie",
    "current_password",
    "cvc",
    "database_url",
    "dsn",
    "iban",
    "id_token",
    "new_password",
    "nonce",
    "otp",
    "passwd",
    "password",
    "private_key",
    "proxy_authorization",
    "refresh_token",
    "secret",
    "set_cookie",
    "signature",
    "ssn",
    "state",
    "stripe_signature",
    "token",
    "totp",
    "webhook_signature",
    "x_amz_security_token",
    "x_amz_signature",
    "x_api_key",
];

/// Whether values under this name (of a header, a query key, a field) must not be shown.
pub fn is_sensitive(name: &str) -> bool {
    // The longest name has 20 characters; anything longer is not on the list.
    let mut folded = [0_u8; 24];
    let Some(folded) = folded.get_mut(..name.len()) else { return false };
    for (to, from) in folded.iter_mut().zip(name.bytes()) {
        *to = if from == b'-' { b'_' } else { from.to_ascii_lowercase() };
    }
    // The length alone tells nearly all of them apart, which is quicker than a search.
    SENSITIVE.iter().any(|known| known.len() == folded.len() && known.as_bytes() == folded)
}

/// The keys of a query string without their values, as the client wrote them, at most 200 bytes.
pub fn query_keys(query: &str) -> String {
    let mut keys = String::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let key = pair.split('=').next().unwrap_or_default();
        if keys.len() + key.len() > 200 {
            keys.push_str("&...");
            break;
        }
        if !keys.is_empty() {
            keys.push('&');
        }
        keys.push_str(key);
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case_and_spelling() {
        assert!(SENSITIVE.is_sorted() && SENSITIVE.iter().all(|name| name.len() <= 20));
        for name in ["Authorization", "X-Api-Key", "new_password", "SET-COOKIE", "token"] {
            assert!(is_sensitive(name), "{name}");
        }
        for name in ["accept", "tokens", "", "x-a-very-long-header-name-indeed"] {
            assert!(!is_sensitive(name), "{name}");
        }
    }

    #[test]
    fn query_values_are_left_out() {
        assert_eq!(query_keys("a=1&token=s3cret&b&=x"), "a&token&b&");
        assert_eq!(query_keys(""), "");
        assert!(query_keys(&"k=v&".repeat(1000)).len() <= 210);
    }
}
