//! ipvlan: several IP addresses on one device, with its hardware address.
//!
//! Models: drivers/net/ipvlan/ipvlan_core.c ipvlan_queue_xmit, ipvlan_xmit_mode_l2, ipvlan_xmit_mode_l3, ipvlan_process_v4_outbound,
//! ipvlan_handle_frame, ipvlan_process_multicast, ipvlan_rcv_frame; drivers/net/ipvlan/ipvlan_l3s.c ipvlan_l3_rcv, ipvlan_nf_input.
//! Simplifies: in mode L3S what comes in for a child passes PREROUTING and INPUT of the namespace below and is then received by the
//! child, whose own PREROUTING and INPUT it passes too; only IPv4 is routed by the namespace below.
//!
//! ```text
//!  child ─┬─ to a sibling's address ──► received by the sibling
//!         ├─ L2 ──────────────────────► out by the device below
//!         └─ L3, L3S ─────────────────► routed by the namespace below: OUTPUT, POSTROUTING, neighbour, device
//! ```

use super::hook::{HookState, NfVerdict};
use super::walk::{Beyond, Effect, Walk};
use crate::linux::device::{IpvlanConfig, IpvlanFlag, IpvlanMode, UpperKind};
use crate::linux::netfilter::Hook;
use crate::linux::skb::{PktType, Skb};
use crate::linux::{IfIndex, NetnsId};
use crate::packet::{IpAddr, Net};
use crate::trace::{DropReason, Tracer};

/// The address by which a child is found (ipvlan_addr_lookup for the destination): of ARP the address asked for.
fn destination(net: &Net) -> Option<IpAddr> {
    match net {
        Net::Ipv4(p) => Some(p.header.dst.into()),
        Net::Arp(a) => Some(a.target.into()),
        Net::Ipv6(p) => Some(p.header.dst.into()),
        Net::Other { .. } => None,
    }
}

/// A child as its sibling or the device below sees it.
#[derive(Clone, Copy)]
struct Child {
    netns: NetnsId,
    index: IfIndex,
    up: bool,
}

