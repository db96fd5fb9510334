//! VXLAN devices and their forwarding databases.
//!
//! Models: drivers/net/vxlan/vxlan_core.c vxlan_config_validate, vxlan_config_apply, vxlan_changelink, vxlan_change_mtu, vxlan_fdb_add,
//! vxlan_fdb_delete, vxlan_open.
//! Simplifies: a device stays in the namespace of its underlay.

use super::device::{NewDevice, add_device};
use super::{OpError, find};
use crate::linux::config::Config;
use crate::linux::device::vxlan::{OuterDf, OuterTtl, VxlanConfig};
use crate::linux::device::{Device, DeviceKind};
use crate::linux::errno::Errno;
use crate::linux::id::{IfIndex, Source};
use crate::linux::netns::Netns;
use crate::linux::op::neigh::FdbKind;
use crate::linux::op::{NewLink, RemoteOp, RemoteVerb, VxlanSet};
use crate::linux::socket::SocketKind;
use crate::linux::time::Time;
use crate::linux::vxlan_fdb::{EntryState, Remote, VxlanEntry, VxlanFdb};
use crate::packet::{Ipv4Addr, Mac, Vxlan};
use smallvec::smallvec;
use std::time::Duration;

fn configure(config: &mut VxlanConfig, set: &VxlanSet) {
    config.dst_port = match set.dst_port {
        Some(0) => Vxlan::PORT_LINUX,
        Some(p) => p,
        None => config.dst_port,
    };
    config.local = set.local.or(config.local).filter(|a| !a.is_unspecified());
    config.remote = set.remote.or(config.remote).filter(|a| !a.is_unspecified());
    config.src_ports = set.src_ports.unwrap_or(config.src_ports);
    config.ttl = set.ttl.unwrap_or(config.ttl);
    config.tos = set.tos.unwrap_or(config.tos);
    config.df = set.df.unwrap_or(config.df);
    config.learning = set.learning.unwrap_or(config.learning);
    config.ageing = set.ageing.map_or(config.ageing, |s| Duration::from_secs(s.into()));
    config.max_addresses = set.max_addresses.unwrap_or(config.max_addresses);
    config.udp_csum = set.udp_csum.unwrap_or(config.udp_csum);
}

/// Another device that would take the same packets.
fn twin(config: &Config, own: IfIndex, new: &VxlanConfig) -> bool {
    config
        .devices
        .iter()
        .any(|d| d.index != own && matches!(&d.kind, DeviceKind::Vxlan(v) if v.vni == new.vni && v.dst_port == new.dst_port))
}

/// The largest MTU that fits into the packets of the device below.
fn lower_mtu(config: &Config, vxlan: &VxlanConfig) -> Option<u32> {
    config.devices.get(vxlan.link).map(|d| d.mtu.saturating_sub(VxlanConfig::OVERHEAD))
}

pub(super) fn add(ns: &mut Netns, new: &NewLink, set: &VxlanSet, source: Source) -> Result<(), OpError> {
    let mut config = VxlanConfig::new(set.vni.unwrap_or(0) & 0x00ff_ffff);
    if let Some(dev) = &set.dev {
        let d = ns.config.devices.by_name(dev).ok_or_else(|| OpError::no_device(dev).with_status(255))?;
        config.link = d.index;
    }
    configure(&mut config, set);
    if config.remote.is_some_and(|r| r.is_multicast()) && !config.link.is_some() {
        return Err(OpError::ext(Errno::EINVAL, "Local interface required for multicast remote destination"));
    }
    if twin(&ns.config, IfIndex::NONE, &config) {
        return Err(OpError::ext(Errno::EEXIST, "A VXLAN device with the specified VNI already exists"));
    }
    let lower = lower_mtu(&ns.config, &config);
    let mtu = match (new.mtu, lower) {
        (Some(m), Some(l)) => m.min(l),
        (Some(m), None) => m,
        (None, Some(l)) => l,
        (None, None) => 1_500,
    };
    let remote = config.remote.map(|addr| Remote { addr, port: config.dst_port, vni: config.vni, via: config.link });
    let kind = DeviceKind::Vxlan(Box::new(config));
    let device = NewDevice { mac: new.mac, mtu: Some(mtu), ..NewDevice::new(new.name.clone(), kind) };
    let index = add_device(ns, device, source)?;
    let mut fdb = VxlanFdb::default();
    if let Some(remote) = remote {
        fdb.insert(Mac::ZERO, VxlanEntry { remotes: smallvec![remote], state: EntryState::Permanent, used: Time::ZERO, source });
    }
    ns.vxlan.insert(index, fdb);
    Ok(())
}

