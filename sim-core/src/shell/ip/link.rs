//! `ip link`: devices.
//!
//! Models: iproute2 6.1 ip/iplink.c, ip/ipaddress.c print_linkinfo; net/core/link_watch.c default_operstate.
//! Simplifies: a device that is down has `qdisc noop`, one that is up `noqueue` (cards: `fq_codel`). `-d` shows what is simulated.

use super::super::answer::{Answer, Surroundings};
use super::super::args::{Args, begins};
use super::super::{Command, Query, ShellError};
use super::{Format, link_add, link_stacked, netns};
use crate::linux::device::{Attach, Device, DeviceKind, IpTunnelMode, MacvlanMode, TunMode, UpperKind};
use crate::linux::op::{BridgeSet, LinkOp, LinkSet};
use crate::linux::{Netns, Op};
use std::fmt::Write as _;
use std::sync::Arc;

pub(super) fn parse(args: &mut Args<'_>, format: Format) -> Result<Command, ShellError> {
    match args.next() {
        None => Ok(Command::query(Query::Link(Show { format, ..Show::default() }))),
        Some(c) if begins(c, "add") => link_add::parse(args),
        Some(c) if begins(c, "set") || begins(c, "change") => set(args),
        Some(c) if begins(c, "replace") => Err(args.unsupported()),
        Some(c) if begins(c, "delete") => {
            let dev = device(args)?;
            if args.take("type") {
                args.need()?;
            }
            args.done("dev")?;
            Ok(Command::op(Op::Link(LinkOp::Del { dev })))
        }
        Some(c) if begins(c, "show") || c == "lst" || begins(c, "list") => Ok(Command::query(Query::Link(Show::parse(args, format)?))),
        Some(c) if begins(c, "xstats") || begins(c, "afstats") || begins(c, "property") => Err(args.unsupported()),
        Some(_) => Err(super::unknown(args, "link")),
    }
}

/// `[dev] DEV`.
fn device(args: &mut Args<'_>) -> Result<Arc<str>, ShellError> {
    args.take("dev");
    if args.is_done() {
        return Err(args.end("Not enough information: \"dev\" argument is required."));
    }
    args.ifname("dev")
}

/// Words of `ip link set` that real hosts know and nothing here listens to.
const UNSUPPORTED: &[&str] = &[
    "dynamic",
    "trailers",
    "carrier",
    "txqueuelen",
    "txqlen",
    "qlen",
    "broadcast",
    "brd",
    "alias",
    "vf",
    "xdp",
    "xdpgeneric",
    "xdpdrv",
    "xdpoffload",
    "vrf",
    "addrgenmode",
    "link-netns",
    "link-netnsid",
    "mode",
    "state",
    "protodown",
    "protodown_reason",
    "gso_max_size",
    "gso_max_segs",
    "gro_max_size",
    "index",
    "group",
];

