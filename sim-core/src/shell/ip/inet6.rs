//! `ip -6`: addresses, routes and neighbours of IPv6.
//!
//! Models: iproute2 6.1 ip/ipaddress.c print_addrinfo, ip/iproute.c print_route, ip/ipneigh.c print_neigh, for the family inet6.
//!
//! A command is of this family if `-6` says so or one of its addresses is.

use super::super::answer::{Answer, Surroundings};
use super::super::args::{Args, begins};
use super::super::lex::quote;
use super::super::{Command, Query, ShellError};
use super::{addr, link, route};
use crate::linux::device::{Dad, Device, IfAddr};
use crate::linux::fib::{Route, RouteType, TableId};
use crate::linux::neighbour::NudState;
use crate::linux::op::RouteVerb;
use crate::linux::op::inet6::{Addr6Op, Hop6Spec, Route6Op, Route6Spec};
use crate::linux::{Netns, Op};
use crate::packet::{Ipv6Addr, Prefix};
use std::fmt::Write as _;
use std::sync::Arc;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query6 {
    /// `ip -6 address show`.
    Addr(link::Show),
    /// `ip -6 route show [table T] [dev D]`.
    Route {
        /// The table; 0 for all, main if none is given.
        table: Option<TableId>,
        /// Only routes by that device.
        dev: Option<Arc<str>>,
    },
    /// `ip -6 route get A [oif D]`.
    RouteGet {
        /// The destination.
        dst: Ipv6Addr,
        /// The device that it must leave by.
        oif: Option<Arc<str>>,
    },
    /// `ip -6 neigh show [dev D]`.
    Neigh {
        /// Only entries of that device.
        dev: Option<Arc<str>>,
    },
}

/// Whether a word is an IPv6 address or range.
fn is_v6(w: &str) -> bool {
    w.split('/').next().is_some_and(|a| a.contains(':') && a.parse::<Ipv6Addr>().is_ok())
}

/// Whether the words that follow name an address of this family.
pub(super) fn named(args: &Args<'_>) -> bool {
    args.rest().iter().any(|w| is_v6(&w.text))
}

fn address(args: &mut Args<'_>) -> Result<Ipv6Addr, ShellError> {
    let w = args.need()?;
    w.parse().map_err(|_| args.error_status(format!("Error: inet6 address is expected rather than \"{w}\"."), 1))
}

/// An address and the length behind it; `default` is everything.
fn prefix(args: &mut Args<'_>) -> Result<(Ipv6Addr, u8), ShellError> {
    let w = args.need()?;
    if matches!(w, "default" | "any" | "all") {
        return Ok((Ipv6Addr::UNSPECIFIED, 0));
    }
    let bad = || args.error_status(format!("Error: inet6 prefix is expected rather than \"{w}\"."), 1);
    let (a, len) = match w.split_once('/') {
        Some((a, l)) => (a, l.parse::<u8>().ok().filter(|l| *l <= 128).ok_or_else(bad)?),
        None => (w, 128),
    };
    Ok((a.parse().map_err(|_| bad())?, len))
}

/// `ip -6 address …`.
pub(super) fn addr(args: &mut Args<'_>, format: super::Format) -> Result<Command, ShellError> {
    match args.next() {
        Some(c) if begins(c, "add") => modify_addr(args, false, true),
        Some(c) if begins(c, "change") || begins(c, "replace") => modify_addr(args, true, true),
        Some(c) if begins(c, "delete") => modify_addr(args, false, false),
        Some(c) if begins(c, "flush") => {
            args.take("dev");
            let dev = args.need()?.into();
            args.done("flush")?;
            Ok(Command::op(Op::Addr6(Addr6Op::Flush { dev })))
        }
        word => {
            if !word.is_none_or(|c| begins(c, "show") || c == "lst" || begins(c, "list")) {
                return Err(super::unknown(args, "address"));
            }
            let mut show = link::Show { format, ..link::Show::default() };
            while let Some(w) = args.next() {
                match w {
                    "up" => show.up = true,
                    "dev" => show.dev = Some(args.need()?.into()),
                    "scope" | "to" | "type" | "master" | "tentative" | "dadfailed" => return Err(args.unsupported()),
                    w => show.dev = Some(w.into()),
                }
            }
            Ok(Command::query(Query::Inet6(Query6::Addr(show))))
        }
    }
}

