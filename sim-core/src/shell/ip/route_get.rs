//! `ip route get`: which route a packet would take.
//!
//! Models: iproute2 6.1 ip/iproute.c iproute_get; net/ipv4/route.c inet_rtm_getroute, ip_route_output_key_hash_rcu,
//! ip_route_input_slow.
//! Simplifies: no source validation for `iif`; of several next hops the first that can be used.

use super::super::ShellError;
use super::super::answer::Answer;
use super::super::args::Args;
use crate::linux::config::Config;
use crate::linux::device::Scope;
use crate::linux::fib::{NextHop, Route, RouteType};
use crate::linux::{Errno, IfIndex, Netns, Time};
use crate::packet::Ipv4Addr;
use std::fmt::Write as _;
use std::sync::Arc;

/// What `ip route get` is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Get {
    /// Destination.
    pub to: Ipv4Addr,
    /// `from`.
    pub from: Option<Ipv4Addr>,
    /// `iif`: as if it had come in there.
    pub iif: Option<Arc<str>>,
    /// `oif`, `dev`.
    pub oif: Option<Arc<str>>,
}

impl Get {
    pub(super) fn parse(args: &mut Args<'_>) -> Result<Get, ShellError> {
        let (mut to, mut from, mut iif, mut oif) = (None, None, None, None);
        while let Some(word) = args.next() {
            match word {
                "from" => from = Some(args.prefix()?.0),
                "iif" => iif = Some(args.need()?.into()),
                "oif" | "dev" => oif = Some(args.need()?.into()),
                "mark" | "tos" | "dsfield" | "uid" | "vrf" | "ipproto" | "sport" | "dport" | "fibmatch" | "notify" | "connected" => {
                    return Err(args.unsupported());
                }
                w => {
                    if w != "to" {
                        args.back();
                    }
                    if to.is_some() {
                        args.next();
                        return Err(args.garbage("to"));
                    }
                    to = Some(args.prefix()?.0);
                }
            }
        }
        let Some(to) = to else {
            let mut e = args.end("need at least a destination address");
            e.status = 1;
            return Err(e);
        };
        Ok(Get { to, from, iif, oif })
    }
}

/// Where a packet would go.
struct Found {
    kind: RouteType,
    via: Option<Ipv4Addr>,
    dev: IfIndex,
    src: Option<Ipv4Addr>,
    mtu: Option<u32>,
}

fn refusing(kind: RouteType) -> bool {
    matches!(kind, RouteType::Blackhole | RouteType::Unreachable | RouteType::Prohibit | RouteType::Throw)
}

fn good(config: &Config, r: &Route<Ipv4Addr>, h: &NextHop<Ipv4Addr>, oif: IfIndex) -> bool {
    (!oif.is_some() || oif == h.dev) && (r.scope == Scope::Host || config.devices.get(h.dev).is_some_and(|d| d.up))
}

fn lookup(config: &Config, to: Ipv4Addr, oif: IfIndex) -> Result<(&Route<Ipv4Addr>, NextHop<Ipv4Addr>), Errno> {
    let fits = |r: &Route<Ipv4Addr>| r.tos == 0 && (refusing(r.kind) || r.nexthops.iter().any(|h| good(config, r, h, oif)));
    let (_, r) = config.fib.lookup(to, fits).ok_or(Errno::ENETUNREACH)?;
    match r.kind {
        RouteType::Blackhole => return Err(Errno::EINVAL),
        RouteType::Unreachable => return Err(Errno::EHOSTUNREACH),
        RouteType::Prohibit => return Err(Errno::EACCES),
        RouteType::Throw => return Err(Errno::ENETUNREACH),
        _ => {}
    }
    let hop = r.nexthops.iter().find(|h| good(config, r, h, oif)).copied().ok_or(Errno::ENETUNREACH)?;
    Ok((r, hop))
}

/// The gateway, unless it is an address of this host: then the destination is on the link.
fn gateway(config: &Config, via: Option<Ipv4Addr>) -> Option<Ipv4Addr> {
    via.filter(|v| config.fib.addr_type(*v) != RouteType::Local)
}

fn select(config: &Config, dev: IfIndex, to: Ipv4Addr) -> Option<Ipv4Addr> {
    crate::datapath::route::select_addr(config, dev, to, Scope::Universe)
}

