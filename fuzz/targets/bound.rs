//! The bound that holds for every parser: 20 ms of CPU for an input within the size limits.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

const MOST: Duration = Duration::from_millis(20);

fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}

/// Runs `read`; panics, which is a finding, when it takes more CPU than any input may. What a busy machine adds to a thread's
/// clock is not the input's: the least of three runs counts.
pub fn bounded(mut read: impl FnMut()) {
    let mut time = || {
        let before = cpu();
        read();
        cpu().saturating_sub(before)
    };
    let mut took = time();
    for _ in 0..2 {
        if took > MOST {
            took = took.min(time());
        }
    }
    assert!(took <= MOST, "took {took:?} of CPU");
}
