//! [`Connector`]: opens byte streams to the hosts of a [`Target`] (unix socket, TCP, TLS), and sends cancel
//! requests over the same kind of stream.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use rustix::net::{RecvFlags, sockopt};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::error::Error;
use crate::target::{Host, SessionAttrs, SslMode, Target};
use crate::tls;

/// Unacknowledged bytes and silence on a TCP connection end it after this long, so that a black hole cannot hold
/// connections for the kernel's default of many minutes.
const TCP_SILENCE: Duration = Duration::from_secs(30);

/// A [`Target`] made ready: certificates are read once, here.
#[derive(Clone)]
pub struct Connector(Arc<Inner>);

struct Inner {
    target: Target,
    tls: Option<TlsConnector>,
}

/// Where a connection really went, so that a cancel request goes to the same server.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) host: Host,
    address: Address,
}

#[derive(Debug, Clone)]
enum Address {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

impl Connector {
    /// Errors when the trusted certificates cannot be read; nothing is connected yet.
    pub fn new(target: Target) -> Result<Self, Error> {
        let mode = target.hosts.iter().map(|h| target.ssl_mode_for(h)).max().unwrap_or(SslMode::Disable);
        let tls = match mode {
            SslMode::Disable => None,
            mode => Some(TlsConnector::from(
                tls::client_config(mode, &target.ssl_root_cert).map_err(Error::Unavailable)?,
            )),
        };
        Ok(Self(Arc::new(Inner { target, tls })))
    }

    pub fn target(&self) -> &Target {
        &self.0.target
    }

    /// The hosts to try, each with the session attributes that must hold there.
    pub(crate) fn candidates(&self) -> Vec<(Host, SessionAttrs)> {
        let hosts = &self.target().hosts;
        let all = |attrs| hosts.iter().map(move |h| (h.clone(), attrs));
        match self.target().session_attrs {
            SessionAttrs::PreferStandby => all(SessionAttrs::Standby).chain(all(SessionAttrs::Any)).collect(),
            attrs => all(attrs).collect(),
        }
    }

    pub(crate) async fn open(&self, host: &Host) -> Result<(Stream, Peer), Error> {
        match host {
            Host::Unix { dir, port } => {
                let path = dir.join(format!(".s.PGSQL.{port}"));
                let stream = UnixStream::connect(&path).await.map_err(|e| unreachable_host(host, &e))?;
                Ok((Stream::Unix(stream), Peer { host: host.clone(), address: Address::Unix(path) }))
            }
            Host::Tcp { name, port } => {
                let addresses: Vec<_> = tokio::net::lookup_host((name.as_str(), *port))
                    .await
                    .map_err(|e| unreachable_host(host, &e))?
                    .collect();
                let (tcp, address) = first_reachable(host, &addresses).await?;
                let stream = self.secure(host, tcp).await?;
                Ok((stream, Peer { host: host.clone(), address: Address::Tcp(address) }))
            }
        }
    }

    async fn reopen(&self, peer: &Peer) -> Result<Stream, Error> {
        match &peer.address {
            Address::Unix(path) => match UnixStream::connect(path).await {
                Ok(stream) => Ok(Stream::Unix(stream)),
                Err(e) => Err(unreachable_host(&peer.host, &e)),
            },
            Address::Tcp(address) => {
                let (tcp, _) = first_reachable(&peer.host, &[*address]).await?;
                self.secure(&peer.host, tcp).await
            }
        }
    }

    /// Starts TLS where the mode asks for it (protocol documentation, "SSL Session Encryption").
    async fn secure(&self, host: &Host, mut tcp: TcpStream) -> Result<Stream, Error> {
        let mode = self.target().ssl_mode_for(host);
        let (Some(connector), true, Host::Tcp { name, .. }) = (&self.0.tls, mode != SslMode::Disable, host)
        else {
            return Ok(Stream::Tcp(tcp));
        };
        let broken = |e: io::Error| unreachable_host(host, &e);
        let mut request = BytesMut::with_capacity(8);
        frontend::ssl_request(&mut request);
        tcp.write_all(&request).await.map_err(broken)?;
        // Exactly one byte: anything that was put behind it in clear text must not count as sent under TLS.
        match tcp.read_u8().await.map_err(broken)? {
            b'S' => {}
            b'N' if mode == SslMode::Prefer => return Ok(Stream::Tcp(tcp)),
            b'N' => {
                return Err(Error::Unavailable(format!(
                    "{host} offers no TLS; switch it on there (ssl = on), or say sslmode=disable in the URL"
                )));
            }
            _ => return Err(Error::Unavailable(format!("{host} does not answer as PostgreSQL"))),
        }
        let name = ServerName::try_from(name.clone())
            .map_err(|_| Error::Unavailable(format!("\"{name}\" is not a name a certificate can be for")))?;
        match connector.connect(name, tcp).await {
            Ok(stream) => Ok(Stream::Tls(Box::new(stream))),
            Err(e) => Err(Error::Unavailable(format!(
                "TLS with {host} failed: {e}; name its authority with sslrootcert, or see sslmode"
            ))),
        }
    }

