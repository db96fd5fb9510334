//! The Internet protocol, version 6 (RFC 8200).

use super::checksum::PseudoHeader;
use super::{Body, DecodeError, Protocol};
use std::net::Ipv6Addr;

/// The fixed IPv6 header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv6Header {
    /// Traffic class.
    pub traffic_class: u8,
    /// Flow label, 20 bits.
    pub flow_label: u32,
    /// Hop limit.
    pub hop_limit: u8,
    /// Source address.
    pub src: Ipv6Addr,
    /// Destination address.
    pub dst: Ipv6Addr,
}

/// An IPv6 header and what it carries. The next-header number is the body's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ipv6Packet {
    /// The header.
    pub header: Ipv6Header,
    /// The transport packet.
    pub body: Body,
}

impl Ipv6Packet {
    /// Bytes of the fixed header.
    pub const HEADER_LEN: usize = 40;

    /// Total length in bytes, header included.
    pub fn len(&self) -> usize {
        Self::HEADER_LEN + self.body.len()
    }

    /// Never: a packet has a header.
    pub fn is_empty(&self) -> bool {
        false
    }
}

impl Ipv6Header {
    /// The fields in the 40 bytes, whatever version they say.
    pub(super) fn read(h: &[u8; Ipv6Packet::HEADER_LEN]) -> Self {
        let first = u32::from_be_bytes([h[0], h[1], h[2], h[3]]);
        let address = |at: usize| {
            let mut a = [0u8; 16];
            a.copy_from_slice(&h[at..at + 16]);
            Ipv6Addr::from(a)
        };
        Ipv6Header {
            traffic_class: (first >> 20) as u8,
            flow_label: first & 0x000f_ffff,
            hop_limit: h[7],
            src: address(8),
            dst: address(24),
        }
    }

    /// What the transport checksums of the packet cover besides.
    #[inline]
    pub fn pseudo(&self) -> PseudoHeader {
        PseudoHeader::V6 { src: self.src, dst: self.dst }
    }
}

impl Ipv6Packet {
    /// The exact bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len());
        self.encode_into(&mut out);
        out
    }

    pub(super) fn encode_into(&self, out: &mut Vec<u8>) {
        let h = &self.header;
        let first = 6 << 28 | u32::from(h.traffic_class) << 20 | (h.flow_label & 0x000f_ffff);
        out.extend(first.to_be_bytes());
        out.extend(u16::try_from(self.body.len()).unwrap_or(u16::MAX).to_be_bytes());
        out.extend([self.body.protocol().0, h.hop_limit]);
        out.extend(h.src.octets());
        out.extend(h.dst.octets());
        self.body.encode_into(h.pseudo(), out);
    }

    /// The packet without the extension headers in front of byte `at` of its body, where `protocol` begins; none if the body is too short.
    pub fn behind(&self, protocol: Protocol, at: usize) -> Option<Self> {
        let Body::Other { bytes, .. } = &self.body else { return None };
        Some(Ipv6Packet { header: self.header, body: Body::decode(protocol, bytes.get(at..)?, self.header.pseudo()) })
    }

    /// Reads a packet; bytes behind its payload length are dropped. Extension headers are not walked:
    /// a packet that begins with one has it in a [`Body::Other`].
    ///
    /// # Errors
    /// When it is no IPv6 packet.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let Some((h, rest)) = bytes.split_first_chunk::<{ Self::HEADER_LEN }>() else {
            return Err(DecodeError::short("ipv6", Self::HEADER_LEN, bytes.len()));
        };
        if h[0] >> 4 != 6 {
            return Err(DecodeError::field("ipv6", 0, "version", "6", h[0] >> 4));
        }
        let len = usize::from(u16::from_be_bytes([h[4], h[5]]));
        let Some(rest) = rest.get(..len) else { return Err(DecodeError::short("ipv6", Self::HEADER_LEN + len, bytes.len())) };
        let header = Ipv6Header::read(h);
        Ok(Ipv6Packet { header, body: Body::decode(Protocol(h[6]), rest, header.pseudo()) })
    }
}
