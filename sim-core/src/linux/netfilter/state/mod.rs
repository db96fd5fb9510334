//! What packets write in iptables: counters, and the memories of matches.
//!
//! Models: include/linux/netfilter/x_tables.h struct xt_counters; the private data of matches.
//!
//! Not part of a configuration and not versioned: it changes with packets. A rule that goes takes its memories with it.

pub mod hashlimit;
pub mod limit;
pub mod recent;

use super::apply::Touched;
use super::eval::MatchAt;
use super::hook::Hook;
use super::xtables::TableKind;
use crate::linux::RowId;
use crate::linux::hot::HotMap;
use crate::linux::ipset::Key;
use crate::packet::Family;
use hashlimit::HashTable;
use limit::Bucket;
use recent::RecentList;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How much passed a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counter {
    /// Packets.
    pub packets: u64,
    /// Bytes, from the network header on.
    pub bytes: u64,
}

/// A built-in chain: whose, of which table, at which hook.
pub type PolicyAt = (Family, TableKind, Hook);

/// What packets have written.
#[derive(Clone, Debug, Default)]
pub struct XtState {
    /// Counters of rules; none is zero.
    pub counters: HotMap<RowId, Counter>,
    /// Counters of policies: those that were given one with `iptables-restore --counters`.
    pub policies: BTreeMap<PolicyAt, Counter>,
    /// Counts of `statistic --mode nth`.
    pub nth: HotMap<MatchAt, u32>,
    /// Tokens of `limit`.
    pub limits: HotMap<MatchAt, Bucket>,
    /// Bytes that `quota` has left.
    pub quotas: HotMap<MatchAt, u64>,
    /// The lists of `recent`, by name.
    pub recent: BTreeMap<Arc<str>, RecentList>,
    /// What elements of sets with counters have counted, by set and element.
    pub sets: HotMap<(Arc<str>, Key), Counter>,
    /// The tables of `hashlimit`, by family and name.
    pub hashlimits: BTreeMap<(Family, Arc<str>), HashTable>,
}

impl XtState {
    /// Counts a packet of `bytes` bytes for a rule.
    #[inline]
    pub fn count(&mut self, row: RowId, bytes: u32) {
        match self.counters.get_mut(&row) {
            Some(c) => {
                c.packets += 1;
                c.bytes += u64::from(bytes);
            }
            None => {
                self.counters.insert(row, Counter { packets: 1, bytes: bytes.into() });
            }
        }
    }

    /// The counter of a rule.
    pub fn counter(&self, row: RowId) -> Counter {
        self.counters.get(&row).copied().unwrap_or_default()
    }

    /// Counts a packet for the policy of a built-in chain, if that counts.
    #[inline]
    pub fn count_policy(&mut self, at: PolicyAt, bytes: u32) {
        if self.policies.is_empty() {
            return;
        }
        if let Some(c) = self.policies.get_mut(&at) {
            c.packets += 1;
            c.bytes += u64::from(bytes);
        }
    }

    /// The counter of a policy.
    pub fn policy(&self, at: PolicyAt) -> Counter {
        self.policies.get(&at).copied().unwrap_or_default()
    }

    /// Does to the counters what a change of the tables does to them.
    pub fn follow(&mut self, family: Family, touched: &Touched) {
        self.forget(&touched.gone);
        for t in &touched.flushed {
            self.policies.retain(|(f, table, _), _| (*f, *table) != (family, *t));
        }
        for (row, counter) in &touched.rules {
            if *counter == Counter::default() {
                self.counters.remove(row);
            } else {
                self.counters.insert(*row, *counter);
            }
        }
        for ((table, hook), counter) in &touched.policies {
            match counter {
                Some(c) => {
                    self.policies.insert((family, *table, *hook), *c);
                }
                None => {
                    if let Some(c) = self.policies.get_mut(&(family, *table, *hook)) {
                        *c = Counter::default();
                    }
                }
            }
        }
        if let Some(lists) = &touched.recent {
            self.recent.retain(|name, _| lists.contains(name) || family == Family::Inet6);
        }
    }

    /// Forgets what belongs to rules that are gone.
    pub fn forget(&mut self, rows: &BTreeSet<RowId>) {
        if rows.is_empty() {
            return;
        }
        self.counters.remove_where(|r, _| rows.contains(r));
        self.nth.remove_where(|(r, _), _| rows.contains(r));
        self.limits.remove_where(|(r, _), _| rows.contains(r));
        self.quotas.remove_where(|(r, _), _| rows.contains(r));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_go_with_their_rules() {
        let mut s = XtState::default();
        s.count(RowId(1), 60);
        s.count(RowId(1), 40);
        s.count(RowId(2), 10);
        assert_eq!(s.counter(RowId(1)), Counter { packets: 2, bytes: 100 });
        s.forget(&[RowId(1)].into_iter().collect());
        assert_eq!((s.counter(RowId(1)), s.counter(RowId(2)).packets), (Counter::default(), 1));
    }
}
