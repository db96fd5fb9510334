//! `bridge fdb … dst`: the endpoints of tunnel devices.
//!
//! Models: iproute2 6.1 bridge/fdb.c fdb_modify, print_fdb; drivers/net/vxlan/vxlan_core.c vxlan_fdb_info.

use crate::linux::config::Config;
use crate::linux::device::{Device, DeviceKind};
use crate::linux::op::neigh::FdbKind;
use crate::linux::op::{RemoteOp, RemoteVerb};
use crate::linux::vxlan_fdb::{EntryState, Remote};
use crate::shell::lex::quote;
use std::fmt::Write as _;

/// The command of a change.
pub(super) fn print(op: &RemoteOp) -> String {
    let verb = match op.verb {
        RemoteVerb::Add => "add",
        RemoteVerb::Append => "append",
        RemoteVerb::Replace => "replace",
        RemoteVerb::Del => "del",
    };
    let mut line = format!("bridge fdb {verb} {} dev {}", op.mac, quote(&op.dev));
    if let Some(v) = op.dst {
        let _ = write!(line, " dst {v}");
    }
    if let Some(v) = op.port {
        let _ = write!(line, " port {v}");
    }
    if let Some(v) = op.vni {
        let _ = write!(line, " vni {v}");
    }
    if let Some(v) = &op.via {
        let _ = write!(line, " via {}", quote(v));
    }
    line.push_str(" self");
    if op.verb != RemoteVerb::Del {
        line.push_str(match op.kind {
            FdbKind::Permanent => " permanent",
            FdbKind::Static => " static",
            FdbKind::Dynamic => " dynamic",
        });
    }
    line
}

/// An endpoint as `bridge fdb show` prints it behind address and device.
pub fn row(config: &Config, device: &Device, remote: &Remote, state: EntryState) -> String {
    let mut out = format!("dst {}", remote.addr);
    if let DeviceKind::Vxlan(v) = &device.kind {
        if remote.port != 0 && remote.port != v.dst_port {
            let _ = write!(out, " port {}", remote.port);
        }
        if remote.vni != v.vni {
            let _ = write!(out, " vni {}", remote.vni);
        }
    }
    if remote.via.is_some() {
        let _ = write!(out, " via {}", config.devices.name(remote.via));
    }
    out.push_str(match state {
        EntryState::Permanent => " self permanent",
        EntryState::Static => " self static",
        EntryState::Dynamic => " self ",
    });
    out
}
