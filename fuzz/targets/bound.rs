//! The bound that holds for every parser: 20 ms of CPU for an input within the size limits.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

const MOST: Duration = Duration::from_millis(20);

fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}

/// Runs `read`; panics, which is a finding, when it took more CPU than any input may.
pub fn bounded(read: impl FnOnce()) {
    let before = cpu();
    read();
    let took = cpu() - before;
    assert!(took <= MOST, "took {took:?} of CPU");
}