fn set(args: &mut Args<'_>) -> Result<Command, ShellError> {
    let mut dev: Option<Arc<str>> = None;
    let mut set = LinkSet::default();
    if args.is_done() {
        return Err(args.end("Not enough information: \"dev\" argument is required."));
    }
    while let Some(word) = args.next() {
        match word {
            "up" => set.up = Some(true),
            "down" => set.up = Some(false),
            "name" => set.name = Some(args.ifname("name")?),
            "mtu" => set.mtu = Some(mtu(args, set.mtu)?),
            "master" => set.master = Some(Some(args.need()?.into())),
            "nomaster" => set.master = Some(None),
            "netns" => set.netns = Some(netns_of(args)?),
            w if begins(w, "address") && w.len() > 2 => set.mac = Some(args.lladdr()?),
            "type" => {
                match args.need()? {
                    "bridge" => set.bridge = link_add::bridge(args)?,
                    "ipip" => set.tunnel = Some(Box::new(super::ip_tunnel::parse(args, IpTunnelMode::Ipip)?)),
                    "gre" => set.tunnel = Some(Box::new(super::ip_tunnel::parse(args, IpTunnelMode::Gre)?)),
                    "gretap" => set.tunnel = Some(Box::new(super::ip_tunnel::parse(args, IpTunnelMode::Gretap)?)),
                    "vxlan" => set.vxlan = Some(Box::new(super::vxlan::parse(args, false)?)),
                    "bridge_slave" => slave(args, &mut set)?,
                    "macvlan" => {
                        while let Some(w) = args.next() {
                            match w {
                                "mode" => set.macvlan_mode = Some(link_stacked::macvlan_mode(args)?),
                                _ => return Err(args.unsupported()),
                            }
                        }
                    }
                    _ => return Err(args.unsupported()),
                }
                break;
            }
            "numtxqueues" | "numrxqueues" => {
                args.number(
                    u64::from(u32::MAX),
                    if word == "numtxqueues" { "Invalid \"numtxqueues\" value" } else { "Invalid \"numrxqueues\" value" },
                )?;
            }
            w if flag(args, w, &mut set)? => {}
            w if UNSUPPORTED.contains(&w) => return Err(args.unsupported()),
            w => {
                if w == "dev" {
                    args.need()?;
                }
                if dev.is_some() {
                    return Err(args.garbage("dev"));
                }
                args.back();
                dev = Some(args.ifname("dev")?);
            }
        }
    }
    let Some(dev) = dev else { return Err(args.end("Not enough information: \"dev\" argument is required.")) };
    Ok(Command::op(Op::Link(LinkOp::Set { dev, set })))
}

/// Takes the value of `word` if that is a switch that is turned on and off.
pub(super) fn flag(args: &mut Args<'_>, word: &str, set: &mut LinkSet) -> Result<bool, ShellError> {
    let slot = match word {
        "promisc" => &mut set.promisc,
        "allmulticast" => &mut set.allmulticast,
        "multicast" => &mut set.multicast,
        "arp" => &mut set.arp,
        _ => return Ok(false),
    };
    *slot = Some(link_stacked::on_off(args, word)?);
    Ok(true)
}

pub(super) fn mtu(args: &mut Args<'_>, before: Option<u32>) -> Result<u32, ShellError> {
    let n = args.number(i32::MAX as u64, "Invalid \"mtu\" value")?;
    if before.is_some() {
        return Err(args.duplicate("mtu"));
    }
    Ok(n as u32)
}

/// `netns NAME`; a process number stands for a namespace on real hosts.
pub(super) fn netns_of(args: &mut Args<'_>) -> Result<Arc<str>, ShellError> {
    netns::name(args)
}

fn slave(args: &mut Args<'_>, set: &mut LinkSet) -> Result<(), ShellError> {
    while let Some(word) = args.next() {
        match word {
            "hairpin" => set.hairpin = Some(args.on_off("hairpin")?),
            "isolated" => set.isolated = Some(args.on_off("isolated")?),
            "learning" => set.learning = Some(args.on_off("learning")?),
            "flood" => set.flood = Some(args.on_off("flood")?),
            "mcast_flood" => set.mcast_flood = Some(args.on_off("mcast_flood")?),
            "bcast_flood" => set.bcast_flood = Some(args.on_off("bcast_flood")?),
            "state" | "priority" | "cost" | "guard" | "root_block" | "fastleave" | "proxy_arp" | "proxy_arp_wifi" | "mcast_router"
            | "mcast_fast_leave" | "mcast_to_unicast" | "group_fwd_mask" | "neigh_suppress" | "vlan_tunnel" | "locked" | "backup_port"
            | "nobackup_port" | "fdb_flush" => return Err(args.unsupported()),
            w => return Err(args.error_status(format!("bridge_slave: unknown option \"{w}\"?"), 255)),
        }
    }
    Ok(())
}

