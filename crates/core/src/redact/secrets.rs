//! Values that look like credentials. Each function is given the text and where a word begins, and says what to hide.

use std::ops::Range;

/// Beginnings of keys that say themselves what they are; what follows is hidden.
const PREFIXES: &[&str] = &[
    "sb_secret_",
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "rk_test_",
    "whsec_",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "sk-ant-",
    "sk-proj-",
    "AKIA",
    "AIza",
];

/// Shorter texts behind a prefix are no keys.
const SHORTEST_KEY: usize = 12;

pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// The end of the run of bytes from `at` that fit.
pub(super) fn run(text: &[u8], at: usize, fits: impl Fn(u8) -> bool) -> usize {
    text[at..].iter().position(|byte| !fits(*byte)).map_or(text.len(), |length| at + length)
}

/// Part of an opaque token (RFC 6750 §2.1, `b64token`).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}

/// A credential whose word is `start..end`.
pub(super) fn at_word(text: &str, start: usize, end: usize) -> Option<Range<usize>> {
    let word = &text[start..end];
    match word.as_bytes()[0] {
        b'e' if word.starts_with("eyJ") => jwt(text.as_bytes(), start, end),
        b'0'..=b'9' => card(text.as_bytes(), start),
        b'B' | b'b' if word.eq_ignore_ascii_case("bearer") || word.eq_ignore_ascii_case("basic") => {
            scheme(text.as_bytes(), end)
        }
        b's' | b'r' | b'w' | b'g' | b'x' | b'A' => key(word, start, end),
        _ => None,
    }
}

/// A JSON Web Token (RFC 7519): Base64url of `{"…`, and at least one further part.
fn jwt(text: &[u8], start: usize, end: usize) -> Option<Range<usize>> {
    if end - start < 10 || text.get(end) != Some(&b'.') {
        return None;
    }
    let claims = run(text, end + 1, is_word);
    if claims - end < 5 {
        return None;
    }
    let mut last = claims;
    while text.get(last) == Some(&b'.') && last - start < 64 * 1024 {
        let next = run(text, last + 1, is_word);
        if next == last + 1 {
            // A token without signature ends with a dot; so does a sentence, which then loses it.
            last = next;
            break;
        }
        last = next;
    }
    Some(start..last)
}

/// What stands behind `Bearer` or `Basic`.
fn scheme(text: &[u8], end: usize) -> Option<Range<usize>> {
    let begin = run(text, end, |byte| byte == b' ');
    let over = run(text, begin, is_token);
    (begin > end && over - begin >= 8).then_some(begin..over)
}

fn key(word: &str, start: usize, end: usize) -> Option<Range<usize>> {
    let prefix = PREFIXES.iter().find(|prefix| word.starts_with(**prefix))?;
    (word.len() - prefix.len() >= SHORTEST_KEY).then_some(start + prefix.len()..end)
}

/// A card's number (ISO/IEC 7812): 13 to 19 digits, maybe in groups, with the right check digit, of an issuer of payment
/// cards.
fn card(text: &[u8], start: usize) -> Option<Range<usize>> {
    let (mut digits, mut count, mut at) = ([0_u8; 20], 0, start);
    let mut end = start;
    while let Some(byte) = text.get(at) {
        match byte {
            b'0'..=b'9' if count == digits.len() => return None,
            b'0'..=b'9' => {
                digits[count] = byte - b'0';
                count += 1;
                at += 1;
                end = at;
            }
            b' ' | b'-' if text.get(at + 1).is_some_and(u8::is_ascii_digit) => at += 1,
            _ => break,
        }
    }
    let touches = text.get(end).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        || text.get(end) == Some(&b'-');
    let fits = (13..=19).contains(&count) && (2..=6).contains(&digits[0]) && !touches;
    (fits && luhn(&digits[..count])).then_some(start..end)
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| match (at % 2, u32::from(*digit)) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => digit * 2 - 9,
            (_, digit) => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The password of a URL whose `://` stands at `at`; the whole user part where that is all there is (a Sentry DSN).
pub(super) fn userinfo(text: &[u8], at: usize) -> Option<Range<usize>> {
    let begin = at + 3;
    let space = run(text, begin, |byte| {
        !byte.is_ascii_whitespace() && !matches!(byte, b'"' | b'<' | b'>' | b'`' | b'\\')
    });
    let authority = run(text, begin, |byte| !matches!(byte, b'/' | b'?' | b'#')).min(space);
    let last_at =
        |over: usize| text[begin..over].iter().rposition(|byte| *byte == b'@').map(|offset| begin + offset);
    let scheme =
        text[..at].iter().rposition(|byte| !byte.is_ascii_alphanumeric()).map_or(0, |before| before + 1);
    // Connection strings are written with passwords that nobody encoded.
    let is_connection =
        [&b"postgres"[..], b"postgresql", b"redis", b"rediss", b"mysql", b"amqp", b"smtp", b"smtps"]
            .iter()
            .any(|known| text[scheme..at].eq_ignore_ascii_case(known));
    let end = last_at(if is_connection { space } else { authority })?;
    let from = match text[begin..end].iter().position(|byte| *byte == b':') {
        Some(colon) => begin + colon + 1,
        // A user name alone is no secret, unless it is a key.
        None if end - begin >= 20 => begin,
        None => return None,
    };
    (from < end).then_some(from..end)
}

/// A private key in PEM whose first dash stands at `at`.
pub(super) fn private_key(text: &str, at: usize) -> Option<Range<usize>> {
    let rest = text[at..].strip_prefix("-----BEGIN ")?;
    let label = &rest[..rest.find("-----")?];
    if !label.ends_with("PRIVATE KEY") {
        return None;
    }
    let end = rest.find("-----END ").and_then(|from| {
        let close = rest[from + 9..].find("-----")?;
        Some(at + 11 + from + 9 + close + 5)
    });
    // Cut off before its end: all that is left.
    Some(at..end.unwrap_or(text.len()))
}

/// The e-mail address around the `@` at `at`; it begins no earlier than `from`.
pub(super) fn email(text: &[u8], from: usize, at: usize) -> Option<Range<usize>> {
    let is_local =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-');
    let start =
        text[from..at].iter().rposition(|byte| !is_local(byte)).map_or(from, |before| from + before + 1);
    let before = start.checked_sub(1).map(|before| text[before]);
    let end = run(text, at + 1, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    let domain = text[at + 1..end].strip_suffix(b".").unwrap_or(&text[at + 1..end]);
    let dot = domain.iter().rposition(|byte| *byte == b'.')?;
    let fits = start < at && dot > 0 && domain.len() - dot > 2 && before.is_none_or(|byte| byte.is_ascii());
    fits.then_some(start..at + 1 + domain.len())
}
