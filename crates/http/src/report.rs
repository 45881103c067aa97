//! [`Report`]: what a handler tells about the request while it works: its class and where the time went. Feeds
//! metrics, the access log and `Server-Timing`.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The named parts of a request's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// From credentials to a principal.
    Identify,
    /// From the request to a statement.
    Plan,
    /// In the database, waiting for a connection included.
    Database,
    /// From rows to bytes.
    Render,
}

impl Stage {
    pub const ALL: [Self; 4] = [Self::Identify, Self::Plan, Self::Database, Self::Render];

    pub fn name(self) -> &'static str {
        match self {
            Self::Identify => "identify",
            Self::Plan => "plan",
            Self::Database => "db",
            Self::Render => "render",
        }
    }
}

#[derive(Debug, Default)]
pub struct Report {
    class: OnceLock<&'static str>,
    micros: [AtomicU32; Stage::ALL.len()],
}

impl Report {
    /// Names the class of the request where one route serves several, for example `api.list`. The first call
    /// counts. Classes that a [`crate::Mount`] did not declare are counted under its own.
    pub fn set_class(&self, class: &'static str) {
        let _ = self.class.set(class);
    }

    pub fn class(&self) -> Option<&'static str> {
        self.class.get().copied()
    }

    /// Adds to a stage's time.
    pub fn add(&self, stage: Stage, time: Duration) {
        let micros = u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
        self.micros[stage as usize].fetch_add(micros, Ordering::Relaxed);
    }

    /// Adds the time since `from`, and says what time it is now, so that stages can be chained.
    pub fn since(&self, stage: Stage, from: Instant) -> Instant {
        let now = Instant::now();
        self.add(stage, now.saturating_duration_since(from));
        now
    }

    /// Microseconds spent in a stage so far.
    pub fn micros(&self, stage: Stage) -> u32 {
        self.micros[stage as usize].load(Ordering::Relaxed)
    }
}
