//! The byte stream of a connection, between the socket and hyper.
//!
//! On HTTP/1 it follows the framing of requests: hyper gets whole heads that [`head::check`] has passed, and
//! body bytes as they come. Something malformed is not handed on; hyper gets one byte that it must refuse, and
//! the empty 400 it then writes is replaced by a problem document on the way out. So the answer comes at the
//! right moment, after those of earlier requests, and the connection ends as hyper ends it.
//!
//! It also keeps the times that hyper does not: for the head from its first byte, for idling, and for a client
//! that does not read. One timer per connection, set anew only when it fires.

use std::future::{Future, poll_fn};
use std::io;
use std::ops::Range;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::chunked::Scanner;
use crate::connection::Connection;
use crate::head::{self, Fault, Framing, Verdict};
use crate::refusal;

/// Read and thrown away after the answer, so that closing with unread data does not reset the connection before
/// the client has read the answer.
const LINGER_BYTES: usize = 16 << 20;
const LINGER: std::time::Duration = std::time::Duration::from_secs(1);
/// The first bytes of an HTTP/2 connection (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Head,
    Sized(u64),
    Chunked(Scanner),
    /// HTTP/2: nothing is looked at.
    Anything,
    /// After something malformed: one byte to refuse, then the end.
    Refuse,
    Ended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
    /// Gone before it said anything.
    Closed,
}

