//! The `Idempotency-Key` header, the fingerprint of a request that has one, and answers in the form that they are kept in.
//!
//! The IETF draft (draft-ietf-httpapi-idempotency-key-header) has the key as a string of Structured Fields (RFC 9651 §3.3.3):
//! `"8e03978e"`, with quotes. Clients of Stripe's kind send the same without them. Both are read, and mean the same key.

use bedplate_core::Problem;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use sha2::{Digest, Sha256};

use crate::problems::IDEMPOTENCY_KEY_INVALID;
use crate::request::Request;
use crate::response::{Body, Response};

/// The request's header.
pub const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer is one that was given before.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Characters of a key at most.
const LONGEST: usize = 255;

/// What besides method, URL and body decides on an answer. Credentials do by whom they stand for.
const FIELDS: [&str; 15] = [
    "accept",
    "accept-language",
    "accept-profile",
    "content-encoding",
    "content-language",
    "content-profile",
    "content-type",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "prefer",
    "range",
    "range-unit",
    "x-http-method-override",
];

/// The key of a request that may change something; others need none, and theirs is not looked at.
///
/// # Errors
/// `idempotency_key_invalid` for several keys, and for one that is empty, too long or not readable.
pub fn key(method: &Method, headers: &HeaderMap) -> Result<Option<String>, Problem> {
    if !matches!(*method, Method::POST | Method::PATCH | Method::PUT | Method::DELETE) {
        return Ok(None);
    }
    let mut values = headers.get_all(KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(invalid("is there more than once"));
    }
    read(value).map(Some)
}

fn read(value: &HeaderValue) -> Result<String, Problem> {
    let text = value.to_str().map_err(|_| invalid("has characters that are not ASCII"))?;
    let key = match text.strip_prefix('"') {
        Some(rest) => quoted(rest)?,
        None => plain(text)?.to_owned(),
    };
    match key.len() {
        0 => Err(invalid("is empty")),
        1..=LONGEST => Ok(key),
        _ => Err(invalid("is longer than 255 characters")),
    }
}

/// The rest of a string of Structured Fields: a backslash stands before quotes and backslashes, and before nothing else.
fn quoted(rest: &str) -> Result<String, Problem> {
    let mut key = String::with_capacity(rest.len());
    let mut characters = rest.chars();
    loop {
        match characters.next() {
            Some('"') => break,
            Some('\\') => match characters.next() {
                Some(c @ ('"' | '\\')) => key.push(c),
                _ => return Err(invalid("has a backslash before something else than \\ and \"")),
            },
            Some(c @ ' '..='~') => key.push(c),
            Some(_) => return Err(invalid("has a control character")),
            None => return Err(invalid("begins with a quotation mark and does not end with one")),
        }
    }
    // Parameters (RFC 9651 §3.1.2) mean nothing here, and a list is not a key.
    if characters.as_str().trim().is_empty() {
        Ok(key)
    } else {
        Err(invalid("has something behind its closing quotation mark"))
    }
}

/// A key as it is. What would make a list of it is refused: two headers that somebody joined are two keys.
fn plain(text: &str) -> Result<&str, Problem> {
    let allowed = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\' | b',' | b';');
    if text.bytes().all(allowed) {
        Ok(text)
    } else {
        Err(invalid("has blanks or one of \" \\ , ; which need quotation marks around the key"))
    }
}

fn invalid(why: &str) -> Problem {
    Problem::new(&IDEMPOTENCY_KEY_INVALID)
        .detail(format!("Idempotency-Key {why}"))
        .hint("Send one key of 1 to 255 visible ASCII characters, for example a UUID; with or without quotation marks")
}

/// SHA-256 over everything that the answer depends on, each part with its length before it.
pub fn fingerprint(request: &Request, body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    part(request.method.as_str().as_bytes());
    part(request.path().as_bytes());
    part(request.query().as_bytes());
    for name in FIELDS {
        for value in request.headers.get_all(name) {
            part(name.as_bytes());
            part(value.as_bytes());
        }
    }
    part(b"");
    part(body);
    hash.finalize().into()
}

