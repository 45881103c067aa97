//! The answer's representation: what the caller takes as a part of the request, and what came of it as a response.

use std::sync::{Arc, LazyLock};

use bedplate_data::{Answer, Shape};
use bedplate_http::Response;
use bedplate_query::media::Accept;
use bedplate_query::request::Style;
use bytes::{Buf as _, Bytes, BytesMut};
use http::HeaderValue;
use http::header::{ACCEPT, CONTENT_TYPE};

use crate::Call;
use crate::accept::{self, Media};

/// How requests of this front door are meant, and which representations the caller takes.
pub(crate) fn style(call: &Call<'_>) -> Style {
    let zoned = call.preferences.timezone.is_some();
    Style { extensions: call.config.extensions, zoned, accept: accepted(call), ..Style::POSTGREST }
}

fn accepted(call: &Call<'_>) -> Accept {
    static ANY: LazyLock<Arc<[Media]>> = LazyLock::new(|| Arc::new([Media::Any]));
    static JSON: LazyLock<Arc<[Media]>> = LazyLock::new(|| Arc::new([Media::Json]));
    // What nearly all requests say.
    let mut headers = call.request.headers.get_all(ACCEPT).iter();
    match (headers.next().map(HeaderValue::as_bytes), headers.next()) {
        (None | Some(b"*/*"), None) => return Accept::Listed(Arc::clone(&ANY)),
        (Some(b"application/json"), None) => return Accept::Listed(Arc::clone(&JSON)),
        _ => {}
    }
    let mut accepted = accept::read(&call.request.headers);
    if !call.config.plans {
        accepted.iter_mut().for_each(forget_plan);
    }
    // What comes after one that always fits does not matter, and should not make another plan.
    if let Some(last) = accepted.iter().position(always_fits) {
        accepted.truncate(last + 1);
    }
    Accept::Listed(match accepted.as_slice() {
        [Media::Any] => Arc::clone(&ANY),
        [Media::Json] => Arc::clone(&JSON),
        _ => accepted.into(),
    })
}

/// Where plans are not offered, their type is one like any other.
fn forget_plan(media: &mut Media) {
    if let Media::Plan(_) = media {
        *media = Media::Other(media.name().into());
    }
}

fn always_fits(media: &Media) -> bool {
    matches!(media, Media::Any | Media::Json | Media::JsonStripped | Media::Object { .. } | Media::Csv)
}

/// A buffer for rows, with the bracket that lists need.
pub(crate) fn begin(capacity: usize) -> BytesMut {
    let mut out = BytesMut::with_capacity(capacity);
    out.extend_from_slice(b"[");
    out
}

/// What was begun, completed.
pub(crate) fn complete(mut out: BytesMut, shape: Shape) -> Bytes {
    if shape == Shape::List {
        out.extend_from_slice(b"]");
        return out.freeze();
    }
    out.advance(1);
    if shape == Shape::One && out.is_empty() {
        return Bytes::from_static(b"null");
    }
    out.freeze()
}

/// `Content-Type`, and the schema that it came from.
pub(crate) fn describe(call: &Call<'_>, answer: &Answer, response: &mut Response) {
    if let Some(value) = content_type(&answer.media) {
        response.headers.insert(CONTENT_TYPE, value);
    }
    response.headers.extend(call.schema.header());
}

fn content_type(media: &Media) -> Option<HeaderValue> {
    match media {
        Media::Json | Media::Any => Some(HeaderValue::from_static("application/json; charset=utf-8")),
        media if media.has_charset() => HeaderValue::try_from(media.name() + "; charset=utf-8").ok(),
        media => HeaderValue::try_from(media.name()).ok(),
    }
}

/// Whether the answer is an execution plan: then nothing is known of rows.
pub(crate) fn is_plan(answer: &Answer) -> bool {
    matches!(answer.media, Media::Plan(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_completed_by_their_shape() {
        let completed = |rows: &str, shape| {
            let mut out = begin(8);
            out.extend_from_slice(rows.as_bytes());
            complete(out, shape)
        };
        assert_eq!(completed("1,2", Shape::List), "[1,2]");
        assert_eq!(completed("", Shape::List), "[]");
        assert_eq!(completed("{}", Shape::One), "{}");
        assert_eq!(completed("", Shape::One), "null");
        assert_eq!(completed("", Shape::Whole), "");
        assert_eq!(completed("a\n1", Shape::Whole), "a\n1");
        assert_eq!(completed("", Shape::Nothing), "");
    }
}
