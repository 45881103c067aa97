//! Why a call has no answer.

use std::time::Duration;

/// Safe to show to whoever may know the URL: names no address that a name led to, and nothing of the answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The URL is not one that is called: its form, its scheme, a name and password in it.
    #[error("the URL cannot be called: {0}")]
    Url(String),
    /// The guard does not let it through. What the name led to stands in the log only.
    #[error("{host}:{port} may not be called from here; what may is set by [outgoing] allow")]
    Refused { host: String, port: u16 },
    /// A host of the guard's list of failures: not asked again before `retry_after`.
    #[error("{host} failed too often and is not asked for another {} s", retry_after.as_secs() + 1)]
    Open { host: String, retry_after: Duration },
    /// All connections that one host (or all hosts together) may have are in use.
    #[error("too many calls are under way")]
    Busy,
    #[error("the name cannot be resolved: {0}")]
    Name(String),
    #[error("cannot connect: {0}")]
    Connect(String),
    #[error("TLS failed: {0}")]
    Tls(String),
    #[error("no {what} within {} s", after.as_secs_f32())]
    Timeout { what: &'static str, after: Duration },
    /// The connection ended early, or what came over it is not HTTP.
    #[error("the exchange broke off: {0}")]
    Broken(String),
    #[error("the answer has more than {limit} bytes")]
    TooLarge { limit: u64 },
    /// We ask for no coding, and what would have to be unpacked could be of any size.
    #[error("the answer is encoded, and no coding was asked for")]
    Encoded,
    #[error("it redirects to where it must not: {0}")]
    Redirect(&'static str),
}

impl Error {
    /// Whether the same call may succeed a moment later: nothing of it was refused.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Name(_) | Self::Connect(_) | Self::Timeout { .. } | Self::Broken(_))
    }

    /// Whether it tells against the host.
    pub(crate) fn is_failure_of_host(&self) -> bool {
        self.is_transient() || matches!(self, Self::Tls(_))
    }
}
