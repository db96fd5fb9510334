//! What all tunnel devices have in common: the outer packet, path MTUs, congestion bits, the hash of a flow.
//!
//! Models: net/ipv4/ip_tunnel_core.c iptunnel_xmit, __iptunnel_pull_header, skb_tunnel_check_pmtu, iptunnel_pmtud_build_icmp;
//! include/net/inet_ecn.h INET_ECN_encapsulate, INET_ECN_decapsulate; net/core/flow_dissector.c __skb_get_hash;
//! include/net/udp_tunnel.h udp_flow_src_port; net/core/dev.c xmit_recursion.
//! Simplifies: the hash of a flow is keyed by nothing, so that it is the same in every run; of a TCP connection it does not change
//! when a segment is sent again.

use super::route::Dst;
use super::walk::{Effect, Walk};
use crate::linux::device::DeviceKind;
use crate::linux::skb::{PktType, Skb};
use crate::linux::{Errno, IfIndex};
use crate::packet::{Body, Ethernet, Frame, Icmp, IcmpKind, Ipv4Addr, Ipv4Header, Ipv4Packet, L4, Net, Quoted, Tuple};
use crate::trace::evidence::Tunnel;
use crate::trace::{DropReason, Evidence, Tracer};
use std::time::Duration;

/// Tunnel devices that may send one packet, one inside another (XMIT_RECURSION_LIMIT).
const XMIT_RECURSION_LIMIT: u8 = 8;
/// How long a learned path MTU is kept (mtu_expires), and the smallest that is believed (min_pmtu).
const PMTU_EXPIRES: Duration = Duration::from_secs(600);
const MIN_PMTU: u32 = 552;
/// The smallest MTU that a bridged sender is told of.
const MIN_REPLY_MTU: u32 = 576;

/// The outer IPv4 header of a tunnel's packet, as far as the tunnel decides it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outer {
    /// Source.
    pub(super) src: Ipv4Addr,
    /// Destination.
    pub(super) dst: Ipv4Addr,
    /// TOS.
    pub(super) tos: u8,
    /// TTL.
    pub(super) ttl: u8,
    /// DF.
    pub(super) df: bool,
}

/// What a step says of an encapsulation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said {
    /// How.
    pub(super) tunnel: Tunnel,
    /// VNI, key, or index of the peer.
    pub(super) id: u32,
    /// Ports, where there are any.
    pub(super) ports: (u16, u16),
}

/// Mixes a word into a hash.
fn mix(hash: u32, word: u32) -> u32 {
    let h = (hash ^ word).wrapping_mul(0x9e37_79b1);
    h ^ h >> 15
}

/// The hash of a flow from its addresses and ports; both directions have the same (__flow_hash_consistentify). Never 0.
fn dissected(frame: &Frame) -> u32 {
    let h = match &frame.net {
        Net::Ipv4(p) => {
            let (mut a, mut b) = (u32::from(p.header.src), u32::from(p.header.dst));
            let ports = match Tuple::<Ipv4Addr>::of(p).map(|t| t.l4) {
                Some(L4::Ports { src, dst }) => (src, dst),
                _ => (0, 0),
            };
            let (mut s, mut d) = ports;
            if (b, d) < (a, s) {
                (a, b, s, d) = (b, a, d, s);
            }
            let h = mix(mix(mix(0x811c_9dc5, u32::from(p.body.protocol().0)), a), b);
            mix(h, u32::from(s) << 16 | u32::from(d))
        }
        Net::Ipv6(p) => {
            let (a, b) = if p.header.dst < p.header.src { (p.header.dst, p.header.src) } else { (p.header.src, p.header.dst) };
            let words = a.octets().into_iter().chain(b.octets());
            words.fold(mix(0x811c_9dc5, u32::from(p.body.protocol().0)), |h, byte| mix(h, byte.into()))
        }
        // of ARP and what is not known nothing but the type is looked at
        other => mix(0x811c_9dc5, other.ethertype().into()),
    };
    h.max(1)
}

