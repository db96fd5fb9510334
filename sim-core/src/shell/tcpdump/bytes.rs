//! A frame as bytes, as a filter looks at it.

use crate::packet::{Ipv4Addr, Ipv6Addr, Mac};

/// A frame and where its headers are.
#[derive(Clone, Copy, Debug)]
pub struct View<'f> {
    bytes: &'f [u8],
    /// Type of what the frame carries, behind a tag if one is looked behind.
    pub ethertype: u16,
    /// Where the network header begins.
    pub network: usize,
    /// The VLAN of a tagged frame.
    pub vlan: Option<u16>,
}

impl<'f> View<'f> {
    /// The headers of a frame; `behind` looks behind a VLAN tag.
    pub fn new(bytes: &'f [u8], behind: bool) -> Self {
        let mut v = View { bytes, ethertype: 0, network: 14, vlan: None };
        v.ethertype = v.read(12, 2).unwrap_or(0) as u16;
        if matches!(v.ethertype, 0x8100 | 0x88a8) {
            v.vlan = v.read(14, 2).map(|t| (t & 0x0fff) as u16);
            if behind {
                v.ethertype = v.read(16, 2).unwrap_or(0) as u16;
                v.network = 18;
            }
        }
        v
    }

    /// Bytes of the frame.
    #[allow(clippy::len_without_is_empty, reason = "a frame has a header")]
    pub fn len(&self) -> u32 {
        self.bytes.len() as u32
    }

    /// A number of 1, 2 or 4 bytes.
    pub fn read(&self, at: usize, size: u8) -> Option<u32> {
        let bytes = self.bytes.get(at..at.checked_add(usize::from(size))?)?;
        Some(bytes.iter().fold(0, |n, b| n << 8 | u32::from(*b)))
    }

    /// Destination hardware address.
    pub fn destination(&self) -> Mac {
        self.bytes.first_chunk::<6>().map_or(Mac::ZERO, |b| Mac(*b))
    }

    /// Source hardware address.
    pub fn source(&self) -> Mac {
        self.bytes.get(6..).and_then(|b| b.first_chunk::<6>()).map_or(Mac::ZERO, |b| Mac(*b))
    }

    /// Protocol above IP.
    pub fn protocol(&self) -> Option<u8> {
        match self.ethertype {
            0x0800 => self.read(self.network + 9, 1),
            0x86dd => self.read(self.network + 6, 1),
            _ => None,
        }
        .map(|n| n as u8)
    }

    /// IPv4 addresses of a packet, or of an ARP packet's sender and target.
    pub fn ipv4_ends(&self) -> Option<(Ipv4Addr, Ipv4Addr)> {
        let (s, d) = match self.ethertype {
            0x0800 => (12, 16),
            0x0806 => (14, 24),
            _ => return None,
        };
        let addr = |at: usize| self.read(self.network + at, 4).map(Ipv4Addr::from_bits);
        Some((addr(s)?, addr(d)?))
    }

    /// IPv6 addresses.
    pub fn ipv6_ends(&self) -> Option<(Ipv6Addr, Ipv6Addr)> {
        if self.ethertype != 0x86dd {
            return None;
        }
        let addr = |at: usize| self.bytes.get(self.network + at..).and_then(|b| b.first_chunk::<16>()).map(|b| Ipv6Addr::from(*b));
        Some((addr(8)?, addr(24)?))
    }

    /// Where the transport header begins; none behind the first fragment.
    pub fn transport(&self) -> Option<usize> {
        match self.ethertype {
            0x0800 if self.read(self.network + 6, 2)? & 0x1fff == 0 => {
                Some(self.network + (self.read(self.network, 1)? & 0x0f) as usize * 4)
            }
            0x86dd => Some(self.network + 40),
            _ => None,
        }
    }

    /// Source and destination port.
    pub fn ports(&self) -> Option<(u16, u16)> {
        let at = self.transport()?;
        Some((self.read(at, 2)? as u16, self.read(at + 2, 2)? as u16))
    }
}
