//! Connections: the name is resolved once, its addresses are checked, and one of those is connected to.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tower_service::Service;

use crate::Error;
use crate::guard::Guard;
use crate::names::Resolve;
use crate::target::Trust;
use crate::tls::Tls;

/// Addresses of one name that are tried.
const TRIED: usize = 4;

pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

pub(crate) type Socket = TokioIo<Box<dyn Io>>;

impl Connection for Box<dyn Io> {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

/// What connections are made with.
pub(crate) struct Means {
    pub guard: Guard,
    pub names: Arc<dyn Resolve>,
    pub tls: Tls,
    pub limit: Duration,
}

#[derive(Clone)]
pub(crate) struct Connector {
    pub means: Arc<Means>,
    pub trust: Trust,
}

impl Service<Uri> for Connector {
    type Response = Socket;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Socket, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (means, trust) = (Arc::clone(&self.means), self.trust);
        Box::pin(async move {
            let after = means.limit;
            let connecting = means.connect(trust, &uri);
            let late = |_| Error::Timeout { what: "connection", after };
            timeout(after, connecting).await.map_err(late)?
        })
    }
}

impl Means {
    async fn connect(&self, trust: Trust, uri: &Uri) -> Result<Socket, Error> {
        let secure = uri.scheme_str() == Some("https");
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let addresses = self.checked(trust, host, port).await?;
        let tcp = open(&addresses, port, Instant::now() + self.limit).await?;
        let _ = tcp.set_nodelay(true);
        if !secure {
            return Ok(TokioIo::new(Box::new(tcp)));
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|error| Error::Tls(error.to_string()))?;
        let tls = self.tls.connector().await?.connect(name, tcp).await;
        Ok(TokioIo::new(Box::new(tls.map_err(|error| Error::Tls(error.to_string()))?)))
    }

    /// The addresses of the host, all of which may be called.
    async fn checked(&self, trust: Trust, host: &str, port: u16) -> Result<Vec<IpAddr>, Error> {
        let refused = || Error::Refused { host: host.to_owned(), port };
        if !self.guard.may_resolve(trust, port) {
            return Err(refused());
        }
        let addresses = match host.parse() {
            Ok(address) => vec![address],
            Err(_) => self.names.resolve(host).await.map_err(|error| Error::Name(error.to_string()))?,
        };
        if addresses.is_empty() {
            return Err(Error::Name("it has no address".to_owned()));
        }
        if !self.guard.permits(trust, host, port, &addresses) {
            tracing::warn!(target: "outgoing", host, port, ?addresses, "a call was refused by the guard");
            return Err(refused());
        }
        Ok(addresses)
    }
}

/// The first of the addresses that takes the connection; each has its share of the time.
async fn open(addresses: &[IpAddr], port: u16, until: Instant) -> Result<TcpStream, Error> {
    let tried = &addresses[..addresses.len().min(TRIED)];
    let mut last = io::Error::from(io::ErrorKind::TimedOut);
    for (at, address) in tried.iter().enumerate() {
        let left = until.saturating_duration_since(Instant::now());
        let share = Instant::now() + left / (tried.len() - at) as u32;
        match timeout_at(share, TcpStream::connect(SocketAddr::new(*address, port))).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(Error::Connect(last.to_string()))
}
