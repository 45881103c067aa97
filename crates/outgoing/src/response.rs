//! Answers: whole, or piece by piece.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::Error;
use crate::client::cause;
use crate::config::Limits;
use crate::hosts::Pass;

/// An answer with its whole body.
#[derive(Debug)]
pub struct Response {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// An answer whose body is read piece by piece. Holds its place among the host's calls until it is dropped.
pub struct Streaming {
    pub status: StatusCode,
    pub headers: HeaderMap,
    body: Incoming,
    limits: Limits,
    read: u64,
    _pass: Pass,
}

impl Streaming {
    pub(crate) fn new(answer: http::Response<Incoming>, limits: Limits, pass: Pass) -> Self {
        let (head, body) = answer.into_parts();
        Self { status: head.status, headers: head.headers, body, limits, read: 0, _pass: pass }
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// When nothing comes for too long, when there is more than the limit, or when the connection breaks.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let after = self.limits.idle;
        loop {
            let frame = tokio::time::timeout(after, self.body.frame()).await;
            let frame = frame.map_err(|_| Error::Timeout { what: "further data", after })?;
            let Some(frame) = frame else { return Ok(None) };
            let Ok(piece) = frame.map_err(|error| Error::Broken(cause(&error)))?.into_data() else {
                continue;
            };
            self.read += piece.len() as u64;
            if self.read > self.limits.bytes {
                return Err(Error::TooLarge { limit: self.limits.bytes });
            }
            return Ok(Some(piece));
        }
    }

    pub(crate) async fn whole(mut self) -> Result<Response, Error> {
        let mut body = BytesMut::new();
        while let Some(piece) = self.next().await? {
            body.extend_from_slice(&piece);
        }
        Ok(Response { status: self.status, headers: self.headers, body: body.freeze() })
    }
}