fn output(config: &Config, get: &Get, oif: IfIndex) -> Result<Found, Errno> {
    let from = get.from.filter(|f| !f.is_unspecified());
    if let Some(f) = from
        && !oif.is_some()
        && config.fib.addr_type(f) != RouteType::Local
    {
        return Err(Errno::ENETUNREACH);
    }
    let to = get.to;
    let lo = IfIndex(1);
    if to.is_unspecified() {
        return Ok(Found { kind: RouteType::Local, via: None, dev: lo, src: from.or(Some(Ipv4Addr::LOCALHOST)), mtu: None });
    }
    let found = match lookup(config, to, oif) {
        Ok((r, h)) => {
            let src = from.or(r.src).or_else(|| select(config, h.dev, h.via.unwrap_or(to)));
            match r.kind {
                RouteType::Local => Found { kind: r.kind, via: None, dev: lo, src: from.or(Some(to)), mtu: None },
                kind => Found { kind, via: gateway(config, h.via), dev: h.dev, src, mtu: r.mtu },
            }
        }
        // With a device given, everything is on its link.
        Err(Errno::ENETUNREACH) if oif.is_some() => {
            Found { kind: RouteType::Unicast, via: None, dev: oif, src: from.or_else(|| select(config, oif, to)), mtu: None }
        }
        Err(e) => return Err(e),
    };
    let kind = match to {
        t if t == Ipv4Addr::BROADCAST => RouteType::Broadcast,
        t if t.is_multicast() => RouteType::Multicast,
        _ => found.kind,
    };
    let via = if kind == found.kind { found.via } else { None };
    Ok(Found { kind, via, ..found })
}

/// Answers `ip route get`.
pub(in crate::shell) fn answer(ns: &Netns, get: &Get, now: Time) -> Answer {
    let config = &*ns.config;
    let mut devs = [IfIndex::NONE; 2];
    for (slot, name) in devs.iter_mut().zip([&get.iif, &get.oif]) {
        if let Some(n) = name {
            match config.devices.by_name(n) {
                Some(d) => *slot = d.index,
                None => return Answer::failed(format!("Cannot find device \"{n}\""), 1),
            }
        }
    }
    let [iif, oif] = devs;
    let refused = |e: Errno| Answer::failed(format!("RTNETLINK answers: {e}"), 2);
    let mut out = String::new();
    let head = |kind: RouteType| if kind == RouteType::Unicast { String::new() } else { format!("{} ", kind.name()) };
    let cache = |kind: RouteType| match kind {
        RouteType::Local => "<local> ",
        RouteType::Broadcast => "<local,brd> ",
        RouteType::Multicast => "<local,mc> ",
        _ => "",
    };
    if get.iif.is_some() {
        let (r, h) = match lookup(config, get.to, IfIndex::NONE) {
            Ok(f) => f,
            Err(e) => return refused(if forwards(config, iif) { e } else { Errno::EHOSTUNREACH }),
        };
        let local = matches!(r.kind, RouteType::Local | RouteType::Broadcast);
        if !local && !forwards(config, iif) {
            return refused(Errno::EHOSTUNREACH);
        }
        let _ = write!(out, "{}{} ", head(r.kind), get.to);
        if let Some(f) = get.from {
            let _ = write!(out, "from {f} ");
        }
        if let Some(v) = gateway(config, h.via).filter(|_| !local) {
            let _ = write!(out, "via {v} ");
        }
        let dev = if local { "lo" } else { config.devices.name(h.dev) };
        let redirect = !local && h.dev == iif && config.devices.get(iif).is_some_and(|d| d.conf.send_redirects);
        let redirect = if redirect { "<redirect> " } else { "" };
        let _ = writeln!(out, "dev {dev} \n    cache {}{redirect}iif {} ", cache(r.kind), config.devices.name(iif));
        return Answer::printed(out);
    }
    let f = match output(config, get, oif) {
        Ok(f) => f,
        Err(e) => return refused(e),
    };
    let _ = write!(out, "{}{} ", head(f.kind), get.to);
    if let Some(from) = get.from {
        let _ = write!(out, "from {from} ");
    }
    if let Some(v) = f.via {
        let _ = write!(out, "via {v} ");
    }
    let _ = write!(out, "dev {} ", config.devices.name(f.dev));
    if let Some(s) = f.src.filter(|_| get.from.is_none()) {
        let _ = write!(out, "src {s} ");
    }
    // what was learned of the path stands in for the route's own MTU (rt_fill_info)
    let learned = ns.pmtu.get(&get.to).filter(|(_, until)| *until > now && f.kind == RouteType::Unicast);
    let mtu = match learned {
        Some((m, until)) => format!("expires {}sec mtu {m} ", until.since(now).as_secs()),
        None => f.mtu.map(|m| format!("mtu {m} ")).unwrap_or_default(),
    };
    let _ = writeln!(out, "uid 0 \n    cache {}{mtu}", cache(f.kind));
    Answer::printed(out)
}

fn forwards(config: &Config, iif: IfIndex) -> bool {
    config.devices.get(iif).is_some_and(|d| d.conf.forwarding)
}
