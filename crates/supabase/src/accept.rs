//! Which representations the caller takes: the `Accept` header, by quality and then by order.

use bedplate_core::problem::LIMIT_EXCEEDED;
use bedplate_core::{Problem, Result};
use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue};

pub(crate) use bedplate_query::media::Media;

/// More types than any client sends; each is looked up, and all of them are part of what is planned.
const MOST_TYPES: usize = 100;

/// # Errors
/// `limit_exceeded`, when more types are listed than is sensible.
pub(crate) fn check(headers: &HeaderMap) -> Result<()> {
    let types = |value: &HeaderValue| value.as_bytes().split(|byte| *byte == b',').count();
    let listed: usize = headers.get_all(ACCEPT).iter().map(types).sum();
    if listed <= MOST_TYPES {
        return Ok(());
    }
    Err(Problem::new(&LIMIT_EXCEEDED).detail(format!("Accept lists more than {MOST_TYPES} media types")))
}

/// What is accepted, best first; without the header everything is.
pub(crate) fn read(headers: &HeaderMap) -> Vec<Media> {
    let mut wanted: Vec<(f32, i32, &str)> = Vec::new();
    for value in headers.get_all(ACCEPT) {
        let text = value.to_str().unwrap_or_default();
        wanted.extend(split(text).map(|item| (quality(item), detail(item), item.trim())));
    }
    if wanted.is_empty() {
        return vec![Media::Any];
    }
    // Stable: what is wanted equally stays in the order written.
    wanted.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)));
    wanted.into_iter().filter(|(quality, ..)| *quality > 0.0).map(|(.., item)| Media::parse(item)).collect()
}

/// At commas outside quotes.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    })
    .filter(|item| !item.trim().is_empty())
}

/// `q=0.5` (RFC 9110 §12.4.2); 1 when there is none or it cannot be read.
fn quality(item: &str) -> f32 {
    let parameters = item.split(';').skip(1);
    let q = parameters.filter_map(|p| p.trim().strip_prefix("q=")).find_map(|q| q.trim().parse().ok());
    q.unwrap_or(1.0)
}

/// Of types wanted equally, parameters make one more specific and wildcards less (RFC 9110 §12.5.1).
fn detail(item: &str) -> i32 {
    let parameters = item.split(';').skip(1).filter(|p| !p.trim_start().starts_with("q=")).count();
    let wildcards = item.matches('*').count();
    i32::try_from(parameters).unwrap_or(i32::MAX) - i32::try_from(wildcards).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(accept: &str) -> Vec<String> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, accept.parse().unwrap());
        read(&headers).iter().map(Media::name).collect()
    }

    #[test]
    fn lists_have_an_end() {
        let headers = |accept: &str| HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]);
        assert!(check(&headers(&"a/b,".repeat(99))).is_ok());
        assert_eq!(check(&headers(&"a/b,".repeat(100))).unwrap_err().code().name, "limit_exceeded");
    }

    #[test]
    fn the_best_comes_first() {
        assert_eq!(read(&HeaderMap::new()), [Media::Any]);
        assert_eq!(names("text/csv, application/json"), ["text/csv", "application/json"]);
        assert_eq!(names("text/csv;q=0.2,application/json;q=0.5,x/y;q=0"), ["application/json", "text/csv"]);
        assert_eq!(names("*/*, image/png"), ["image/png", "*/*"]);
        assert_eq!(
            names("text/html,application/xml;q=0.9,image/png,*/*;q=0.8"),
            ["text/html", "image/png", "application/xml;q=0.9", "*/*"]
        );
    }
}
