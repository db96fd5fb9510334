//! What is configured of a VXLAN device.
//!
//! Models: include/net/vxlan.h struct vxlan_config; drivers/net/vxlan/vxlan_core.c vxlan_nl2conf, vxlan_config_validate.
//! Spec: RFC 7348.
//! Simplifies: IPv4 underlays alone; no metadata mode (`external`), no header extensions (GBP, GPE, checksum offload).
//! Seen in: 03-vxlan-flannel, 18-df-too-big-vxlan.

use crate::linux::id::IfIndex;
use crate::packet::{Ipv4Addr, Vxlan};
use std::time::Duration;

/// DF of the outer packets (enum ifla_vxlan_df).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OuterDf {
    /// Clear: a router on the way may cut them.
    #[default]
    Unset,
    /// Set.
    Set,
    /// That of the packet inside.
    Inherit,
}

impl OuterDf {
    /// The word that `ip link` knows.
    pub fn name(self) -> &'static str {
        match self {
            OuterDf::Unset => "unset",
            OuterDf::Set => "set",
            OuterDf::Inherit => "inherit",
        }
    }
}

/// TTL of the outer packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OuterTtl {
    /// That of the route, else of the namespace (64); 1 to groups.
    #[default]
    Auto,
    /// This one.
    Fixed(u8),
    /// That of the packet inside.
    Inherit,
}

/// Settings of a VXLAN device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VxlanConfig {
    /// VNI: the network identifier, 24 bits.
    pub vni: u32,
    /// `dev`: the device that outer packets must leave by; none if the route decides.
    pub link: IfIndex,
    /// `local`: source address of outer packets; none if the route decides.
    pub local: Option<Ipv4Addr>,
    /// `remote` or `group`: where frames go that no entry tells of.
    pub remote: Option<Ipv4Addr>,
    /// `dstport`: UDP port sent to, and listened on.
    pub dst_port: u16,
    /// `srcport`: lowest and highest (not included) source port; zeros for the range of local ports.
    pub src_ports: (u16, u16),
    /// `ttl`.
    pub ttl: OuterTtl,
    /// `tos`; 1 is `inherit`.
    pub tos: u8,
    /// `df`.
    pub df: OuterDf,
    /// `learning`: the source of a received frame is learned.
    pub learning: bool,
    /// `ageing`: how long a learned address lives without being used; zero for ever.
    pub ageing: Duration,
    /// `maxaddress`: how many addresses are kept at most; 0 for any number.
    pub max_addresses: u32,
    /// `udpcsum`: outer packets carry a UDP checksum.
    pub udp_csum: bool,
}

impl VxlanConfig {
    /// Bytes that the outer headers add to a packet of the network layer over IPv4: 20 + 8 + 8 + 14.
    pub const OVERHEAD: u32 = 50;

    /// A device of that network of which nothing else is said.
    pub fn new(vni: u32) -> Self {
        VxlanConfig {
            vni,
            link: IfIndex::NONE,
            local: None,
            remote: None,
            dst_port: Vxlan::PORT_LINUX,
            src_ports: (0, 0),
            ttl: OuterTtl::Auto,
            tos: 0,
            df: OuterDf::Unset,
            learning: true,
            ageing: Duration::from_secs(300),
            max_addresses: 0,
            udp_csum: true,
        }
    }
}
