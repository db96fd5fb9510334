//! Devices come, go, move and gain or lose their carrier.
//!
//! Models: net/core/dev.c register_netdevice, __dev_change_net_namespace, __dev_open, __dev_close; drivers/net/veth.c.
//! Simplifies: a hardware address that nobody gave is not random but follows from the namespace, the index and the name.
//! A moved device keeps its index if that is free, else it gets the next one; indices are never used twice.

use super::{OpError, Request, Requests, addr, addr6, bridge, route};
use crate::linux::config::Config;
use crate::linux::device::{Attach, BridgeConfig, BridgePort, Device, DeviceKind, IfFlags, Inet6, Stack};
use crate::linux::errno::Errno;
use crate::linux::id::{IfIndex, Source};
use crate::linux::netns::Netns;
use crate::linux::time::Time;
use crate::packet::Mac;
use std::sync::Arc;

/// A device to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDevice {
    /// Name.
    pub name: Arc<str>,
    /// What it is.
    pub kind: DeviceKind,
    /// Hardware address; made up if none is given.
    pub mac: Option<Mac>,
    /// MTU in bytes; 1500 (65536 for `lo`) if none is given.
    pub mtu: Option<u32>,
    /// Where its frames go.
    pub attach: Attach,
    /// Whether the other end is there and up.
    pub carrier: bool,
}

impl NewDevice {
    /// A device of that name and kind of which nothing else is said.
    pub fn new(name: impl Into<Arc<str>>, kind: DeviceKind) -> Self {
        let carrier = !matches!(kind, DeviceKind::Veth | DeviceKind::Tun(_));
        NewDevice { name: name.into(), kind, mac: None, mtu: None, attach: Attach::None, carrier }
    }
}

/// The smallest and the largest MTU of a kind; a largest of `u32::MAX` is none.
pub fn mtu_range(kind: &DeviceKind) -> (u32, u32) {
    match kind {
        DeviceKind::Loopback | DeviceKind::Dummy => (0, i32::MAX as u32),
        DeviceKind::Veth
        | DeviceKind::Bridge(_)
        | DeviceKind::Physical
        | DeviceKind::Macvlan(_)
        | DeviceKind::Ipvlan(_)
        | DeviceKind::Vxlan(_) => (68, 65_535),
        DeviceKind::Tun(mode) => (68, if *mode == crate::linux::device::TunMode::Tap { 65_521 } else { 65_535 }),
        DeviceKind::IpTunnel(c) => (68, 65_535 - c.overhead()),
        DeviceKind::Vlan(_) => (0, 65_535),
    }
}

pub(super) fn check_mtu(kind: &DeviceKind, mtu: u32) -> Result<(), OpError> {
    let (min, max) = mtu_range(kind);
    if mtu < min {
        return Err(OpError::ext(Errno::EINVAL, "mtu less than device minimum"));
    }
    if mtu > max {
        return Err(OpError::ext(Errno::EINVAL, "mtu greater than device maximum"));
    }
    Ok(())
}

pub(super) fn check_mac(mac: Mac) -> Result<(), OpError> {
    if mac.is_valid() { Ok(()) } else { Err(OpError::errno(Errno::EADDRNOTAVAIL)) }
}

/// Whether the kernel takes `name` for a device (dev_valid_name), and if not, how it says so.
pub(super) fn check_name(name: &str) -> Result<(), OpError> {
    if name.len() > 15 {
        return Err(OpError::ext(Errno::ERANGE, "Attribute failed policy validation"));
    }
    if name.is_empty() || name == "." || name == ".." || name.chars().any(|c| c == '/' || c == ':' || c.is_ascii_whitespace()) {
        return Err(OpError::errno(Errno::EINVAL));
    }
    Ok(())
}

/// A hardware address for a device that was given none: of this host's making (locally administered), and always the same.
pub fn made_up_mac(netns: u32, index: IfIndex, name: &str) -> Mac {
    let mut h: u64 = 0xcbf2_9ce4_8422_2325;
    let words = netns.to_be_bytes().into_iter().chain(index.0.to_be_bytes()).chain(name.bytes());
    for b in words {
        h = (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3);
    }
    h ^= h >> 29;
    h = h.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    h ^= h >> 32;
    let b = h.to_be_bytes();
    Mac([b[2] & 0xfc | 2, b[3], b[4], b[5], b[6], b[7]])
}

