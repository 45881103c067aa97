//! [`Quota`] and what is left of one: the generic cell rate algorithm (ITU-T I.371, Annex A) in whole nanoseconds.
//!
//! One number is kept for each caller: the theoretical arrival time, at which the quota would be whole again. A request
//! moves it on by the time in which one request is earned; one that would move it further than a window ahead is refused.
//! So a burst of the whole quota passes, exactly, and afterwards as many as are earned, without edges between windows.

use std::time::Duration;

const SECOND: u64 = 1_000_000_000;

/// So many requests in a window of whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    requests: u32,
    seconds: u32,
    /// Nanoseconds in which one request is earned.
    interval: u64,
}

/// What a quota says to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    pub allowed: bool,
    /// Requests that could be made at once after this one.
    pub remaining: u32,
    /// With something left: until the quota is whole again. With nothing left: until the next request is let through.
    pub reset: Duration,
}

impl Quota {
    /// `None` for quotas that let nothing through, have no window, or are finer than the clock.
    pub fn new(requests: u32, seconds: u32) -> Option<Self> {
        let interval = u64::from(seconds).checked_mul(SECOND)?.checked_div(u64::from(requests))?;
        (interval > 0).then_some(Self { requests, seconds, interval })
    }

    pub fn requests(&self) -> u32 {
        self.requests
    }

    /// The window's length.
    pub fn seconds(&self) -> u32 {
        self.seconds
    }

    /// One request at `now`, where the arrival time stood at `before`; what it is afterwards. All in nanoseconds of one
    /// clock that never goes back.
    pub(crate) fn take(&self, before: u64, now: u64) -> (u64, Taken) {
        let (after, most) = (before.max(now) + self.interval, now + self.window());
        if after > most {
            let reset = Duration::from_nanos(after - most);
            return (before, Taken { allowed: false, remaining: 0, reset });
        }
        (after, self.state(after, now, true))
    }

    /// What is left without a request.
    pub(crate) fn look(&self, arrival: u64, now: u64) -> Taken {
        let allowed = arrival.max(now) + self.interval <= now + self.window();
        self.state(arrival, now, allowed)
    }

    /// The arrival time without a request that was counted before.
    pub(crate) fn give_back(&self, arrival: u64) -> u64 {
        arrival.saturating_sub(self.interval)
    }

    fn state(&self, arrival: u64, now: u64, allowed: bool) -> Taken {
        let used = arrival.saturating_sub(now);
        let remaining = self.window().saturating_sub(used) / self.interval;
        let reset = if remaining == 0 { used + self.interval - self.window() } else { used };
        Taken { allowed, remaining: remaining as u32, reset: Duration::from_nanos(reset) }
    }

    /// A whole number of intervals, so that the burst is exact where the window does not divide.
    fn window(&self) -> u64 {
        self.interval * u64::from(self.requests)
    }
}

impl Taken {
    /// Whole seconds, rounded up: `t` of `RateLimit`, and `Retry-After`.
    pub fn reset_seconds(&self) -> u64 {
        self.reset.as_secs() + u64::from(self.reset.subsec_nanos() > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(requests: u32, seconds: u32) -> Quota {
        Quota::new(requests, seconds).unwrap()
    }

    #[test]
    fn a_burst_of_the_whole_quota_passes_and_not_one_more() {
        for (requests, seconds) in [(1, 1), (3, 10), (7, 1), (300, 10), (999, 7), (1_000_000, 1)] {
            let quota = quota(requests, seconds);
            let (mut arrival, now) = (0, 5 * SECOND);
            for n in 0..requests {
                let (next, taken) = quota.take(arrival, now);
                assert!(taken.allowed, "{n} of {requests}");
                assert_eq!(taken.remaining, requests - n - 1);
                arrival = next;
            }
            let (same, refused) = quota.take(arrival, now);
            assert!(!refused.allowed && same == arrival, "a refusal costs nothing");
            assert_eq!((refused.remaining, refused.reset), (0, Duration::from_nanos(quota.interval)));
        }
    }

    #[test]
    fn what_is_earned_may_be_spent_at_the_time_that_was_told() {
        let quota = quota(4, 8);
        let mut arrival = 0;
        for _ in 0..4 {
            arrival = quota.take(arrival, 0).0;
        }
        let told = quota.take(arrival, SECOND).1;
        assert_eq!((told.allowed, told.reset_seconds()), (false, 1));
        assert!(!quota.take(arrival, 2 * SECOND - 1).1.allowed);
        let (arrival, second) = quota.take(arrival, 2 * SECOND);
        assert!(second.allowed);
        assert_eq!((second.remaining, second.reset_seconds()), (0, 2));
        assert_eq!(quota.look(arrival, 1_000 * SECOND).remaining, 4);
        assert_eq!(quota.look(arrival, 1_000 * SECOND).reset, Duration::ZERO);
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let quota = quota(2, 60);
        let (one, _) = quota.take(0, 0);
        let (two, _) = quota.take(one, 0);
        assert!(!quota.look(two, 0).allowed);
        assert_eq!(quota.give_back(two), one);
        assert!(quota.take(quota.give_back(two), 0).1.allowed);
    }

    #[test]
    fn a_clock_that_stands_behind_earns_nothing() {
        let quota = quota(1, 1);
        let (arrival, _) = quota.take(0, 10 * SECOND);
        let (_, earlier) = quota.take(arrival, 9 * SECOND);
        assert!(!earlier.allowed);
    }

    #[test]
    fn quotas_that_mean_nothing_are_none() {
        assert_eq!(Quota::new(0, 1), None);
        assert_eq!(Quota::new(1, 0), None);
        assert!(Quota::new(u32::MAX, 1).is_none());
        assert!(Quota::new(u32::MAX, u32::MAX).is_some());
    }
}