/// The words of a `type bridge …`.
pub(super) fn bridge_words(set: &BridgeSet) -> String {
    let mut out = String::new();
    if let Some(v) = set.ageing_time {
        let _ = write!(out, " ageing_time {v}");
    }
    if let Some(p) = set.vlan_protocol {
        let _ = write!(out, " vlan_protocol {}", p.name());
    }
    if let Some(v) = set.vlan_default_pvid {
        let _ = write!(out, " vlan_default_pvid {v}");
    }
    if let Some(v) = set.group_fwd_mask {
        let _ = write!(out, " group_fwd_mask {v}");
    }
    for (key, v) in [("stp_state", set.stp_state), ("vlan_filtering", set.vlan_filtering), ("mcast_snooping", set.mcast_snooping)] {
        if let Some(v) = v {
            let _ = write!(out, " {key} {}", u8::from(v));
        }
    }
    out
}

/// The commands of a change.
pub(in crate::shell) fn print(op: &LinkOp) -> Vec<String> {
    match op {
        LinkOp::Add(new) => vec![link_add::print(new)],
        LinkOp::Del { dev } => vec![format!("ip link del dev {dev}")],
        LinkOp::BridgeVlan(op) => vec![super::super::bridge::vlan::print(op)],
        LinkOp::Set { dev, set } => {
            let mut line = format!("ip link set dev {dev}");
            if let Some(v) = &set.netns {
                let _ = write!(line, " netns {}", super::super::lex::quote(v));
            }
            if let Some(v) = &set.name {
                let _ = write!(line, " name {v}");
            }
            if let Some(v) = set.mtu {
                let _ = write!(line, " mtu {v}");
            }
            if let Some(v) = set.mac {
                let _ = write!(line, " address {v}");
            }
            match &set.master {
                Some(Some(m)) => {
                    let _ = write!(line, " master {}", super::super::lex::quote(m));
                }
                Some(None) => line.push_str(" nomaster"),
                None => {}
            }
            for (key, v) in [("promisc", set.promisc), ("allmulticast", set.allmulticast), ("multicast", set.multicast), ("arp", set.arp)] {
                if let Some(on) = v {
                    let _ = write!(line, " {key} {}", if on { "on" } else { "off" });
                }
            }
            if let Some(up) = set.up {
                line.push_str(if up { " up" } else { " down" });
            }
            let of_port = [
                ("hairpin", set.hairpin),
                ("isolated", set.isolated),
                ("learning", set.learning),
                ("flood", set.flood),
                ("mcast_flood", set.mcast_flood),
                ("bcast_flood", set.bcast_flood),
            ];
            let slave: String = of_port.iter().filter_map(|(k, v)| v.map(|v| format!(" {k} {}", if v { "on" } else { "off" }))).collect();
            let bridge = bridge_words(&set.bridge);
            let mut lines = vec![line];
            // Two kinds do not fit in one command; the second goes on about the device under its new name.
            let macvlan = set.macvlan_mode.map(|m| format!(" mode {}", m.name())).unwrap_or_default();
            let tunnel = set.tunnel.as_deref().map(super::ip_tunnel::words).unwrap_or_default();
            let tunnel_kind = set.tunnel.as_deref().map_or("", |t| t.mode.name());
            let vxlan = set.vxlan.as_deref().map(super::vxlan::words).unwrap_or_default();
            for (kind, words) in
                [("bridge", bridge), ("bridge_slave", slave), ("macvlan", macvlan), ("vxlan", vxlan), (tunnel_kind, tunnel)]
            {
                match (words.is_empty(), lines.len(), lines.last_mut().filter(|l| !l.contains(" type "))) {
                    (true, ..) => {}
                    (false, _, Some(l)) => {
                        let _ = write!(l, " type {kind}{words}");
                    }
                    (false, ..) => lines.push(format!("ip link set dev {} type {kind}{words}", set.name.as_ref().unwrap_or(dev))),
                }
            }
            lines
        }
    }
}

/// What `ip link show` (and `ip address show`) is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Show {
    /// How to print.
    pub format: Format,
    /// The device.
    pub dev: Option<Arc<str>>,
    /// Only ports of that bridge.
    pub master: Option<Arc<str>>,
    /// Only devices of that kind.
    pub kind: Option<Arc<str>>,
    /// Only devices that are switched on.
    pub up: bool,
}