/// Makes a device, down and without addresses. Its switches begin as `conf.default` and `neigh.default` say.
///
/// # Errors
/// EEXIST if the name is taken; what the kernel says of a bad name, MTU or hardware address.
pub fn add_device(ns: &mut Netns, new: NewDevice, source: Source) -> Result<IfIndex, OpError> {
    check_new(&ns.config, &new)?;
    let id = ns.id;
    let config = ns.config_mut();
    let index = config.devices.next_index();
    let loopback = new.kind == DeviceKind::Loopback;
    let mac_set = matches!(new.kind, DeviceKind::Bridge(_)) && new.mac.is_some();
    let mac = new.mac.unwrap_or_else(|| if loopback { Mac::ZERO } else { made_up_mac(id.0, index, &new.name) });
    let is_bridge = matches!(new.kind, DeviceKind::Bridge(_));
    let device = Device {
        index,
        name: new.name,
        attach: new.attach,
        mac,
        mac_set,
        mtu: new.mtu.unwrap_or(if loopback { 65_536 } else { 1_500 }),
        up: false,
        carrier: new.carrier,
        master: IfIndex::NONE,
        port: BridgePort::default(),
        addrs: Vec::new(),
        addrs6: Vec::new(),
        inet6: Inet6 { conf: config.sysctl.conf6_default.clone(), neigh: config.sysctl.neigh6_default.clone(), ready: false },
        conf: config.sysctl.conf_default.clone(),
        neigh: config.sysctl.neigh_default.clone(),
        stack: Stack::default(),
        flags: IfFlags { noarp: new.kind.begins_without_arp(), ..IfFlags::default() },
        kind: new.kind,
        source,
    };
    config.devices.insert(device);
    if is_bridge {
        ns.fdb.insert(index, crate::linux::fdb::Fdb::default());
        if mac_set {
            bridge::add_local(ns, index, index, mac, source);
        }
    }
    Ok(index)
}

/// The checks of [`add_device`], without making anything.
///
/// # Errors
/// As [`add_device`].
pub fn check_new(config: &Config, new: &NewDevice) -> Result<(), OpError> {
    check_name(&new.name)?;
    if config.devices.by_name(&new.name).is_some() {
        return Err(OpError::errno(Errno::EEXIST));
    }
    if let Some(mac) = new.mac
        && new.kind != DeviceKind::Loopback
        && new.kind.has_link_header()
    {
        check_mac(mac)?;
    }
    new.mtu.map_or(Ok(()), |mtu| check_mtu(&new.kind, mtu))
}

/// Makes `lo` in a new namespace: index 1, down. It gets 127.0.0.1/8 when it is switched on.
pub fn loopback(ns: &mut Netns) {
    if ns.config.devices.get(IfIndex(1)).is_none() {
        let new = NewDevice { attach: Attach::Loopback, ..NewDevice::new("lo", DeviceKind::Loopback) };
        // The name and the values are fixed and fit; a namespace that has a `lo` elsewhere keeps it.
        let _ = add_device(ns, new, Source::Kernel);
    }
}

/// Takes a device out of its namespace: it goes down, leaves its bridge, loses its addresses, routes and neighbours.
/// The ports of a bridge are released. The other end of a veth is not touched.
pub fn take_device(ns: &mut Netns, index: IfIndex, at: Time) -> (Option<Device>, Vec<Request>) {
    let mut requests = Requests::new();
    let Some(d) = ns.config.devices.get(index) else {
        return (None, requests);
    };
    if let DeviceKind::Bridge(b) = &d.kind {
        for port in b.ports.clone() {
            bridge::release(ns, port, at, &mut requests);
        }
    }
    bridge::release(ns, index, at, &mut requests);
    switch(ns, index, false, at, &mut requests);
    addr::forget_all(ns, index, at);
    addr6::forget(ns, index);
    route::device_gone(ns, index, route::Down::Unregister);
    forget_neighbours(ns, index, true, &mut requests);
    for above in super::vxlan::above(&ns.config, index) {
        requests.extend(take_device(ns, above, at).1);
    }
    ns.fdb.remove(&index);
    ns.vxlan.remove(&index);
    ns.tunnel_seq.forget(index);
    ns.sockets.detach_tun(index);
    let device = ns.config_mut().devices.remove(index);
    (device, requests)
}

/// Puts a device that was taken elsewhere into this namespace, under `name` if one is given: down, with the switches of
/// `conf.default`.
///
/// # Errors
/// EEXIST if the name is taken here, or what the kernel says of a bad name.
pub fn put_device(ns: &mut Netns, mut device: Device, name: Option<Arc<str>>) -> Result<IfIndex, OpError> {
    let name = name.unwrap_or_else(|| device.name.clone());
    check_name(&name)?;
    if ns.config.devices.by_name(&name).is_some() {
        return Err(OpError::errno(Errno::EEXIST));
    }
    let config = ns.config_mut();
    if device.index < config.devices.next_index() {
        device.index = config.devices.next_index();
    }
    device.name = name;
    device.up = false;
    device.conf = config.sysctl.conf_default.clone();
    device.neigh = config.sysctl.neigh_default.clone();
    device.master = IfIndex::NONE;
    device.addrs.clear();
    device.addrs6.clear();
    device.inet6 = Inet6 { conf: config.sysctl.conf6_default.clone(), neigh: config.sysctl.neigh6_default.clone(), ready: false };
    let index = device.index;
    if let DeviceKind::Bridge(b) = &mut device.kind {
        **b = BridgeConfig { ports: Vec::new(), ..(**b).clone() };
        ns.fdb.insert(index, crate::linux::fdb::Fdb::default());
    }
    ns.config_mut().devices.insert(device);
    Ok(index)
}

