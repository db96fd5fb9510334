//! The buckets of `hashlimit`.
//!
//! Models: net/netfilter/xt_hashlimit.c dsthash_find, rateinfo_recalc, htable_gc.
//! Simplifies: time is exact and not in jiffies; a bucket whose time is over is forgotten at once and not at the next sweep;
//! the table has no largest size.

use super::limit::Bucket;
use crate::linux::Time;
use crate::linux::hot::HotMap;
use std::time::Duration;

/// What a bucket is for: source, destination, source port, destination port, each 0 if it does not matter.
pub type HashKey = (u128, u128, u16, u16);

/// The buckets of one name.
#[derive(Clone, Debug, Default)]
pub struct HashTable {
    buckets: HotMap<HashKey, (Bucket, Time)>,
}

impl HashTable {
    /// Takes what one packet costs from the bucket of `key`, which lives for `expire` from now on.
    pub fn take(&mut self, key: HashKey, cost: u64, max: u64, expire: Duration, now: Time) -> bool {
        let fresh = (Bucket::full(max, now), now);
        let mut found = match self.buckets.get(&key) {
            Some((b, until)) if now < *until => (*b, *until),
            _ => fresh,
        };
        let passed = found.0.take(cost, max, now);
        found.1 = now + expire;
        self.buckets.insert(key, found);
        passed
    }

    /// How many buckets there are that live.
    pub fn len(&self, now: Time) -> usize {
        self.buckets.sorted().iter().filter(|(_, (_, until))| now < *until).count()
    }

    /// Whether there are none.
    pub fn is_empty(&self, now: Time) -> bool {
        self.len(now) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_for_each_key() {
        let mut t = HashTable::default();
        let second = Duration::from_secs(1);
        let mut take = |src: u128, at: u64| t.take((src, 0, 0, 0), 1_000_000_000, 1_000_000_000, second * 10, Time(at));
        assert!(take(1, 0) && take(2, 0) && !take(1, 1));
        assert!(take(1, 1_000_000_001));
        assert!(!take(1, 1_000_000_002));
        // after its life the bucket is full again
        assert!(take(2, 20_000_000_000));
        assert_eq!(t.len(Time(20_000_000_000)), 1);
    }
}
