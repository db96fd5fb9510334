//! Route decisions: for packets that came in, and for packets that are made here.
//!
//! Models: net/ipv4/route.c ip_route_input_slow, ip_route_output_key_hash_rcu, ip_route_me_harder (net/ipv4/netfilter.c);
//! net/ipv4/fib_frontend.c fib_validate_source; net/ipv4/devinet.c inet_select_addr.
//! Simplifies: of several next hops the first live one is taken; policy rules are the three defaults.

use super::walk::Walk;
use crate::linux::config::Config;
use crate::linux::device::Scope;
use crate::linux::fib::{NextHop, Route, RouteType};
use crate::linux::skb::Skb;
use crate::linux::{Errno, IfIndex, RowId};
use crate::packet::{Ipv4Addr, Net};
use crate::trace::evidence::Addr32;
use crate::trace::{DropReason, Evidence, Tracer};

/// Where a packet goes from here (struct rtable).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dst {
    /// What the route does with it.
    pub kind: RouteType,
    /// Device it leaves by; `lo` for this host.
    pub oif: IfIndex,
    /// Gateway, if it goes through one.
    pub gateway: Option<Ipv4Addr>,
    /// MTU in bytes of the route or its device.
    pub mtu: u32,
    /// Whether an ICMP redirect is due: it leaves by the device it came in by, and the sender is on that link.
    pub redirect: bool,
}

/// Why a packet that came in goes nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputError {
    /// An error route: answered with ICMP, if this host forwards.
    Unreachable(Errno),
    /// A source or destination that cannot be: silently dropped.
    Martian(DropReason),
}

/// `lo`'s index.
pub const LOOPBACK: IfIndex = IfIndex(1);

/// Whether packets that came in by `dev` may be forwarded (IN_DEV_FORWARD).
#[inline]
pub fn forwards(config: &Config, dev: IfIndex) -> bool {
    config.devices.get(dev).is_some_and(|d| d.conf.forwarding)
}

/// The first next hop that can be used: its device is up, and is `oif` if one is asked for.
#[inline]
fn live_hop(config: &Config, route: &Route<Ipv4Addr>, oif: IfIndex) -> Option<NextHop<Ipv4Addr>> {
    route
        .nexthops
        .iter()
        .find(|h| (!oif.is_some() || h.dev == oif) && (route.kind == RouteType::Local || config.devices.get(h.dev).is_some_and(|d| d.up)))
        .copied()
}

/// Whether `route` can serve: refusing types always can, others need a live next hop.
#[inline]
fn usable(config: &Config, route: &Route<Ipv4Addr>, oif: IfIndex) -> bool {
    match route.kind {
        RouteType::Blackhole | RouteType::Unreachable | RouteType::Prohibit | RouteType::Throw => true,
        RouteType::Local if oif.is_some() => true,
        _ => live_hop(config, route, oif).is_some(),
    }
}

/// What a lookup found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    row: RowId,
    kind: RouteType,
    hop: Option<NextHop<Ipv4Addr>>,
    src: Option<Ipv4Addr>,
    mtu: Option<u32>,
}

/// fib_lookup.
#[inline]
fn fib_lookup(config: &Config, dst: Ipv4Addr, oif: IfIndex) -> Option<Found> {
    let (_, r) = config.fib.lookup(dst, |r| usable(config, r, oif))?;
    Some(Found { row: r.row, kind: r.kind, hop: live_hop(config, r, oif), src: r.src, mtu: r.mtu })
}

fn refusal(kind: RouteType) -> Option<Errno> {
    match kind {
        RouteType::Blackhole => Some(Errno::EINVAL),
        RouteType::Unreachable => Some(Errno::EHOSTUNREACH),
        RouteType::Prohibit => Some(Errno::EACCES),
        RouteType::Throw => Some(Errno::ENETUNREACH),
        RouteType::Unicast | RouteType::Local | RouteType::Broadcast | RouteType::Multicast => None,
    }
}

fn mtu_of(config: &Config, found: &Found, dev: IfIndex) -> u32 {
    let device = config.devices.get(dev).map_or(1500, |d| d.mtu);
    found.mtu.map_or(device, |m| m.min(device))
}

/// The source address for packets to `dst` by `dev` (inet_select_addr).
pub fn select_addr(config: &Config, dev: IfIndex, dst: Ipv4Addr, scope: Scope) -> Option<Ipv4Addr> {
    let device = config.devices.get(dev)?;
    let fitting = || device.addrs.iter().filter(|a| !a.secondary && a.scope <= scope);
    if let Some(a) = fitting().find(|a| dst.is_unspecified() || a.holds(dst)).or_else(|| fitting().next()) {
        return Some(a.local);
    }
    config.devices.iter().flat_map(|d| d.addrs.iter()).find(|a| !a.secondary && a.scope != Scope::Link && a.scope <= scope).map(|a| a.local)
}

