//! `bridge fdb`.
//!
//! Models: net/core/rtnetlink.c rtnl_fdb_add, rtnl_fdb_del; net/bridge/br_fdb.c fdb_add_entry, br_fdb_delete.

use super::{OpError, find};
use crate::linux::device::DeviceKind;
use crate::linux::errno::Errno;
use crate::linux::fdb::FdbEntry;
use crate::linux::id::{IfIndex, Source};
use crate::linux::netns::Netns;
use crate::linux::op::FdbOp;
use crate::linux::op::neigh::FdbKind;
use crate::linux::time::Time;
use crate::packet::Mac;

/// The bridge whose table a command means: that of a port with `master`, or the bridge itself.
fn bridge_of(ns: &Netns, index: IfIndex, master: bool) -> Result<IfIndex, OpError> {
    let Some(d) = ns.config.devices.get(index) else { return Err(OpError::errno(Errno::ENODEV)) };
    match d.kind {
        DeviceKind::Bridge(_) if !master => Ok(index),
        _ if master && d.master.is_some() => Ok(d.master),
        _ if master => Err(OpError::errno(Errno::EOPNOTSUPP)),
        DeviceKind::Loopback => Err(OpError::ext(Errno::EINVAL, "FDB add only supported for Ethernet devices")),
        _ => Err(OpError::not_simulated("the address list of a device itself; write `master` for the table of its bridge")),
    }
}

pub(super) fn apply(ns: &mut Netns, op: &FdbOp, at: Time, source: Source) -> Result<(), OpError> {
    match op {
        FdbOp::Remote(o) => super::vxlan::fdb(ns, o, at, source),
        FdbOp::Set { dev, mac, kind, replace, master, vlan } => {
            let index = find(ns, dev)?;
            let bridge = bridge_of(ns, index, *master)?;
            if *mac == Mac::ZERO {
                return Err(OpError::errno(Errno::EINVAL));
            }
            let running = ns.config.devices.get(index).is_some_and(|d| d.is_running());
            let live = running && ns.config.devices.get(bridge).is_some_and(|b| b.up);
            if *kind == FdbKind::Dynamic && index != bridge && !live {
                return Err(OpError::errno(Errno::EPERM));
            }
            // Entries of the bridge itself are always its own.
            let local = *kind == FdbKind::Permanent || index == bridge;
            let entry = FdbEntry {
                port: index,
                vlan: vlan.unwrap_or(0),
                updated: at,
                local,
                fixed: local || *kind == FdbKind::Static,
                born: 0,
                source,
            };
            let Some(fdb) = ns.fdb.get_mut(&bridge) else { return Err(OpError::errno(Errno::ENODEV)) };
            if fdb.get_in(*mac, entry.vlan).is_some() && !replace {
                return Err(OpError::errno(Errno::EEXIST));
            }
            fdb.insert(*mac, entry);
            if vlan.is_none() {
                // without a VLAN: in all that the port belongs to (br_fdb_add)
                let all = members(ns, index, bridge);
                if let Some(fdb) = ns.fdb.get_mut(&bridge) {
                    for vlan in all {
                        fdb.insert(*mac, FdbEntry { vlan, ..entry });
                    }
                }
            }
            Ok(())
        }
        FdbOp::Del { dev, mac, master, vlan } => {
            let index = find(ns, dev)?;
            let bridge = bridge_of(ns, index, *master)?;
            let wanted: Vec<u16> = match vlan {
                Some(v) => vec![*v],
                None => std::iter::once(0).chain(members(ns, index, bridge)).collect(),
            };
            let Some(fdb) = ns.fdb.get_mut(&bridge) else { return Err(OpError::errno(Errno::ENOENT)) };
            let mut gone = false;
            for v in wanted {
                gone |= fdb.get_in(*mac, v).is_some_and(|e| e.port == index) && fdb.remove(*mac, v).is_some();
            }
            if gone { Ok(()) } else { Err(OpError::errno(Errno::ENOENT)) }
        }
    }
}

/// The VLANs of a port, or of the bridge itself, while the bridge filters.
fn members(ns: &Netns, index: IfIndex, bridge: IfIndex) -> Vec<u16> {
    let devices = &ns.config.devices;
    let Some(DeviceKind::Bridge(b)) = devices.get(bridge).map(|d| &d.kind) else { return Vec::new() };
    if !b.vlan_filtering {
        return Vec::new();
    }
    let vlans = if index == bridge { Some(&b.vlans) } else { devices.get(index).map(|d| &d.port.vlans) };
    vlans.map(|v| v.iter().map(|(vid, _)| vid).collect()).unwrap_or_default()
}
