//! The circuit breaker of one host: after some failures in a row it is left alone for a while, then tried by one call.

use std::time::Duration;

use rand::RngExt;
use tokio::time::Instant;

/// The most that the pause grows, as a multiple of the first one.
const LONGEST: u32 = 30;

#[derive(Debug)]
pub(crate) struct Breaker {
    state: State,
    /// Failures in a row that open it.
    most: u32,
    pause: Duration,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed {
        failures: u32,
    },
    /// `times`: how often in a row it was opened.
    Open {
        until: Instant,
        times: u32,
    },
    /// One call is out to see whether the host is back.
    Probing {
        times: u32,
    },
}

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Worked,
    Failed,
    /// The caller went away: says nothing of the host.
    Unknown,
}

impl Breaker {
    pub fn new(most: u32, pause: Duration) -> Self {
        Self { state: State::Closed { failures: 0 }, most: most.max(1), pause }
    }

    /// Whether a call may go out; else how long not.
    pub fn admit(&mut self, now: Instant) -> Result<(), Duration> {
        match self.state {
            State::Closed { .. } => Ok(()),
            State::Open { until, times } if now >= until => {
                self.state = State::Probing { times };
                Ok(())
            }
            State::Open { until, .. } => Err(until - now),
            // The probe tells soon.
            State::Probing { .. } => Err(Duration::from_secs(1)),
        }
    }

    pub fn tell(&mut self, verdict: Verdict, now: Instant) {
        self.state = match (self.state, verdict) {
            (State::Closed { .. } | State::Probing { .. }, Verdict::Worked) => State::Closed { failures: 0 },
            (State::Closed { failures }, Verdict::Failed) if failures + 1 >= self.most => self.open(1, now),
            (State::Closed { failures }, Verdict::Failed) => State::Closed { failures: failures + 1 },
            (State::Probing { times }, Verdict::Failed) => self.open(times + 1, now),
            // The next call is the probe.
            (State::Probing { times }, Verdict::Unknown) => State::Open { until: now, times },
            // Calls that went out before it opened.
            (state @ (State::Open { .. } | State::Closed { .. }), _) => state,
        };
    }

    fn open(&self, times: u32, now: Instant) -> State {
        let factor = 2_u32.saturating_pow(times - 1).min(LONGEST);
        // Nodes that saw a host fail together do not come back together.
        let spread = rand::rng().random_range(0.9..1.1);
        State::Open { until: now + (self.pause * factor).mul_f64(spread), times }
    }

    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(10);

    #[test]
    fn it_opens_after_failures_in_a_row_and_lets_one_probe_through() {
        let (mut breaker, start) = (Breaker::new(3, PAUSE), Instant::now());
        for verdict in [Verdict::Failed, Verdict::Failed, Verdict::Worked, Verdict::Failed, Verdict::Failed] {
            breaker.tell(verdict, start);
        }
        assert!(breaker.admit(start).is_ok(), "not in a row");
        breaker.tell(Verdict::Failed, start);
        let wait = breaker.admit(start).unwrap_err();
        assert!((9.0..=11.0).contains(&wait.as_secs_f64()), "{wait:?}");
        let later = start + Duration::from_secs(12);
        assert!(breaker.admit(later).is_ok());
        assert!(breaker.admit(later).is_err(), "one probe at a time");
        breaker.tell(Verdict::Worked, later);
        assert!(breaker.is_closed() && breaker.admit(later).is_ok());
    }

    #[test]
    fn each_failed_probe_doubles_the_pause_and_one_that_was_given_up_frees_its_place() {
        let (mut breaker, mut now) = (Breaker::new(1, PAUSE), Instant::now());
        breaker.tell(Verdict::Failed, now);
        for expected in [20, 40, 80, 160, 300, 300] {
            now += Duration::from_secs(400);
            breaker.admit(now).unwrap();
            breaker.tell(Verdict::Failed, now);
            let wait = breaker.admit(now).unwrap_err().as_secs_f64();
            assert!((f64::from(expected) * 0.9..=f64::from(expected) * 1.1).contains(&wait), "{wait}");
        }
        now += Duration::from_secs(400);
        breaker.admit(now).unwrap();
        breaker.tell(Verdict::Unknown, now);
        assert!(breaker.admit(now).is_ok());
    }
}