fn modify_addr(args: &mut Args<'_>, replace: bool, add: bool) -> Result<Command, ShellError> {
    let (mut local, mut dev, mut nodad, mut noprefixroute) = (None, None, false, false);
    while let Some(word) = args.next() {
        match word {
            "dev" => dev = Some(Arc::from(args.need()?)),
            "nodad" => nodad = true,
            "noprefixroute" => noprefixroute = true,
            "scope" => {
                // the kernel takes the scope from the address
                let w = args.need()?;
                addr::scope(w).ok_or_else(|| args.invalid("invalid scope value."))?;
            }
            "peer" | "remote" | "broadcast" | "brd" | "label" | "metric" | "priority" | "valid_lft" | "preferred_lft" | "anycast"
            | "home" | "mngtmpaddr" | "optimistic" | "autojoin" | "proto" => return Err(args.unsupported()),
            w => {
                if w != "local" {
                    args.back();
                }
                local = Some(prefix(args)?);
            }
        }
    }
    let Some(dev) = dev else {
        let mut e = args.end("Not enough information: \"dev\" argument is required.");
        e.status = 1;
        return Err(e);
    };
    let Some((local, len)) = local else {
        let mut e = args.end("RTNETLINK answers: Operation not supported").help("an address is missing");
        e.status = 2;
        return Err(e);
    };
    let op = if add { Addr6Op::Add { dev, local, len, nodad, noprefixroute, replace } } else { Addr6Op::Del { dev, local, len } };
    Ok(Command::op(Op::Addr6(op)))
}

/// `ip -6 route …`.
pub(super) fn route(args: &mut Args<'_>) -> Result<Command, ShellError> {
    let one = |args: &mut Args<'_>, verb| {
        let route = modify_route(args)?;
        Ok(Command::op(Op::Route6(Box::new(Route6Op { verb, route }))))
    };
    match args.next() {
        Some(c) if begins(c, "add") => one(args, RouteVerb::Add),
        Some(c) if begins(c, "change") || c == "chg" => one(args, RouteVerb::Change),
        Some(c) if begins(c, "replace") => one(args, RouteVerb::Replace),
        Some(c) if begins(c, "prepend") => one(args, RouteVerb::Prepend),
        Some(c) if begins(c, "append") => one(args, RouteVerb::Append),
        Some(c) if begins(c, "delete") => one(args, RouteVerb::Del),
        Some(c) if begins(c, "get") => {
            args.take("to");
            let dst = address(args)?;
            let oif = if args.take("oif") || args.take("dev") { Some(args.need()?.into()) } else { None };
            args.done("get")?;
            Ok(Command::query(Query::Inet6(Query6::RouteGet { dst, oif })))
        }
        None => Ok(Command::query(Query::Inet6(Query6::Route { table: None, dev: None }))),
        Some(c) if begins(c, "show") || begins(c, "list") || c == "lst" => {
            let (mut table, mut dev) = (None, None);
            while let Some(w) = args.next() {
                match w {
                    "table" => {
                        table = Some(match args.need()? {
                            "all" => TableId(0),
                            w => route::table(w).ok_or_else(|| args.invalid("table id value is invalid"))?,
                        });
                    }
                    "dev" | "oif" => dev = Some(args.need()?.into()),
                    _ => return Err(args.unsupported()),
                }
            }
            Ok(Command::query(Query::Inet6(Query6::Route { table, dev })))
        }
        Some(c) if begins(c, "flush") || begins(c, "test") || begins(c, "save") || begins(c, "restore") => Err(args.unsupported()),
        Some(_) => Err(super::unknown(args, "route")),
    }
}

