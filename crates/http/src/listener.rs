//! [`Listener`]: accepts connections, whatever happens, until told to stop; then sees them to their end.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bedplate_core::Problem;
use bedplate_core::problem::OVERLOADED;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::app::App;
use crate::config::Limits;
use crate::connection::{self, Connection};
use crate::shutdown::Phase;
use crate::{rate_limit, refusal};

/// How long the handshakes that are under way when the port closes have, at most: a round trip.
const HANDSHAKE: Duration = Duration::from_millis(100);

pub struct Listener {
    socket: TcpListener,
    door: Door,
}

/// What a new connection must pass.
struct Door {
    app: Arc<App>,
    slots: Arc<Semaphore>,
    per_address: Arc<Addresses>,
}

impl Listener {
    /// Opens the port. Connections are accepted once [`Listener::run`] runs; until then the kernel holds them.
    pub fn bind(address: SocketAddr, app: Arc<App>) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(app.config.limits.backlog)?;
        let slots = Arc::new(Semaphore::new(possible_connections(&app.config.limits)));
        Ok(Self {
            socket: TcpListener::from_std(socket.into())?,
            door: Door { app, slots, per_address: Arc::default() },
        })
    }

    /// The address, with the port the system chose when 0 was asked for.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until the app's [`crate::Shutdown`] begins, then drains: pre-drain, stop accepting, finish what is
    /// in flight within the grace time. Returns when no connection is left.
    pub async fn run(self) {
        let Self { socket, door } = self;
        let shutdown = door.app.shutdown.clone();
        let timeouts = &door.app.config.timeouts;
        let slots = Arc::clone(&door.slots);
        // Listening and not yet serving: all slots are free.
        let all = slots.available_permits() as u32;
        let pre_drain = async {
            shutdown.reached(Phase::Draining).await;
            tokio::select! {
                () = tokio::time::sleep(timeouts.pre_drain) => {}
                () = shutdown.reached(Phase::Stopping) => {}
            }
        };
        tokio::select! {
            () = accept(&socket, &door) => {}
            () = pre_drain => {}
        }
        // Close the port first, then tell the connections: a client that is told to reconnect must not find it
        // open and about to close.
        stop_accepting(socket, &door).await;
        shutdown.advance(Phase::Stopping);
        tokio::select! {
            _ = Arc::clone(&slots).acquire_many_owned(all) => return,
            () = shutdown.reached(Phase::Forced) => {}
            () = tokio::time::sleep(timeouts.grace) => {
                tracing::warn!("requests are still in flight after the grace time; cutting them");
                shutdown.force();
            }
        }
        // Forced connections end at once; they are waited for so that nothing runs on behind our back.
        if tokio::time::timeout(Duration::from_secs(1), slots.acquire_many_owned(all)).await.is_err() {
            tracing::error!("connections did not end when they were cut");
        }
    }
}

/// Never returns: no error of accepting is a reason to stop.
async fn accept(socket: &TcpListener, door: &Door) {
    let mut backoff = Duration::ZERO;
    loop {
        match socket.accept().await {
            Ok((stream, peer)) => {
                backoff = Duration::ZERO;
                door.admit(stream, peer.ip().to_canonical());
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                // Out of files or memory: some that are open must end first.
                door.app.metrics.accept_errors.fetch_add(1, Relaxed);
                if backoff.is_zero() {
                    tracing::error!(%error, "cannot accept connections, trying again");
                }
                backoff = (backoff * 2).clamp(Duration::from_millis(10), Duration::from_millis(500));
                tokio::time::sleep(backoff).await;
            }
        }
    }
}

/// Closes the port. What has begun to connect by then is served: closing would reset it.
async fn stop_accepting(socket: TcpListener, door: &Door) {
    #[cfg(target_os = "linux")]
    refuse_new(&socket);
    let handshakes = door.app.config.timeouts.idle_drain.min(HANDSHAKE);
    // accept never returns; the time it has is the point.
    let _ = tokio::time::timeout(handshakes, accept(&socket, door)).await;
    let Ok(socket) = socket.into_std() else { return };
    let waiting: Vec<_> = std::iter::from_fn(|| socket.accept().ok()).collect();
    drop(socket);
    for (stream, peer) in waiting {
        if stream.set_nonblocking(true).is_ok()
            && let Ok(stream) = TcpStream::from_std(stream)
        {
            door.admit(stream, peer.ip().to_canonical());
        }
    }
}

/// Tells the kernel to drop every SYN to the listening socket, so that no handshake begins any more while those
/// under way can end. A client whose last ACK were dropped would take the connection for open, send its request,
/// and be reset. What is dropped is sent again in a second, and refused by then.
#[cfg(target_os = "linux")]
fn refuse_new(socket: &TcpListener) {
    /// Where the flags are in a TCP header, and the two that tell an opening SYN (RFC 9293 §3.1).
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    const ACK: u32 = 0x10;
    // Classic BPF, as in linux/bpf_common.h.
    const LOAD_BYTE: u16 = 0x30;
    const AND: u16 = 0x54;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    let filter = [
        socket2::SockFilter::new(LOAD_BYTE, 0, 0, FLAGS),
        socket2::SockFilter::new(AND, 0, 0, SYN | ACK),
        socket2::SockFilter::new(JUMP_IF_EQUAL, 0, 1, SYN),
        socket2::SockFilter::new(RETURN, 0, 0, 0),
        socket2::SockFilter::new(RETURN, 0, 0, u32::MAX),
    ];
    if let Err(error) = socket2::SockRef::from(socket).attach_filter(&filter) {
        tracing::debug!(%error, "SO_ATTACH_FILTER");
    }
}

