//! How flows leave the table.
//!
//! Models: net/netfilter/nf_conntrack_core.c nf_ct_delete, nf_conntrack_free, early_drop, gc_worker.
//! Simplifies: expired entries go when they are met or when a new flow passes by, not on a timer of their own; early drop
//! looks at as many entries as eight buckets of 262,144 would hold on average, picked by the new flow's tuple; a table
//! that is nearly full is not thinned out in the background.

use super::key::Key;
use super::table::Conntrack;
use super::{CtId, CtStatus, Entry};
use crate::linux::time::Time;
use crate::packet::{Address, Tuple};
use std::hash::{Hash, Hasher};
use std::time::Duration;

/// How long an entry that is gone can still be read.
const LIMBO: Duration = Duration::from_secs(10);
/// After this time a packet whose flow was never confirmed is taken to have been consumed without a word.
const ABANDONED: Duration = Duration::from_secs(60);
/// How often a full table is searched for expired entries.
pub(super) const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// Buckets of the kernel's table (nf_conntrack_buckets).
const BUCKETS: u64 = 262_144;

impl<A: Address> Conntrack<A> {
    /// Takes a flow out of the table (nf_ct_delete). Packets that name it can still read it for a while.
    pub fn kill(&mut self, id: CtId, now: Time) {
        let Some(e) = self.get_mut(id) else { return };
        if e.limbo.is_some() {
            return;
        }
        e.status.set(CtStatus::DYING);
        e.limbo = Some(now);
        let tuples = e.tuples;
        let confirmed = e.is_confirmed();
        let source_done = e.status.has(CtStatus::SRC_NAT_DONE);
        let place = Self::slot_of(id).0 as u32;
        if confirmed {
            for t in tuples {
                if self.index.get(&Key(t)).is_some_and(|v| v >> 1 == place) {
                    self.index.remove(&Key(t));
                }
            }
        }
        if source_done {
            self.unlink_source(id);
        }
        self.limbo.push_back((now, id));
        self.count -= 1;
    }

    /// Forgets an entry that was made for a packet and never confirmed.
    pub fn release_unconfirmed(&mut self, id: CtId) {
        let clock = self.clock;
        let Some(e) = self.get_mut(id) else { return };
        if e.is_confirmed() || e.limbo.is_some() {
            return;
        }
        e.limbo = Some(clock);
        let source_done = e.status.has(CtStatus::SRC_NAT_DONE);
        if source_done {
            self.unlink_source(id);
        }
        self.limbo.push_back((clock, id));
        self.count -= 1;
    }

    /// Frees what has been in limbo long enough, and looks at two places for expired entries.
    pub(super) fn collect(&mut self, now: Time) {
        self.clock = self.clock.max(now);
        while let Some(&(since, id)) = self.limbo.front() {
            if since + LIMBO > self.clock {
                break;
            }
            self.limbo.pop_front();
            if self.get(id).is_some_and(|e| e.limbo == Some(since)) {
                let (at, _) = Self::slot_of(id);
                if let Some(slot) = self.slots.get_mut(at) {
                    slot.entry = None;
                    // A place whose numbers are used up is not used again.
                    if let Some(next) = slot.generation.checked_add(1) {
                        slot.generation = next;
                        self.free.push_back(at as u32);
                    }
                }
            }
        }
        for _ in 0..2 {
            self.cursor = if (self.cursor as usize) < self.slots.len() { self.cursor } else { 0 };
            if let Some(e) = self.at(self.cursor).filter(|e| e.limbo.is_none()) {
                let (id, confirmed) = (e.id, e.is_confirmed());
                if confirmed && e.expires <= now {
                    self.kill(id, now);
                } else if !confirmed && e.created + ABANDONED <= now {
                    self.release_unconfirmed(id);
                }
            }
            self.cursor += 1;
        }
    }

    /// Removes all expired entries.
    pub fn sweep(&mut self, now: Time) {
        self.kill_where(now, |e| e.is_expired(now));
    }

    /// Removes the confirmed entries that `gone` names; returns their numbers.
    pub fn kill_where(&mut self, now: Time, mut gone: impl FnMut(&Entry<A>) -> bool) -> Vec<CtId> {
        let ids: Vec<CtId> = self.live().filter(|e| gone(e)).map(|e| e.id).collect();
        for id in &ids {
            self.kill(*id, now);
        }
        ids
    }

    /// Makes room for a new flow by removing one that is not ASSURED. True if one was found.
    pub(super) fn early_drop(&mut self, tuple: &Tuple<A>, now: Time) -> bool {
        let mut hasher = rustc_hash::FxHasher::default();
        Key(*tuple).hash(&mut hasher);
        let n = self.slots.len() as u64;
        let looks = (16 * u64::from(self.count) / BUCKETS).min(n);
        let start = hasher.finish();
        for i in 0..looks {
            let place = (start.wrapping_add(i) % n) as u32;
            let victim = self.at(place).filter(|e| e.is_confirmed() && e.limbo.is_none() && !e.status.has(CtStatus::ASSURED));
            if let Some(id) = victim.map(|e| e.id) {
                self.kill(id, now);
                return true;
            }
        }
        false
    }
}
