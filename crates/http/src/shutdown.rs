//! [`Shutdown`]: running, draining, stopping, forced. One handle for the process; listeners and connections
//! follow it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::watch;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    Running,
    /// Not ready any more, but everything is served; answers ask clients to reconnect, elsewhere by then.
    Draining,
    /// No new connections; what is in flight ends.
    Stopping,
    /// Connections are cut.
    Forced,
}

#[derive(Debug, Clone)]
pub struct Shutdown(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The same as in the channel; reading it takes no lock.
    phase: AtomicU8,
    channel: watch::Sender<Phase>,
}

impl Default for Shutdown {
    fn default() -> Self {
        let (channel, _) = watch::channel(Phase::Running);
        Self(Arc::new(Inner { phase: AtomicU8::new(Phase::Running as u8), channel }))
    }
}

impl Shutdown {
    pub fn phase(&self) -> Phase {
        match self.0.phase.load(Ordering::Acquire) {
            0 => Phase::Running,
            1 => Phase::Draining,
            2 => Phase::Stopping,
            _ => Phase::Forced,
        }
    }

    pub fn is_draining(&self) -> bool {
        self.phase() >= Phase::Draining
    }

    /// Starts the orderly end. Listeners that run drain, stop and return by themselves.
    pub fn begin(&self) {
        self.advance(Phase::Draining);
    }

    /// Cuts everything now.
    pub fn force(&self) {
        self.advance(Phase::Forced);
    }

    /// Follows the process's signals: SIGTERM or SIGINT begins, a second one forces. Runs until forced.
    pub async fn follow_signals(self) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut term = signal(SignalKind::terminate())?;
        let mut int = signal(SignalKind::interrupt())?;
        loop {
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
            if self.is_draining() {
                tracing::warn!("second signal: cutting the connections that are left");
                self.force();
                return Ok(());
            }
            tracing::info!("shutting down: finishing the requests in flight");
            self.begin();
        }
    }

    /// Waits for `phase` or a later one.
    pub async fn reached(&self, phase: Phase) {
        let mut receiver = self.0.channel.subscribe();
        // The sender lives in self, so the channel cannot close while this waits.
        let _ = receiver.wait_for(|now| *now >= phase).await;
    }

    pub(crate) fn advance(&self, to: Phase) {
        self.0.channel.send_if_modified(|now| {
            let later = to > *now;
            if later {
                *now = to;
                self.0.phase.store(to as u8, Ordering::Release);
            }
            later
        });
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Phase> {
        self.0.channel.subscribe()
    }
}
