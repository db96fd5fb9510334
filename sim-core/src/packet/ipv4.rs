//! The Internet protocol, version 4 (RFC 791).

use super::checksum::{self, PseudoHeader};
use super::{Body, DecodeError, Protocol};
use std::net::Ipv4Addr;

/// An IPv4 header without options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4Header {
    /// Differentiated services and congestion bits.
    pub tos: u8,
    /// Identification, for reassembly.
    pub id: u16,
    /// DF.
    pub dont_fragment: bool,
    /// MF.
    pub more_fragments: bool,
    /// Offset of this fragment in bytes, a multiple of 8.
    pub fragment_offset: u16,
    /// Time to live, in hops.
    pub ttl: u8,
    /// Source address.
    pub src: Ipv4Addr,
    /// Destination address.
    pub dst: Ipv4Addr,
    /// 0, or what was XORed into the right header checksum.
    pub checksum_error: u16,
}

/// An IPv4 header and what it carries. The protocol number is the body's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ipv4Packet {
    /// The header.
    pub header: Ipv4Header,
    /// The transport packet, or a fragment of one.
    pub body: Body,
}

impl Ipv4Packet {
    /// Bytes of a header without options.
    pub const HEADER_LEN: usize = 20;

    /// Total length in bytes, header included.
    #[inline]
    pub fn len(&self) -> usize {
        Self::HEADER_LEN + self.body.len()
    }

    /// Never: a packet has a header.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Whether this is a part of a larger packet.
    #[inline]
    pub fn is_fragment(&self) -> bool {
        self.header.more_fragments || self.header.fragment_offset != 0
    }
}

impl Ipv4Header {
    /// The 20 bytes of the header, for a packet of `total_len` bytes with this `protocol`.
    pub(super) fn bytes(&self, protocol: Protocol, total_len: usize) -> [u8; Ipv4Packet::HEADER_LEN] {
        let mut h = [0u8; Ipv4Packet::HEADER_LEN];
        h[0] = 0x45;
        h[1] = self.tos;
        h[2..4].copy_from_slice(&u16::try_from(total_len).unwrap_or(u16::MAX).to_be_bytes());
        h[4..6].copy_from_slice(&self.id.to_be_bytes());
        let flags = u16::from(self.dont_fragment) << 14 | u16::from(self.more_fragments) << 13 | self.fragment_offset >> 3;
        h[6..8].copy_from_slice(&flags.to_be_bytes());
        h[8] = self.ttl;
        h[9] = protocol.0;
        h[12..16].copy_from_slice(&self.src.octets());
        h[16..20].copy_from_slice(&self.dst.octets());
        let right = checksum::finish(checksum::sum(0, &h));
        h[10..12].copy_from_slice(&(right ^ self.checksum_error).to_be_bytes());
        h
    }

    /// The fields in the 20 bytes, whatever version and header length they say; `right` is the right checksum.
    pub(super) fn read(h: &[u8; Ipv4Packet::HEADER_LEN], right: u16) -> Self {
        let flags = u16::from_be_bytes([h[6], h[7]]);
        Ipv4Header {
            tos: h[1],
            id: u16::from_be_bytes([h[4], h[5]]),
            dont_fragment: flags & 0x4000 != 0,
            more_fragments: flags & 0x2000 != 0,
            fragment_offset: flags << 3,
            ttl: h[8],
            src: Ipv4Addr::new(h[12], h[13], h[14], h[15]),
            dst: Ipv4Addr::new(h[16], h[17], h[18], h[19]),
            checksum_error: u16::from_be_bytes([h[10], h[11]]) ^ right,
        }
    }

    /// What the transport checksums of the packet cover besides.
    #[inline]
    pub fn pseudo(&self) -> PseudoHeader {
        PseudoHeader::V4 { src: self.src, dst: self.dst }
    }
}

impl Ipv4Packet {
    /// The checksum field of the header.
    pub fn checksum(&self) -> u16 {
        let h = self.header.bytes(self.body.protocol(), self.len());
        u16::from_be_bytes([h[10], h[11]])
    }

    /// The exact bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len());
        self.encode_into(&mut out);
        out
    }

    pub(super) fn encode_into(&self, out: &mut Vec<u8>) {
        out.extend(self.header.bytes(self.body.protocol(), self.len()));
        self.body.encode_into(self.header.pseudo(), out);
    }

    /// Reads a packet; bytes behind its total length are dropped.
    ///
    /// # Errors
    /// When it is no IPv4 packet, or when it has options or the reserved flag
    /// ([`Problem::Untyped`](super::decode::Problem::Untyped)).
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let Some(h) = bytes.first_chunk::<{ Self::HEADER_LEN }>() else {
            return Err(DecodeError::short("ipv4", Self::HEADER_LEN, bytes.len()));
        };
        if h[0] >> 4 != 4 {
            return Err(DecodeError::field("ipv4", 0, "version", "4", h[0] >> 4));
        }
        let header_len = usize::from(h[0] & 0x0f) * 4;
        if header_len < Self::HEADER_LEN {
            return Err(DecodeError::field("ipv4", 0, "header length", "at least 20 bytes", header_len as u64));
        }
        let total_len = u16::from_be_bytes([h[2], h[3]]);
        if usize::from(total_len) < header_len {
            return Err(DecodeError::field("ipv4", 2, "total length", "at least the header's", total_len));
        }
        if bytes.len() < usize::from(total_len) {
            return Err(DecodeError::short("ipv4", usize::from(total_len), bytes.len()));
        }
        if header_len > Self::HEADER_LEN {
            return Err(DecodeError::untyped("ipv4", 0, "header length", "20 (no options)", header_len as u64));
        }
        let flags = u16::from_be_bytes([h[6], h[7]]);
        if flags & 0x8000 != 0 {
            return Err(DecodeError::untyped("ipv4", 6, "reserved flag", "0", 1u8));
        }
        let mut header = Ipv4Header::read(h, 0);
        let protocol = Protocol(h[9]);
        let right = Ipv4Header { checksum_error: 0, ..header }.bytes(protocol, usize::from(total_len));
        header.checksum_error ^= u16::from_be_bytes([right[10], right[11]]);
        let rest = &bytes[Self::HEADER_LEN..usize::from(total_len)];
        let body = if flags & 0x3fff != 0 {
            Body::Fragment { protocol, bytes: rest.into() }
        } else {
            Body::decode(protocol, rest, header.pseudo())
        };
        Ok(Ipv4Packet { header, body })
    }
}
