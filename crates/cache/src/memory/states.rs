//! Small states by key, exact under concurrency and bounded in number; and locks, which are never forgotten.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{Mutex, PoisonError};

use foldhash::fast::RandomState;

use crate::Lock;

const SHARDS: usize = 64;
/// Locks whose time is over are cleared away when there are so many.
const MANY_LOCKS: usize = 1024;

/// Each shard has two generations. A state that is used lives in the younger one; when that is full it becomes the older
/// one, and what was in the older one and not used since is forgotten. So a flood of new keys costs a constant time each,
/// and pushes out only what is used less often than the flood takes to fill a generation.
pub(super) struct States<S> {
    shards: Box<[Mutex<Shard<S>>]>,
    hasher: RandomState,
    /// Of one generation of one shard.
    most: usize,
}

struct Shard<S> {
    young: HashMap<Box<str>, S, RandomState>,
    old: HashMap<Box<str>, S, RandomState>,
}

impl<S> States<S> {
    pub fn new(most: usize) -> Self {
        let shard = || Mutex::new(Shard { young: HashMap::default(), old: HashMap::default() });
        Self {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            hasher: RandomState::default(),
            most: (most / (2 * SHARDS)).max(1),
        }
    }

    /// Changes the state of a key, which is `fresh` when it is new.
    pub fn update<T>(&self, key: &str, fresh: S, change: impl FnOnce(&mut S) -> T) -> T {
        let at = self.hasher.hash_one(key) as usize % SHARDS;
        let mut shard = self.shards[at].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = shard.young.get_mut(key) {
            return change(state);
        }
        let (key, mut state) = shard.old.remove_entry(key).unwrap_or_else(|| (key.into(), fresh));
        let changed = change(&mut state);
        if shard.young.len() >= self.most {
            let shard = &mut *shard;
            std::mem::swap(&mut shard.young, &mut shard.old);
            shard.young.clear();
        }
        shard.young.insert(key, state);
        changed
    }

    pub fn len(&self) -> usize {
        let of_shard = |shard: &Mutex<Shard<S>>| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.young.len() + shard.old.len()
        };
        self.shards.iter().map(of_shard).sum()
    }
}

#[derive(Default)]
pub(super) struct Locks {
    held: HashMap<String, Held>,
    last_fence: u64,
}

struct Held {
    owner: u128,
    until: u64,
}

impl Locks {
    pub fn lock(&mut self, name: &str, now: u64, until: u64) -> Option<Lock> {
        if self.held.get(name).is_some_and(|held| held.until > now) {
            return None;
        }
        if self.held.len() >= MANY_LOCKS {
            self.held.retain(|_, held| held.until > now);
        }
        self.last_fence += 1;
        let owner = rand::random();
        self.held.insert(name.to_owned(), Held { owner, until });
        Some(Lock { name: name.to_owned(), owner, fence: self.last_fence })
    }

    pub fn extend(&mut self, lock: &Lock, now: u64, until: u64) -> bool {
        let ours = |held: &&mut Held| held.owner == lock.owner && held.until > now;
        match self.held.get_mut(&lock.name).filter(ours) {
            Some(held) => {
                held.until = until;
                true
            }
            None => false,
        }
    }

    pub fn release(&mut self, lock: &Lock, now: u64) -> bool {
        match self.held.get(&lock.name) {
            Some(held) if held.owner == lock.owner => {
                let held = self.held.remove(&lock.name);
                held.is_some_and(|held| held.until > now)
            }
            _ => false,
        }
    }
}
