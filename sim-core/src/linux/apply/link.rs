//! `ip link` and `bridge link`.
//!
//! Models: net/core/rtnetlink.c rtnl_newlink, do_setlink, rtnl_dellink; net/bridge/br_netlink.c br_setport.

use super::device::{self, NewDevice, add_device, check_mac, check_mtu, check_name, check_new, forget_neighbours, notify, switch};
use super::{OpError, Request, Requests, addr, bridge, find, ip_tunnel, stacked, take_device, vxlan};
use crate::linux::device::{Attach, BridgeConfig, BridgeVlans, DeviceKind, IfFlags, TunMode};
use crate::linux::errno::Errno;
use crate::linux::id::{IfIndex, Source};
use crate::linux::netns::Netns;
use crate::linux::op::{BridgeSet, LinkKind, LinkOp, LinkSet, NewLink};
use crate::linux::time::Time;
use std::time::Duration;

pub(super) fn apply(ns: &mut Netns, op: &LinkOp, at: Time, source: Source, requests: &mut Requests) -> Result<(), OpError> {
    match op {
        LinkOp::Add(new) => add(ns, new, source, requests),
        LinkOp::Set { dev, set } => {
            let index = find(ns, dev)?;
            self::set(ns, index, set, at, source, requests)
        }
        LinkOp::BridgeVlan(op) => bridge::vlan(ns, op),
        LinkOp::Del { dev } => {
            let index = find(ns, dev)?;
            delete(ns, index, at, requests)
        }
    }
}

fn configure(config: &mut BridgeConfig, set: &BridgeSet) {
    if let Some(v) = set.ageing_time {
        config.ageing_time = Duration::from_millis(u64::from(v) * 10);
    }
    if let Some(v) = set.vlan_filtering {
        config.vlan_filtering = v;
    }
    if let Some(v) = set.mcast_snooping {
        config.mcast_snooping = v;
    }
    if let Some(v) = set.vlan_protocol {
        config.vlan_protocol = v;
    }
    if let Some(v) = set.group_fwd_mask {
        config.group_fwd_mask = v;
    }
}

fn check_bridge(set: &BridgeSet) -> Result<(), OpError> {
    if set.stp_state == Some(true) {
        return Err(OpError::not_simulated("the spanning tree protocol (stp_state 1)"));
    }
    // 0 (spanning tree), 1 (pause) and 2 (link aggregation) are the bridge's own (BR_GROUPFWD_RESTRICTED)
    if set.group_fwd_mask.is_some_and(|m| m & 7 != 0) {
        return Err(OpError::errno(Errno::EINVAL));
    }
    Ok(())
}

fn add(ns: &mut Netns, new: &NewLink, source: Source, requests: &mut Requests) -> Result<(), OpError> {
    if new.name.len() > 15 {
        // `ip` hands it down as another attribute, and that is for names a device has already
        return Err(OpError::ext(Errno::EINVAL, "Attribute failed policy validation"));
    }
    let device = |kind| NewDevice { mac: new.mac, mtu: new.mtu, ..NewDevice::new(new.name.clone(), kind) };
    match &new.kind {
        LinkKind::Dummy => {
            add_device(ns, device(DeviceKind::Dummy), source)?;
        }
        LinkKind::Vlan { link, config } => stacked::add(ns, device(DeviceKind::Vlan(Box::new(config.clone()))), link, source, requests)?,
        LinkKind::Macvlan { link, config } => {
            stacked::add(ns, device(DeviceKind::Macvlan(Box::new(config.clone()))), link, source, requests)?;
        }
        LinkKind::Ipvlan { link, config } => stacked::add(ns, device(DeviceKind::Ipvlan(*config)), link, source, requests)?,
        LinkKind::Vxlan(set) => vxlan::add(ns, new, set, source)?,
        LinkKind::Tun(mode) => {
            let mac = if *mode == TunMode::Tun { Some(crate::packet::Mac::ZERO) } else { None };
            add_device(ns, NewDevice { mac, ..device(DeviceKind::Tun(*mode)) }, source).map_err(|e| match e.errno {
                Errno::EEXIST => OpError::text(Errno::EBUSY, "ioctl(TUNSETIFF): Device or resource busy"),
                _ => e,
            })?;
        }
        LinkKind::IpTunnel(set) => ip_tunnel::add(ns, new, set, source)?,
        LinkKind::Bridge(set) => {
            check_bridge(set)?;
            let mut config = BridgeConfig::default();
            configure(&mut config, set);
            if let Some(pvid) = set.vlan_default_pvid {
                if pvid >= 4095 {
                    return Err(OpError::errno(Errno::EINVAL));
                }
                config.default_pvid = pvid;
                config.vlans = BridgeVlans::with_default(pvid);
            }
            add_device(ns, device(DeviceKind::Bridge(Box::new(config))), source)?;
        }
        LinkKind::Veth { peer, peer_mtu, peer_mac, peer_netns } => {
            let near = device(DeviceKind::Veth);
            let far = NewDevice { mac: *peer_mac, mtu: *peer_mtu, ..NewDevice::new(peer.clone(), DeviceKind::Veth) };
            check_new(&ns.config, &near)?;
            match peer_netns {
                Some(netns) => {
                    let dev = add_device(ns, near, source)?;
                    requests.push(Request::MakePeer { dev, netns: netns.clone(), peer: far });
                }
                None => {
                    check_new(&ns.config, &far)?;
                    if near.name == far.name {
                        return Err(OpError::errno(Errno::EEXIST));
                    }
                    // The kernel makes the peer first.
                    let b = add_device(ns, far, source)?;
                    let a = add_device(ns, near, source)?;
                    let netns = ns.id;
                    attach(ns, a, Attach::Veth { netns, index: b });
                    attach(ns, b, Attach::Veth { netns, index: a });
                }
            }
        }
    }
    Ok(())
}

