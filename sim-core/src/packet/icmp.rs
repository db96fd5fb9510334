//! The Internet control message protocol (RFC 792, RFC 1191, RFC 1812).

use super::Bytes;
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
