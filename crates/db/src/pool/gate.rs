//! [`Gate`]: while connecting fails, one attempt at a time with growing pauses; everybody else hears at once.

use std::time::{Duration, Instant};

use rand::RngExt as _;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Gate(Option<Down>);

#[derive(Debug)]
struct Down {
    why: String,
    pause: Duration,
    next: Instant,
    /// The one attempt is being made.
    trying: bool,
}

impl Gate {
    /// Whether a connection may be attempted now. While down this takes the one turn.
    pub(super) fn enter(&mut self, now: Instant) -> bool {
        match &mut self.0 {
            None => true,
            Some(down) if !down.trying && down.next <= now => {
                down.trying = true;
                true
            }
            Some(_) => false,
        }
    }

    /// Why there is no use in waiting, if so.
    pub(super) fn closed(&self, now: Instant) -> Option<&str> {
        self.0.as_ref().filter(|down| down.trying || down.next > now).map(|down| down.why.as_str())
    }

    pub(super) fn why(&self) -> Option<&str> {
        self.0.as_ref().map(|down| down.why.as_str())
    }

    /// Returns whether it was down.
    pub(super) fn succeeded(&mut self) -> bool {
        self.0.take().is_some()
    }

    /// Returns whether it was up.
    pub(super) fn failed(&mut self, why: String, now: Instant) -> bool {
        let was_up = self.0.is_none();
        let pause = match &self.0 {
            None => FIRST_PAUSE,
            Some(down) if down.trying => (down.pause * 2).min(LONGEST_PAUSE),
            // Attempts begun before the first failure was known do not lengthen the pause.
            Some(down) => down.pause,
        };
        let next = now + pause.mul_f64(rand::rng().random_range(0.75..1.0));
        self.0 = Some(Down { why, pause, next, trying: false });
        was_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_attempt_at_a_time_with_growing_pauses() {
        let mut gate = Gate::default();
        let mut now = Instant::now();
        assert!(gate.enter(now) && gate.enter(now), "open while up");
        assert!(gate.failed("refused".into(), now));
        assert!(!gate.failed("refused".into(), now), "a twin failure");
        assert!(!gate.enter(now));
        assert_eq!(gate.closed(now), Some("refused"));
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let begin = now;
            while !gate.enter(now) {
                now += Duration::from_millis(1);
            }
            pauses.push(now - begin);
            assert!(!gate.enter(now), "only one");
            assert!(gate.closed(now).is_some(), "the others hear at once");
            gate.failed("refused".into(), now);
        }
        assert!(
            pauses[0] < Duration::from_millis(60) && pauses[7] > Duration::from_millis(700),
            "{pauses:?}"
        );
        assert!(pauses.iter().all(|p| *p <= LONGEST_PAUSE));
        assert!(gate.succeeded());
        assert!(gate.enter(now) && gate.closed(now).is_none());
    }
}