/// Says where a device's frames go.
pub fn attach(ns: &mut Netns, index: IfIndex, to: Attach) {
    if let Some(d) = ns.config_mut().devices.get_mut(index) {
        d.attach = to;
    }
}

/// Applies the changes in the kernel's order, whatever the order of the words was.
fn set(ns: &mut Netns, index: IfIndex, set: &LinkSet, at: Time, source: Source, requests: &mut Requests) -> Result<(), OpError> {
    if let Some(netns) = &set.netns {
        if ns.config.devices.get(index).is_some_and(|d| matches!(d.kind, DeviceKind::Loopback | DeviceKind::Bridge(_))) {
            return Err(OpError::ext(Errno::EINVAL, "The interface netns is immutable"));
        }
        if ns.config.devices.get(index).is_some_and(|d| matches!(d.kind, DeviceKind::Vxlan(_) | DeviceKind::IpTunnel(_))) {
            return Err(OpError::not_simulated("a tunnel device in another namespace than its underlay"));
        }
        let rest = LinkSet { netns: None, ..set.clone() };
        requests.push(Request::MoveDevice { dev: index, netns: netns.clone(), rest });
        return Ok(());
    }
    let master = match &set.master {
        Some(Some(name)) => {
            let found = ns.config.devices.by_name(name).map(|d| d.index);
            Some(Some(found.ok_or_else(|| OpError::argument(name, "Device does not exist"))?))
        }
        Some(None) => Some(None),
        None => None,
    };
    if set.bridge != BridgeSet::default() {
        check_bridge(&set.bridge)?;
        match bridge::config_mut(ns, index) {
            Some(config) => configure(config, &set.bridge),
            None => return Err(OpError::errno(Errno::EOPNOTSUPP)),
        }
        if let Some(pvid) = set.bridge.vlan_default_pvid {
            bridge::set_default_pvid(ns, index, pvid)?;
        }
    }
    if let Some(set) = &set.tunnel {
        ip_tunnel::change(ns, index, set)?;
    }
    if let Some(set) = &set.vxlan {
        vxlan::change(ns, index, set, source)?;
    }
    if [set.hairpin, set.isolated, set.learning, set.flood, set.mcast_flood, set.bcast_flood].iter().any(Option::is_some) {
        if !ns.config.devices.get(index).is_some_and(|d| d.master.is_some()) {
            return Err(OpError::errno(Errno::EOPNOTSUPP));
        }
        if let Some(d) = ns.config_mut().devices.get_mut(index) {
            d.port.hairpin = set.hairpin.unwrap_or(d.port.hairpin);
            d.port.isolated = set.isolated.unwrap_or(d.port.isolated);
            d.port.learning = set.learning.unwrap_or(d.port.learning);
            d.port.flood = set.flood.unwrap_or(d.port.flood);
            d.port.mcast_flood = set.mcast_flood.unwrap_or(d.port.mcast_flood);
            d.port.bcast_flood = set.bcast_flood.unwrap_or(d.port.bcast_flood);
        }
    }
    if let Some(mode) = set.macvlan_mode {
        stacked::set_macvlan_mode(ns, index, mode)?;
    }
    if let Some(mac) = set.mac {
        stacked::check_address(ns, index, mac)?;
        set_mac(ns, index, mac, source, requests)?;
    }
    if let Some(mtu) = set.mtu {
        if let Some(d) = ns.config.devices.get(index) {
            check_mtu(&d.kind, mtu)?;
            if d.lower().is_some() && mtu > d.stack.seen.mtu {
                let vlan = matches!(d.kind, DeviceKind::Vlan(_));
                return Err(OpError::errno(if vlan { Errno::ERANGE } else { Errno::EINVAL }));
            }
            vxlan::check_mtu(&ns.config, index, mtu)?;
        }
        if let Some(b) = bridge::config_mut(ns, index) {
            b.mtu_set = true;
        }
        write_mtu(ns, index, mtu, at, requests);
    }
    if let Some(name) = &set.name {
        check_name(name)?;
        if ns.config.devices.by_name(name).is_some_and(|d| d.index != index) {
            return Err(OpError::errno(Errno::EEXIST));
        }
        if let Some(d) = ns.config_mut().devices.get_mut(index) {
            d.name = name.clone();
        }
    }
    match master {
        Some(Some(m)) => bridge::enslave(ns, index, m, at, source, requests)?,
        Some(None) => bridge::release(ns, index, at, requests),
        None => {}
    }
    set_flags(ns, index, set, requests);
    if let Some(up) = set.up {
        if up {
            stacked::check_open(ns, index)?;
            if ns.config.devices.get(index).is_some_and(|d| !d.up) {
                vxlan::check_up(ns, index)?;
            }
        }
        switch(ns, index, up, at, requests);
    }
    Ok(())
}

