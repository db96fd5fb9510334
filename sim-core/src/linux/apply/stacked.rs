//! VLAN, macvlan and ipvlan devices: how they are made, and what they take over from the device below.
//!
//! Models: net/8021q/vlan_netlink.c vlan_newlink, net/8021q/vlan.c vlan_check_real_dev, vlan_device_event, vlan_sync_address;
//! drivers/net/macvlan.c macvlan_common_newlink, macvlan_port_create, macvlan_device_event, macvlan_open, macvlan_sync_address;
//! drivers/net/ipvlan/ipvlan_main.c ipvlan_link_new, ipvlan_port_create, ipvlan_device_event, ipvlan_set_port_mode.
//! Simplifies: whether another child of the device below has an address already is seen only from the namespace of that device.

use super::device::{NewDevice, add_device, check_new, forget_neighbours, notify, set_carrier, switch};
use super::link::write_mtu;
use super::{OpError, Request, Requests, find};
use crate::linux::device::{Attach, Device, DeviceKind, IpvlanConfig, LowerSeen, MacvlanConfig, MacvlanMode, Upper, UpperKind, VlanConfig};
use crate::linux::errno::Errno;
use crate::linux::id::{IfIndex, NetnsId, Source};
use crate::linux::netns::Netns;
use crate::linux::time::Time;
use crate::packet::Mac;

/// What an upper device can see of `lower`.
pub fn seen_of(lower: &Device) -> LowerSeen {
    LowerSeen { up: lower.up, carrier: lower.carrier, mac: lower.mac, mtu: lower.mtu }
}

/// What the receive path of the device below has to know of an upper device of namespace `netns`; none for devices that stand on none.
pub fn upper_of(netns: NetnsId, d: &Device) -> Option<Upper> {
    let kind = match &d.kind {
        DeviceKind::Vlan(c) => UpperKind::Vlan { tag: c.tag(), reorder_hdr: c.reorder_hdr },
        DeviceKind::Macvlan(c) => UpperKind::Macvlan((**c).clone()),
        DeviceKind::Ipvlan(c) => UpperKind::Ipvlan {
            config: *c,
            addrs: d.addrs.iter().map(|a| a.local).collect(),
            addrs6: d.addrs6.iter().map(|a| a.local).collect(),
        },
        _ => return None,
    };
    Some(Upper { netns, index: d.index, mac: d.mac, up: d.up, mtu: d.mtu, kind })
}

/// Makes a device of `kind` on the device called `link`.
pub(super) fn add(ns: &mut Netns, mut new: NewDevice, link: &str, source: Source, requests: &mut Requests) -> Result<(), OpError> {
    let mut lower = find(ns, link)?;
    check_new(&ns.config, &new)?;
    let Some(mut below) = ns.config.devices.get(lower) else { return Err(OpError::errno(Errno::ENODEV)) };
    // a macvlan on a macvlan (an ipvlan on an ipvlan) stands on the device that this one stands on
    if below.kind.name() == new.kind.name()
        && !matches!(below.kind, DeviceKind::Vlan(_))
        && let Some((netns, index)) = below.lower()
    {
        if netns != ns.id {
            return Err(OpError::not_simulated("a device on one whose device below is in another namespace"));
        }
        lower = index;
        match ns.config.devices.get(index) {
            Some(d) => below = d,
            None => return Err(OpError::errno(Errno::ENODEV)),
        }
    }
    match &mut new.kind {
        DeviceKind::Vlan(c) => check_vlan(below, c, new.mac)?,
        DeviceKind::Macvlan(c) => {
            check_port(below)?;
            let others = || below.stack.uppers.iter().filter_map(macvlan_config);
            let passthru = others().any(|o| o.mode == MacvlanMode::Passthru);
            if passthru || (c.mode == MacvlanMode::Passthru && others().next().is_some()) {
                return Err(OpError::errno(Errno::EINVAL));
            }
        }
        DeviceKind::Ipvlan(_) => check_port(below)?,
        _ => return Err(OpError::errno(Errno::EOPNOTSUPP)),
    }
    if new.mtu.is_some_and(|m| m > below.mtu) {
        return Err(OpError::errno(Errno::EINVAL));
    }
    new.mtu = Some(new.mtu.unwrap_or(below.mtu));
    let inherits = match &new.kind {
        DeviceKind::Vlan(c) => c.inherits_mac,
        DeviceKind::Macvlan(c) => c.mode == MacvlanMode::Passthru,
        _ => true,
    };
    if inherits {
        new.mac = Some(below.mac);
    }
    new.attach = Attach::Lower { netns: ns.id, index: lower };
    new.carrier = below.carrier;
    let seen = seen_of(below);
    let shared = match &new.kind {
        DeviceKind::Ipvlan(c) => Some(*c),
        _ => None,
    };
    let dev = add_device(ns, new, source)?;
    let own = ns.id;
    let upper = ns.config_mut().devices.get_mut(dev).and_then(|d| {
        d.stack.seen = seen;
        upper_of(own, d)
    });
    // here at once, so that the next command sees it
    if let (Some(upper), Some(l)) = (upper, ns.config_mut().devices.get_mut(lower)) {
        l.stack.uppers.insert(0, upper);
    }
    if let Some(config) = shared {
        share_ipvlan(ns, lower, config);
    }
    requests.push(Request::Stacked { dev });
    Ok(())
}

