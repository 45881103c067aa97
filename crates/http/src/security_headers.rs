//! The headers that every answer has, errors and redirects alike (security.md §4). A handler may set its own
//! value of each but `nosniff`.

use http::HeaderMap;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, SERVER,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

pub(crate) fn apply(headers: &mut HeaderMap, secure: bool, allowed_cross_origin: bool) {
    let defaults = [
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (REFERRER_POLICY, "no-referrer"),
        // CORP would override CORS for an origin that was let in.
        (RESOURCE_POLICY, if allowed_cross_origin { "cross-origin" } else { "same-origin" }),
    ];
    for (name, value) in defaults {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if secure {
        let two_years = HeaderValue::from_static("max-age=63072000; includeSubDomains");
        headers.entry(STRICT_TRANSPORT_SECURITY).or_insert(two_years);
    }
    headers.remove(SERVER);
}
