//! IPv6 packets that come in: checks, the route, and up to the transport.
//!
//! Models: net/ipv6/ip6_input.c ip6_rcv_core, ip6_rcv_finish, ip6_input, ip6_mc_input, ip6_protocol_deliver_rcu; net/ipv6/exthdrs.c
//! ipv6_rthdr_rcv, ipv6_destopt_rcv (headers are passed over); net/ipv6/route.c ip6_pkt_drop.
//! Spec: RFC 8200.
//! Simplifies: options are not looked at, a routing header with segments left is passed over; an unknown header is answered with
//! parameter problem; no early demultiplexing.

use super::hook::{HookState, NfVerdict};
use super::icmpv6::Error6;
use super::route::LOOPBACK;
use super::route6::Dst6;
use super::walk::Walk;
use crate::linux::fib::RouteType;
use crate::linux::inet6::{is_member, scope_number};
use crate::linux::netfilter::Hook;
use crate::linux::netfilter::ipv6::transport;
use crate::linux::skb::{PktType, Skb};
use crate::linux::{Errno, IfIndex};
use crate::packet::{Body, Net, Protocol};
use crate::trace::{DropReason, Tracer};

impl<T: Tracer> Walk<'_, T> {
    /// An IPv6 packet came in by `dev` (ip6_rcv_core, ipv6_rcv).
    pub(super) fn ip6_rcv(&mut self, mut skb: Box<Skb>, dev: IfIndex) {
        if skb.pkt_type == PktType::OtherHost {
            return self.drop_skb(skb, dev, DropReason::OtherHost);
        }
        let Some((src, dst)) = skb.frame.ipv6().map(|p| (p.header.src, p.header.dst)) else { return };
        if self.ns.config.devices.get(dev).is_none_or(|d| d.inet6.conf.disable_ipv6 != 0) {
            return self.drop_skb(skb, dev, DropReason::Ipv6Disabled);
        }
        let loop_address = src.is_loopback() || dst.is_loopback();
        let host_group = dst.is_multicast() && dst.octets()[1] & 0xf <= 1;
        if src.is_multicast() || (dev != LOOPBACK && (loop_address || host_group)) || dst.is_unspecified() {
            return self.drop_skb(skb, dev, DropReason::IpInHdr);
        }
        let prerouted = skb.bridge.take().is_some_and(|b| b.prerouted);
        if !prerouted {
            let state = HookState { hook: Hook::Prerouting, iif: dev, oif: IfIndex::NONE };
            let verdict = self.nf_hook(&mut skb, &state, None);
            if verdict != NfVerdict::Accept {
                return self.hook_ended(skb, dev, verdict);
            }
        }
        self.ip6_rcv_finish(skb, dev);
    }

    fn ip6_rcv_finish(&mut self, mut skb: Box<Skb>, dev: IfIndex) {
        let Some(dst) = skb.frame.ipv6().map(|p| p.header.dst) else { return };
        if dst.is_multicast() {
            let config = self.ns.config.clone();
            let member = config.devices.get(dev).is_some_and(|d| is_member(&config, d, dst)) || dev == LOOPBACK;
            if !member {
                return self.drop_skb(skb, dev, DropReason::UnhandledProto);
            }
            return self.ip6_input(skb, dev, RouteType::Multicast);
        }
        if std::mem::take(&mut skb.local_route) && dev == LOOPBACK {
            // it was routed when it was sent, and the route leads here
            return self.ip6_input(skb, dev, RouteType::Local);
        }
        match self.route_input6(&skb, dev, dst) {
            Ok(d) if matches!(d.kind, RouteType::Local | RouteType::Anycast) => self.ip6_input(skb, dev, d.kind),
            Ok(d) => self.ip6_forward(skb, dev, &d),
            Err(e) => self.ip6_pkt_drop(skb, dev, e),
        }
    }

    /// No way on for a packet that came in (ip6_pkt_discard, ip6_pkt_prohibit, dst_discard).
    fn ip6_pkt_drop(&mut self, skb: Box<Skb>, dev: IfIndex, errno: Errno) {
        let code = match errno {
            Errno::EINVAL => return self.drop_skb(skb, dev, DropReason::BlackholeRoute),
            Errno::EACCES => 1,
            _ => 0,
        };
        self.cause = skb.id;
        self.flow = skb.flow;
        self.icmpv6_send(&skb, Error6::Unreachable { code });
        self.drop_skb(skb, dev, DropReason::IpInNoRoutes);
    }

    /// The packet is for this host (ip6_input, ip6_protocol_deliver_rcu).
    pub(super) fn ip6_input(&mut self, skb: Box<Skb>, dev: IfIndex, kind: RouteType) {
        let Some(mut skb) = self.ip6_defrag(skb, dev, false) else { return };
        let state = HookState { hook: Hook::Input, iif: dev, oif: IfIndex::NONE };
        let verdict = self.nf_hook(&mut skb, &state, None);
        if verdict != NfVerdict::Accept {
            return self.hook_ended(skb, dev, verdict);
        }
        self.cause = skb.id;
        self.flow = skb.flow;
        let Some(packet) = skb.frame.ipv6() else { return };
        let opened = match &packet.body {
            Body::Other { protocol: Protocol(0 | 43 | 60), .. } => {
                let (protocol, at, _) = transport(&packet.body);
                packet.behind(protocol, usize::from(at))
            }
            _ => None,
        };
        let body = opened.as_ref().map_or(&packet.body, |p| &p.body);
        match body {
            Body::Icmpv6(message) => {
                let message = message.clone();
                self.icmpv6_rcv(skb, dev, &message);
            }
            Body::Udp(_) => {
                if let Some(p) = opened {
                    skb.frame.net = Net::Ipv6(p);
                }
                self.udp_rcv(skb, dev, kind);
            }
            Body::Tcp(_) if kind == RouteType::Local && skb.pkt_type == PktType::Host => {
                if let Some(p) = opened {
                    skb.frame.net = Net::Ipv6(p);
                }
                super::tcp::tcp_rcv(self, skb);
            }
            Body::Tcp(_) => self.drop_skb(skb, dev, DropReason::NotSpecified),
            Body::Fragment { .. } | Body::Other { protocol: Protocol(44), .. } => self.drop_skb(skb, dev, DropReason::FragReasmTimeout),
            Body::Other { protocol: Protocol::TCP | Protocol::UDP | Protocol::ICMPV6, .. } => {
                self.drop_skb(skb, dev, DropReason::PktTooSmall);
            }
            // no next header: nothing to be done
            Body::Other { protocol: Protocol(59), .. } => self.consumed(&skb, dev),
            Body::Icmp(_) | Body::Other { .. } => {
                let at = 6;
                self.icmpv6_send(&skb, Error6::Parameter { code: 1, pointer: at });
                self.drop_skb(skb, dev, DropReason::IpNoProto);
            }
        }
    }

    /// Passes a packet on (ip6_forward). Hop limit and MTU are looked at before the FORWARD hook.
    fn ip6_forward(&mut self, mut skb: Box<Skb>, iif: IfIndex, dst: &Dst6) {
        use crate::trace::{Change, Evidence};
        if self.ns.config.sysctl.conf6_all.forwarding == 0 {
            return self.drop_skb(skb, iif, DropReason::IpInNoRoutes);
        }
        if skb.pkt_type != PktType::Host {
            return self.drop_skb(skb, iif, DropReason::UnicastInL2Multicast);
        }
        let Some(p) = skb.frame.ipv6() else { return };
        let (limit, len, src) = (p.header.hop_limit, p.len() as u32, p.header.src);
        self.cause = skb.id;
        self.flow = skb.flow;
        if limit <= 1 {
            self.icmpv6_send(&skb, Error6::TimeExceeded { code: 0 });
            return self.drop_skb(skb, iif, DropReason::TtlExceeded);
        }
        if src.is_unspecified() || src.is_loopback() {
            return self.drop_skb(skb, iif, DropReason::IpInvalidSource);
        }
        if scope_number(src) == 2 {
            // it means nothing on another link: beyond the scope of the source address
            self.icmpv6_send(&skb, Error6::Unreachable { code: 2 });
            return self.drop_skb(skb, iif, DropReason::IpInvalidSource);
        }
        let mtu = dst.mtu.max(1280);
        if len > mtu && (skb.frag_max == 0 || skb.frag_max > mtu) {
            self.icmpv6_send(&skb, Error6::TooBig { mtu });
            return self.drop_skb(skb, iif, DropReason::PktTooBig);
        }
        self.step(&skb, iif, Evidence::TtlDecrement { from: limit, to: limit - 1 });
        if let Some(p) = skb.frame.ipv6_mut() {
            p.header.hop_limit = limit - 1;
        }
        self.changed(&mut skb, |_| Change::Ttl(limit - 1));
        let state = HookState { hook: Hook::Forward, iif, oif: dst.oif };
        let verdict = self.nf_hook(&mut skb, &state, None);
        if verdict != NfVerdict::Accept {
            return self.hook_ended(skb, iif, verdict);
        }
        skb.forwarded = true;
        self.ip6_output(skb, iif, dst);
    }
}
