//! Address resolution for IPv4 over Ethernet (RFC 826).

use super::{DecodeError, Mac};
use std::net::Ipv4Addr;

/// Request or reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArpOp {
    /// Operation 1, who-has.
    Request,
    /// Operation 2, is-at.
    Reply,
}

/// An ARP packet, hardware type Ethernet, protocol type IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// Request or reply.
    pub op: ArpOp,
    /// `sha`: hardware address of the sender.
    pub sender_mac: Mac,
    /// `spa`: protocol address of the sender.
    pub sender: Ipv4Addr,
    /// `tha`: hardware address asked for; zero in a request.
    pub target_mac: Mac,
    /// `tpa`: protocol address asked for.
    pub target: Ipv4Addr,
}

impl Arp {
    /// Bytes of a packet.
    pub const LEN: usize = 28;

    /// The exact bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::LEN);
        self.encode_into(&mut out);
        out
    }

    pub(super) fn encode_into(&self, out: &mut Vec<u8>) {
        // Hardware type Ethernet, protocol type IPv4, their address lengths.
        out.extend([0, 1, 8, 0, 6, 4, 0, self.op.code() as u8]);
        out.extend(self.sender_mac.0);
        out.extend(self.sender.octets());
        out.extend(self.target_mac.0);
        out.extend(self.target.octets());
    }

    /// Reads the first 28 bytes.
    ///
    /// # Errors
    /// When there are fewer, or when it is ARP for other hardware, for another protocol or of another
    /// operation ([`Problem::Untyped`](super::decode::Problem::Untyped)).
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let Some(b) = bytes.first_chunk::<{ Self::LEN }>() else { return Err(DecodeError::short("arp", Self::LEN, bytes.len())) };
        let word = |at: usize| u16::from_be_bytes([b[at], b[at + 1]]);
        for (at, field, expected, want) in [
            (0, "hardware type", "Ethernet (1)", 1),
            (2, "protocol type", "IPv4 (0x0800)", 0x0800),
            (4, "address lengths", "6 and 4 (0x0604)", 0x0604),
        ] {
            if word(at) != want {
                return Err(DecodeError::untyped("arp", at, field, expected, word(at)));
            }
        }
        let op = match word(6) {
            1 => ArpOp::Request,
            2 => ArpOp::Reply,
            other => return Err(DecodeError::untyped("arp", 6, "operation", "request (1) or reply (2)", other)),
        };
        Ok(Arp {
            op,
            sender_mac: Mac([b[8], b[9], b[10], b[11], b[12], b[13]]),
            sender: Ipv4Addr::new(b[14], b[15], b[16], b[17]),
            target_mac: Mac([b[18], b[19], b[20], b[21], b[22], b[23]]),
            target: Ipv4Addr::new(b[24], b[25], b[26], b[27]),
        })
    }
}

impl ArpOp {
    /// The operation field.
    pub fn code(self) -> u16 {
        match self {
            ArpOp::Request => 1,
            ArpOp::Reply => 2,
        }
    }
}
