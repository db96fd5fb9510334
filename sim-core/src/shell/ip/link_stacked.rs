//! `ip link … type vlan|macvlan|ipvlan`: devices that stand on others.
//!
//! Models: iproute2 6.1 ip/iplink_vlan.c, ip/iplink_macvlan.c, ip/iplink_ipvlan.c.

use super::super::ShellError;
use super::super::args::Args;
use crate::linux::device::{Device, DeviceKind, IpvlanConfig, IpvlanFlag, IpvlanMode, MacvlanConfig, MacvlanMode, VlanConfig};
use crate::packet::VlanProtocol;
use std::fmt::Write as _;
use std::sync::Arc;

/// The words of `type vlan`.
pub(super) fn vlan(args: &mut Args<'_>) -> Result<VlanConfig, ShellError> {
    let mut c = VlanConfig::new(VlanProtocol::Dot1q, 0);
    let mut id = None;
    while let Some(word) = args.next() {
        match word {
            "protocol" => {
                c.protocol = match args.need()?.to_ascii_lowercase().as_str() {
                    "802.1q" => VlanProtocol::Dot1q,
                    "802.1ad" => VlanProtocol::Dot1ad,
                    _ => return Err(args.invalid("protocol is invalid")),
                }
            }
            "id" => id = Some(args.number(u64::from(u16::MAX), "id is invalid")? as u16),
            "reorder_hdr" => c.reorder_hdr = on_off(args, "reorder_hdr")?,
            "gvrp" => c.gvrp = on_off(args, "gvrp")?,
            "mvrp" => c.mvrp = on_off(args, "mvrp")?,
            "loose_binding" => c.loose_binding = on_off(args, "loose_binding")?,
            "bridge_binding" | "ingress-qos-map" | "egress-qos-map" => return Err(args.unsupported()),
            w => return Err(args.error_status(format!("vlan: unknown command \"{w}\"?"), 1)),
        }
    }
    c.id = id.ok_or_else(|| args.error_status("Error: 8021q: VLAN id not specified.", 2))?;
    Ok(c)
}

/// `on` or `off` of the words of a kind.
pub(super) fn on_off(args: &mut Args<'_>, key: &str) -> Result<bool, ShellError> {
    match args.need()? {
        "on" => Ok(true),
        "off" => Ok(false),
        w => Err(args.error_status(format!("Error: argument of \"{key}\" must be \"on\" or \"off\", not \"{w}\""), 1)),
    }
}

pub(super) fn macvlan_mode(args: &mut Args<'_>) -> Result<MacvlanMode, ShellError> {
    let w = args.need()?;
    MacvlanMode::ALL.into_iter().find(|m| m.name() == w).ok_or_else(|| {
        let modes = "\"private\", \"vepa\", \"bridge\", \"passthru\" or \"source\"";
        args.error_status(format!("Error: argument of \"mode\" must be {modes}, not \"{w}\""), 1)
    })
}

/// The words of `type macvlan`.
pub(super) fn macvlan(args: &mut Args<'_>) -> Result<MacvlanConfig, ShellError> {
    let mut c = MacvlanConfig::default();
    while let Some(word) = args.next() {
        match word {
            "mode" => c.mode = macvlan_mode(args)?,
            "flag" => match args.need()? {
                "null" => {}
                "nopromisc" => c.nopromisc = true,
                "nodst" => return Err(args.unsupported()),
                w => {
                    let flags = "\"nopromisc\" or \"null\" or \"nodst\"";
                    return Err(args.error_status(format!("Error: argument of \"flag\" must be {flags}, not \"{w}\""), 1));
                }
            },
            "macaddr" => match args.need()? {
                "add" => Arc::make_mut(&mut c.sources).push(args.lladdr()?),
                "set" => {
                    let mut all = Vec::new();
                    while !args.is_done() {
                        all.push(args.lladdr()?);
                    }
                    c.sources = Arc::new(all);
                }
                _ => return Err(args.unsupported()),
            },
            "bcqueuelen" => return Err(args.unsupported()),
            w => return Err(args.error_status(format!("macvlan: unknown option \"{w}\"?"), 1)),
        }
    }
    if c.nopromisc && c.mode != MacvlanMode::Passthru {
        return Err(args.error_status("macvlan: nopromisc flag only valid in passthru mode", 1));
    }
    Ok(c)
}

