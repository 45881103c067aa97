//! The parsers of headers and bodies, for the fuzz targets.

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use bedplate_query::request::{Page, Values};
use bedplate_query::validate::body::Limits;

use crate::accept::Media;
use crate::range::Window;
use crate::{Config, accept, body, prefer};

/// `Prefer`, `Range` and `Accept` with the same bytes, where they can stand in a header.
pub fn headers(bytes: &[u8], config: &Config) {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let names = ["prefer", "range", "accept"].map(HeaderName::from_static);
    let headers: HeaderMap = names.into_iter().map(|name| (name, value.clone())).collect();
    let _ = prefer::read(&headers, config);
    let _ = Window::read(&Method::GET, &headers, &Page::default(), &Values::default());
    for media in accept::read(&headers) {
        let _ = media.name();
    }
}

/// A body of each media type that writes take.
pub fn bodies(bytes: &[u8], limits: &Limits) {
    for media in [Media::Json, Media::Csv, Media::UrlEncoded] {
        for named in [false, true] {
            let _ = body::parse_as(media.clone(), bytes, limits, named);
        }
    }
}
