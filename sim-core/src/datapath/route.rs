//! Route decisions: for packets that came in, and for packets that are made here.
//!
//! Models: net/ipv4/route.c ip_route_input_slow, ip_route_output_key_hash_rcu, ip_route_me_harder (net/ipv4/netfilter.c);
//! net/ipv4/fib_frontend.c fib_validate_source; net/ipv4/devinet.c inet_select_addr.
//! Simplifies: of several next hops the first live one is taken.
//! Seen in: 02-hostgw-cross-node, 140-ipv6-router, 140-policy-rules, 141-rp-filter-marks, 16-no-route.

use super::walk::Walk;
use crate::linux::config::Config;
use crate::linux::device::Scope;
use crate::linux::fib::{NextHop, Route, RouteType};
use crate::linux::rule::{FlowKey, Looked};
use crate::linux::skb::Skb;
use crate::linux::{Errno, IfIndex, RowId};
use crate::packet::{Body, Ipv4Addr, Net, Protocol};
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

/// What a route is asked for (struct flowi4).
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    /// Source address; unspecified if it is to be chosen.
    pub(super) src: Ipv4Addr,
    /// Destination address.
    pub(super) dst: Ipv4Addr,
    /// Device that the packet came in by; `lo` for packets made here.
    pub(super) iif: IfIndex,
    /// Device that it must leave by, or none.
    pub(super) oif: IfIndex,
    /// Mark.
    pub(super) mark: u32,
    /// TOS.
    pub(super) tos: u8,
    /// Protocol and ports, as far as they are known.
    pub(super) l4: (Protocol, (u16, u16)),
}

impl Ask {
    /// A packet made here, of which nothing but the destination is known.
    pub(super) fn to(dst: Ipv4Addr) -> Ask {
        Ask { src: Ipv4Addr::UNSPECIFIED, dst, iif: LOOPBACK, oif: IfIndex::NONE, mark: 0, tos: 0, l4: (Protocol(0), (0, 0)) }
    }

    /// What a sender decides.
    pub(super) fn of(spec: &super::output::SendSpec) -> Ask {
        Ask { src: spec.src, oif: spec.oif, mark: spec.mark, tos: spec.tos, l4: spec.l4, ..Ask::to(spec.dst) }
    }

    /// A packet as it is, on its way to `dst` from `src`.
    fn of_packet(skb: &Skb, src: Ipv4Addr, dst: Ipv4Addr) -> Ask {
        let (tos, l4) = skb.frame.ipv4().map_or((0, (Protocol(0), (0, 0))), |p| (p.header.tos, l4_of(&p.body)));
        Ask { src, mark: skb.mark, tos, l4, ..Ask::to(dst) }
    }

    fn key<'c>(&self, config: &'c Config) -> FlowKey<'c, Ipv4Addr> {
        let (protocol, ports) = self.l4;
        FlowKey {
            src: self.src,
            dst: self.dst,
            iif: config.devices.name(self.iif),
            oif: config.devices.name(self.oif),
            mark: self.mark,
            tos: self.tos & 0x1c,
            protocol,
            ports,
            uid: 0,
        }
    }
}

/// Protocol and ports of a packet, as a policy rule sees them.
pub(super) fn l4_of(body: &Body) -> (Protocol, (u16, u16)) {
    let ports = match body {
        Body::Tcp(t) => (t.src_port, t.dst_port),
        Body::Udp(u) => (u.src_port, u.dst_port),
        _ => (0, 0),
    };
    (body.protocol(), ports)
}

/// What a lookup found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// The rule that led to it, where the rules are not the kernel's own three.
    rule: Option<(u32, RowId)>,
    row: RowId,
    kind: RouteType,
    hop: Option<NextHop<Ipv4Addr>>,
    src: Option<Ipv4Addr>,
    mtu: Option<u32>,
}

/// fib_lookup.
#[inline]
fn fib_lookup(config: &Config, ask: &Ask) -> Option<Found> {
    let fits = |r: &Route<Ipv4Addr>| usable(config, r, ask.oif);
    if config.fib.rules.is_plain() {
        let (_, r) = config.fib.lookup(ask.dst, fits)?;
        return Some(Found { rule: None, row: r.row, kind: r.kind, hop: live_hop(config, r, ask.oif), src: r.src, mtu: r.mtu });
    }
    match config.fib.look_up(&ask.key(config), fits) {
        Looked::Route(rule, _, r) => {
            let rule = Some((rule.pref, rule.row));
            Some(Found { rule, row: r.row, kind: r.kind, hop: live_hop(config, r, ask.oif), src: r.src, mtu: r.mtu })
        }
        Looked::Refused(rule, errno) => {
            let kind = match errno {
                Errno::EACCES => RouteType::Prohibit,
                Errno::EINVAL => RouteType::Blackhole,
                // a rule's "unreachable" is that of the network
                _ => RouteType::Throw,
            };
            Some(Found { rule: Some((rule.pref, rule.row)), row: RowId::NONE, kind, hop: None, src: None, mtu: None })
        }
        Looked::Nothing => None,
    }
}

