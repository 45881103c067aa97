//! A query string to pairs: split first, then percent-decoded exactly once (ASVS 1.1.1), as strict UTF-8.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::error::{Error, Kind};

/// A decoded key and value; without a `=` there is no value.
pub type Pair<'q> = (Cow<'q, str>, Option<Cow<'q, str>>);
pub type Pairs<'q> = SmallVec<[Pair<'q>; 8]>;

/// Splits and decodes. `+` is a space. `lenient` leaves a `%` that no two hex digits follow as it is (PostgREST's
/// rule); else it is an error. Invalid UTF-8 and NUL are always errors: PostgreSQL's text has neither.
pub fn pairs(query: &str, lenient: bool) -> Result<Pairs<'_>, Error> {
    query
        .split('&')
        .filter(|piece| !piece.is_empty())
        .map(|piece| {
            let (key, value) = match piece.split_once('=') {
                Some((key, value)) => (key, Some(value)),
                None => (piece, None),
            };
            let decoded = one(key, key, lenient)?;
            let value = value.map(|value| one(value, &decoded, lenient)).transpose()?;
            Ok((decoded, value))
        })
        .collect()
}

fn one<'q>(raw: &'q str, parameter: &str, lenient: bool) -> Result<Cow<'q, str>, Error> {
    let bytes = raw.as_bytes();
    let Some(first) = memchr::memchr3(b'%', b'+', 0, bytes) else {
        return Ok(Cow::Borrowed(raw));
    };
    let fault = |message: &str| Err(Error::plain(Kind::Encoding, parameter, raw, message));
    let mut decoded = Vec::with_capacity(raw.len());
    decoded.extend_from_slice(&bytes[..first]);
    let mut rest = &bytes[first..];
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match byte {
            b'+' => decoded.push(b' '),
            b'%' => match tail {
                [high, low, after @ ..] if hex(*high).is_some() && hex(*low).is_some() => {
                    decoded.push(hex(*high).unwrap_or(0) << 4 | hex(*low).unwrap_or(0));
                    rest = after;
                }
                _ if lenient => decoded.push(b'%'),
                _ => return fault("a % must be followed by two hex digits; write a percent sign as %25"),
            },
            other => decoded.push(*other),
        }
    }
    if memchr::memchr(0, &decoded).is_some() {
        return fault("the NUL character (%00) is not allowed");
    }
    match String::from_utf8(decoded) {
        Ok(text) => Ok(Cow::Owned(text)),
        Err(_) => fault("the percent-encoded bytes are not UTF-8"),
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::{Kind, pairs};

    fn decoded(query: &str) -> Vec<(String, Option<String>)> {
        let pairs = pairs(query, false).unwrap();
        pairs.into_iter().map(|(k, v)| (k.into_owned(), v.map(|v| v.into_owned()))).collect()
    }

    #[test]
    fn decodes_once_and_splits_before_decoding() {
        let found = decoded("a=1+2&&b=%26%3D%2B&c=%252e&d&e=&%C3%A9=%E2%82%AC=x");
        let text: Vec<_> = found.iter().map(|(k, v)| (k.as_str(), v.as_deref())).collect();
        let expected = [
            ("a", Some("1 2")),
            ("b", Some("&=+")),
            ("c", Some("%2e")),
            ("d", None),
            ("e", Some("")),
            ("é", Some("€=x")),
        ];
        assert_eq!(text, expected);
    }

    #[test]
    fn refuses_what_is_not_utf8_or_not_text() {
        for bad in ["a=%ff", "a=%c0%ae", "a=%ed%a0%80", "a=%00", "%fe=1", "a=%zz", "a=%4", "a=%", "a=\0"] {
            assert_eq!(pairs(bad, false).unwrap_err().kind, Kind::Encoding, "{bad}");
        }
        assert_eq!(pairs("a=like.%foo%25", true).unwrap()[0].1.as_deref(), Some("like.%foo%"));
        assert!(pairs("a=%ff", true).is_err());
    }
}
