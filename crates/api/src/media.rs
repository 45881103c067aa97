//! Content types: what is taken and what is given.

use bedplate_core::Problem;
use bedplate_core::problem::{NOT_ACCEPTABLE, UNSUPPORTED_MEDIA_TYPE};
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE};

const JSON: &[&str] = &["application/json"];
/// RFC 7396; plain JSON means the same here.
const MERGE_PATCH: &[&str] = &["application/json", "application/merge-patch+json"];

/// Whether the client takes JSON (RFC 9110 §12.5.1). Without an `Accept` it takes anything.
pub(crate) fn check_accept(headers: &HeaderMap) -> Result<(), Problem> {
    let mut values = headers.get_all(ACCEPT).iter().peekable();
    match values.peek().map(|value| value.as_bytes()) {
        None => return Ok(()),
        // What nearly all clients send. Nothing that may follow is more specific.
        Some(b"application/json") => return Ok(()),
        Some(_) => {}
    }
    let ranges = values.filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(','));
    let mut best: Option<(u8, bool)> = None;
    for range in ranges {
        let mut parts = range.split(';').map(str::trim);
        let weight = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "application/json" => 3,
            "application/*" => 2,
            "*/*" => 1,
            _ => continue,
        };
        let refused = parts.any(|p| p.strip_prefix("q=").is_some_and(|q| q.trim().parse() == Ok(0.0_f32)));
        // The most specific range decides.
        if best.is_none_or(|(known, _)| weight > known) {
            best = Some((weight, !refused));
        }
    }
    match best {
        Some((_, true)) => Ok(()),
        _ => Err(Problem::new(&NOT_ACCEPTABLE).detail("only application/json is offered here")),
    }
}

pub(crate) fn check_json(headers: &HeaderMap) -> Result<(), Problem> {
    check_body(headers, JSON)
}

pub(crate) fn check_merge_patch(headers: &HeaderMap) -> Result<(), Problem> {
    check_body(headers, MERGE_PATCH)
}

/// A body must say what it is: a form that a browser sends across sites never counts as JSON (ASVS 3.5.1).
fn check_body(headers: &HeaderMap, offered: &'static [&'static str]) -> Result<(), Problem> {
    let refuse = |header| {
        Problem::new(&UNSUPPORTED_MEDIA_TYPE)
            .detail(format!("send {}", offered.join(" or ")))
            .header(header, offered.join(", "))
    };
    let value = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).ok_or_else(|| refuse("accept"))?;
    let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
    let utf8 = parameters.split(';').map(str::trim).all(|p| {
        p.split_once('=').is_none_or(|(name, value)| {
            !name.eq_ignore_ascii_case("charset") || value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
    });
    if utf8 && offered.iter().any(|o| o.eq_ignore_ascii_case(essence.trim())) {
        Ok(())
    } else {
        Err(refuse("accept"))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn accept_follows_the_most_specific_range() {
        let ok = |text: &'static str| {
            check_accept(&HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(text))])).is_ok()
        };
        assert!(check_accept(&HeaderMap::new()).is_ok());
        assert!(ok("*/*") && ok("text/html, application/*;q=0.5") && ok("application/json;q=0.1, */*;q=0"));
        assert!(!ok("text/csv") && !ok("application/json;q=0, */*") && !ok(""));
    }

    #[test]
    fn bodies_must_be_json_in_utf8() {
        let ok = |text: &'static str| {
            check_json(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(text))])).is_ok()
        };
        assert!(ok("application/json") && ok("Application/JSON; charset=\"UTF-8\""));
        assert!(!ok("text/plain") && !ok("application/json; charset=latin1") && !ok("multipart/form-data"));
        assert!(check_json(&HeaderMap::new()).is_err());
    }
}
