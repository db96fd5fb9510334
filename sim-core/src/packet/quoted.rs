//! The packet inside an ICMP error: made from the offending packet, read by conntrack, sockets and path MTU
//! discovery, rewritten by NAT.
//!
//! It stays bytes, because it is cut anywhere behind the IP header and must be repeated as it was.
//! Readers return `None` for what the bytes do not reach; setters return whether they changed anything.

use super::checksum::{finish, sum, update};
use super::tuple::first_bytes_l4;
use super::{Ipv4Header, Ipv4Packet, Ipv6Header, Ipv6Packet, L4, Protocol, Quoted, Tuple};
use std::net::{Ipv4Addr, Ipv6Addr};

/// The fixed part of an IPv4 header.
const FIXED: usize = Ipv4Packet::HEADER_LEN;
/// Where its parts stand.
mod at {
    pub(super) const CHECKSUM: usize = 10;
    pub(super) const SRC: usize = 12;
    pub(super) const DST: usize = 16;
}

impl Quoted {
    /// The quote for an ICMP error about `packet`: as much of it as fits so that the error, its own IP header
    /// included, has no more than `max_total` bytes (576 by RFC 1812 4.3.2.3).
    pub fn of(packet: &Ipv4Packet, max_total: usize) -> Quoted {
        let mut bytes = packet.encode();
        bytes.truncate(max_total.saturating_sub(FIXED + 8));
        Quoted(bytes.into())
    }

    /// The quote for an ICMPv6 error about `packet`, the error having no more than `max_total` bytes (1280 by RFC 4443 2.4).
    pub fn of_v6(packet: &Ipv6Packet, max_total: usize) -> Quoted {
        let mut bytes = packet.encode();
        bytes.truncate(max_total.saturating_sub(Ipv6Packet::HEADER_LEN + 8));
        Quoted(bytes.into())
    }

    /// The fixed part of the IPv4 header and its length with options, if all of it is here.
    fn fixed(&self) -> Option<(&[u8; FIXED], usize)> {
        let h = self.0.first_chunk::<FIXED>()?;
        let len = usize::from(h[0] & 0x0f) * 4;
        (h[0] >> 4 == 4 && len >= FIXED && self.0.len() >= len).then_some((h, len))
    }

    /// The IPv4 header, options left out.
    pub fn header(&self) -> Option<Ipv4Header> {
        let (h, len) = self.fixed()?;
        // Over the options too, so not what the header without them would have.
        let mut zeroed = self.0[..len].to_vec();
        zeroed[at::CHECKSUM..at::SRC].fill(0);
        let right = finish(sum(0, &zeroed));
        Some(Ipv4Header::read(h, right))
    }

    /// Protocol number of the quoted IPv4 packet.
    pub fn protocol(&self) -> Option<Protocol> {
        self.fixed().map(|(h, _)| Protocol(h[9]))
    }

    /// Total length that the quoted IPv4 packet had, in bytes.
    pub fn total_len(&self) -> Option<u16> {
        self.fixed().map(|(h, _)| u16::from_be_bytes([h[2], h[3]]))
    }

    /// Time to live of the quoted IPv4 packet.
    pub fn ttl(&self) -> Option<u8> {
        self.fixed().map(|(h, _)| h[8])
    }

    /// The header checksum field of the quoted IPv4 packet.
    pub fn header_checksum(&self) -> Option<u16> {
        self.fixed().map(|(h, _)| u16::from_be_bytes([h[10], h[11]]))
    }

    /// Source address of the quoted IPv4 packet.
    pub fn src(&self) -> Option<Ipv4Addr> {
        self.fixed().map(|(h, _)| Ipv4Addr::new(h[12], h[13], h[14], h[15]))
    }

    /// Destination address of the quoted IPv4 packet.
    pub fn dst(&self) -> Option<Ipv4Addr> {
        self.fixed().map(|(h, _)| Ipv4Addr::new(h[16], h[17], h[18], h[19]))
    }

    /// What is here of the transport packet, from its first byte on; none of a fragment that begins later.
    pub fn transport(&self) -> Option<&[u8]> {
        let (h, len) = self.fixed()?;
        (u16::from_be_bytes([h[6], h[7]]) & 0x1fff == 0).then(|| &self.0[len..])
    }

    /// Source and destination port, of the protocols that have them.
    pub fn ports(&self) -> Option<(u16, u16)> {
        match self.tuple()?.l4 {
            L4::Ports { src, dst } => Some((src, dst)),
            _ => None,
        }
    }

