//! Bridges and their ports: joining, leaving, and what a bridge takes over from its ports.
//!
//! Models: net/bridge/br_if.c br_add_if, del_nbp, br_mtu_auto_adjust; net/bridge/br_stp_if.c br_stp_recalculate_bridge_id,
//! br_port_state_selection; net/bridge/br_fdb.c br_fdb_change_mac_address, fdb_delete_local.
//! Simplifies: STP is off, so a port forwards as soon as it is up with carrier.

use super::device::{forget_neighbours, notify, set_carrier};
use super::{OpError, Requests};
use crate::linux::device::{BridgeConfig, BridgePort, BridgeVlans, DeviceKind};
use crate::linux::errno::Errno;
use crate::linux::fdb::FdbEntry;
use crate::linux::id::{IfIndex, Source};
use crate::linux::netns::Netns;
use crate::linux::op::BridgeVlanOp;
use crate::linux::time::Time;
use crate::packet::Mac;

fn config_of(ns: &Netns, bridge: IfIndex) -> Option<&BridgeConfig> {
    match &ns.config.devices.get(bridge)?.kind {
        DeviceKind::Bridge(b) => Some(b),
        _ => None,
    }
}

pub(super) fn config_mut(ns: &mut Netns, bridge: IfIndex) -> Option<&mut BridgeConfig> {
    match &mut ns.config_mut().devices.get_mut(bridge)?.kind {
        DeviceKind::Bridge(b) => Some(b),
        _ => None,
    }
}

/// Makes `port` a port of `bridge`.
pub(super) fn enslave(
    ns: &mut Netns,
    port: IfIndex,
    bridge: IfIndex,
    at: Time,
    source: Source,
    requests: &mut Requests,
) -> Result<(), OpError> {
    let devices = &ns.config.devices;
    let Some(p) = devices.get(port) else { return Err(OpError::errno(Errno::ENODEV)) };
    if p.master == bridge {
        return Ok(());
    }
    if config_of(ns, bridge).is_none() {
        return Err(OpError::errno(Errno::EOPNOTSUPP));
    }
    match p.kind {
        DeviceKind::Loopback => return Err(OpError::errno(Errno::EINVAL)),
        DeviceKind::Bridge(_) => return Err(OpError::ext(Errno::ELOOP, "Can not enslave a bridge to a bridge")),
        _ => {}
    }
    let mac = p.mac;
    release(ns, port, at, requests);
    if let Some(b) = config_mut(ns, bridge) {
        b.ports.insert(0, port);
    }
    let default_pvid = config_of(ns, bridge).map_or(0, |b| b.default_pvid);
    if let Some(p) = ns.config_mut().devices.get_mut(port) {
        p.master = bridge;
        p.port = BridgePort { vlans: BridgeVlans::with_default(default_pvid), ..BridgePort::default() };
    }
    add_local(ns, bridge, port, mac, source);
    recalculate_mac(ns, bridge, requests);
    adjust_mtu(ns, bridge, at, requests);
    port_changed(ns, port, at, requests);
    Ok(())
}

/// Takes `port` out of its bridge, if it is in one.
pub(super) fn release(ns: &mut Netns, port: IfIndex, at: Time, requests: &mut Requests) {
    let Some(bridge) = ns.config.devices.get(port).map(|p| p.master).filter(|m| m.is_some()) else { return };
    if let Some(b) = config_mut(ns, bridge) {
        b.ports.retain(|p| *p != port);
    }
    if let Some(p) = ns.config_mut().devices.get_mut(port) {
        p.master = IfIndex::NONE;
        p.port = BridgePort::default();
    }
    let gone: Vec<(Mac, FdbEntry)> = entries(ns, bridge).into_iter().filter(|(_, e)| e.port == port).collect();
    for (mac, entry) in gone {
        remove_or_hand_over(ns, bridge, mac, entry);
    }
    recalculate_mac(ns, bridge, requests);
    adjust_mtu(ns, bridge, at, requests);
    select_carrier(ns, bridge, at, requests);
}

fn entries(ns: &Netns, bridge: IfIndex) -> Vec<(Mac, FdbEntry)> {
    ns.fdb.get(&bridge).map(|f| f.sorted()).unwrap_or_default()
}

