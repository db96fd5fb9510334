//! IPIP and GRE devices.
//!
//! Models: net/ipv4/ip_tunnel.c ip_tunnel_newlink, ip_tunnel_bind_dev, ip_tunnel_find, ip_tunnel_init_net; net/ipv4/ipip.c
//! ipip_tunnel_setup; net/ipv4/ip_gre.c ipgre_tunnel_init.
//! Simplifies: a namespace gets its fallback device (`tunl0`, `gre0`, `gretap0`) with its first tunnel of the kind, not when the
//! kernel loads the module; a device stays in the namespace of its underlay.

use super::OpError;
use super::device::{NewDevice, add_device};
use crate::linux::config::Config;
use crate::linux::device::ip_tunnel::{IpTunnelConfig, IpTunnelMode};
use crate::linux::device::vxlan::OuterTtl;
use crate::linux::device::{Device, DeviceKind};
use crate::linux::errno::Errno;
use crate::linux::id::{IfIndex, Source};
use crate::linux::netns::Netns;
use crate::linux::op::{IpTunnelSet, NewLink};
use crate::packet::{Ipv4Addr, Mac};

fn configure(config: &mut IpTunnelConfig, set: &IpTunnelSet) -> Result<(), OpError> {
    let named = |a: Option<Ipv4Addr>, old| a.map_or(old, |a| Some(a).filter(|a| !a.is_unspecified()));
    config.remote = named(set.remote, config.remote);
    config.local = named(set.local, config.local);
    config.ttl = match set.ttl.unwrap_or(config.ttl) {
        OuterTtl::Auto => OuterTtl::Inherit,
        ttl => ttl,
    };
    config.tos = set.tos.unwrap_or(config.tos);
    config.pmtudisc = set.pmtudisc.unwrap_or(config.pmtudisc);
    config.ignore_df = set.ignore_df.unwrap_or(config.ignore_df);
    config.input = set.input;
    config.output = set.output;
    // a TTL of its own keeps loops finite only if the packets are not cut on the way
    if matches!(config.ttl, OuterTtl::Fixed(_)) && !config.pmtudisc {
        return Err(OpError::errno(Errno::EINVAL));
    }
    Ok(())
}

fn same(a: &IpTunnelConfig, b: &IpTunnelConfig) -> bool {
    (a.mode, a.remote, a.local, a.link, a.input.key) == (b.mode, b.remote, b.local, b.link, b.input.key)
}

fn mtu(config: &Config, tunnel: &IpTunnelConfig) -> u32 {
    let below = if tunnel.link.is_some() { Some(tunnel.link) } else { tunnel.remote.and_then(|r| route_device(config, r)) };
    let lower = below.and_then(|d| config.devices.get(d)).map_or(1_500, |d| d.mtu.min(65_535));
    lower.saturating_sub(tunnel.overhead()).max(68)
}

fn route_device(config: &Config, to: Ipv4Addr) -> Option<IfIndex> {
    let (_, route) = config.fib.lookup(to, |r| !r.nexthops.is_empty())?;
    route.nexthops.first().map(|h| h.dev)
}

fn device(ns: &mut Netns, name: &str, tunnel: IpTunnelConfig, given: &NewLink, source: Source) -> Result<IfIndex, OpError> {
    let frames = tunnel.mode == IpTunnelMode::Gretap;
    let mac = if frames { given.mac } else { Some(Mac::ZERO) };
    let mtu = given.mtu.unwrap_or_else(|| mtu(&ns.config, &tunnel));
    let new = NewDevice { mac, mtu: Some(mtu), ..NewDevice::new(name, DeviceKind::IpTunnel(Box::new(tunnel))) };
    add_device(ns, new, source)
}

pub(super) fn add(ns: &mut Netns, new: &NewLink, set: &IpTunnelSet, source: Source) -> Result<(), OpError> {
    let mode = set.mode;
    let fallback = mode.fallback();
    let bare = NewLink { name: fallback.into(), mac: None, mtu: None, kind: new.kind.clone() };
    if &*new.name == fallback {
        if ns.config.devices.by_name(fallback).is_some() {
            return Err(OpError::errno(Errno::EEXIST));
        }
    } else if ns.config.devices.by_name(fallback).is_none() {
        device(ns, fallback, IpTunnelConfig::new(mode), &bare, Source::Kernel)?;
    }
    let mut config = IpTunnelConfig::new(mode);
    if let Some(dev) = &set.dev {
        config.link = ns.config.devices.by_name(dev).map(|d| d.index).ok_or_else(|| OpError::no_device(dev))?;
    }
    configure(&mut config, set)?;
    let twin = |d: &Device| matches!(&d.kind, DeviceKind::IpTunnel(c) if same(c, &config));
    if ns.config.devices.iter().any(twin) {
        return Err(OpError::errno(Errno::EEXIST));
    }
    device(ns, &new.name, config, new, source)?;
    Ok(())
}

/// `ip link set DEV type ipip …`, `ip tunnel change`.
pub(super) fn change(ns: &mut Netns, index: IfIndex, set: &IpTunnelSet) -> Result<(), OpError> {
    let Some(DeviceKind::IpTunnel(old)) = ns.config.devices.get(index).map(|d| &d.kind) else {
        return Err(OpError::errno(Errno::EOPNOTSUPP));
    };
    if old.mode != set.mode {
        return Err(OpError::errno(Errno::EOPNOTSUPP));
    }
    let mut config = (**old).clone();
    configure(&mut config, set)?;
    if let Some(dev) = &set.dev {
        config.link = ns.config.devices.by_name(dev).map(|d| d.index).ok_or_else(|| OpError::no_device(dev))?;
    }
    let taken = |d: &Device| d.index != index && matches!(&d.kind, DeviceKind::IpTunnel(c) if same(c, &config));
    if ns.config.devices.iter().any(taken) {
        return Err(OpError::errno(Errno::EEXIST));
    }
    if let Some(d) = ns.config_mut().devices.get_mut(index) {
        d.kind = DeviceKind::IpTunnel(Box::new(config));
    }
    Ok(())
}
