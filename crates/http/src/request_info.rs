//! What SQL may know of the request: the settings `request.method`, `request.path` and `request.headers`.

use bedplate_core::RequestInfo;
use http::{HeaderName, Method};

use crate::config::SqlHeaders;
use crate::redact::is_sensitive;

/// `shown` is `None` for routes that never reach the database. `below` is the length of a prefix that SQL is not to see;
/// such front doors also show the cookies.
pub(crate) fn describe(
    head: &http::request::Parts,
    shown: Option<&SqlHeaders>,
    below: Option<usize>,
) -> RequestInfo {
    let headers = shown.map(|shown| headers_json(&head.headers, shown)).unwrap_or_default();
    let path = head.uri.path().get(below.unwrap_or(0)..).unwrap_or_default();
    let path = if path.is_empty() { "/" } else { path };
    let cookies = below.map(|_| cookies_json(&head.headers));
    RequestInfo { method: method(&head.method), path: path.to_owned(), headers, cookies }
}

/// A JSON object of the cookies' names and values (RFC 6265 §4.2); of a name that is there twice the last one counts.
fn cookies_json(headers: &http::HeaderMap) -> String {
    let mut cookies = serde_json::Map::new();
    let texts = headers.get_all(http::header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    for pair in texts.flat_map(|text| text.split(';')) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if !name.trim().is_empty() {
            cookies.insert(name.trim().to_owned(), value.trim().trim_matches('"').into());
        }
    }
    serde_json::Value::Object(cookies).to_string()
}

fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

/// A JSON object of lower-case names to values, without credentials. Of repeated headers the values are joined
/// with commas, as RFC 9110 §5.3 has it; values that are not ASCII are left out.
fn headers_json(headers: &http::HeaderMap, shown: &SqlHeaders) -> String {
    let mut json = String::with_capacity(32 * headers.len() + 64);
    json.push('{');
    let is_shown = |name: &HeaderName| shown.has(name.as_str()) && !is_sensitive(name.as_str());
    if headers.keys_len() == headers.len() {
        // Nothing is repeated, as nearly always.
        for (name, value) in headers.iter().filter(|(name, _)| is_shown(name)) {
            push_field(&mut json, name, value.to_str().ok());
        }
    } else {
        for name in headers.keys().filter(|name| is_shown(name)) {
            push_field(&mut json, name, headers.get_all(name).iter().filter_map(|value| value.to_str().ok()));
        }
    }
    json.push('}');
    json
}

fn push_field<'v>(json: &mut String, name: &HeaderName, values: impl IntoIterator<Item = &'v str>) {
    let mut values = values.into_iter();
    let Some(first) = values.next() else { return };
    if json.len() > 1 {
        json.push(',');
    }
    // Header names are tokens: nothing in them needs escaping.
    json.push('"');
    json.push_str(name.as_str());
    json.push_str("\":\"");
    push_escaped(json, first);
    for value in values {
        json.push_str(", ");
        push_escaped(json, value);
    }
    json.push('"');
}

/// Visible ASCII, space and tab are all that `to_str` lets through.
fn push_escaped(json: &mut String, text: &str) {
    if memchr::memchr3(b'"', b'\\', b'\t', text.as_bytes()).is_none() {
        json.push_str(text);
        return;
    }
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\t' => json.push_str("\\t"),
            c => json.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_become_json_without_credentials() {
        let mut headers = http::HeaderMap::new();
        headers.insert("authorization", "Bearer x".parse().unwrap());
        headers.insert("apikey", "x".parse().unwrap());
        headers.insert("user-agent", "a \"quoted\" \\ agent".parse().unwrap());
        headers.insert("accept", "a".parse().unwrap());
        headers.append("accept", "b".parse().unwrap());
        headers.insert("x-bytes", http::HeaderValue::from_bytes(b"\xff").unwrap());
        let json: serde_json::Value =
            serde_json::from_str(&headers_json(&headers, &SqlHeaders::All)).unwrap();
        assert_eq!(json, serde_json::json!({"user-agent": "a \"quoted\" \\ agent", "accept": "a, b"}));
        let listed = SqlHeaders::Listed(vec!["accept".to_owned(), "authorization".to_owned()]);
        assert_eq!(headers_json(&headers, &listed), r#"{"accept":"a, b"}"#);
    }
}
