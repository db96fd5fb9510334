//! ICMP for IPv6 (RFC 4443) and neighbour discovery (RFC 4861).

use super::checksum::{self, PseudoHeader};
use super::icmp::Quoted;
use super::{Bytes, DecodeError, Protocol};
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
        Self::HEADER_LEN
            + match &self.kind {
                Icmpv6Kind::EchoRequest { payload, .. } | Icmpv6Kind::EchoReply { payload, .. } | Icmpv6Kind::Other { payload, .. } => {
                    payload.len()
                }
                Icmpv6Kind::Unreachable { quoted, .. }
                | Icmpv6Kind::PacketTooBig { quoted, .. }
                | Icmpv6Kind::TimeExceeded { quoted, .. } => quoted.0.len(),
                Icmpv6Kind::NeighbourSolicitation { options, .. } | Icmpv6Kind::NeighbourAdvertisement { options, .. } => {
                    16 + options.len()
                }
            }
    }

    /// Never: a message has a header.
    pub fn is_empty(&self) -> bool {
        false
    }
}

impl Icmpv6 {
    /// Bytes of the header.
    pub const HEADER_LEN: usize = 8;

    /// A message with a right checksum.
    pub fn new(kind: Icmpv6Kind) -> Self {
        Icmpv6 { kind, checksum_error: 0 }
    }

    /// Type and code as on the wire.
    pub fn type_code(&self) -> (u8, u8) {
        match &self.kind {
            Icmpv6Kind::EchoRequest { .. } => (128, 0),
            Icmpv6Kind::EchoReply { .. } => (129, 0),
            Icmpv6Kind::Unreachable { code, .. } => (1, *code),
            Icmpv6Kind::PacketTooBig { .. } => (2, 0),
            Icmpv6Kind::TimeExceeded { code, .. } => (3, *code),
            Icmpv6Kind::NeighbourSolicitation { .. } => (135, 0),
            Icmpv6Kind::NeighbourAdvertisement { .. } => (136, 0),
            Icmpv6Kind::Other { kind, code, .. } => (*kind, *code),
        }
    }

    /// Whether it reports a problem with another packet (types below 128).
    pub fn is_error(&self) -> bool {
        self.type_code().0 < 128
    }

    /// The packet that an error is about.
    pub fn quoted(&self) -> Option<&Quoted> {
        match &self.kind {
            Icmpv6Kind::Unreachable { quoted, .. } | Icmpv6Kind::PacketTooBig { quoted, .. } | Icmpv6Kind::TimeExceeded { quoted, .. } => {
                Some(quoted)
            }
            _ => None,
        }
    }

    /// The second word of the header.
    pub(super) fn rest(&self) -> [u8; 4] {
        self.parts().0
    }

    /// The second word of the header, the target that neighbour discovery has next, and the rest.
    fn parts(&self) -> ([u8; 4], Option<&Ipv6Addr>, &Bytes) {
        match &self.kind {
            Icmpv6Kind::EchoRequest { id, seq, payload } | Icmpv6Kind::EchoReply { id, seq, payload } => {
                let ([a, b], [c, d]) = (id.to_be_bytes(), seq.to_be_bytes());
                ([a, b, c, d], None, payload)
            }
            Icmpv6Kind::Unreachable { quoted, .. } | Icmpv6Kind::TimeExceeded { quoted, .. } => ([0; 4], None, &quoted.0),
            Icmpv6Kind::PacketTooBig { mtu, quoted } => (mtu.to_be_bytes(), None, &quoted.0),
            Icmpv6Kind::NeighbourSolicitation { target, options } => ([0; 4], Some(target), options),
            Icmpv6Kind::NeighbourAdvertisement { flags, target, options } => ([*flags, 0, 0, 0], Some(target), options),
            Icmpv6Kind::Other { rest, payload, .. } => (*rest, None, payload),
        }
    }

    fn header(&self, checksum: u16) -> [u8; Self::HEADER_LEN] {
        let (kind, code) = self.type_code();
        let [a, b] = checksum.to_be_bytes();
        let [c, d, e, f] = self.rest();
        [kind, code, a, b, c, d, e, f]
    }

    /// The checksum field.
    pub fn checksum(&self, pseudo: PseudoHeader) -> u16 {
        let (_, target, data) = self.parts();
        let mut acc = checksum::sum(pseudo.sum(Protocol::ICMPV6, self.len()), &self.header(0));
        if let Some(target) = target {
            acc = checksum::sum(acc, &target.octets());
        }
        checksum::finish(checksum::sum(acc, data)) ^ self.checksum_error
    }

    /// The exact bytes.
    pub fn encode(&self, pseudo: PseudoHeader) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len());
        self.encode_into(pseudo, &mut out);
        out
    }

    pub(super) fn encode_into(&self, pseudo: PseudoHeader, out: &mut Vec<u8>) {
        let (_, target, data) = self.parts();
        out.extend(self.header(self.checksum(pseudo)));
        if let Some(target) = target {
            out.extend(target.octets());
        }
        out.extend_from_slice(data);
    }

    /// Reads a message that fills `bytes`. A message of a type above whose code, unused bytes or length are not as
    /// they should be is [`Icmpv6Kind::Other`].
    ///
    /// # Errors
    /// When the header is cut.
    pub fn decode(bytes: &[u8], pseudo: PseudoHeader) -> Result<Self, DecodeError> {
        let Some((h, data)) = bytes.split_first_chunk::<{ Self::HEADER_LEN }>() else {
            return Err(DecodeError::short("icmpv6", Self::HEADER_LEN, bytes.len()));
        };
        let rest = [h[4], h[5], h[6], h[7]];
        let (id, seq) = (u16::from_be_bytes([h[4], h[5]]), u16::from_be_bytes([h[6], h[7]]));
        let target = data.split_first_chunk::<16>().map(|(t, options)| (Ipv6Addr::from(*t), options));
        let kind = match (h[0], h[1], rest, target) {
            (128, 0, ..) => Icmpv6Kind::EchoRequest { id, seq, payload: data.into() },
            (129, 0, ..) => Icmpv6Kind::EchoReply { id, seq, payload: data.into() },
            (1, code, [0, 0, 0, 0], _) => Icmpv6Kind::Unreachable { code, quoted: Quoted(data.into()) },
            (2, 0, ..) => Icmpv6Kind::PacketTooBig { mtu: u32::from_be_bytes(rest), quoted: Quoted(data.into()) },
            (3, code, [0, 0, 0, 0], _) => Icmpv6Kind::TimeExceeded { code, quoted: Quoted(data.into()) },
            (135, 0, [0, 0, 0, 0], Some((target, options))) => Icmpv6Kind::NeighbourSolicitation { target, options: options.into() },
            (136, 0, [flags, 0, 0, 0], Some((target, options))) => {
                Icmpv6Kind::NeighbourAdvertisement { flags, target, options: options.into() }
            }
            (kind, code, ..) => Icmpv6Kind::Other { kind, code, rest, payload: data.into() },
        };
        let mut icmp = Icmpv6::new(kind);
        icmp.checksum_error = u16::from_be_bytes([h[2], h[3]]) ^ icmp.checksum(pseudo);
        Ok(icmp)
    }
}
