//! `ip link` and `bridge link`.
//!
//! Models: iproute2 ip/iplink.c iplink_parse, ip/iplink_bridge.c, ip/link_veth.c, bridge/link.c brlink_modify.

use super::ip_tunnel::IpTunnelSet;
use super::vxlan::VxlanSet;
use crate::linux::device::{IpvlanConfig, MacvlanConfig, MacvlanMode, TunMode, VlanConfig};
use crate::packet::{Mac, VlanProtocol};
use std::sync::Arc;

/// What `ip link add … type` makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// `type bridge [ageing_time N] [vlan_filtering 0|1]`; the ageing time in hundredths of a second.
    Bridge(BridgeSet),
    /// `type veth peer name NAME [mtu N] [address MAC] [netns NS]`.
    Veth {
        /// Name of the other end.
        peer: Arc<str>,
        /// MTU of the other end.
        peer_mtu: Option<u32>,
        /// Hardware address of the other end.
        peer_mac: Option<Mac>,
        /// Namespace that the other end is made in.
        peer_netns: Option<Arc<str>>,
    },
    /// `type dummy`.
    Dummy,
    /// `link LOWER … type vlan id N [protocol P] [reorder_hdr on|off] …`.
    Vlan {
        /// The device below.
        link: Arc<str>,
        /// Its settings.
        config: VlanConfig,
    },
    /// `link LOWER … type macvlan mode MODE …`.
    Macvlan {
        /// The device below.
        link: Arc<str>,
        /// Its settings.
        config: MacvlanConfig,
    },
    /// `link LOWER … type ipvlan mode MODE [FLAG]`.
    Ipvlan {
        /// The device below.
        link: Arc<str>,
        /// Its settings.
        config: IpvlanConfig,
    },
    /// `type vxlan id N …`.
    Vxlan(Box<VxlanSet>),
    /// `type ipip`, `type gre`, `type gretap`; `ip tunnel add`.
    IpTunnel(Box<IpTunnelSet>),
    /// `ip tuntap add dev NAME mode tun|tap`.
    Tun(TunMode),
}

/// Settings of a bridge that are given.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct BridgeSet {
    /// `ageing_time`, hundredths of a second.
    pub ageing_time: Option<u32>,
    /// `vlan_filtering`.
    pub vlan_filtering: Option<bool>,
    /// `vlan_protocol`.
    pub vlan_protocol: Option<VlanProtocol>,
    /// `vlan_default_pvid`.
    pub vlan_default_pvid: Option<u16>,
    /// `group_fwd_mask`.
    pub group_fwd_mask: Option<u16>,
    /// `mcast_snooping`: kept, and without effect here.
    pub mcast_snooping: Option<bool>,
    /// `stp_state`: kept; only 0 is modelled.
    pub stp_state: Option<bool>,
}

/// A device to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLink {
    /// Name.
    pub name: Arc<str>,
    /// `address`.
    pub mac: Option<Mac>,
    /// `mtu`, bytes.
    pub mtu: Option<u32>,
    /// What kind.
    pub kind: LinkKind,
}

/// Changes of a device, all those that are given, in the order of the fields.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct LinkSet {
    /// `netns NAME`: moves it; the name of a namespace of the host.
    pub netns: Option<Arc<str>>,
    /// `name NEW`.
    pub name: Option<Arc<str>>,
    /// `mtu N`, bytes.
    pub mtu: Option<u32>,
    /// `address MAC`.
    pub mac: Option<Mac>,
    /// `master BRIDGE` or `nomaster` (an inner `None`).
    pub master: Option<Option<Arc<str>>>,
    /// `promisc on|off`.
    pub promisc: Option<bool>,
    /// `allmulticast on|off`.
    pub allmulticast: Option<bool>,
    /// `multicast on|off`.
    pub multicast: Option<bool>,
    /// `arp on|off`.
    pub arp: Option<bool>,
    /// `up` or `down`.
    pub up: Option<bool>,
    /// `type macvlan mode MODE`.
    pub macvlan_mode: Option<MacvlanMode>,
    /// `type bridge …`.
    pub bridge: BridgeSet,
    /// `type vxlan …`.
    pub vxlan: Option<Box<VxlanSet>>,
    /// `type ipip|gre|gretap …`.
    pub tunnel: Option<Box<IpTunnelSet>>,
    /// `type bridge_slave hairpin on|off`, `bridge link set hairpin on|off`.
    pub hairpin: Option<bool>,
    /// `isolated on|off`.
    pub isolated: Option<bool>,
    /// `learning on|off`.
    pub learning: Option<bool>,
    /// `flood on|off`.
    pub flood: Option<bool>,
    /// `mcast_flood on|off`.
    pub mcast_flood: Option<bool>,
    /// `bcast_flood on|off`.
    pub bcast_flood: Option<bool>,
}

/// `bridge vlan add|del vid A[-B] dev DEV [pvid] [untagged] [self]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeVlanOp {
    /// Added, or deleted.
    pub add: bool,
    /// The port; the bridge with `self`.
    pub dev: Arc<str>,
    /// The first VLAN.
    pub first: u16,
    /// The last VLAN.
    pub last: u16,
    /// `pvid`.
    pub pvid: bool,
    /// `untagged`.
    pub untagged: bool,
    /// `self`: the bridge's own device.
    pub own: bool,
}

/// A change of devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkOp {
    /// `ip link add`.
    Add(NewLink),
    /// `ip link set DEV …`.
    Set {
        /// The device.
        dev: Arc<str>,
        /// What changes.
        set: LinkSet,
    },
    /// `bridge vlan add|del`.
    BridgeVlan(BridgeVlanOp),
    /// `ip link del DEV`.
    Del {
        /// The device.
        dev: Arc<str>,
    },
}