/// `ip link set DEV type vxlan …` (vxlan_changelink).
pub(super) fn change(ns: &mut Netns, index: IfIndex, set: &VxlanSet, source: Source) -> Result<(), OpError> {
    let Some(DeviceKind::Vxlan(old)) = ns.config.devices.get(index).map(|d| &d.kind) else {
        return Err(OpError::errno(Errno::EOPNOTSUPP));
    };
    let mut config = (**old).clone();
    let refused = |what| Err(OpError::ext(Errno::EOPNOTSUPP, what));
    if set.vni.is_some_and(|v| v != config.vni) {
        return refused("Cannot change VNI");
    }
    if set.dst_port.is_some_and(|p| (if p == 0 { Vxlan::PORT_LINUX } else { p }) != config.dst_port) {
        return refused("Cannot change UDP port");
    }
    if set.src_ports.is_some_and(|p| p != config.src_ports) {
        return refused("Cannot change UDP source port range");
    }
    if set.udp_csum.is_some() {
        return refused("Cannot change UDP_CSUM flag");
    }
    if let Some(dev) = &set.dev {
        let link = ns.config.devices.by_name(dev).map(|d| d.index).ok_or_else(|| OpError::no_device(dev).with_status(255))?;
        config.link = link;
    }
    let before = config.remote;
    configure(&mut config, set);
    let remote = Remote { addr: config.remote.unwrap_or(Ipv4Addr::UNSPECIFIED), port: config.dst_port, vni: config.vni, via: config.link };
    if config.remote != before
        && let Some(fdb) = ns.vxlan.get_mut(&index)
    {
        // the default entry's own endpoint changes; others that were appended stay
        let mut remotes = fdb.get(Mac::ZERO).map(|e| e.remotes.clone()).unwrap_or_default();
        remotes.retain(|r| Some(r.addr) != before);
        if config.remote.is_some() {
            remotes.push(remote);
        }
        if remotes.is_empty() {
            fdb.remove(Mac::ZERO);
        } else {
            fdb.insert(Mac::ZERO, VxlanEntry { remotes, state: EntryState::Permanent, used: Time::ZERO, source });
        }
    }
    if let Some(Device { kind, .. }) = ns.config_mut().devices.get_mut(index) {
        *kind = DeviceKind::Vxlan(Box::new(config));
    }
    Ok(())
}

/// Whether a new MTU fits into the device below (vxlan_change_mtu).
pub(super) fn check_mtu(config: &Config, index: IfIndex, mtu: u32) -> Result<(), OpError> {
    match config.devices.get(index).map(|d| &d.kind) {
        Some(DeviceKind::Vxlan(v)) if lower_mtu(config, v).is_some_and(|max| mtu > max) => Err(OpError::errno(Errno::EINVAL)),
        _ => Ok(()),
    }
}

/// Whether the device can be switched on: its UDP port must be free, or be that of another VXLAN device (vxlan_open).
pub(super) fn check_up(ns: &Netns, index: IfIndex) -> Result<(), OpError> {
    let Some(DeviceKind::Vxlan(v)) = ns.config.devices.get(index).map(|d| &d.kind) else { return Ok(()) };
    if ns.sockets.is_bound(SocketKind::Udp, v.dst_port) {
        return Err(OpError::errno(Errno::EADDRINUSE));
    }
    Ok(())
}