/// Takes an entry out. A local one passes to another port, or to the bridge itself, that has the same address.
fn remove_or_hand_over(ns: &mut Netns, bridge: IfIndex, mac: Mac, entry: FdbEntry) {
    let heir = if entry.local {
        let ports = config_of(ns, bridge).map(|b| b.ports.clone()).unwrap_or_default();
        let devices = &ns.config.devices;
        ports
            .into_iter()
            .find(|p| *p != entry.port && devices.get(*p).is_some_and(|d| d.mac == mac))
            .or_else(|| (entry.port != bridge && devices.get(bridge).is_some_and(|d| d.mac == mac)).then_some(bridge))
    } else {
        None
    };
    if let Some(fdb) = ns.fdb.get_mut(&bridge) {
        match heir {
            Some(port) => fdb.insert(mac, FdbEntry { port, ..entry }),
            None => fdb.remove(mac, entry.vlan),
        };
    }
}

/// Adds the entry of an own address, unless there is a local one already (fdb_add_local).
pub(super) fn add_local(ns: &mut Netns, bridge: IfIndex, port: IfIndex, mac: Mac, source: Source) {
    if !mac.is_valid() {
        return;
    }
    if let Some(fdb) = ns.fdb.get_mut(&bridge)
        && fdb.get(mac).is_none_or(|e| !e.local)
    {
        fdb.insert(mac, FdbEntry { port, vlan: 0, updated: Time::ZERO, local: true, fixed: true, born: 0, source });
    }
}

/// The hardware address of a port changed (br_fdb_changeaddr).
pub(super) fn port_mac_changed(ns: &mut Netns, port: IfIndex, old: Mac, source: Source, requests: &mut Requests) {
    let Some(p) = ns.config.devices.get(port).filter(|p| p.master.is_some()) else { return };
    let (bridge, mac) = (p.master, p.mac);
    let entry = ns.fdb.get(&bridge).and_then(|f| f.get(old)).copied().filter(|e| e.local && e.port == port);
    if let Some(entry) = entry {
        remove_or_hand_over(ns, bridge, old, entry);
    }
    add_local(ns, bridge, port, mac, source);
    recalculate_mac(ns, bridge, requests);
}

/// Gives the bridge itself a hardware address (br_stp_change_bridge_id).
pub(super) fn set_mac(ns: &mut Netns, bridge: IfIndex, mac: Mac, source: Source, requests: &mut Requests) {
    let Some(old) = ns.config.devices.get(bridge).map(|d| d.mac).filter(|m| *m != mac) else { return };
    if let Some(d) = ns.config_mut().devices.get_mut(bridge) {
        d.mac = mac;
    }
    let entry = ns.fdb.get(&bridge).and_then(|f| f.get(old)).copied().filter(|e| e.local && e.port == bridge);
    if let Some(entry) = entry {
        remove_or_hand_over(ns, bridge, old, entry);
    }
    add_local(ns, bridge, bridge, mac, source);
    forget_neighbours(ns, bridge, true, requests);
    notify(ns, bridge, requests);
}

/// A bridge that was given no address takes the lowest of its ports'; without ports, that of all zeros.
fn recalculate_mac(ns: &mut Netns, bridge: IfIndex, requests: &mut Requests) {
    let Some(b) = config_of(ns, bridge) else { return };
    let devices = &ns.config.devices;
    if devices.get(bridge).is_none_or(|d| d.mac_set) {
        return;
    }
    let lowest = b.ports.iter().filter_map(|p| devices.get(*p)).map(|p| p.mac).min().unwrap_or(Mac::ZERO);
    set_mac(ns, bridge, lowest, Source::Kernel, requests);
}

/// A bridge that was given no MTU takes the smallest of its ports'; without ports, 1500.
pub(super) fn adjust_mtu(ns: &mut Netns, bridge: IfIndex, at: Time, requests: &mut Requests) {
    let Some(b) = config_of(ns, bridge).filter(|b| !b.mtu_set) else { return };
    let devices = &ns.config.devices;
    let mtu = b.ports.iter().filter_map(|p| devices.get(*p)).map(|p| p.mtu).min().unwrap_or(1_500);
    super::link::write_mtu(ns, bridge, mtu, at, requests);
}

