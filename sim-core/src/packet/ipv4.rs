//! The Internet protocol, version 4 (RFC 791).

use super::Body;
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
