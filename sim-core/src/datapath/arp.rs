//! ARP: packets that come in, and those that are sent.
//!
//! Models: net/ipv4/arp.c arp_rcv, arp_process, arp_ignore, arp_filter, arp_accept, arp_is_garp, arp_fwd_proxy, arp_fwd_pvlan,
//! arp_solicit, arp_send; net/ipv4/devinet.c inet_confirm_addr, inet_addr_onlink; net/core/neighbour.c neigh_event_ns,
//! pneigh_enqueue, neigh_proxy_process.
//! Spec: RFC 826, RFC 1027 (proxies), RFC 5227.
//! Simplifies: `medium_id` is 0 everywhere.
//! Seen in: 01-same-node-bridge, 20-arp-failure, 31-calico-proxy-arp.

use super::neighbour::Nd;
use super::route::{Dst, select_addr};
use super::walk::{Timer, Walk};
use crate::linux::device::{Device, Scope};
use crate::linux::fib::RouteType;
use crate::linux::neighbour::{Neighbours, NudState, Proxied};
use crate::linux::rng::Draw;
use crate::linux::skb::{PktType, Skb};
use crate::linux::sysctl::{NeighParams, Sysctls};
use crate::linux::{FlowId, IfIndex, Netns};
use crate::packet::{Arp, ArpOp, Ipv4Addr, Mac, Net};
use crate::trace::evidence::{Addr32, ArpVerdict};
use crate::trace::{DropReason, Evidence, Tracer};
use std::sync::Arc;
use std::time::Duration;

/// The address of `device` that fits: `local` itself if one is asked for, on a link that holds `peer` if that is given
/// (confirm_addr_indev).
fn confirm_addr(device: &Device, localnet: bool, peer: Option<Ipv4Addr>, local: Option<Ipv4Addr>, scope: Scope) -> Option<Ipv4Addr> {
    let widest = if localnet { Scope::Link } else { Scope::Host };
    let mut chosen = None;
    let mut same = false;
    for a in &device.addrs {
        let fits = a.scope.min(widest) <= scope;
        if chosen.is_none() && local.is_none_or(|l| l == a.local) && fits {
            chosen = Some(a.local);
            if same {
                break;
            }
        }
        if !same {
            same = local.is_none_or(|l| a.holds(l)) && peer.is_none_or(|p| a.holds(p));
            if let (true, Some(c)) = (same, chosen) {
                if local.is_some() || peer.is_none() || a.holds(c) {
                    break;
                }
                if fits {
                    chosen = Some(a.local);
                    break;
                }
                same = false;
            }
        }
    }
    chosen.filter(|_| same)
}

