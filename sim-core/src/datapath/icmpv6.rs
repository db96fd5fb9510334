//! ICMPv6: echo, errors that come in, errors that are made.
//!
//! Models: net/ipv6/icmp.c icmpv6_rcv, icmpv6_echo_reply, icmpv6_notify, icmp6_send, icmpv6_xrlim_allow, icmpv6_err_convert,
//! is_ineligible; net/ipv6/raw.c rawv6_err, ipv6_raw_deliver; net/ipv6/udp.c __udp6_lib_err; net/ipv6/tcp_ipv6.c tcp_v6_err.
//! Spec: RFC 4443.
//! Simplifies: the mask `ratemask` is that of a fresh host (all errors but packet too big); a learned MTU is kept per destination, not
//! per route.

use super::ip6_output::{MIN_MTU, ip6_send};
use super::output::SendSpec;
use super::route6::Dst6;
use super::tcp::{PathError, tcp_err};
use super::walk::Walk;
use crate::linux::fib::RouteType;
use crate::linux::skb::Skb;
use crate::linux::socket::{Datagram, PmtuDisc, SockError, SocketKind};
use crate::linux::{Errno, IfIndex, PacketId, SocketId};
use crate::packet::{Body, Bytes, Endpoint, Family, Icmpv6, Icmpv6Kind, IpAddr, Ipv6Addr, Ipv6Header, L4, Protocol, Quoted, Tuple};
use crate::trace::{DropReason, Evidence, Tracer};
use std::time::Duration;

/// An error to be reported to the sender of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error6 {
    /// Type 1.
    Unreachable {
        /// 0 no route, 1 prohibited, 2 beyond scope, 3 address, 4 port, 5 policy, 6 rejected route.
        code: u8,
    },
    /// Type 2.
    TooBig {
        /// MTU in bytes.
        mtu: u32,
    },
    /// Type 3.
    TimeExceeded {
        /// 0 hop limit, 1 reassembly.
        code: u8,
    },
    /// Type 4.
    Parameter {
        /// 0 header field, 1 next header, 2 option.
        code: u8,
        /// Which byte.
        pointer: u32,
    },
}

impl Error6 {
    fn type_code(self) -> (u8, u8) {
        match self {
            Error6::Unreachable { code } => (1, code),
            Error6::TooBig { .. } => (2, 0),
            Error6::TimeExceeded { code } => (3, code),
            Error6::Parameter { code, .. } => (4, code),
        }
    }
}

/// What a program sees of an error, and whether it is fatal (icmpv6_err_convert).
fn err_convert(kind: u8, code: u8) -> (Errno, bool) {
    match (kind, code) {
        (1, 0) => (Errno::ENETUNREACH, false),
        (1, 1) => (Errno::EACCES, true),
        (1, 2 | 3) => (Errno::EHOSTUNREACH, false),
        (1, 4) => (Errno::ECONNREFUSED, true),
        (1, 5 | 6) => (Errno::EACCES, true),
        (2, _) => (Errno::EMSGSIZE, false),
        (4, _) => (Errno::EPROTO, true),
        (3, _) => (Errno::EHOSTUNREACH, false),
        _ => (Errno::EPROTO, false),
    }
}

/// How long a learned path MTU is kept (ip6_rt_mtu_expires).
const PMTU_EXPIRES: Duration = Duration::from_secs(600);

