//! The Internet protocol, version 6 (RFC 8200).

use super::Body;
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
