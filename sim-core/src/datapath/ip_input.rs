//! IPv4 packets that come in: checks, the route, and up to the transport.
//!
//! Models: net/ipv4/ip_input.c ip_rcv, ip_rcv_finish, ip_local_deliver, ip_local_deliver_finish; net/ipv4/route.c ip_error.
//! Spec: RFC 791, RFC 1122 section 3.2.
//! Simplifies: no options, no early demultiplexing.
//! Seen in: 101-forwarding-off, 16-no-route, 17-ttl-expiry.

use super::hook::{HookState, NfVerdict};
use super::icmp::Error;
use super::route::{Dst, InputError, LOOPBACK};
use super::walk::Walk;
use crate::linux::fib::RouteType;
use crate::linux::netfilter::Hook;
use crate::linux::skb::{PktType, Skb};
use crate::linux::{Errno, IfIndex};
use crate::packet::{Body, Ipv4Addr, Protocol};
use crate::trace::{DropReason, Tracer};

/// What one answer of an error route costs its peer's bucket: a second (ip_rt_error_cost).
const ERROR_COST: u64 = 1_000_000_000;
/// The most that the bucket holds for error routes: five seconds (ip_rt_error_burst).
const ERROR_BURST: u64 = 5_000_000_000;

impl<T: Tracer> Walk<'_, T> {
    /// An IPv4 packet came in by `dev` (ip_rcv).
    pub(super) fn ip_rcv(&mut self, mut skb: Box<Skb>, dev: IfIndex) {
        if skb.pkt_type == PktType::OtherHost {
            return self.drop_skb(skb, dev, DropReason::OtherHost);
        }
        if skb.frame.ipv4().is_some_and(|p| p.header.checksum_error != 0) {
            return self.drop_skb(skb, dev, DropReason::IpCsum);
        }
        // ip_sabotage_in: the bridge has run PREROUTING already
        let prerouted = skb.bridge.take().is_some_and(|b| b.prerouted);
        if !prerouted {
            let state = HookState { hook: Hook::Prerouting, iif: dev, oif: IfIndex::NONE };
            let verdict = self.nf_hook(&mut skb, &state, None);
            if verdict != NfVerdict::Accept {
                return self.hook_ended(skb, dev, verdict);
            }
        }
        self.ip_rcv_finish(skb, dev);
    }

    fn ip_rcv_finish(&mut self, mut skb: Box<Skb>, dev: IfIndex) {
        let Some((src, dst)) = skb.frame.ipv4().map(|p| (p.header.src, p.header.dst)) else { return };
        let route = if std::mem::take(&mut skb.local_route) && dev == LOOPBACK {
            // it was routed when it was sent, and the route leads here
            Ok(Dst { kind: RouteType::Local, oif: LOOPBACK, gateway: None, mtu: 65_535, redirect: false })
        } else {
            self.route_input(&skb, dev, src, dst)
        };
        match route {
            Ok(d) if matches!(d.kind, RouteType::Local | RouteType::Broadcast) => self.ip_local_deliver(skb, dev, d.kind),
            Ok(d) => self.ip_forward(skb, dev, &d),
            Err(InputError::Martian(reason)) => self.drop_skb(skb, dev, reason),
            Err(InputError::Unreachable(errno)) => self.ip_error(skb, dev, src, errno),
        }
    }

    /// No way on for a packet that came in (ip_error).
    fn ip_error(&mut self, skb: Box<Skb>, dev: IfIndex, src: Ipv4Addr, errno: Errno) {
        if !super::route::forwards(&self.ns.config, dev) {
            let reason = if errno == Errno::ENETUNREACH { DropReason::IpInNoRoutes } else { DropReason::IpInAddrErrors };
            return self.drop_skb(skb, dev, reason);
        }
        let (code, reason) = match errno {
            Errno::EHOSTUNREACH => (1, DropReason::IpInNoRoutes),
            Errno::ENETUNREACH => (0, DropReason::IpInNoRoutes),
            Errno::EACCES => (13, DropReason::IpInNoRoutes),
            _ => return self.drop_skb(skb, dev, DropReason::BlackholeRoute),
        };
        if self.take_tokens(src, ERROR_COST, ERROR_BURST) {
            self.cause = skb.id;
            self.flow = skb.flow;
            self.icmp_send(&skb, Error::Unreachable { code, mtu: 0 });
        }
        self.drop_skb(skb, dev, reason);
    }

    /// Takes `cost` from a peer's bucket that holds at most `burst`, both in nanoseconds; false if there is not enough.
    pub(super) fn take_tokens(&mut self, peer: Ipv4Addr, cost: u64, burst: u64) -> bool {
        let now = self.now;
        if !self.ns.icmp_limits.peers.contains(&peer) {
            // a peer that was never heard of begins with a minute's worth
            let fresh = crate::linux::netns::PeerLimit { tokens: 60_000_000_000, last: now, redirects: 0 };
            self.ns.icmp_limits.peers.insert(peer, fresh);
        }
        let Some(p) = self.ns.icmp_limits.peers.get_mut(&peer) else { return true };
        let gained = now.since(std::mem::replace(&mut p.last, now)).as_nanos();
        p.tokens = p.tokens.saturating_add(u64::try_from(gained).unwrap_or(u64::MAX)).min(burst);
        let enough = p.tokens >= cost;
        if enough {
            p.tokens -= cost;
        }
        enough
    }

    /// The packet is for this host (ip_local_deliver).
    fn ip_local_deliver(&mut self, skb: Box<Skb>, dev: IfIndex, kind: RouteType) {
        let Some(mut skb) = self.ip_defrag(skb, dev, false) else { return };
        let state = HookState { hook: Hook::Input, iif: dev, oif: IfIndex::NONE };
        let verdict = self.nf_hook(&mut skb, &state, None);
        if verdict != NfVerdict::Accept {
            return self.hook_ended(skb, dev, verdict);
        }
        self.cause = skb.id;
        self.flow = skb.flow;
        let Some(body) = skb.frame.ipv4().map(|p| &p.body) else { return };
        match body {
            Body::Icmp(_) => self.icmp_rcv(skb, dev, kind),
            Body::Udp(_) => self.udp_rcv(skb, dev, kind),
            Body::Tcp(_) if kind == RouteType::Local && skb.pkt_type == PktType::Host => {
                // what is read is held no longer by conntrack's unconfirmed list
                super::tcp::tcp_rcv(self, skb);
            }
            Body::Tcp(_) => self.drop_skb(skb, dev, DropReason::NotSpecified),
            Body::Fragment { .. } => self.drop_skb(skb, dev, DropReason::FragReasmTimeout),
            // a header that could not be read: shorter than it says
            Body::Other { protocol: Protocol::TCP | Protocol::UDP | Protocol::ICMP, .. } => {
                self.drop_skb(skb, dev, DropReason::PktTooSmall)
            }
            Body::Other { protocol: p @ (Protocol::IPIP | Protocol::GRE), .. } if self.speaks_tunnels(*p) => self.ip_tunnel_rcv(skb, dev),
            Body::Icmpv6(_) | Body::Other { .. } => {
                self.icmp_send(&skb, Error::Unreachable { code: 2, mtu: 0 });
                self.drop_skb(skb, dev, DropReason::IpNoProto);
            }
        }
    }
}
