//! Request ids: UUIDv7 in text form, so that they sort by time, or what the client sent when that is harmless.

use std::time::{SystemTime, UNIX_EPOCH};

use uuid::{Builder, Uuid};

/// A fresh time-ordered id (UUIDv7, RFC 9562 §5.7). The random part comes from the thread's generator: every
/// request needs one, and a system call for each would be felt.
pub fn new_request_id() -> String {
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
    let id = Builder::from_unix_timestamp_millis(millis, &rand::random()).into_uuid();
    id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).to_owned()
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
