//! Why bytes are not a packet, and which laws the codecs keep.
//!
//! Every `encode` and `decode` of this floor obeys two laws:
//!
//! 1. `decode(encode(f)) == f` for every representable `f`,
//! 2. `encode(decode(b)) == b` for every `b` that decodes, except for bytes behind the end of
//!    the packet: an IP packet ends where its length field says, an ARP packet after 28 bytes,
//!    and what follows (the padding of short Ethernet frames) is dropped, as `ip_rcv` does. Then
//!    `encode(decode(b)) == b[..len]`.
//!
//! Three things may stand in the bytes:
//!
//! - a packet that the types hold: it is decoded, wrong checksums included;
//! - a packet that is well formed, but that the types do not hold ([`Problem::Untyped`]): a frame
//!   keeps it as [`Net::Other`](super::Net::Other), an IP packet keeps it as
//!   [`Body::Other`](super::Body::Other), with all its bytes, padding too. IPv4 options, the reserved IPv4
//!   flag, the reserved TCP bits, a UDP length short of the IP packet's, ARP for other hardware or protocols;
//! - no packet at all: too short, a wrong version, a length that cannot be. In a frame that is an
//!   error. Inside an IP packet it is not: a router forwards it unread, so it stays `Body::Other`.
//!
//! Not representable, that is, encoded to bytes that decode to something else:
//! - lengths that the length fields cannot say (they saturate), fragment offsets that are no multiple of 8,
//!   flow labels above 20 bits;
//! - TCP options that are no multiple of 4 long (they are padded) or longer than 40 bytes (they are cut);
//!   `Some` of no option bytes (it is `None`);
//! - an `Other` that holds what a type could hold, a VLAN tag too where there is room for one, a fragment without fragment bits or the reverse,
//!   any fragment of IPv6, ICMP in IPv6, ICMPv6 in IPv4;
//! - a UDP checksum error beside `no_checksum`, or one that makes the field zero.

/// What is wrong with the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The bytes end too early.
    #[error("{expected} bytes expected, {seen} seen")]
    Short {
        /// Bytes that must be there.
        expected: usize,
        /// Bytes that are there.
        seen: usize,
    },
    /// A field holds what it must not.
    #[error("{field}: {expected} expected, {seen} seen")]
    Field {
        /// The field's name.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        seen: u64,
    },
    /// The header is well formed, but the types of this floor do not hold it.
    #[error("{field}: only {expected} has a type here, {seen} seen")]
    Untyped {
        /// The field's name.
        field: &'static str,
        /// What the types hold.
        expected: &'static str,
        /// What it is.
        seen: u64,
    },
}

/// Bytes that are no packet of the kind asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{header} header, byte {offset}: {problem}")]
pub struct DecodeError {
    /// The header that was being read: `eth`, `arp`, `ipv4`, …
    pub header: &'static str,
    /// Where the field (or the header, when it is too short) begins in the bytes given.
    pub offset: usize,
    /// What is wrong.
    pub problem: Problem,
}

impl DecodeError {
    /// The header needs `expected` bytes and has `seen`.
    pub(super) fn short(header: &'static str, expected: usize, seen: usize) -> Self {
        DecodeError { header, offset: 0, problem: Problem::Short { expected, seen } }
    }

    /// The field at `offset` cannot be.
    pub(super) fn field(header: &'static str, offset: usize, field: &'static str, expected: &'static str, seen: impl Into<u64>) -> Self {
        DecodeError { header, offset, problem: Problem::Field { field, expected, seen: seen.into() } }
    }

    /// The field at `offset` may be, but has no type.
    pub(super) fn untyped(header: &'static str, offset: usize, field: &'static str, expected: &'static str, seen: impl Into<u64>) -> Self {
        DecodeError { header, offset, problem: Problem::Untyped { field, expected, seen: seen.into() } }
    }

    /// The same, seen from a header `by` bytes further out.
    #[must_use]
    pub(super) fn inside(mut self, by: usize) -> Self {
        self.offset += by;
        self
    }

    /// Whether the bytes are a well formed packet that merely has no type here.
    pub fn is_untyped(&self) -> bool {
        matches!(self.problem, Problem::Untyped { .. })
    }
}