impl Show {
    pub(super) fn parse(args: &mut Args<'_>, format: Format) -> Result<Show, ShellError> {
        let mut show = Show { format, ..Show::default() };
        while let Some(word) = args.next() {
            match word {
                "up" => show.up = true,
                "master" => show.master = Some(args.need()?.into()),
                "type" => show.kind = Some(args.need()?.into()),
                "group" | "vrf" | "nomaster" => return Err(args.unsupported()),
                w => {
                    if w == "dev" {
                        args.need()?;
                    }
                    if show.dev.is_some() {
                        return Err(args.garbage("dev"));
                    }
                    args.back();
                    show.dev = args.next().map(Into::into);
                }
            }
        }
        Ok(show)
    }

    /// The devices asked for.
    pub(super) fn devices<'n>(&self, ns: &'n Netns) -> Result<Vec<&'n Device>, Answer> {
        let devices = &ns.config.devices;
        if let Some(name) = self.dev.as_deref().filter(|n| devices.by_name(n).is_none()) {
            return Err(Answer::failed(format!("Device \"{name}\" does not exist."), 1));
        }
        let master = match self.master.as_deref() {
            Some(m) => match devices.by_name(m) {
                Some(d) => Some(d.index),
                None => return Err(Answer::failed(format!("Error: argument \"{m}\" is wrong: Device does not exist"), 255)),
            },
            None => None,
        };
        Ok(devices
            .iter()
            .filter(|d| self.dev.as_deref().is_none_or(|n| *d.name == *n))
            .filter(|d| master.is_none_or(|m| d.master == m))
            .filter(|d| self.kind.as_deref().is_none_or(|k| d.kind.name() == k || (k == "bridge_slave" && d.master.is_some())))
            .filter(|d| !self.up || d.up)
            .collect())
    }
}

/// The other end of a veth, as `ip` can see it.
struct Peer {
    /// `p0`, or `if7` for one in another namespace.
    name: String,
    /// Where it is, if it is elsewhere: ` link-netns NAME`.
    elsewhere: String,
    /// Whether it is here and off.
    down: bool,
}

fn peer(ns: &Netns, d: &Device, around: &dyn Surroundings) -> Option<Peer> {
    match d.attach {
        Attach::Veth { netns, index } | Attach::Lower { netns, index } if netns == ns.id => {
            let p = ns.config.devices.get(index)?;
            Some(Peer { name: p.name.to_string(), elsewhere: String::new(), down: !p.up })
        }
        Attach::Veth { netns, index } | Attach::Lower { netns, index } => {
            // A namespace without a name has a number; the first that another one needs is 0.
            let elsewhere = around.netns_name(netns).map_or_else(|| " link-netnsid 0".to_owned(), |n| format!(" link-netns {n}"));
            Some(Peer { name: format!("if{}", index.0), elsewhere, down: false })
        }
        _ => None,
    }
}

/// The flags between `<` and `>`.
pub(in crate::shell) fn flags(d: &Device, peer_down: bool) -> String {
    let mut f: Vec<&str> = Vec::new();
    if d.up && !d.carrier {
        f.push("NO-CARRIER");
    }
    match &d.kind {
        DeviceKind::Loopback => f.push("LOOPBACK"),
        DeviceKind::IpTunnel(c) if c.remote.is_some() && !d.kind.has_link_header() => f.push("POINTOPOINT"),
        DeviceKind::Tun(TunMode::Tun) => f.extend(["POINTOPOINT", "MULTICAST"]),
        k if !k.has_link_header() => {}
        _ => f.push("BROADCAST"),
    }
    let multicast = d.kind.has_link_header() && !d.flags.no_multicast && !matches!(d.kind, DeviceKind::Loopback | DeviceKind::Dummy);
    for (name, on) in [("MULTICAST", multicast), ("NOARP", d.flags.noarp), ("ALLMULTI", d.flags.allmulti), ("PROMISC", d.flags.promisc)] {
        if on {
            f.push(name);
        }
    }
    if d.up {
        f.push("UP");
    }
    if d.is_running() {
        f.push("LOWER_UP");
    }
    if peer_down {
        f.push("M-DOWN");
    }
    f.join(",")
}

