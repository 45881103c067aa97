//! One connection: which protocol it speaks, its share of the limits, and how it ends.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use bedplate_core::Timer;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;

use crate::app::App;
use crate::framed::{Framed, Protocol};
use crate::pipeline;
use crate::shutdown::Phase;

/// The window in which a connection's resets are counted.
const RESET_WINDOW: Duration = Duration::from_secs(30);

pub(crate) struct Connection {
    pub(crate) app: Arc<App>,
    pub(crate) peer: IpAddr,
    pub(crate) in_flight: AtomicI64,
    /// Part of a request's head is here: not a moment to close.
    pub(crate) head_pending: AtomicBool,
    opened: Instant,
    resets: AtomicU32,
    /// The window the resets belong to, counted from `opened`.
    reset_window: AtomicU32,
    flooded: Notify,
    /// The deadline of the next request: one after another they share it.
    timer: Mutex<Option<Timer>>,
}

impl Connection {
    pub(crate) fn new(app: Arc<App>, peer: IpAddr) -> Arc<Self> {
        app.metrics.connections.fetch_add(1, Relaxed);
        Arc::new(Self {
            app,
            peer,
            in_flight: AtomicI64::new(0),
            head_pending: AtomicBool::new(false),
            opened: Instant::now(),
            resets: AtomicU32::new(0),
            reset_window: AtomicU32::new(0),
            flooded: Notify::new(),
            timer: Mutex::default(),
        })
    }

    pub(crate) fn take_timer(&self) -> Timer {
        self.timer.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
    }

    pub(crate) fn keep_timer(&self, timer: Timer) {
        *self.timer.lock().unwrap_or_else(PoisonError::into_inner) = Some(timer);
    }

    /// A client that opens streams only to reset them costs us more than itself.
    pub(crate) fn count_abort(&self) {
        let window = (self.opened.elapsed().as_secs() / RESET_WINDOW.as_secs()) as u32;
        if self.reset_window.swap(window, Relaxed) != window {
            self.resets.store(0, Relaxed);
        }
        self.resets.fetch_add(1, Relaxed);
        if self.is_flooded() {
            self.flooded.notify_one();
        }
    }

    fn is_flooded(&self) -> bool {
        self.resets.load(Relaxed) > self.app.config.limits.h2_resets
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.app.metrics.connections.fetch_sub(1, Relaxed);
    }
}

/// Serves a connection to its end.
pub(crate) async fn serve<S>(io: S, connection: Arc<Connection>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let shutdown = connection.app.shutdown.clone();
    let mut framed = Framed::new(io, Arc::clone(&connection));
    // What has arrived goes before the time that is over, here and in `wait_idle`: on a busy machine both may be
    // found at once, and a request that is here must be answered.
    let protocol = tokio::select! {
        biased;
        protocol = framed.sniff() => protocol,
        () = silent_stop(&connection) => Protocol::Closed,
        () = shutdown.reached(Phase::Forced) => Protocol::Closed,
    };
    let service = {
        let connection = Arc::clone(&connection);
        service_fn(move |request| {
            let connection = Arc::clone(&connection);
            async move { Ok::<_, Infallible>(pipeline::serve(connection, request).await) }
        })
    };
    match protocol {
        Protocol::Closed => {}
        Protocol::Http1 => {
            let http = http1(&connection.app).serve_connection(TokioIo::new(framed), service);
            drive(http, &connection, Phase::Stopping).await;
        }
        Protocol::Http2 => {
            let http = http2(&connection.app).serve_connection(TokioIo::new(framed), service);
            // GOAWAY lets what is under way end, so it can go out as early as answers say `close` on HTTP/1.
            drive(http, &connection, Phase::Draining).await;
        }
    }
}

/// A connection that has said nothing when the server stops is given the idle time, no more.
async fn silent_stop(connection: &Connection) {
    connection.app.shutdown.reached(Phase::Stopping).await;
    tokio::time::sleep(connection.app.config.timeouts.idle_drain.max(Duration::from_millis(100))).await;
}

fn http1(app: &App) -> http1::Builder {
    let mut builder = http1::Builder::new();
    // Heads are timed in Framed, from their first byte; hyper would count idling too.
    builder.header_read_timeout(None).timer(TokioTimer::new());
    if app.config.limits.headers != 100 {
        builder.max_headers(app.config.limits.headers);
    }
    builder
}

fn http2(app: &App) -> http2::Builder<TokioExecutor> {
    let limits = &app.config.limits;
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.h2_streams)
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(Some(limits.h2_resets as usize))
        // Above our own limit, so that a head that is a little too long gets a problem document.
        .max_header_list_size((limits.head_bytes * 2) as u32)
        .max_send_buf_size(256 << 10)
        .keep_alive_interval(Some(Duration::from_secs(20)))
        .keep_alive_timeout(Duration::from_secs(10));
    builder
}

/// Runs the connection; at `polite` asks it to end when it has done what it has, at `Forced` drops it.
async fn drive<C: GracefulConnection>(http: C, connection: &Connection, polite: Phase) {
    let shutdown = &connection.app.shutdown;
    let mut phases = shutdown.subscribe();
    let mut http = pin!(http);
    let mut asked = false;
    loop {
        let seen = *phases.borrow_and_update();
        if seen == Phase::Forced {
            return;
        }
        if seen >= polite && !asked {
            asked = true;
            if polite == Phase::Stopping && !wait_idle(http.as_mut(), connection).await {
                return;
            }
            http.as_mut().graceful_shutdown();
        }
        let ended = {
            let mut changed = pin!(phases.changed());
            let mut flooded = pin!(connection.flooded.notified());
            let mut armed = false;
            poll_fn(|cx| {
                if http.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(true);
                }
                // The task's waker does not change, so the rare events are registered for once; later wake-ups
                // cost an atomic read each.
                if armed && shutdown.phase() == seen && !connection.is_flooded() {
                    return Poll::Pending;
                }
                armed = true;
                if changed.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(false);
                }
                flooded.as_mut().poll(cx).map(|()| true)
            })
            .await
        };
        if ended {
            return;
        }
    }
}

/// Before an idle HTTP/1 connection is closed, a request that is already on its way gets a moment to arrive: it
/// is answered, with `connection: close`. False when the connection ended by itself or was forced.
async fn wait_idle<C: GracefulConnection>(mut http: Pin<&mut C>, connection: &Connection) -> bool {
    let shutdown = &connection.app.shutdown;
    let idle = tokio::time::sleep(connection.app.config.timeouts.idle_drain);
    tokio::select! {
        biased;
        _ = http.as_mut() => return false,
        () = shutdown.reached(Phase::Forced) => return false,
        () = idle => {}
    }
    if connection.head_pending.load(Relaxed) {
        let rest = tokio::time::sleep(connection.app.config.timeouts.head);
        tokio::select! {
            biased;
            _ = http.as_mut() => return false,
            () = shutdown.reached(Phase::Forced) => return false,
            () = rest => {}
        }
    }
    true
}

#[cfg(test)]
mod tests;
