//! What identifies a flow: the addresses, and per protocol ports or an ICMP identifier.

use super::addr::Address;
use super::body::{Body, Protocol};
use super::{Ipv4Packet, Ipv6Packet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address and a port.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint<A> {
    /// The address.
    pub addr: A,
    /// The port, 0 for none or any.
    pub port: u16,
}

impl<A> Endpoint<A> {
    /// An address and a port.
    pub fn new(addr: A, port: u16) -> Self {
        Endpoint { addr, port }
    }
}

impl<A: Copy + fmt::Display + Into<IpAddr>> fmt::Display for Endpoint<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.addr.into().is_ipv6() { write!(f, "[{}]:{}", self.addr, self.port) } else { write!(f, "{}:{}", self.addr, self.port) }
    }
}

impl From<Endpoint<Ipv4Addr>> for Endpoint<IpAddr> {
    fn from(e: Endpoint<Ipv4Addr>) -> Self {
        Endpoint::new(e.addr.into(), e.port)
    }
}

impl From<Endpoint<Ipv6Addr>> for Endpoint<IpAddr> {
    fn from(e: Endpoint<Ipv6Addr>) -> Self {
        Endpoint::new(e.addr.into(), e.port)
    }
}

impl<A: fmt::Debug> fmt::Debug for Endpoint<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}:{}", self.addr, self.port)
    }
}

/// The transport part of a tuple, as conntrack keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum L4 {
    /// TCP, UDP, SCTP: source and destination port.
    Ports {
        /// Source port.
        src: u16,
        /// Destination port.
        dst: u16,
    },
    /// ICMP queries: type, code and identifier.
    Icmp {
        /// Type.
        kind: u8,
        /// Code.
        code: u8,
        /// Identifier.
        id: u16,
    },
    /// Protocols without any.
    None,
}

/// Addresses, protocol and transport part of one direction of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tuple<A> {
    /// Source address.
    pub src: A,
    /// Destination address.
    pub dst: A,
    /// Protocol number.
    pub protocol: Protocol,
    /// Ports or ICMP identifier.
    pub l4: L4,
}

/// The ICMP queries and their answers (`invmap` of nf_conntrack_proto_icmp.c and _icmpv6.c).
fn icmp_inverse(protocol: Protocol, kind: u8) -> Option<u8> {
    Some(match (protocol, kind) {
        (Protocol::ICMP, 8) => 0,
        (Protocol::ICMP, 0) => 8,
        (Protocol::ICMP, 13) => 14,
        (Protocol::ICMP, 14) => 13,
        (Protocol::ICMP, 15) => 16,
        (Protocol::ICMP, 16) => 15,
        (Protocol::ICMP, 17) => 18,
        (Protocol::ICMP, 18) => 17,
        (Protocol::ICMPV6, 128) => 129,
        (Protocol::ICMPV6, 129) => 128,
        (Protocol::ICMPV6, 139) => 140,
        (Protocol::ICMPV6, 140) => 139,
        _ => return None,
    })
}

fn icmp_l4(protocol: Protocol, (kind, code): (u8, u8), rest: [u8; 4]) -> Option<L4> {
    icmp_inverse(protocol, kind)?;
    Some(L4::Icmp { kind, code, id: u16::from_be_bytes([rest[0], rest[1]]) })
}

/// The transport part as the first bytes of a transport packet give it, whole or cut.
pub(super) fn first_bytes_l4(protocol: Protocol, bytes: &[u8]) -> Option<L4> {
    match protocol {
        // UDP-Lite and SCTP have their ports where TCP and UDP have them.
        Protocol::TCP | Protocol::UDP | Protocol(132 | 136) => {
            let [a, b, c, d] = *bytes.first_chunk::<4>()?;
            Some(L4::Ports { src: u16::from_be_bytes([a, b]), dst: u16::from_be_bytes([c, d]) })
        }
        Protocol::ICMP | Protocol::ICMPV6 => {
            let [kind, code, _, _, rest @ ..] = *bytes.first_chunk::<8>()?;
            icmp_l4(protocol, (kind, code), rest)
        }
        _ => Some(L4::None),
    }
}

