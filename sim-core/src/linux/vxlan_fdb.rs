//! The forwarding database of a VXLAN device: behind which tunnel endpoints a hardware address is.
//!
//! Models: drivers/net/vxlan/vxlan_core.c vxlan_fdb_update, vxlan_fdb_append, vxlan_fdb_replace, __vxlan_fdb_delete, vxlan_cleanup.
//! Simplifies: no groups of next hops; an entry that is due goes when it is looked at, not when the timer comes round.

use super::hot::HotMap;
use super::id::{IfIndex, Source};
use super::time::Time;
use crate::packet::{Ipv4Addr, Mac};
use smallvec::SmallVec;
use std::time::Duration;

/// A tunnel endpoint (struct vxlan_rdst).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Its address.
    pub addr: Ipv4Addr,
    /// UDP port; 0 for the device's.
    pub port: u16,
    /// VNI sent to it.
    pub vni: u32,
    /// Device that packets to it must leave by; none if the route decides.
    pub via: IfIndex,
}

/// How long an entry lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryState {
    /// NUD_PERMANENT: put in by hand.
    Permanent,
    /// NUD_NOARP and NUD_REACHABLE: put in by hand with `static`.
    Static,
    /// NUD_REACHABLE: learned, or put in with `dynamic`; ages.
    Dynamic,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VxlanEntry {
    /// The endpoints; a frame goes to each of them. Never empty.
    pub remotes: SmallVec<[Remote; 1]>,
    /// How long it lives.
    pub state: EntryState,
    /// When it was last used or seen.
    pub used: Time,
    /// What made it.
    pub source: Source,
}

/// The entries of one device. That of the address of all zeros says where frames go that no other entry tells of.
#[derive(Clone, Debug, Default)]
pub struct VxlanFdb(HotMap<Mac, VxlanEntry>);

impl VxlanFdb {
    /// The entry of `mac`, aged or not.
    #[inline]
    pub fn get(&self, mac: Mac) -> Option<&VxlanEntry> {
        self.0.get(&mac)
    }

    /// The entry of `mac`, to be changed.
    #[inline]
    pub fn get_mut(&mut self, mac: Mac) -> Option<&mut VxlanEntry> {
        self.0.get_mut(&mac)
    }

    /// Sets the entry of `mac`.
    pub fn insert(&mut self, mac: Mac, entry: VxlanEntry) {
        self.0.insert(mac, entry);
    }

    /// Removes the entry of `mac`.
    pub fn remove(&mut self, mac: Mac) -> Option<VxlanEntry> {
        self.0.remove(&mac)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Removes what was learned: the device went down (vxlan_flush).
    pub fn forget_learned(&mut self) {
        self.0.remove_where(|mac, e| e.state == EntryState::Dynamic && *mac != Mac::ZERO);
    }

    /// All entries, by address.
    pub fn sorted(&self) -> Vec<(Mac, &VxlanEntry)> {
        self.0.sorted().into_iter().map(|(m, e)| (*m, e)).collect()
    }
}

impl VxlanEntry {
    /// Whether it has not been used for longer than `ageing`; zero is for ever.
    #[inline]
    pub fn has_aged(&self, now: Time, ageing: Duration) -> bool {
        self.state == EntryState::Dynamic && !ageing.is_zero() && now.since(self.used) > ageing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smallvec::smallvec;

    #[test]
    fn only_what_was_learned_ages() {
        let remote = Remote { addr: Ipv4Addr::new(10, 0, 0, 2), port: 0, vni: 1, via: IfIndex::NONE };
        let entry = |state| VxlanEntry { remotes: smallvec![remote], state, used: Time::ZERO, source: Source::Kernel };
        let (late, ageing) = (Time::ZERO + Duration::from_secs(301), Duration::from_secs(300));
        for (state, aged) in [(EntryState::Permanent, false), (EntryState::Static, false), (EntryState::Dynamic, true)] {
            assert_eq!(entry(state).has_aged(late, ageing), aged, "{state:?}");
            assert!(!entry(state).has_aged(late, Duration::ZERO));
        }
        let mut fdb = VxlanFdb::default();
        fdb.insert(Mac([2; 6]), entry(EntryState::Dynamic));
        fdb.insert(Mac([4; 6]), entry(EntryState::Static));
        fdb.forget_learned();
        assert_eq!(fdb.len(), 1);
        assert!(fdb.get(Mac([4; 6])).is_some());
    }
}