    /// Asks the server to cancel what the session `process_id` runs, and waits until it has taken the request
    /// (it closes the connection then), so that the signal cannot hit a later query.
    pub(crate) async fn cancel(&self, peer: &Peer, process_id: i32, secret_key: i32) -> Result<(), Error> {
        let mut stream = self.reopen(peer).await?;
        let mut request = BytesMut::with_capacity(16);
        frontend::cancel_request(process_id, secret_key, &mut request);
        let lost = |e: io::Error| Error::Lost(e.to_string());
        stream.write_all(&request).await.map_err(lost)?;
        stream.flush().await.map_err(lost)?;
        let mut end = [0; 1];
        // A reset instead of an orderly end means the same here.
        let _ = stream.read(&mut end).await;
        Ok(())
    }
}

async fn first_reachable(host: &Host, addresses: &[SocketAddr]) -> Result<(TcpStream, SocketAddr), Error> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                tune(&stream).map_err(|e| unreachable_host(host, &e))?;
                return Ok((stream, *address));
            }
            Err(e) => last = e,
        }
    }
    Err(unreachable_host(host, &last))
}

fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        sockopt::set_tcp_keepidle(stream, TCP_SILENCE / 2)?;
        sockopt::set_tcp_keepintvl(stream, TCP_SILENCE / 6)?;
        sockopt::set_tcp_user_timeout(stream, TCP_SILENCE.as_millis() as u32)?;
    }
    Ok(())
}

fn unreachable_host(host: &Host, e: &io::Error) -> Error {
    Error::Unavailable(format!("{host}: {e}"))
}

/// The failures of several hosts, put into one error.
#[derive(Default)]
pub(crate) struct Failures(Vec<(Host, Error)>);

impl Failures {
    pub(crate) fn add(&mut self, host: Host, error: Error) {
        self.0.push((host, error));
    }

    pub(crate) fn into_error(mut self) -> Error {
        if self.0.len() <= 1 {
            return match self.0.pop() {
                Some((_, error)) => error,
                None => Error::Unavailable("no host is configured".to_owned()),
            };
        }
        let mut text = String::from("no host will do");
        for (i, (host, error)) in self.0.iter().enumerate() {
            let _ = write!(text, "{} {host}: {error}", if i == 0 { ":" } else { ";" });
        }
        Error::Unavailable(text)
    }
}

/// A byte stream to a server.
pub(crate) enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// What a look at an idle socket shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pulse {
    /// Nothing to read: as an idle connection should be.
    Quiet,
    /// Bytes wait: a notice, or the last words of a server that ends the session.
    Bytes,
    /// The other side has closed.
    Closed,
}

impl Stream {
    /// One non-blocking system call, without consuming anything.
    pub(crate) fn pulse(&self) -> Pulse {
        let mut byte = [0u8; 1];
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let seen = match self {
            Self::Unix(s) => rustix::net::recv(s, &mut byte, flags),
            Self::Tcp(s) => rustix::net::recv(s, &mut byte, flags),
            Self::Tls(s) => rustix::net::recv(s.get_ref().0, &mut byte, flags),
        };
        match seen {
            Ok((_, 0)) => Pulse::Closed,
            Ok(_) => Pulse::Bytes,
            Err(e) if e == rustix::io::Errno::AGAIN || e == rustix::io::Errno::INTR => Pulse::Quiet,
            Err(_) => Pulse::Closed,
        }
    }

    pub(crate) fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// The channel binding data of the TLS session, where there is one.
    pub(crate) fn server_end_point(&self) -> Option<Vec<u8>> {
        match self {
            Self::Tls(s) => s.get_ref().1.peer_certificates()?.first().and_then(|c| tls::server_end_point(c)),
            _ => None,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(s) => Pin::new(s).poll_read(cx, buf),
            Self::Tcp(s) => Pin::new(s).poll_read(cx, buf),
            Self::Tls(s) => Pin::new(s).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Unix(s) => Pin::new(s).poll_write(cx, buf),
            Self::Tcp(s) => Pin::new(s).poll_write(cx, buf),
            Self::Tls(s) => Pin::new(s).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(s) => Pin::new(s).poll_flush(cx),
            Self::Tcp(s) => Pin::new(s).poll_flush(cx),
            Self::Tls(s) => Pin::new(s).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(s) => Pin::new(s).poll_shutdown(cx),
            Self::Tcp(s) => Pin::new(s).poll_shutdown(cx),
            Self::Tls(s) => Pin::new(s).poll_shutdown(cx),
        }
    }
}
