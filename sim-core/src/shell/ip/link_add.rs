//! `ip link add`: new devices.
//!
//! Models: iproute2 6.1 ip/iplink.c iplink_parse, ip/iplink_bridge.c, ip/link_veth.c.

use super::super::args::Args;
use super::super::lex::quote;
use super::super::{Command, OpIn, ShellError};
use super::link::{self, bridge_words, mtu, netns_of};
use super::link_stacked;
use super::{ip_tunnel, vxlan};
use crate::linux::Op;
use crate::linux::device::IpTunnelMode;
use crate::linux::op::{BridgeSet, LinkKind, LinkOp, LinkSet, NewLink};
use crate::packet::{Mac, VlanProtocol};
use std::fmt::Write as _;
use std::sync::Arc;

/// What is said of a device before its type, or of a veth's other end.
#[derive(Default)]
struct Said {
    name: Option<Arc<str>>,
    mac: Option<Mac>,
    mtu: Option<u32>,
    netns: Option<Arc<str>>,
    up: Option<bool>,
    master: Option<Arc<str>>,
    link: Option<Arc<str>>,
    flags: LinkSet,
    kind: Option<String>,
}

const UNSUPPORTED: &[&str] = &[
    "broadcast",
    "brd",
    "txqueuelen",
    "txqlen",
    "qlen",
    "index",
    "gso_max_size",
    "gso_max_segs",
    "alias",
    "group",
    "vf",
    "addrgenmode",
    "link-netns",
    "link-netnsid",
];

fn said(args: &mut Args<'_>) -> Result<Said, ShellError> {
    let mut s = Said::default();
    while let Some(word) = args.next() {
        match word {
            "up" => s.up = Some(true),
            "down" => s.up = Some(false),
            "mtu" => s.mtu = Some(mtu(args, s.mtu)?),
            "netns" => s.netns = Some(netns_of(args)?),
            "master" => s.master = Some(args.need()?.into()),
            "address" | "addr" | "addre" | "addres" => s.mac = Some(args.lladdr()?),
            "type" => {
                s.kind = Some(args.need()?.to_owned());
                break;
            }
            "link" => s.link = Some(args.need()?.into()),
            // a device has one queue here, however many it is given
            "numtxqueues" | "numrxqueues" => {
                let why = if word == "numtxqueues" { "Invalid \"numtxqueues\" value" } else { "Invalid \"numrxqueues\" value" };
                args.number(u64::from(u32::MAX), why)?;
            }
            w if link::flag(args, w, &mut s.flags)? => {}
            w if UNSUPPORTED.contains(&w) => return Err(args.unsupported()),
            w => {
                let key = if w == "name" { "name" } else { "dev" };
                if w == "dev" || w == "name" {
                    args.need()?;
                }
                if s.name.is_some() {
                    return Err(args.garbage("dev"));
                }
                args.back();
                s.name = Some(args.ifname(key)?);
            }
        }
    }
    Ok(s)
}

/// Kinds that real hosts have.
const KINDS: &[&str] = &[
    "amt",
    "bareudp",
    "batadv",
    "bond",
    "bond_slave",
    "can",
    "dsa",
    "erspan",
    "geneve",
    "gtp",
    "hsr",
    "ifb",
    "ip6erspan",
    "ip6gre",
    "ip6gretap",
    "ip6tnl",
    "ipoib",
    "ipvtap",
    "lowpan",
    "macsec",
    "macvtap",
    "netdevsim",
    "netkit",
    "nlmon",
    "rmnet",
    "sit",
    "team",
    "vcan",
    "vrf",
    "vti",
    "vxcan",
    "wireguard",
    "wwan",
    "xfrm",
];