/// A port was switched, or gained or lost its carrier. What was learned behind a port that no longer forwards is forgotten.
pub(super) fn port_changed(ns: &mut Netns, port: IfIndex, at: Time, requests: &mut Requests) {
    let Some(p) = ns.config.devices.get(port).filter(|p| p.master.is_some()) else { return };
    let bridge = p.master;
    if !p.is_running() {
        forget_learned(ns, bridge, port);
    } else if at != Time::ZERO
        && let Some(p) = ns.config_mut().devices.get_mut(port)
    {
        p.port.since = at;
    }
    select_carrier(ns, bridge, at, requests);
}

fn forget_learned(ns: &mut Netns, bridge: IfIndex, port: IfIndex) {
    if let Some(fdb) = ns.fdb.get_mut(&bridge) {
        fdb.forget_learned(port);
    }
}

/// The bridge itself was switched (br_stp_enable_bridge, br_stp_disable_bridge).
pub(super) fn switched(ns: &mut Netns, bridge: IfIndex, at: Time, requests: &mut Requests) {
    let Some(b) = config_of(ns, bridge).filter(|b| !b.ports.is_empty()) else { return };
    let ports = b.ports.clone();
    if ns.config.devices.get(bridge).is_some_and(|d| !d.up) {
        for port in ports {
            forget_learned(ns, bridge, port);
        }
    }
    select_carrier(ns, bridge, at, requests);
}

/// The carrier of a bridge: whether it has a port that forwards.
fn select_carrier(ns: &mut Netns, bridge: IfIndex, at: Time, requests: &mut Requests) {
    let Some(b) = config_of(ns, bridge) else { return };
    let devices = &ns.config.devices;
    let up = devices.get(bridge).is_some_and(|d| d.up);
    let live = up && b.ports.iter().any(|p| devices.get(*p).is_some_and(|d| d.is_running()));
    requests.extend(set_carrier(ns, bridge, live, at));
}

/// `vlan_default_pvid N`: the old default VLAN is left and the new one entered by all that were not set otherwise
/// (__br_vlan_set_default_pvid).
pub(super) fn set_default_pvid(ns: &mut Netns, bridge: IfIndex, pvid: u16) -> Result<(), OpError> {
    let Some(b) = config_of(ns, bridge) else { return Err(OpError::errno(Errno::EOPNOTSUPP)) };
    if pvid >= 4095 {
        return Err(OpError::errno(Errno::EINVAL));
    }
    let (old, ports) = (b.default_pvid, b.ports.clone());
    if old == pvid {
        return Ok(());
    }
    let change = |v: &mut BridgeVlans| {
        if (old == 0 || v.is_default(old)) && !v.contains(pvid) {
            if pvid != 0 {
                v.add(pvid, true, true);
            }
            if old != 0 {
                v.remove(old);
            }
        }
    };
    if let Some(b) = config_mut(ns, bridge) {
        b.default_pvid = pvid;
        change(&mut b.vlans);
    }
    for port in ports {
        if let Some(p) = ns.config_mut().devices.get_mut(port) {
            change(&mut p.port.vlans);
        }
    }
    Ok(())
}

/// `bridge vlan add|del` (br_process_vlan_info).
pub(super) fn vlan(ns: &mut Netns, op: &BridgeVlanOp) -> Result<(), OpError> {
    let index = super::find(ns, &op.dev)?;
    let Some(d) = ns.config.devices.get(index) else { return Err(OpError::errno(Errno::ENODEV)) };
    let own = matches!(d.kind, DeviceKind::Bridge(_));
    // of a bridge's own device only with `self`, of a port only without
    if own != op.own || (!own && !d.master.is_some()) {
        return Err(OpError::errno(Errno::EOPNOTSUPP));
    }
    if op.add && op.pvid && op.first != op.last {
        return Err(OpError::errno(Errno::EINVAL));
    }
    let bridge = if own { index } else { d.master };
    for vid in op.first..=op.last {
        let vlans = match own {
            true => config_mut(ns, bridge).map(|b| &mut b.vlans),
            false => ns.config_mut().devices.get_mut(index).map(|d| &mut d.port.vlans),
        };
        let Some(vlans) = vlans else { return Ok(()) };
        if op.add {
            vlans.add(vid, op.pvid, op.untagged);
        } else if vlans.remove(vid)
            && let Some(fdb) = ns.fdb.get_mut(&bridge)
        {
            fdb.forget_vlan(index, vid);
        }
    }
    Ok(())
}