impl<T: Tracer> Walk<'_, T> {
    /// An ICMPv6 message for this host (icmpv6_rcv), after the raw sockets have had their copy.
    pub(super) fn icmpv6_rcv(&mut self, skb: Box<Skb>, dev: IfIndex, message: &Icmpv6) {
        let Some(h) = skb.frame.ipv6().map(|p| p.header) else { return };
        let heard = self.raw6_deliver(&skb, dev, &h, message);
        if message.checksum_error != 0 {
            return self.drop_skb(skb, dev, DropReason::IcmpCsum);
        }
        match &message.kind {
            Icmpv6Kind::EchoRequest { id, seq, payload } => {
                let reply = Icmpv6::new(Icmpv6Kind::EchoReply { id: *id, seq: *seq, payload: payload.clone() });
                let spec = SendSpec {
                    // the reply comes from the address that was asked
                    src: if h.dst.is_multicast() { Ipv6Addr::UNSPECIFIED } else { h.dst },
                    dst: h.src,
                    ttl: None,
                    tos: 0,
                    mark: 0,
                    oif: if crate::linux::inet6::is_link_local(h.src) { dev } else { IfIndex::NONE },
                    pmtudisc: PmtuDisc::Dont,
                    socket: SocketId::NONE,
                    flow: skb.flow,
                    l4: (Protocol::ICMPV6, (0, 0)),
                    confirms: false,
                };
                self.step(&skb, dev, Evidence::Deliver { socket: SocketId::NONE, len: message.len() as u32 });
                self.consumed(&skb, dev);
                // a reply that cannot be sent is nobody's error
                let _ = ip6_send(self, &spec, Body::Icmpv6(reply));
            }
            Icmpv6Kind::EchoReply { .. } if heard == 0 => self.drop_skb(skb, dev, DropReason::NoSocket),
            Icmpv6Kind::EchoReply { .. } => self.consumed(&skb, dev),
            Icmpv6Kind::Unreachable { quoted, .. } | Icmpv6Kind::TimeExceeded { quoted, .. } => {
                self.icmpv6_notify(&skb, h.src, message.type_code(), 0, quoted);
                self.consumed(&skb, dev);
            }
            Icmpv6Kind::PacketTooBig { mtu, quoted } => {
                self.icmpv6_notify(&skb, h.src, (2, 0), *mtu, quoted);
                self.consumed(&skb, dev);
            }
            Icmpv6Kind::Other { kind: 4, code, payload, .. } => {
                self.icmpv6_notify(&skb, h.src, (4, *code), 0, &Quoted(payload.clone()));
                self.consumed(&skb, dev);
            }
            Icmpv6Kind::NeighbourSolicitation { .. }
            | Icmpv6Kind::NeighbourAdvertisement { .. }
            | Icmpv6Kind::Other { kind: 133..=137, .. } => {
                self.ndisc_rcv(skb, dev, message);
            }
            // what multicast routers ask is not answered, and reports are for them
            Icmpv6Kind::Other { kind: 130..=132 | 143, .. } => self.consumed(&skb, dev),
            Icmpv6Kind::Other { .. } if heard == 0 => self.drop_skb(skb, dev, DropReason::NoSocket),
            Icmpv6Kind::Other { .. } => self.consumed(&skb, dev),
        }
    }

    /// Copies a message to every ICMPv6 socket that may hear it; returns how many (ipv6_raw_deliver).
    fn raw6_deliver(&mut self, skb: &Skb, dev: IfIndex, h: &Ipv6Header, message: &Icmpv6) -> usize {
        let (src, dst) = (IpAddr::V6(h.src), IpAddr::V6(h.dst));
        let hears = |s: &crate::linux::socket::Socket| {
            s.family == Family::Inet6
                && (s.local.addr.is_unspecified() || s.local.addr == dst)
                && s.remote.is_none_or(|r| r.addr == src || r.addr.is_multicast())
                && (!s.device.is_some() || s.device == dev)
        };
        let sockets = &self.ns.sockets;
        let ids: Vec<SocketId> = sockets.icmp().iter().copied().filter(|id| sockets.get(*id).is_some_and(hears)).collect();
        if ids.is_empty() {
            return 0;
        }
        let data = Bytes::from(message.encode(h.pseudo()));
        for id in &ids {
            let (from, to) = (Endpoint::new(src, 0), Endpoint::new(dst, 0));
            let datagram = Datagram { from, to, ttl: h.hop_limit, data: data.clone(), packet: skb.id, flow: skb.flow };
            if let Some(s) = self.ns.sockets.get_mut(*id) {
                s.queue.push_back(datagram);
            }
            self.step(skb, dev, Evidence::Deliver { socket: *id, len: data.len() as u32 });
            self.wake(*id);
        }
        ids.len()
    }

    /// An error about a packet that was sent from here (icmpv6_notify).
    fn icmpv6_notify(&mut self, skb: &Skb, offender: Ipv6Addr, icmp: (u8, u8), mtu: u32, quoted: &Quoted) {
        let Some(Tuple { src, dst, protocol, l4 }) = quoted.tuple_v6() else { return };
        let (kind, code) = icmp;
        if kind == 2 {
            let until = self.now + PMTU_EXPIRES;
            self.ns.ip6.pmtu.insert(dst, (mtu.max(MIN_MTU), until));
        }
        let (errno, fatal) = err_convert(kind, code);
        let error = SockError { errno, icmp: Some(icmp), info: mtu, offender: Some(offender.into()) };
        match (protocol, l4) {
            (Protocol::TCP, L4::Ports { src: sport, dst: dport }) => {
                let seq = quoted.transport_v6().and_then(|t| t.get(4..8)).map_or(0, |b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
                let told =
                    PathError { icmp, mtu: (kind == 2).then_some(mtu.max(MIN_MTU)), errno, ends_embryo: fatal, offender: offender.into() };
                tcp_err(self, Endpoint::new(src, sport).into(), Endpoint::new(dst, dport).into(), seq, &told);
            }
            (Protocol::UDP, L4::Ports { src: sport, dst: dport }) => {
                let local = Endpoint::new(src, sport);
                if let Some(id) = self.ns.sockets.lookup(SocketKind::Udp, local, Endpoint::new(dst, dport), IfIndex::NONE) {
                    self.socket_error(skb, id, error, fatal);
                }
            }
            (Protocol::ICMPV6, _) => {
                let ids: Vec<SocketId> = self.ns.sockets.icmp().to_vec();
                for id in ids {
                    let fits = self.ns.sockets.get(id).is_some_and(|s| {
                        s.family == Family::Inet6
                            && (s.local.addr.is_unspecified() || s.local.addr == src)
                            && s.remote.is_none_or(|r| r.addr == dst)
                    });
                    if fits {
                        self.socket_error(skb, id, error.clone(), fatal);
                    }
                }
            }
            _ => {}
        }
    }

    /// Reports a problem with `about` to its sender (icmp6_send).
    pub fn icmpv6_send(&mut self, about: &Skb, error: Error6) {
        let Some(p) = about.frame.ipv6() else { return };
        let (kind, code) = error.type_code();
        let (src, to) = (p.header.src, p.header.dst);
        // groups are told of packets too big, and of options that they should know
        if to.is_multicast() && !(kind == 2 || (kind, code) == (4, 2)) {
            return;
        }
        if about.pkt_type != crate::linux::skb::PktType::Host && kind != 2 {
            return;
        }
        if src.is_unspecified() || src.is_multicast() || matches!(&p.body, Body::Icmpv6(m) if m.is_error() || m.type_code().0 == 137) {
            return;
        }
        let config = self.ns.config.clone();
        let own = config.fib6.addr_type(to) == RouteType::Local;
        let from = if own && about.iif.is_some() { to } else { Ipv6Addr::UNSPECIFIED };
        let oif = if crate::linux::inet6::is_link_local(src) { about.iif } else { IfIndex::NONE };
        let quoted = Quoted::of_v6(p, 1280);
        let Ok((dst, from)) = self.route_output6(None, from, src, oif) else { return };
        if kind != 2 && dst.oif != super::route::LOOPBACK && !self.icmpv6_xrlim_allow(src, dst.plen) {
            self.step(about, IfIndex::NONE, Evidence::IcmpError { kind, code, packet: PacketId::NONE });
            return;
        }
        let message = match error {
            Error6::Unreachable { code } => Icmpv6Kind::Unreachable { code, quoted },
            Error6::TooBig { mtu } => Icmpv6Kind::PacketTooBig { mtu, quoted },
            Error6::TimeExceeded { code } => Icmpv6Kind::TimeExceeded { code, quoted },
            Error6::Parameter { code, pointer } => Icmpv6Kind::Other { kind: 4, code, rest: pointer.to_be_bytes(), payload: quoted.0 },
        };
        let next = PacketId(self.ids.last_packet + 1);
        self.step(about, IfIndex::NONE, Evidence::IcmpError { kind, code, packet: next });
        let header = Ipv6Header { traffic_class: 0, flow_label: 0, hop_limit: self.hop_limit(dst.oif), src: from, dst: src };
        self.send_attached6(about, header, Body::Icmpv6(Icmpv6::new(message)), dst);
    }

    /// Sends a packet that belongs to the flow of `about`, in the other direction (nf_ct_attach).
    pub(super) fn send_attached6(&mut self, about: &Skb, header: Ipv6Header, body: Body, dst: Dst6) {
        let before = std::mem::replace(&mut self.cause, about.id);
        let mut skb = self.new_skb6(header, body, about.flow);
        super::conntrack::nf_ct_attach(&mut skb, about);
        // an answer that OUTPUT drops is nobody's error
        let _ = self.ip6_local_out(skb, dst);
        self.cause = before;
    }

    /// The rate limit of errors: one a second to a host, more to wide ranges, six at once (icmpv6_xrlim_allow).
    fn icmpv6_xrlim_allow(&mut self, peer: Ipv6Addr, plen: u8) -> bool {
        let limit = u64::from(self.ns.config.sysctl.icmp6_ratelimit) * 1_000_000;
        if limit == 0 {
            return true;
        }
        let timeout = if plen < 128 { limit >> ((128 - u32::from(plen)) >> 5) } else { limit };
        if !self.icmp_global_allow() {
            return false;
        }
        let now = self.now;
        if !self.ns.ip6.peers.contains(&peer) {
            let fresh = crate::linux::netns::PeerLimit { tokens: 60_000_000_000, last: now, redirects: 0 };
            self.ns.ip6.peers.insert(peer, fresh);
        }
        let Some(p) = self.ns.ip6.peers.get_mut(&peer) else { return true };
        let gained = now.since(std::mem::replace(&mut p.last, now)).as_nanos();
        p.tokens = p.tokens.saturating_add(u64::try_from(gained).unwrap_or(u64::MAX)).min(6 * timeout);
        let enough = p.tokens >= timeout;
        if enough {
            p.tokens -= timeout;
            self.icmp_global_consume();
        }
        enough
    }
}
