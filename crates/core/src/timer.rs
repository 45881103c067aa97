//! [`Timer`]: bounds one piece of work after another in time without setting a timer for each.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Poll, ready};
use std::time::Instant;

use tokio::task::unconstrained;
use tokio::time::{Sleep, sleep_until};

/// Setting and clearing a timer takes the runtime's lock twice. Work that usually ends long before its deadline shares one
/// timer instead: it stays set for an early deadline and is only moved when it fires. Belongs to the runtime that it was
/// first used on.
#[derive(Debug, Default)]
pub struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// What the work gives, or `None` when the deadline comes first; the work is dropped then. It may be dropped itself at
    /// any time.
    pub async fn within<F: Future>(&mut self, deadline: Instant, work: F) -> Option<F::Output> {
        let deadline = tokio::time::Instant::from_std(deadline);
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        let mut work = pin!(work);
        poll_fn(|cx| {
            if let Poll::Ready(output) = work.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            loop {
                // Work that is always ready uses up the task's budget; the deadline must come all the same.
                ready!(pin!(unconstrained(sleep.as_mut())).poll(cx));
                if sleep.deadline() >= deadline {
                    return Poll::Ready(None);
                }
                // It was set for earlier work.
                sleep.as_mut().reset(deadline);
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::time::Duration;

    use super::*;

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(test);
    }

    #[test]
    fn each_work_has_its_own_deadline() {
        run(async {
            let mut timer = Timer::default();
            let (short, long) = (Duration::from_millis(20), Duration::from_mins(1));
            let begun = Instant::now();
            // Later, earlier and later again than what the timer is set for.
            assert_eq!(timer.within(begun + long, ready(1)).await, Some(1));
            assert_eq!(timer.within(begun + short, pending::<()>()).await, None);
            let waited = begun.elapsed();
            assert!((short..long).contains(&waited), "{waited:?}");
            let begun = Instant::now();
            assert_eq!(timer.within(begun + 2 * short, pending::<()>()).await, None);
            assert!(begun.elapsed() >= 2 * short);
            assert_eq!(timer.within(Instant::now() + long, ready(2)).await, Some(2));
        });
    }

    #[test]
    fn a_timer_left_behind_early_does_not_end_later_work() {
        run(async {
            let mut timer = Timer::default();
            let (short, long) = (Duration::from_millis(10), Duration::from_millis(60));
            assert_eq!(timer.within(Instant::now() + short, ready(())).await, Some(()));
            let begun = Instant::now();
            assert_eq!(timer.within(begun + long, pending::<()>()).await, None);
            assert!(begun.elapsed() >= long);
        });
    }

    #[test]
    fn work_that_never_waits_meets_its_deadline() {
        run(async {
            let busy = async {
                loop {
                    tokio::task::consume_budget().await;
                }
            };
            let deadline = Instant::now() + Duration::from_millis(20);
            assert_eq!(
                Timer::default().within::<Pin<Box<dyn Future<Output = ()>>>>(deadline, Box::pin(busy)).await,
                None
            );
        });
    }
}