impl<T: Tracer> Walk<'_, T> {
    fn ipvlan_config(&self, lower: IfIndex) -> IpvlanConfig {
        let uppers = self.ns.config.devices.get(lower).map(|d| d.stack.uppers.as_slice()).unwrap_or_default();
        let config = uppers.iter().find_map(|u| match &u.kind {
            UpperKind::Ipvlan { config, .. } => Some(*config),
            _ => None,
        });
        config.unwrap_or_default()
    }

    fn ipvlan_by_address(&self, lower: IfIndex, addr: IpAddr) -> Option<Child> {
        let uppers = &self.ns.config.devices.get(lower)?.stack.uppers;
        let found = uppers.iter().find(|u| match (&u.kind, addr) {
            (UpperKind::Ipvlan { addrs, .. }, IpAddr::V4(a)) => addrs.contains(&a),
            (UpperKind::Ipvlan { addrs6, .. }, IpAddr::V6(a)) => addrs6.contains(&a),
            _ => false,
        })?;
        Some(Child { netns: found.netns, index: found.index, up: found.up })
    }

    /// A child sends: its frame is on the device below, in whose namespace this is.
    pub fn ipvlan_queue_xmit(&mut self, skb: Box<Skb>, lower: IfIndex, child: (NetnsId, IfIndex)) {
        let config = self.ipvlan_config(lower);
        let dst = skb.frame.eth.dst;
        let l2 = config.mode == IpvlanMode::L2;
        let inside = if l2 { dst == skb.frame.eth.src } else { true };
        if inside && config.flag != IpvlanFlag::Vepa {
            let sibling = destination(&skb.frame.net).and_then(|a| self.ipvlan_by_address(lower, a));
            if let Some(sibling) = sibling {
                if config.flag == IpvlanFlag::Private {
                    return self.drop_skb(skb, lower, DropReason::NotSpecified);
                }
                self.effects.0.push(Effect::Beyond(sibling.netns, sibling.index, skb, Beyond::Forward));
                return;
            }
            if l2 {
                // for the device below itself
                let here = self.ns.id;
                self.effects.0.push(Effect::Beyond(here, lower, skb, Beyond::Forward));
                return;
            }
        }
        if !l2 {
            return self.ipvlan_process_outbound(skb, lower);
        }
        if dst.is_multicast() {
            self.ipvlan_multicast(&skb, lower, Some(child), Beyond::Forward);
        }
        self.dev_queue_xmit(skb, lower);
    }

    /// The namespace below routes what a child sends, by the device below (ipvlan_process_v4_outbound).
    fn ipvlan_process_outbound(&mut self, mut skb: Box<Skb>, lower: IfIndex) {
        let Some((src, dst)) = skb.frame.ipv4().map(|p| (p.header.src, p.header.dst)) else {
            return self.drop_skb(skb, lower, DropReason::UnhandledProto);
        };
        if skb.frame.eth.dst.is_multicast() {
            return self.drop_skb(skb, lower, DropReason::NotSpecified);
        }
        skb.forwarded = false;
        match self.route_output(Some(&skb), src, dst, lower) {
            Ok((route, _)) if matches!(route.kind, crate::linux::fib::RouteType::Unicast | crate::linux::fib::RouteType::Local) => {
                // a packet that OUTPUT drops is told by its own step
                let _ = self.ip_local_out(skb, route);
            }
            _ => self.drop_skb(skb, lower, DropReason::IpOutNoRoutes),
        }
    }

    /// Copies for all children but the sender.
    fn ipvlan_multicast(&mut self, skb: &Skb, lower: IfIndex, from: Option<(NetnsId, IfIndex)>, how: Beyond) {
        let Some(d) = self.ns.config.devices.get(lower) else { return };
        let children: Vec<(NetnsId, IfIndex)> = d
            .stack
            .uppers
            .iter()
            .filter(|u| u.up && matches!(u.kind, UpperKind::Ipvlan { .. }) && from != Some((u.netns, u.index)))
            .map(|u| (u.netns, u.index))
            .collect();
        for (netns, index) in children {
            let mut copy = self.clone_skb(skb);
            copy.pkt_type = if skb.frame.eth.dst.is_broadcast() { PktType::Broadcast } else { PktType::Multicast };
            self.effects.0.push(Effect::Beyond(netns, index, copy, how));
        }
    }

    /// A frame came in by a device with ipvlan children. Returns it if the device's own stack is to have it (ipvlan_handle_frame).
    pub(super) fn ipvlan_handle_frame(&mut self, skb: Box<Skb>, lower: IfIndex) -> Option<Box<Skb>> {
        let config = self.ipvlan_config(lower);
        if config.mode == IpvlanMode::L2 && skb.frame.eth.dst.is_multicast() {
            // not what a child sent and a switch sent back
            let own = self.ns.config.devices.get(lower).is_some_and(|d| d.mac == skb.frame.eth.src);
            if !own {
                self.ipvlan_multicast(&skb, lower, None, Beyond::Work);
            }
            return Some(skb);
        }
        let Some(child) = destination(&skb.frame.net).and_then(|a| self.ipvlan_by_address(lower, a)) else { return Some(skb) };
        if config.mode == IpvlanMode::L3s && matches!(skb.frame.net, Net::Ipv4(_)) {
            self.ipvlan_l3_rcv(skb, lower, child);
            return None;
        }
        self.ipvlan_rcv_frame(skb, lower, child);
        None
    }

    fn ipvlan_rcv_frame(&mut self, skb: Box<Skb>, lower: IfIndex, child: Child) {
        if !child.up {
            return self.drop_skb(skb, lower, DropReason::DevReady);
        }
        self.deliver_upper(skb, child.netns, child.index);
    }

    /// Mode L3S: the hooks of the namespace below first.
    fn ipvlan_l3_rcv(&mut self, mut skb: Box<Skb>, lower: IfIndex, child: Child) {
        if skb.pkt_type == PktType::OtherHost {
            return self.drop_skb(skb, lower, DropReason::OtherHost);
        }
        for hook in [Hook::Prerouting, Hook::Input] {
            let state = HookState { hook, iif: lower, oif: IfIndex::NONE };
            if self.nf_hook(&mut skb, &state, None) != NfVerdict::Accept {
                return self.drop_skb(skb, lower, DropReason::NetfilterDrop);
            }
        }
        self.ipvlan_rcv_frame(skb, lower, child);
    }
}
