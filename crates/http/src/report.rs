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
    /// Waiting for a connection: the beginning of [`Stage::Database`], which counts it too.
    Wait,
}

impl Stage {
    /// Those that follow each other.
    pub const ALL: [Self; 4] = [Self::Identify, Self::Plan, Self::Database, Self::Render];
    const COUNT: usize = 5;

    pub fn name(self) -> &'static str {
        match self {
            Self::Identify => "identify",
            Self::Plan => "plan",
            Self::Database => "db",
            Self::Render => "render",
            Self::Wait => "wait",
        }
    }
}

#[derive(Debug)]
pub struct Report {
    begun: Instant,
    class: OnceLock<&'static str>,
    micros: [AtomicU32; Stage::COUNT],
    /// When the last work of a chain was over, in microseconds since `begun`.
    identified: AtomicU32,
    ran: AtomicU32,
    rendered: AtomicU32,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            class: OnceLock::new(),
            micros: Default::default(),
            identified: AtomicU32::new(0),
            ran: AtomicU32::new(0),
            rendered: AtomicU32::new(0),
        }
    }
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
        let over = match stage {
            Stage::Identify => &self.identified,
            Stage::Database => &self.ran,
            Stage::Render => &self.rendered,
            // Before the database's time, which is told last.
            Stage::Plan | Stage::Wait => return,
        };
        let now = u32::try_from(self.begun.elapsed().as_micros()).unwrap_or(u32::MAX);
        over.store(now, Ordering::Relaxed);
    }

    /// The stages that took time: begin and duration, counted from `started`. Reckoned back from when each was over; work
    /// that was done in several goes appears as one.
    pub(crate) fn spans(&self, started: Instant) -> Vec<(Stage, Duration, Duration)> {
        let ahead = self.begun.saturating_duration_since(started);
        let time = |stage| u64::from(self.micros(stage));
        let over = |at: &AtomicU32| u64::from(at.load(Ordering::Relaxed));
        let (database, ran) = (time(Stage::Database), over(&self.ran));
        let asked = ran.saturating_sub(database);
        let parts = [
            (Stage::Identify, over(&self.identified).saturating_sub(time(Stage::Identify))),
            (Stage::Plan, asked.saturating_sub(time(Stage::Plan))),
            (Stage::Wait, asked),
            (Stage::Database, asked),
            (Stage::Render, over(&self.rendered).saturating_sub(time(Stage::Render))),
        ];
        let span = |(stage, begin): (Stage, u64)| {
            (stage, ahead + Duration::from_micros(begin), Duration::from_micros(time(stage)))
        };
        parts.into_iter().map(span).filter(|(_, _, took)| !took.is_zero()).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_become_spans_that_follow_each_other() {
        let started = Instant::now();
        let report = Report {
            begun: started.checked_sub(Duration::from_millis(20)).unwrap_or(started),
            ..Report::default()
        };
        report.add(Stage::Plan, Duration::from_millis(1));
        report.add(Stage::Wait, Duration::from_millis(2));
        report.add(Stage::Database, Duration::from_millis(6));
        let spans = report.spans(report.begun);
        let named: Vec<_> = spans.iter().map(|(stage, _, took)| (stage.name(), took.as_millis())).collect();
        assert_eq!(named, [("plan", 1), ("wait", 2), ("db", 6)]);
        let [(_, plan, _), (_, wait, _), (_, database, _)] = spans[..] else { panic!("{spans:?}") };
        assert_eq!((wait, wait), (plan + Duration::from_millis(1), database));
        assert!(database + Duration::from_millis(6) >= Duration::from_millis(20), "{database:?}");
    }
}