/// The VXLAN devices that stand on `lower`: they go with it.
pub(super) fn above(config: &Config, lower: IfIndex) -> Vec<IfIndex> {
    let stands = |d: &&Device| matches!(&d.kind, DeviceKind::Vxlan(v) if v.link == lower);
    config.devices.iter().filter(stands).map(|d| d.index).collect()
}

fn state_of(kind: FdbKind) -> EntryState {
    match kind {
        FdbKind::Permanent => EntryState::Permanent,
        FdbKind::Static => EntryState::Static,
        FdbKind::Dynamic => EntryState::Dynamic,
    }
}

/// `bridge fdb … self` on a VXLAN device (vxlan_fdb_add, vxlan_fdb_delete).
pub(super) fn fdb(ns: &mut Netns, op: &RemoteOp, at: Time, source: Source) -> Result<(), OpError> {
    let index = find(ns, &op.dev)?;
    let Some(DeviceKind::Vxlan(v)) = ns.config.devices.get(index).map(|d| &d.kind) else {
        return Err(OpError::errno(Errno::EOPNOTSUPP));
    };
    let via = match &op.via {
        Some(name) => find(ns, name)?,
        None => IfIndex::NONE,
    };
    let max = v.max_addresses as usize;
    let remote =
        Remote { addr: op.dst.unwrap_or(Ipv4Addr::UNSPECIFIED), port: op.port.unwrap_or(v.dst_port), vni: op.vni.unwrap_or(v.vni), via };
    let group = op.mac.is_multicast() || op.mac == Mac::ZERO;
    let Some(fdb) = ns.vxlan.get_mut(&index) else { return Err(OpError::errno(Errno::ENODEV)) };
    if op.verb == RemoteVerb::Del {
        let Some(e) = fdb.get_mut(op.mac) else { return Err(OpError::errno(Errno::ENOENT)) };
        if !remote.addr.is_unspecified() {
            // an endpoint that is not there is passed over
            let Some(place) = e.remotes.iter().position(|r| *r == remote) else { return Ok(()) };
            if e.remotes.len() > 1 {
                e.remotes.remove(place);
                return Ok(());
            }
        }
        fdb.remove(op.mac);
        return Ok(());
    }
    if op.dst.is_none() {
        return Err(OpError::errno(Errno::EINVAL));
    }
    let state = state_of(op.kind);
    let Some(e) = fdb.get_mut(op.mac) else {
        if op.verb == RemoteVerb::Replace && group {
            return Err(OpError::errno(Errno::EOPNOTSUPP));
        }
        if max > 0 && fdb.len() >= max {
            return Err(OpError::errno(Errno::ENOSPC));
        }
        fdb.insert(op.mac, VxlanEntry { remotes: smallvec![remote], state, used: at, source });
        return Ok(());
    };
    match op.verb {
        RemoteVerb::Add => return Err(OpError::errno(Errno::EEXIST)),
        RemoteVerb::Replace if group => return Err(OpError::ext(Errno::EOPNOTSUPP, "Cannot replace non-unicast fdb entries")),
        RemoteVerb::Replace => {
            if !e.remotes.contains(&remote) {
                e.remotes = smallvec![remote];
            }
        }
        RemoteVerb::Append if group && !e.remotes.contains(&remote) => e.remotes.push(remote),
        RemoteVerb::Append | RemoteVerb::Del => {}
    }
    e.state = state;
    e.source = source;
    Ok(())
}

/// What `ip link` says of a device's TTL and DF where they are not the usual ones; for listings.
pub fn outer_words(ttl: OuterTtl, df: OuterDf) -> (String, Option<&'static str>) {
    let ttl = match ttl {
        OuterTtl::Auto => "auto".to_owned(),
        OuterTtl::Inherit => "inherit".to_owned(),
        OuterTtl::Fixed(n) => n.to_string(),
    };
    (ttl, (df != OuterDf::Unset).then(|| df.name()))
}