impl<T: Tracer> Walk<'_, T> {
    #[inline]
    fn route_step(&mut self, skb: Option<&Skb>, dev: IfIndex, input: bool, found: Option<&Found>, dst: Ipv4Addr, src: Ipv4Addr) {
        // an ARP request is held against the routes too; what came of it is told by its own step
        if !T::ON || skb.is_some_and(|s| matches!(s.frame.net, Net::Arp(_))) {
            return;
        }
        let evidence = Evidence::RouteLookup {
            input,
            dst: Addr32::from(dst),
            row: found.map_or(RowId::NONE, |f| f.row),
            kind: found.map_or(RouteType::Unreachable, |f| f.kind),
            oif: found.and_then(|f| f.hop).map_or(0, |h| h.dev.0 as u16),
            next_hop: Addr32::from(found.and_then(|f| f.hop).and_then(|h| h.via).unwrap_or(dst)),
            src: Addr32::from(src),
        };
        let (packet, version) = skb.map_or((self.cause, crate::linux::VersionId::NONE), |s| (s.id, s.version));
        self.trace.step(crate::trace::Step { at: self.now, netns: self.ns.id, dev, packet, version, evidence });
    }

    /// Decides about a packet that came in by `iif` (ip_route_input_slow).
    ///
    /// # Errors
    /// When it goes nowhere.
    pub fn route_input(&mut self, skb: &Skb, iif: IfIndex, src: Ipv4Addr, dst: Ipv4Addr) -> Result<Dst, InputError> {
        let config = &*self.ns.config;
        let Some(device) = config.devices.get(iif) else { return Err(InputError::Martian(DropReason::DevReady)) };
        let localnet = device.conf.route_localnet || config.sysctl.conf_all.route_localnet;
        let limited = Ipv4Addr::BROADCAST;
        if src.is_multicast() || src == limited {
            return Err(InputError::Martian(DropReason::IpInvalidSource));
        }
        let to_everyone = dst == limited || (src.is_unspecified() && dst.is_unspecified());
        if !to_everyone {
            if src.octets()[0] == 0 {
                return Err(InputError::Martian(DropReason::IpInvalidSource));
            }
            if dst.octets()[0] == 0 {
                return Err(InputError::Martian(DropReason::IpInvalidDest));
            }
            if (dst.is_loopback() || src.is_loopback()) && !localnet && iif != LOOPBACK {
                return Err(InputError::Martian(DropReason::IpLocalnet));
            }
        }
        if to_everyone {
            self.route_step(Some(skb), iif, true, None, dst, Ipv4Addr::UNSPECIFIED);
            return Ok(Dst { kind: RouteType::Broadcast, oif: LOOPBACK, gateway: None, mtu: 65_535, redirect: false });
        }
        let forwarding = device.conf.forwarding;
        let found = fib_lookup(config, dst, IfIndex::NONE);
        let result = match &found {
            None => Err(InputError::Unreachable(if forwarding { Errno::ENETUNREACH } else { Errno::EHOSTUNREACH })),
            Some(f) => match (refusal(f.kind), f.kind) {
                (Some(e), _) => Err(InputError::Unreachable(if forwarding { e } else { Errno::EHOSTUNREACH })),
                (None, RouteType::Local) => validate_source(config, src, iif, IfIndex::NONE)
                    .map(|_| Dst { kind: RouteType::Local, oif: LOOPBACK, gateway: None, mtu: 65_535, redirect: false })
                    .map_err(InputError::Martian),
                (None, RouteType::Broadcast) => validate_source(config, src, iif, IfIndex::NONE)
                    .map(|_| Dst { kind: RouteType::Broadcast, oif: LOOPBACK, gateway: None, mtu: 65_535, redirect: false })
                    .map_err(InputError::Martian),
                (None, _) if !forwarding => Err(InputError::Unreachable(Errno::EHOSTUNREACH)),
                (None, _) => match f.hop {
                    None => Err(InputError::Unreachable(Errno::ENETUNREACH)),
                    Some(hop) => validate_source(config, src, iif, hop.dev).map_err(InputError::Martian).map(|on_link| Dst {
                        kind: RouteType::Unicast,
                        oif: hop.dev,
                        gateway: hop.via,
                        mtu: mtu_of(config, f, hop.dev),
                        redirect: on_link && hop.dev == iif,
                    }),
                },
            },
        };
        self.route_step(Some(skb), iif, true, found.as_ref(), dst, Ipv4Addr::UNSPECIFIED);
        result
    }

    /// Decides about a packet that is made here (ip_route_output_key_hash_rcu). Returns the source address too:
    /// `src` itself if it is given.
    ///
    /// # Errors
    /// ENETUNREACH without a route; EHOSTUNREACH, EACCES, EINVAL of the refusing routes.
    pub fn route_output(&mut self, skb: Option<&Skb>, src: Ipv4Addr, dst: Ipv4Addr, oif: IfIndex) -> Result<(Dst, Ipv4Addr), Errno> {
        let (found, result) = find_output(&self.ns.config, src, dst, oif);
        self.route_output_step(skb, dst, &found, &result);
        result
    }

    /// Records what [`find_output`] found.
    pub(super) fn route_output_step(
        &mut self,
        skb: Option<&Skb>,
        dst: Ipv4Addr,
        found: &Option<Found>,
        result: &Result<(Dst, Ipv4Addr), Errno>,
    ) {
        if T::ON {
            let chosen = result.as_ref().map_or(Ipv4Addr::UNSPECIFIED, |(_, s)| *s);
            self.route_step(skb, IfIndex::NONE, false, found.as_ref(), dst, chosen);
        }
    }
}