    /// The tuple of the quoted IPv4 packet, as `nf_ct_get_tuplepr` reads it.
    pub fn tuple(&self) -> Option<Tuple<Ipv4Addr>> {
        let protocol = self.protocol()?;
        Some(Tuple { src: self.src()?, dst: self.dst()?, protocol, l4: first_bytes_l4(protocol, self.transport()?)? })
    }

    /// The fixed header of a quoted IPv6 packet, its next-header number and payload length.
    pub fn header_v6(&self) -> Option<(Ipv6Header, Protocol, u16)> {
        let h = self.0.first_chunk::<{ Ipv6Packet::HEADER_LEN }>()?;
        (h[0] >> 4 == 6).then(|| (Ipv6Header::read(h), Protocol(h[6]), u16::from_be_bytes([h[4], h[5]])))
    }

    /// What is here of the transport packet in a quoted IPv6 packet; extension headers are not walked.
    pub fn transport_v6(&self) -> Option<&[u8]> {
        self.header_v6().and_then(|_| self.0.get(Ipv6Packet::HEADER_LEN..))
    }

    /// The tuple of a quoted IPv6 packet without extension headers.
    pub fn tuple_v6(&self) -> Option<Tuple<Ipv6Addr>> {
        let (h, protocol, _) = self.header_v6()?;
        Some(Tuple { src: h.src, dst: h.dst, protocol, l4: first_bytes_l4(protocol, self.transport_v6()?)? })
    }

    /// Changes the source address, and the checksums that cover it as far as they are here.
    pub fn set_src(&mut self, addr: Ipv4Addr) -> bool {
        self.set_addr(at::SRC, addr)
    }

    /// Changes the destination address, and the checksums that cover it as far as they are here.
    pub fn set_dst(&mut self, addr: Ipv4Addr) -> bool {
        self.set_addr(at::DST, addr)
    }

    /// Changes the source port and its checksum as far as it is here.
    pub fn set_src_port(&mut self, port: u16) -> bool {
        self.set_port(0, port)
    }

    /// Changes the destination port and its checksum as far as it is here.
    pub fn set_dst_port(&mut self, port: u16) -> bool {
        self.set_port(2, port)
    }

    /// Changes the identifier of a quoted ICMP query, and its checksum.
    pub fn set_icmp_id(&mut self, id: u16) -> bool {
        let Some(Tuple { l4: L4::Icmp { .. }, .. }) = self.tuple() else { return false };
        let Some((_, len)) = self.fixed() else { return false };
        self.replace(len + 4, &id.to_be_bytes(), Some(len + 2))
    }

    /// Where the checksum of the transport packet stands. TCP's counts as here only with the whole header,
    /// as in `tcp_manip_pkt`; SCTP's CRC is left alone.
    fn transport_checksum(&self) -> Option<usize> {
        let (_, len) = self.fixed()?;
        match (self.protocol()?, self.transport()?.len()) {
            (Protocol::TCP, 20..) => Some(len + 16),
            (Protocol::UDP, 8..) => Some(len + 6),
            _ => None,
        }
    }

    fn set_addr(&mut self, at: usize, addr: Ipv4Addr) -> bool {
        if self.fixed().is_none() {
            return false;
        }
        let transport = self.transport_checksum();
        self.replace_under(at, &addr.octets(), [Some(at::CHECKSUM), transport])
    }

    fn set_port(&mut self, at: usize, port: u16) -> bool {
        let (Some((_, len)), Some(_)) = (self.fixed(), self.ports()) else { return false };
        let transport = self.transport_checksum();
        self.replace(len + at, &port.to_be_bytes(), transport)
    }

    fn replace(&mut self, at: usize, new: &[u8], checksum: Option<usize>) -> bool {
        self.replace_under(at, new, [checksum, None])
    }

    /// Puts `new` at `at` and updates the checksums at `checksums`.
    fn replace_under(&mut self, at: usize, new: &[u8], checksums: [Option<usize>; 2]) -> bool {
        let udp = self.protocol() == Some(Protocol::UDP);
        let bytes = self.0.to_mut();
        let Some(old) = bytes.get_mut(at..at + new.len()) else { return false };
        let mut before = [0u8; 4];
        before[..new.len()].copy_from_slice(old);
        old.copy_from_slice(new);
        for checksum in checksums.into_iter().flatten() {
            let Some(field) = bytes.get_mut(checksum..).and_then(|b| b.first_chunk_mut::<2>()) else { continue };
            let seen = u16::from_be_bytes(*field);
            let of_udp = udp && checksum != at::CHECKSUM;
            if of_udp && seen == 0 {
                continue; // not computed
            }
            let mut changed = update(seen, &before[..new.len()], new);
            if of_udp && changed == 0 {
                changed = 0xffff; // CSUM_MANGLED_0
            }
            *field = changed.to_be_bytes();
        }
        true
    }
}
