//! Rewriting addresses and ports of packets, and of packets quoted by ICMP errors.
//!
//! Models: net/netfilter/nf_nat_proto.c nf_nat_ipv4_manip_pkt, l4proto_manip_pkt; include/net/checksum.h csum_replace4.
//! Spec: RFC 1624 (incremental checksums), RFC 9260 appendix A (CRC32c of SCTP).

use crate::linux::conntrack::Manip;
use crate::linux::conntrack::tuple::{destination_part, source_part};
use crate::packet::{Body, Bytes, IcmpKind, Ipv4Addr, Ipv4Packet, L4, Protocol, Quoted, Tuple};

fn part(target: &Tuple<Ipv4Addr>, manip: Manip) -> u16 {
    match manip {
        Manip::Src => source_part(target.l4),
        Manip::Dst => destination_part(target.l4),
    }
}

/// Sets one end of the packet to what `target` has. True if that changed anything.
pub(super) fn manip_packet(ip: &mut Ipv4Packet, target: &Tuple<Ipv4Addr>, manip: Manip) -> bool {
    let mut changed = false;
    let mut set = |field: &mut u16, value: u16| {
        changed |= *field != value;
        *field = value;
    };
    let value = part(target, manip);
    let (from, to) = match manip {
        Manip::Src => (ip.header.src, target.src),
        Manip::Dst => (ip.header.dst, target.dst),
    };
    if target.l4 != L4::None {
        match &mut ip.body {
            Body::Tcp(t) => set(if manip == Manip::Src { &mut t.src_port } else { &mut t.dst_port }, value),
            Body::Udp(u) => set(if manip == Manip::Src { &mut u.src_port } else { &mut u.dst_port }, value),
            Body::Icmp(m) => match &mut m.kind {
                IcmpKind::EchoRequest { id, .. } | IcmpKind::EchoReply { id, .. } => set(id, value),
                IcmpKind::Other { kind: 13..=18, rest, .. } => {
                    let mut id = u16::from_be_bytes([rest[0], rest[1]]);
                    set(&mut id, value);
                    [rest[0], rest[1]] = id.to_be_bytes();
                }
                _ => {}
            },
            Body::Other { protocol, bytes } => {
                if let Some(new) = manip_bytes(*protocol, bytes, manip, value, from, to) {
                    changed |= new != **bytes;
                    *bytes = new.into();
                }
            }
            Body::Icmpv6(_) | Body::Fragment { .. } => {}
        }
    }
    changed |= from != to;
    match manip {
        Manip::Src => ip.header.src = to,
        Manip::Dst => ip.header.dst = to,
    }
    changed
}

/// The quoted packet with one end set to what `target` has, checksums following; none if too little of it is there.
pub(super) fn manip_quoted(quoted: &Quoted, target: &Tuple<Ipv4Addr>, manip: Manip) -> Option<Quoted> {
    let mut bytes = quoted.0.to_vec();
    let head = bytes.get(..20)?;
    let header_len = usize::from(head[0] & 0x0f) * 4;
    let protocol = Protocol(head[9]);
    let at = if manip == Manip::Src { 12 } else { 16 };
    let from = Ipv4Addr::new(head[at], head[at + 1], head[at + 2], head[at + 3]);
    let to = if manip == Manip::Src { target.src } else { target.dst };
    let body = manip_bytes(protocol, bytes.get(header_len..)?, manip, part(target, manip), from, to)?;
    bytes[header_len..].copy_from_slice(&body);
    bytes[at..at + 4].copy_from_slice(&to.octets());
    replace_addr(&mut bytes, 10, from, to);
    Some(Quoted(Bytes::from(bytes)))
}

/// The transport bytes with another port (or identifier) at one end; none if the header is cut too short.
fn manip_bytes(protocol: Protocol, bytes: &[u8], manip: Manip, value: u16, from: Ipv4Addr, to: Ipv4Addr) -> Option<Vec<u8>> {
    let mut out = bytes.to_vec();
    let end = if manip == Manip::Src { 0 } else { 2 };
    let port = |out: &mut Vec<u8>| -> Option<u16> {
        let field = out.get_mut(end..end + 2)?;
        let old = u16::from_be_bytes([field[0], field[1]]);
        field.copy_from_slice(&value.to_be_bytes());
        Some(old)
    };
    match protocol.0 {
        6 => {
            bytes.get(..8)?;
            let old = port(&mut out)?;
            if out.len() >= 20 {
                replace_addr(&mut out, 16, from, to);
                replace_word(&mut out, 16, old, value);
            }
        }
        17 | 136 => {
            bytes.get(..8)?;
            let old = port(&mut out)?;
            if out[6..8] != [0, 0] {
                replace_addr(&mut out, 6, from, to);
                replace_word(&mut out, 6, old, value);
                if out[6..8] == [0, 0] {
                    out[6..8].copy_from_slice(&[0xff, 0xff]);
                }
            }
        }
        132 => {
            bytes.get(..8)?;
            port(&mut out)?;
            if out.len() >= 12 {
                out[8..12].fill(0);
                let crc = crc32c(&out);
                out[8..12].copy_from_slice(&crc.to_le_bytes());
            }
        }
        1 => {
            let head = bytes.get(..8)?;
            if matches!(head[0], 0 | 8 | 13..=18) {
                let old = u16::from_be_bytes([head[4], head[5]]);
                out[4..6].copy_from_slice(&value.to_be_bytes());
                replace_word(&mut out, 2, old, value);
            }
        }
        _ => {}
    }
    Some(out)
}

/// Corrects the checksum at `at` for a word that changed.
fn replace_word(bytes: &mut [u8], at: usize, from: u16, to: u16) {
    let Some(field) = bytes.get_mut(at..at + 2) else { return };
    let check = u16::from_be_bytes([field[0], field[1]]);
    let mut sum = u32::from(!check) + u32::from(!from) + u32::from(to);
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    field.copy_from_slice(&(!(sum as u16)).to_be_bytes());
}

/// Corrects the checksum at `at` for an address that changed.
fn replace_addr(bytes: &mut [u8], at: usize, from: Ipv4Addr, to: Ipv4Addr) {
    let (from, to) = (from.octets(), to.octets());
    for i in [0, 2] {
        replace_word(bytes, at, u16::from_be_bytes([from[i], from[i + 1]]), u16::from_be_bytes([to[i], to[i + 1]]));
    }
}

/// The checksum of SCTP.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes
        .iter()
        .fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 1 { c >> 1 ^ 0x82f6_3b78 } else { c >> 1 }))
}
