//! [`Flight`]: of many who want the same at once, one fetches it and the others wait for what it gets.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

type Running<T> = HashMap<Box<str>, watch::Receiver<Option<T>>>;

/// What is being fetched now, by key.
pub struct Flight<T> {
    running: Mutex<Running<T>>,
}

/// What [`Flight::turn`] gives.
pub enum Turn<'f, T> {
    /// Nobody fetches it: the caller does, and tells the others with [`Lead::land`].
    Lead(Lead<'f, T>),
    /// Another one has fetched it while the caller waited.
    Landed(T),
}

/// The right to fetch. Dropped without [`Lead::land`] (an error, a client that went away), it passes to one of those who
/// wait.
pub struct Lead<'f, T> {
    flight: &'f Flight<T>,
    key: Box<str>,
    landed: watch::Sender<Option<T>>,
}

impl<T> Default for Flight<T> {
    fn default() -> Self {
        Self { running: Mutex::default() }
    }
}

impl<T> Flight<T> {
    fn running(&self) -> MutexGuard<'_, Running<T>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone> Flight<T> {
    pub async fn turn(&self, key: &str) -> Turn<'_, T> {
        loop {
            let mut waiting = match self.running().entry(key.into()) {
                Entry::Vacant(vacant) => {
                    let (landed, receiver) = watch::channel(None);
                    vacant.insert(receiver);
                    return Turn::Lead(Lead { flight: self, key: key.into(), landed });
                }
                Entry::Occupied(occupied) => occupied.get().clone(),
            };
            // An error: the one who led gave up, and has taken its entry away before.
            if let Ok(landed) = waiting.wait_for(Option::is_some).await
                && let Some(landed) = landed.clone()
            {
                return Turn::Landed(landed);
            }
        }
    }
}

impl<T> Lead<'_, T> {
    /// Gives those who wait what was fetched.
    pub fn land(self, fetched: T) {
        self.landed.send_replace(Some(fetched));
    }
}

impl<T> Drop for Lead<'_, T> {
    fn drop(&mut self) {
        // Before the sender goes, so that whoever wakes up finds the place free.
        self.flight.running().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    async fn fetch(flight: &Flight<u32>, value: u32) -> u32 {
        match flight.turn("k").await {
            Turn::Lead(lead) => {
                tokio::task::yield_now().await;
                lead.land(value);
                value
            }
            Turn::Landed(value) => value,
        }
    }

    #[tokio::test]
    async fn one_fetches_for_all_and_the_next_begins_anew() {
        let flight = Arc::new(Flight::default());
        let all: Vec<_> = (0..50)
            .map(|at| {
                let flight = Arc::clone(&flight);
                tokio::spawn(async move { fetch(&flight, at).await })
            })
            .collect();
        for one in all {
            assert_eq!(one.await.unwrap(), 0);
        }
        assert_eq!(fetch(&flight, 7).await, 7);
        assert!(flight.running().is_empty());
    }

    #[tokio::test]
    async fn a_leader_that_gives_up_is_followed_by_one_who_waits() {
        let flight = Arc::new(Flight::default());
        let Turn::Lead(first) = flight.turn("k").await else { panic!("nobody was there before") };
        let waiting = {
            let flight = Arc::clone(&flight);
            tokio::spawn(async move { fetch(&flight, 2).await })
        };
        tokio::task::yield_now().await;
        drop(first);
        assert_eq!(waiting.await.unwrap(), 2);
    }
}
