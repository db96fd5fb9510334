//! Ethernet II frames (IEEE 802.3).

use super::vlan::{VlanProtocol, VlanTag, VlanTags};
use super::{Arp, Body, Bytes, DecodeError, IpAddr, Ipv4Packet, Ipv6Packet, Mac};

/// The Ethernet header. Its type follows from what the frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Ethernet {
    /// Destination hardware address.
    pub dst: Mac,
    /// Source hardware address.
    pub src: Mac,
    /// VLAN tags between the addresses and the type. The kernel keeps the outermost beside the packet (`vlan_tci`).
    pub tags: VlanTags,
}

impl Ethernet {
    /// An untagged header.
    #[inline]
    pub fn new(dst: Mac, src: Mac) -> Self {
        Ethernet { dst, src, tags: VlanTags::default() }
    }
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

    /// The IPv6 packet, if it carries one.
    #[inline]
    pub fn ipv6(&self) -> Option<&Ipv6Packet> {
        match &self.net {
            Net::Ipv6(p) => Some(p),
            _ => None,
        }
    }

    /// The IPv6 packet, to be changed.
    #[inline]
    pub fn ipv6_mut(&mut self) -> Option<&mut Ipv6Packet> {
        match &mut self.net {
            Net::Ipv6(p) => Some(p),
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

/// What an IP packet of either family says of itself.
#[derive(Clone, Copy, Debug)]
pub struct IpView<'a> {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// TTL or hop limit.
    pub ttl: u8,
    /// TOS or traffic class.
    pub tos: u8,
    /// What it carries; behind the extension headers that are not taken off, undecoded.
    pub body: &'a Body,
}

impl Net {
    /// The IP packet of either family, if it is one.
    #[inline]
    pub fn ip(&self) -> Option<IpView<'_>> {
        match self {
            Net::Ipv4(p) => {
                let h = &p.header;
                Some(IpView { src: h.src.into(), dst: h.dst.into(), ttl: h.ttl, tos: h.tos, body: &p.body })
            }
            Net::Ipv6(p) => {
                let h = &p.header;
                Some(IpView { src: h.src.into(), dst: h.dst.into(), ttl: h.hop_limit, tos: h.traffic_class, body: &p.body })
            }
            Net::Arp(_) | Net::Other { .. } => None,
        }
    }

    /// The Ethernet type that says what this is.
    #[inline]
    pub fn ethertype(&self) -> u16 {
        match self {
            Net::Arp(_) => 0x0806,
            Net::Ipv4(_) => 0x0800,
            Net::Ipv6(_) => 0x86dd,
            Net::Other { ethertype, .. } => *ethertype,
        }
    }

    /// Length in bytes, without the Ethernet header.
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Net::Arp(_) => Arp::LEN,
            Net::Ipv4(p) => p.len(),
            Net::Ipv6(p) => p.len(),
            Net::Other { payload, .. } => payload.len(),
        }
    }

    /// Whether the frame is a header alone.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Frame {
    /// Length in bytes, Ethernet header and tags included, without padding and frame check sequence.
    #[inline]
    pub fn len(&self) -> usize {
        Self::HEADER_LEN + VlanTag::LEN * self.eth.tags.len() + self.net.len()
    }

    /// Never: a frame has a header.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The exact bytes, lengths and checksums filled in; no padding to 60 bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len());
        self.encode_into(&mut out);
        out
    }

    /// Appends the exact bytes.
    pub(super) fn encode_into(&self, out: &mut Vec<u8>) {
        out.extend(self.eth.dst.0);
        out.extend(self.eth.src.0);
        for tag in self.eth.tags.iter() {
            out.extend(tag.protocol.ethertype().to_be_bytes());
            out.extend(tag.tci.to_be_bytes());
        }
        out.extend(self.net.ethertype().to_be_bytes());
        match &self.net {
            Net::Arp(a) => a.encode_into(out),
            Net::Ipv4(p) => p.encode_into(out),
            Net::Ipv6(p) => p.encode_into(out),
            Net::Other { payload, .. } => out.extend_from_slice(payload),
        }
    }

    /// Reads a frame. Padding behind an ARP or IP packet is dropped; what has no type is kept whole as
    /// [`Net::Other`]: see [`decode`](super::decode).
    ///
    /// # Errors
    /// When the Ethernet header is cut, or when the type says ARP or IP and it is none.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let Some((h, rest)) = bytes.split_first_chunk::<{ Self::HEADER_LEN }>() else {
            return Err(DecodeError::short("eth", Self::HEADER_LEN, bytes.len()));
        };
        let mut eth = Ethernet::new(Mac([h[0], h[1], h[2], h[3], h[4], h[5]]), Mac([h[6], h[7], h[8], h[9], h[10], h[11]]));
        let mut ethertype = u16::from_be_bytes([h[12], h[13]]);
        let mut rest = rest;
        while let (Some(protocol), Some((t, behind))) = (VlanProtocol::of(ethertype), rest.split_first_chunk::<{ VlanTag::LEN }>()) {
            if !eth.tags.append(VlanTag { protocol, tci: u16::from_be_bytes([t[0], t[1]]) }) {
                break;
            }
            ethertype = u16::from_be_bytes([t[2], t[3]]);
            rest = behind;
        }
        let other = || Net::Other { ethertype, payload: rest.into() };
        let net = match ethertype {
            0x0806 => Arp::decode(rest).map(Net::Arp),
            0x0800 => Ipv4Packet::decode(rest).map(Net::Ipv4),
            0x86dd => Ipv6Packet::decode(rest).map(Net::Ipv6),
            _ => Ok(other()),
        };
        match net {
            Ok(net) => Ok(Frame { eth, net }),
            Err(e) if e.is_untyped() => Ok(Frame { eth, net: other() }),
            Err(e) => Err(e.inside(Self::HEADER_LEN + VlanTag::LEN * eth.tags.len())),
        }
    }
}