impl<T: Tracer> Walk<'_, T> {
    /// Hands a frame to the tunnel that a device is (ndo_start_xmit).
    pub(super) fn tunnel_xmit(&mut self, mut skb: Box<Skb>, dev: IfIndex) {
        if skb.recursion >= XMIT_RECURSION_LIMIT {
            return self.drop_skb(skb, dev, DropReason::RecursionLimit);
        }
        skb.recursion += 1;
        match self.ns.config.devices.get(dev).map(|d| &d.kind) {
            Some(DeviceKind::Vxlan(v)) => {
                let vxlan = v.clone();
                self.vxlan_xmit(skb, dev, &vxlan);
            }
            Some(DeviceKind::Tun(mode)) => {
                let mode = *mode;
                self.tun_net_xmit(skb, dev, mode);
            }
            Some(DeviceKind::IpTunnel(c)) => {
                let config = c.clone();
                self.ip_tunnel_xmit(skb, dev, &config);
            }
            _ => self.drop_skb(skb, dev, DropReason::DevReady),
        }
    }

    /// A datagram for a UDP port that a tunnel device listens on (encap_rcv).
    pub(super) fn udp_encap_rcv(&mut self, skb: Box<Skb>, dev: IfIndex) {
        self.vxlan_rcv(skb, dev);
    }

    /// The hash of the packet's flow (skb_get_hash).
    pub(super) fn skb_get_hash(&self, skb: &mut Skb) -> u32 {
        if skb.hash == 0 {
            skb.hash = match self.ns.sockets.get(skb.socket) {
                // a connected socket has a number of its own (sk_txhash)
                Some(s) if s.remote.is_some() => mix(mix(0x811c_9dc5, self.ns.id.0), skb.socket.0).max(1),
                _ => dissected(&skb.frame),
            };
        }
        skb.hash
    }

    /// A source port that stands for the flow inside (udp_flow_src_port). `range` of zeros is that of local ports.
    pub(super) fn udp_flow_src_port(&self, skb: &mut Skb, range: (u16, u16)) -> u16 {
        let (min, max) = if range.0 >= range.1 { self.ns.config.sysctl.ip_local_port_range } else { range };
        let hash = self.skb_get_hash(skb);
        let hash = hash ^ (hash << 16);
        let span = u64::from(max.saturating_sub(min));
        ((u64::from(hash) * span) >> 32) as u16 + min
    }

    /// Whether the packet fits through the tunnel, `headroom` being what the tunnel adds (skb_tunnel_check_pmtu). If it does
    /// not, its route learns so; a sender behind a bridge is told by an ICMP error, and the packet ends here.
    pub(super) fn tunnel_check_pmtu(&mut self, skb: Box<Skb>, dev: IfIndex, mtu: u32, headroom: u32) -> Option<Box<Skb>> {
        let mtu = mtu.saturating_sub(headroom);
        if super::transmit::net_len(&skb) <= mtu {
            return Some(skb);
        }
        let Some(p) = skb.frame.ipv4() else { return Some(skb) };
        let (dst, header) = (p.header.dst, p.header);
        if skb.forwarded || !skb.iif.is_some() {
            let until = self.now + PMTU_EXPIRES;
            self.ns.pmtu.insert(dst, (mtu.max(MIN_PMTU), until));
        }
        let bridged = self.ns.config.devices.get(dev).is_some_and(|d| d.master.is_some());
        let whole = header.dont_fragment && !p.is_fragment();
        let error = matches!(&p.body, Body::Icmp(m) if m.is_error());
        let nobody = dst == Ipv4Addr::BROADCAST || dst.is_multicast() || header.src.is_multicast() || header.src.is_loopback();
        if !bridged || skb.pkt_type == PktType::Host || mtu < MIN_REPLY_MTU || !whole || error || nobody || header.src.octets()[0] == 0 {
            return Some(skb);
        }
        self.pmtud_reply(skb, dev, mtu);
        None
    }

    /// An ICMP error in the name of the packet's receiver, which comes in by the tunnel device (iptunnel_pmtud_build_icmp).
    fn pmtud_reply(&mut self, skb: Box<Skb>, dev: IfIndex, mtu: u32) {
        let Some(p) = skb.frame.ipv4() else { return };
        let mtu16 = u16::try_from(mtu).unwrap_or(u16::MAX);
        let quoted = Quoted::of(p, 576);
        let header = Ipv4Header {
            tos: p.header.tos & 0x1e | 0xc0,
            id: 0,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
            ttl: self.ns.config.sysctl.ip_default_ttl,
            src: p.header.dst,
            dst: p.header.src,
            checksum_error: 0,
        };
        let error = Body::Icmp(Icmp::new(IcmpKind::Unreachable { code: 4, mtu: mtu16, quoted }));
        let cause = std::mem::replace(&mut self.cause, skb.id);
        let mut reply = self.new_skb(Net::Ipv4(Ipv4Packet { header, body: error }), skb.flow);
        self.cause = cause;
        reply.frame.eth = Ethernet { dst: skb.frame.eth.src, src: skb.frame.eth.dst, ..skb.frame.eth };
        self.rewritten(&mut reply);
        self.step(&skb, dev, Evidence::IcmpError { kind: 3, code: 4, packet: reply.id });
        self.drop_skb(skb, dev, DropReason::PktTooBig);
        self.effects.0.push(Effect::Receive(dev, reply));
    }

    /// Puts the packet into an outer one, `body`, and sends that (iptunnel_xmit). `dev` is the tunnel device.
    pub(super) fn iptunnel_xmit(&mut self, mut skb: Box<Skb>, dev: IfIndex, dst: Dst, outer: &Outer, body: Body, said: &Said) {
        self.scrub_for_tunnel(&mut skb);
        let header = Ipv4Header {
            tos: outer.tos,
            id: self.next_ip_id(),
            dont_fragment: outer.df,
            more_fragments: false,
            fragment_offset: 0,
            ttl: outer.ttl,
            src: outer.src,
            dst: outer.dst,
            checksum_error: 0,
        };
        skb.frame = Frame { eth: Ethernet::default(), net: Net::Ipv4(Ipv4Packet { header, body }) };
        let (src, to) = (crate::trace::evidence::Addr32::from(outer.src), crate::trace::evidence::Addr32::from(outer.dst));
        let (sport, dport) = said.ports;
        self.step(&skb, dev, Evidence::Encap { tunnel: said.tunnel, id: said.id, src, dst: to, sport, dport });
        self.rewritten(&mut skb);
        // what OUTPUT says to the outer packet is counted by the device and told nobody
        let _: Result<(), Errno> = self.ip_local_out_of(skb, dst, dev);
    }

    /// What a packet loses where a tunnel begins or ends in its namespace (skb_scrub_packet).
    pub(super) fn scrub_for_tunnel(&mut self, skb: &mut Skb) {
        self.release_ct(skb);
        skb.ct = None;
        skb.bridge = None;
        skb.local_route = false;
        skb.forwarded = false;
        skb.frag_max = 0;
        skb.next_hop = None;
        skb.frag_sizes = None;
        skb.iif = IfIndex::NONE;
        skb.pkt_type = PktType::Host;
    }

    /// The packet was taken out of its tunnel: what was inside takes its place.
    pub(super) fn decapsulated(&mut self, skb: &mut Skb, from: IfIndex, said: Evidence, inside: Frame) {
        self.step(skb, from, said);
        skb.frame = inside;
        self.rewritten(skb);
    }

    /// The packet that was inside comes in by the tunnel device.
    pub(super) fn tunnel_rcv(&mut self, mut skb: Box<Skb>, dev: IfIndex) {
        self.scrub_for_tunnel(&mut skb);
        skb.recursion = 0;
        self.effects.0.push(Effect::Receive(dev, skb));
    }
}

