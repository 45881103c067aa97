//! The generic cell rate algorithm (ITU-T I.371, Annex A) as a bucket of tokens: a bucket is one number, the moment when
//! it will be full again. `lua/take.lua` is the same for Redis; both count in whole microseconds.

use std::time::Duration;

/// No window is longer (30 years), so that the sums stay exact in Lua, whose numbers are doubles.
const LONGEST: u64 = 30 * 365 * 86_400 * 1_000_000;

/// `count` tokens in each period, at most `burst` at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// Microseconds until one token is back.
    interval: u64,
    burst: u32,
}

impl Rate {
    /// A count or burst of 0 counts as 1. The time of one token is rounded up to whole microseconds.
    pub const fn new(count: u32, per: Duration, burst: u32) -> Self {
        let count = if count == 0 { 1 } else { count as u128 };
        let burst = if burst == 0 { 1 } else { burst };
        let longest = (LONGEST / burst as u64) as u128;
        let interval = per.as_micros().div_ceil(count);
        let interval = if interval > longest { longest } else { interval };
        Self { interval: if interval == 0 { 1 } else { interval as u64 }, burst }
    }

    /// Until one token is back.
    pub const fn interval(&self) -> Duration {
        Duration::from_micros(self.interval)
    }

    pub const fn burst(&self) -> u32 {
        self.burst
    }

    /// Until an empty bucket is full.
    pub const fn window(&self) -> Duration {
        Duration::from_micros(self.window_micros())
    }

    const fn window_micros(&self) -> u64 {
        self.interval * self.burst as u64
    }

    pub(crate) const fn interval_micros(&self) -> u64 {
        self.interval
    }
}

/// What taking tokens came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// The tokens were there, and are gone now.
    pub allowed: bool,
    /// Tokens that are left.
    pub remaining: u32,
    /// Until the bucket is full again.
    pub reset: Duration,
    /// When the same may be taken; zero when it was. [`Duration::MAX`]: never, the bucket does not hold as many.
    pub retry_after: Duration,
}

impl Taken {
    /// From what `lua/take.lua` answers, in microseconds.
    pub(crate) fn new(rate: Rate, cost: u32, allowed: bool, ahead: u64, wait: u64) -> Self {
        let left = rate.window_micros().saturating_sub(ahead) / rate.interval;
        let retry_after = match (allowed, cost > rate.burst) {
            (true, _) => Duration::ZERO,
            (false, true) => Duration::MAX,
            (false, false) => Duration::from_micros(wait),
        };
        Self {
            allowed,
            remaining: u32::try_from(left).unwrap_or(u32::MAX),
            reset: Duration::from_micros(ahead),
            retry_after,
        }
    }
}

/// One step: the bucket after it, and what it came to. `full_at` and `now` are microseconds of one clock. A bucket that was
/// booked under a larger window counts as empty, not as more than empty.
pub(crate) fn step(full_at: u64, now: u64, rate: Rate, cost: u32) -> (u64, Taken) {
    let window = rate.window_micros();
    let base = full_at.clamp(now, now + window);
    let next = base + rate.interval * u64::from(cost);
    if next - now > window {
        return (full_at, Taken::new(rate, cost, false, base - now, next - now - window));
    }
    (next, Taken::new(rate, cost, true, next - now, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000_000;

    #[test]
    fn a_burst_then_one_at_a_time() {
        let rate = Rate::new(10, Duration::from_secs(1), 3);
        let mut bucket = 0;
        for left in [2, 1, 0] {
            let (next, taken) = step(bucket, NOW, rate, 1);
            assert!(taken.allowed);
            assert_eq!(taken.remaining, left);
            bucket = next;
        }
        let (same, refused) = step(bucket, NOW, rate, 1);
        assert_eq!((same, refused.allowed, refused.remaining), (bucket, false, 0));
        assert_eq!(refused.retry_after, Duration::from_millis(100));
        assert_eq!(refused.reset, Duration::from_millis(300));
        assert!(!step(bucket, NOW + 99_999, rate, 1).1.allowed);
        assert!(step(bucket, NOW + 100_000, rate, 1).1.allowed);
        assert_eq!(step(bucket, NOW + 300_000, rate, 0).1.remaining, 3);
    }

    #[test]
    fn more_than_a_bucket_holds_is_never_allowed_and_costs_nothing() {
        let rate = Rate::new(1, Duration::from_mins(1), 5);
        let (bucket, taken) = step(0, NOW, rate, 6);
        assert_eq!((bucket, taken.allowed, taken.remaining), (0, false, 5));
        assert_eq!(taken.retry_after, Duration::MAX);
        assert!(step(0, NOW, rate, 5).1.allowed);
    }

    #[test]
    fn a_smaller_window_forgives_what_was_booked_under_a_larger_one() {
        let hour = Rate::new(1, Duration::from_hours(1), 1);
        let second = Rate::new(1, Duration::from_secs(1), 1);
        let (booked, _) = step(0, NOW, hour, 1);
        assert_eq!(step(booked, NOW, second, 1).1.retry_after, Duration::from_secs(1));
    }

    #[test]
    fn odd_rates_are_made_usable() {
        let odd = Rate::new(0, Duration::ZERO, 0);
        assert_eq!((odd.interval(), odd.burst()), (Duration::from_micros(1), 1));
        assert_eq!(Rate::new(3, Duration::from_secs(1), 1).interval(), Duration::from_micros(333_334));
        let long = Rate::new(1, Duration::MAX, u32::MAX);
        assert!(long.window() <= Duration::from_micros(LONGEST));
        assert!(step(u64::MAX, NOW, long, u32::MAX).1.retry_after > Duration::ZERO);
    }
}
