//! `ip route`: changes of routes.
//!
//! Models: iproute2 6.1 ip/iproute.c iproute_modify, parse_nexthops, iproute_list_flush_or_save.

use super::super::args::{Args, begins};
use super::super::lex::quote;
use super::super::{Command, Query, ShellError};
use super::{Format, addr, route_get, route_show};
use crate::linux::Op;
use crate::linux::device::Scope;
use crate::linux::fib::{RouteProto, RouteType, TableId};
use crate::linux::op::route::HopSpec;
use crate::linux::op::{RouteOp, RouteSpec, RouteVerb};
use crate::packet::{Ipv4Addr, Prefix};
use std::fmt::Write as _;

pub(super) fn parse(args: &mut Args<'_>, format: Format) -> Result<Command, ShellError> {
    let one = |verb, route| Ok(Command::op(Op::Route(RouteOp::One { verb, route: Box::new(route) })));
    match args.next() {
        None => Ok(Command::query(Query::Route(route_show::Show { format, ..route_show::Show::default() }))),
        Some(c) if begins(c, "add") => one(RouteVerb::Add, modify(args, RouteVerb::Add)?),
        Some(c) if begins(c, "change") || c == "chg" => one(RouteVerb::Change, modify(args, RouteVerb::Change)?),
        Some(c) if begins(c, "replace") => one(RouteVerb::Replace, modify(args, RouteVerb::Replace)?),
        Some(c) if begins(c, "prepend") => one(RouteVerb::Prepend, modify(args, RouteVerb::Prepend)?),
        Some(c) if begins(c, "append") => one(RouteVerb::Append, modify(args, RouteVerb::Append)?),
        Some(c) if begins(c, "test") => Err(args.unsupported()),
        Some(c) if begins(c, "delete") => one(RouteVerb::Del, modify(args, RouteVerb::Del)?),
        Some(c) if begins(c, "list") || begins(c, "show") || c == "lst" => {
            Ok(Command::query(Query::Route(route_show::Show::parse(args, format)?)))
        }
        Some(c) if begins(c, "get") => Ok(Command::query(Query::RouteGet(route_get::Get::parse(args)?))),
        Some(c) if begins(c, "flush") => flush(args),
        Some(c) if begins(c, "save") || begins(c, "restore") || begins(c, "showdump") => Err(args.unsupported()),
        Some(_) => Err(super::unknown(args, "route")),
    }
}

/// A type of route by name.
pub(super) fn kind(w: &str) -> Option<RouteType> {
    Some(match w {
        "unicast" => RouteType::Unicast,
        "local" => RouteType::Local,
        "broadcast" | "brd" => RouteType::Broadcast,
        "multicast" => RouteType::Multicast,
        "blackhole" => RouteType::Blackhole,
        "unreachable" => RouteType::Unreachable,
        "prohibit" => RouteType::Prohibit,
        "throw" => RouteType::Throw,
        _ => return None,
    })
}

/// A table by name or number; 0 is all.
pub(super) fn table(w: &str) -> Option<TableId> {
    Some(match w {
        "main" => TableId::MAIN,
        "local" => TableId::LOCAL,
        "default" => TableId::DEFAULT,
        "unspec" => TableId(0),
        w => TableId(super::super::args::number(w).and_then(|n| u32::try_from(n).ok())?),
    })
}

const PROTOS: &[(u8, &str)] = &[
    (0, "unspec"),
    (1, "redirect"),
    (2, "kernel"),
    (3, "boot"),
    (4, "static"),
    (8, "gated"),
    (9, "ra"),
    (10, "mrt"),
    (11, "zebra"),
    (12, "bird"),
    (13, "dnrouted"),
    (14, "xorp"),
    (15, "ntk"),
    (16, "dhcp"),
    (18, "keepalived"),
    (42, "babel"),
    (99, "openr"),
    (186, "bgp"),
    (187, "isis"),
    (188, "ospf"),
    (189, "rip"),
    (192, "eigrp"),
];

/// Who installed a route, by name or number.
pub(super) fn proto(w: &str) -> Option<RouteProto> {
    match PROTOS.iter().find(|(_, n)| *n == w) {
        Some((n, _)) => Some(RouteProto(*n)),
        None => super::super::args::number(w).and_then(|n| u8::try_from(n).ok()).map(RouteProto),
    }
}

/// Who installed a route, as `/etc/iproute2/rt_protos` names it.
pub fn proto_name(p: RouteProto) -> String {
    PROTOS.iter().find(|(n, _)| *n == p.0).map_or_else(|| p.0.to_string(), |(_, n)| (*n).to_owned())
}

