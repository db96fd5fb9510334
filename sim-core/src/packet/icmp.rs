//! The Internet control message protocol (RFC 792, RFC 1191, RFC 1812).

use super::checksum;
use super::{Bytes, DecodeError};
use std::net::Ipv4Addr;

/// The beginning of the packet that an ICMP error is about, byte for byte as it was when
/// the error was made: IP header and as much as fits.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Quoted(pub Bytes);

/// What an ICMP message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IcmpKind {
    /// Type 8.
    EchoRequest {
        /// Identifier, the asking program's.
        id: u16,
        /// Sequence number.
        seq: u16,
        /// Data to be sent back.
        payload: Bytes,
    },
    /// Type 0.
    EchoReply {
        /// Identifier of the request.
        id: u16,
        /// Sequence number of the request.
        seq: u16,
        /// Data of the request.
        payload: Bytes,
    },
    /// Type 3.
    Unreachable {
        /// 0 net, 1 host, 2 protocol, 3 port, 4 fragmentation needed, 13 prohibited, …
        code: u8,
        /// Next-hop MTU in bytes with code 4, else 0.
        mtu: u16,
        /// The packet concerned.
        quoted: Quoted,
    },
    /// Type 5.
    Redirect {
        /// 0 net, 1 host.
        code: u8,
        /// The better gateway.
        gateway: Ipv4Addr,
        /// The packet concerned.
        quoted: Quoted,
    },
    /// Type 11.
    TimeExceeded {
        /// 0 TTL exceeded in transit, 1 reassembly time exceeded.
        code: u8,
        /// The packet concerned.
        quoted: Quoted,
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

/// An ICMP message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Icmp {
    /// What it says.
    pub kind: IcmpKind,
    /// 0, or what was XORed into the right checksum.
    pub checksum_error: u16,
}

impl Icmp {
    /// Bytes of the header.
    pub const HEADER_LEN: usize = 8;

    /// A message with a right checksum.
    pub fn new(kind: IcmpKind) -> Self {
        Icmp { kind, checksum_error: 0 }
    }

    /// Length in bytes, header included.
    #[inline]
    pub fn len(&self) -> usize {
        Self::HEADER_LEN
            + match &self.kind {
                IcmpKind::EchoRequest { payload, .. } | IcmpKind::EchoReply { payload, .. } | IcmpKind::Other { payload, .. } => {
                    payload.len()
                }
                IcmpKind::Unreachable { quoted, .. } | IcmpKind::Redirect { quoted, .. } | IcmpKind::TimeExceeded { quoted, .. } => {
                    quoted.0.len()
                }
            }
    }

    /// Never: a message has a header.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Type and code as on the wire.
    pub fn type_code(&self) -> (u8, u8) {
        match &self.kind {
            IcmpKind::EchoRequest { .. } => (8, 0),
            IcmpKind::EchoReply { .. } => (0, 0),
            IcmpKind::Unreachable { code, .. } => (3, *code),
            IcmpKind::Redirect { code, .. } => (5, *code),
            IcmpKind::TimeExceeded { code, .. } => (11, *code),
            IcmpKind::Other { kind, code, .. } => (*kind, *code),
        }
    }

    /// Whether it reports a problem with another packet (types 3, 4, 5, 11, 12).
    pub fn is_error(&self) -> bool {
        matches!(self.type_code().0, 3 | 4 | 5 | 11 | 12)
    }

    /// The packet that an error is about.
    pub fn quoted(&self) -> Option<&Quoted> {
        match &self.kind {
            IcmpKind::Unreachable { quoted, .. } | IcmpKind::Redirect { quoted, .. } | IcmpKind::TimeExceeded { quoted, .. } => {
                Some(quoted)
            }
            _ => None,
        }
    }

    /// The packet that an error is about, to be changed.
    pub fn quoted_mut(&mut self) -> Option<&mut Quoted> {
        match &mut self.kind {
            IcmpKind::Unreachable { quoted, .. } | IcmpKind::Redirect { quoted, .. } | IcmpKind::TimeExceeded { quoted, .. } => {
                Some(quoted)
            }
            _ => None,
        }
    }
}

impl Icmp {
    /// The second word of the header.
    pub(super) fn rest(&self) -> [u8; 4] {
        match &self.kind {
            IcmpKind::EchoRequest { id, seq, .. } | IcmpKind::EchoReply { id, seq, .. } => {
                let ([a, b], [c, d]) = (id.to_be_bytes(), seq.to_be_bytes());
                [a, b, c, d]
            }
            IcmpKind::Unreachable { mtu, .. } => {
                let [a, b] = mtu.to_be_bytes();
                [0, 0, a, b]
            }
            IcmpKind::Redirect { gateway, .. } => gateway.octets(),
            IcmpKind::TimeExceeded { .. } => [0; 4],
            IcmpKind::Other { rest, .. } => *rest,
        }
    }

    /// What follows the header.
    pub fn data(&self) -> &Bytes {
        match &self.kind {
            IcmpKind::EchoRequest { payload, .. } | IcmpKind::EchoReply { payload, .. } | IcmpKind::Other { payload, .. } => payload,
            IcmpKind::Unreachable { quoted, .. } | IcmpKind::Redirect { quoted, .. } | IcmpKind::TimeExceeded { quoted, .. } => &quoted.0,
        }
    }

    fn header(&self, checksum: u16) -> [u8; Self::HEADER_LEN] {
        let (kind, code) = self.type_code();
        let [a, b] = checksum.to_be_bytes();
        let [c, d, e, f] = self.rest();
        [kind, code, a, b, c, d, e, f]
    }

    /// The checksum field.
    pub fn checksum(&self) -> u16 {
        let right = checksum::finish(checksum::sum(checksum::sum(0, &self.header(0)), self.data()));
        right ^ self.checksum_error
    }

    /// The exact bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len());
        self.encode_into(&mut out);
        out
    }

    pub(super) fn encode_into(&self, out: &mut Vec<u8>) {
        out.extend(self.header(self.checksum()));
        out.extend_from_slice(self.data());
    }

    /// Reads a message that fills `bytes`. A message of a type above whose code or unused bytes are not as they should
    /// be is [`IcmpKind::Other`].
    ///
    /// # Errors
    /// When the header is cut.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let Some((h, rest)) = bytes.split_first_chunk::<{ Self::HEADER_LEN }>() else {
            return Err(DecodeError::short("icmp", Self::HEADER_LEN, bytes.len()));
        };
        let payload = Bytes::from(rest);
        let (first, second) = (u16::from_be_bytes([h[4], h[5]]), u16::from_be_bytes([h[6], h[7]]));
        let kind = match (h[0], h[1], first, second) {
            (8, 0, id, seq) => IcmpKind::EchoRequest { id, seq, payload },
            (0, 0, id, seq) => IcmpKind::EchoReply { id, seq, payload },
            (3, code, 0, mtu) => IcmpKind::Unreachable { code, mtu, quoted: Quoted(payload) },
            (5, code, ..) => IcmpKind::Redirect { code, gateway: Ipv4Addr::new(h[4], h[5], h[6], h[7]), quoted: Quoted(payload) },
            (11, code, 0, 0) => IcmpKind::TimeExceeded { code, quoted: Quoted(payload) },
            (kind, code, ..) => IcmpKind::Other { kind, code, rest: [h[4], h[5], h[6], h[7]], payload },
        };
        let mut icmp = Icmp::new(kind);
        icmp.checksum_error = u16::from_be_bytes([h[2], h[3]]) ^ icmp.checksum();
        Ok(icmp)
    }
}