/// The route of a packet that is made here, and its source address; pure.
pub(super) fn find_output(config: &Config, src: Ipv4Addr, dst: Ipv4Addr, oif: IfIndex) -> (Option<Found>, Result<(Dst, Ipv4Addr), Errno>) {
    let dst = if dst.is_unspecified() { Ipv4Addr::LOCALHOST } else { dst };
    let found = fib_lookup(config, dst, oif);
    let result = match &found {
        None if oif.is_some() && config.devices.get(oif).is_some_and(|d| d.up) => {
            // a packet bound to a device goes out by it even without a route: the destination is taken to be on the link
            let chosen =
                if src.is_unspecified() { select_addr(config, oif, Ipv4Addr::UNSPECIFIED, Scope::Link).unwrap_or(src) } else { src };
            let mtu = config.devices.get(oif).map_or(1500, |d| d.mtu);
            Ok((Dst { kind: RouteType::Unicast, oif, gateway: None, mtu, redirect: false }, chosen))
        }
        None => Err(Errno::ENETUNREACH),
        Some(f) => match (refusal(f.kind), f.kind, f.hop) {
            (Some(e), _, _) => Err(e),
            (None, RouteType::Local, _) => {
                let chosen = if src.is_unspecified() { f.src.unwrap_or(dst) } else { src };
                Ok((Dst { kind: RouteType::Local, oif: LOOPBACK, gateway: None, mtu: 65_535, redirect: false }, chosen))
            }
            (None, _, None) => Err(Errno::ENETUNREACH),
            (None, kind, Some(hop)) => {
                let chosen = if src.is_unspecified() {
                    f.src.or_else(|| select_addr(config, hop.dev, hop.via.unwrap_or(dst), Scope::Link)).unwrap_or(src)
                } else {
                    src
                };
                Ok((Dst { kind, oif: hop.dev, gateway: hop.via, mtu: mtu_of(config, f, hop.dev), redirect: false }, chosen))
            }
        },
    };
    (found, result)
}

/// Whether `src` may come in by `iif` (fib_validate_source). True if the sender is on that link.
fn validate_source(config: &Config, src: Ipv4Addr, iif: IfIndex, oif: IfIndex) -> Result<bool, DropReason> {
    let Some(device) = config.devices.get(iif) else { return Err(DropReason::DevReady) };
    let all = &config.sysctl.conf_all;
    let rp_filter = device.conf.rp_filter.max(all.rp_filter);
    let accept_local = device.conf.accept_local || all.accept_local;
    let redirects = device.conf.send_redirects || all.send_redirects;
    if rp_filter == 0 && (oif != iif || !redirects) {
        if accept_local {
            return Ok(false);
        }
        let own = config.fib.local.lookup(src, |r| r.prefix.len() == 32).is_some_and(|r| r.kind == RouteType::Local);
        return if own && iif != LOOPBACK { Err(DropReason::IpLocalSource) } else { Ok(false) };
    }
    let last_resort = || if rp_filter != 0 { Err(DropReason::IpRpFilter) } else { Ok(false) };
    let Some((_, route)) = config.fib.lookup(src, |r| usable(config, r, IfIndex::NONE)) else { return last_resort() };
    match route.kind {
        RouteType::Unicast => {}
        RouteType::Local if accept_local || iif == LOOPBACK => {}
        RouteType::Local => return Err(DropReason::IpLocalSource),
        RouteType::Unreachable | RouteType::Prohibit | RouteType::Blackhole | RouteType::Throw => return last_resort(),
        RouteType::Broadcast | RouteType::Multicast => return Err(DropReason::IpInvalidSource),
    }
    if let Some(hop) = route.nexthops.iter().find(|h| h.dev == iif) {
        return Ok(hop.via.is_none());
    }
    if route.kind == RouteType::Local && iif == LOOPBACK {
        return Ok(true);
    }
    if device.addrs.is_empty() {
        return last_resort();
    }
    if rp_filter == 1 {
        return Err(DropReason::IpRpFilter);
    }
    let by_iif = config.fib.lookup(src, |r| usable(config, r, iif) && r.kind == RouteType::Unicast);
    Ok(by_iif.is_some_and(|(_, r)| r.nexthops.iter().any(|h| h.dev == iif && h.via.is_none())))
}
