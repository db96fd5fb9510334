//! Which VLANs a bridge port, or the bridge itself, belongs to.
//!
//! Models: net/bridge/br_private.h struct net_bridge_vlan_group, struct net_bridge_vlan; net/bridge/br_vlan.c __vlan_add_flags.

use std::collections::BTreeMap;

/// The VLANs of a port.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct BridgeVlans {
    /// `pvid`: the VLAN of frames that come in untagged; 0 for none, they are dropped.
    pub pvid: u16,
    members: BTreeMap<u16, bool>,
}

impl BridgeVlans {
    /// A member of one VLAN, whose frames come and go untagged; of none if `pvid` is 0.
    pub fn with_default(pvid: u16) -> Self {
        let mut v = BridgeVlans::default();
        if pvid != 0 {
            v.add(pvid, true, true);
        }
        v
    }

    /// Makes it a member, or changes how it is one.
    pub fn add(&mut self, vid: u16, pvid: bool, untagged: bool) {
        self.members.insert(vid, untagged);
        if pvid {
            self.pvid = vid;
        } else if self.pvid == vid {
            self.pvid = 0;
        }
    }

    /// Takes it out; false if it was no member.
    pub fn remove(&mut self, vid: u16) -> bool {
        if self.pvid == vid {
            self.pvid = 0;
        }
        self.members.remove(&vid).is_some()
    }

    /// Whether frames of the VLAN may pass.
    #[inline]
    pub fn contains(&self, vid: u16) -> bool {
        self.members.contains_key(&vid)
    }

    /// Whether frames of the VLAN leave untagged.
    #[inline]
    pub fn untagged(&self, vid: u16) -> bool {
        self.members.get(&vid).copied().unwrap_or(false)
    }

    /// Whether `vid` is here as the default VLAN of the bridge would be (vlan_default_pvid).
    pub fn is_default(&self, vid: u16) -> bool {
        self.pvid == vid && self.untagged(vid)
    }

    /// VLANs in order, and whether their frames leave untagged.
    pub fn iter(&self) -> impl Iterator<Item = (u16, bool)> + '_ {
        self.members.iter().map(|(v, u)| (*v, *u))
    }
}
