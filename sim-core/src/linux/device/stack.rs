//! Devices that stand on others: who is above, and what was last seen below.
//!
//! Models: include/linux/netdevice.h struct netdev_adjacent; net/8021q/vlan.h struct vlan_info; include/linux/if_macvlan.h.
//!
//! A device and the one that it stands on may be in different namespaces. So the lower one keeps what the receive path has to
//! know of the upper ones, and an upper one keeps what it last saw of the lower one; the engine keeps both up to date.

use super::ipvlan::IpvlanConfig;
use super::macvlan::MacvlanConfig;
use crate::linux::id::{IfIndex, NetnsId};
use crate::packet::{Ipv4Addr, Ipv6Addr, Mac, VlanTag};

/// What an upper device takes of the frames that come in by the lower one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpperKind {
    /// Those with this tag.
    Vlan {
        /// The tag, priority 0.
        tag: VlanTag,
        /// Whether the tag is hidden from captures on the upper device.
        reorder_hdr: bool,
    },
    /// Those for its hardware address.
    Macvlan(MacvlanConfig),
    /// Those for its IP addresses.
    Ipvlan {
        /// Its settings.
        config: IpvlanConfig,
        /// Its IPv4 addresses.
        addrs: Vec<Ipv4Addr>,
        /// Its IPv6 addresses.
        addrs6: Vec<Ipv6Addr>,
    },
}

/// A device that stands on this one, as the receive path sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upper {
    /// Its namespace.
    pub netns: NetnsId,
    /// Its index there.
    pub index: IfIndex,
    /// Its hardware address.
    pub mac: Mac,
    /// Whether it is switched on.
    pub up: bool,
    /// Its MTU.
    pub mtu: u32,
    /// What it takes.
    pub kind: UpperKind,
}

impl Upper {
    /// Whether the lower device belongs to it and its like (an rx_handler), rather than to a VLAN beside others.
    #[inline]
    pub fn handles_frames(&self) -> bool {
        !matches!(self.kind, UpperKind::Vlan { .. })
    }
}

/// What an upper device last saw of the one it stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct LowerSeen {
    /// Whether it was switched on.
    pub up: bool,
    /// Its carrier.
    pub carrier: bool,
    /// Its hardware address.
    pub mac: Mac,
    /// Its MTU.
    pub mtu: u32,
}

/// A device's place among those that stand on each other.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Stack {
    /// What was last seen of the device below, if it stands on one.
    pub seen: LowerSeen,
    /// Devices that stand on it; of those of one kind, the one added last first.
    pub uppers: Vec<Upper>,
}

/// Switches of a device that `ip link set` turns by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct IfFlags {
    /// IFF_PROMISC as set by a command.
    pub promisc: bool,
    /// IFF_ALLMULTI as set by a command.
    pub allmulti: bool,
    /// IFF_NOARP: neighbours are not resolved.
    pub noarp: bool,
    /// Whether IFF_MULTICAST is off.
    pub no_multicast: bool,
}
