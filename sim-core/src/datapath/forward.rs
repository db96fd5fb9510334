//! Packets that are passed on.
//!
//! Models: net/ipv4/ip_forward.c ip_forward; net/ipv4/route.c ip_rt_send_redirect.
//! Spec: RFC 1812 section 5.2.
//! Simplifies: no IPsec, no source routes.
//! Seen in: 02-hostgw-cross-node, 104-mtu-and-fragments, 17-ttl-expiry, 18-df-too-big-vxlan.

use super::hook::{HookState, NfVerdict};
use super::icmp::Error;
use super::route::Dst;
use super::walk::Walk;
use crate::linux::IfIndex;
use crate::linux::netfilter::Hook;
use crate::linux::skb::{PktType, Skb};
use crate::packet::Ipv4Addr;
use crate::trace::{Change, DropReason, Evidence, Tracer};
use std::time::Duration;

/// Redirects to one peer before silence (ip_rt_redirect_number).
const REDIRECT_NUMBER: u32 = 9;

impl<T: Tracer> Walk<'_, T> {
    /// Passes a packet on (ip_forward). TTL and MTU are looked at before the FORWARD hook.
    pub(super) fn ip_forward(&mut self, mut skb: Box<Skb>, iif: IfIndex, dst: &Dst) {
        if skb.pkt_type != PktType::Host {
            return self.drop_skb(skb, iif, DropReason::UnicastInL2Multicast);
        }
        let Some(p) = skb.frame.ipv4() else { return };
        let (ttl, len, df) = (p.header.ttl, p.len() as u32, p.header.dont_fragment);
        if ttl <= 1 {
            self.cause = skb.id;
            self.flow = skb.flow;
            self.icmp_send(&skb, Error::TimeExceeded { code: 0 });
            return self.drop_skb(skb, iif, DropReason::TtlExceeded);
        }
        // what conntrack has put together is looked at by its largest part (ip_exceeds_mtu)
        let fits_again = skb.frag_max > 0 && skb.frag_max <= dst.mtu;
        if len > dst.mtu && df && !fits_again {
            self.cause = skb.id;
            self.flow = skb.flow;
            self.icmp_send(&skb, Error::Unreachable { code: 4, mtu: u16::try_from(dst.mtu).unwrap_or(u16::MAX) });
            return self.drop_skb(skb, iif, DropReason::PktTooBig);
        }
        self.step(&skb, iif, Evidence::TtlDecrement { from: ttl, to: ttl - 1 });
        if let Some(p) = skb.frame.ipv4_mut() {
            p.header.ttl = ttl - 1;
        }
        self.changed(&mut skb, |_| Change::Ttl(ttl - 1));
        if dst.redirect {
            self.cause = skb.id;
            self.flow = skb.flow;
            self.ip_rt_send_redirect(&skb, iif, dst);
        }
        let state = HookState { hook: Hook::Forward, iif, oif: dst.oif };
        // IPVS routes replies again after it has put the virtual address back
        let mut dst = *dst;
        let verdict = self.nf_hook(&mut skb, &state, Some(&mut dst));
        if verdict != NfVerdict::Accept {
            return self.hook_ended(skb, iif, verdict);
        }
        skb.forwarded = true;
        self.ip_output(skb, iif, &dst);
    }

    /// Tells the sender of the better gateway on its own link (ip_rt_send_redirect).
    fn ip_rt_send_redirect(&mut self, skb: &Skb, iif: IfIndex, dst: &Dst) {
        let c = &self.ns.config;
        let wanted = c.sysctl.conf_all.send_redirects || c.devices.get(iif).is_some_and(|d| d.conf.send_redirects);
        let Some((src, to)) = skb.frame.ipv4().map(|p| (p.header.src, p.header.dst)) else { return };
        if !wanted {
            return;
        }
        let now = self.now;
        let peer = match self.ns.icmp_limits.peers.get_mut(&src) {
            Some(p) => p,
            None => {
                self.ns.icmp_limits.peers.insert(src, crate::linux::netns::PeerLimit { tokens: 0, last: now, redirects: 0 });
                match self.ns.icmp_limits.peers.get_mut(&src) {
                    Some(p) => p,
                    None => return,
                }
            }
        };
        // the redirect load is 20 ms, doubled with each redirect that was not heeded; 20.48 s of silence forget them
        let load = Duration::from_millis(20);
        if now.since(peer.last) > load * 1024 {
            peer.redirects = 0;
        }
        if peer.redirects >= REDIRECT_NUMBER {
            peer.last = now;
            return;
        }
        if peer.redirects == 0 || now.since(peer.last) > load * (1 << peer.redirects) {
            peer.last = now;
            peer.redirects += 1;
            let gateway: Ipv4Addr = dst.gateway.unwrap_or(to);
            self.icmp_send(skb, Error::Redirect { gateway });
        }
    }
}