/// Forgets the neighbours of a link; packets that waited are handed to the engine.
pub(super) fn forget_neighbours(ns: &mut Netns, index: IfIndex, permanent_too: bool, requests: &mut Requests) {
    let waiting = ns.neigh.flush_device(index, permanent_too);
    if !waiting.is_empty() {
        requests.push(Request::Free(waiting));
    }
    let waiting = ns.neigh6.flush_device(index, permanent_too);
    if !waiting.is_empty() {
        requests.push(Request::Free(waiting));
    }
}

/// Switches a device on or off (IFF_UP), with all that follows in this namespace.
pub(super) fn switch(ns: &mut Netns, index: IfIndex, up: bool, at: Time, requests: &mut Requests) {
    let Some(d) = ns.config.devices.get(index).filter(|d| d.up != up) else { return };
    let (attach, kind_is_loopback) = (d.attach, d.kind == DeviceKind::Loopback);
    if let DeviceKind::Vxlan(v) = &d.kind {
        ns.sockets.set_encap(v.dst_port, up);
        if !up && let Some(fdb) = ns.vxlan.get_mut(&index) {
            fdb.forget_learned();
        }
    }
    if let Some(d) = ns.config_mut().devices.get_mut(index) {
        d.up = up;
    }
    if up {
        if kind_is_loopback {
            addr::loopback_up(ns, index);
        }
        route::device_up(ns, index);
    } else {
        route::device_gone(ns, index, route::Down::Switched);
        forget_neighbours(ns, index, true, requests);
        // pneigh_ifdown
        ns.neigh.proxies.retain(|(dev, _)| *dev != index);
        ns.neigh.proxied.retain(|p| p.dev != index);
        // Flows that were masqueraded by way of it cannot go on (masq_device_event).
        ns.conntrack.delete_masqueraded(index, None, at);
    }
    match attach {
        Attach::Veth { netns, index: peer } if netns == ns.id => {
            let both = up && ns.config.devices.get(peer).is_some_and(|p| p.up);
            requests.extend(set_carrier(ns, index, both, at));
            requests.extend(set_carrier(ns, peer, both, at));
        }
        Attach::Veth { .. } | Attach::Wire(_) => requests.push(Request::Carrier { dev: index }),
        Attach::None | Attach::Loopback | Attach::Lower { .. } => {}
    }
    addr6::changed(ns, index, requests);
    bridge::switched(ns, index, at, requests);
    bridge::port_changed(ns, index, at, requests);
    if up {
        notify(ns, index, requests);
    }
}

/// `arp_notify`: the device tells its neighbours about itself.
pub(super) fn notify(ns: &Netns, index: IfIndex, requests: &mut Requests) {
    let all = ns.config.sysctl.conf_all.arp_notify;
    if ns.config.devices.get(index).is_some_and(|d| d.up && !d.addrs.is_empty() && (all || d.conf.arp_notify)) {
        requests.push(Request::Garp { dev: index });
    }
}

/// The other end of a device came up or went down (netif_carrier_on, netif_carrier_off): without carrier the neighbours that are
/// not permanent are forgotten, and a bridge forgets what it learned behind the port.
pub fn set_carrier(ns: &mut Netns, index: IfIndex, carrier: bool, at: Time) -> Vec<Request> {
    let mut requests = Requests::new();
    if ns.config.devices.get(index).is_none_or(|d| d.carrier == carrier) {
        return requests;
    }
    if let Some(d) = ns.config_mut().devices.get_mut(index) {
        d.carrier = carrier;
    }
    let evicts = ns.config.sysctl.conf_all.arp_evict_nocarrier && ns.config.devices.get(index).is_some_and(|d| d.conf.arp_evict_nocarrier);
    if !carrier && evicts {
        forget_neighbours(ns, index, false, &mut requests);
    }
    addr6::changed(ns, index, &mut requests);
    let master = ns.config.devices.get(index).map_or(IfIndex::NONE, |d| d.master);
    if master.is_some() {
        addr6::changed(ns, master, &mut requests);
    }
    bridge::port_changed(ns, index, at, &mut requests);
    requests
}
