//! VXLAN: an Ethernet frame in a UDP datagram (RFC 7348).

use super::{Bytes, DecodeError, Frame, Udp};

/// The VXLAN header. Its reserved bits are kept as they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vxlan {
    /// The first byte: bit 3 (0x08) says that the network identifier is valid.
    pub flags: u8,
    /// The 24 reserved bits behind the flags.
    pub reserved: u32,
    /// The network identifier (VNI), 24 bits.
    pub vni: u32,
    /// The last byte, reserved.
    pub last: u8,
}

impl Vxlan {
    /// Bytes of the header.
    pub const HEADER_LEN: usize = 8;
    /// The flag that says that the network identifier is valid.
    pub const FLAG_VNI: u8 = 0x08;
    /// The port that IANA gave (RFC 7348).
    pub const PORT_IANA: u16 = 4789;
    /// The port that Linux uses if none is given.
    pub const PORT_LINUX: u16 = 8472;

    /// A header for a network; of a number of more than 24 bits the lower ones count.
    pub fn new(vni: u32) -> Self {
        Vxlan { flags: Self::FLAG_VNI, reserved: 0, vni: vni & 0x00ff_ffff, last: 0 }
    }

    /// Whether the network identifier is valid.
    pub fn has_vni(self) -> bool {
        self.flags & Self::FLAG_VNI != 0
    }

    /// Whether a bit is set that plain VXLAN does not know.
    pub fn has_unknown_bits(self) -> bool {
        self.flags & !Self::FLAG_VNI != 0 || self.reserved != 0 || self.last != 0
    }

    /// The exact bytes.
    pub fn encode(self) -> [u8; Self::HEADER_LEN] {
        let [_, a, b, c] = self.reserved.to_be_bytes();
        let [_, d, e, f] = self.vni.to_be_bytes();
        [self.flags, a, b, c, d, e, f, self.last]
    }

    /// Reads the header at the beginning of `bytes`.
    ///
    /// # Errors
    /// When there are fewer than 8 bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let Some(&[flags, a, b, c, d, e, f, last]) = bytes.first_chunk::<{ Self::HEADER_LEN }>() else {
            return Err(DecodeError::short("vxlan", Self::HEADER_LEN, bytes.len()));
        };
        Ok(Vxlan { flags, reserved: u32::from_be_bytes([0, a, b, c]), vni: u32::from_be_bytes([0, d, e, f]), last })
    }

    /// The data of a UDP datagram that carries `frame`.
    pub fn encapsulate(self, frame: &Frame) -> Bytes {
        let mut out = Vec::with_capacity(Self::HEADER_LEN + frame.len());
        out.extend(self.encode());
        frame.encode_into(&mut out);
        out.into()
    }

    /// The header and the frame in the data of a UDP datagram.
    ///
    /// # Errors
    /// When the header or the frame is cut, or the frame says ARP or IP and is none.
    pub fn decapsulate(data: &[u8]) -> Result<(Self, Frame), DecodeError> {
        let header = Self::decode(data)?;
        let frame = Frame::decode(data.get(Self::HEADER_LEN..).unwrap_or(&[])).map_err(|e| e.inside(Self::HEADER_LEN))?;
        Ok((header, frame))
    }
}

impl Udp {
    /// The VXLAN header and the frame that the datagram carries: it goes to one of the two well-known ports, or its data
    /// begins as nothing but VXLAN does, and a frame with ARP or IP follows.
    pub fn vxlan(&self) -> Option<(Vxlan, Frame)> {
        let header = Vxlan::decode(&self.payload).ok()?;
        let known = matches!(self.dst_port, Vxlan::PORT_IANA | Vxlan::PORT_LINUX);
        if !header.has_vni() || (!known && header.has_unknown_bits()) {
            return None;
        }
        let (header, frame) = Vxlan::decapsulate(&self.payload).ok()?;
        (known || !matches!(frame.net, super::Net::Other { .. })).then_some((header, frame))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::packet::{Arp, ArpOp, Ethernet, Ipv4Addr, Mac, Net};
    use proptest::prelude::*;

    fn arp() -> Frame {
        let (a, b) = (Mac([2, 0, 0, 0, 0, 1]), Ipv4Addr::new(10, 0, 0, 1));
        let arp = Arp { op: ArpOp::Request, sender_mac: a, sender: b, target_mac: Mac::ZERO, target: Ipv4Addr::new(10, 0, 0, 2) };
        Frame { eth: Ethernet { dst: Mac::BROADCAST, src: a, ..Ethernet::default() }, net: Net::Arp(arp) }
    }

    #[test]
    fn the_bytes_are_those_of_the_rfc() {
        assert_eq!(Vxlan::new(42).encode(), [0x08, 0, 0, 0, 0, 0, 42, 0]);
        assert_eq!(Vxlan::new(0x0112_3456).encode(), [0x08, 0, 0, 0, 0x12, 0x34, 0x56, 0]);
        let data = Vxlan::new(1).encapsulate(&arp());
        assert_eq!(data.len(), 8 + 14 + 28);
        assert_eq!(&data[8..14], &[0xff; 6]);
        assert_eq!(Vxlan::decapsulate(&data).unwrap(), (Vxlan::new(1), arp()));
    }

    #[test]
    fn what_is_cut_is_refused() {
        assert!(Vxlan::decode(&[8, 0, 0, 0, 0, 0, 1]).is_err());
        assert!(Vxlan::decapsulate(&[8, 0, 0, 0, 0, 0, 1, 0, 2]).is_err());
        assert!(Vxlan::decapsulate(&Vxlan::new(1).encapsulate(&arp())[..40]).is_err());
    }

    #[test]
    fn a_datagram_is_taken_for_vxlan_by_its_port_or_its_looks() {
        let data = Vxlan::new(7).encapsulate(&arp());
        assert!(Udp::new(1, 4789, data.clone()).vxlan().is_some());
        assert!(Udp::new(1, 9999, data.clone()).vxlan().is_some());
        let mut odd = data.to_vec();
        odd[1] = 1;
        assert!(Udp::new(1, 8472, odd.clone().into()).vxlan().is_some());
        assert!(Udp::new(1, 9999, odd.into()).vxlan().is_none());
        assert!(Udp::new(1, 8472, "ABCDEFGHIJKLMNOPQRSTUVWXYZ".into()).vxlan().is_none());
    }

    proptest! {
        #[test]
        fn a_header_is_read_as_it_was_written(bytes in any::<[u8; 8]>()) {
            prop_assert_eq!(Vxlan::decode(&bytes).unwrap().encode(), bytes);
        }
    }
}