fn macvlan_config(u: &Upper) -> Option<&MacvlanConfig> {
    match &u.kind {
        UpperKind::Macvlan(c) => Some(c),
        _ => None,
    }
}

fn check_vlan(below: &Device, c: &mut VlanConfig, mac: Option<Mac>) -> Result<(), OpError> {
    if c.id >= 4095 {
        return Err(OpError::ext(Errno::ERANGE, "8021q: Invalid VLAN id"));
    }
    if matches!(below.kind, DeviceKind::Loopback) {
        return Err(OpError::ext(Errno::EOPNOTSUPP, "8021q: VLANs not supported on device"));
    }
    let taken = |u: &Upper| matches!(u.kind, UpperKind::Vlan { tag, .. } if tag == c.tag());
    if below.stack.uppers.iter().any(taken) {
        return Err(OpError::ext(Errno::EEXIST, "8021q: VLAN device already exists"));
    }
    c.inherits_mac = mac.is_none();
    Ok(())
}

/// Whether the device can have macvlan or ipvlan children: an Ethernet that nobody else handles the frames of.
fn check_port(below: &Device) -> Result<(), OpError> {
    if matches!(below.kind, DeviceKind::Loopback) {
        return Err(OpError::errno(Errno::EINVAL));
    }
    if below.master.is_some() {
        return Err(OpError::errno(Errno::EBUSY));
    }
    Ok(())
}

/// All children of a device have the mode and the flag that were given last (ipvlan_set_port_mode).
fn share_ipvlan(ns: &mut Netns, lower: IfIndex, config: IpvlanConfig) {
    let Some(l) = ns.config.devices.get(lower) else { return };
    let own = ns.id;
    let here: Vec<IfIndex> = l.stack.uppers.iter().filter(|u| u.netns == own).map(|u| u.index).collect();
    for index in here {
        if let Some(d) = ns.config_mut().devices.get_mut(index)
            && let DeviceKind::Ipvlan(c) = &mut d.kind
        {
            *c = config;
            d.flags.noarp = d.kind.begins_without_arp();
        }
    }
}

/// Sets what `ip link set … type vlan|macvlan|ipvlan` changes.
pub(super) fn set_macvlan_mode(ns: &mut Netns, index: IfIndex, mode: MacvlanMode) -> Result<(), OpError> {
    match ns.config_mut().devices.get_mut(index).map(|d| &mut d.kind) {
        Some(DeviceKind::Macvlan(c)) => {
            // passthru is for life (macvlan_changelink)
            if (c.mode == MacvlanMode::Passthru) != (mode == MacvlanMode::Passthru) {
                return Err(OpError::errno(Errno::EINVAL));
            }
            c.mode = mode;
            Ok(())
        }
        _ => Err(OpError::errno(Errno::EOPNOTSUPP)),
    }
}