fn refusal(kind: RouteType) -> Option<Errno> {
    match kind {
        RouteType::Blackhole => Some(Errno::EINVAL),
        RouteType::Unreachable => Some(Errno::EHOSTUNREACH),
        RouteType::Prohibit => Some(Errno::EACCES),
        RouteType::Throw => Some(Errno::ENETUNREACH),
        RouteType::Unicast | RouteType::Local | RouteType::Broadcast | RouteType::Multicast | RouteType::Anycast => None,
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
    fn route_step(
        &mut self,
        skb: Option<&Skb>,
        dev: IfIndex,
        input: bool,
        found: Option<&Found>,
        (dst, mark): (Ipv4Addr, u32),
        src: Ipv4Addr,
    ) {
        // an ARP request is held against the routes too; what came of it is told by its own step
        if !T::ON || skb.is_some_and(|s| matches!(s.frame.net, Net::Arp(_))) {
            return;
        }
        if let Some((pref, row)) = found.and_then(|f| f.rule) {
            let mark = skb.map_or(mark, |s| s.mark);
            let evidence = Evidence::PolicyRule { pref, row, mark };
            let (packet, version) = skb.map_or((self.cause, crate::linux::VersionId::NONE), |s| (s.id, s.version));
            self.trace.step(crate::trace::Step { at: self.now, netns: self.ns.id, dev, packet, version, evidence });
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
            self.route_step(Some(skb), iif, true, None, (dst, skb.mark), Ipv4Addr::UNSPECIFIED);
            return Ok(Dst { kind: RouteType::Broadcast, oif: LOOPBACK, gateway: None, mtu: 65_535, redirect: false });
        }
        let forwarding = device.conf.forwarding;
        let ask = Ask { iif, ..Ask::of_packet(skb, src, dst) };
        let found = fib_lookup(config, &ask);
        let result = match &found {
            None => Err(InputError::Unreachable(if forwarding { Errno::ENETUNREACH } else { Errno::EHOSTUNREACH })),
            Some(f) => match (refusal(f.kind), f.kind) {
                (Some(e), _) => Err(InputError::Unreachable(if forwarding { e } else { Errno::EHOSTUNREACH })),
                (None, RouteType::Local) => validate_source(config, &ask, IfIndex::NONE)
                    .map(|_| Dst { kind: RouteType::Local, oif: LOOPBACK, gateway: None, mtu: 65_535, redirect: false })
                    .map_err(InputError::Martian),
                (None, RouteType::Broadcast) => validate_source(config, &ask, IfIndex::NONE)
                    .map(|_| Dst { kind: RouteType::Broadcast, oif: LOOPBACK, gateway: None, mtu: 65_535, redirect: false })
                    .map_err(InputError::Martian),
                (None, _) if !forwarding => Err(InputError::Unreachable(Errno::EHOSTUNREACH)),
                (None, _) => match f.hop {
                    None => Err(InputError::Unreachable(Errno::ENETUNREACH)),
                    Some(hop) => validate_source(config, &ask, hop.dev).map_err(InputError::Martian).map(|on_link| Dst {
                        kind: RouteType::Unicast,
                        oif: hop.dev,
                        gateway: hop.via,
                        mtu: mtu_of(config, f, hop.dev),
                        redirect: on_link && hop.dev == iif,
                    }),
                },
            },
        };
        self.route_step(Some(skb), iif, true, found.as_ref(), (dst, skb.mark), Ipv4Addr::UNSPECIFIED);
        result
    }

    /// Decides about a packet that is made here (ip_route_output_key_hash_rcu). Returns the source address too:
    /// `src` itself if it is given.
    ///
    /// # Errors
    /// ENETUNREACH without a route; EHOSTUNREACH, EACCES, EINVAL of the refusing routes.
    pub fn route_output(&mut self, skb: Option<&Skb>, src: Ipv4Addr, dst: Ipv4Addr, oif: IfIndex) -> Result<(Dst, Ipv4Addr), Errno> {
        let ask = match skb {
            Some(skb) => Ask { oif, ..Ask::of_packet(skb, src, dst) },
            None => Ask { src, oif, ..Ask::to(dst) },
        };
        self.route_output_for(skb, &ask)
    }

    /// The same for all that is known of the packet.
    ///
    /// # Errors
    /// As [`Walk::route_output`].
    pub(super) fn route_output_for(&mut self, skb: Option<&Skb>, ask: &Ask) -> Result<(Dst, Ipv4Addr), Errno> {
        let (found, result) = find_output(&self.ns.config, ask);
        self.route_output_step(skb, ask.dst, ask.mark, &found, &result);
        result
    }

    /// Records what [`find_output`] found.
    pub(super) fn route_output_step(
        &mut self,
        skb: Option<&Skb>,
        dst: Ipv4Addr,
        mark: u32,
        found: &Option<Found>,
        result: &Result<(Dst, Ipv4Addr), Errno>,
    ) {
        if T::ON {
            let chosen = result.as_ref().map_or(Ipv4Addr::UNSPECIFIED, |(_, s)| *s);
            self.route_step(skb, IfIndex::NONE, false, found.as_ref(), (dst, mark), chosen);
        }
    }
}

/// The route of a packet that is made here, and its source address; pure.
pub(super) fn find_output(config: &Config, ask: &Ask) -> (Option<Found>, Result<(Dst, Ipv4Addr), Errno>) {
    let dst = if ask.dst.is_unspecified() { Ipv4Addr::LOCALHOST } else { ask.dst };
    let (src, oif) = (ask.src, ask.oif);
    let found = fib_lookup(config, &Ask { dst, ..*ask });
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
                // what is called 127.… leaves by no other device (__mkroute_output)
                let localnet = config.sysctl.conf_all.route_localnet || config.devices.get(hop.dev).is_some_and(|d| d.conf.route_localnet);
                if chosen.is_loopback() && hop.dev != LOOPBACK && !localnet {
                    return (found, Err(Errno::EINVAL));
                }
                Ok((Dst { kind, oif: hop.dev, gateway: hop.via, mtu: mtu_of(config, f, hop.dev), redirect: false }, chosen))
            }
        },
    };
    (found, result)
}

