//! What packets wrote: one typed delta per write to a table that is not versioned.

use crate::linux::conntrack::CtId;
use crate::linux::neighbour::NudState;
use crate::linux::{IfIndex, NetnsId};
use crate::packet::{IpAddr, Ipv4Addr, Mac};

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub enum StateDelta {
    /// A neighbour entry as it is now; state NONE if it is gone.
    Neighbour {
        /// The link.
        dev: IfIndex,
        /// The address.
        addr: IpAddr,
        /// Hardware address.
        mac: Mac,
        /// State.
        state: NudState,
    },
    /// An entry of a bridge's forwarding database as it is now; port NONE if it is gone.
    Fdb {
        /// The bridge.
        bridge: IfIndex,
        /// The address.
        mac: Mac,
        /// The port.
        port: IfIndex,
    },
    /// An entry of a tunnel device's forwarding database as it is now; no endpoint if it is gone.
    Remote {
        /// The device.
        dev: IfIndex,
        /// The address.
        mac: Mac,
        /// The endpoint.
        remote: Option<Ipv4Addr>,
    },
    /// An address in a list of `recent` as it is now.
    Recent {
        /// The list.
        list: std::sync::Arc<str>,
        /// The address.
        addr: std::net::IpAddr,
        /// As it is now; none if it is gone.
        entry: Option<Box<crate::linux::netfilter::state::recent::RecentEntry>>,
    },
    /// An IPVS connection as it is now; none if it is over.
    Ipvs {
        /// The connection.
        id: crate::linux::ipvs::ConnId,
        /// As it is now.
        conn: Option<Box<crate::linux::ipvs::Conn>>,
    },
    /// A conntrack entry as `conntrack -L` would print it now (without the timeout); empty if it is gone.
    Conntrack {
        /// The entry.
        id: CtId,
        /// As it is now.
        entry: Option<Box<crate::linux::conntrack::CtSnapshot>>,
    },
    /// An element that a packet wrote to a set of nftables.
    NftElement {
        /// The table, by its handle.
        table: u32,
        /// The set, by its slot in the table.
        set: u32,
        /// The element.
        key: Box<crate::linux::netfilter::nft::Data>,
        /// When it expires, if it does; none if it is gone.
        expires: Option<Option<crate::linux::Time>>,
    },
}

/// A write, where it happened and before which step.
#[derive(Clone, Debug, PartialEq)]
pub struct DeltaRecord {
    /// How many steps had been recorded.
    pub step: u32,
    /// The namespace.
    pub netns: NetnsId,
    /// The write.
    pub delta: StateDelta,
}
