//! What is configured of a bridge and its ports.
//!
//! Models: net/bridge/br_private.h struct net_bridge, struct net_bridge_port.
//! Seen in: 01-same-node-bridge, 09-hairpin-on.

use super::bridge_vlan::BridgeVlans;
use crate::linux::id::IfIndex;
use crate::linux::time::Time;
use crate::packet::VlanProtocol;
use std::time::Duration;

/// Settings of a bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeConfig {
    /// How long a learned address lives without being seen.
    pub ageing_time: Duration,
    /// `vlan_filtering`.
    pub vlan_filtering: bool,
    /// `vlan_protocol`: the kind of tag that VLANs are told by.
    pub vlan_protocol: VlanProtocol,
    /// `vlan_default_pvid`: the VLAN that new ports belong to, untagged; 0 for none.
    pub default_pvid: u16,
    /// VLANs of the bridge's own device.
    pub vlans: BridgeVlans,
    /// `group_fwd_mask`: which of the addresses 01:80:c2:00:00:0X are forwarded, by X.
    pub group_fwd_mask: u16,
    /// `mcast_snooping`: kept for listings; groups are always flooded.
    pub mcast_snooping: bool,
    /// Whether the MTU was set by a command (it then no longer follows the ports').
    pub mtu_set: bool,
    /// Ports; the one added last stands first, as the kernel's list has it.
    pub ports: Vec<IfIndex>,
}

impl Default for BridgeConfig {
    fn default() -> Self {
        BridgeConfig {
            ageing_time: Duration::from_secs(300),
            vlan_filtering: false,
            vlan_protocol: VlanProtocol::Dot1q,
            default_pvid: 1,
            vlans: BridgeVlans::with_default(1),
            group_fwd_mask: 0,
            mcast_snooping: true,
            mtu_set: false,
            ports: Vec::new(),
        }
    }
}

/// Flags of a bridge port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgePort {
    /// `learning`: source addresses are learned.
    pub learning: bool,
    /// `flood`: unknown unicast is sent here.
    pub flood: bool,
    /// `mcast_flood`.
    pub mcast_flood: bool,
    /// `bcast_flood`.
    pub bcast_flood: bool,
    /// `hairpin`: a frame may leave by the port it came in by.
    pub hairpin: bool,
    /// `isolated`: no frames to or from other isolated ports.
    pub isolated: bool,
    /// Its VLANs; they count while the bridge filters.
    pub vlans: BridgeVlans,
    /// When it began to forward. The bridge learns of a carrier a moment after the device (net/core/link_watch.c), so not
    /// before that instant is over.
    pub since: Time,
}

impl Default for BridgePort {
    fn default() -> Self {
        BridgePort {
            learning: true,
            flood: true,
            mcast_flood: true,
            bcast_flood: true,
            hairpin: false,
            isolated: false,
            vlans: BridgeVlans::default(),
            since: Time::ZERO,
        }
    }
}
