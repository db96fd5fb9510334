//! The bridge family's hooks, and the IP hooks inside them.
//!
//! Models: net/bridge/br_netfilter_hooks.c br_nf_pre_routing, br_nf_forward_ip, br_nf_post_routing, br_nf_dev_xmit.
//! Simplifies: no ebtables; the IP hooks inside are those of IPv4 alone.
//! Seen in: 06-clusterip-remote-pod, 08-clusterip-same-node-nfcall0, 09-hairpin-on, 22-forward-policy-drop.
//!
//! With `bridge-nf-call-iptables` a bridged IPv4 packet passes the IP hooks with the bridge as its device:
//!
//! ```text
//!  bridge PRE_ROUTING ─ ip PREROUTING ─► bridge FORWARD ─ ip FORWARD ─► bridge POST_ROUTING ─ ip POSTROUTING
//! ```

use super::hook::{HookState, NfVerdict};
use super::nft_do_chain::nft_do_chain;
use super::route::Dst;
use super::walk::Walk;
use crate::linux::IfIndex;
use crate::linux::fib::RouteType;
use crate::linux::netfilter::{Hook, HookFn, NfFamily};
use crate::linux::skb::{NfBridge, PktType, Skb};
use crate::packet::{Ipv4Addr, Net};
use crate::trace::{Change, DropReason, Evidence, Tracer};