impl<T: Tracer> Walk<'_, T> {
    /// An ARP packet for this host or for everyone (arp_rcv).
    pub(super) fn arp_rcv(&mut self, skb: Box<Skb>, dev: IfIndex, arp: Arp) {
        if skb.pkt_type == PktType::OtherHost {
            return self.drop_skb(skb, dev, DropReason::OtherHost);
        }
        if self.ns.config.devices.get(dev).is_none_or(|d| d.flags.noarp || d.mtu < 68) {
            return self.drop_skb(skb, dev, DropReason::ArpNotForUs);
        }
        self.arp_process(skb, dev, arp, false);
    }

    /// arp_process; `redo` for a request that waited for a proxy's answer.
    fn arp_process(&mut self, skb: Box<Skb>, dev: IfIndex, arp: Arp, redo: bool) {
        let gratuitous = arp.sender == arp.target;
        let config = self.ns.config.clone();
        let (Some(device), all) = (config.devices.get(dev), &config.sysctl.conf_all) else { return };
        if arp.target.is_multicast() || (arp.target.is_loopback() && !self.localnet(dev)) {
            return self.drop_skb(skb, dev, DropReason::IpInvalidDest);
        }
        if gratuitous && (device.conf.drop_gratuitous_arp || all.drop_gratuitous_arp) {
            return self.drop_skb(skb, dev, DropReason::ArpNotForUs);
        }
        self.cause = skb.id;
        self.flow = skb.flow;
        let request = arp.op == ArpOp::Request;
        let verdict = if request { self.arp_verdict(&skb, device, &arp, redo) } else { ArpVerdict::Reply };
        self.step(&skb, dev, Evidence::ArpInput { verdict, target: Addr32::from(arp.target) });
        match verdict {
            ArpVerdict::Local | ArpVerdict::Proxy | ArpVerdict::ProxyLater => {
                if !arp.sender.is_unspecified() {
                    // neigh_event_ns: who asks is a neighbour
                    self.neigh_update(dev, arp.sender, arp.sender_mac, NudState::Stale, true, true, &skb);
                }
                if verdict == ArpVerdict::ProxyLater {
                    return self.pneigh_enqueue(skb, dev, &device.neigh);
                }
                self.arp_send_reply(dev, &arp, skb.flow);
            }
            // looked at and passed over: nothing is learned from it
            ArpVerdict::Ignored | ArpVerdict::Filtered | ArpVerdict::Probe => {}
            ArpVerdict::NotHere | ArpVerdict::Reply => self.arp_learn(&skb, device, &arp),
        }
        // consume_skb: read, and done
    }

    /// What is known of the sender is brought up to date; somebody unknown is taken up only if `arp_accept` says so.
    fn arp_learn(&mut self, skb: &Skb, device: &Device, arp: &Arp) {
        let dev = device.index;
        let known = self.ns.neigh.get(dev, arp.sender).map(|n| n.updated);
        let accept = self.arp_accept(device, arp.sender);
        if known.is_none() && !accept {
            return;
        }
        let unicast = || self.ns.config.fib.addr_type(arp.sender) == RouteType::Unicast;
        let request = arp.op == ArpOp::Request;
        let gratuitous = arp.sender == arp.target && (request || arp.target_mac == arp.sender_mac) && unicast();
        if known.is_none() && !gratuitous && (request || !unicast()) {
            return;
        }
        // a broadcast or a request says that it is there, not that it hears us
        let state = if request || skb.pkt_type != PktType::Host { NudState::Stale } else { NudState::Reachable };
        let locktime = Duration::from_millis(u64::from(device.neigh.locktime) * 10);
        // an entry made just now is as old as now
        let overrides = gratuitous || known.is_some_and(|u| self.now.since(u) > locktime);
        self.neigh_update(dev, arp.sender, arp.sender_mac, state, overrides, true, skb);
    }

    fn localnet(&self, dev: IfIndex) -> bool {
        let c = &self.ns.config;
        c.sysctl.conf_all.route_localnet || c.devices.get(dev).is_some_and(|d| d.conf.route_localnet)
    }

    fn arp_accept(&self, device: &Device, sender: Ipv4Addr) -> bool {
        match device.conf.arp_accept.max(self.ns.config.sysctl.conf_all.arp_accept) {
            1 => true,
            2 => confirm_addr(device, self.localnet(device.index), Some(sender), None, Scope::Link).is_some(),
            _ => false,
        }
    }

    /// What becomes of a request.
    fn arp_verdict(&mut self, skb: &Skb, device: &Device, arp: &Arp, redo: bool) -> ArpVerdict {
        let dev = device.index;
        let config = self.ns.config.clone();
        let all = &config.sysctl.conf_all;
        if arp.sender.is_unspecified() {
            // duplicate address detection
            let local = config.fib.addr_type(arp.target) == RouteType::Local && !self.arp_ignores(device, arp);
            return if local { ArpVerdict::Local } else { ArpVerdict::Probe };
        }
        // the request is validated like a packet from the sender to the target
        let Ok(dst) = self.route_input(skb, dev, arp.sender, arp.target) else { return ArpVerdict::NotHere };
        if dst.kind == RouteType::Local {
            if self.arp_ignores(device, arp) {
                return ArpVerdict::Ignored;
            }
            if device.conf.arp_filter || all.arp_filter {
                // only if the way back to the sender is by this device
                let back = self.route_output(Some(skb), arp.target, arp.sender, IfIndex::NONE);
                if !back.is_ok_and(|(d, _)| d.oif == dev) {
                    return ArpVerdict::Filtered;
                }
            }
            return ArpVerdict::Local;
        }
        if device.conf.forwarding && dst.kind == RouteType::Unicast && self.arp_proxies(device, arp, &dst) {
            let at_once = redo || skb.pkt_type == PktType::Host || device.neigh.proxy_delay == 0;
            return if at_once { ArpVerdict::Proxy } else { ArpVerdict::ProxyLater };
        }
        ArpVerdict::NotHere
    }

    /// Whether this host answers for another (arp_fwd_proxy, arp_fwd_pvlan, or an entry of `ip neigh add proxy`).
    fn arp_proxies(&self, device: &Device, arp: &Arp, dst: &Dst) -> bool {
        let all = &self.ns.config.sysctl.conf_all;
        if dst.oif == device.index {
            let pvlan = device.conf.proxy_arp_pvlan || all.proxy_arp_pvlan;
            return pvlan && arp.sender != arp.target;
        }
        let by_command = || self.ns.neigh.proxies.contains(&(device.index, arp.target));
        device.conf.proxy_arp || all.proxy_arp || by_command()
    }

    /// arp_ignore.
    fn arp_ignores(&self, device: &Device, arp: &Arp) -> bool {
        let config = &self.ns.config;
        let sender = (!arp.sender.is_unspecified()).then_some(arp.sender);
        let here = |d: &Device, peer, scope| confirm_addr(d, self.localnet(d.index), peer, Some(arp.target), scope).is_some();
        match device.conf.arp_ignore.max(config.sysctl.conf_all.arp_ignore) {
            1 => !here(device, None, Scope::Host),
            2 => !here(device, sender, Scope::Host),
            3 => !config.devices.iter().any(|d| here(d, None, Scope::Link)),
            8 => true,
            _ => false,
        }
    }

    /// A proxy does not answer at once: the host itself may (pneigh_enqueue).
    fn pneigh_enqueue(&mut self, skb: Box<Skb>, dev: IfIndex, params: &NeighParams) {
        let waiting = self.ns.neigh.proxied.iter().filter(|p| p.dev == dev).count();
        if waiting > params.proxy_qlen as usize {
            return self.drop_skb(skb, dev, DropReason::NeighQueueFull);
        }
        let ticks = self.rng.below(Draw::ProxyDelay, params.proxy_delay);
        let due = self.now + Duration::from_millis(u64::from(ticks) * 10);
        self.ns.neigh.proxied.push(Proxied { due, dev, skb });
        self.arm(due, Timer::ProxyArp);
    }

    /// The requests that are due are looked at again, and answered (neigh_proxy_process).
    pub fn neigh_proxy_process(&mut self) {
        let now = self.now;
        let (due, later) = std::mem::take(&mut self.ns.neigh.proxied).into_iter().partition::<Vec<_>, _>(|p| p.due <= now);
        self.ns.neigh.proxied = later;
        for p in due {
            if let Net::Arp(arp) = p.skb.frame.net
                && self.ns.config.devices.get(p.dev).is_some_and(|d| d.up)
            {
                self.arp_process(p.skb, p.dev, arp, true);
            }
        }
    }

    fn arp_send_reply(&mut self, dev: IfIndex, asked: &Arp, flow: FlowId) {
        let Some(own) = self.ns.config.devices.get(dev).map(|d| d.mac) else { return };
        let arp = Arp { op: ArpOp::Reply, sender_mac: own, sender: asked.target, target_mac: asked.sender_mac, target: asked.sender };
        self.arp_send(arp, dev, asked.sender_mac, flow);
    }

    /// Hands an ARP packet to a device that has not given ARP up (arp_send_dst).
    fn arp_send(&mut self, arp: Arp, dev: IfIndex, to: Mac, flow: FlowId) {
        if self.ns.config.devices.get(dev).is_none_or(|d| d.flags.noarp) {
            return;
        }
        let skb = self.new_skb(Net::Arp(arp), flow);
        self.send_to(skb, dev, to, arp.sender_mac);
    }

    /// Asks for an address (neigh_probe, arp_solicit).
    pub(super) fn arp_solicit(&mut self, dev: IfIndex, target: Ipv4Addr, flow: FlowId, params: &NeighParams) {
        let Some(n) = self.ns.neigh.get_mut(dev, target) else { return };
        let asked = n.probes;
        n.probes = n.probes.saturating_add(1);
        let to = if asked < params.ucast_solicit { n.mac } else { Mac::BROADCAST };
        // the source of the newest packet that waits, if it is an address of this host
        let wanted = n.queue.back().and_then(|s| s.frame.ipv4()).map(|p| p.header.src);
        if asked >= params.ucast_solicit && asked - params.ucast_solicit < params.app_solicit {
            // a program would be asked
            return;
        }
        let Some(device) = self.ns.config.devices.get(dev) else { return };
        let announce = device.conf.arp_announce.max(self.ns.config.sysctl.conf_all.arp_announce);
        let local = wanted.filter(|a| self.ns.config.fib.addr_type(*a) == RouteType::Local);
        let source = match announce {
            1 => local.filter(|a| device.addrs.iter().any(|i| i.holds(target) && i.holds(*a))),
            2 => None,
            _ => local,
        };
        let sender = source.or_else(|| select_addr(&self.ns.config, dev, target, Scope::Link)).unwrap_or(Ipv4Addr::UNSPECIFIED);
        let arp = Arp { op: ArpOp::Request, sender_mac: device.mac, sender, target_mac: Mac::ZERO, target };
        self.arp_send(arp, dev, to, flow);
    }

    /// Tells everyone on the link of an address of this host (arp_send with sender = target; `arping -U`, arp_notify).
    pub fn gratuitous_arp(&mut self, dev: IfIndex, addr: Ipv4Addr) {
        let Some(own) = self.ns.config.devices.get(dev).map(|d| d.mac) else { return };
        let arp = Arp { op: ArpOp::Request, sender_mac: own, sender: addr, target_mac: Mac::ZERO, target: addr };
        self.arp_send(arp, dev, Mac::BROADCAST, self.flow);
    }
}