fn modify(args: &mut Args<'_>, verb: RouteVerb) -> Result<RouteSpec, ShellError> {
    if args.is_done() {
        return Err(args.end("Usage: ip route { add | del | change | append | replace } ROUTE").help("a destination is missing"));
    }
    let mut spec = RouteSpec::to(Prefix::ALL);
    let mut prefix: Option<Prefix<Ipv4Addr>> = None;
    let mut hop = HopSpec::default();
    let mut nexthops = None;
    while let Some(word) = args.next() {
        match word {
            "src" => spec.src = Some(args.addr()?),
            "via" => {
                if hop.via.is_some() {
                    return Err(args.invalid("use nexthop syntax to specify multiple via"));
                }
                hop.via = Some(via(args)?);
            }
            "dev" | "oif" => hop.dev = Some(args.need()?.into()),
            "onlink" => hop.onlink = true,
            "tos" | "dsfield" => {
                let why = "\"tos\" value is invalid";
                spec.tos = args.number(255, why)? as u8;
            }
            "metric" | "priority" | "preference" => {
                spec.metric = Some(args.number(u64::from(u32::MAX), "\"metric\" value is invalid")? as u32)
            }
            "scope" => {
                let w = args.need()?;
                spec.scope = Some(addr::scope(w).ok_or_else(|| args.invalid("invalid \"scope\" value"))?);
            }
            "mtu" => {
                if args.peek() == Some("lock") {
                    args.next();
                    return Err(args.unsupported());
                }
                spec.mtu = Some(args.number(u64::from(u32::MAX), "\"mtu\" value is invalid")? as u32);
            }
            "proto" | "protocol" => {
                let w = args.need()?;
                spec.proto = Some(proto(w).ok_or_else(|| args.invalid("\"protocol\" value is invalid"))?);
            }
            "table" => {
                let w = args.need()?;
                let t = table(w).filter(|t| t.0 != 0).ok_or_else(|| args.invalid("\"table\" value is invalid"))?;
                spec.table = Some(t);
            }
            "nexthop" => {
                args.back();
                nexthops = Some(hops(args)?);
                break;
            }
            "vrf" | "nhid" | "encap" | "as" | "rtt" | "rttvar" | "reordering" | "window" | "cwnd" | "initcwnd" | "initrwnd"
            | "ssthresh" | "realms" | "rto_min" | "hoplimit" | "features" | "quickack" | "congctl" | "pref" | "expires"
            | "fastopen_no_cookie" | "advmss" | "pervasive" | "ttl-propagate" | "from" | "iif" | "weight" => return Err(args.unsupported()),
            w => {
                if w == "to" {
                    args.need()?;
                    args.back();
                } else {
                    args.back();
                }
                if let Some(k) = args.peek().and_then(kind) {
                    args.next();
                    spec.kind = Some(k);
                    args.need()?;
                    args.back();
                } else if matches!(args.peek(), Some("nat" | "anycast" | "xresolve")) {
                    args.next();
                    return Err(args.unsupported());
                }
                if prefix.is_some() {
                    args.next();
                    return Err(args.garbage("to"));
                }
                prefix = Some(args.range()?);
            }
        }
    }
    let Some(prefix) = prefix else {
        return Err(args.not_simulated("a route without a destination: write `default` or a range"));
    };
    spec.prefix = prefix;
    let said = hop != HopSpec::default();
    match nexthops {
        Some(_) if said => {
            return Err(args.not_simulated("`via` or `dev` beside `nexthop`"));
        }
        Some(hops) => {
            // `nexthop` asks for the widest scope even where it is one to the link.
            if hops.len() < 2 && spec.scope.is_none() && verb != RouteVerb::Del && hops.iter().all(|h| h.via.is_none()) {
                spec.scope = Some(Scope::Universe);
            }
            spec.hops = hops;
        }
        None if said => spec.hops = vec![hop],
        None => {}
    }
    if let [one] = spec.hops.as_mut_slice() {
        one.weight = None;
    }
    Ok(spec)
}

/// The address behind `via`.
fn via(args: &mut Args<'_>) -> Result<Ipv4Addr, ShellError> {
    match args.peek() {
        Some("inet") => {
            args.next();
        }
        Some("inet6" | "mpls" | "bridge" | "link") => {
            args.next();
            return Err(args.unsupported());
        }
        _ => {}
    }
    args.addr()
}

fn hops(args: &mut Args<'_>) -> Result<Vec<HopSpec>, ShellError> {
    let mut all: Vec<HopSpec> = Vec::new();
    while let Some(word) = args.next() {
        if word != "nexthop" {
            return Err(args.error(format!("Error: \"nexthop\" or end of line is expected instead of \"{word}\"")));
        }
        if args.is_done() {
            return Err(args.error("Error: unexpected end of line after \"nexthop\""));
        }
        let mut hop = HopSpec::default();
        let before = args.rest().len();
        while let Some(word) = args.next() {
            match word {
                "via" => hop.via = Some(via(args)?),
                "dev" => hop.dev = Some(args.need()?.into()),
                "weight" => {
                    let w = args.number(256, "\"weight\" is invalid")?;
                    if w == 0 {
                        return Err(args.invalid("\"weight\" is invalid"));
                    }
                    hop.weight = Some(w as u16);
                }
                "onlink" => hop.onlink = true,
                "pervasive" | "realms" | "encap" | "as" => return Err(args.unsupported()),
                _ => {
                    args.back();
                    break;
                }
            }
        }
        if args.rest().len() == before && !args.is_done() {
            let w = args.next().unwrap_or_default();
            return Err(args.error(format!("Error: \"nexthop\" or end of line is expected instead of \"{w}\"")));
        }
        all.push(hop);
    }
    Ok(all)
}