fn modify_route(args: &mut Args<'_>) -> Result<Route6Spec, ShellError> {
    let mut spec = Route6Spec::to(Prefix::new(Ipv6Addr::UNSPECIFIED, 0));
    let mut to = false;
    while let Some(word) = args.next() {
        match word {
            "via" => {
                args.take("inet6");
                spec.hop.via = Some(address(args)?);
            }
            "dev" | "oif" => spec.hop.dev = Some(args.need()?.into()),
            "onlink" => spec.hop.onlink = true,
            "src" => spec.src = Some(address(args)?),
            "metric" | "priority" | "preference" => {
                spec.metric = Some(args.number(u64::from(u32::MAX), "\"metric\" value is invalid")? as u32)
            }
            "mtu" => spec.mtu = Some(args.number(u64::from(u32::MAX), "\"mtu\" value is invalid")? as u32),
            "proto" | "protocol" => {
                let w = args.need()?;
                spec.proto = Some(route::proto(w).ok_or_else(|| args.invalid("\"protocol\" value is invalid"))?);
            }
            "table" => {
                let w = args.need()?;
                spec.table = Some(route::table(w).ok_or_else(|| args.invalid("\"table\" value is invalid"))?);
            }
            "scope" => {
                // IPv6 keeps no scope of routes
                args.need()?;
            }
            "nexthop" | "nhid" | "encap" | "expires" | "pref" | "advmss" | "from" | "tos" | "weight" | "hoplimit" => {
                return Err(args.unsupported());
            }
            w if !to && route::kind(w).is_some() => spec.kind = route::kind(w),
            w => {
                if w != "to" {
                    args.back();
                }
                let (a, len) = prefix(args)?;
                spec.prefix = Prefix::new(a, len);
                to = true;
            }
        }
    }
    if !to {
        return Err(args.end("Usage: ip route { add | del | change | append | replace } ROUTE").help("a destination is missing"));
    }
    Ok(spec)
}

/// `ip -6 neigh show`.
pub(super) fn neigh(args: &mut Args<'_>) -> Result<Command, ShellError> {
    match args.next() {
        Some(c) if !(begins(c, "show") || begins(c, "list")) => {
            return Err(args.not_simulated("changes of IPv6 neighbours (`ip -6 neigh`)"));
        }
        _ => {}
    }
    let dev = if args.take("dev") { Some(args.need()?.into()) } else { None };
    args.done("show")?;
    Ok(Command::query(Query::Inet6(Query6::Neigh { dev })))
}

/// The command of a change of addresses.
pub(in crate::shell) fn print_addr(op: &Addr6Op) -> String {
    match op {
        Addr6Op::Add { dev, local, len, nodad, noprefixroute, replace } => {
            let verb = if *replace { "replace" } else { "add" };
            let flags = [(*nodad, " nodad"), (*noprefixroute, " noprefixroute")].into_iter().filter(|f| f.0).map(|f| f.1);
            format!("ip -6 addr {verb} {local}/{len} dev {}{}", quote(dev), flags.collect::<String>())
        }
        Addr6Op::Del { dev, local, len } => format!("ip -6 addr del {local}/{len} dev {}", quote(dev)),
        Addr6Op::Flush { dev } => format!("ip -6 addr flush dev {}", quote(dev)),
    }
}

fn range(p: Prefix<Ipv6Addr>) -> String {
    match p.len() {
        0 => "default".to_owned(),
        128 => p.addr().to_string(),
        _ => p.to_string(),
    }
}

