//! Compression of answers: negotiated by q-values (RFC 9110 §12.5.3), only where it pays, away from the serving
//! threads when big. Each encoding is a representation of its own and gets its own strong `ETag`.

use std::io::Write;

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, VARY,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use smallvec::SmallVec;

use crate::config::Compression;
use crate::response::{Body, Response};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Zstd,
    Brotli,
    Gzip,
}

impl Encoding {
    /// In the order of our taste when the client has none: zstd costs least for what it saves.
    const ALL: [Self; 3] = [Self::Zstd, Self::Brotli, Self::Gzip];

    fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }
}

/// What the client said about encodings; read only when there is something to compress.
pub(crate) struct AcceptEncoding(SmallVec<[HeaderValue; 1]>);

impl AcceptEncoding {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Self(headers.get_all(ACCEPT_ENCODING).iter().cloned().collect())
    }
}

/// The best encoding the client takes, `None` for sending as it is.
fn negotiate(accept: &AcceptEncoding) -> Option<Encoding> {
    // 1000ths, as q-values have three decimals; None: not named.
    let mut weights = [None; Encoding::ALL.len()];
    let (mut identity, mut rest) = (None, None);
    for value in &accept.0 {
        for item in value.to_str().unwrap_or_default().split(',') {
            let (coding, quality) = item.split_once(';').map_or((item, None), |(c, q)| (c, Some(q)));
            let Some(weight) = quality.map_or(Some(1000), weight) else { continue };
            let coding = coding.trim();
            if let Some(at) = Encoding::ALL.iter().position(|e| coding.eq_ignore_ascii_case(e.name())) {
                weights[at] = Some(weight);
            } else if coding.eq_ignore_ascii_case("identity") {
                identity = Some(weight);
            } else if coding == "*" {
                rest = Some(weight);
            }
        }
    }
    let weighed = Encoding::ALL.iter().zip(weights).map(|(e, w)| (*e, w.or(rest).unwrap_or(0)));
    // On a tie the first one wins.
    let best = weighed.reduce(|best, next| if next.1 > best.1 { next } else { best })?;
    (best.1 > 0 && best.1 >= identity.unwrap_or(0)).then_some(best.0)
}

fn weight(parameter: &str) -> Option<u16> {
    let (key, value) = parameter.trim().split_once('=')?;
    let value: f32 = value.trim().parse().ok()?;
    (key.trim().eq_ignore_ascii_case("q") && (0.0..=1.0).contains(&value)).then_some((value * 1000.0) as u16)
}

/// Compresses the answer where that is allowed and pays.
pub(crate) async fn apply(response: &mut Response, accept: &AcceptEncoding, config: &Compression) {
    let Body::Full(body) = &response.body else { return };
    if !config.enabled || body.len() < config.min_bytes || !is_eligible(response) {
        return;
    }
    vary(&mut response.headers);
    let Some(encoding) = negotiate(accept) else { return };
    let body = body.clone();
    let compressed = if body.len() > config.offload_bytes {
        let original = body.clone();
        tokio::task::spawn_blocking(move || compress(&original, encoding)).await.ok().flatten()
    } else {
        compress(&body, encoding)
    };
    // A failure or no gain: the original is as right an answer.
    let Some(compressed) = compressed.filter(|compressed| compressed.len() < body.len()) else { return };
    response.headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
    response.headers.remove(CONTENT_LENGTH);
    if let Some(tag) = response.headers.get(ETAG).and_then(|tag| tag.to_str().ok())
        && let Ok(tag) = HeaderValue::try_from(crate::etag::for_encoding(tag, encoding.name()))
    {
        response.headers.insert(ETAG, tag);
    }
    response.body = Body::Full(compressed);
}

/// Says that the encoding was negotiated, unless that is said already.
fn vary(headers: &mut HeaderMap) {
    let named = |value: &HeaderValue| {
        value.to_str().is_ok_and(|text| {
            text.split(',').any(|name| name.trim().eq_ignore_ascii_case(ACCEPT_ENCODING.as_str()))
        })
    };
    if !headers.get_all(VARY).iter().any(named) {
        headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
}

fn is_eligible(response: &Response) -> bool {
    let headers = &response.headers;
    let bodiless = matches!(response.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let partial = response.status == StatusCode::PARTIAL_CONTENT || headers.contains_key(CONTENT_RANGE);
    let fixed = headers
        .get_all(CACHE_CONTROL)
        .iter()
        .any(|value| value.to_str().is_ok_and(|value| value.split(',').any(|v| v.trim() == "no-transform")));
    !bodiless && !partial && !fixed && !headers.contains_key(CONTENT_ENCODING) && is_text(headers)
}

fn is_text(headers: &HeaderMap) -> bool {
    let Some(content_type) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.starts_with("text/")
        || essence.ends_with("+json")
        || essence.ends_with("+xml")
        || matches!(
            essence,
            "application/json"
                | "application/javascript"
                | "application/xml"
                | "application/wasm"
                | "application/openmetrics-text"
                | "application/geo+json"
        )
}

fn compress(body: &Bytes, encoding: Encoding) -> Option<Bytes> {
    let mut out = Vec::with_capacity(body.len() / 3 + 64);
    match encoding {
        Encoding::Zstd => out = zstd::bulk::compress(body, 1).ok()?,
        Encoding::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(&mut out, flate2::Compression::new(3));
            encoder.write_all(body).ok()?;
            encoder.finish().ok()?;
        }
        Encoding::Brotli => {
            let params = brotli::enc::BrotliEncoderParams {
                quality: 3,
                lgwin: 20,
                size_hint: body.len(),
                ..Default::default()
            };
            brotli::BrotliCompress(&mut body.as_ref(), &mut out, &params).ok()?;
        }
    }
    Some(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(accept: &str) -> Option<Encoding> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, accept.parse().unwrap());
        negotiate(&AcceptEncoding::of(&headers))
    }

    #[test]
    fn q_values_decide() {
        assert_eq!(chosen("gzip, deflate, br"), Some(Encoding::Brotli));
        assert_eq!(chosen("gzip, deflate, br, zstd"), Some(Encoding::Zstd));
        assert_eq!(chosen("GZIP;q=0.9, br;q=0.5"), Some(Encoding::Gzip));
        assert_eq!(chosen("*"), Some(Encoding::Zstd));
        assert_eq!(chosen("*;q=0.5, zstd;q=0"), Some(Encoding::Brotli));
        assert_eq!(chosen("gzip;q=0"), None);
        assert_eq!(chosen("identity, gzip;q=0.5"), None);
        assert_eq!(chosen("identity;q=0.5, gzip;q=0.6"), Some(Encoding::Gzip));
        assert_eq!(chosen("deflate"), None);
        assert_eq!(chosen("gzip;q=nonsense"), None);
        assert_eq!(negotiate(&AcceptEncoding::of(&HeaderMap::new())), None);
    }
}
