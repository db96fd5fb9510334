//! ICMP: echo, errors that come in, errors that are made.
//!
//! Models: net/ipv4/icmp.c icmp_rcv, icmp_echo, icmp_unreach, __icmp_send, icmpv4_xrlim_allow; net/ipv4/raw.c raw_err, raw_local_deliver.
//! Simplifies: an error takes one from the bucket of all destinations, where the kernel takes nothing, one or two by chance.
//! Spec: RFC 792, RFC 1122 section 3.2.2, RFC 1812 section 4.3.
//! Seen in: 102-reject-variants, 104-mtu-and-fragments, 13-no-endpoints-reject, 17-ttl-expiry, 20-arp-failure.

use super::output::{SendSpec, ip_send};
use super::walk::Walk;
use crate::linux::device::Scope;
use crate::linux::fib::RouteType;
use crate::linux::skb::{PktType, Skb};
use crate::linux::socket::{Datagram, PmtuDisc, SockError, SocketKind};
use crate::linux::{Errno, IfIndex, PacketId, SocketId};
use crate::packet::{Body, Bytes, Endpoint, Family, Icmp, IcmpKind, Ipv4Addr, Ipv4Packet, L4, Net, Protocol, Quoted, Tuple};
use crate::trace::{DropReason, Evidence, Tracer};
use std::time::Duration;

/// An error to be reported to the sender of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Type 3.
    Unreachable {
        /// Code.
        code: u8,
        /// Next-hop MTU with code 4.
        mtu: u16,
    },
    /// Type 11.
    TimeExceeded {
        /// Code.
        code: u8,
    },
    /// Type 5, host.
    Redirect {
        /// The better gateway.
        gateway: Ipv4Addr,
    },
}

/// What a program sees of ICMP destination unreachable, by code: the error, and whether it is fatal (icmp_err_convert).
const ERR_CONVERT: [(Errno, bool); 16] = [
    (Errno::ENETUNREACH, false),
    (Errno::EHOSTUNREACH, false),
    (Errno::ENOPROTOOPT, true),
    (Errno::ECONNREFUSED, true),
    (Errno::EMSGSIZE, false),
    (Errno::EOPNOTSUPP, false),
    (Errno::ENETUNREACH, true),
    (Errno::EHOSTDOWN, true),
    (Errno::ENONET, true),
    (Errno::ENETUNREACH, true),
    (Errno::EHOSTUNREACH, true),
    (Errno::ENETUNREACH, false),
    (Errno::EHOSTUNREACH, false),
    (Errno::EHOSTUNREACH, true),
    (Errno::EHOSTUNREACH, true),
    (Errno::EHOSTUNREACH, true),
];

/// How long a learned path MTU is kept (mtu_expires), and the smallest that is believed (min_pmtu).
const PMTU_EXPIRES: Duration = Duration::from_secs(600);
const MIN_PMTU: u32 = 552;

