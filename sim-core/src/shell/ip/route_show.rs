//! `ip route show`: route tables, as `ip` prints them.
//!
//! Models: iproute2 6.1 ip/iproute.c print_route, filter_nlmsg.

use super::super::ShellError;
use super::super::answer::Answer;
use super::super::args::Args;
use super::{Format, addr, route};
use crate::linux::Netns;
use crate::linux::device::Scope;
use crate::linux::fib::{NextHop, Route, RouteProto, RouteType, TableId};
use crate::packet::{Ipv4Addr, Prefix};
use std::fmt::Write as _;
use std::sync::Arc;

/// How the destination must lie to a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selector {
    /// The same range.
    Exact,
    /// In the range.
    Root,
    /// It holds the range.
    Match,
}

/// What `ip route show` is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Show {
    /// How to print.
    pub format: Format,
    /// The table; 0 for all, main if none is given.
    pub table: Option<TableId>,
    /// Only routes by that device.
    pub dev: Option<Arc<str>>,
    /// Only routes of that origin.
    pub proto: Option<RouteProto>,
    /// Only routes of that scope.
    pub scope: Option<Scope>,
    /// Only routes of that type.
    pub kind: Option<RouteType>,
    /// Only routes by that gateway.
    pub via: Option<Ipv4Addr>,
    /// Only routes that prefer that source.
    pub src: Option<Ipv4Addr>,
    /// Only routes to such destinations.
    pub to: Option<(Selector, Prefix<Ipv4Addr>)>,
}

impl Show {
    pub(super) fn parse(args: &mut Args<'_>, format: Format) -> Result<Show, ShellError> {
        let mut s = Show { format, ..Show::default() };
        while let Some(word) = args.next() {
            match word {
                "table" => {
                    s.table = Some(match args.need()? {
                        "all" => TableId(0),
                        "cache" => return Err(args.unsupported()),
                        w => route::table(w).ok_or_else(|| args.invalid("table id value is invalid"))?,
                    });
                }
                "dev" | "oif" => s.dev = Some(args.need()?.into()),
                "proto" | "protocol" => {
                    let w = args.need()?;
                    s.proto = if w == "all" { None } else { Some(route::proto(w).ok_or_else(|| args.invalid("invalid \"protocol\""))?) };
                }
                "scope" => {
                    let w = args.need()?;
                    s.scope = if w == "all" { None } else { Some(addr::scope(w).ok_or_else(|| args.invalid("invalid \"scope\""))?) };
                }
                "type" => {
                    let w = args.need()?;
                    s.kind = Some(route::kind(w).ok_or_else(|| args.invalid("node type value is invalid"))?);
                }
                "via" => s.via = Some(args.addr()?),
                "src" => s.src = Some(args.addr()?),
                "vrf" | "iif" | "tos" | "dsfield" | "metric" | "priority" | "preference" | "from" | "realms" | "cached" | "cloned" => {
                    return Err(args.unsupported());
                }
                w => {
                    let named = w == "to";
                    let w = if named { args.need()? } else { w };
                    let selector = match w {
                        "root" => Selector::Root,
                        "match" => Selector::Match,
                        "exact" => Selector::Exact,
                        _ => {
                            args.back();
                            Selector::Exact
                        }
                    };
                    if s.to.is_some() {
                        args.next();
                        return Err(args.garbage("to"));
                    }
                    let (a, l) = args.prefix()?;
                    s.to = Some((selector, Prefix::new(a, l.unwrap_or(32))));
                }
            }
        }
        Ok(s)
    }

    fn wants(&self, ns: &Netns, r: &Route<Ipv4Addr>) -> bool {
        let dev = self.dev.as_deref();
        // `ip` looks at the device and the gateway of routes with one next hop only.
        let one = match r.nexthops.as_slice() {
            [one] => Some(one),
            _ => None,
        };
        self.proto.is_none_or(|p| p == r.proto)
            && self.scope.is_none_or(|s| s == r.scope)
            && self.kind.is_none_or(|k| k == r.kind)
            && self.src.is_none_or(|a| Some(a) == r.src)
            && self.via.is_none_or(|a| one.is_some_and(|n| n.via == Some(a)))
            && dev.is_none_or(|d| one.is_some_and(|n| ns.config.devices.name(n.dev) == d))
            && self.to.is_none_or(|(s, p)| match s {
                Selector::Exact => p == r.prefix,
                Selector::Root => p.covers(r.prefix),
                Selector::Match => r.prefix.covers(p),
            })
    }
}

