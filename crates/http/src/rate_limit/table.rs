//! Who has used how much, in memory that is taken once: a table of small sets, each caller in the one that its hash names.
//! Nothing is allocated afterwards, however many callers there are, and nothing has to be swept: what has run out counts as
//! free.

use std::hash::{BuildHasher, Hash};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use foldhash::quality::RandomState;

use super::quota::{Quota, Taken};

/// Slots of one set: a caller is looked for among so many.
const WAYS: usize = 8;
/// Locks. Requests of different callers rarely meet at one. The upper six bits of a hash name it.
const SHARDS: usize = 64;

/// A caller's hash and its arrival time. Zeros are a free slot.
type Slot = [u64; 2];

pub(crate) struct Table {
    shards: Box<[Mutex<Box<[Slot]>>]>,
    sets_in_shard: usize,
    hashes: RandomState,
    epoch: Instant,
    crowded_out: AtomicU64,
}

/// A caller under one policy. A keyed hash of 64 bits: who does not know the key cannot make two callers meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key(u64);

impl Table {
    /// Room for `callers` at once, and as much again, so that sets are rarely full.
    pub(crate) fn new(callers: usize) -> Self {
        let sets = (2 * callers).div_ceil(WAYS);
        let sets_in_shard = sets.div_ceil(SHARDS).next_power_of_two();
        let shard = || Mutex::new(vec![[0_u64; 2]; sets_in_shard * WAYS].into_boxed_slice());
        Self {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            sets_in_shard,
            hashes: RandomState::default(),
            epoch: Instant::now(),
            crowded_out: AtomicU64::new(0),
        }
    }

    pub(crate) fn key(&self, caller: impl Hash) -> Key {
        // Zero is a free slot.
        Key(self.hashes.hash_one(caller).max(1))
    }

    /// Nanoseconds of the table's clock. It starts at one, so that an arrival time is never that of a free slot.
    pub(crate) fn nanos(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.epoch).as_nanos() as u64 + 1
    }

    /// One request of the caller.
    pub(crate) fn take(&self, key: Key, quota: &Quota, now: u64) -> Taken {
        let mut shard = self.shard(key);
        let set = self.set(key, &mut shard);
        let known = set.iter().position(|slot| slot[0] == key.0);
        let before = known.map_or(0, |at| set[at][1]);
        let (after, taken) = quota.take(before, now);
        if taken.allowed {
            let at = known.unwrap_or_else(|| self.room(set, now));
            set[at] = [key.0, after];
        }
        taken
    }

    /// What the caller has left.
    pub(crate) fn look(&self, key: Key, quota: &Quota, now: u64) -> Taken {
        let mut shard = self.shard(key);
        let known = self.set(key, &mut shard).iter().find(|slot| slot[0] == key.0);
        quota.look(known.map_or(0, |slot| slot[1]), now)
    }

    /// A request that was counted and then not let through for another reason; what the caller has left without it.
    pub(crate) fn give_back(&self, key: Key, quota: &Quota, now: u64) -> Taken {
        let mut shard = self.shard(key);
        let known = self.set(key, &mut shard).iter_mut().find(|slot| slot[0] == key.0);
        let arrival = known.map_or(0, |slot| {
            slot[1] = quota.give_back(slot[1]);
            slot[1]
        });
        quota.look(arrival, now)
    }

    /// Callers that were forgotten before their time, since the start.
    pub(crate) fn crowded_out(&self) -> u64 {
        self.crowded_out.load(Relaxed)
    }

    fn shard(&self, key: Key) -> MutexGuard<'_, Box<[Slot]>> {
        self.shards[(key.0 >> 58) as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set<'s>(&self, key: Key, shard: &'s mut [Slot]) -> &'s mut [Slot] {
        let at = key.0 as usize & (self.sets_in_shard - 1);
        &mut shard[at * WAYS..(at + 1) * WAYS]
    }

    /// A free slot; of a full set the one whose caller has used least, to whom it matters least.
    fn room(&self, set: &[Slot], now: u64) -> usize {
        let least = set.iter().enumerate().min_by_key(|(_, slot)| slot[1]);
        if least.is_some_and(|(_, slot)| slot[1] > now) {
            self.crowded_out.fetch_add(1, Relaxed);
        }
        least.map_or(0, |(at, _)| at)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;

    use super::*;

    fn quota(requests: u32) -> Quota {
        Quota::new(requests, 60).unwrap()
    }

    fn address(n: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from_bits(n))
    }

    #[test]
    fn callers_do_not_share() {
        let table = Table::new(100);
        let (one, two) = (table.key("one"), table.key("two"));
        for _ in 0..3 {
            assert!(table.take(one, &quota(3), 1).allowed);
        }
        assert!(!table.take(one, &quota(3), 1).allowed);
        assert_eq!(table.take(two, &quota(3), 1).remaining, 2);
        assert_eq!(table.give_back(one, &quota(3), 1).remaining, 1);
        assert_eq!(table.look(one, &quota(3), 1).remaining, 1);
        assert!(table.take(one, &quota(3), 1).allowed);
        assert!(!table.look(one, &quota(3), 1).allowed);
    }

    #[test]
    fn many_threads_together_get_the_quota_and_not_one_more() {
        let table = Arc::new(Table::new(100));
        let key = table.key("busy");
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let table = Arc::clone(&table);
                std::thread::spawn(move || {
                    (0..1_000).filter(|_| table.take(key, &quota(1_234), 1).allowed).count()
                })
            })
            .collect();
        let allowed: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert_eq!(allowed, 1_234);
    }

    /// B-04: a flood of addresses takes no memory, and an address that is known keeps its count among ten thousand others.
    #[test]
    fn b04_ten_thousand_addresses_do_not_grow_it_and_none_is_forgotten() {
        let table = Table::new(65_536);
        let slots: usize = table.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
        assert_eq!(slots * size_of::<Slot>(), 2 << 20, "bytes, for good");
        for n in 0..10_000 {
            assert_eq!(table.take(table.key(address(n)), &quota(2), 1).remaining, 1);
        }
        for n in 0..10_000 {
            assert_eq!(table.take(table.key(address(n)), &quota(2), 1).remaining, 0);
            assert!(!table.take(table.key(address(n)), &quota(2), 1).allowed, "{n}");
        }
        assert_eq!(table.crowded_out(), 0);
        assert_eq!(slots, table.shards.iter().map(|shard| shard.lock().unwrap().len()).sum::<usize>());
    }

    #[test]
    fn more_callers_than_there_is_room_for_push_out_who_used_least() {
        let table = Table::new(1);
        let slots: usize = table.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
        assert_eq!(slots, SHARDS * WAYS);
        let busy = table.key("busy");
        for _ in 0..50 {
            assert!(table.take(busy, &quota(50), 1).allowed);
        }
        for n in 0..100_000 {
            table.take(table.key(address(n)), &quota(50), 1);
        }
        assert!(
            !table.take(busy, &quota(50), 1).allowed,
            "who used its quota up is not forgotten for others"
        );
        assert!(table.crowded_out() > 90_000);
        // What has run out is free, and nobody is crowded out.
        let (before, later) = (table.crowded_out(), 1_000_000_000_000);
        for n in 0..8 {
            assert_eq!(table.take(table.key(address(n)), &quota(50), later).remaining, 49);
        }
        assert_eq!(table.crowded_out(), before);
    }
}
