//! The forwarding database of a bridge: which hardware address is behind which port.
//!
//! Models: net/bridge/br_fdb.c.
//! Seen in: 01-same-node-bridge.

use super::hot::HotMap;
use super::id::{IfIndex, Source};
use super::time::Time;
use crate::packet::Mac;

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FdbEntry {
    /// The port behind which it is; the bridge itself for its own address.
    pub port: IfIndex,
    /// The VLAN, on a bridge that filters; 0 otherwise.
    pub vlan: u16,
    /// When the address was last seen; counts for learned entries only.
    pub updated: Time,
    /// BR_FDB_LOCAL: frames to it go up to this host.
    pub local: bool,
    /// BR_FDB_STATIC: does not age.
    pub fixed: bool,
    /// Its turn among all that were made; listings begin with the newest.
    pub born: u32,
    /// What made it.
    pub source: Source,
}

/// The entries of one bridge.
#[derive(Clone, Debug, Default)]
pub struct Fdb(HotMap<(Mac, u16), FdbEntry>, u32);

impl Fdb {
    /// The entry of `mac` outside of VLANs, aged or not.
    #[inline]
    pub fn get(&self, mac: Mac) -> Option<&FdbEntry> {
        self.0.get(&(mac, 0))
    }

    /// The entry of `mac` in a VLAN, aged or not.
    #[inline]
    pub fn get_in(&self, mac: Mac, vlan: u16) -> Option<&FdbEntry> {
        self.0.get(&(mac, vlan))
    }

    /// The entry of `mac` in a VLAN, to be changed.
    #[inline]
    pub fn get_mut(&mut self, mac: Mac, vlan: u16) -> Option<&mut FdbEntry> {
        self.0.get_mut(&(mac, vlan))
    }

    /// Sets the entry of `mac` in its VLAN.
    pub fn insert(&mut self, mac: Mac, mut entry: FdbEntry) -> Option<FdbEntry> {
        entry.born = match self.get_in(mac, entry.vlan) {
            Some(old) => old.born,
            None => {
                self.1 += 1;
                self.1
            }
        };
        self.0.insert((mac, entry.vlan), entry)
    }

    /// Removes the entry of `mac` in a VLAN.
    pub fn remove(&mut self, mac: Mac, vlan: u16) -> Option<FdbEntry> {
        self.0.remove(&(mac, vlan))
    }

    /// Removes all entries of `port`.
    pub fn flush_port(&mut self, port: IfIndex) {
        self.0.remove_where(|_, e| e.port == port);
    }

    /// Removes what was learned behind `port`.
    pub fn forget_learned(&mut self, port: IfIndex) {
        self.0.remove_where(|_, e| e.port == port && !e.fixed);
    }

    /// Removes what was learned behind `port` in a VLAN.
    pub fn forget_vlan(&mut self, port: IfIndex, vlan: u16) {
        self.0.remove_where(|(_, v), e| *v == vlan && e.port == port && !e.fixed);
    }

    /// All entries, by address and VLAN.
    pub fn sorted(&self) -> Vec<(Mac, FdbEntry)> {
        self.0.sorted().into_iter().map(|((m, _), e)| (*m, *e)).collect()
    }
}
