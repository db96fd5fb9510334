//! The user datagram protocol (RFC 768).

use super::checksum::{self, PseudoHeader};
use super::{Bytes, DecodeError, Protocol};

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

impl Udp {
    /// A datagram with a right checksum.
    pub fn new(src_port: u16, dst_port: u16, payload: Bytes) -> Self {
        Udp { src_port, dst_port, no_checksum: false, checksum_error: 0, payload }
    }

    fn header(&self, checksum: u16) -> [u8; Self::HEADER_LEN] {
        let [a, b] = self.src_port.to_be_bytes();
        let [c, d] = self.dst_port.to_be_bytes();
        let [e, f] = u16::try_from(self.len()).unwrap_or(u16::MAX).to_be_bytes();
        let [g, h] = checksum.to_be_bytes();
        [a, b, c, d, e, f, g, h]
    }

    /// The checksum field: 0 when there is none, 0xffff when the sum is 0 (RFC 768).
    pub fn checksum(&self, pseudo: PseudoHeader) -> u16 {
        if self.no_checksum {
            return 0;
        }
        let acc = checksum::sum(pseudo.sum(Protocol::UDP, self.len()), &self.header(0));
        let right = match checksum::finish(checksum::sum(acc, &self.payload)) {
            0 => 0xffff,
            c => c,
        };
        right ^ self.checksum_error
    }

    /// The exact bytes.
    pub fn encode(&self, pseudo: PseudoHeader) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len());
        self.encode_into(pseudo, &mut out);
        out
    }

    pub(super) fn encode_into(&self, pseudo: PseudoHeader, out: &mut Vec<u8>) {
        out.extend(self.header(self.checksum(pseudo)));
        out.extend_from_slice(&self.payload);
    }

    /// Reads a datagram that fills `bytes`.
    ///
    /// # Errors
    /// When the header is cut or the length cannot be, or when the datagram ends before the bytes do
    /// ([`Problem::Untyped`](super::decode::Problem::Untyped)).
    pub fn decode(bytes: &[u8], pseudo: PseudoHeader) -> Result<Self, DecodeError> {
        let Some((h, rest)) = bytes.split_first_chunk::<{ Self::HEADER_LEN }>() else {
            return Err(DecodeError::short("udp", Self::HEADER_LEN, bytes.len()));
        };
        let len = u16::from_be_bytes([h[4], h[5]]);
        match usize::from(len) {
            l if l < Self::HEADER_LEN => return Err(DecodeError::field("udp", 4, "length", "at least 8", len)),
            l if l > bytes.len() => return Err(DecodeError::short("udp", l, bytes.len())),
            l if l < bytes.len() => return Err(DecodeError::untyped("udp", 4, "length", "all that the IP packet carries", len)),
            _ => {}
        }
        let mut udp = Udp::new(u16::from_be_bytes([h[0], h[1]]), u16::from_be_bytes([h[2], h[3]]), rest.into());
        match u16::from_be_bytes([h[6], h[7]]) {
            0 => udp.no_checksum = true,
            seen => udp.checksum_error = seen ^ udp.checksum(pseudo),
        }
        Ok(udp)
    }
}
