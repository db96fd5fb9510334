//! Rows of tables as the real commands print them.

use crate::linux::config::Config;
use crate::linux::conntrack::{CtSnapshot, CtStatus};
use crate::linux::device::Scope;
use crate::linux::fib::{Route, RouteProto, RouteType};
use crate::linux::neighbour::NudState;
use crate::linux::netfilter::{Chain, Rule, Table};
use crate::linux::op::xtables::XtOp;
use crate::linux::op::{IpvsOp, RouteOp};
use crate::linux::{IfIndex, Op};
use crate::packet::{Address, IpAddr, Ipv4Addr, L4, Mac, Prefix, Tuple};
use crate::shell::{self, OpIn};
use std::fmt::Write as _;

/// A range as `ip route` prints it: `default`, an address alone, or with its length.
pub fn prefix<A: Address>(p: Prefix<A>) -> String {
    match p.len() {
        0 => "default".to_owned(),
        n if n == A::BITS => p.addr().to_string(),
        _ => p.to_string(),
    }
}

/// A route as `ip route show` prints it.
pub fn route<A: Address>(config: &Config, r: &Route<A>) -> String {
    let mut s = String::new();
    if r.kind != RouteType::Unicast {
        let _ = write!(s, "{} ", r.kind.name());
    }
    s.push_str(&prefix(r.prefix));
    let hop = |s: &mut String, via: Option<A>, dev: IfIndex| {
        if let Some(via) = via {
            let _ = write!(s, " via {via}");
        }
        let name = config.devices.name(dev);
        if !name.is_empty() {
            let _ = write!(s, " dev {name}");
        }
    };
    if let [one] = r.nexthops.as_slice() {
        hop(&mut s, one.via, one.dev);
    }
    match r.proto {
        RouteProto::BOOT => {}
        RouteProto::KERNEL => s.push_str(" proto kernel"),
        RouteProto::STATIC => s.push_str(" proto static"),
        RouteProto::BIRD => s.push_str(" proto bird"),
        RouteProto(n) => {
            let _ = write!(s, " proto {n}");
        }
    }
    if r.scope != Scope::Universe {
        let _ = write!(s, " scope {}", r.scope.name());
    }
    if let Some(src) = r.src {
        let _ = write!(s, " src {src}");
    }
    if r.metric != 0 {
        let _ = write!(s, " metric {}", r.metric);
    }
    if let Some(mtu) = r.mtu {
        let _ = write!(s, " mtu {mtu}");
    }
    if let [one] = r.nexthops.as_slice() {
        if one.onlink {
            s.push_str(" onlink");
        }
    } else {
        for h in &r.nexthops {
            s.push_str(" nexthop");
            hop(&mut s, h.via, h.dev);
            let _ = write!(s, " weight {}", h.weight);
        }
    }
    s
}

/// A neighbour entry as `ip neigh show` prints it.
pub fn neighbour(config: &Config, dev: IfIndex, addr: IpAddr, mac: Mac, state: NudState) -> String {
    let dev = config.devices.name(dev);
    if state.is_valid() { format!("{addr} dev {dev} lladdr {mac} {}", state.name()) } else { format!("{addr} dev {dev} {}", state.name()) }
}

/// An entry of a forwarding database as `bridge fdb show` prints it.
pub fn fdb(config: &Config, bridge: IfIndex, port: IfIndex, mac: Mac, local: bool) -> String {
    let (bridge, port) = (config.devices.name(bridge), config.devices.name(port));
    format!("{mac} dev {port} master {bridge}{}", if local { " permanent" } else { "" })
}

/// The rows of a tunnel device's forwarding database, as `bridge fdb show` prints them.
pub fn remotes(config: &Config, device: &crate::linux::device::Device, fdb: &crate::linux::vxlan_fdb::VxlanFdb) -> Vec<String> {
    let rows = fdb.sorted().into_iter().flat_map(|(mac, e)| {
        e.remotes.iter().map(move |r| format!("{mac} dev {} {}", device.name, shell::bridge::remote::row(config, device, r, e.state)))
    });
    rows.collect()
}

