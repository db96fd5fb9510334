//! The forwarding database of a bridge: which hardware address is behind which port.
//!
//! Models: net/bridge/br_fdb.c.

use super::hot::HotMap;
use super::id::{IfIndex, Source};
use super::time::Time;
use crate::packet::Mac;

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FdbEntry {
    /// The port behind which it is; the bridge itself for its own address.
    pub port: IfIndex,
    /// When the address was last seen; counts for learned entries only.
    pub updated: Time,
    /// BR_FDB_LOCAL: frames to it go up to this host.
    pub local: bool,
    /// BR_FDB_STATIC: does not age.
    pub fixed: bool,
    /// What made it.
    pub source: Source,
}

/// The entries of one bridge.
#[derive(Clone, Debug, Default)]
pub struct Fdb(HotMap<Mac, FdbEntry>);

impl Fdb {
    /// The entry of `mac`, aged or not.
    #[inline]
    pub fn get(&self, mac: Mac) -> Option<&FdbEntry> {
        self.0.get(&mac)
    }

    /// The entry of `mac`, to be changed.
    #[inline]
    pub fn get_mut(&mut self, mac: Mac) -> Option<&mut FdbEntry> {
        self.0.get_mut(&mac)
    }

    /// Sets the entry of `mac`.
    pub fn insert(&mut self, mac: Mac, entry: FdbEntry) -> Option<FdbEntry> {
        self.0.insert(mac, entry)
    }

    /// Removes the entry of `mac`.
    pub fn remove(&mut self, mac: Mac) -> Option<FdbEntry> {
        self.0.remove(&mac)
    }

    /// Removes all entries of `port`.
    pub fn flush_port(&mut self, port: IfIndex) {
        self.0.remove_where(|_, e| e.port == port);
    }

    /// Removes what was learned behind `port`.
    pub fn forget_learned(&mut self, port: IfIndex) {
        self.0.remove_where(|_, e| e.port == port && !e.fixed);
    }

    /// All entries, by address.
    pub fn sorted(&self) -> Vec<(Mac, FdbEntry)> {
        self.0.sorted().into_iter().map(|(m, e)| (*m, *e)).collect()
    }
}
