//! Rewriting addresses and ports of packets, and of packets quoted by ICMP errors.
//!
//! Models: net/netfilter/nf_nat_proto.c nf_nat_ipv4_manip_pkt, l4proto_manip_pkt; include/net/checksum.h csum_replace4.
//! Spec: RFC 1624 (incremental checksums), RFC 9260 appendix A (CRC32c of SCTP).
//! Seen in: 05-docker-publish-dnat, 06-clusterip-remote-pod, 103-egress-masquerade.

use crate::linux::conntrack::Manip;
use crate::linux::conntrack::tuple::{destination_part, source_part};
use crate::packet::checksum::update;
use crate::packet::{Body, IcmpKind, Ipv4Addr, Ipv4Packet, L4, Protocol, Quoted, Tuple};

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
    let mut out = quoted.clone();
    let value = part(target, manip);
    let here = quoted.transport()?.len();
    match quoted.tuple()?.l4 {
        L4::Ports { .. } | L4::Icmp { .. } if here < 8 => return None,
        L4::Ports { .. } if manip == Manip::Src => out.set_src_port(value),
        L4::Ports { .. } => out.set_dst_port(value),
        L4::Icmp { .. } => out.set_icmp_id(value),
        L4::None => false,
    };
    match manip {
        Manip::Src => out.set_src(target.src),
        Manip::Dst => out.set_dst(target.dst),
    };
    Some(out)
}

/// The bytes of a transport packet that has no type here with another port at one end; none if there is nothing to change.
fn manip_bytes(protocol: Protocol, bytes: &[u8], manip: Manip, value: u16, from: Ipv4Addr, to: Ipv4Addr) -> Option<Vec<u8>> {
    let mut out = bytes.to_vec();
    let at = if manip == Manip::Src { 0 } else { 2 };
    let old = [*out.get(at)?, *out.get(at + 1)?];
    let new = value.to_be_bytes();
    out[at..at + 2].copy_from_slice(&new);
    let checksum = match protocol {
        Protocol::TCP => 16,
        Protocol::UDP | Protocol(136) => 6,
        Protocol(132) => {
            out.get_mut(8..12)?.fill(0);
            let crc = crc32c(&out);
            out[8..12].copy_from_slice(&crc.to_le_bytes());
            return Some(out);
        }
        _ => return None,
    };
    let field = out.get_mut(checksum..checksum + 2)?;
    let seen = u16::from_be_bytes([field[0], field[1]]);
    let udp = protocol != Protocol::TCP;
    if !udp || seen != 0 {
        let mut changed = update(update(seen, &from.octets(), &to.octets()), &old, &new);
        if udp && changed == 0 {
            changed = 0xffff;
        }
        field.copy_from_slice(&changed.to_be_bytes());
    }
    Some(out)
}

/// The checksum of SCTP.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes
        .iter()
        .fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 1 { c >> 1 ^ 0x82f6_3b78 } else { c >> 1 }))
}
