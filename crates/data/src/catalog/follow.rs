//! The loader's background task: waits for a reason to load, lets a burst of DDL calm down, loads, and tries again when
//! that fails.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::Problem;
use bedplate_db::listen::{Event, Subscription};
use futures_util::future::select_all;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::loader::{Options, Shared};

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Why to look at the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// DDL was reported, or somebody asked.
    Told,
    /// Something may have been missed; a cheap look tells.
    Perhaps,
}

pub(super) async fn run(shared: Arc<Shared>, mut subscriptions: Vec<Subscription>, options: Options) {
    let mut pause = FIRST_PAUSE;
    let mut again: Option<Reason> = None;
    loop {
        let reason = match again.take() {
            Some(reason) => reason,
            None => next(&shared, &mut subscriptions, options.poll).await,
        };
        if reason == Reason::Told {
            calm_down(&shared, &mut subscriptions, &options).await;
        }
        let result = match reason {
            Reason::Told => shared.load().await,
            Reason::Perhaps => shared.load_if_stale().await,
        };
        match result {
            Ok(()) => pause = FIRST_PAUSE,
            Err(problem) => {
                report(&problem, pause);
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                again = Some(reason);
            }
        }
    }
}

fn report(problem: &Problem, pause: Duration) {
    tracing::warn!(%problem, retry_in = ?pause, "the catalog could not be read again; the last one stays in use");
}

async fn next(shared: &Shared, subscriptions: &mut Vec<Subscription>, poll: Duration) -> Reason {
    let tick = async {
        match poll {
            Duration::ZERO => std::future::pending().await,
            poll => sleep(poll).await,
        }
    };
    tokio::pin!(tick);
    loop {
        tokio::select! {
            () = shared.wanted.notified() => return Reason::Told,
            () = &mut tick => return Reason::Perhaps,
            reason = heard(subscriptions) => {
                if let Some(reason) = reason {
                    return reason;
                }
            }
        }
    }
}

/// The next event of any subscription, when it is one for us. A subscription whose hub has gone is given up.
async fn heard(subscriptions: &mut Vec<Subscription>) -> Option<Reason> {
    if subscriptions.is_empty() {
        return std::future::pending().await;
    }
    let (event, at, rest) = select_all(subscriptions.iter_mut().map(|s| Box::pin(s.next()))).await;
    drop(rest);
    match event {
        None => {
            drop(subscriptions.swap_remove(at));
            None
        }
        Some(Event::Resync) => Some(Reason::Perhaps),
        // PostgREST documents 'reload schema' and 'reload config', and nothing for both.
        Some(Event::Notified { payload }) => {
            (payload.is_empty() || payload.starts_with("reload")).then_some(Reason::Told)
        }
    }
}

/// Waits until nothing was heard for a while, so that a hundred statements cost one load.
async fn calm_down(shared: &Shared, subscriptions: &mut Vec<Subscription>, options: &Options) {
    let last = Instant::now() + options.patience;
    loop {
        let quiet = (Instant::now() + options.quiet).min(last);
        let more = async {
            tokio::select! {
                () = shared.wanted.notified() => {}
                _ = heard(subscriptions) => {}
            }
        };
        if timeout_at(quiet, more).await.is_err() {
            return;
        }
        if Instant::now() >= last {
            sleep_until(last).await;
            return;
        }
    }
}
