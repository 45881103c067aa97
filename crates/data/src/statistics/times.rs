//! How long calls took, as a histogram whose buckets are a fifth to a quarter wide: enough for quantiles, cheap to count in.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Four buckets below 16 µs, then four for each doubling, up to about two minutes.
const BUCKETS: usize = 4 + 23 * 4;

#[derive(Debug)]
pub(super) struct Times {
    buckets: [AtomicU32; BUCKETS],
    micros: AtomicU64,
}

impl Default for Times {
    fn default() -> Self {
        Self { buckets: std::array::from_fn(|_| AtomicU32::new(0)), micros: AtomicU64::new(0) }
    }
}

impl Times {
    pub fn record(&self, took: Duration) {
        let micros = took.as_micros() as u64;
        self.micros.fetch_add(micros, Relaxed);
        self.buckets[bucket(micros)].fetch_add(1, Relaxed);
    }

    /// Microseconds of all calls together.
    pub fn total(&self) -> u64 {
        self.micros.load(Relaxed)
    }

    /// The time that so large a share of the calls did not exceed, to within a bucket.
    pub fn quantile(&self, share: f64) -> Duration {
        let counts: Vec<u64> = self.buckets.iter().map(|count| u64::from(count.load(Relaxed))).collect();
        let wanted = (counts.iter().sum::<u64>() as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (at, count) in counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Duration::from_micros(middle(at));
            }
        }
        Duration::ZERO
    }
}

fn bucket(micros: u64) -> usize {
    if micros < 16 {
        return (micros / 4) as usize;
    }
    let doubling = 63 - micros.leading_zeros() as usize;
    let quarter = (micros >> (doubling - 2)) as usize & 3;
    (4 + (doubling - 4) * 4 + quarter).min(BUCKETS - 1)
}

/// The middle of a bucket, in microseconds.
fn middle(bucket: usize) -> u64 {
    if bucket < 4 {
        return bucket as u64 * 4 + 2;
    }
    let (doubling, quarter) = (4 + (bucket - 4) / 4, (bucket - 4) as u64 % 4);
    let width = 1_u64 << (doubling - 2);
    (4 + quarter) * width + width / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_what_is_near_its_middle() {
        for micros in (0..2_000_u64)
            .chain((11..26).map(|power| 1 << power))
            .chain((11..26).map(|power| (1 << power) - 1))
        {
            let middle = middle(bucket(micros));
            let off = middle.abs_diff(micros) as f64;
            assert!(off <= (micros as f64 * 0.125).max(3.0), "{micros} in a bucket around {middle}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_of_what_was_recorded() {
        let times = Times::default();
        assert_eq!(times.quantile(0.5), Duration::ZERO);
        for _ in 0..98 {
            times.record(Duration::from_millis(1));
        }
        times.record(Duration::from_millis(50));
        times.record(Duration::from_millis(50));
        let near = |share, micros: u128| times.quantile(share).as_micros().abs_diff(micros) * 8 <= micros;
        assert!(near(0.5, 1_000) && near(0.95, 1_000) && near(0.99, 50_000));
        assert_eq!(times.total(), 198_000);
    }
}