/// The marks behind a next hop.
fn marks(ns: &Netns, r: &Route<Ipv4Addr>, hop: &NextHop<Ipv4Addr>, out: &mut String) {
    let host = r.scope == Scope::Host;
    let dev = ns.config.devices.get(hop.dev);
    if !host && dev.is_some_and(|d| !d.up) {
        out.push_str("dead ");
    }
    if hop.onlink {
        out.push_str("onlink ");
    }
    if !host && dev.is_some_and(|d| !d.is_running()) {
        out.push_str("linkdown ");
    }
}

/// One route as `ip route` prints it. What the question named is left out.
pub fn line(ns: &Netns, table: TableId, r: &Route<Ipv4Addr>, asked: &Show) -> String {
    let details = asked.format.details;
    let mut out = String::new();
    if r.kind != RouteType::Unicast || details {
        let _ = write!(out, "{} ", r.kind.name());
    }
    let _ = write!(out, "{} ", route::destination(r.prefix));
    if r.tos != 0 {
        let _ = write!(out, "tos {} ", tos_name(r.tos));
    }
    let one = match r.nexthops.as_slice() {
        [one] => Some(one),
        _ => None,
    };
    if let Some(h) = one {
        if let Some(v) = h.via.filter(|v| asked.via != Some(*v)) {
            let _ = write!(out, "via {v} ");
        }
        if asked.dev.is_none() {
            let _ = write!(out, "dev {} ", ns.config.devices.name(h.dev));
        }
    }
    if table != TableId::MAIN && asked.table.is_none_or(|t| t.0 == 0) {
        let _ = write!(out, "table {table} ");
    }
    if (r.proto != RouteProto::BOOT || details) && asked.proto.is_none() {
        let _ = write!(out, "proto {} ", route::proto_name(r.proto));
    }
    if (r.scope != Scope::Universe || details) && asked.scope.is_none() {
        let _ = write!(out, "scope {} ", r.scope.name());
    }
    if let Some(s) = r.src.filter(|s| asked.src != Some(*s)) {
        let _ = write!(out, "src {s} ");
    }
    if r.metric != 0 {
        let _ = write!(out, "metric {} ", r.metric);
    }
    if let Some(h) = one {
        marks(ns, r, h, &mut out);
    }
    if let Some(m) = r.mtu {
        let _ = write!(out, "mtu {m} ");
    }
    if r.nexthops.len() > 1 {
        let sep = if asked.format.oneline { "\\" } else { "\n" };
        for h in &r.nexthops {
            let _ = write!(out, "{sep}\tnexthop ");
            if let Some(v) = h.via {
                let _ = write!(out, "via {v} ");
            }
            let _ = write!(out, "dev {} weight {} ", ns.config.devices.name(h.dev), h.weight);
            marks(ns, r, h, &mut out);
        }
    }
    out
}

/// The names of `/etc/iproute2/rt_dsfield` do not cover the old TOS bits.
fn tos_name(tos: u8) -> String {
    format!("{tos:#04x}")
}

/// Answers `ip route show`.
pub(in crate::shell) fn answer(ns: &Netns, show: &Show) -> Answer {
    if let Some(d) = show.dev.as_deref().filter(|d| ns.config.devices.by_name(d).is_none()) {
        return Answer::failed(format!("Cannot find device \"{d}\""), 1);
    }
    let fib = &ns.config.fib;
    let wanted = show.table.unwrap_or(TableId::MAIN);
    if wanted.0 != 0 && fib.table(wanted).is_none() && wanted != TableId::DEFAULT {
        return Answer::failed("Error: ipv4: FIB table does not exist.\nDump terminated", 2);
    }
    let mut tables: Vec<TableId> = fib.others.iter().map(|(t, _)| *t).chain([TableId::MAIN, TableId::LOCAL]).collect();
    // The kernel keeps tables in a hash of 256 places.
    tables.sort_by_key(|t| (t.0 & 255, t.0));
    let mut out = String::new();
    for id in tables.into_iter().filter(|t| wanted.0 == 0 || *t == wanted) {
        for r in fib.table(id).map(|t| t.all()).unwrap_or_default().into_iter().filter(|r| show.wants(ns, r)) {
            let _ = writeln!(out, "{}", line(ns, id, r, show));
        }
    }
    Answer::printed(out)
}