impl<T: Tracer> Walk<'_, T> {
    /// Passes a frame through a hook of the bridge family; none if it did not come out by the usual way.
    pub(super) fn br_hook(&mut self, skb: Box<Skb>, hook: Hook, iif: IfIndex, oif: IfIndex) -> Option<Box<Skb>> {
        if T::ON {
            let ct = self.ct_code(&skb);
            let after = skb.version;
            let mark = skb.mark;
            self.step(
                &skb,
                if iif.is_some() { iif } else { oif },
                Evidence::Hook { family: NfFamily::Bridge, hook, iif: iif.0 as u16, oif: oif.0 as u16, after, ct, mark },
            );
        }
        let mut skb = skb;
        let mut i = 0;
        while let Some(entry) = self.ns.config.hooks.at(NfFamily::Bridge, hook).get(i).copied() {
            i += 1;
            match entry.func {
                HookFn::BrNetfilter => skb = self.br_nf(skb, hook, iif, oif)?,
                HookFn::Nft(chain) => {
                    let state = HookState { hook, iif, oif };
                    if nft_do_chain(self, &mut skb, chain, &state) != NfVerdict::Accept {
                        self.drop_skb(skb, if iif.is_some() { iif } else { oif }, DropReason::NetfilterDrop);
                        return None;
                    }
                }
                _ => {}
            }
        }
        Some(skb)
    }

    /// The function of br_netfilter at a hook.
    fn br_nf(&mut self, skb: Box<Skb>, hook: Hook, iif: IfIndex, oif: IfIndex) -> Option<Box<Skb>> {
        if !matches!(skb.frame.net, Net::Ipv4(_)) || !skb.frame.eth.tags.is_empty() {
            // tagged frames pass unseen (bridge-nf-filter-vlan-tagged is 0)
            return Some(skb);
        }
        match hook {
            Hook::Prerouting if self.ns.config.sysctl.bridge_nf_call_iptables => self.br_nf_pre_routing(skb, iif),
            Hook::Forward => self.br_nf_forward(skb, iif, oif),
            Hook::Postrouting => self.br_nf_post_routing(skb, oif),
            _ => Some(skb),
        }
    }

    fn master_of(&self, port: IfIndex) -> IfIndex {
        self.ns.config.devices.get(port).map_or(IfIndex::NONE, |d| d.master)
    }

    /// br_nf_pre_routing and br_nf_pre_routing_finish.
    fn br_nf_pre_routing(&mut self, mut skb: Box<Skb>, port: IfIndex) -> Option<Box<Skb>> {
        let bridge = self.master_of(port);
        let daddr = skb.frame.ipv4().map_or(Ipv4Addr::UNSPECIFIED, |p| p.header.dst);
        let otherhost = skb.pkt_type == PktType::OtherHost;
        if otherhost {
            skb.pkt_type = PktType::Host;
        }
        skb.bridge = Some(Box::new(NfBridge {
            physin: port,
            pkt_otherhost: otherhost,
            in_prerouting: true,
            daddr: daddr.into(),
            ..NfBridge::default()
        }));
        let state = HookState { hook: Hook::Prerouting, iif: bridge, oif: IfIndex::NONE };
        let verdict = self.nf_hook(&mut skb, &state, None);
        if verdict != NfVerdict::Accept {
            self.hook_ended(skb, bridge, verdict);
            return None;
        }
        if let Some(b) = &mut skb.bridge {
            b.in_prerouting = false;
            b.prerouted = true;
        }
        if otherhost {
            skb.pkt_type = PktType::OtherHost;
        }
        let (src, dst) = skb.frame.ipv4().map_or((Ipv4Addr::UNSPECIFIED, daddr), |p| (p.header.src, p.header.dst));
        if dst == daddr {
            return Some(skb);
        }
        // DNAT changed the destination: does its next hop lie on this very bridge?
        match self.route_input(&skb, bridge, src, dst) {
            Ok(d) if d.kind == RouteType::Unicast && d.oif == bridge => self.br_nf_bridged_dnat(skb, port, bridge, &d),
            Ok(_) => {
                self.readdress_to_bridge(&mut skb, bridge);
                Some(skb)
            }
            Err(_) => {
                // not forwarding: a neighbour on this bridge may be reached all the same
                match self.route_output(Some(&skb), Ipv4Addr::UNSPECIFIED, dst, IfIndex::NONE) {
                    Ok((d, _)) if d.oif == bridge => self.br_nf_bridged_dnat(skb, port, bridge, &d),
                    _ => {
                        self.drop_skb(skb, bridge, DropReason::IpInNoRoutes);
                        None
                    }
                }
            }
        }
    }

    /// The packet shall be routed: the frame is made one for the bridge device itself.
    fn readdress_to_bridge(&mut self, skb: &mut Skb, bridge: IfIndex) {
        let Some(mac) = self.ns.config.devices.get(bridge).map(|d| d.mac) else { return };
        skb.frame.eth.dst = mac;
        skb.pkt_type = PktType::Host;
        self.changed(skb, |s| Change::Ethernet { dst: s.frame.eth.dst, src: s.frame.eth.src });
    }

    /// The frame stays on the bridge with a new destination: its neighbour gives the address (br_nf_pre_routing_finish_bridge).
    fn br_nf_bridged_dnat(&mut self, mut skb: Box<Skb>, port: IfIndex, bridge: IfIndex, dst: &Dst) -> Option<Box<Skb>> {
        let next_hop = dst.gateway.or_else(|| skb.frame.ipv4().map(|p| p.header.dst)).unwrap_or(Ipv4Addr::UNSPECIFIED);
        if let Some(mac) = self.ns.neigh.get(bridge, next_hop).filter(|n| n.state.is_connected() && n.cached).map(|n| n.mac) {
            // neigh_hh_bridge: the new destination is known and its header ready; the frame goes on at once
            skb.frame.eth.dst = mac;
            self.changed(&mut skb, |s| Change::Ethernet { dst: s.frame.eth.dst, src: s.frame.eth.src });
            return Some(skb);
        }
        if let Some(b) = &mut skb.bridge {
            b.bridged_dnat = true;
            b.physin = port;
        }
        // out of the bridge device, where br_nf_dev_xmit takes the frame back and gives it the sender's address again
        self.saved_source(&mut skb);
        self.neigh_output(skb, bridge, next_hop);
        None
    }

    /// Keeps the frame's source, which the neighbour code overwrites (nf_bridge->neigh_header).
    fn saved_source(&mut self, skb: &mut Skb) {
        let src = skb.frame.eth.src;
        if let Some(b) = &mut skb.bridge {
            b.source = src;
        }
    }

    /// A frame whose destination was changed comes out of the bridge device: back to where it was (br_nf_dev_xmit).
    pub(super) fn br_nf_dev_xmit(&mut self, mut skb: Box<Skb>, _bridge: IfIndex) {
        let Some((port, src)) = skb.bridge.as_mut().map(|b| {
            b.bridged_dnat = false;
            (b.physin, b.source)
        }) else {
            return;
        };
        skb.frame.eth.src = src;
        self.changed(&mut skb, |s| Change::Ethernet { dst: s.frame.eth.dst, src: s.frame.eth.src });
        self.br_handle_frame_finish(skb, port);
    }

    /// br_nf_forward_ip.
    fn br_nf_forward(&mut self, mut skb: Box<Skb>, iif: IfIndex, oif: IfIndex) -> Option<Box<Skb>> {
        if skb.bridge.is_none() {
            return Some(skb);
        }
        let (bin, bout) = (self.master_of(iif), self.master_of(oif));
        if let Some(b) = &mut skb.bridge {
            b.physout = oif;
        }
        let kept = skb.pkt_type;
        if kept == PktType::OtherHost {
            skb.pkt_type = PktType::Host;
        }
        let state = HookState { hook: Hook::Forward, iif: bin, oif: bout };
        let verdict = self.nf_hook(&mut skb, &state, None);
        if verdict != NfVerdict::Accept {
            self.hook_ended(skb, bin, verdict);
            return None;
        }
        skb.pkt_type = kept;
        Some(skb)
    }

    /// br_nf_post_routing: only for packets that were bridged here, not for those that were routed to the bridge.
    fn br_nf_post_routing(&mut self, mut skb: Box<Skb>, oif: IfIndex) -> Option<Box<Skb>> {
        if !skb.bridge.as_ref().is_some_and(|b| b.physout.is_some()) {
            return Some(skb);
        }
        let out = self.master_of(oif);
        let state = HookState { hook: Hook::Postrouting, iif: IfIndex::NONE, oif: out };
        let verdict = self.nf_hook(&mut skb, &state, None);
        if verdict != NfVerdict::Accept {
            self.hook_ended(skb, out, verdict);
            return None;
        }
        Some(skb)
    }
}