impl Nd for Ipv4Addr {
    fn table(ns: &Netns) -> &Neighbours<Self> {
        &ns.neigh
    }
    fn table_mut(ns: &mut Netns) -> &mut Neighbours<Self> {
        &mut ns.neigh
    }
    fn params(device: &Device) -> &Arc<NeighParams> {
        &device.neigh
    }
    fn default_params(sysctl: &Sysctls) -> &Arc<NeighParams> {
        &sysctl.neigh_default
    }
    /// arp_constructor, ip_eth_mc_map.
    fn group(device: &Device, addr: Self) -> Option<Mac> {
        if addr.is_multicast() {
            let [_, b, c, d] = addr.octets();
            return Some(Mac([0x01, 0x00, 0x5e, b & 0x7f, c, d]));
        }
        let everyone = addr == Ipv4Addr::BROADCAST || device.addrs.iter().any(|a| a.prefix.len() < 31 && a.prefix.last() == addr);
        everyone.then_some(Mac::BROADCAST)
    }
    fn solicit<T: Tracer>(w: &mut Walk<'_, T>, dev: IfIndex, addr: Self, flow: FlowId, params: &NeighParams) {
        w.arp_solicit(dev, addr, flow, params);
    }
    /// arp_error_report, dst_link_failure, ipv4_link_failure.
    fn error_report<T: Tracer>(w: &mut Walk<'_, T>, skb: &Skb) {
        w.icmp_send(skb, super::icmp::Error::Unreachable { code: 1, mtu: 0 });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::linux::device::IfAddr;
    use crate::linux::{RowId, Source};
    use crate::packet::Prefix;

    fn device(addrs: &[(&str, u8, Scope)]) -> Device {
        let mut lab = crate::datapath::tests::lab::Lab::new(crate::trace::NoTrace);
        lab.device(1, &[]);
        let mut d = lab.ns.config.devices.get(IfIndex(1)).cloned().unwrap();
        d.addrs = addrs
            .iter()
            .map(|(a, len, scope)| {
                let local: Ipv4Addr = a.parse().unwrap();
                IfAddr {
                    row: RowId::NONE,
                    local,
                    prefix: Prefix::new(local, *len),
                    peer: None,
                    broadcast: None,
                    scope: *scope,
                    secondary: false,
                    noprefixroute: false,
                    dad: Default::default(),
                    source: Source::Kernel,
                }
            })
            .collect();
        d
    }

    #[test]
    fn an_address_is_confirmed_by_place_and_subnet() {
        let d = device(&[("10.0.0.1", 24, Scope::Universe), ("10.0.1.1", 24, Scope::Universe), ("10.0.2.1", 24, Scope::Host)]);
        let addr = |a: &str| Some(a.parse::<Ipv4Addr>().unwrap());
        for (peer, local, scope, expect) in [
            (None, addr("10.0.1.1"), Scope::Host, addr("10.0.1.1")),
            (None, addr("10.0.9.1"), Scope::Host, None),
            (addr("10.0.1.7"), addr("10.0.1.1"), Scope::Host, addr("10.0.1.1")),
            (addr("10.0.1.7"), addr("10.0.0.1"), Scope::Host, None),
            (addr("10.0.1.7"), None, Scope::Link, addr("10.0.1.1")),
            (addr("10.9.1.7"), None, Scope::Link, None),
            (None, addr("10.0.2.1"), Scope::Link, None),
            (None, addr("10.0.2.1"), Scope::Host, addr("10.0.2.1")),
        ] {
            assert_eq!(confirm_addr(&d, false, peer, local, scope), expect, "{peer:?} {local:?} {scope:?}");
        }
    }
}