/// An answer as it is kept: status, header fields as lines of HTTP/1.1, and body. `None` for one that is made while it is
/// sent.
pub fn parts(response: &Response) -> Option<(u16, Bytes, Bytes)> {
    let body = match &response.body {
        Body::Empty => Bytes::new(),
        Body::Full(bytes) => bytes.clone(),
        Body::Stream(_) => return None,
    };
    let mut head = Vec::with_capacity(128);
    for (name, value) in &response.headers {
        for bytes in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            head.extend_from_slice(bytes);
        }
    }
    Some((response.status.as_u16(), head.into(), body))
}

/// The kept answer, marked as one.
///
/// # Errors
/// An internal problem when the record is not what [`parts`] made.
pub fn replay((status, head, body): (u16, Bytes, Bytes)) -> Result<Response, Problem> {
    let garbled = || Problem::internal_error("a kept answer cannot be read");
    let status = StatusCode::from_u16(status).map_err(|_| garbled())?;
    let body = if body.is_empty() { Body::Empty } else { Body::Full(body) };
    let mut response = Response::new(status, body);
    for line in head.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let colon = memchr::memchr(b':', line).ok_or_else(garbled)?;
        let (name, value) = (&line[..colon], line.get(colon + 2..).unwrap_or_default());
        let name = HeaderName::from_bytes(name).map_err(|_| garbled())?;
        response.headers.append(name, HeaderValue::from_bytes(value).map_err(|_| garbled())?);
    }
    response.headers.insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&[u8]]) -> Result<Option<String>, u16> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(KEY, HeaderValue::from_bytes(value).unwrap());
        }
        key(&Method::POST, &headers).map_err(|problem| problem.status())
    }

    #[test]
    fn keys_are_read_with_and_without_quotation_marks() {
        let some = |key: &str| Ok(Some(key.to_owned()));
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&[b"8e03978e-40d5"]), some("8e03978e-40d5"));
        assert_eq!(of(&[b"\"8e03978e-40d5\""]), some("8e03978e-40d5"));
        assert_eq!(of(&[br#""a \"b\" \\, c;""#]), some(r#"a "b" \, c;"#));
        assert_eq!(of(&[b"\"a\"  "]), some("a"));
        assert_eq!(of(&["x".repeat(255).as_bytes()]), some(&"x".repeat(255)));
    }

    #[test]
    fn what_is_not_one_key_is_refused() {
        let long = "x".repeat(256);
        let bad: [&[&[u8]]; 14] = [
            &[b""],
            &[b"\"\""],
            &[b"\""],
            &[b"\"a"],
            &[b"a\""],
            &[b"\"a\\n\""],
            &[b"\"a\"; p=1"],
            &[b"\"a\", \"b\""],
            &[b"a, b"],
            &[b"a b"],
            &[b"a;b"],
            &[b"\xc3\xa9"],
            &[b"a", b"b"],
            &[long.as_bytes()],
        ];
        for values in bad {
            assert_eq!(of(values), Err(400), "{values:?}");
        }
    }

    #[test]
    fn requests_that_change_nothing_have_no_key() {
        let mut headers = HeaderMap::new();
        headers.insert(KEY, HeaderValue::from_static("\""));
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            assert_eq!(key(&method, &headers).unwrap(), None);
        }
    }

    #[test]
    fn a_kept_answer_is_the_answer() {
        let mut response = Response::json(StatusCode::CREATED, "{\"a\": 1}");
        response.headers.append("set-cookie", HeaderValue::from_static("a=1"));
        response.headers.append("set-cookie", HeaderValue::from_static("b=2"));
        response.headers.insert("x-bytes", HeaderValue::from_bytes(b"\xff: x").unwrap());
        response.headers.insert("x-empty", HeaderValue::from_static(""));
        let kept = parts(&response).unwrap();
        let mut replayed = replay(kept).unwrap();
        assert_eq!(replayed.headers.remove(REPLAYED).unwrap(), "true");
        assert_eq!((replayed.status, &replayed.headers), (response.status, &response.headers));
        assert!(matches!(&replayed.body, Body::Full(bytes) if bytes == "{\"a\": 1}"));
        let empty = replay(parts(&Response::empty(StatusCode::NO_CONTENT)).unwrap()).unwrap();
        assert!(matches!(empty.body, Body::Empty));
        for head in ["x", "a b: c\r\n"] {
            assert!(replay((200, Bytes::from_static(head.as_bytes()), Bytes::new())).is_err());
        }
    }
}