/// Whether `src` may come in by `iif` (fib_validate_source). True if the sender is on that link.
fn validate_source(config: &Config, came: &Ask, oif: IfIndex) -> Result<bool, DropReason> {
    let (src, iif) = (came.src, came.iif);
    let Some(device) = config.devices.get(iif) else { return Err(DropReason::DevReady) };
    let all = &config.sysctl.conf_all;
    let rp_filter = device.conf.rp_filter.max(all.rp_filter);
    let accept_local = device.conf.accept_local || all.accept_local;
    let redirects = device.conf.send_redirects || all.send_redirects;
    // rules may say otherwise than the local table: then everything is looked at
    let plain = config.fib.rules.is_plain();
    if rp_filter == 0 && (oif != iif || !redirects) && (plain || accept_local) {
        if accept_local {
            return Ok(false);
        }
        let own = config.fib.local.lookup(src, |r| r.prefix.len() == 32).is_some_and(|r| r.kind == RouteType::Local);
        return if own && iif != LOOPBACK { Err(DropReason::IpLocalSource) } else { Ok(false) };
    }
    let last_resort = || if rp_filter != 0 { Err(DropReason::IpRpFilter) } else { Ok(false) };
    // the way back: ends and ports change places, and it is this host's own packet that leaves
    let valid_mark = device.conf.src_valid_mark || all.src_valid_mark;
    let back = Ask {
        src: came.dst,
        dst: src,
        iif: if oif.is_some() { oif } else { LOOPBACK },
        oif: IfIndex::NONE,
        mark: if valid_mark { came.mark } else { 0 },
        tos: came.tos,
        l4: (came.l4.0, (came.l4.1.1, came.l4.1.0)),
    };
    let route = match config.fib.look_up(&back.key(config), |r| usable(config, r, IfIndex::NONE)) {
        Looked::Route(_, _, route) => route,
        Looked::Refused(..) | Looked::Nothing => return last_resort(),
    };
    match route.kind {
        RouteType::Unicast => {}
        RouteType::Local if accept_local || iif == LOOPBACK => {}
        RouteType::Local => return Err(DropReason::IpLocalSource),
        RouteType::Unreachable | RouteType::Prohibit | RouteType::Blackhole | RouteType::Throw => return last_resort(),
        RouteType::Broadcast | RouteType::Multicast | RouteType::Anycast => return Err(DropReason::IpInvalidSource),
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
    let by_iif = Ask { oif: iif, ..back };
    Ok(match config.fib.look_up(&by_iif.key(config), |r| usable(config, r, iif) && r.kind == RouteType::Unicast) {
        Looked::Route(_, _, r) => r.nexthops.iter().any(|h| h.dev == iif && h.via.is_none()),
        Looked::Refused(..) | Looked::Nothing => false,
    })
}
