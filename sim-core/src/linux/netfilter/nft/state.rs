//! What packets write while rules look at them: elements of sets, counters of `numgen inc`, tokens of `limit`.
//!
//! Models: net/netfilter/nft_dynset.c, nft_numgen.c nft_ng_inc_eval, nft_limit.c nft_limit_eval.
//! Simplifies: a set's garbage is not collected before its time is over and it is written again.

use super::datatype::Data;
use super::stmt::Limit;
use crate::linux::hot::HotMap;
use crate::linux::id::RowId;
use crate::linux::time::Time;
use std::time::Duration;

/// An element that a packet wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// When it expires; never without.
    pub expires: Option<Time>,
    /// Its own time to live, if it is not the set's.
    pub timeout: Option<Duration>,
    /// What it leads to.
    pub data: Option<Data>,
    /// In the order in which elements came.
    pub order: u32,
}

/// Where an element is: the table's handle, the set's slot, the key.
pub type Key = (u32, u32, Data);

/// Tokens of a `limit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bucket {
    tokens: u64,
    last: Time,
}

/// What packets wrote in a namespace.
#[derive(Clone, Debug, Default)]
pub struct NftState {
    elems: HotMap<Key, Written>,
    sizes: HotMap<(u32, u32), u32>,
    counters: HotMap<(RowId, u32), u32>,
    buckets: HotMap<(RowId, u32), Bucket>,
    last: u32,
}

impl NftState {
    /// The living element with that key.
    #[inline]
    pub fn find(&self, table: u32, set: u32, key: &[u8], now: Time) -> Option<&Written> {
        if self.elems.is_empty() {
            return None;
        }
        self.elems.get(&(table, set, Data::from_slice(key))).filter(|w| w.expires.is_none_or(|t| t > now))
    }

    /// Writes an element; false when the set is full.
    pub fn write(&mut self, key: Key, expires: Option<Time>, timeout: Option<Duration>, data: Option<Data>, room: u32, now: Time) -> bool {
        let place = (key.0, key.1);
        let order = match self.elems.get(&key) {
            Some(old) if old.expires.is_none_or(|t| t > now) => old.order,
            Some(_) => {
                self.last += 1;
                self.last
            }
            None => {
                let mut used = self.sizes.get(&place).copied().unwrap_or(0);
                if used >= room {
                    // what is over makes room
                    self.elems.remove_where(|k, w| (k.0, k.1) == place && w.expires.is_some_and(|t| t <= now));
                    used = self.elems.sorted().iter().filter(|(k, _)| (k.0, k.1) == place).count() as u32;
                    self.sizes.insert(place, used);
                    if used >= room {
                        return false;
                    }
                }
                self.sizes.insert(place, used + 1);
                self.last += 1;
                self.last
            }
        };
        self.elems.insert(key, Written { expires, timeout, data, order });
        true
    }

    /// Takes an element away.
    pub fn remove(&mut self, key: &Key) -> bool {
        let gone = self.elems.remove(key).is_some();
        if gone && let Some(n) = self.sizes.get_mut(&(key.0, key.1)) {
            *n = n.saturating_sub(1);
        }
        gone
    }

    /// Forgets all that was written to a set.
    pub fn forget(&mut self, table: u32, set: u32) {
        self.elems.remove_where(|k, _| (k.0, k.1) == (table, set));
        self.sizes.remove(&(table, set));
    }

    /// The living elements of a set, in the order in which they came.
    pub fn of(&self, table: u32, set: u32, now: Time) -> Vec<(&Data, &Written)> {
        let mut out: Vec<_> = self
            .elems
            .sorted()
            .into_iter()
            .filter(|(k, w)| (k.0, k.1) == (table, set) && w.expires.is_none_or(|t| t > now))
            .map(|(k, w)| (&k.2, w))
            .collect();
        out.sort_by_key(|(_, w)| w.order);
        out
    }

    /// The next number of `numgen inc`.
    pub fn next_number(&mut self, row: RowId, at: u32, modulus: u32) -> u32 {
        let n = self.counters.get(&(row, at)).map_or(0, |last| if last + 1 < modulus { last + 1 } else { 0 });
        self.counters.insert((row, at), n);
        n
    }

    /// Whether a packet of `len` bytes is within the rate.
    pub fn within(&mut self, row: RowId, at: u32, l: &Limit, len: u32, now: Time) -> bool {
        let nsecs = l.unit.saturating_mul(1_000_000_000);
        let rate = l.rate.max(1);
        let (most, cost) = if l.bytes {
            let most = u128::from(nsecs) * (u128::from(rate) + u128::from(l.burst)) / u128::from(rate);
            (u64::try_from(most).unwrap_or(u64::MAX), (u128::from(nsecs) * u128::from(len) / u128::from(rate)) as u64)
        } else {
            ((nsecs / rate).saturating_mul(u64::from(l.burst.max(1))), nsecs / rate)
        };
        let b = self.buckets.get(&(row, at)).copied().unwrap_or(Bucket { tokens: most, last: now });
        let gained = u64::try_from(now.since(b.last).as_nanos()).unwrap_or(u64::MAX);
        let tokens = b.tokens.saturating_add(gained).min(most);
        let within = tokens >= cost;
        self.buckets.insert((row, at), Bucket { tokens: if within { tokens - cost } else { tokens }, last: now });
        within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::ZERO + Duration::from_millis(ms)
    }

    #[test]
    fn numbers_go_round() {
        let mut s = NftState::default();
        assert_eq!([0, 1, 2, 0, 1], [(); 5].map(|()| s.next_number(RowId(1), 0, 3)));
        assert_eq!(s.next_number(RowId(1), 1, 3), 0);
    }

    #[test]
    fn a_limit_lets_its_burst_through() {
        let mut s = NftState::default();
        let l = Limit { rate: 10, unit: 1, burst: 5, over: false, bytes: false };
        let passed = (0..8).filter(|_| s.within(RowId(1), 0, &l, 100, at(0))).count();
        assert_eq!(passed, 5);
        assert!(s.within(RowId(1), 0, &l, 100, at(100)));
        assert!(!s.within(RowId(1), 0, &l, 100, at(150)));
    }

    #[test]
    fn elements_end_and_sets_are_full() {
        let mut s = NftState::default();
        let key = |n: u8| (1, 0, Data::from_slice(&[n]));
        assert!(s.write(key(1), Some(at(1000)), None, None, 2, at(0)));
        assert!(s.write(key(2), None, None, None, 2, at(0)));
        assert!(!s.write(key(3), None, None, None, 2, at(0)));
        assert!(s.find(1, 0, &[1], at(999)).is_some());
        assert!(s.find(1, 0, &[1], at(1000)).is_none());
        assert!(s.write(key(3), None, None, None, 2, at(1000)), "what is over makes room");
        assert_eq!(s.of(1, 0, at(1000)).len(), 2);
        assert!(s.remove(&key(2)) && !s.remove(&key(2)));
        s.forget(1, 0);
        assert!(s.of(1, 0, at(0)).is_empty());
    }
}
