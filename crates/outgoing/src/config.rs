//! How the client behaves.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;

use crate::allow::Allowed;
use crate::names::{Resolve, SystemNames};

/// Limits of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the beginning of an attempt to the head of its answer.
    pub first_byte: Duration,
    /// The whole call with its repetitions and the waits between them. Streamed answers end by `idle` instead.
    pub total: Duration,
    /// The longest gap between two pieces of a streamed answer.
    pub idle: Duration,
    /// Bytes of an answer.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            first_byte: Duration::from_secs(10),
            total: Duration::from_secs(30),
            idle: Duration::from_secs(30),
            bytes: 10 << 20,
        }
    }
}

#[derive(Clone)]
pub struct Config {
    /// What may be reached beside the public internet.
    pub allow: Vec<Allowed>,
    /// Time for a connection: name, TCP and TLS together.
    pub connect: Duration,
    /// Calls to one host at once; as many connections are kept.
    pub per_host: usize,
    /// Calls at once in all.
    pub in_flight: usize,
    /// Failures in a row after which a host is left alone.
    pub failures: u32,
    /// How long it is left alone, the first time. Doubled with each failed try, up to 30 times as long.
    pub pause: Duration,
    /// Certificate authorities beside the system's.
    pub authorities: Vec<CertificateDer<'static>>,
    /// Who resolves names.
    pub names: Arc<dyn Resolve>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            connect: Duration::from_secs(3),
            per_host: 8,
            in_flight: 256,
            failures: 5,
            pause: Duration::from_secs(10),
            authorities: Vec::new(),
            names: Arc::new(SystemNames::default()),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("allow", &self.allow).finish_non_exhaustive()
    }
}
