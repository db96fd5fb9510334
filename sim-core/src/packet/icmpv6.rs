//! ICMP for IPv6 (RFC 4443) and neighbour discovery (RFC 4861).

use super::Bytes;
use super::icmp::Quoted;
use std::net::Ipv6Addr;

/// What an ICMPv6 message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Icmpv6Kind {
    /// Type 128.
    EchoRequest {
        /// Identifier.
        id: u16,
        /// Sequence number.
        seq: u16,
        /// Data to be sent back.
        payload: Bytes,
    },
    /// Type 129.
    EchoReply {
        /// Identifier of the request.
        id: u16,
        /// Sequence number of the request.
        seq: u16,
        /// Data of the request.
        payload: Bytes,
    },
    /// Type 1.
    Unreachable {
        /// 0 no route, 1 prohibited, 3 address, 4 port, …
        code: u8,
        /// The packet concerned.
        quoted: Quoted,
    },
    /// Type 2.
    PacketTooBig {
        /// MTU of the next hop in bytes.
        mtu: u32,
        /// The packet concerned.
        quoted: Quoted,
    },
    /// Type 3.
    TimeExceeded {
        /// 0 hop limit, 1 reassembly.
        code: u8,
        /// The packet concerned.
        quoted: Quoted,
    },
    /// Type 135.
    NeighbourSolicitation {
        /// The address asked for.
        target: Ipv6Addr,
        /// Options as they stand.
        options: Bytes,
    },
    /// Type 136.
    NeighbourAdvertisement {
        /// Router, solicited and override flags in the top three bits.
        flags: u8,
        /// The address told of.
        target: Ipv6Addr,
        /// Options as they stand.
        options: Bytes,
    },
    /// Any other type.
    Other {
        /// Type.
        kind: u8,
        /// Code.
        code: u8,
        /// The second word of the header.
        rest: [u8; 4],
        /// All that follows.
        payload: Bytes,
    },
}

/// An ICMPv6 message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Icmpv6 {
    /// What it says.
    pub kind: Icmpv6Kind,
    /// 0, or what was XORed into the right checksum.
    pub checksum_error: u16,
}

impl Icmpv6 {
    /// Length in bytes, header included.
    pub fn len(&self) -> usize {
        8 + match &self.kind {
            Icmpv6Kind::EchoRequest { payload, .. } | Icmpv6Kind::EchoReply { payload, .. } | Icmpv6Kind::Other { payload, .. } => {
                payload.len()
            }
            Icmpv6Kind::Unreachable { quoted, .. } | Icmpv6Kind::PacketTooBig { quoted, .. } | Icmpv6Kind::TimeExceeded { quoted, .. } => {
                quoted.0.len()
            }
            Icmpv6Kind::NeighbourSolicitation { options, .. } | Icmpv6Kind::NeighbourAdvertisement { options, .. } => 16 + options.len(),
        }
    }

    /// Never: a message has a header.
    pub fn is_empty(&self) -> bool {
        false
    }
}
