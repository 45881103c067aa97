//! Connections over tokio-postgres for everything that is not a request on generated statements: migrations, the
//! catalog, jobs, administration. They open through the same [`Connector`] as the request pipeline.

use std::future::{Ready, ready};
use std::io;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::config::{SslMode as Ssl, SslNegotiation};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

use crate::error::Error;
use crate::startup::{check_session_attrs, may_send_password, refused_method};
use crate::target::{Host, SessionAttrs, Target};
use crate::transport::{Connector, Failures, Stream};

pub(crate) type Driver = tokio_postgres::Connection<Secured, Secured>;

/// A client whose driver runs in a task of its own; both end when it is dropped.
pub struct Client(tokio_postgres::Client);

impl Deref for Client {
    type Target = tokio_postgres::Client;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Client {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

/// Connects to the first host that will do. Must be called within a tokio runtime.
pub async fn connect(connector: &Connector) -> Result<Client, Error> {
    let (client, driver) = connect_parts(connector).await?;
    tokio::spawn(async move {
        if let Err(e) = driver.await {
            tracing::debug!(error = %e, "a system connection ended");
        }
    });
    Ok(Client(client))
}

/// The client, and the driver that the caller has to poll.
pub(crate) async fn connect_parts(connector: &Connector) -> Result<(tokio_postgres::Client, Driver), Error> {
    let limit = connector.target().connect_timeout;
    let mut failures = Failures::default();
    for (host, wanted) in connector.candidates() {
        match tokio::time::timeout(limit, connect_to(connector, &host, wanted)).await {
            Ok(Ok(parts)) => return Ok(parts),
            Ok(Err(e)) => failures.add(host, e),
            Err(_) => {
                let text = format!("{host} did not answer within {limit:?}");
                failures.add(host, Error::Unavailable(text));
            }
        }
    }
    Err(failures.into_error())
}

async fn connect_to(
    connector: &Connector,
    host: &Host,
    wanted: SessionAttrs,
) -> Result<(tokio_postgres::Client, Driver), Error> {
    let (stream, _) = connector.open(host).await?;
    let stream = Secured { stream, host: host.clone(), head: Head::default() };
    let (client, driver) = config(connector.target()).connect_raw(stream, AlreadySecured).await.map_err(
        |e| match Error::from(e) {
            Error::Lost(why) => Error::Unavailable(format!("{host}: {why}")),
            other => other,
        },
    )?;
    check_session_attrs(wanted, host, |name| driver.parameter(name))?;
    Ok((client, driver))
}

/// The login. TLS has been settled by the transport: "direct" with [`AlreadySecured`] makes the driver take the
/// stream as it is, and ask it for the channel binding.
fn config(target: &Target) -> tokio_postgres::Config {
    let mut config = tokio_postgres::Config::new();
    config
        .user(&target.user)
        .dbname(&target.database)
        .application_name(&target.application_name)
        .ssl_mode(Ssl::Require)
        .ssl_negotiation(SslNegotiation::Direct);
    if let Some(password) = &target.password {
        config.password(password.expose());
    }
    let mut options = target.options.clone().unwrap_or_default();
    for (name, value) in &target.parameters {
        // In this string a backslash takes away the meaning of a space.
        let value = value.replace('\\', "\\\\").replace(' ', "\\ ");
        options.push_str(&format!(" -c {name}={value}"));
    }
    if !options.is_empty() {
        config.options(options);
    }
    config
}

struct AlreadySecured;

impl TlsConnect<Secured> for AlreadySecured {
    type Stream = Secured;
    type Error = io::Error;
    type Future = Ready<io::Result<Secured>>;

    fn connect(self, stream: Secured) -> Self::Future {
        ready(Ok(stream))
    }
}

/// The stream for the driver. It watches the server's first message, because the driver itself would answer a
/// demand for the password in clear text or as MD5 to anybody.
pub(crate) struct Secured {
    stream: Stream,
    host: Host,
    head: Head,
}

/// The first nine bytes from the server: tag, length and kind of an authentication request.
#[derive(Default)]
struct Head {
    bytes: [u8; 9],
    seen: usize,
}

impl Head {
    fn take(&mut self, chunk: &[u8]) {
        let room = &mut self.bytes[self.seen..];
        let n = room.len().min(chunk.len());
        room[..n].copy_from_slice(&chunk[..n]);
        self.seen += n;
    }

    /// Which method is asked for: 3 is clear text, 5 is MD5 (protocol documentation, "Message Formats").
    fn method(&self) -> Option<u8> {
        (self.seen == self.bytes.len() && self.bytes[0] == b'R').then_some(self.bytes[8])
    }
}

impl Secured {
    fn check(&self) -> io::Result<()> {
        let method = match self.head.method() {
            Some(3) if !may_send_password(&self.stream) => "clear-text",
            Some(5) if !self.host.is_local() => "MD5",
            _ => return Ok(()),
        };
        Err(io::Error::other(refused_method(&self.host, method)))
    }
}

impl AsyncRead for Secured {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        if this.head.seen < this.head.bytes.len() && matches!(read, Poll::Ready(Ok(()))) {
            this.head.take(&buf.filled()[before..]);
            if let Err(e) = this.check() {
                buf.set_filled(before);
                return Poll::Ready(Err(e));
            }
        }
        read
    }
}

impl AsyncWrite for Secured {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl TlsStream for Secured {
    fn channel_binding(&self) -> ChannelBinding {
        match self.stream.server_end_point() {
            Some(hash) => ChannelBinding::tls_server_end_point(hash),
            None => ChannelBinding::none(),
        }
    }
}

/// A small pool of system connections. Connections are made when needed.
#[derive(Clone)]
pub struct Pool(Arc<Shared>);

struct Shared {
    connector: Connector,
    permits: Arc<Semaphore>,
    wait: Duration,
    idle: Mutex<Vec<Client>>,
}

/// Ends what a user may have left behind in the session. The answer tells whether a transaction was left open: in
/// it, the statement is not the first one.
const CLEAN: &str = include_str!("../sql/clean_session.sql");
const CLEAN_LIMIT: Duration = Duration::from_secs(5);

impl Pool {
    /// At most `max` connections at a time; who waits longer than `wait` gets [`Error::PoolTimeout`].
    pub fn new(connector: Connector, max: usize, wait: Duration) -> Self {
        let permits = Arc::new(Semaphore::new(max.max(1)));
        Self(Arc::new(Shared { connector, permits, wait, idle: Mutex::default() }))
    }