pub(super) fn parse(args: &mut Args<'_>) -> Result<Command, ShellError> {
    let s = said(args)?;
    let Some(kind) = s.kind.as_deref() else {
        let mut e = args.end("Not enough information: \"type\" argument is required");
        e.status = 1;
        return Err(e);
    };
    if s.netns.is_some() {
        return Err(args.not_simulated("`netns` before the type: write `ip -n NETNS link add …`"));
    }
    let below = |args: &Args<'_>| {
        let missing = if kind == "vlan" { "Error: 8021q: link not specified." } else { "RTNETLINK answers: Invalid argument" };
        s.link.clone().ok_or_else(|| args.error_status(missing, 2))
    };
    let kind = match kind {
        "vlan" => LinkKind::Vlan { config: link_stacked::vlan(args)?, link: below(args)? },
        "macvlan" => LinkKind::Macvlan { config: link_stacked::macvlan(args)?, link: below(args)? },
        "ipvlan" => LinkKind::Ipvlan { config: link_stacked::ipvlan(args)?, link: below(args)? },
        _ if s.link.is_some() => return Err(args.not_simulated("`link` for a device that does not stand on another")),
        "dummy" => LinkKind::Dummy,
        "ipip" => LinkKind::IpTunnel(Box::new(ip_tunnel::parse(args, IpTunnelMode::Ipip)?)),
        "gre" => LinkKind::IpTunnel(Box::new(ip_tunnel::parse(args, IpTunnelMode::Gre)?)),
        "gretap" => LinkKind::IpTunnel(Box::new(ip_tunnel::parse(args, IpTunnelMode::Gretap)?)),
        "tun" => return Err(args.error_status("Error: tun/tap creation via rtnetlink is not supported.", 2)),
        "vxlan" => LinkKind::Vxlan(Box::new(vxlan::parse(args, true)?)),
        "bridge" => LinkKind::Bridge(bridge(args)?),
        "veth" => veth(args)?,
        k if KINDS.contains(&k) => return Err(args.not_simulated(format_args!("devices of type `{k}`"))),
        _ => return Err(args.error_status("Error: Unknown device type.", 2)),
    };
    args.done("type")?;
    let Some(name) = s.name else {
        return Err(args.not_simulated("a device without a name of its own"));
    };
    let mut ops = vec![Op::Link(LinkOp::Add(NewLink { name: name.clone(), mac: s.mac, mtu: s.mtu, kind }))];
    let set = LinkSet { up: s.up, master: s.master.map(Some), ..s.flags };
    if set != LinkSet::default() {
        ops.push(Op::Link(LinkOp::Set { dev: name, set }));
    }
    Ok(Command::Ops(ops.into_iter().map(|op| OpIn { netns: None, op }).collect()))
}

fn veth(args: &mut Args<'_>) -> Result<LinkKind, ShellError> {
    if !args.take("peer") {
        return match args.next() {
            None => Err(args.not_simulated("a veth whose other end has no name: write `peer name NAME`")),
            Some(_) => {
                Err(args.error_status("Usage: ip link <options> type veth [peer <options>]\nTo get <options> type 'ip link add help'", 1))
            }
        };
    }
    let s = said(args)?;
    if s.kind.is_some() || s.up.is_some() || s.master.is_some() || s.link.is_some() || s.flags != LinkSet::default() {
        return Err(args.not_simulated("`up`, `master` and `type` of the other end: write a command of its own"));
    }
    let Some(peer) = s.name else {
        return Err(args.not_simulated("a veth whose other end has no name: write `peer name NAME`"));
    };
    Ok(LinkKind::Veth { peer, peer_mtu: s.mtu, peer_mac: s.mac, peer_netns: s.netns })
}