/// `state …`.
fn state(ns: &Netns, d: &Device) -> &'static str {
    if !d.up {
        return "DOWN";
    }
    let never_had_ports = matches!(&d.kind, DeviceKind::Bridge(b) if b.ports.is_empty() && d.carrier);
    if matches!(d.kind, DeviceKind::Loopback | DeviceKind::Dummy | DeviceKind::Vxlan(_)) || never_had_ports {
        return "UNKNOWN";
    }
    if d.carrier {
        return "UP";
    }
    // The kernel looks the index of the other end up in this namespace, wherever that end is.
    match d.attach {
        Attach::Veth { index, .. } | Attach::Lower { index, .. } if index != d.index => match ns.config.devices.get(index) {
            Some(p) if !p.carrier => "LOWERLAYERDOWN",
            _ => "DOWN",
        },
        _ => "DOWN",
    }
}

fn qdisc(d: &Device) -> &'static str {
    match (d.up, &d.kind) {
        (false, _) => "noop",
        (true, DeviceKind::Physical) => "fq_codel",
        (true, DeviceKind::Tun(_)) => "pfifo_fast",
        (true, _) => "noqueue",
    }
}

/// The lines of a device; addresses follow.
pub(super) fn lines(ns: &Netns, d: &Device, around: &dyn Surroundings, with_mode: bool) -> (String, String) {
    let peer = peer(ns, d, around);
    let mut first = format!("{}: {}", d.index.0, d.name);
    if let Some(p) = &peer {
        let _ = write!(first, "@{}", p.name);
    }
    if let DeviceKind::IpTunnel(c) = &d.kind {
        let below = ns.config.devices.name(c.link);
        let _ = write!(first, "@{}", if below.is_empty() { "NONE" } else { below });
    }
    let _ = write!(first, ": <{}> mtu {} qdisc {}", flags(d, peer.as_ref().is_some_and(|p| p.down)), d.mtu, qdisc(d));
    if d.master.is_some() {
        let _ = write!(first, " master {}", ns.config.devices.name(d.master));
    }
    let mode = if with_mode { " mode DEFAULT" } else { "" };
    let qlen = if matches!(d.kind, DeviceKind::Tun(TunMode::Tun)) { 500 } else { 1_000 };
    let _ = write!(first, " state {}{mode} group default qlen {qlen}", state(ns, d));
    let mut second = match &d.kind {
        DeviceKind::Loopback => format!("    link/loopback {} brd 00:00:00:00:00:00", d.mac),
        DeviceKind::Tun(TunMode::Tun) => "    link/none ".to_owned(),
        DeviceKind::IpTunnel(c) if !d.kind.has_link_header() => {
            let end = |a: Option<crate::packet::Ipv4Addr>| a.unwrap_or(crate::packet::Ipv4Addr::UNSPECIFIED);
            let other = if c.remote.is_some() { "peer" } else { "brd" };
            format!("    link/{} {} {other} {}", c.mode.name(), end(c.local), end(c.remote))
        }
        _ => format!("    link/ether {} brd ff:ff:ff:ff:ff:ff", d.mac),
    };
    if let Some(p) = peer {
        second.push_str(&p.elsewhere);
    }
    (first, second)
}