/// The command of a change of routes.
pub(in crate::shell) fn print_route(op: &Route6Op) -> String {
    let verb = match op.verb {
        RouteVerb::Add => "add",
        RouteVerb::Replace => "replace",
        RouteVerb::Append => "append",
        RouteVerb::Prepend => "prepend",
        RouteVerb::Change => "change",
        RouteVerb::Del => "del",
    };
    let Route6Spec { prefix, kind, hop: Hop6Spec { via, dev, onlink }, table, metric, proto, src, mtu } = &op.route;
    let mut s = format!("ip -6 route {verb} ");
    if let Some(k) = kind {
        let _ = write!(s, "{} ", k.name());
    }
    s.push_str(&range(*prefix));
    let mut word = |k: &str, v: Option<String>| {
        if let Some(v) = v {
            let _ = write!(s, " {k} {v}");
        }
    };
    word("via", via.map(|v| v.to_string()));
    word("dev", dev.as_ref().map(|d| quote(d).to_string()));
    word("table", table.map(|t| t.0.to_string()));
    word("metric", metric.map(|m| m.to_string()));
    word("proto", proto.map(route::proto_name));
    word("src", src.map(|a| a.to_string()));
    word("mtu", mtu.map(|m| m.to_string()));
    if *onlink {
        s.push_str(" onlink");
    }
    s
}

/// One address, as it stands below its device.
pub(super) fn line(a: &IfAddr<Ipv6Addr>) -> String {
    let mut out = format!("inet6 {}/{} scope {}", a.local, a.prefix.len(), a.scope.name());
    match a.dad {
        Dad::Done => {}
        Dad::Tentative => out.push_str(" tentative"),
        Dad::Failed => out.push_str(" dadfailed tentative"),
    }
    if a.noprefixroute {
        out.push_str(" noprefixroute");
    }
    out
}

fn routes(ns: &Netns, table: Option<TableId>) -> Vec<(TableId, &Route<Ipv6Addr>)> {
    let fib = &ns.config.fib6;
    let tables = [(TableId::MAIN, &fib.main), (TableId::LOCAL, &fib.local)].into_iter().chain(fib.others.iter().map(|(id, t)| (*id, t)));
    let wanted = table.unwrap_or(TableId::MAIN);
    let mut rows: Vec<(TableId, &Route<Ipv6Addr>)> = tables
        .filter(|(id, _)| wanted == TableId(0) || *id == wanted)
        .flat_map(|(id, t)| t.all().into_iter().map(move |r| (id, r)))
        .collect();
    // the kernel walks its tree by address; default comes last
    rows.sort_by_key(|(id, r)| (*id != TableId::MAIN, r.prefix.len() == 0, r.prefix.addr(), r.prefix.len(), r.metric));
    rows
}

fn route_line(ns: &Netns, r: &Route<Ipv6Addr>, table: Option<TableId>) -> String {
    let mut s = String::new();
    if r.kind != RouteType::Unicast {
        let _ = write!(s, "{} ", r.kind.name());
    }
    let _ = write!(s, "{} ", range(r.prefix));
    match r.nexthops.first() {
        Some(h) => {
            if let Some(v) = h.via {
                let _ = write!(s, "via {v} ");
            }
            let _ = write!(s, "dev {} ", ns.config.devices.name(h.dev));
        }
        None => s.push_str("dev lo "),
    }
    if let Some(t) = table.filter(|t| *t != TableId::MAIN) {
        let _ = write!(s, "table {t} ");
    }
    if r.proto != crate::linux::fib::RouteProto::BOOT {
        let _ = write!(s, "proto {} ", route::proto_name(r.proto));
    }
    if let Some(a) = r.src {
        let _ = write!(s, "src {a} ");
    }
    let _ = write!(s, "metric {} ", r.metric);
    if r.nexthops.first().is_some_and(|h| h.onlink) {
        s.push_str("onlink ");
    }
    if let Some(m) = r.mtu {
        let _ = write!(s, "mtu {m} ");
    }
    match r.kind {
        RouteType::Unreachable => s.push_str("error -113 "),
        RouteType::Prohibit => s.push_str("error -13 "),
        RouteType::Blackhole => s.push_str("error -22 "),
        RouteType::Throw => s.push_str("error -11 "),
        _ => {}
    }
    s.push_str("pref medium");
    s
}