    /// A connection in a clean session. It comes back to the pool when it is dropped.
    pub async fn get(&self) -> Result<Pooled, Error> {
        let limit = self.0.wait;
        let permit = tokio::time::timeout(limit, Arc::clone(&self.0.permits).acquire_owned())
            .await
            .map_err(|_| Error::PoolTimeout(limit))?
            .map_err(|_| Error::Unavailable("the pool is closed".to_owned()))?;
        let client = loop {
            let idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            match idle {
                Some(client) if client.is_closed() => {}
                Some(client) => break client,
                None => break connect(&self.0.connector).await?,
            }
        };
        Ok(Pooled { client: Some(client), pool: Arc::clone(&self.0), permit: Some(permit) })
    }

    pub fn connector(&self) -> &Connector {
        &self.0.connector
    }

    /// No more connections are given out; idle ones end now.
    pub fn close(&self) {
        self.0.permits.close();
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Shared {
    async fn take_back(&self, client: Client) {
        let cleaned = tokio::time::timeout(CLEAN_LIMIT, client.simple_query(CLEAN)).await;
        let Ok(Ok(messages)) = cleaned else { return };
        let untouched = messages.iter().any(|m| {
            matches!(m, tokio_postgres::SimpleQueryMessage::Row(row) if row.get(0) == Some("no transaction"))
        });
        if untouched && !self.permits.is_closed() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(client);
        }
    }
}

/// A system connection on loan.
pub struct Pooled {
    client: Option<Client>,
    pool: Arc<Shared>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Deref for Pooled {
    type Target = Client;

    #[expect(clippy::expect_used, reason = "the client is there until the drop")]
    fn deref(&self) -> &Client {
        self.client.as_ref().expect("present until dropped")
    }
}

impl DerefMut for Pooled {
    #[expect(clippy::expect_used, reason = "the client is there until the drop")]
    fn deref_mut(&mut self) -> &mut Client {
        self.client.as_mut().expect("present until dropped")
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let (Some(client), Some(permit)) = (self.client.take(), self.permit.take()) else { return };
        if client.is_closed() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let pool = Arc::clone(&self.pool);
        runtime.spawn(async move {
            pool.take_back(client).await;
            drop(permit);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_message_is_recognised_in_any_pieces() {
        let md5 = [b'R', 0, 0, 0, 12, 0, 0, 0, 5, 1, 2, 3, 4];
        for cut in 0..md5.len() {
            let mut head = Head::default();
            head.take(&md5[..cut]);
            assert_eq!(head.method(), (cut >= 9).then_some(5));
            head.take(&md5[cut..]);
            assert_eq!(head.method(), Some(5));
        }
        let mut head = Head::default();
        head.take(b"E\0\0\0\x05\0\0\0\x05");
        assert_eq!(head.method(), None);
    }
}