impl Door {
    fn admit(&self, stream: TcpStream, peer: IpAddr) {
        self.app.metrics.accepted.fetch_add(1, Relaxed);
        let place = match self.place(peer) {
            Ok(place) => place,
            Err(full) => return refuse(stream, &self.app, full),
        };
        // Answers are written whole; waiting to fill a segment would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY");
        }
        let connection = Connection::new(Arc::clone(&self.app), peer);
        tokio::spawn(async move {
            connection::serve(stream, connection).await;
            drop(place);
        });
    }

    fn place(&self, peer: IpAddr) -> Result<Place, Full> {
        let slot = Arc::clone(&self.slots).try_acquire_owned().map_err(|_| Full::Listener)?;
        let exempt = peer.is_loopback() || self.app.config.trusted_proxies.iter().any(|n| n.contains(peer));
        let address = if exempt {
            None
        } else {
            let most = self.app.config.limits.connections_per_address;
            Some(Addresses::enter(&self.per_address, peer, most).ok_or(Full::Address)?)
        };
        Ok(Place { _slot: slot, _address: address })
    }
}

/// Which limit a new connection would break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Full {
    /// That of the listener, or of the process's files.
    Listener,
    /// That of the remote address.
    Address,
}

/// A connection's share of the limits, given back on drop.
struct Place {
    _slot: OwnedSemaphorePermit,
    _address: Option<AddressPlace>,
}

/// Open connections by remote address, or by network where that is one customer's (IPv6). Touched when a connection opens or
/// ends, never by a request.
#[derive(Default)]
struct Addresses(Mutex<HashMap<u128, usize>>);

struct AddressPlace {
    addresses: Arc<Addresses>,
    network: u128,
}

impl Addresses {
    fn enter(this: &Arc<Self>, peer: IpAddr, most: usize) -> Option<AddressPlace> {
        let network = rate_limit::network(peer);
        let mut counts = this.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(network).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(AddressPlace { addresses: Arc::clone(this), network })
    }
}

impl Drop for AddressPlace {
    fn drop(&mut self) {
        let mut counts = self.addresses.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.network);
            }
        }
    }
}

/// A connection over a limit gets its 503 if the socket takes it at once, and is closed.
fn refuse(stream: TcpStream, app: &App, full: Full) {
    let (count, detail) = match full {
        Full::Listener => (&app.metrics.refused_by_listener, "Too many connections"),
        Full::Address => (&app.metrics.refused_by_address, "Too many connections from this address"),
    };
    count.fetch_add(1, Relaxed);
    let problem = Problem::new(&OVERLOADED).detail(detail).retry_after(Duration::from_secs(1));
    let (_, message) = refusal::message(app, &problem, &bedplate_core::ids::new_request_id(), None);
    if let Err(error) = stream.try_write(&message) {
        tracing::debug!(%error, "refusing a connection");
    }
}

/// Errors of the connection that was to be accepted, not of accepting (accept(2)).
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// As many connections as wanted, or as the process may open files besides what else it needs.
fn possible_connections(limits: &Limits) -> usize {
    let (wanted, kept) = (limits.connections, limits.files_kept as u64);
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let possible = limit.map_or(wanted, |files| wanted.min(files.saturating_sub(kept) as usize)).max(16);
    if possible < wanted {
        tracing::warn!(
            wanted,
            possible,
            "fewer connections than wanted: raise the limit of open files (ulimit -n)"
        );
    }
    possible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_gets_its_share_and_gives_it_back() {
        let addresses = Arc::new(Addresses::default());
        let peer = IpAddr::from([192, 0, 2, 1]);
        let first = Addresses::enter(&addresses, peer, 2);
        let second = Addresses::enter(&addresses, peer, 2);
        assert!(first.is_some() && second.is_some());
        assert!(Addresses::enter(&addresses, peer, 2).is_none());
        assert!(Addresses::enter(&addresses, IpAddr::from([192, 0, 2, 2]), 2).is_some());
        drop(first);
        assert!(Addresses::enter(&addresses, peer, 2).is_some());
        drop(second);
        assert!(addresses.0.lock().unwrap().is_empty());
    }

    /// B-04: a customer has 2^64 addresses of IPv6, and one share.
    #[test]
    fn b04_a_network_of_ipv6_has_one_share() {
        let addresses = Arc::new(Addresses::default());
        let enter = |peer: &str| Addresses::enter(&addresses, peer.parse().unwrap(), 1);
        let first = enter("2001:db8:0:1::1");
        assert!(first.is_some());
        assert!(enter("2001:db8:0:1:ffff::2").is_none());
        assert!(enter("2001:db8:0:2::1").is_some());
        let mapped = enter("::ffff:192.0.2.1");
        assert!(mapped.is_some() && enter("192.0.2.1").is_none(), "one address, however it is written");
    }

    #[tokio::test]
    async fn b04_an_address_over_its_share_is_told_apart_from_a_full_listener() {
        let mut config = crate::config::Config::default();
        config.limits.connections = 16;
        config.limits.connections_per_address = 10;
        config.trusted_proxies = vec!["198.51.100.0/24".parse().unwrap()];
        let app = App::builder(config).build().unwrap();
        let door = Door { app, slots: Arc::new(Semaphore::new(16)), per_address: Arc::default() };
        let peer = IpAddr::from([203, 0, 113, 7]);
        let mut held: Vec<Place> = (0..10).map(|_| door.place(peer).unwrap()).collect();
        assert_eq!(door.place(peer).err(), Some(Full::Address));
        assert_eq!(door.slots.available_permits(), 6, "who is refused takes no slot");
        let proxy = IpAddr::from([198, 51, 100, 1]);
        held.extend((0..6).map(|_| door.place(proxy).unwrap()));
        assert_eq!(door.place(proxy).err(), Some(Full::Listener));
        held.clear();
        assert!(door.place(peer).is_ok());
    }
}