impl<T: Tracer> Walk<'_, T> {
    /// An ICMP message for this host (icmp_rcv), after the raw sockets have had their copy.
    pub(super) fn icmp_rcv(&mut self, skb: Box<Skb>, dev: IfIndex, kind: RouteType) {
        let Some(p) = skb.frame.ipv4() else { return };
        let Body::Icmp(message) = &p.body else { return };
        let (src, dst, ttl) = (p.header.src, p.header.dst, p.header.ttl);
        let message = message.clone();
        let heard = self.raw_local_deliver(&skb, dev, src, dst, ttl, &message);
        if message.checksum_error != 0 {
            return self.drop_skb(skb, dev, DropReason::IcmpCsum);
        }
        match &message.kind {
            IcmpKind::EchoRequest { id, seq, payload } => {
                let c = &self.ns.config.sysctl;
                let to_group = kind == RouteType::Broadcast || dst.is_multicast();
                if c.icmp_echo_ignore_all || (to_group && c.icmp_echo_ignore_broadcasts) {
                    return self.drop_skb(skb, dev, DropReason::NotSpecified);
                }
                let reply = Icmp::new(IcmpKind::EchoReply { id: *id, seq: *seq, payload: payload.clone() });
                let spec = SendSpec {
                    confirms: false,
                    // the reply comes from the address that was asked
                    src: if to_group { Ipv4Addr::UNSPECIFIED } else { dst },
                    dst: src,
                    ttl: None,
                    tos: p.header.tos,
                    mark: 0,
                    oif: IfIndex::NONE,
                    pmtudisc: PmtuDisc::Dont,
                    l4: (Protocol::ICMP, (0, 0)),
                    socket: SocketId::NONE,
                    flow: skb.flow,
                };
                let len = message.len() as u32;
                self.step(&skb, dev, Evidence::Deliver { socket: SocketId::NONE, len });
                self.consumed(&skb, dev);
                // a reply that cannot be sent is nobody's error
                let _ = ip_send(self, &spec, Body::Icmp(reply));
            }
            IcmpKind::EchoReply { .. } => {
                if heard == 0 {
                    self.drop_skb(skb, dev, DropReason::NoSocket);
                } else {
                    self.consumed(&skb, dev);
                }
            }
            IcmpKind::Unreachable { code, mtu, quoted } => {
                let (code, mtu, quoted) = (*code, *mtu, quoted.clone());
                self.icmp_unreach(&skb, src, 3, code, mtu, &quoted);
                self.consumed(&skb, dev);
            }
            IcmpKind::TimeExceeded { code, quoted } => {
                let (code, quoted) = (*code, quoted.clone());
                self.icmp_unreach(&skb, src, 11, code, 0, &quoted);
                self.consumed(&skb, dev);
            }
            IcmpKind::Redirect { .. } => self.consumed(&skb, dev),
            IcmpKind::Other { .. } => {
                if heard == 0 {
                    self.drop_skb(skb, dev, DropReason::NoSocket);
                } else {
                    self.consumed(&skb, dev);
                }
            }
        }
    }

    /// The packet has reached its end here (consume_skb).
    pub(super) fn consumed(&mut self, skb: &Skb, _dev: IfIndex) {
        self.release_ct(skb);
    }

    /// Copies an ICMP message to every ICMP socket that may hear it; returns how many (raw_local_deliver).
    fn raw_local_deliver(&mut self, skb: &Skb, dev: IfIndex, src: Ipv4Addr, dst: Ipv4Addr, ttl: u8, message: &Icmp) -> usize {
        if self.ns.sockets.icmp().is_empty() {
            return 0;
        }
        let ids: Vec<SocketId> = self
            .ns
            .sockets
            .icmp()
            .iter()
            .copied()
            .filter(|id| {
                self.ns.sockets.get(*id).is_some_and(|s| {
                    s.family == Family::Inet
                        && (s.local.addr.is_unspecified() || s.local.addr == dst)
                        && s.remote.is_none_or(|r| r.addr == src)
                        && (!s.device.is_some() || s.device == dev)
                })
            })
            .collect();
        if ids.is_empty() {
            return 0;
        }
        let data = Bytes::from(message.encode());
        for id in &ids {
            let datagram = Datagram {
                from: Endpoint::new(src.into(), 0),
                to: Endpoint::new(dst.into(), 0),
                ttl,
                data: data.clone(),
                packet: skb.id,
                flow: skb.flow,
            };
            if let Some(s) = self.ns.sockets.get_mut(*id) {
                s.queue.push_back(datagram);
            }
            self.step(skb, dev, Evidence::Deliver { socket: *id, len: data.len() as u32 });
            self.wake(*id);
        }
        ids.len()
    }

    /// An ICMP error about a packet that was sent from here (icmp_unreach).
    fn icmp_unreach(&mut self, skb: &Skb, offender: Ipv4Addr, kind: u8, code: u8, mtu: u16, quoted: &Quoted) {
        let Some(Tuple { src, dst, protocol, l4 }) = quoted.tuple() else { return };
        if kind == 3 && code == 4 && mtu > 0 {
            let mtu = u32::from(mtu).max(MIN_PMTU);
            let until = self.now + PMTU_EXPIRES;
            self.ns.pmtu.insert(dst, (mtu, until));
        }
        let (errno, fatal) = match kind {
            3 => ERR_CONVERT.get(usize::from(code)).copied().unwrap_or((Errno::EHOSTUNREACH, true)),
            _ => (Errno::EHOSTUNREACH, false),
        };
        let error = SockError {
            errno,
            icmp: Some((kind, code)),
            info: if code == 4 && kind == 3 { u32::from(mtu) } else { 0 },
            offender: Some(offender.into()),
        };
        match (protocol, l4) {
            (Protocol::TCP, L4::Ports { src: sport, dst: dport }) => {
                let seq = quoted.transport().and_then(|t| t.get(4..8)).map_or(0, |b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
                super::tcp::tcp_v4_err(self, Endpoint::new(src, sport), Endpoint::new(dst, dport), seq, (kind, code, mtu), errno, offender);
            }
            (Protocol::UDP, L4::Ports { src: sport, dst: dport }) => {
                let local = Endpoint::new(src, sport);
                if let Some(id) = self.ns.sockets.lookup(SocketKind::Udp, local, Endpoint::new(dst, dport), IfIndex::NONE) {
                    self.socket_error(skb, id, error, fatal);
                }
            }
            (Protocol::ICMP, _) => {
                let ids: Vec<SocketId> = self.ns.sockets.icmp().to_vec();
                for id in ids {
                    let fits = self.ns.sockets.get(id).is_some_and(|s| {
                        s.family == Family::Inet
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

    /// Reports an error to a UDP or ICMP socket (udp_err, raw_err).
    pub(super) fn socket_error(&mut self, skb: &Skb, id: SocketId, error: SockError, fatal: bool) {
        let Some(s) = self.ns.sockets.get_mut(id) else { return };
        let hard = match error.errno {
            Errno::EMSGSIZE => s.pmtudisc != PmtuDisc::Dont,
            _ => fatal,
        };
        let errno = error.errno;
        if s.recverr {
            s.error_queue.push_back(error);
        } else if !hard || (s.kind == SocketKind::Udp && s.remote.is_none()) {
            return;
        }
        s.error = Some(errno);
        self.step(skb, IfIndex::NONE, Evidence::SocketError { socket: id, errno });
        self.wake(id);
    }

    /// Reports a problem with `about` to its sender (icmp_send).
    pub fn icmp_send(&mut self, about: &Skb, error: Error) {
        let Some(p) = about.frame.ipv4() else { return };
        let (kind, code) = match error {
            Error::Unreachable { code, .. } => (3, code),
            Error::TimeExceeded { code } => (11, code),
            Error::Redirect { .. } => (5, 1),
        };
        if about.pkt_type != PktType::Host || p.header.fragment_offset != 0 || !may_be_answered(p) {
            return;
        }
        let config = self.ns.config.clone();
        if matches!(config.fib.addr_type(p.header.dst), RouteType::Broadcast | RouteType::Multicast) {
            return;
        }
        // RTCF_LOCAL: whether it came in or was sent here to this host itself
        let to_us = config.fib.addr_type(p.header.dst) == RouteType::Local;
        let src = if to_us {
            p.header.dst
        } else if config.sysctl.icmp_errors_use_inbound_ifaddr && about.iif.is_some() {
            super::route::select_addr(&config, about.iif, p.header.src, Scope::Link).unwrap_or(Ipv4Addr::UNSPECIFIED)
        } else {
            Ipv4Addr::UNSPECIFIED
        };
        let peer = p.header.src;
        let Ok((dst, src)) = self.route_output(None, src, peer, IfIndex::NONE) else { return };
        let limited = config.sysctl.icmp_ratemask >> kind & 1 == 1 && !(kind == 3 && code == 4) && dst.oif != super::route::LOOPBACK;
        if limited {
            let timeout = u64::from(config.sysctl.icmp_ratelimit) * 1_000_000;
            let from_lo = about.iif == super::route::LOOPBACK;
            let allowed = (from_lo || self.icmp_global_allow()) && (timeout == 0 || self.take_tokens(peer, timeout, 6 * timeout));
            if allowed {
                self.icmp_global_consume();
            }
            if !allowed {
                self.step(about, IfIndex::NONE, Evidence::IcmpError { kind, code, packet: PacketId::NONE });
                return;
            }
        }
        // the quote fills what is left of 576 bytes
        let quoted = Quoted::of(p, 576);
        let message = match error {
            Error::Unreachable { code, mtu } => IcmpKind::Unreachable { code, mtu, quoted },
            Error::TimeExceeded { code } => IcmpKind::TimeExceeded { code, quoted },
            Error::Redirect { gateway } => IcmpKind::Redirect { code: 1, gateway, quoted },
        };
        let spec = SendSpec {
            confirms: false,
            src,
            dst: peer,
            ttl: None,
            tos: (p.header.tos & 0x1e) | 0xc0,
            mark: 0,
            oif: IfIndex::NONE,
            pmtudisc: PmtuDisc::Dont,
            l4: (Protocol::ICMP, (0, 0)),
            socket: SocketId::NONE,
            flow: about.flow,
        };
        let next = PacketId(self.ids.last_packet + 1);
        self.step(about, IfIndex::NONE, Evidence::IcmpError { kind, code, packet: next });
        self.send_attached(about, &spec, Body::Icmp(Icmp::new(message)), dst);
    }

    /// Sends a packet that belongs to the flow of `about`, in the other direction (nf_ct_attach).
    pub(super) fn send_attached(&mut self, about: &Skb, spec: &SendSpec, body: Body, dst: super::route::Dst) {
        let header = crate::packet::Ipv4Header {
            tos: spec.tos,
            id: if spec.pmtudisc == PmtuDisc::Dont { self.next_ip_id() } else { 0 },
            dont_fragment: spec.pmtudisc != PmtuDisc::Dont,
            more_fragments: false,
            fragment_offset: 0,
            ttl: spec.ttl.unwrap_or(self.ns.config.sysctl.ip_default_ttl),
            src: spec.src,
            dst: spec.dst,
            checksum_error: 0,
        };
        let before = std::mem::replace(&mut self.cause, about.id);
        let mut skb = self.new_skb(Net::Ipv4(Ipv4Packet { header, body }), spec.flow);
        super::conntrack::nf_ct_attach(&mut skb, about);
        skb.mark = spec.mark;
        // an answer that OUTPUT drops is nobody's error
        let _ = self.ip_local_out(skb, dst);
        self.cause = before;
    }

    /// An error was sent: the bucket of all destinations has one less (icmp_global_consume).
    pub(super) fn icmp_global_consume(&mut self) {
        if let Some((credit, _)) = &mut self.ns.icmp_limits.global {
            *credit = credit.saturating_sub(1);
        }
    }

    /// The bucket of all destinations: so many a second, and so many at once (icmp_global_allow). It is filled when it is empty, and every
    /// 20 ms at the earliest.
    pub(super) fn icmp_global_allow(&mut self) -> bool {
        let (per_sec, burst) = (self.ns.config.sysctl.icmp_msgs_per_sec, self.ns.config.sysctl.icmp_msgs_burst);
        let now = self.now;
        let (credit, passed) = match self.ns.icmp_limits.global {
            Some((credit, last)) => (credit, now.since(last).as_millis().min(1_000) as u64),
            None => (0, 1_000),
        };
        if credit > 0 {
            return true;
        }
        let gained = u64::from(per_sec) * passed / 1_000;
        if passed < 20 || gained == 0 {
            return false;
        }
        self.ns.icmp_limits.global = Some((u32::try_from(gained).unwrap_or(u32::MAX).min(burst), now));
        true
    }
}

/// Whether an error about this packet may be sent at all: not about ICMP errors, nor to nobody.
fn may_be_answered(p: &Ipv4Packet) -> bool {
    let source = p.header.src;
    let sendable = !(source.is_unspecified() || source.is_multicast() || source == Ipv4Addr::BROADCAST);
    sendable && !matches!(&p.body, Body::Icmp(m) if m.is_error())
}