/// `promisc`, `allmulticast`, `multicast`, `arp`. Without ARP, or with it again, what was known of neighbours is forgotten
/// (arp_netdev_event).
fn set_flags(ns: &mut Netns, index: IfIndex, set: &LinkSet, requests: &mut Requests) {
    let Some(old) = ns.config.devices.get(index).map(|d| d.flags) else { return };
    let new = IfFlags {
        promisc: set.promisc.unwrap_or(old.promisc),
        allmulti: set.allmulticast.unwrap_or(old.allmulti),
        noarp: set.arp.map_or(old.noarp, |on| !on),
        no_multicast: set.multicast.map_or(old.no_multicast, |on| !on),
    };
    if new == old {
        return;
    }
    if let Some(d) = ns.config_mut().devices.get_mut(index) {
        d.flags = new;
    }
    if new.noarp != old.noarp {
        forget_neighbours(ns, index, true, requests);
    }
}

fn set_mac(ns: &mut Netns, index: IfIndex, mac: crate::packet::Mac, source: Source, requests: &mut Requests) -> Result<(), OpError> {
    let Some(d) = ns.config.devices.get(index) else { return Ok(()) };
    let old = d.mac;
    match d.kind {
        DeviceKind::Loopback => {}
        // its address is that of its local end
        _ if !d.kind.has_link_header() => return Err(OpError::errno(Errno::EOPNOTSUPP)),
        _ => check_mac(mac)?,
    }
    if let DeviceKind::Bridge(_) = d.kind {
        bridge::set_mac(ns, index, mac, source, requests);
        if let Some(d) = ns.config_mut().devices.get_mut(index) {
            d.mac_set = true;
        }
        return Ok(());
    }
    if old == mac {
        return Ok(());
    }
    if let Some(d) = ns.config_mut().devices.get_mut(index) {
        d.mac = mac;
        d.mac_set = true;
        if let DeviceKind::Vlan(c) = &mut d.kind {
            c.inherits_mac = false;
        }
    }
    forget_neighbours(ns, index, true, requests);
    notify(ns, index, requests);
    bridge::port_mac_changed(ns, index, old, source, requests);
    Ok(())
}

/// Sets an MTU that fits. Below 68 bytes there is no IP on a device (inetdev_valid_mtu).
pub(super) fn write_mtu(ns: &mut Netns, index: IfIndex, mtu: u32, at: Time, requests: &mut Requests) {
    let Some(d) = ns.config.devices.get(index).filter(|d| d.mtu != mtu) else { return };
    let master = d.master;
    if let Some(d) = ns.config_mut().devices.get_mut(index) {
        d.mtu = mtu;
    }
    if mtu < 68 {
        addr::forget_all(ns, index, at);
        forget_neighbours(ns, index, true, requests);
    }
    if master.is_some() {
        bridge::adjust_mtu(ns, master, at, requests);
    }
}

fn delete(ns: &mut Netns, index: IfIndex, at: Time, requests: &mut Requests) -> Result<(), OpError> {
    let Some(d) = ns.config.devices.get(index) else { return Ok(()) };
    if matches!(d.kind, DeviceKind::Loopback | DeviceKind::Physical) {
        return Err(OpError::errno(Errno::EOPNOTSUPP));
    }
    if matches!(&d.kind, DeviceKind::IpTunnel(c) if c.is_fallback(&d.name)) {
        return Err(OpError::errno(Errno::EPERM));
    }
    let attach = d.attach;
    let (_, more) = take_device(ns, index, at);
    // What it asked of its other end is moot: that goes as well.
    requests.extend(more.into_iter().filter(|r| !matches!(r, Request::Carrier { dev } if *dev == index)));
    match attach {
        Attach::Veth { netns, index: peer } if netns == ns.id => {
            let (_, more) = device::take_device(ns, peer, at);
            requests.extend(more);
        }
        Attach::Veth { .. } | Attach::Wire(_) => requests.push(Request::Gone { attach }),
        Attach::None | Attach::Loopback | Attach::Lower { .. } => {}
    }
    Ok(())
}
