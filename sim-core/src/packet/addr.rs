//! What an address family must offer so that prefixes, routes, neighbours, sockets and
//! conntrack tuples can be written once for both.

use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The two address families of the Internet protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4, `inet`.
    #[default]
    Inet,
    /// IPv6, `inet6`.
    Inet6,
}

/// An address of one family: [`Ipv4Addr`] or [`Ipv6Addr`].
pub trait Address: Copy + Eq + Ord + Hash + Debug + Display + FromStr + Sealed + Send + Sync + 'static + Into<IpAddr> {
    /// Length in bits: 32 or 128.
    const BITS: u8;
    /// Which family this is.
    const FAMILY: Family;
    /// The address of all zeros.
    const UNSPECIFIED: Self;

    /// The address as a number, in the low [`Address::BITS`] bits.
    fn to_bits(self) -> u128;
    /// The inverse of [`Address::to_bits`]; higher bits are ignored.
    fn from_bits(bits: u128) -> Self;
    /// Whether this is a group address (224/4, ff00::/8).
    fn is_multicast(self) -> bool;
    /// Whether this is of the host itself by definition (127/8, ::1).
    fn is_loopback(self) -> bool;
    /// The address inside `ip`, if it is of this family.
    fn from_ip(ip: IpAddr) -> Option<Self>;

    /// Whether this is the address of all zeros.
    fn is_unspecified(self) -> bool {
        self == Self::UNSPECIFIED
    }
}

/// Seals [`Address`]: there are two families and no third.
pub trait Sealed: private::Sealed {}
impl Sealed for Ipv4Addr {}
impl Sealed for Ipv6Addr {}

mod private {
    pub trait Sealed {}
    impl Sealed for std::net::Ipv4Addr {}
    impl Sealed for std::net::Ipv6Addr {}
}

impl Address for Ipv4Addr {
    const BITS: u8 = 32;
    const FAMILY: Family = Family::Inet;
    const UNSPECIFIED: Self = Ipv4Addr::UNSPECIFIED;

    #[inline]
    fn to_bits(self) -> u128 {
        u128::from(u32::from(self))
    }
    #[inline]
    fn from_bits(bits: u128) -> Self {
        Ipv4Addr::from((bits & u128::from(u32::MAX)) as u32)
    }
    #[inline]
    fn is_multicast(self) -> bool {
        Ipv4Addr::is_multicast(&self)
    }
    #[inline]
    fn is_loopback(self) -> bool {
        Ipv4Addr::is_loopback(&self)
    }
    fn from_ip(ip: IpAddr) -> Option<Self> {
        match ip {
            IpAddr::V4(a) => Some(a),
            IpAddr::V6(_) => None,
        }
    }
}

impl Address for Ipv6Addr {
    const BITS: u8 = 128;
    const FAMILY: Family = Family::Inet6;
    const UNSPECIFIED: Self = Ipv6Addr::UNSPECIFIED;

    #[inline]
    fn to_bits(self) -> u128 {
        u128::from(self)
    }
    #[inline]
    fn from_bits(bits: u128) -> Self {
        Ipv6Addr::from(bits)
    }
    #[inline]
    fn is_multicast(self) -> bool {
        Ipv6Addr::is_multicast(&self)
    }
    #[inline]
    fn is_loopback(self) -> bool {
        Ipv6Addr::is_loopback(&self)
    }
    fn from_ip(ip: IpAddr) -> Option<Self> {
        match ip {
            IpAddr::V6(a) => Some(a),
            IpAddr::V4(_) => None,
        }
    }
}
