//! Network devices: names, addresses and what they are attached to.
//!
//! Models: include/linux/netdevice.h struct net_device; net/core/dev.c.
//! Simplifies: one queue per device, no offloads, no qdisc; a network card hears every frame of its wire, as one does that is promiscuous.

pub mod addr;
pub mod bridge;
pub mod bridge_vlan;
pub mod ip_tunnel;
pub mod ipvlan;
pub mod macvlan;
pub mod stack;
pub mod tun;
pub mod vlan;
pub mod vxlan;

pub use addr::{Dad, IfAddr, Scope};
pub use bridge::{BridgeConfig, BridgePort};
pub use bridge_vlan::BridgeVlans;
pub use ip_tunnel::{IpTunnelConfig, IpTunnelMode};
pub use ipvlan::{IpvlanConfig, IpvlanFlag, IpvlanMode};
pub use macvlan::{MacvlanConfig, MacvlanMode};
pub use stack::{IfFlags, LowerSeen, Stack, Upper, UpperKind};
pub use tun::TunMode;
pub use vlan::VlanConfig;
pub use vxlan::VxlanConfig;

use super::id::{IfIndex, NetnsId, Source};
use super::sysctl::{DevConf, DevConf6, NeighParams};
use crate::packet::{Ipv4Addr, Ipv6Addr, Mac};
use std::sync::Arc;

/// What a device is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceKind {
    /// `lo`.
    Loopback,
    /// One end of a pair; what is sent comes out of the other end.
    Veth,
    /// A learning switch.
    Bridge(Box<BridgeConfig>),
    /// A network card on a wire.
    Physical,
    /// A device that swallows what it is given.
    Dummy,
    /// The frames of one VLAN of the device below.
    Vlan(Box<VlanConfig>),
    /// A further hardware address on the device below.
    Macvlan(Box<MacvlanConfig>),
    /// Further IP addresses on the device below, with its hardware address.
    Ipvlan(IpvlanConfig),
    /// Ethernet frames through UDP to other hosts.
    Vxlan(Box<VxlanConfig>),
    /// IP packets, or Ethernet frames, in IP packets to other hosts.
    IpTunnel(Box<IpTunnelConfig>),
    /// A program at the other end.
    Tun(TunMode),
}

impl DeviceKind {
    /// The kind as `ip -d link` names it; empty for cards and loopback.
    pub fn name(&self) -> &'static str {
        match self {
            DeviceKind::Loopback | DeviceKind::Physical => "",
            DeviceKind::Veth => "veth",
            DeviceKind::Bridge(_) => "bridge",
            DeviceKind::Dummy => "dummy",
            DeviceKind::Vlan(_) => "vlan",
            DeviceKind::Macvlan(_) => "macvlan",
            DeviceKind::Ipvlan(_) => "ipvlan",
            DeviceKind::Vxlan(_) => "vxlan",
            DeviceKind::IpTunnel(c) => c.mode.name(),
            DeviceKind::Tun(_) => "tun",
        }
    }

    /// Whether it begins with IFF_NOARP.
    pub fn begins_without_arp(&self) -> bool {
        match self {
            DeviceKind::Dummy => true,
            DeviceKind::Ipvlan(c) => c.mode != IpvlanMode::L2,
            _ => !self.has_link_header(),
        }
    }

    /// Whether its frames begin with an Ethernet header.
    #[inline]
    pub fn has_link_header(&self) -> bool {
        match self {
            DeviceKind::IpTunnel(c) => c.mode == IpTunnelMode::Gretap,
            DeviceKind::Tun(mode) => *mode == TunMode::Tap,
            _ => true,
        }
    }
}

/// Where a device's frames go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Attach {
    /// Nowhere: no carrier.
    #[default]
    None,
    /// Back into this namespace.
    Loopback,
    /// To the other end of the pair.
    Veth {
        /// Namespace of the other end.
        netns: NetnsId,
        /// Index of the other end there.
        index: IfIndex,
    },
    /// To a wire, by the engine's number of this end.
    Wire(u32),
    /// To the device that it stands on.
    Lower {
        /// Namespace of that device.
        netns: NetnsId,
        /// Its index there.
        index: IfIndex,
    },
}

/// IPv6 on a device (struct inet6_dev).
#[derive(Clone, Debug, Default)]
pub struct Inet6 {
    /// `net.ipv6.conf.DEV`.
    pub conf: Arc<DevConf6>,
    /// `net.ipv6.neigh.DEV`.
    pub neigh: Arc<NeighParams>,
    /// IF_READY: it has its link-local address, and addresses are tried.
    pub ready: bool,
}