pub(crate) struct Framed<S> {
    io: S,
    connection: Arc<Connection>,
    next: Next,
    /// Bytes that hyper may not have yet, or had no room for.
    carry: BytesMut,
    /// How many bytes of `carry` were passed.
    passed: usize,
    /// Bytes of the head that is next, to be spelled out before it is judged again.
    respell: Option<Range<usize>>,
    /// What to answer in place of hyper's empty refusal.
    fault: Option<Fault>,
    refusal: Option<Bytes>,
    timer: Pin<Box<Sleep>>,
    /// When the head under way began.
    head_since: Option<Instant>,
    last_activity: Instant,
    served: bool,
    stalled: Option<Pin<Box<Sleep>>>,
    linger: Option<(Pin<Box<Sleep>>, usize)>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Framed<S> {
    pub(crate) fn new(io: S, connection: Arc<Connection>) -> Self {
        let now = Instant::now();
        let first = now + connection.app.config.timeouts.head;
        Self {
            io,
            connection,
            next: Next::Head,
            carry: BytesMut::new(),
            passed: 0,
            respell: None,
            fault: None,
            refusal: None,
            timer: Box::pin(sleep_until(first)),
            head_since: None,
            last_activity: now,
            served: false,
            stalled: None,
            linger: None,
        }
    }

    /// Looks at the first bytes: the HTTP/2 preface or not.
    pub(crate) async fn sniff(&mut self) -> Protocol {
        let first = self.connection.app.config.timeouts.head;
        let mut timer = pin!(tokio::time::sleep(first));
        loop {
            if self.carry.len() >= PREFACE.len() && self.carry.starts_with(PREFACE) {
                self.next = Next::Anything;
                self.passed = self.carry.len();
                self.head_since = None;
                return Protocol::Http2;
            }
            if !self.carry.is_empty() && !PREFACE.starts_with(&self.carry) {
                return Protocol::Http1;
            }
            tokio::select! {
                read = poll_fn(|cx| self.poll_sniff(cx)) => match read {
                    Ok(0) | Err(_) => return Protocol::Closed,
                    Ok(_) => { self.head_since.get_or_insert_with(Instant::now); }
                },
                () = poll_fn(|cx| timer.as_mut().poll(cx)) => {
                    // Part of a preface is a late head; nothing at all is just a connection too many.
                    return if self.carry.is_empty() { Protocol::Closed } else { Protocol::Http1 };
                }
            }
        }
    }

    /// The space is on the stack, so that a connection that says nothing holds no buffer.
    fn poll_sniff(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut space = [0; 4096];
        let mut buf = ReadBuf::new(&mut space);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut buf))?;
        self.carry.extend_from_slice(buf.filled());
        Poll::Ready(Ok(buf.filled().len()))
    }

    /// Judges `bytes`: how many from the start may go to hyper. Follows as many messages as are in there.
    fn judge(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            match &mut self.next {
                Next::Anything => return bytes.len(),
                Next::Refuse | Next::Ended => return at,
                Next::Sized(left) => {
                    let step = (*left).min((bytes.len() - at) as u64);
                    *left -= step;
                    at += step as usize;
                    if *left == 0 {
                        self.next = Next::Head;
                    }
                }
                Next::Chunked(scanner) => match scanner.advance(&bytes[at..]) {
                    Ok(step) => {
                        at += step;
                        if scanner.is_done() {
                            self.next = Next::Head;
                        }
                    }
                    // hyper's own chunk reader refuses the byte it gets instead; the handler sees a broken body.
                    Err(_) => self.next = Next::Refuse,
                },
                Next::Head => match head::check(&bytes[at..], &self.connection.app.config.limits) {
                    Verdict::Complete { len, framing } => {
                        at += len;
                        self.head_since = None;
                        self.served = true;
                        self.next = match framing {
                            Framing::None => Next::Head,
                            Framing::Sized(length) => Next::Sized(length),
                            Framing::Chunked => Next::Chunked(Scanner::new()),
                        };
                    }
                    Verdict::Partial => {
                        self.begin_head();
                        return at;
                    }
                    Verdict::Respell(query) => {
                        self.respell = Some(query);
                        return at;
                    }
                    Verdict::Refused(fault) => {
                        self.fault = Some(fault);
                        self.next = Next::Refuse;
                    }
                },
            }
        }
        at
    }

    /// A head has begun and is not complete: from here its own, shorter time counts.
    fn begin_head(&mut self) {
        if self.head_since.is_none() {
            let now = Instant::now();
            self.head_since = Some(now);
            self.timer.as_mut().reset(now + self.connection.app.config.timeouts.head);
        }
        self.connection.head_pending.store(true, Relaxed);
    }

    /// What to do now that no bytes came: `Some` when the time for them is over.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let timeouts = &self.connection.app.config.timeouts;
            let now = Instant::now();
            let busy = self.connection.in_flight.load(Relaxed) > 0;
            let waiting = matches!(self.next, Next::Head | Next::Anything);
            let due = match self.head_since {
                Some(since) if waiting => since + timeouts.head,
                // A new connection has as long for its first byte as for its head.
                _ if !self.served && self.next == Next::Head => now,
                _ if busy || !waiting => now + timeouts.keep_alive,
                _ => self.last_activity + timeouts.keep_alive,
            };
            if due <= now {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(due);
        }
    }

    /// Time is over: a head under way gets an answer, an idle connection just ends.
    fn time_out(&mut self) {
        if self.head_since.is_some() && self.next == Next::Head {
            let code = &bedplate_core::problem::REQUEST_TIMEOUT;
            self.fault = Some(Fault::new(code, "The request's head did not arrive in time"));
            self.next = Next::Refuse;
        } else {
            self.next = Next::Ended;
        }
    }

    /// Gives hyper what was passed and is waiting.
    fn deliver(&mut self, buf: &mut ReadBuf<'_>) {
        let step = self.passed.min(buf.remaining());
        buf.put_slice(&self.carry[..step]);
        self.carry.advance(step);
        self.passed -= step;
        if self.carry.is_empty() {
            self.carry = BytesMut::new();
        }
    }

    /// Judges what is waiting. After this, bytes are passed, or more must be read, or `next` says it is over.
    fn judge_carry(&mut self) {
        loop {
            let carry = std::mem::take(&mut self.carry);
            self.passed = self.judge(&carry);
            self.carry = carry;
            if !self.respell_carry(self.passed) || self.passed > 0 {
                break;
            }
        }
        if self.passed > 0 && self.head_since.is_none() {
            self.connection.head_pending.store(false, Relaxed);
        }
    }

    /// Spells out the query of the head that begins at `at`. False when there is nothing to do.
    fn respell_carry(&mut self, at: usize) -> bool {
        let Some(query) = self.respell.take() else { return false };
        let rest = self.carry.split_off(at + query.end);
        let spelled = head::respell(&self.carry[at + query.start..]);
        self.carry.truncate(at + query.start);
        self.carry.extend_from_slice(&spelled);
        self.carry.unsplit(rest);
        true
    }

    /// Reads straight into hyper's buffer and judges there: the usual way, without a copy. What hyper may not
    /// have yet is taken out again.
    fn poll_read_direct(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<bool>> {
        let start = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        let end = buf.filled().len();
        if end == start {
            self.next = Next::Ended;
            return Poll::Ready(Ok(true));
        }
        self.last_activity = Instant::now();
        let passed = self.judge(&buf.filled()[start..]);
        self.carry.extend_from_slice(&buf.filled()[start + passed..]);
        buf.set_filled(start + passed);
        if self.respell_carry(0) && passed == 0 {
            self.judge_carry();
            self.deliver(buf);
        }
        Poll::Ready(Ok(buf.filled().len() > start))
    }

    /// Reads the rest of a head that came in pieces. True when the stream is over or there may be something new
    /// to judge; heads are complete only at the end of a line.
    fn poll_read_carry(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut space = [0; 4096];
        let mut buf = ReadBuf::new(&mut space);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut buf))?;
        if buf.filled().is_empty() {
            self.next = Next::Ended;
            return Poll::Ready(Ok(true));
        }
        self.last_activity = Instant::now();
        self.carry.extend_from_slice(buf.filled());
        let limits = &self.connection.app.config.limits;
        let too_long = self.carry.len() > limits.url_bytes;
        Poll::Ready(Ok(too_long || memchr::memchr(b'\n', buf.filled()).is_some()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Framed<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let mut fresh = true;
        loop {
            if this.passed > 0 {
                this.deliver(buf);
                return Poll::Ready(Ok(()));
            }
            match this.next {
                Next::Ended => return Poll::Ready(Ok(())),
                Next::Refuse => {
                    // Not a token, not a chunk size, not a line end: refused wherever hyper is.
                    buf.put_slice(b"\0");
                    this.next = Next::Ended;
                    return Poll::Ready(Ok(()));
                }
                _ => {}
            }
            if fresh && !this.carry.is_empty() {
                fresh = false;
                this.judge_carry();
                continue;
            }
            let read = if this.carry.is_empty() {
                match this.poll_read_direct(cx, buf) {
                    Poll::Ready(Ok(true)) => return Poll::Ready(Ok(())),
                    other => other,
                }
            } else {
                this.poll_read_carry(cx)
            };
            match read {
                Poll::Ready(Ok(judge)) => fresh = judge,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    ready!(this.poll_timer(cx));
                    this.time_out();
                }
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Framed<S> {
    /// Bookkeeping after a write: progress ends a stall, no progress starts one.
    fn wrote(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if result.is_ready() {
            self.stalled = None;
            self.last_activity = Instant::now();
            return result;
        }
        let limit = self.connection.app.config.timeouts.write_idle;
        let timer = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read its answer")))
    }

    /// hyper's own refusal is the last thing in `buf`, if anything is: everything before it goes out as it is.
    fn poll_write_refusal(
        &mut self,
        cx: &mut Context<'_>,
        buf: &[u8],
        fault: &Fault,
    ) -> Poll<io::Result<usize>> {
        let Some(at) = refusal::find_own(buf) else {
            let written = Pin::new(&mut self.io).poll_write(cx, buf);
            return self.wrote(cx, written);
        };
        if at > 0 {
            let written = Pin::new(&mut self.io).poll_write(cx, &buf[..at]);
            return self.wrote(cx, written);
        }
        let refusal = self.refusal.get_or_insert_with(|| refusal::answer(&self.connection, fault));
        while !refusal.is_empty() {
            let written = Pin::new(&mut self.io).poll_write(cx, refusal);
            match written {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => refusal.advance(count),
                other => return self.wrote(cx, other),
            }
        }
        self.fault = None;
        Poll::Ready(Ok(buf.len()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Framed<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let Some(fault) = this.fault.take_if(|_| this.next == Next::Ended) {
            let result = this.poll_write_refusal(cx, buf, &fault);
            if !this.refusal.as_ref().is_some_and(Bytes::is_empty) {
                this.fault = Some(fault);
            }
            return result;
        }
        let written = Pin::new(&mut this.io).poll_write(cx, buf);
        this.wrote(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.fault.is_some() {
            let first = bufs.iter().find(|buf| !buf.is_empty());
            return self.poll_write(cx, first.map_or(&[], |buf| buf));
        }
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write_vectored(cx, bufs);
        this.wrote(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.linger.is_none() {
            ready!(Pin::new(&mut this.io).poll_shutdown(cx))?;
            if this.next == Next::Head && this.carry.is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.linger = Some((Box::pin(tokio::time::sleep(LINGER)), 0));
        }
        let Some((timer, drained)) = this.linger.as_mut() else { return Poll::Ready(Ok(())) };
        let mut space = [0; 4096];
        while *drained < LINGER_BYTES && timer.as_mut().poll(cx).is_pending() {
            let mut buf = ReadBuf::new(&mut space);
            match ready!(Pin::new(&mut this.io).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => *drained += buf.filled().len(),
                _ => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}
