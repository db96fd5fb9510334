//! Neighbour discovery: what comes in, and what is sent.
//!
//! Models: net/ipv6/ndisc.c ndisc_rcv, ndisc_recv_ns, ndisc_recv_na, ndisc_router_discovery, ndisc_send_na, ndisc_send_ns,
//! ndisc_send_rs, ndisc_solicit, ndisc_error_report; net/ipv6/addrconf.c addrconf_prefix_rcv.
//! Spec: RFC 4861, RFC 4862, RFC 7527 (nonce).
//! Simplifies: a router advertisement makes addresses and routes without life times, and its MTU, timers and other options are passed
//! over; redirects are not followed and not sent; `proxy_ndp` is kept, and there is no list of proxied addresses for it.

use super::neighbour::Nd;
use super::walk::Walk;
use crate::linux::device::{Dad, Device};
use crate::linux::fib::RouteType;
use crate::linux::inet6::{ALL_NODES, ALL_ROUTERS, forwards, group_mac, is_link_local, select_source, solicited_node};
use crate::linux::neighbour::{Neighbours, NudState};
use crate::linux::skb::Skb;
use crate::linux::sysctl::{NeighParams, Sysctls};
use crate::linux::{FlowId, IfIndex, Netns, SocketId};
use crate::packet::{Body, Bytes, Icmpv6, Icmpv6Kind, Ipv6Addr, Ipv6Header, Mac};
use crate::trace::{DropReason, Evidence, Tracer};
use std::sync::Arc;

/// Option types.
const SOURCE_LLADDR: u8 = 1;
const TARGET_LLADDR: u8 = 2;
const NONCE: u8 = 14;

/// Flags of a neighbour advertisement.
const ROUTER: u8 = 0x80;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;

/// The data of an option.
fn option(options: &[u8], wanted: u8) -> Option<&[u8]> {
    let mut rest = options;
    while let [kind, len, ..] = rest {
        let n = usize::from(*len) * 8;
        if n == 0 || n > rest.len() {
            return None;
        }
        if *kind == wanted {
            return rest.get(2..n);
        }
        rest = &rest[n..];
    }
    None
}

fn lladdr(options: &[u8], wanted: u8) -> Option<Mac> {
    option(options, wanted)?.first_chunk::<6>().map(|m| Mac(*m))
}

fn with_lladdr(kind: u8, mac: Mac) -> Vec<u8> {
    [&[kind, 1][..], &mac.0].concat()
}

impl Nd for Ipv6Addr {
    fn table(ns: &Netns) -> &Neighbours<Self> {
        &ns.neigh6
    }
    fn table_mut(ns: &mut Netns) -> &mut Neighbours<Self> {
        &mut ns.neigh6
    }
    fn params(device: &Device) -> &Arc<NeighParams> {
        &device.inet6.neigh
    }
    fn default_params(sysctl: &Sysctls) -> &Arc<NeighParams> {
        &sysctl.neigh6_default
    }
    /// ndisc_constructor, ipv6_eth_mc_map.
    fn group(_: &Device, addr: Self) -> Option<Mac> {
        addr.is_multicast().then(|| group_mac(addr))
    }
    fn solicit<T: Tracer>(w: &mut Walk<'_, T>, dev: IfIndex, addr: Self, flow: FlowId, params: &NeighParams) {
        w.ndisc_solicit(dev, addr, flow, params);
    }
    /// ndisc_error_report, ip6_link_failure.
    fn error_report<T: Tracer>(w: &mut Walk<'_, T>, skb: &Skb) {
        w.icmpv6_send(skb, super::icmpv6::Error6::Unreachable { code: 3 });
    }
}

