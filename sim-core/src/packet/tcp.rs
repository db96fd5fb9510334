//! The transmission control protocol's segments (RFC 9293).

use super::checksum::{self, PseudoHeader};
use super::{Bytes, DecodeError, Protocol};
use std::fmt;

/// The control bits of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: TcpFlags = TcpFlags(0x01);
    /// Synchronise sequence numbers.
    pub const SYN: TcpFlags = TcpFlags(0x02);
    /// Reset the connection.
    pub const RST: TcpFlags = TcpFlags(0x04);
    /// Push.
    pub const PSH: TcpFlags = TcpFlags(0x08);
    /// The acknowledgment field counts.
    pub const ACK: TcpFlags = TcpFlags(0x10);
    /// The urgent pointer counts.
    pub const URG: TcpFlags = TcpFlags(0x20);

    /// ECN echo.
    pub const ECE: TcpFlags = TcpFlags(0x40);
    /// Congestion window reduced.
    pub const CWR: TcpFlags = TcpFlags(0x80);

    /// Whether all bits of `other` are set.
    #[inline]
    pub const fn has(self, other: TcpFlags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets of bits.
    #[inline]
    #[must_use]
    pub const fn with(self, other: TcpFlags) -> TcpFlags {
        TcpFlags(self.0 | other.0)
    }
}

impl fmt::Display for TcpFlags {
    /// As tcpdump prints them: `S`, `S.`, `P.`, `F.`, `R`, `.`, `SEW`, `none`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut any = false;
        for (bit, c) in "FSRP.UEW".chars().enumerate().map(|(n, c)| (TcpFlags(1 << n), c)) {
            if self.has(bit) {
                write!(f, "{c}")?;
                any = true;
            }
        }
        if any { Ok(()) } else { f.write_str("none") }
    }
}

impl fmt::Debug for TcpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The option bytes of a segment, padded to a multiple of 4 as they are sent.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TcpOptions(pub Option<Box<[u8]>>);

impl TcpOptions {
    /// Length in bytes, padding included.
    #[inline]
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |b| b.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A TCP segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tcp {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Sequence number of the first byte (or of SYN).
    pub seq: u32,
    /// Next sequence number expected, if ACK is set.
    pub ack: u32,
    /// Control bits.
    pub flags: TcpFlags,
    /// Receive window as it stands in the header, unscaled.
    pub window: u16,
    /// Urgent pointer.
    pub urgent: u16,
    /// 0, or what was XORed into the right checksum.
    pub checksum_error: u16,
    /// Options.
    pub options: TcpOptions,
    /// The data.
    pub payload: Bytes,
}

impl Tcp {
    /// Bytes of the header without options.
    pub const HEADER_LEN: usize = 20;

    /// Length in bytes, header and options included.
    #[inline]
    pub fn len(&self) -> usize {
        Self::HEADER_LEN + self.options.len() + self.payload.len()
    }

    /// Never: a segment has a header.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Sequence space the segment takes: data, plus one each for SYN and FIN.
    pub fn seq_len(&self) -> u32 {
        self.payload.len() as u32 + u32::from(self.flags.has(TcpFlags::SYN)) + u32::from(self.flags.has(TcpFlags::FIN))
    }
}

impl Tcp {
    /// The 20 bytes before the options.
    fn header(&self, checksum: u16) -> [u8; Self::HEADER_LEN] {
        let mut h = [0u8; Self::HEADER_LEN];
        h[0..2].copy_from_slice(&self.src_port.to_be_bytes());
        h[2..4].copy_from_slice(&self.dst_port.to_be_bytes());
        h[4..8].copy_from_slice(&self.seq.to_be_bytes());
        h[8..12].copy_from_slice(&self.ack.to_be_bytes());
        h[12] = ((Self::HEADER_LEN + self.options.wire().0.len()).div_ceil(4) as u8) << 4;
        h[13] = self.flags.0;
        h[14..16].copy_from_slice(&self.window.to_be_bytes());
        h[16..18].copy_from_slice(&checksum.to_be_bytes());
        h[18..20].copy_from_slice(&self.urgent.to_be_bytes());
        h
    }

    /// The checksum field.
    pub fn checksum(&self, pseudo: PseudoHeader) -> u16 {
        let (options, padding) = self.options.wire();
        let len = Self::HEADER_LEN + options.len() + padding.len() + self.payload.len();
        let acc = checksum::sum(pseudo.sum(Protocol::TCP, len), &self.header(0));
        // The padding is zeros and makes the length even.
        let right = checksum::finish(checksum::sum(checksum::sum(acc, options), &self.payload));
        right ^ self.checksum_error
    }

    /// The exact bytes.
    pub fn encode(&self, pseudo: PseudoHeader) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len());
        self.encode_into(pseudo, &mut out);
        out
    }

    pub(super) fn encode_into(&self, pseudo: PseudoHeader, out: &mut Vec<u8>) {
        let (options, padding) = self.options.wire();
        out.extend(self.header(self.checksum(pseudo)));
        out.extend_from_slice(options);
        out.extend_from_slice(padding);
        out.extend_from_slice(&self.payload);
    }

    /// Reads a segment that fills `bytes`.
    ///
    /// # Errors
    /// When the header is cut or its length cannot be, or when a reserved bit is set
    /// ([`Problem::Untyped`](super::decode::Problem::Untyped)).
    pub fn decode(bytes: &[u8], pseudo: PseudoHeader) -> Result<Self, DecodeError> {
        let Some((h, rest)) = bytes.split_first_chunk::<{ Self::HEADER_LEN }>() else {
            return Err(DecodeError::short("tcp", Self::HEADER_LEN, bytes.len()));
        };
        let header_len = usize::from(h[12] >> 4) * 4;
        if header_len < Self::HEADER_LEN {
            return Err(DecodeError::field("tcp", 12, "data offset", "at least 20 bytes", header_len as u64));
        }
        let Some((options, payload)) = rest.split_at_checked(header_len - Self::HEADER_LEN) else {
            return Err(DecodeError::short("tcp", header_len, bytes.len()));
        };
        if h[12] & 0x0f != 0 {
            return Err(DecodeError::untyped("tcp", 12, "reserved bits", "0", h[12] & 0x0f));
        }
        let word = |at: usize| u16::from_be_bytes([h[at], h[at + 1]]);
        let mut tcp = Tcp {
            src_port: word(0),
            dst_port: word(2),
            seq: u32::from_be_bytes([h[4], h[5], h[6], h[7]]),
            ack: u32::from_be_bytes([h[8], h[9], h[10], h[11]]),
            flags: TcpFlags(h[13]),
            window: word(14),
            urgent: word(18),
            checksum_error: 0,
            options: TcpOptions::from(options),
            payload: payload.into(),
        };
        tcp.checksum_error = word(16) ^ tcp.checksum(pseudo);
        Ok(tcp)
    }
}

impl TcpOptions {
    /// Most bytes that the data offset can say.
    pub const MAX_LEN: usize = 40;

    /// The bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or(&[])
    }

    /// What is sent: the bytes, at most 40, and the zeros that make them a multiple of 4.
    fn wire(&self) -> (&[u8], &'static [u8]) {
        let bytes = self.bytes();
        let bytes = bytes.get(..Self::MAX_LEN).unwrap_or(bytes);
        (bytes, &[0u8; 3][..bytes.len().wrapping_neg() % 4])
    }
}

impl From<&[u8]> for TcpOptions {
    fn from(bytes: &[u8]) -> Self {
        TcpOptions((!bytes.is_empty()).then(|| bytes.into()))
    }
}
