//! Counters of calls by class. Classes are named in the code, so their number is small.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;

use crate::Error;

/// What a call can come to, in the order of [`ClassStatistics::outcomes`]: the classes of statuses, then the failures.
pub const OUTCOMES: [&str; 9] =
    ["2xx", "3xx", "4xx", "5xx", "refused", "timeout", "failed", "breaker_open", "too_large"];

#[derive(Debug, Default)]
pub(crate) struct Class {
    outcomes: [AtomicU64; OUTCOMES.len()],
    repeated: AtomicU64,
    micros: AtomicU64,
    under_way: AtomicI64,
}

/// What came of the calls of one class since the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassStatistics {
    pub class: &'static str,
    /// Calls by [`OUTCOMES`].
    pub outcomes: [u64; OUTCOMES.len()],
    /// Attempts after the first.
    pub repeated: u64,
    /// Time of all finished calls together.
    pub time: Duration,
    /// Calls that are not finished.
    pub under_way: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statistics {
    pub classes: Vec<ClassStatistics>,
    /// Hosts that are left alone at the moment.
    pub open_breakers: usize,
}

#[derive(Default)]
pub(crate) struct Metrics(Mutex<BTreeMap<&'static str, Arc<Class>>>);

impl Metrics {
    pub fn class(&self, name: &'static str) -> Arc<Class> {
        let mut classes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(classes.entry(name).or_default())
    }

    pub fn classes(&self) -> Vec<ClassStatistics> {
        let classes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let read = |(name, class): (&&'static str, &Arc<Class>)| ClassStatistics {
            class: name,
            outcomes: std::array::from_fn(|at| class.outcomes[at].load(Relaxed)),
            repeated: class.repeated.load(Relaxed),
            time: Duration::from_micros(class.micros.load(Relaxed)),
            under_way: class.under_way.load(Relaxed),
        };
        classes.iter().map(read).collect()
    }
}

impl Class {
    pub fn begin(self: &Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Relaxed);
        UnderWay(Arc::clone(self))
    }

    pub fn repeat(&self) {
        self.repeated.fetch_add(1, Relaxed);
    }

    pub fn end(&self, outcome: Result<StatusCode, &Error>, took: Duration) {
        let name = match outcome {
            Ok(status) => match status.as_u16() {
                ..300 => "2xx",
                300..400 => "3xx",
                400..500 => "4xx",
                _ => "5xx",
            },
            Err(Error::Refused { .. } | Error::Url(_) | Error::Redirect(_)) => "refused",
            Err(Error::Timeout { .. }) => "timeout",
            Err(Error::Open { .. }) => "breaker_open",
            Err(Error::TooLarge { .. } | Error::Encoded) => "too_large",
            Err(_) => "failed",
        };
        let at = OUTCOMES.iter().position(|known| *known == name).unwrap_or_default();
        self.outcomes[at].fetch_add(1, Relaxed);
        self.micros.fetch_add(took.as_micros() as u64, Relaxed);
    }
}

/// A call that is not finished.
pub(crate) struct UnderWay(Arc<Class>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Relaxed);
    }
}