impl<T: Tracer> Walk<'_, T> {
    /// A message of neighbour discovery for this host (ndisc_rcv).
    pub(super) fn ndisc_rcv(&mut self, skb: Box<Skb>, dev: IfIndex, message: &Icmpv6) {
        let Some(h) = skb.frame.ipv6().map(|p| p.header) else { return };
        if h.hop_limit != 255 || message.type_code().1 != 0 {
            // it came through a router
            return self.drop_skb(skb, dev, DropReason::Ipv6NdiscHopLimit);
        }
        self.step(&skb, dev, Evidence::Deliver { socket: SocketId::NONE, len: message.len() as u32 });
        match &message.kind {
            Icmpv6Kind::NeighbourSolicitation { target, options } => self.ndisc_recv_ns(&skb, dev, &h, *target, options),
            Icmpv6Kind::NeighbourAdvertisement { flags, target, options } => {
                self.ndisc_recv_na(&skb, dev, &h, *flags, *target, options);
            }
            Icmpv6Kind::Other { kind: 133, payload, .. } => {
                // a host that looks for routers is a neighbour
                if forwards(&self.ns.config, dev)
                    && let Some(mac) = lladdr(payload, SOURCE_LLADDR)
                    && !h.src.is_unspecified()
                {
                    self.neigh_update(dev, h.src, mac, NudState::Stale, true, true, &skb);
                }
            }
            Icmpv6Kind::Other { kind: 134, rest, payload, .. } => self.ndisc_router_discovery(&skb, dev, &h, *rest, payload),
            _ => {}
        }
        self.consumed(&skb, dev);
    }

    fn ndisc_recv_ns(&mut self, skb: &Skb, dev: IfIndex, h: &Ipv6Header, target: Ipv6Addr, options: &Bytes) {
        let dad = h.src.is_unspecified();
        let asker = lladdr(options, SOURCE_LLADDR);
        if target.is_multicast() || (dad && (h.dst != solicited_node(target) || asker.is_some())) {
            return;
        }
        let config = self.ns.config.clone();
        let Some(device) = config.devices.get(dev) else { return };
        if let Some(a) = device.addrs6.iter().find(|a| a.local == target) {
            if a.dad == Dad::Tentative {
                if dad {
                    // somebody tries the same address at the same time, unless this is the own question come back
                    let own = self.ns.ip6.dad.get(&(dev, target)).is_some_and(|(_, n)| option(options, NONCE) == Some(&n[..]));
                    if !own {
                        self.addrconf_dad_failure(dev, target);
                    }
                }
                return;
            }
            if a.dad == Dad::Failed {
                return;
            }
        } else {
            let elsewhere = config.fib6.local.lookup(target, |_| true).map(|r| (r.kind, r.nexthops.iter().any(|n| n.dev == dev)));
            match elsewhere {
                // the anycast address of the subnet's routers
                Some((RouteType::Anycast, true)) => {}
                _ => return,
            }
        }
        let router = if forwards(&config, dev) { ROUTER } else { 0 };
        if dad {
            self.ndisc_send_na(dev, ALL_NODES, target, router | OVERRIDE, skb.flow);
            return;
        }
        // who asks is a neighbour
        if let Some(mac) = asker {
            self.neigh_update(dev, h.src, mac, NudState::Stale, true, true, skb);
        }
        self.ndisc_send_na(dev, h.src, target, router | SOLICITED | OVERRIDE, skb.flow);
    }

    fn ndisc_recv_na(&mut self, skb: &Skb, dev: IfIndex, h: &Ipv6Header, flags: u8, target: Ipv6Addr, options: &Bytes) {
        if target.is_multicast() || (h.dst.is_multicast() && flags & SOLICITED != 0) {
            return;
        }
        let own = self.ns.config.devices.get(dev).and_then(|d| d.addrs6.iter().find(|a| a.local == target).map(|a| a.dad));
        if let Some(dad) = own {
            if dad == Dad::Tentative {
                self.addrconf_dad_failure(dev, target);
            }
            return;
        }
        let Some((state, known)) = self.ns.neigh6.get(dev, target).filter(|n| n.state != NudState::Failed).map(|n| (n.state, n.mac)) else {
            return;
        };
        let told = lladdr(options, TARGET_LLADDR);
        let Some(mac) = told.or(state.is_valid().then_some(known)) else { return };
        let overrides = flags & OVERRIDE != 0;
        let new = if flags & SOLICITED != 0 { NudState::Reachable } else { NudState::Stale };
        if state.is_valid() && mac != known && !overrides {
            // NEIGH_UPDATE_F_WEAK_OVERRIDE: the address is kept, and doubted
            if state.is_connected() {
                self.neigh_update(dev, target, known, NudState::Stale, true, false, skb);
            }
            return;
        }
        self.neigh_update(dev, target, mac, new, true, false, skb);
    }

    /// A router advertisement (ndisc_router_discovery).
    fn ndisc_router_discovery(&mut self, skb: &Skb, dev: IfIndex, h: &Ipv6Header, rest: [u8; 4], payload: &Bytes) {
        let Some(conf) = self.ns.config.devices.get(dev).map(|d| d.inet6.conf.clone()) else { return };
        let accepts = conf.accept_ra > 1 || (conf.accept_ra == 1 && conf.forwarding == 0);
        if !is_link_local(h.src) || !accepts {
            return;
        }
        // reachable time and retransmission timer stand before the options
        let options = payload.get(8..).unwrap_or(&[]);
        if let Some(mac) = lladdr(options, SOURCE_LLADDR) {
            self.neigh_update(dev, h.src, mac, NudState::Stale, true, true, skb);
        }
        let lifetime = u16::from_be_bytes([rest[2], rest[3]]);
        let mut prefixes = Vec::new();
        let mut at = options;
        while let [kind, len, ..] = at {
            let n = usize::from(*len) * 8;
            if n == 0 || n > at.len() {
                break;
            }
            if *kind == 3
                && let Some(o) = at.get(..32)
            {
                let mut a = [0u8; 16];
                a.copy_from_slice(&o[16..32]);
                let valid = u32::from_be_bytes([o[4], o[5], o[6], o[7]]);
                prefixes.push((Ipv6Addr::from(a), o[2], o[3], valid));
            }
            at = &at[n..];
        }
        self.addrconf_ra(dev, h.src, lifetime, &prefixes, conf.autoconf != 0);
    }

    /// Tells of an address of this host (ndisc_send_na).
    pub(super) fn ndisc_send_na(&mut self, dev: IfIndex, to: Ipv6Addr, target: Ipv6Addr, flags: u8, flow: FlowId) {
        let Some(mac) = self.ns.config.devices.get(dev).map(|d| d.mac) else { return };
        let options = Bytes::from(with_lladdr(TARGET_LLADDR, mac));
        let own = self.ns.config.devices.get(dev).is_some_and(|d| d.addrs6.iter().any(|a| a.local == target));
        let src = if own { Some(target) } else { select_source(&self.ns.config, dev, to) };
        let Some(src) = src else { return };
        let message = Icmpv6::new(Icmpv6Kind::NeighbourAdvertisement { flags, target, options });
        self.ndisc_send(dev, src, to, message, flow);
    }

    /// Unsolicited: the link is told of a new address (ndisc_notify).
    pub(super) fn ndisc_send_unsol_na(&mut self, dev: IfIndex, target: Ipv6Addr) {
        let router = if forwards(&self.ns.config, dev) { ROUTER } else { 0 };
        self.ndisc_send_na(dev, ALL_NODES, target, router | OVERRIDE, self.flow);
    }

    /// Asks who has `target` (ndisc_send_ns).
    pub(super) fn ndisc_send_ns(
        &mut self,
        dev: IfIndex,
        src: Ipv6Addr,
        to: Ipv6Addr,
        target: Ipv6Addr,
        nonce: Option<[u8; 6]>,
        flow: FlowId,
    ) {
        let Some(mac) = self.ns.config.devices.get(dev).map(|d| d.mac) else { return };
        let mut options = if src.is_unspecified() { Vec::new() } else { with_lladdr(SOURCE_LLADDR, mac) };
        if let Some(n) = nonce {
            options.extend([NONCE, 1]);
            options.extend(n);
        }
        let message = Icmpv6::new(Icmpv6Kind::NeighbourSolicitation { target, options: options.into() });
        self.ndisc_send(dev, src, to, message, flow);
    }

    /// Looks for routers (ndisc_send_rs).
    pub(super) fn ndisc_send_rs(&mut self, dev: IfIndex, src: Ipv6Addr) {
        let Some(mac) = self.ns.config.devices.get(dev).map(|d| d.mac) else { return };
        let payload = Bytes::from(with_lladdr(SOURCE_LLADDR, mac));
        let message = Icmpv6::new(Icmpv6Kind::Other { kind: 133, code: 0, rest: [0; 4], payload });
        self.ndisc_send(dev, src, ALL_ROUTERS, message, self.flow);
    }

    /// Sends a message of neighbour discovery by `dev`, past the routes (ndisc_send_skb).
    fn ndisc_send(&mut self, dev: IfIndex, src: Ipv6Addr, dst: Ipv6Addr, message: Icmpv6, flow: FlowId) {
        let header = Ipv6Header { traffic_class: 0, flow_label: 0, hop_limit: 255, src, dst };
        self.send_on_link(dev, header, Body::Icmpv6(message), flow);
    }

    /// Sends a packet of the kernel to the link itself (icmp6_dst_alloc, ip6_local_out).
    pub(super) fn send_on_link(&mut self, dev: IfIndex, header: Ipv6Header, body: Body, flow: FlowId) {
        let mtu = self.ns.config.devices.get(dev).map_or(1500, |d| d.mtu);
        let skb = self.new_skb6(header, body, flow);
        let kind = if header.dst.is_multicast() { RouteType::Multicast } else { RouteType::Unicast };
        // what OUTPUT drops is nobody's error
        let _ = self.ip6_local_out(skb, super::route6::Dst6 { kind, oif: dev, gateway: None, mtu, plen: 128 });
    }

    /// Asks for the hardware address of a neighbour (neigh_probe, ndisc_solicit).
    pub(super) fn ndisc_solicit(&mut self, dev: IfIndex, target: Ipv6Addr, flow: FlowId, params: &NeighParams) {
        let Some(n) = self.ns.neigh6.get_mut(dev, target) else { return };
        let asked = n.probes;
        n.probes = n.probes.saturating_add(1);
        let unicast = asked < params.ucast_solicit;
        // the source of the newest packet that waits, if it is an address of this host
        let wanted = n.queue.back().and_then(|s| s.frame.ipv6()).map(|p| p.header.src);
        if !unicast && asked - params.ucast_solicit < params.app_solicit {
            // a program would be asked
            return;
        }
        let device = self.ns.config.devices.get(dev);
        let own = |a: &Ipv6Addr| device.is_some_and(|d| d.addrs6.iter().any(|i| i.local == *a && i.dad == Dad::Done));
        let to = if unicast { target } else { solicited_node(target) };
        let Some(src) = wanted.filter(own).or_else(|| select_source(&self.ns.config, dev, to)) else { return };
        self.ndisc_send_ns(dev, src, to, target, None, flow);
    }
}