/// Answers a question about IPv6.
pub(in crate::shell) fn answer(ns: &Netns, q: &Query6, around: &dyn Surroundings) -> Answer {
    match q {
        Query6::Addr(show) => {
            let devices = match show.devices(ns) {
                Ok(d) => d,
                Err(e) => return e,
            };
            let mut out = String::new();
            for d in devices.into_iter().filter(|d: &&Device| !d.addrs6.is_empty()) {
                let (first, _) = link::lines(ns, d, around, false);
                let _ = writeln!(out, "{first}");
                for a in &d.addrs6 {
                    let _ = writeln!(out, "    {} \n       valid_lft forever preferred_lft forever", line(a));
                }
            }
            Answer::printed(out)
        }
        Query6::Route { table, dev } => {
            let index = match dev.as_deref() {
                Some(name) => match ns.config.devices.by_name(name) {
                    Some(d) => Some(d.index),
                    None => return Answer::failed(format!("Cannot find device \"{name}\""), 1),
                },
                None => None,
            };
            let mut out = String::new();
            for (id, r) in routes(ns, *table) {
                if index.is_none_or(|d| r.nexthops.iter().any(|h| h.dev == d)) {
                    let _ = writeln!(out, "{} ", route_line(ns, r, (*table == Some(TableId(0))).then_some(id)).trim_end());
                }
            }
            Answer::printed(out)
        }
        Query6::RouteGet { dst, oif } => get(ns, *dst, oif.as_deref()),
        Query6::Neigh { dev } => {
            let mut out = String::new();
            for n in ns.neigh6.sorted() {
                let name = ns.config.devices.name(n.dev);
                if dev.as_deref().is_some_and(|d| d != name) || matches!(n.state, NudState::None | NudState::Noarp) {
                    continue;
                }
                let _ = write!(out, "{} ", n.addr);
                if dev.is_none() {
                    let _ = write!(out, "dev {name} ");
                }
                if n.state.is_valid() {
                    let _ = write!(out, "lladdr {} ", n.mac);
                }
                let _ = writeln!(out, "{} ", n.state.name());
            }
            Answer::printed(out)
        }
    }
}

/// `ip -6 route get`.
fn get(ns: &Netns, dst: Ipv6Addr, oif: Option<&str>) -> Answer {
    let dev = match oif {
        Some(name) => match ns.config.devices.by_name(name) {
            Some(d) => d.index,
            None => return Answer::failed(format!("Cannot find device \"{name}\""), 1),
        },
        None => crate::linux::IfIndex::NONE,
    };
    let live = |r: &Route<Ipv6Addr>| {
        r.nexthops.is_empty()
            || r.nexthops.iter().any(|h| (!dev.is_some() || h.dev == dev) && ns.config.devices.get(h.dev).is_some_and(|d| d.up))
    };
    let Some((_, r)) = ns.config.fib6.lookup(dst, live) else {
        return Answer::failed("RTNETLINK answers: Network is unreachable", 2);
    };
    let refused = match r.kind {
        RouteType::Unreachable => Some("No route to host"),
        RouteType::Prohibit => Some("Permission denied"),
        RouteType::Blackhole => Some("Invalid argument"),
        _ => None,
    };
    if let Some(why) = refused {
        return Answer::failed(format!("RTNETLINK answers: {why}"), 2);
    }
    let hop = r.nexthops.first();
    let out = hop.map_or(dev, |h| h.dev);
    let local = matches!(r.kind, RouteType::Local | RouteType::Anycast);
    let mut s = String::new();
    if r.kind != RouteType::Unicast {
        let _ = write!(s, "{} ", r.kind.name());
    }
    let _ = write!(s, "{dst} from :: ");
    if let Some(v) = hop.and_then(|h| h.via) {
        let _ = write!(s, "via {v} ");
    }
    let _ = write!(s, "dev {} ", ns.config.devices.name(out));
    if local {
        s.push_str("table local ");
    }
    if r.proto != crate::linux::fib::RouteProto::BOOT {
        let _ = write!(s, "proto {} ", route::proto_name(r.proto));
    }
    if let Some(src) = r.src.or_else(|| crate::linux::inet6::select_source(&ns.config, out, dst)) {
        let _ = write!(s, "src {src} ");
    }
    let _ = write!(s, "metric {} pref medium", r.metric);
    Answer::printed(format!("{s} \n").replace(" \n", "\n"))
}