/// A network device.
#[derive(Clone, Debug)]
pub struct Device {
    /// Index in its namespace.
    pub index: IfIndex,
    /// Name, up to 15 bytes.
    pub name: Arc<str>,
    /// What it is.
    pub kind: DeviceKind,
    /// Where its frames go; kept by the engine.
    pub attach: Attach,
    /// Hardware address.
    pub mac: Mac,
    /// Whether the hardware address was set by a command (a bridge then keeps it).
    pub mac_set: bool,
    /// Largest packet in bytes, link header not counted.
    pub mtu: u32,
    /// IFF_UP: switched on by the administrator.
    pub up: bool,
    /// Whether the other end is there and up; kept by the engine.
    pub carrier: bool,
    /// The bridge that it is a port of.
    pub master: IfIndex,
    /// Flags as a bridge port; they count while `master` is set.
    pub port: BridgePort,
    /// IPv4 addresses in order of addition.
    pub addrs: Vec<IfAddr<Ipv4Addr>>,
    /// IPv6 addresses in order of addition.
    pub addrs6: Vec<IfAddr<Ipv6Addr>>,
    /// `net.ipv4.conf.DEV`.
    pub conf: Arc<DevConf>,
    /// `net.ipv4.neigh.DEV`.
    pub neigh: Arc<NeighParams>,
    /// IPv6 on it.
    pub inet6: Inet6,
    /// What stands on it, and what it stands on.
    pub stack: Stack,
    /// Switches such as IFF_PROMISC.
    pub flags: IfFlags,
    /// What made it.
    pub source: Source,
}

impl Device {
    /// Whether packets can go out: up and, where there is another end, with carrier.
    #[inline]
    pub fn is_running(&self) -> bool {
        self.up && self.carrier
    }

    /// Whether it resolves neighbours by ARP.
    #[inline]
    pub fn uses_arp(&self) -> bool {
        !self.flags.noarp && !matches!(self.kind, DeviceKind::Loopback)
    }

    /// The device that it stands on.
    #[inline]
    pub fn lower(&self) -> Option<(NetnsId, IfIndex)> {
        match self.attach {
            Attach::Lower { netns, index } => Some((netns, index)),
            _ => None,
        }
    }
}

/// The devices of a namespace, by index. Versions of a configuration share those that did not change.
#[derive(Clone, Debug, Default)]
pub struct Devices(Vec<Option<Arc<Device>>>);

impl Devices {
    /// The device of `index`.
    #[inline]
    pub fn get(&self, index: IfIndex) -> Option<&Device> {
        self.0.get(index.0.wrapping_sub(1) as usize)?.as_deref()
    }

    /// The device of `index`, to be changed.
    #[inline]
    pub fn get_mut(&mut self, index: IfIndex) -> Option<&mut Device> {
        self.0.get_mut(index.0.wrapping_sub(1) as usize)?.as_mut().map(Arc::make_mut)
    }

    /// The device called `name`.
    pub fn by_name(&self, name: &str) -> Option<&Device> {
        self.iter().find(|d| &*d.name == name)
    }

    /// The index that the next device gets.
    pub fn next_index(&self) -> IfIndex {
        IfIndex(self.0.len() as u32 + 1)
    }

    /// Adds a device at its index.
    pub fn insert(&mut self, device: Device) {
        let at = device.index.0.saturating_sub(1) as usize;
        if self.0.len() <= at {
            self.0.reserve_exact(at + 1 - self.0.len());
            self.0.resize(at + 1, None);
        }
        self.0[at] = Some(Arc::new(device));
    }

    /// Takes a device out. Its index is not used again.
    pub fn remove(&mut self, index: IfIndex) -> Option<Device> {
        self.0.get_mut(index.0.wrapping_sub(1) as usize)?.take().map(Arc::unwrap_or_clone)
    }

    /// All devices, by index.
    pub fn iter(&self) -> impl Iterator<Item = &Device> {
        self.0.iter().filter_map(|d| d.as_deref())
    }

    /// All devices, by index, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Device> {
        self.0.iter_mut().filter_map(|d| d.as_mut().map(Arc::make_mut))
    }

    /// Name of `index`; empty if there is no such device.
    #[inline]
    pub fn name(&self, index: IfIndex) -> &str {
        self.get(index).map_or("", |d| &d.name)
    }
}
