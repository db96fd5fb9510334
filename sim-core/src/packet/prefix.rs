//! An address range: an address and how many leading bits count.

use super::addr::Address;
use std::fmt;
use std::str::FromStr;

/// `10.244.0.0/24`: the network, host bits cleared.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix<A> {
    addr: A,
    len: u8,
}

impl<A: Address> Prefix<A> {
    /// Everything: `0.0.0.0/0`, `::/0`.
    pub const ALL: Prefix<A> = Prefix { addr: A::UNSPECIFIED, len: 0 };

    /// The range of `len` leading bits that holds `addr`; `len` is cut to the family's width.
    #[inline]
    pub fn new(addr: A, len: u8) -> Self {
        let len = len.min(A::BITS);
        Prefix { addr: A::from_bits(addr.to_bits() & Self::mask_bits(len)), len }
    }

    /// The range of this one address.
    #[inline]
    pub fn host(addr: A) -> Self {
        Prefix { addr, len: A::BITS }
    }

    /// The netmask as a number, in the low bits of the family's width.
    #[inline]
    pub fn mask_bits(len: u8) -> u128 {
        let full = if A::BITS == 128 { u128::MAX } else { (1u128 << A::BITS) - 1 };
        if len == 0 { 0 } else { full & (full << (A::BITS - len)) }
    }

    /// The lowest address.
    #[inline]
    pub fn addr(self) -> A {
        self.addr
    }

    /// How many leading bits count.
    #[inline]
    #[allow(clippy::len_without_is_empty, reason = "a prefix has a length and is never empty")]
    pub fn len(self) -> u8 {
        self.len
    }

    /// Whether `addr` lies in the range.
    #[inline]
    pub fn contains(self, addr: A) -> bool {
        (addr.to_bits() ^ self.addr.to_bits()) & Self::mask_bits(self.len) == 0
    }

    /// Whether the two ranges share an address.
    pub fn overlaps(self, other: Self) -> bool {
        let len = self.len.min(other.len);
        Self::new(self.addr, len) == Self::new(other.addr, len)
    }

    /// Whether `other` lies wholly in this range.
    pub fn covers(self, other: Self) -> bool {
        self.len <= other.len && self.contains(other.addr)
    }

    /// The highest address (for IPv4 the subnet's broadcast address).
    pub fn last(self) -> A {
        A::from_bits(self.addr.to_bits() | (Self::mask_bits(A::BITS) & !Self::mask_bits(self.len)))
    }

    /// The address `n` above the lowest, if it is still inside.
    pub fn nth(self, n: u128) -> Option<A> {
        let addr = A::from_bits(self.addr.to_bits().checked_add(n)?);
        (self.contains(addr) && addr.to_bits() >= self.addr.to_bits()).then_some(addr)
    }
}

impl<A: Address> fmt::Display for Prefix<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr, self.len)
    }
}

impl<A: fmt::Debug> fmt::Debug for Prefix<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}/{}", self.addr, self.len)
    }
}

/// The text is not an address range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParsePrefixError {
    /// The part before the slash is no address of the family.
    #[error("`{0}` is not an address")]
    Address(String),
    /// The part after the slash is no length of the family.
    #[error("`{0}` is not a prefix length of 0 to {1}")]
    Length(String, u8),
    /// Bits behind the prefix length are set.
    #[error("{0} has bits set behind /{1}; the range is {2}")]
    HostBits(String, u8, String),
}

impl<A: Address> Prefix<A> {
    /// Reads `address/length`, or an address alone as a range of one, and keeps the address
    /// as written beside the range: `10.244.0.1/24` is `(10.244.0.1, 10.244.0.0/24)`.
    ///
    /// # Errors
    /// When the address or the length cannot be read.
    pub fn parse_interface(s: &str) -> Result<(A, Prefix<A>), ParsePrefixError> {
        let (a, l) = match s.split_once('/') {
            Some((a, l)) => (a, Some(l)),
            None => (s, None),
        };
        let addr: A = a.parse().map_err(|_| ParsePrefixError::Address(a.to_owned()))?;
        let len = match l {
            None => A::BITS,
            Some(l) if !l.is_empty() && l.len() <= 3 && l.bytes().all(|b| b.is_ascii_digit()) => match l.parse::<u8>() {
                Ok(n) if n <= A::BITS => n,
                _ => return Err(ParsePrefixError::Length(l.to_owned(), A::BITS)),
            },
            Some(l) => return Err(ParsePrefixError::Length(l.to_owned(), A::BITS)),
        };
        Ok((addr, Prefix::new(addr, len)))
    }
}

impl<A: Address> FromStr for Prefix<A> {
    type Err = ParsePrefixError;

    /// Reads a range; bits set behind the length are an error, as `ip route` has it.
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let (addr, prefix) = Self::parse_interface(s)?;
        if addr == prefix.addr { Ok(prefix) } else { Err(ParsePrefixError::HostBits(addr.to_string(), prefix.len, prefix.to_string())) }
    }
}