/// The transport part of a whole packet; none where conntrack calls the packet invalid or leaves it alone.
fn body_l4(body: &Body) -> Option<L4> {
    match body {
        Body::Tcp(t) => Some(L4::Ports { src: t.src_port, dst: t.dst_port }),
        Body::Udp(u) => Some(L4::Ports { src: u.src_port, dst: u.dst_port }),
        Body::Icmp(m) => icmp_l4(Protocol::ICMP, m.type_code(), m.rest()),
        Body::Icmpv6(m) => icmp_l4(Protocol::ICMPV6, m.type_code(), m.rest()),
        Body::Fragment { .. } => None,
        // Well formed, but without a type here: reserved TCP bits, bytes behind a UDP datagram.
        Body::Other { protocol: Protocol::TCP, bytes } => {
            let header = usize::from(bytes.get(12)? >> 4) * 4;
            (header >= 20 && header <= bytes.len()).then(|| first_bytes_l4(Protocol::TCP, bytes)).flatten()
        }
        Body::Other { protocol: Protocol::UDP, bytes } => {
            let len = usize::from(u16::from_be_bytes([*bytes.get(4)?, *bytes.get(5)?]));
            (len >= 8 && len <= bytes.len()).then(|| first_bytes_l4(Protocol::UDP, bytes)).flatten()
        }
        Body::Other { protocol, bytes } => first_bytes_l4(*protocol, bytes),
    }
}

impl Tuple<Ipv4Addr> {
    /// The tuple of a packet: ports, or type, code and identifier of an ICMP query or answer, or for other
    /// protocols the addresses alone. None for fragments, ICMP errors and malformed transport headers.
    pub fn of(packet: &Ipv4Packet) -> Option<Self> {
        let l4 = body_l4(&packet.body)?;
        Some(Tuple { src: packet.header.src, dst: packet.header.dst, protocol: packet.body.protocol(), l4 })
    }
}

impl Tuple<Ipv6Addr> {
    /// The tuple of a packet, as for IPv4. None also if an extension header comes first.
    pub fn of(packet: &Ipv6Packet) -> Option<Self> {
        let protocol = packet.body.protocol();
        // Hop-by-hop options, routing, fragment, authentication, destination options.
        if matches!(protocol.0, 0 | 43 | 44 | 51 | 60) {
            return None;
        }
        Some(Tuple { src: packet.header.src, dst: packet.header.dst, protocol, l4: body_l4(&packet.body)? })
    }
}

impl<A: Address> Tuple<A> {
    /// The tuple of the answers to this one, as `nf_ct_invert_tuple` makes it; none for ICMP types that are
    /// neither query nor answer.
    pub fn inverted(&self) -> Option<Self> {
        let l4 = match self.l4 {
            L4::Ports { src, dst } => L4::Ports { src: dst, dst: src },
            L4::Icmp { kind, code, id } => L4::Icmp { kind: icmp_inverse(self.protocol, kind)?, code, id },
            L4::None => L4::None,
        };
        Some(Tuple { src: self.dst, dst: self.src, protocol: self.protocol, l4 })
    }

    /// Source address and port, port 0 where there is none.
    pub fn source(&self) -> Endpoint<A> {
        let port = if let L4::Ports { src, .. } = self.l4 { src } else { 0 };
        Endpoint { addr: self.src, port }
    }

    /// Destination address and port, port 0 where there is none.
    pub fn destination(&self) -> Endpoint<A> {
        let port = if let L4::Ports { dst, .. } = self.l4 { dst } else { 0 };
        Endpoint { addr: self.dst, port }
    }
}

impl<A: Address> fmt::Display for Tuple<A> {
    /// As `conntrack -L` prints it: `src=10.0.0.1 dst=10.0.0.2 sport=40000 dport=80`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "src={} dst={}", self.src, self.dst)?;
        match self.l4 {
            L4::Ports { src, dst } => write!(f, " sport={src} dport={dst}"),
            L4::Icmp { kind, code, id } => write!(f, " type={kind} code={code} id={id}"),
            L4::None => Ok(()),
        }
    }
}
