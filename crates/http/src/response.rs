//! [`Response`]: what handlers give back. Status, headers and a body that is either there already or streamed.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::ext::ReasonPhrase;

use crate::exchange::Exchange;

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug)]
pub struct Response {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Body,
    /// Instead of the status's usual words on HTTP/1 (RFC 9112 §4); HTTP/2 has none.
    pub reason: Option<ReasonPhrase>,
}

#[derive(Debug, Default)]
pub enum Body {
    #[default]
    Empty,
    Full(Bytes),
    /// Sent as it comes; exempt from the request's deadline once its head is out, never compressed.
    Stream(UnsyncBoxBody<Bytes, BoxError>),
}

impl Response {
    pub fn new(status: StatusCode, body: Body) -> Self {
        // Room for what the pipeline adds, so that the map does not grow and hash itself anew.
        Self { status, headers: HeaderMap::with_capacity(12), body, reason: None }
    }

    /// No body, for example 204 or 304.
    pub fn empty(status: StatusCode) -> Self {
        Self::new(status, Body::Empty)
    }

    /// A body that is JSON text already.
    pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self::typed(status, "application/json; charset=utf-8", body)
    }

    pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self::typed(status, "text/plain; charset=utf-8", body)
    }

    pub fn typed(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut response = Self::new(status, Body::Full(body.into()));
        response.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        response
    }

    /// A body made while it is sent. An error of the stream cuts the connection, so that the client cannot take
    /// a part for the whole.
    pub fn stream<S, E>(status: StatusCode, content_type: &'static str, stream: S) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        let body = StreamBody::new(stream.map_ok(Frame::data).map_err(Into::into));
        let mut response = Self::new(status, Body::Stream(body.boxed_unsync()));
        response.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        response
    }

    /// The words after the status. Those that a status line cannot hold, or that are longer than anybody reads, are
    /// left out.
    #[must_use]
    pub fn reason(mut self, words: &str) -> Self {
        self.reason = Some(words)
            .filter(|w| (1..=256).contains(&w.len()))
            .and_then(|w| ReasonPhrase::try_from(w.as_bytes()).ok());
        self
    }

    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }
}

/// A response body on its way out. It holds the [`Exchange`], so that a request counts as in flight, and its
/// log line waits, until the last byte was handed over or the client is gone.
pub struct Outgoing {
    body: Body,
    exchange: Option<Box<Exchange>>,
    sent: u64,
}

impl Outgoing {
    /// `streaming` is the exchange to finish when the stream ends; buffered answers finished theirs already.
    pub(crate) fn new(body: Body, streaming: Option<Box<Exchange>>) -> Self {
        Self { body, exchange: streaming, sent: 0 }
    }

    fn finish(&mut self, complete: bool) {
        if let Some(mut exchange) = self.exchange.take() {
            exchange.sent(self.sent, complete);
        }
    }
}

impl HttpBody for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        match &mut this.body {
            Body::Empty => {
                this.finish(true);
                Poll::Ready(None)
            }
            Body::Full(_) => match std::mem::take(&mut this.body) {
                Body::Full(bytes) if !bytes.is_empty() => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                _ => Poll::Ready(None),
            },
            Body::Stream(stream) => {
                let frame = std::task::ready!(Pin::new(stream).poll_frame(cx));
                match &frame {
                    Some(Ok(frame)) => this.sent += frame.data_ref().map_or(0, |data| data.len() as u64),
                    Some(Err(error)) => {
                        tracing::error!(%error, "a streamed answer broke off");
                        this.finish(false);
                    }
                    None => this.finish(true),
                }
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            Body::Empty => true,
            Body::Full(bytes) => bytes.is_empty(),
            Body::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Body::Empty => SizeHint::with_exact(0),
            Body::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Body::Stream(stream) => stream.size_hint(),
        }
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        let complete = self.is_end_stream();
        self.finish(complete);
    }
}
