//! What SQL says of the answer: `set_config('response.status', …)` and `set_config('response.headers', …)`.

use bedplate_core::{Problem, Result};
use bedplate_data::SqlResponse;
use bedplate_http::Response;
use http::header::{CONNECTION, CONTENT_LENGTH, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::Value;

use crate::error::{self, PGRST111, PGRST112};

/// Lets SQL have its way: its headers replace those of the same name, and a name may come several times.
///
/// # Errors
/// PGRST111 and PGRST112 when they cannot be read.
pub(crate) fn apply(mut response: Response, said: &SqlResponse) -> Result<Response> {
    if let Some(status) = &said.status {
        response.status = read_status(status).ok_or_else(invalid_status)?;
    }
    let Some(headers) = &said.headers else { return Ok(response) };
    let headers = read_headers(headers).ok_or_else(invalid_headers)?;
    for (name, _) in &headers {
        response.headers.remove(name);
    }
    for (name, value) in headers {
        if !is_framing(&name) {
            response.headers.append(name, value);
        }
    }
    Ok(response)
}

/// How the message is framed, and what holds for the connection only (RFC 9110 §7.6.1), is not SQL's to say.
pub(crate) fn is_framing(name: &HeaderName) -> bool {
    [CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION, UPGRADE, TE, TRAILER].contains(name)
        || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}

/// The digits that it begins with.
fn read_status(text: &str) -> Option<StatusCode> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let status = text.get(..end)?.parse::<u16>().ok().and_then(|status| StatusCode::from_u16(status).ok())?;
    // What cannot end an exchange (RFC 9110 §15.2).
    (!status.is_informational()).then_some(status)
}

/// An array of objects with one member each, a string.
fn read_headers(text: &str) -> Option<Vec<(HeaderName, HeaderValue)>> {
    let Value::Array(items) = serde_json::from_str(text).ok()? else { return None };
    items.into_iter().map(header).collect()
}

fn header(item: Value) -> Option<(HeaderName, HeaderValue)> {
    let Value::Object(members) = item else { return None };
    let mut members = members.into_iter();
    match (members.next(), members.next()) {
        (Some((name, Value::String(value))), None) => {
            Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
        }
        _ => None,
    }
}

fn invalid_headers() -> Problem {
    error::plain(
        &PGRST111,
        "response.headers guc must be a JSON array composed of objects with a single key and a string value",
    )
}

fn invalid_status() -> Problem {
    error::plain(&PGRST112, "response.status guc must be a valid status code")
}

#[cfg(test)]
mod tests {
    use bedplate_http::Body;

    use super::*;

    fn applied(status: Option<&str>, headers: Option<&str>) -> std::result::Result<Response, &'static str> {
        let mut response = Response::new(StatusCode::OK, Body::Empty);
        response.headers.insert("x-kept", HeaderValue::from_static("1"));
        response.headers.insert("location", HeaderValue::from_static("/a"));
        let said = SqlResponse { status: status.map(str::to_owned), headers: headers.map(str::to_owned) };
        apply(response, &said).map_err(|problem| problem.code().name)
    }

    #[test]
    fn headers_replace_and_repeat() {
        let headers =
            r#"[{"Location": "/b"}, {"Set-Cookie": "x=1"}, {"Set-Cookie": "y=2"}, {"Content-Length": "7"}]"#;
        let response = applied(Some("205"), Some(headers)).unwrap();
        assert_eq!(response.status, 205);
        assert_eq!(response.headers["location"], "/b");
        assert_eq!(response.headers["x-kept"], "1");
        assert_eq!(response.headers.get_all("set-cookie").iter().count(), 2);
        assert!(!response.headers.contains_key("content-length"));
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        for headers in
            ["{}", "[{}]", r#"[{"a": "1", "b": "2"}]"#, r#"[{"a": 1}]"#, "[1]", "x", r#"[{"a b": "1"}]"#]
        {
            assert_eq!(applied(None, Some(headers)).unwrap_err(), "pgrst111", "{headers}");
        }
        for status in ["bad", "", "7", "-200", "70000", "101"] {
            assert_eq!(applied(Some(status), None).unwrap_err(), "pgrst112", "{status}");
        }
        assert_eq!(applied(Some("404 Not Found"), None).unwrap().status, 404);
    }
}
