//! What the access log shows of a request. The rules themselves are [`bedplate_core::redact`].

use std::borrow::Cow;

use bedplate_core::redact::Redactor;
pub use bedplate_core::redact::is_sensitive;

/// The keys of a query string as the log shows them: no values, and no secret in the place of a key.
pub(crate) fn shown_query(query: &str, redactor: Redactor) -> String {
    let keys = query_keys(query);
    match redactor.scrub(&keys) {
        Cow::Owned(cleaned) => cleaned,
        Cow::Borrowed(_) => keys,
    }
}

/// The keys of a query string without their values, as the client wrote them, at most 200 bytes.
fn query_keys(query: &str) -> String {
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
    fn query_values_are_left_out() {
        assert_eq!(query_keys("a=1&token=s3cret&b&=x"), "a&token&b&");
        assert_eq!(query_keys(""), "");
        assert!(query_keys(&"k=v&".repeat(1000)).len() <= 210);
        let shown = |query| shown_query(query, Redactor::default());
        assert_eq!(shown("sb_secret_abcdefghijklmnop=1&b=2"), "sb_secret_***&b");
        assert_eq!(shown("select=a&token=b"), "select&token");
    }
}
