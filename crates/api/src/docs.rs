//! `GET /docs`: a page for people, on which they read what the API offers them and try requests. It is the same for everybody
//! and knows nothing: it fetches [`crate::openapi::PATH`] with the credentials that are typed into it, and keeps those in
//! memory. All of it is in the binary; nothing is loaded from elsewhere.

use bedplate_core::{Problem, Result};
use bedplate_http::{Access, Request, Response, Route, etag, handler_fn};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, IF_NONE_MATCH, X_FRAME_OPTIONS};
use http::{HeaderValue, Method, StatusCode};
use sha2::{Digest, Sha256};

/// Where the page is.
pub const PATH: &str = "/docs";

/// Its own script and style, requests to its own origin; nothing inline, no framing, no forms that leave it.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'",
);

const FILES: [(&str, &str, &str); 6] = [
    (PATH, "text/html; charset=utf-8", include_str!("docs/index.html")),
    ("/docs/page.css", "text/css; charset=utf-8", include_str!("docs/page.css")),
    ("/docs/page.js", "text/javascript; charset=utf-8", include_str!("docs/page.js")),
    ("/docs/operation.js", "text/javascript; charset=utf-8", include_str!("docs/operation.js")),
    ("/docs/icon.svg", "image/svg+xml", include_str!("docs/icon.svg")),
    ("/docs/schema.js", "text/javascript; charset=utf-8", include_str!("docs/schema.js")),
];

/// The rows for the route table.
///
/// # Errors
/// None that can happen: an entity tag that is no header value.
pub fn routes() -> Result<Vec<Route>> {
    FILES.into_iter().map(|(path, media, text)| route(path, media, text)).collect()
}

fn route(path: &'static str, media: &'static str, text: &'static str) -> Result<Route> {
    let digest = Sha256::digest(text.as_bytes());
    let number = u128::from_be_bytes(digest[..16].try_into().unwrap_or_default());
    let text_tag = format!("\"{number:032x}\"");
    let tag = HeaderValue::try_from(&text_tag)
        .map_err(|e| Problem::internal_error("an entity tag").caused_by(e))?;
    let handler = handler_fn(move |_, request: Request| {
        let asked = request.header(&IF_NONE_MATCH);
        let fresh = asked.is_some_and(|asked| etag::matches_weakly(asked, &text_tag));
        let response = if fresh {
            Response::empty(StatusCode::NOT_MODIFIED)
        } else {
            Response::typed(StatusCode::OK, media, Bytes::from_static(text.as_bytes()))
        };
        let response = response
            .header(ETAG, tag.clone())
            .header(CACHE_CONTROL, HeaderValue::from_static("no-cache"))
            .header(CONTENT_SECURITY_POLICY, POLICY)
            .header(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        async move { Ok(response) }
    });
    Ok(Route::new(&[Method::GET], path, "docs", Access::Public, handler))
}
