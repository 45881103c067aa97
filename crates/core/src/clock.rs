//! Time comes from a [`Clock`], so that tests decide what time it is and nothing sleeps.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Time since the Unix epoch, UTC.
    fn now(&self) -> Duration;

    /// Whole seconds since the Unix epoch, as JWT's `NumericDate` counts them (RFC 7519 §2).
    fn unix_seconds(&self) -> i64 {
        self.now().as_secs() as i64
    }
}

/// The operating system's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}
