//! The user datagram protocol (RFC 768).

use super::Bytes;

/// A UDP datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Udp {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Whether the checksum field is zero, "not computed".
    pub no_checksum: bool,
    /// 0, or what was XORed into the right checksum.
    pub checksum_error: u16,
    /// The data.
    pub payload: Bytes,
}

impl Udp {
    /// Bytes of the header.
    pub const HEADER_LEN: usize = 8;

    /// Length in bytes, header included.
    #[inline]
    pub fn len(&self) -> usize {
        Self::HEADER_LEN + self.payload.len()
    }

    /// Never: a datagram has a header.
    pub fn is_empty(&self) -> bool {
        false
    }
}
