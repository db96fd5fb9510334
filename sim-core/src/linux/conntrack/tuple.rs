//! Tuples as conntrack uses them: from packets, and the other way round.
//!
//! Models: net/netfilter/nf_conntrack_core.c nf_ct_get_tuple, nf_ct_invert_tuple;
//! net/netfilter/nf_conntrack_proto_icmp.c icmp_pkt_to_tuple, nf_conntrack_invert_icmp_tuple.

use crate::packet::{Address, Body, IcmpKind, Ipv4Addr, Ipv4Packet, L4, Protocol, Quoted, Tuple};

/// The ICMP type that answers `kind` or that it answers, of those that form flows.
fn icmp_counterpart(protocol: Protocol, kind: u8) -> Option<u8> {
    const PAIRS_V4: [(u8, u8); 4] = [(8, 0), (13, 14), (15, 16), (17, 18)];
    const PAIRS_V6: [(u8, u8); 2] = [(128, 129), (139, 140)];
    let pairs: &[(u8, u8)] = if protocol == Protocol::ICMP { &PAIRS_V4 } else { &PAIRS_V6 };
    pairs.iter().find_map(|&(a, b)| match kind {
        k if k == a => Some(b),
        k if k == b => Some(a),
        _ => None,
    })
}

/// The tuple of what answers `t`; none for ICMP types that nothing answers.
pub fn invert<A: Address>(t: &Tuple<A>) -> Option<Tuple<A>> {
    let l4 = match t.l4 {
        L4::Ports { src, dst } => L4::Ports { src: dst, dst: src },
        L4::Icmp { kind, code, id } => L4::Icmp { kind: icmp_counterpart(t.protocol, kind)?, code, id },
        L4::None => L4::None,
    };
    Some(Tuple { src: t.dst, dst: t.src, protocol: t.protocol, l4 })
}

/// The tuple of a packet; none for a later fragment, or if the transport header is cut short.
pub fn tuple_of(ip: &Ipv4Packet) -> Option<Tuple<Ipv4Addr>> {
    if ip.header.fragment_offset != 0 {
        return None;
    }
    let l4 = match &ip.body {
        Body::Tcp(t) => L4::Ports { src: t.src_port, dst: t.dst_port },
        Body::Udp(u) => L4::Ports { src: u.src_port, dst: u.dst_port },
        Body::Icmp(m) => {
            let (kind, code) = m.type_code();
            let id = match &m.kind {
                IcmpKind::EchoRequest { id, .. } | IcmpKind::EchoReply { id, .. } => *id,
                IcmpKind::Other { rest, .. } => u16::from_be_bytes([rest[0], rest[1]]),
                _ => 0,
            };
            L4::Icmp { kind, code, id }
        }
        Body::Icmpv6(_) => return None,
        Body::Fragment { protocol, bytes } | Body::Other { protocol, bytes } => l4_of(*protocol, bytes)?,
    };
    Some(Tuple { src: ip.header.src, dst: ip.header.dst, protocol: ip.body.protocol(), l4 })
}

/// The transport part from the bytes after the IP header.
fn l4_of(protocol: Protocol, bytes: &[u8]) -> Option<L4> {
    let word = |at: usize| bytes.get(at..at + 2).map(|b| u16::from_be_bytes([b[0], b[1]]));
    Some(match protocol.0 {
        6 | 17 | 132 | 136 => L4::Ports { src: word(0)?, dst: word(2)? },
        1 => {
            let head = bytes.get(..8)?;
            L4::Icmp { kind: head[0], code: head[1], id: word(4)? }
        }
        _ => L4::None,
    })
}

/// The tuple of the packet that an ICMP error quotes (nf_ct_get_tuplepr).
pub fn tuple_of_quoted(quoted: &Quoted) -> Option<Tuple<Ipv4Addr>> {
    let bytes: &[u8] = &quoted.0;
    let head = bytes.get(..20)?;
    let header_len = usize::from(head[0] & 0x0f) * 4;
    let fragment = u16::from_be_bytes([head[6], head[7]]) & 0x1fff;
    if head[0] >> 4 != 4 || header_len < 20 || fragment != 0 {
        return None;
    }
    let addr = |at: usize| Ipv4Addr::new(head[at], head[at + 1], head[at + 2], head[at + 3]);
    let protocol = Protocol(head[9]);
    Some(Tuple { src: addr(12), dst: addr(16), protocol, l4: l4_of(protocol, bytes.get(header_len..)?)? })
}

/// The part that source NAT may change beside the address: source port or ICMP identifier.
#[inline]
pub fn source_part(l4: L4) -> u16 {
    match l4 {
        L4::Ports { src, .. } => src,
        L4::Icmp { id, .. } => id,
        L4::None => 0,
    }
}

/// The part that destination NAT may change beside the address: destination port or ICMP identifier.
#[inline]
pub fn destination_part(l4: L4) -> u16 {
    match l4 {
        L4::Ports { dst, .. } => dst,
        L4::Icmp { id, .. } => id,
        L4::None => 0,
    }
}
