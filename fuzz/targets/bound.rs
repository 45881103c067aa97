//! The bound that holds for every parser: 20 ms of CPU for an input within the size limits.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

const MOST: Duration = Duration::from_millis(20);

fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}

/// What is over the bound is measured so often again, and so long apart, before it counts: on a virtual machine a thread's
/// clock runs on while the host gives the processor to others.
const TRIES: usize = 20;
const APART: Duration = Duration::from_millis(50);

/// Runs `read`; panics, which is a finding, when the least of its runs takes more CPU than any input may.
pub fn bounded(mut read: impl FnMut()) {
    let mut time = || {
        let before = cpu();
        read();
        cpu().saturating_sub(before)
    };
    let mut took = time();
    for _ in 1..TRIES {
        if took <= MOST {
            break;
        }
        std::thread::sleep(APART);
        took = took.min(time());
    }
    assert!(took <= MOST, "took {took:?} of CPU");
}
