//! [`Gate`]: requests with the same key that this process is answering, one at a time. Those who wait here need no connection
//! to the database. The key's lock in the database does the same for all servers together; this spares it the crowd.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use foldhash::fast::RandomState;
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};
use tokio::time::timeout_at;

use super::claim::Id;

type Places = HashMap<Id, Arc<Turn<()>>, RandomState>;

#[derive(Debug, Default)]
pub(crate) struct Gate(Arc<Mutex<Places>>);

/// A turn. Dropped, the next one has it.
#[derive(Debug)]
pub(crate) struct Entered {
    /// Given up before the place is.
    _turn: OwnedMutexGuard<()>,
    _place: Place,
}

/// Keeps the key known for as long as somebody has or wants the turn.
#[derive(Debug)]
struct Place {
    places: Arc<Mutex<Places>>,
    id: Id,
    turn: Option<Arc<Turn<()>>>,
}

impl Gate {
    /// Waits for the turn; `None` when `until` comes first.
    pub async fn enter(&self, id: Id, until: Instant) -> Option<Entered> {
        let turn = Arc::clone(lock(&self.0).entry(id).or_default());
        let place = Place { places: Arc::clone(&self.0), id, turn: Some(Arc::clone(&turn)) };
        let turn = timeout_at(until.into(), turn.lock_owned()).await.ok()?;
        Some(Entered { _turn: turn, _place: place })
    }

    #[cfg(test)]
    fn known(&self) -> usize {
        lock(&self.0).len()
    }
}

fn lock(places: &Mutex<Places>) -> std::sync::MutexGuard<'_, Places> {
    // Held for plain bookkeeping only, which a panic elsewhere does not leave half done.
    places.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = lock(&self.places);
        // Others clone it under this lock only, so that the count is true: besides ours there is the map's.
        if let Some(turn) = self.turn.take()
            && Arc::strong_count(&turn) == 2
        {
            places.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(30)
    }

    #[tokio::test]
    async fn one_at_a_time_and_nothing_stays_behind() {
        let gate = Arc::new(Gate::default());
        let first = gate.enter([1; 32], soon()).await.unwrap();
        let other = gate.enter([2; 32], soon()).await.unwrap();
        assert!(gate.enter([1; 32], Instant::now()).await.is_none(), "it is taken");
        let waiting = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.enter([1; 32], soon()).await.is_some() }
        });
        let given_up = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.enter([1; 32], soon()).await.is_some() }
        });
        tokio::task::yield_now().await;
        given_up.abort();
        let _ = given_up.await;
        drop(first);
        assert!(waiting.await.unwrap());
        drop(other);
        assert_eq!(gate.known(), 0);
    }
}