/// The words of `type bridge`.
pub(super) fn bridge(args: &mut Args<'_>) -> Result<BridgeSet, ShellError> {
    let mut set = BridgeSet::default();
    while let Some(word) = args.next() {
        let mut flag = |why: &str| args.number(255, why).map(|v| Some(v != 0));
        match word {
            "vlan_filtering" => set.vlan_filtering = flag("invalid vlan_filtering")?,
            "mcast_snooping" => set.mcast_snooping = flag("invalid mcast_snooping")?,
            "stp_state" => set.stp_state = flag("invalid stp_state")?,
            "ageing_time" => set.ageing_time = Some(args.number(u64::from(u32::MAX), "invalid ageing_time")? as u32),
            "vlan_protocol" => {
                set.vlan_protocol = Some(match args.need()?.to_ascii_lowercase().as_str() {
                    "802.1q" => VlanProtocol::Dot1q,
                    "802.1ad" => VlanProtocol::Dot1ad,
                    _ => return Err(args.invalid("invalid vlan_protocol")),
                });
            }
            "vlan_default_pvid" => set.vlan_default_pvid = Some(args.number(u64::from(u16::MAX), "invalid vlan_default_pvid")? as u16),
            "group_fwd_mask" => set.group_fwd_mask = Some(args.number(u64::from(u16::MAX), "invalid group_fwd_mask")? as u16),
            "forward_delay"
            | "hello_time"
            | "max_age"
            | "priority"
            | "group_address"
            | "no_linklocal_learn"
            | "vlan_stats_enabled"
            | "vlan_stats_per_port"
            | "mcast_vlan_snooping"
            | "mcast_router"
            | "mcast_query_use_ifaddr"
            | "mcast_querier"
            | "mcast_hash_elasticity"
            | "mcast_hash_max"
            | "mcast_last_member_count"
            | "mcast_startup_query_count"
            | "mcast_last_member_interval"
            | "mcast_membership_interval"
            | "mcast_querier_interval"
            | "mcast_query_interval"
            | "mcast_query_response_interval"
            | "mcast_startup_query_interval"
            | "mcast_stats_enabled"
            | "mcast_igmp_version"
            | "mcast_mld_version"
            | "nf_call_iptables"
            | "nf_call_ip6tables"
            | "nf_call_arptables"
            | "fdb_flush" => {
                return Err(args.unsupported());
            }
            w => return Err(args.error_status(format!("bridge: unknown command \"{w}\"?"), 1)),
        }
    }
    Ok(set)
}

/// The command that makes a device.
pub(super) fn print(new: &NewLink) -> String {
    if let LinkKind::Tun(mode) = new.kind {
        return format!("ip tuntap add dev {} mode {}", quote(&new.name), mode.name());
    }
    let below = match &new.kind {
        LinkKind::Vlan { link, .. } | LinkKind::Macvlan { link, .. } | LinkKind::Ipvlan { link, .. } => format!(" link {}", quote(link)),
        _ => String::new(),
    };
    // a word that is too long for a name is taken, and refused later, only where `name` does not announce it
    let key = if new.name.len() > 15 { "" } else { "name " };
    let mut line = format!("ip link add{below} {key}{}", quote(&new.name));
    if let Some(v) = new.mtu {
        let _ = write!(line, " mtu {v}");
    }
    if let Some(v) = new.mac {
        let _ = write!(line, " address {v}");
    }
    match &new.kind {
        LinkKind::Dummy => line.push_str(" type dummy"),
        LinkKind::Vlan { config, .. } => line.push_str(&link_stacked::print_vlan(config)),
        LinkKind::Macvlan { config, .. } => line.push_str(&link_stacked::print_macvlan(config)),
        LinkKind::Ipvlan { config, .. } => line.push_str(&link_stacked::print_ipvlan(*config)),
        // said above
        LinkKind::Tun(_) => {}
        LinkKind::IpTunnel(set) => {
            let _ = write!(line, " type {}{}", set.mode.name(), ip_tunnel::words(set));
        }
        LinkKind::Vxlan(set) => {
            let _ = write!(line, " type vxlan{}", vxlan::words(set));
        }
        LinkKind::Bridge(set) => {
            let _ = write!(line, " type bridge{}", bridge_words(set));
        }
        LinkKind::Veth { peer, peer_mtu, peer_mac, peer_netns } => {
            let _ = write!(line, " type veth peer name {}", quote(peer));
            if let Some(v) = peer_mtu {
                let _ = write!(line, " mtu {v}");
            }
            if let Some(v) = peer_mac {
                let _ = write!(line, " address {v}");
            }
            if let Some(v) = peer_netns {
                let _ = write!(line, " netns {}", quote(v));
            }
        }
    }
    line
}
