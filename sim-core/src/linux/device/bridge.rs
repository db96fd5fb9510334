//! What is configured of a bridge and its ports.
//!
//! Models: net/bridge/br_private.h struct net_bridge, struct net_bridge_port.

use crate::linux::id::IfIndex;
use std::time::Duration;

/// Settings of a bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeConfig {
    /// How long a learned address lives without being seen.
    pub ageing_time: Duration,
    /// `vlan_filtering`.
    pub vlan_filtering: bool,
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
            mcast_snooping: true,
            mtu_set: false,
            ports: Vec::new(),
        }
    }
}

/// Flags of a bridge port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}

impl Default for BridgePort {
    fn default() -> Self {
        BridgePort { learning: true, flood: true, mcast_flood: true, bcast_flood: true, hairpin: false, isolated: false }
    }
}
