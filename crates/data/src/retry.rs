//! What is done again after a failure: whole transactions that PostgreSQL rolled back because they collided with others, and
//! work that a broken connection is known not to have done.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bedplate_db::Error;
use rand::RngExt as _;

/// How often the same work is done again because it collided.
const MOST: u32 = 4;
/// Before the first time; doubled each time, give or take half, so that those who collided do not meet again.
const FIRST: Duration = Duration::from_millis(4);

/// The growing pauses between tries of the same work.
#[derive(Debug, Default)]
pub struct Pauses(u32);

impl Pauses {
    pub fn new() -> Self {
        Self::default()
    }

    /// How long to wait before the next try. `None`: that was the last, or the deadline would come first.
    pub fn next(&mut self, deadline: Option<Instant>) -> Option<Duration> {
        if self.0 >= MOST {
            return None;
        }
        let pause = (FIRST * 2_u32.pow(self.0)).mul_f64(rand::rng().random_range(0.5..1.5));
        self.0 += 1;
        let in_time = deadline.is_none_or(|deadline| Instant::now() + pause < deadline);
        in_time.then_some(pause)
    }
}

/// The tries of one request.
#[derive(Debug, Default)]
pub(crate) struct Retries {
    collided: Pauses,
    broke: bool,
    /// Connections have to be younger than this.
    pub since: Option<Instant>,
}

impl Retries {
    /// How long to wait before the same work is done again; `None`: it is not to be. A lost connection is followed by one
    /// more try where the work `only_reads`, or was not begun.
    pub fn after(
        &mut self,
        error: &Error,
        only_reads: bool,
        deadline: Option<Instant>,
        counters: &Counters,
    ) -> Option<Duration> {
        let pause = match error {
            error if error.is_conflict() => {
                let pause = self.collided.next(deadline)?;
                counters.conflicts.fetch_add(1, Relaxed);
                pause
            }
            Error::Lost(_) if only_reads && !self.broke => Duration::ZERO,
            Error::Unused(_) if !self.broke => Duration::ZERO,
            _ => return None,
        };
        if pause.is_zero() {
            self.broke = true;
            self.since = Some(Instant::now());
            counters.broken.fetch_add(1, Relaxed);
        }
        Some(pause)
    }
}

/// How often work was done again since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// After serialization failures and deadlocks.
    pub conflicts: AtomicU64,
    /// On another connection, after one broke.
    pub broken: AtomicU64,
}

#[cfg(test)]
mod tests {
    use bedplate_db::DbError;

    use super::*;

    fn db(code: &str) -> Error {
        DbError { code: code.into(), severity: "ERROR".into(), ..DbError::default() }.into()
    }

    #[test]
    fn collisions_are_tried_again_a_few_times_with_growing_pauses() {
        let counters = Counters::default();
        for code in ["40001", "40P01"] {
            let mut retries = Retries::default();
            let mut pauses = Vec::new();
            while let Some(pause) = retries.after(&db(code), false, None, &counters) {
                pauses.push(pause);
            }
            assert_eq!(pauses.len(), MOST as usize);
            assert!(pauses.iter().all(|pause| (FIRST / 2..FIRST * 12).contains(pause)), "{pauses:?}");
        }
        assert_eq!(counters.conflicts.load(Relaxed), 2 * u64::from(MOST));
        let late = Instant::now();
        assert_eq!(Retries::default().after(&db("40001"), true, Some(late), &counters), None);
    }

    #[test]
    fn only_what_certainly_did_nothing_is_done_again_after_a_broken_connection() {
        let counters = Counters::default();
        let after = |retries: &mut Retries, error: Error, reads| {
            retries.after(&error, reads, None, &counters).is_some()
        };
        let mut retries = Retries::default();
        assert!(after(&mut retries, Error::Lost("gone".into()), true));
        assert!(!after(&mut retries, Error::Lost("gone".into()), true), "once");
        assert!(!after(&mut Retries::default(), Error::Lost("gone".into()), false), "a write may be done");
        assert!(after(&mut Retries::default(), Error::Unused("idle".into()), false));
        assert!(!after(&mut Retries::default(), Error::Unavailable("down".into()), true));
        for code in ["23505", "57014", "40002"] {
            assert!(!after(&mut Retries::default(), db(code), true), "{code}");
        }
        assert_eq!(counters.broken.load(Relaxed), 2);
    }
}
