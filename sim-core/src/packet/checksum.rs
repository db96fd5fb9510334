//! The Internet checksum (RFC 1071), its change in place (RFC 1624), and the pseudo header that
//! TCP, UDP and ICMPv6 put under it (RFC 9293 3.1, RFC 8200 8.1).
//!
//! Packets do not store a checksum but, in `checksum_error`, the XOR of the one in the header and the
//! right one, so 0 says right and the bytes of a wrong one come back exactly. There are two ways to
//! write zero in one's complement: a receiver also accepts 0xffff where 0x0000 is right, which stands here
//! as the error 0xffff.

use super::Protocol;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The one's complement sum of `data`, added to `start`; not yet folded.
///
/// Pieces of a packet may be summed one after the other if each but the last has an even length.
#[inline]
pub fn sum(start: u32, data: &[u8]) -> u32 {
    // Four bytes at a time: 65536 is 1 in one's complement of 16 bits, so the halves need not be parted.
    let mut acc = u64::from(start);
    let (words, rest) = data.as_chunks::<4>();
    for w in words {
        acc += u64::from(u32::from_be_bytes(*w));
    }
    acc += match *rest {
        [a] => u64::from(a) << 8,
        [a, b] => u64::from(u16::from_be_bytes([a, b])),
        [a, b, c] => u64::from(u16::from_be_bytes([a, b])) + (u64::from(c) << 8),
        _ => 0,
    };
    while acc >> 32 != 0 {
        acc = (acc & 0xffff_ffff) + (acc >> 32);
    }
    acc as u32
}

/// Folds a sum to 16 bits and complements it: what goes into the header.
#[inline]
pub fn finish(mut acc: u32) -> u16 {
    while acc >> 16 != 0 {
        acc = (acc & 0xffff) + (acc >> 16);
    }
    !(acc as u16)
}

/// The checksum after the bytes `old` under it became `new` (RFC 1624, equation 3:
/// `HC' = ~(~HC + ~m + m')`). Both begin at an even offset of the packet and are equally long.
#[must_use]
pub fn update(checksum: u16, old: &[u8], new: &[u8]) -> u16 {
    let minus = finish(sum(0, old));
    finish(sum(u32::from(!checksum) + u32::from(minus), new))
}

/// What TCP, UDP and ICMPv6 sum before their own bytes: the addresses of the IP header below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PseudoHeader {
    /// Over IPv4.
    V4 {
        /// Source address.
        src: Ipv4Addr,
        /// Destination address.
        dst: Ipv4Addr,
    },
    /// Over IPv6.
    V6 {
        /// Source address.
        src: Ipv6Addr,
        /// Destination address.
        dst: Ipv6Addr,
    },
}

impl PseudoHeader {
    /// Its sum, for a transport packet of `len` bytes.
    pub fn sum(self, protocol: Protocol, len: usize) -> u32 {
        let addrs = match self {
            PseudoHeader::V4 { src, dst } => sum(sum(0, &src.octets()), &dst.octets()),
            PseudoHeader::V6 { src, dst } => sum(sum(0, &src.octets()), &dst.octets()),
        };
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        sum(sum(addrs, &len.to_be_bytes()), &[0, protocol.0])
    }
}