/// A rule as `iptables -S` prints it.
pub fn rule(_config: &Config, _table: &Table, chain: &Chain, rule: &Rule) -> String {
    let mut out = format!("-A {}", chain.name);
    rule.spec.save(&mut out);
    out
}

/// A command as one would type it; of a batch or a restore file the command and how much it holds.
pub fn op(op: &Op) -> String {
    match op {
        Op::Xtables(family, XtOp::Restore(r)) => {
            let lines: usize = r.tables.iter().map(|t| t.lines.len()).sum();
            format!("{} ({lines} lines)", shell::iptables::restore_program(*family))
        }
        Op::Nft(o) if o.file.is_some() => format!("nft -f - ({} lines)", o.text.lines().count()),
        Op::Ipvs(IpvsOp::Restore(lines)) => format!("ipvsadm -R ({} lines)", lines.len()),
        Op::Route(RouteOp::Batch { batch, .. }) => format!("ip -batch ({} routes)", batch.routes.len()),
        Op::Link(_)
        | Op::Addr(_)
        | Op::Route(_)
        | Op::Rule(_)
        | Op::Addr6(_)
        | Op::Route6(_)
        | Op::Neigh(_)
        | Op::Fdb(_)
        | Op::Sysctl { .. }
        | Op::Xtables(..)
        | Op::Ipset(_)
        | Op::Ipvs(_)
        | Op::Nft(_)
        | Op::ConntrackFlush
        | Op::ConntrackDelete(_)
        | Op::NetnsAdd(_)
        | Op::NetnsDel(_)
        | Op::Agent { .. } => shell::print(&OpIn { netns: None, op: op.clone() }).join("; "),
    }
}

/// One direction of a flow: `10.244.0.2:41000 > 10.96.0.10:80`.
pub fn tuple(t: &Tuple<Ipv4Addr>) -> String {
    match t.l4 {
        L4::Ports { src, dst } => format!("{}:{src} > {}:{dst}", t.src, t.dst),
        L4::Icmp { id, .. } => format!("{} > {} id {id}", t.src, t.dst),
        L4::None => format!("{} > {}", t.src, t.dst),
    }
}

/// A conntrack entry as `conntrack -L` prints it, without its time.
pub fn conntrack(c: &CtSnapshot) -> String {
    let mut s = c.original.protocol.to_string();
    if let Some(state) = c.state {
        let _ = write!(s, " {state}");
    }
    ct_tuple(&mut s, &c.original);
    if !c.status.has(CtStatus::SEEN_REPLY) {
        s.push_str(" [UNREPLIED]");
    }
    ct_tuple(&mut s, &c.reply);
    if c.status.has(CtStatus::ASSURED) {
        s.push_str(" [ASSURED]");
    }
    if c.mark != 0 {
        let _ = write!(s, " mark={}", c.mark);
    }
    s
}

fn ct_tuple(s: &mut String, t: &Tuple<Ipv4Addr>) {
    let _ = write!(s, " src={} dst={}", t.src, t.dst);
    match t.l4 {
        L4::Ports { src, dst } => {
            let _ = write!(s, " sport={src} dport={dst}");
        }
        L4::Icmp { kind, code, id } => {
            let _ = write!(s, " type={kind} code={code} id={id}");
        }
        L4::None => {}
    }
}

/// The status bits of an entry that a reader asks for, by their kernel names in lower case.
pub fn ct_status(status: CtStatus) -> Vec<&'static str> {
    [
        (CtStatus::EXPECTED, "expected"),
        (CtStatus::SEEN_REPLY, "seen-reply"),
        (CtStatus::ASSURED, "assured"),
        (CtStatus::CONFIRMED, "confirmed"),
        (CtStatus::SRC_NAT, "snat"),
        (CtStatus::DST_NAT, "dnat"),
        (CtStatus::SEQ_ADJUST, "seq-adjust"),
        (CtStatus::SRC_NAT_DONE, "snat-done"),
        (CtStatus::DST_NAT_DONE, "dnat-done"),
        (CtStatus::DYING, "dying"),
    ]
    .into_iter()
    .filter(|(bit, _)| status.has(*bit))
    .map(|(_, name)| name)
    .collect()
}
