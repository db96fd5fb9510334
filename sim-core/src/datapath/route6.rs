//! IPv6 route decisions: for packets that came in, and for packets that are made here.
//!
//! Models: net/ipv6/route.c ip6_route_input, ip6_route_output_flags, ip6_pol_route, rt6_score_route (interface); net/ipv6/ip6_output.c
//! ip6_dst_lookup_tail (source address).
//! Simplifies: of several routes of equal metric the first live one is taken; next hops are not told apart by their reachability;
//! policy rules are the defaults.

use super::route::LOOPBACK;
use super::walk::Walk;
use crate::linux::config::Config;
use crate::linux::fib::{NextHop, Route, RouteType};
use crate::linux::inet6::{needs_device, select_source};
use crate::linux::skb::Skb;
use crate::linux::{Errno, IfIndex, RowId, VersionId};
use crate::packet::Ipv6Addr;
use crate::trace::{Evidence, Step, Tracer};

/// Where a packet goes from here (struct rt6_info).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dst6 {
    /// What the route does with it.
    pub kind: RouteType,
    /// Device it leaves by; `lo` for this host.
    pub oif: IfIndex,
    /// Gateway, if it goes through one.
    pub gateway: Option<Ipv6Addr>,
    /// MTU in bytes of the route or its device.
    pub mtu: u32,
    /// Length of the route's prefix: errors to a wide one may come faster.
    pub plen: u8,
}

/// What a lookup found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found6 {
    row: RowId,
    kind: RouteType,
    hop: Option<NextHop<Ipv6Addr>>,
    src: Option<Ipv6Addr>,
    mtu: Option<u32>,
    plen: u8,
}

fn live_hop(config: &Config, r: &Route<Ipv6Addr>, oif: IfIndex) -> Option<NextHop<Ipv6Addr>> {
    let up = |dev: IfIndex| config.devices.get(dev).is_some_and(|d| d.up);
    let local = matches!(r.kind, RouteType::Local | RouteType::Anycast);
    r.nexthops.iter().find(|h| (!oif.is_some() || h.dev == oif || local) && (local || up(h.dev))).copied()
}

fn refusal(kind: RouteType) -> Option<Errno> {
    match kind {
        RouteType::Blackhole => Some(Errno::EINVAL),
        RouteType::Unreachable => Some(Errno::EHOSTUNREACH),
        RouteType::Prohibit => Some(Errno::EACCES),
        RouteType::Throw => Some(Errno::ENETUNREACH),
        _ => None,
    }
}

fn lookup(config: &Config, dst: Ipv6Addr, oif: IfIndex) -> Option<Found6> {
    let (_, r) = config.fib6.lookup(dst, |r| refusal(r.kind).is_some() || live_hop(config, r, oif).is_some())?;
    Some(Found6 { row: r.row, kind: r.kind, hop: live_hop(config, r, oif), src: r.src, mtu: r.mtu, plen: r.prefix.len() })
}

/// The route of a packet that is made here, and its source address; pure.
pub(super) fn find_output6(
    config: &Config,
    src: Ipv6Addr,
    dst: Ipv6Addr,
    oif: IfIndex,
) -> (Option<Found6>, Result<(Dst6, Ipv6Addr), Errno>) {
    let dst = if dst.is_unspecified() { Ipv6Addr::LOCALHOST } else { dst };
    let found = lookup(config, dst, oif);
    let result = match &found {
        None => Err(Errno::ENETUNREACH),
        Some(f) => match (refusal(f.kind), f.hop) {
            (Some(e), _) => Err(e),
            (None, None) => Err(Errno::ENETUNREACH),
            (None, Some(hop)) => {
                let local = matches!(f.kind, RouteType::Local | RouteType::Anycast);
                let route = Dst6 {
                    kind: f.kind,
                    oif: if local { LOOPBACK } else { hop.dev },
                    gateway: hop.via,
                    mtu: if local { 65_536 } else { mtu_of(config, f, hop.dev) },
                    plen: f.plen,
                };
                let chosen = if src.is_unspecified() { f.src.or_else(|| select_source(config, hop.dev, dst)) } else { Some(src) };
                chosen.map(|s| (route, s)).ok_or(Errno::EADDRNOTAVAIL)
            }
        },
    };
    (found, result)
}

fn mtu_of(config: &Config, found: &Found6, dev: IfIndex) -> u32 {
    let device = config.devices.get(dev).map_or(1500, |d| d.mtu);
    found.mtu.map_or(device, |m| m.min(device))
}

impl<T: Tracer> Walk<'_, T> {
    fn route6_step(&mut self, skb: Option<&Skb>, dev: IfIndex, input: bool, found: Option<&Found6>, dst: Ipv6Addr, src: Ipv6Addr) {
        if !T::ON {
            return;
        }
        let hop = found.and_then(|f| f.hop);
        let evidence = Evidence::RouteLookup {
            input,
            dst: self.addr32(dst),
            row: found.map_or(RowId::NONE, |f| f.row),
            kind: found.map_or(RouteType::Unreachable, |f| f.kind),
            oif: hop.map_or(0, |h| h.dev.0 as u16),
            next_hop: self.addr32(hop.and_then(|h| h.via).unwrap_or(dst)),
            src: self.addr32(src),
        };
        let (packet, version) = skb.map_or((self.cause, VersionId::NONE), |s| (s.id, s.version));
        self.trace.step(Step { at: self.now, netns: self.ns.id, dev, packet, version, evidence });
    }

    /// Decides about a packet that came in by `iif` (ip6_route_input).
    ///
    /// # Errors
    /// ENETUNREACH without a route; what a refusing route says.
    pub fn route_input6(&mut self, skb: &Skb, iif: IfIndex, dst: Ipv6Addr) -> Result<Dst6, Errno> {
        let oif = if needs_device(dst) { iif } else { IfIndex::NONE };
        let found = lookup(&self.ns.config, dst, oif);
        self.route6_step(Some(skb), iif, true, found.as_ref(), dst, Ipv6Addr::UNSPECIFIED);
        let f = found.ok_or(Errno::ENETUNREACH)?;
        if let Some(e) = refusal(f.kind) {
            return Err(e);
        }
        let hop = f.hop.ok_or(Errno::ENETUNREACH)?;
        let mtu = mtu_of(&self.ns.config, &f, hop.dev);
        Ok(Dst6 { kind: f.kind, oif: hop.dev, gateway: hop.via, mtu, plen: f.plen })
    }

    /// Decides about a packet that is made here (ip6_route_output). Returns the source address too: `src` itself if it is given.
    ///
    /// # Errors
    /// ENETUNREACH without a route, EADDRNOTAVAIL without a source address; what a refusing route says.
    pub fn route_output6(&mut self, skb: Option<&Skb>, src: Ipv6Addr, dst: Ipv6Addr, oif: IfIndex) -> Result<(Dst6, Ipv6Addr), Errno> {
        let (found, result) = find_output6(&self.ns.config, src, dst, oif);
        self.route_output6_step(skb, dst, &found, &result);
        result
    }

    /// Records what [`find_output6`] found.
    pub(super) fn route_output6_step(
        &mut self,
        skb: Option<&Skb>,
        dst: Ipv6Addr,
        found: &Option<Found6>,
        result: &Result<(Dst6, Ipv6Addr), Errno>,
    ) {
        let chosen = result.as_ref().map_or(Ipv6Addr::UNSPECIFIED, |(_, s)| *s);
        self.route6_step(skb, IfIndex::NONE, false, found.as_ref(), dst, chosen);
    }
}
