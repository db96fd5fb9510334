//! Generic routing encapsulation (RFC 2784, RFC 2890).

use super::{Bytes, DecodeError, Frame, Ipv4Packet, checksum};

/// A GRE header, version 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Gre {
    /// The Ethernet type of what follows; 0x6558 for an Ethernet frame.
    pub protocol: u16,
    /// Whether there is a checksum over header and data.
    pub checksum: bool,
    /// The key.
    pub key: Option<u32>,
    /// The sequence number.
    pub seq: Option<u32>,
}

/// What a GRE packet carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GreInside {
    /// An IPv4 packet.
    Ipv4(Ipv4Packet),
    /// An Ethernet frame.
    Frame(Frame),
    /// Anything else.
    Other(Bytes),
}

impl Gre {
    /// The type that says that an Ethernet frame follows (transparent Ethernet bridging).
    pub const TEB: u16 = 0x6558;

    /// Bytes of the header.
    pub fn len(&self) -> usize {
        4 + 4 * (usize::from(self.checksum) + usize::from(self.key.is_some()) + usize::from(self.seq.is_some()))
    }

    /// Never: a header has its flags and its protocol.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The exact bytes of header and data.
    pub fn encode(&self, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len() + data.len());
        let flags = u16::from(self.checksum) << 15 | u16::from(self.key.is_some()) << 13 | u16::from(self.seq.is_some()) << 12;
        out.extend(flags.to_be_bytes());
        out.extend(self.protocol.to_be_bytes());
        if self.checksum {
            out.extend([0; 4]);
        }
        for word in [self.key, self.seq].into_iter().flatten() {
            out.extend(word.to_be_bytes());
        }
        out.extend_from_slice(data);
        if self.checksum {
            let sum = checksum::finish(checksum::sum(0, &out)).to_be_bytes();
            out[4..6].copy_from_slice(&sum);
        }
        out
    }

    /// The header, and the data behind it.
    ///
    /// # Errors
    /// When the header is cut, of another version, or its checksum is wrong.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let Some(&[a, b, c, d]) = bytes.first_chunk::<4>() else { return Err(DecodeError::short("gre", 4, bytes.len())) };
        let flags = u16::from_be_bytes([a, b]);
        if flags & 0x4fff != 0 {
            return Err(DecodeError::field("gre", 0, "flags", "checksum, key and sequence number of version 0", flags));
        }
        let mut gre = Gre { protocol: u16::from_be_bytes([c, d]), checksum: flags & 0x8000 != 0, key: None, seq: None };
        let mut at = 4;
        let mut word = |wanted: bool| -> Result<Option<u32>, DecodeError> {
            if !wanted {
                return Ok(None);
            }
            let w = bytes.get(at..).and_then(|b| b.first_chunk::<4>()).ok_or(DecodeError::short("gre", at + 4, bytes.len()))?;
            at += 4;
            Ok(Some(u32::from_be_bytes(*w)))
        };
        word(gre.checksum)?;
        gre.key = word(flags & 0x2000 != 0)?;
        gre.seq = word(flags & 0x1000 != 0)?;
        if gre.checksum && checksum::finish(checksum::sum(0, bytes)) != 0 {
            return Err(DecodeError::field("gre", 4, "checksum", "the right one", 0u8));
        }
        Ok((gre, bytes.get(at..).unwrap_or(&[])))
    }

    /// The header, and what follows it as its protocol says.
    ///
    /// # Errors
    /// As [`decode`](Self::decode), or when what follows is not what the protocol says.
    pub fn open(bytes: &[u8]) -> Result<(Self, GreInside), DecodeError> {
        let (gre, data) = Self::decode(bytes)?;
        let by = bytes.len() - data.len();
        let inside = match gre.protocol {
            0x0800 => GreInside::Ipv4(Ipv4Packet::decode(data).map_err(|e| e.inside(by))?),
            Self::TEB => GreInside::Frame(Frame::decode(data).map_err(|e| e.inside(by))?),
            _ => GreInside::Other(data.into()),
        };
        Ok((gre, inside))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_bytes_are_those_of_the_rfc() {
        assert_eq!(Gre { protocol: 0x0800, ..Gre::default() }.encode(&[1, 2]), [0, 0, 8, 0, 1, 2]);
        let keyed = Gre { protocol: 0x6558, key: Some(0x01020304), seq: Some(5), ..Gre::default() };
        assert_eq!(keyed.encode(&[]), [0x30, 0, 0x65, 0x58, 1, 2, 3, 4, 0, 0, 0, 5]);
        let summed = Gre { protocol: 0x0800, checksum: true, ..Gre::default() }.encode(&[0x12, 0x34]);
        assert_eq!(summed, [0x80, 0, 8, 0, 0x65, 0xcb, 0, 0, 0x12, 0x34]);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for bytes in [&[0u8, 0, 8][..], &[0x20, 0, 8, 0, 1], &[0, 1, 8, 0], &[0x40, 0, 8, 0], &[0x80, 0, 8, 0, 0, 0, 0, 0, 1, 1]] {
            assert!(Gre::decode(bytes).is_err(), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            protocol in any::<u16>(), checksum in any::<bool>(), key in any::<Option<u32>>(), seq in any::<Option<u32>>(),
            data in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let gre = Gre { protocol, checksum, key, seq };
            let bytes = gre.encode(&data);
            prop_assert_eq!(bytes.len(), gre.len() + data.len());
            prop_assert_eq!(Gre::decode(&bytes).unwrap(), (gre, data.as_slice()));
        }
    }
}