/// How many reasons there are for a device to hear all frames: it is a port, a command said so, a child has the whole of it
/// (passthru), and children have addresses of their own, which count once.
fn promiscuity(d: &Device) -> u32 {
    let children = || d.stack.uppers.iter().filter(|u| u.up && u.mac != d.mac);
    let passthru = d
        .stack
        .uppers
        .iter()
        .filter(|u| u.up && matches!(&u.kind, UpperKind::Macvlan(c) if c.mode == MacvlanMode::Passthru && !c.nopromisc));
    let filters = matches!(d.kind, DeviceKind::Veth | DeviceKind::Physical) && children().next().is_some();
    u32::from(d.master.is_some()) + u32::from(d.flags.promisc) + passthru.count() as u32 + u32::from(filters)
}

fn details(ns: &Netns, d: &Device, second: &mut String, sep: &str) {
    let promiscuity = promiscuity(d);
    let allmulti = u32::from(d.master.is_some()) + u32::from(d.flags.allmulti);
    let (min, max) = crate::linux::apply::device::mtu_range(&d.kind);
    let max = if max == i32::MAX as u32 { 0 } else { max };
    let _ = write!(second, " promiscuity {promiscuity}  allmulti {allmulti} minmtu {min} maxmtu {max} ");
    match &d.kind {
        DeviceKind::Bridge(b) => {
            let _ = write!(
                second,
                "{sep}    bridge ageing_time {} stp_state 0 vlan_filtering {} vlan_protocol {} group_fwd_mask {:#x} vlan_default_pvid {} mcast_snooping {} ",
                b.ageing_time.as_millis() / 10,
                u8::from(b.vlan_filtering),
                b.vlan_protocol.name(),
                b.group_fwd_mask,
                b.default_pvid,
                u8::from(b.mcast_snooping)
            );
        }
        _ if link_stacked::details(d).is_some() => {
            let _ = write!(second, "{sep}    {}", link_stacked::details(d).unwrap_or_default());
        }
        DeviceKind::Tun(mode) => {
            let _ = write!(second, "{sep}    tun type {} pi off vnet_hdr off persist on ", mode.name());
        }
        DeviceKind::IpTunnel(c) => {
            let _ = write!(second, "{sep}    {}", super::ip_tunnel::details(&ns.config, c));
        }
        DeviceKind::Vxlan(v) => {
            let _ = write!(second, "{sep}    {}", super::vxlan::details(&ns.config, v));
        }
        k if !k.name().is_empty() => {
            let _ = write!(second, "{sep}    {} ", k.name());
        }
        _ => {}
    }
    if d.master.is_some() {
        let on = |v: bool| if v { "on" } else { "off" };
        let state = super::super::bridge::link::port_state(ns, d);
        let p = &d.port;
        let _ = write!(
            second,
            "{sep}    bridge_slave state {state} priority 32 cost 2 hairpin {} learning {} flood {} mcast_flood {} bcast_flood {} isolated {} ",
            on(p.hairpin),
            on(p.learning),
            on(p.flood),
            on(p.mcast_flood),
            on(p.bcast_flood),
            on(p.isolated)
        );
    }
}

/// `ip -br link` begins a line so.
pub(super) fn brief(ns: &Netns, d: &Device, around: &dyn Surroundings) -> String {
    let name = peer(ns, d, around).map_or_else(|| d.name.to_string(), |p| format!("{}@{}", d.name, p.name));
    format!("{name:<16} {:<14} ", state(ns, d))
}

/// Answers `ip link show`.
pub(in crate::shell) fn answer(ns: &Netns, show: &Show, around: &dyn Surroundings) -> Answer {
    let devices = match show.devices(ns) {
        Ok(d) => d,
        Err(e) => return e,
    };
    let mut out = String::new();
    for d in devices {
        if show.format.brief {
            let down = peer(ns, d, around).is_some_and(|p| p.down);
            let _ = writeln!(out, "{}{} <{}> ", brief(ns, d, around), d.mac, flags(d, down));
            continue;
        }
        let (first, mut second) = lines(ns, d, around, true);
        let sep = if show.format.oneline { "\\" } else { "\n" };
        if show.format.details {
            details(ns, d, &mut second, sep);
        }
        let _ = writeln!(out, "{first}{sep}{second}");
    }
    Answer::printed(out)
}