/// Whether an upper device can be switched on (ndo_open).
pub(super) fn check_open(ns: &Netns, index: IfIndex) -> Result<(), OpError> {
    let Some(d) = ns.config.devices.get(index).filter(|d| !d.up) else { return Ok(()) };
    match &d.kind {
        DeviceKind::Vlan(c) if !d.stack.seen.up && !c.loose_binding => Err(OpError::errno(Errno::ENETDOWN)),
        DeviceKind::Macvlan(c) if c.mode != MacvlanMode::Passthru && address_busy(ns, d, d.mac) => Err(OpError::errno(Errno::EADDRINUSE)),
        _ => Ok(()),
    }
}

/// Whether a macvlan can take `mac` now (macvlan_sync_address).
pub(super) fn check_address(ns: &Netns, index: IfIndex, mac: Mac) -> Result<(), OpError> {
    let Some(d) = ns.config.devices.get(index) else { return Ok(()) };
    match &d.kind {
        DeviceKind::Macvlan(_) if d.up && address_busy(ns, d, mac) => Err(OpError::errno(Errno::EADDRINUSE)),
        _ => Ok(()),
    }
}

fn address_busy(ns: &Netns, d: &Device, mac: Mac) -> bool {
    let others = d.lower().filter(|(netns, _)| *netns == ns.id).and_then(|(_, l)| ns.config.devices.get(l));
    let taken = |l: &Device| l.stack.uppers.iter().any(|u| u.up && u.mac == mac && (u.netns, u.index) != (ns.id, d.index));
    d.stack.seen.mac == mac || others.is_some_and(taken)
}

/// The device below changed (vlan_device_event, macvlan_device_event, ipvlan_device_event).
pub fn lower_changed(ns: &mut Netns, index: IfIndex, now_seen: LowerSeen, at: Time) -> Vec<Request> {
    let mut requests = Requests::new();
    let Some(d) = ns.config.devices.get(index) else { return requests };
    let before = d.stack.seen;
    let kind = d.kind.clone();
    if let Some(d) = ns.config_mut().devices.get_mut(index) {
        d.stack.seen = now_seen;
    }
    let follows_mac = match &kind {
        DeviceKind::Vlan(c) => c.inherits_mac,
        DeviceKind::Macvlan(c) => c.mode == MacvlanMode::Passthru,
        _ => true,
    };
    if follows_mac && before.mac != now_seen.mac {
        take_address(ns, index, now_seen.mac, &mut requests);
    }
    let mtu = ns.config.devices.get(index).map_or(0, |d| d.mtu);
    if before.mtu != now_seen.mtu && (mtu > now_seen.mtu || matches!(kind, DeviceKind::Ipvlan(_))) {
        write_mtu(ns, index, now_seen.mtu, at, &mut requests);
    }
    if before.up != now_seen.up && matches!(&kind, DeviceKind::Vlan(c) if !c.loose_binding) {
        switch(ns, index, now_seen.up, at, &mut requests);
    }
    requests.extend(set_carrier(ns, index, now_seen.carrier, at));
    requests
}

fn take_address(ns: &mut Netns, index: IfIndex, mac: Mac, requests: &mut Requests) {
    let Some(old) = ns.config.devices.get(index).map(|d| d.mac).filter(|m| *m != mac) else { return };
    if let Some(d) = ns.config_mut().devices.get_mut(index) {
        d.mac = mac;
    }
    forget_neighbours(ns, index, true, requests);
    notify(ns, index, requests);
    super::bridge::port_mac_changed(ns, index, old, Source::Kernel, requests);
}
