//! [`RequestBody`]: read with a limit on size and time, because `Content-Length` is only what the client says.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use bedplate_core::Problem;
use bedplate_core::problem::{BODY_TOO_LARGE, MALFORMED, REQUEST_TIMEOUT, UNSUPPORTED_MEDIA_TYPE};
use bytes::{Bytes, BytesMut};
use http_body::Body as HttpBody;
use http_body_util::BodyExt;
use hyper::body::Incoming;

pub struct RequestBody {
    incoming: Option<Incoming>,
    /// A body that is there already.
    whole: Option<Bytes>,
    default_limit: usize,
    gap: Duration,
    total: Duration,
    /// Set when the client named a `Content-Encoding` that is not read here.
    encoded: bool,
    received: u64,
    started: Option<Instant>,
}

impl RequestBody {
    pub(crate) fn new(incoming: Incoming, default_limit: usize, gap: Duration, total: Duration) -> Self {
        Self {
            incoming: Some(incoming),
            whole: None,
            default_limit,
            gap,
            total,
            encoded: false,
            received: 0,
            started: None,
        }
    }

    /// Takes the body out of a request that is still looked at; an empty one stays behind.
    #[must_use]
    pub fn take(&mut self) -> Self {
        Self { incoming: self.incoming.take(), whole: self.whole.take(), ..*self }
    }

    /// A body in the place of this one that is there already: a part of a larger one, for example.
    #[must_use]
    pub fn of(&self, whole: Bytes) -> Self {
        Self { incoming: None, whole: Some(whole), encoded: false, received: 0, started: None, ..*self }
    }

    pub(crate) fn refuse_encoded(&mut self) {
        self.encoded = true;
    }

    /// The size the client announced, in bytes.
    pub fn announced(&self) -> Option<u64> {
        match &self.whole {
            Some(whole) => Some(whole.len() as u64),
            None => self.incoming.as_ref().and_then(|body| body.size_hint().exact()),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.whole.as_ref().is_none_or(Bytes::is_empty)
            && self.incoming.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    /// The whole body, within the route's limit.
    pub async fn collect(self) -> Result<Bytes, Problem> {
        let limit = self.default_limit;
        self.collect_up_to(limit).await
    }

    /// The whole body, at most `limit` bytes: 413 beyond, 408 when it comes too slowly, 415 when compressed.
    pub async fn collect_up_to(mut self, limit: usize) -> Result<Bytes, Problem> {
        self.check_announced(limit)?;
        let Some(first) = self.chunk(limit).await? else { return Ok(Bytes::new()) };
        // Most bodies are one piece; they are not copied.
        if self.is_empty() {
            return Ok(first);
        }
        let expected = self.announced().map_or(0, |rest| rest as usize).min(limit);
        let mut whole = BytesMut::with_capacity(first.len() + expected);
        whole.extend_from_slice(&first);
        while let Some(piece) = self.chunk(limit).await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    /// The next piece, `None` at the end. `limit` is for the body as a whole.
    pub async fn chunk(&mut self, limit: usize) -> Result<Option<Bytes>, Problem> {
        self.check_announced(limit)?;
        if let Some(whole) = self.whole.take().filter(|whole| !whole.is_empty()) {
            return Ok(Some(whole));
        }
        loop {
            let Some(incoming) = self.incoming.as_mut() else { return Ok(None) };
            let started = *self.started.get_or_insert_with(Instant::now);
            let left = self.total.saturating_sub(started.elapsed());
            let Some(frame) = in_time(incoming.frame(), self.gap.min(left)).await? else {
                self.incoming = None;
                return Ok(None);
            };
            let frame = frame.map_err(|error| {
                Problem::new(&MALFORMED).detail("The body ended early or is malformed").caused_by(error)
            })?;
            // Trailers are nobody's business here; they are read and dropped.
            if let Ok(data) = frame.into_data() {
                self.received += data.len() as u64;
                if self.received > limit as u64 {
                    self.incoming = None;
                    return Err(too_large(limit));
                }
                if !data.is_empty() {
                    return Ok(Some(data));
                }
            }
        }
    }

    fn check_announced(&self, limit: usize) -> Result<(), Problem> {
        if self.encoded && !self.is_empty() {
            return Err(Problem::new(&UNSUPPORTED_MEDIA_TYPE)
                .detail("Compressed request bodies are not accepted; send the body without Content-Encoding")
                .header("accept-encoding", "identity"));
        }
        if self.announced().is_some_and(|size| size > limit as u64) {
            return Err(too_large(limit));
        }
        Ok(())
    }
}

fn too_large(limit: usize) -> Problem {
    Problem::new(&BODY_TOO_LARGE).detail(format!("The body may have at most {limit} bytes"))
}

/// Waits for `future`, at most `limit`. The timer is made only when the data is not there yet.
async fn in_time<F: Future>(future: F, limit: Duration) -> Result<F::Output, Problem> {
    let mut future = pin!(future);
    let first = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
    if let Poll::Ready(output) = first {
        return Ok(output);
    }
    tokio::time::timeout(limit, future).await.map_err(|_| {
        Problem::new(&REQUEST_TIMEOUT).detail("The body came too slowly").header("connection", "close")
    })
}
