//! From names to addresses. The one look-up of a connection: what it gives is checked and then connected to.

use std::future::Future;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::Semaphore;

/// A look-up under way.
pub type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Resolves names. Tests bring their own, to play the part of a name server that lies.
pub trait Resolve: Send + Sync + 'static {
    /// Every address of a name, the best first.
    fn resolve<'a>(&'a self, name: &'a str) -> Resolving<'a>;
}

/// The system's resolver (`getaddrinfo`, so `/etc/hosts` too).
pub struct SystemNames {
    /// A look-up cannot be interrupted, and each holds a thread: a name server that does not answer must not take all of
    /// them.
    threads: Arc<Semaphore>,
}

impl Default for SystemNames {
    fn default() -> Self {
        Self { threads: Arc::new(Semaphore::new(16)) }
    }
}

impl Resolve for SystemNames {
    fn resolve<'a>(&'a self, name: &'a str) -> Resolving<'a> {
        let name = name.to_owned();
        Box::pin(async move {
            let thread = Arc::clone(&self.threads).acquire_owned().await.map_err(io::Error::other)?;
            let look_up = move || {
                let _thread = thread;
                (name.as_str(), 0).to_socket_addrs().map(|found| found.map(|address| address.ip()).collect())
            };
            tokio::task::spawn_blocking(look_up).await.map_err(io::Error::other)?
        })
    }
}
