//! ARP packets that come in.
//!
//! Models: net/ipv4/arp.c arp_rcv, arp_process, arp_ignore, arp_filter, arp_fwd_proxy.
//! Spec: RFC 826, RFC 5227.
//! Simplifies: a proxy answers at once, without the random delay of `proxy_delay`.

use super::walk::Walk;
use crate::linux::IfIndex;
use crate::linux::device::Scope;
use crate::linux::fib::RouteType;
use crate::linux::neighbour::NudState;
use crate::linux::skb::{PktType, Skb};
use crate::packet::{Arp, ArpOp, Ipv4Addr, Mac, Net};
use crate::trace::evidence::Addr32;
use crate::trace::{DropReason, Evidence, Tracer};
use std::time::Duration;

impl<T: Tracer> Walk<'_, T> {
    /// An ARP packet for this host or for everyone (arp_rcv, arp_process).
    pub(super) fn arp_rcv(&mut self, skb: Box<Skb>, dev: IfIndex, arp: Arp) {
        if skb.pkt_type == PktType::OtherHost {
            return self.drop_skb(skb, dev, DropReason::OtherHost);
        }
        if arp.target.is_multicast() || (arp.target.is_loopback() && !self.localnet(dev)) {
            return self.drop_skb(skb, dev, DropReason::IpInvalidDest);
        }
        self.cause = skb.id;
        self.flow = skb.flow;
        let request = arp.op == ArpOp::Request;
        let answer = request && self.arp_answers(&skb, dev, &arp);
        self.step(&skb, dev, Evidence::ArpInput { request, answered: answer, target: Addr32::from(arp.target) });
        if answer {
            if !arp.sender.is_unspecified() {
                // neigh_event_ns: who asks is a neighbour
                self.neigh_update(dev, arp.sender, arp.sender_mac, NudState::Stale, true, true, &skb);
            }
            self.arp_send_reply(dev, &arp, skb.flow);
        } else if !arp.sender.is_unspecified() {
            // whoever speaks updates an entry that exists
            let known = self.ns.neigh.get(dev, arp.sender).map(|n| n.updated);
            let gratuitous = arp.sender == arp.target;
            let accept = gratuitous && self.arp_accept(dev);
            let state = if request || skb.pkt_type != PktType::Host { NudState::Stale } else { NudState::Reachable };
            let locktime = self.ns.config.devices.get(dev).map_or(100, |d| d.neigh.locktime);
            let overrides = gratuitous || known.is_none_or(|u| self.now.since(u) > Duration::from_millis(u64::from(locktime) * 10));
            if known.is_some() || accept {
                self.neigh_update(dev, arp.sender, arp.sender_mac, state, overrides, accept, &skb);
            }
        }
        // consume_skb: read, and done
    }

    fn localnet(&self, dev: IfIndex) -> bool {
        let c = &self.ns.config;
        c.sysctl.conf_all.route_localnet || c.devices.get(dev).is_some_and(|d| d.conf.route_localnet)
    }

    fn arp_accept(&self, dev: IfIndex) -> bool {
        let c = &self.ns.config;
        c.sysctl.conf_all.arp_accept.max(c.devices.get(dev).map_or(0, |d| d.conf.arp_accept)) > 0
    }

    /// Whether a request is answered: the address is this host's, or it is a proxy for it.
    fn arp_answers(&mut self, skb: &Skb, dev: IfIndex, arp: &Arp) -> bool {
        if arp.sender.is_unspecified() {
            // duplicate address detection
            return self.ns.config.fib.addr_type(arp.target) == RouteType::Local && !self.arp_ignores(dev, arp);
        }
        // the request is validated like a packet from the sender to the target
        let Ok(dst) = self.route_input(skb, dev, arp.sender, arp.target) else { return false };
        let config = self.ns.config.clone();
        let (Some(device), all) = (config.devices.get(dev), &config.sysctl.conf_all) else { return false };
        if dst.kind == RouteType::Local {
            if self.arp_ignores(dev, arp) {
                return false;
            }
            if device.conf.arp_filter || all.arp_filter {
                // arp_filter: only if the way back to the sender is by this device
                return self.route_output(Some(skb), arp.target, arp.sender, IfIndex::NONE).is_ok_and(|(d, _)| d.oif == dev);
            }
            return true;
        }
        dst.kind == RouteType::Unicast && device.conf.forwarding && (device.conf.proxy_arp || all.proxy_arp) && dst.oif != dev
    }

    /// arp_ignore.
    fn arp_ignores(&self, dev: IfIndex, arp: &Arp) -> bool {
        let config = &self.ns.config;
        let Some(device) = config.devices.get(dev) else { return true };
        let on_device = |check_sender: bool| {
            device.addrs.iter().any(|a| a.local == arp.target && (!check_sender || arp.sender.is_unspecified() || a.holds(arp.sender)))
        };
        match device.conf.arp_ignore.max(config.sysctl.conf_all.arp_ignore) {
            0 => false,
            1 => !on_device(false),
            2 => !on_device(true),
            3 => config.devices.iter().flat_map(|d| d.addrs.iter()).any(|a| a.local == arp.target && a.scope == Scope::Host),
            4..=7 => false,
            _ => true,
        }
    }

    fn arp_send_reply(&mut self, dev: IfIndex, asked: &Arp, flow: crate::linux::FlowId) {
        let Some(own) = self.ns.config.devices.get(dev).map(|d| d.mac) else { return };
        let arp = Arp { op: ArpOp::Reply, sender_mac: own, sender: asked.target, target_mac: asked.sender_mac, target: asked.sender };
        let reply = self.new_skb(Net::Arp(arp), flow);
        self.send_to(reply, dev, asked.sender_mac, own);
    }

    /// Tells everyone on the link of an address of this host (arp_send with sender = target; `arping -U`, arp_notify).
    pub fn gratuitous_arp(&mut self, dev: IfIndex, addr: Ipv4Addr) {
        let Some(own) = self.ns.config.devices.get(dev).map(|d| d.mac) else { return };
        let arp = Arp { op: ArpOp::Request, sender_mac: own, sender: addr, target_mac: Mac::ZERO, target: addr };
        let skb = self.new_skb(Net::Arp(arp), self.flow);
        self.send_to(skb, dev, Mac::BROADCAST, own);
    }
}
