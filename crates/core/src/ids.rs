//! Request ids: UUIDv7 in text form, so that they sort by time, or what the client sent when that is harmless.

use uuid::Uuid;

/// A fresh time-ordered id (UUIDv7, RFC 9562 §5.7).
pub fn new_request_id() -> String {
    Uuid::now_v7().to_string()
}

/// Whether a client's `X-Request-Id` may be kept: 1 to 128 characters of `[A-Za-z0-9._-]`, so that it can stand
/// in a log line, a header and a URL without escaping.
pub fn is_acceptable_request_id(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_ids_are_kept_only_when_harmless() {
        assert!(is_acceptable_request_id("01J9-abc.DEF_7"));
        for bad in ["", "a b", "a\nb", "é", &"x".repeat(129)] {
            assert!(!is_acceptable_request_id(bad), "{bad:?}");
        }
        assert!(is_acceptable_request_id(&new_request_id()));
    }
}