/// The words of `type ipvlan`.
pub(super) fn ipvlan(args: &mut Args<'_>) -> Result<IpvlanConfig, ShellError> {
    let mut c = IpvlanConfig::default();
    while let Some(word) = args.next() {
        match word {
            "mode" => {
                c.mode = match args.need()? {
                    "l2" => IpvlanMode::L2,
                    "l3" => IpvlanMode::L3,
                    "l3s" => IpvlanMode::L3s,
                    _ => return Err(args.error_status("Error: argument of \"mode\" must be either \"l2\", \"l3\" or \"l3s\"", 1)),
                }
            }
            "bridge" => c.flag = IpvlanFlag::Bridge,
            "private" => c.flag = IpvlanFlag::Private,
            "vepa" => c.flag = IpvlanFlag::Vepa,
            w => return Err(args.error_status(format!("ipvlan: unknown option \"{w}\"?"), 1)),
        }
    }
    Ok(c)
}

fn word(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// ` type vlan …`, as a command.
pub(super) fn print_vlan(c: &VlanConfig) -> String {
    let mut out = format!(" type vlan protocol {} id {}", c.protocol.name(), c.id);
    let usual = VlanConfig::new(c.protocol, c.id);
    for (key, v, default) in [
        ("reorder_hdr", c.reorder_hdr, usual.reorder_hdr),
        ("gvrp", c.gvrp, usual.gvrp),
        ("mvrp", c.mvrp, usual.mvrp),
        ("loose_binding", c.loose_binding, usual.loose_binding),
    ] {
        if v != default {
            let _ = write!(out, " {key} {}", word(v));
        }
    }
    out
}

/// ` type macvlan …`, as a command.
pub(super) fn print_macvlan(c: &MacvlanConfig) -> String {
    let mut out = format!(" type macvlan mode {}", c.mode.name());
    if c.nopromisc {
        out.push_str(" flag nopromisc");
    }
    for mac in c.sources.iter() {
        let _ = write!(out, " macaddr add {mac}");
    }
    out
}

/// ` type ipvlan …`, as a command.
pub(super) fn print_ipvlan(c: IpvlanConfig) -> String {
    format!(" type ipvlan mode {} {}", c.mode.name(), c.flag.name())
}

/// What `ip -d link` says of such a device.
pub(super) fn details(d: &Device) -> Option<String> {
    Some(match &d.kind {
        DeviceKind::Vlan(c) => {
            let mut flags: Vec<&str> = Vec::new();
            for (name, on) in [("REORDER_HDR", c.reorder_hdr), ("GVRP", c.gvrp), ("MVRP", c.mvrp), ("LOOSE_BINDING", c.loose_binding)] {
                if on {
                    flags.push(name);
                }
            }
            let flags = if flags.is_empty() { String::new() } else { format!("<{}> ", flags.join(",")) };
            format!("vlan protocol {} id {} {flags}", c.protocol.name(), c.id)
        }
        DeviceKind::Macvlan(c) => {
            let mut out = format!("macvlan mode {} ", c.mode.name());
            if c.nopromisc {
                out.push_str("nopromisc ");
            }
            out.push_str("bcqueuelen 1000 usedbcqueuelen 1000 ");
            if !c.sources.is_empty() {
                let _ = write!(out, "remotes ({}) ", c.sources.len());
                for mac in c.sources.iter() {
                    let _ = write!(out, "{mac} ");
                }
            }
            out
        }
        DeviceKind::Ipvlan(c) => format!("ipvlan  mode {} {} ", c.mode.name(), c.flag.name()),
        _ => return None,
    })
}