/// The congestion bits of the outer TOS, from those inside (INET_ECN_encapsulate).
pub(super) fn ecn_encapsulate(outer: u8, inner: u8) -> u8 {
    const MASK: u8 = 3;
    const ECT_0: u8 = 2;
    outer & !MASK | if inner & MASK == MASK { ECT_0 } else { inner & MASK }
}

/// Takes over what the outer congestion bits say; false if the packet inside cannot be told and must go (INET_ECN_decapsulate).
pub(super) fn ecn_decapsulate(outer: u8, frame: &mut Frame) -> bool {
    const CE: u8 = 3;
    let Some(p) = frame.ipv4_mut() else { return true };
    match (outer & 3, p.header.tos & 3) {
        (CE, 0) => false,
        (CE, _) => {
            p.header.tos |= CE;
            true
        }
        _ => true,
    }
}

/// TOS of an IPv4 packet inside; 0 of others (ip_tunnel_get_dsfield).
pub(super) fn inner_tos(frame: &Frame) -> u8 {
    frame.ipv4().map_or(0, |p| p.header.tos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Endpoint, Udp};

    fn udp(a: (u8, u16), b: (u8, u16)) -> Frame {
        let at = |(n, port)| Endpoint::new(Ipv4Addr::new(10, 0, 0, n), port);
        let (from, to) = (at(a), at(b));
        let header = Ipv4Header {
            tos: 0,
            id: 0,
            dont_fragment: false,
            more_fragments: false,
            fragment_offset: 0,
            ttl: 64,
            src: from.addr,
            dst: to.addr,
            checksum_error: 0,
        };
        let body = Body::Udp(Udp::new(from.port, to.port, "x".into()));
        Frame { eth: Ethernet::default(), net: Net::Ipv4(Ipv4Packet { header, body }) }
    }

    #[test]
    fn both_directions_of_a_flow_have_one_hash_and_other_flows_others() {
        let there = dissected(&udp((1, 1000), (2, 53)));
        assert_eq!(there, dissected(&udp((2, 53), (1, 1000))));
        assert_ne!(there, dissected(&udp((1, 1001), (2, 53))));
        assert_ne!(there, dissected(&udp((1, 53), (2, 1000))));
    }

    #[test]
    fn congestion_bits_are_taken_in_and_out() {
        for (outer, inner, want) in [(0xb8, 0, 0xb8), (0xb8, 1, 0xb9), (0, 2, 2), (0, 3, 2), (3, 0, 0)] {
            assert_eq!(ecn_encapsulate(outer, inner), want, "{outer:#x} {inner}");
        }
        for (outer, inner, want) in [(0, 0, Some(0)), (3, 0, None), (3, 2, Some(3)), (3, 1, Some(3)), (1, 2, Some(2)), (2, 0, Some(0))] {
            let mut f = udp((1, 1), (2, 2));
            if let Some(p) = f.ipv4_mut() {
                p.header.tos = inner;
            }
            let kept = ecn_decapsulate(outer, &mut f);
            assert_eq!(kept.then(|| inner_tos(&f)), want, "{outer} {inner}");
        }
    }
}