fn flush(args: &mut Args<'_>) -> Result<Command, ShellError> {
    if args.is_done() {
        return Err(args.error_status("\"ip route flush\" requires arguments.", 1));
    }
    let (mut t, mut dev, mut prefix) = (None, None, None);
    while let Some(word) = args.next() {
        match word {
            "table" => {
                let w = args.need()?;
                match w {
                    "all" => t = Some(TableId(0)),
                    "cache" => return Err(args.unsupported()),
                    w => t = Some(table(w).ok_or_else(|| args.invalid("table id value is invalid"))?),
                }
            }
            "dev" | "oif" => dev = Some(args.need()?.into()),
            "cache" | "root" | "match" | "proto" | "protocol" | "scope" | "type" | "via" | "src" | "from" | "iif" | "vrf" | "tos"
            | "metric" | "realms" | "cloned" | "cached" => return Err(args.unsupported()),
            w => {
                if matches!(w, "to" | "exact") {
                    if w == "to" && args.take("exact") {}
                } else {
                    args.back();
                }
                if prefix.is_some() {
                    args.next();
                    return Err(args.garbage("to"));
                }
                prefix = Some(args.range()?);
            }
        }
    }
    Ok(Command::op(Op::Route(RouteOp::Flush { table: t, dev, prefix })))
}

/// `default`, an address, or a range.
pub(super) fn destination(p: Prefix<Ipv4Addr>) -> String {
    match p.len() {
        0 => "default".to_owned(),
        32 => p.addr().to_string(),
        _ => p.to_string(),
    }
}

fn write_hop(out: &mut String, h: &HopSpec) {
    if let Some(v) = h.via {
        let _ = write!(out, " via {v}");
    }
    if let Some(d) = &h.dev {
        let _ = write!(out, " dev {}", quote(d));
    }
    if let Some(w) = h.weight {
        let _ = write!(out, " weight {w}");
    }
    if h.onlink {
        out.push_str(" onlink");
    }
}

/// What follows `ip route add`.
pub(super) fn words(spec: &RouteSpec) -> String {
    let mut out = String::new();
    if let Some(k) = spec.kind {
        let _ = write!(out, "{} ", k.name());
    }
    out.push_str(&destination(spec.prefix));
    if spec.tos != 0 {
        let _ = write!(out, " tos {:#x}", spec.tos);
    }
    if let [hop] = spec.hops.as_slice() {
        write_hop(&mut out, hop);
    }
    if let Some(t) = spec.table {
        let _ = write!(out, " table {t}");
    }
    if let Some(p) = spec.proto {
        let _ = write!(out, " proto {}", proto_name(p));
    }
    if let Some(s) = spec.scope {
        let _ = write!(out, " scope {}", s.name());
    }
    if let Some(s) = spec.src {
        let _ = write!(out, " src {s}");
    }
    if let Some(m) = spec.metric {
        let _ = write!(out, " metric {m}");
    }
    if let Some(m) = spec.mtu {
        let _ = write!(out, " mtu {m}");
    }
    if spec.hops.len() > 1 {
        for h in &spec.hops {
            out.push_str(" nexthop");
            write_hop(&mut out, h);
        }
    }
    out
}

fn verb_word(verb: RouteVerb) -> &'static str {
    match verb {
        RouteVerb::Add => "add",
        RouteVerb::Replace => "replace",
        RouteVerb::Append => "append",
        RouteVerb::Prepend => "prepend",
        RouteVerb::Change => "change",
        RouteVerb::Del => "del",
    }
}

/// The commands of a change; those of a batch are a here-document.
pub(in crate::shell) fn print(op: &RouteOp) -> Vec<String> {
    match op {
        RouteOp::One { verb, route } => vec![format!("ip route {} {}", verb_word(*verb), words(route))],
        RouteOp::Batch { batch, skip } => {
            let mut out = vec!["ip -batch - <<EOF".to_owned()];
            out.extend(batch.routes.iter().filter(|r| Some(r.prefix) != *skip).map(|r| format!("route add {}", words(r))));
            out.push("EOF".to_owned());
            out
        }
        RouteOp::Flush { table, dev, prefix } => {
            let mut line = String::from("ip route flush");
            if let Some(p) = prefix {
                let _ = write!(line, " {}", destination(*p));
            }
            match table {
                Some(TableId(0)) => line.push_str(" table all"),
                Some(t) => {
                    let _ = write!(line, " table {t}");
                }
                // A command that names nothing would be refused.
                None if prefix.is_none() && dev.is_none() => line.push_str(" table main"),
                None => {}
            }
            if let Some(d) = dev {
                let _ = write!(line, " dev {}", quote(d));
            }
            vec![line]
        }
    }
}
