//! Ethernet II frames (IEEE 802.3).

use super::{Arp, Bytes, Ipv4Packet, Ipv6Packet, Mac};

/// The Ethernet header. Its type follows from what the frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Ethernet {
    /// Destination hardware address.
    pub dst: Mac,
    /// Source hardware address.
    pub src: Mac,
}

/// What an Ethernet frame carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Net {
    /// Type 0x0806.
    Arp(Arp),
    /// Type 0x0800.
    Ipv4(Ipv4Packet),
    /// Type 0x86dd.
    Ipv6(Ipv6Packet),
    /// Any other type, undecoded.
    Other {
        /// The type field.
        ethertype: u16,
        /// All that follows it.
        payload: Bytes,
    },
}

/// One frame on a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The link header; all zeros on loopback and before the neighbour is resolved.
    pub eth: Ethernet,
    /// The packet inside.
    pub net: Net,
}

impl Frame {
    /// Bytes of an Ethernet header.
    pub const HEADER_LEN: usize = 14;

    /// The IPv4 packet, if it carries one.
    #[inline]
    pub fn ipv4(&self) -> Option<&Ipv4Packet> {
        match &self.net {
            Net::Ipv4(p) => Some(p),
            _ => None,
        }
    }

    /// The IPv4 packet, to be changed.
    #[inline]
    pub fn ipv4_mut(&mut self) -> Option<&mut Ipv4Packet> {
        match &mut self.net {
            Net::Ipv4(p) => Some(p),
            _ => None,
        }
    }
}
