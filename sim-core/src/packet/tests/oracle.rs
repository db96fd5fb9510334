//! Our bytes read by an independent decoder, which also computes every checksum again.

use super::strategy::frame;
use crate::packet::*;
use etherparse::{
    ArpPacket, Ethernet2Header, Icmpv4Header, Icmpv4Type, Icmpv6Slice, Ipv4Header as TheirIpv4, Ipv6Header as TheirIpv6, SingleVlanHeader,
    TcpHeader, TcpSlice, UdpHeader, UdpSlice,
};
use proptest::prelude::*;

fn flags(h: &TcpHeader) -> u8 {
    [h.fin, h.syn, h.rst, h.psh, h.ack, h.urg, h.ece, h.cwr].iter().enumerate().map(|(n, b)| u8::from(*b) << n).sum()
}

fn check_tcp(t: &Tcp, bytes: &[u8], right: impl Fn(&TcpHeader, &[u8]) -> u16) -> Result<(), TestCaseError> {
    let theirs = TcpSlice::from_slice(bytes).unwrap();
    let h = theirs.to_header();
    prop_assert_eq!((h.source_port, h.destination_port), (t.src_port, t.dst_port));
    prop_assert_eq!((h.sequence_number, h.acknowledgment_number), (t.seq, t.ack));
    prop_assert_eq!((flags(&h), h.ns), (t.flags.0, false));
    prop_assert_eq!((h.window_size, h.urgent_pointer), (t.window, t.urgent));
    prop_assert_eq!(theirs.options(), t.options.bytes());
    prop_assert_eq!(theirs.payload(), &t.payload[..]);
    prop_assert_eq!(right(&h, theirs.payload()) ^ t.checksum_error, h.checksum);
    Ok(())
}

fn check_udp(u: &Udp, bytes: &[u8], right: impl Fn(&UdpHeader, &[u8]) -> u16) -> Result<(), TestCaseError> {
    let theirs = UdpSlice::from_slice(bytes).unwrap();
    let h = theirs.to_header();
    prop_assert_eq!((h.source_port, h.destination_port, usize::from(h.length)), (u.src_port, u.dst_port, bytes.len()));
    prop_assert_eq!(theirs.payload(), &u.payload[..]);
    let expected = if u.no_checksum { 0 } else { right(&h, theirs.payload()) ^ u.checksum_error };
    prop_assert_eq!(h.checksum, expected);
    Ok(())
}

fn check_icmp(m: &Icmp, bytes: &[u8]) -> Result<(), TestCaseError> {
    prop_assert_eq!((bytes[0], bytes[1]), m.type_code());
    let Ok((h, data)) = Icmpv4Header::from_slice(bytes) else { return Ok(()) };
    match (&h.icmp_type, &m.kind) {
        (Icmpv4Type::EchoRequest(e), IcmpKind::EchoRequest { id, seq, .. })
        | (Icmpv4Type::EchoReply(e), IcmpKind::EchoReply { id, seq, .. }) => {
            prop_assert_eq!((e.id, e.seq), (*id, *seq));
        }
        (Icmpv4Type::Redirect(r), IcmpKind::Redirect { gateway, code, .. }) => {
            prop_assert_eq!((r.gateway_internet_address, r.code as u8), (gateway.octets(), *code));
        }
        (Icmpv4Type::DestinationUnreachable(etherparse::icmpv4::DestUnreachableHeader::FragmentationNeeded { next_hop_mtu }), kind) => {
            prop_assert!(matches!(kind, IcmpKind::Unreachable { code: 4, mtu, .. } if mtu == next_hop_mtu), "{kind:?}");
        }
        _ => {}
    }
    // Over the bytes as they stand: their typed header forgets bytes that should be zero.
    let mut zeroed = bytes.to_vec();
    zeroed[2..4].fill(0);
    let right = etherparse::checksum::Sum16BitWords::new().add_slice(&zeroed).ones_complement().to_be();
    prop_assert_eq!(h.checksum ^ right, m.checksum_error);
    prop_assert!(bytes.ends_with(data) && m.data().ends_with(data));
    Ok(())
}

fn check_ipv4(p: &Ipv4Packet, bytes: &[u8]) -> Result<(), TestCaseError> {
    let (h, rest) = TheirIpv4::from_slice(bytes).unwrap();
    let ours = &p.header;
    prop_assert_eq!((h.source, h.destination), (ours.src.octets(), ours.dst.octets()));
    prop_assert_eq!((h.time_to_live, h.protocol.0, h.identification), (ours.ttl, p.body.protocol().0, ours.id));
    prop_assert_eq!((h.dscp.value() << 2) | h.ecn.value(), ours.tos);
    prop_assert_eq!((h.dont_fragment, h.more_fragments), (ours.dont_fragment, ours.more_fragments));
    prop_assert_eq!(h.fragment_offset.byte_offset(), ours.fragment_offset);
    prop_assert_eq!((usize::from(h.total_len), rest.len()), (p.len(), p.body.len()));
    prop_assert_eq!(h.calc_header_checksum() ^ ours.checksum_error, h.header_checksum);
    match &p.body {
        Body::Tcp(t) => check_tcp(t, rest, |tcp, data| tcp.calc_checksum_ipv4(&h, data).unwrap()),
        Body::Udp(u) => check_udp(u, rest, |udp, data| udp.calc_checksum_ipv4(&h, data).unwrap()),
        Body::Icmp(m) => check_icmp(m, rest),
        Body::Icmpv6(_) => Err(TestCaseError::fail("ICMPv6 in IPv4")),
        Body::Fragment { bytes, .. } | Body::Other { bytes, .. } => {
            prop_assert_eq!(rest, &bytes[..]);
            Ok(())
        }
    }
}

fn check_ipv6(p: &Ipv6Packet, bytes: &[u8]) -> Result<(), TestCaseError> {
    let (h, rest) = TheirIpv6::from_slice(bytes).unwrap();
    let ours = &p.header;
    prop_assert_eq!((h.source, h.destination), (ours.src.octets(), ours.dst.octets()));
    prop_assert_eq!((h.hop_limit, h.next_header.0), (ours.hop_limit, p.body.protocol().0));
    prop_assert_eq!((h.traffic_class, h.flow_label.value()), (ours.traffic_class, ours.flow_label));
    prop_assert_eq!((usize::from(h.payload_length), rest.len()), (p.body.len(), p.body.len()));
    match &p.body {
        Body::Tcp(t) => check_tcp(t, rest, |tcp, data| tcp.calc_checksum_ipv6(&h, data).unwrap()),
        Body::Udp(u) => check_udp(u, rest, |udp, data| udp.calc_checksum_ipv6(&h, data).unwrap()),
        Body::Icmpv6(m) => {
            let theirs = Icmpv6Slice::from_slice(rest).unwrap();
            prop_assert_eq!((theirs.type_u8(), theirs.code_u8()), m.type_code());
            // 0xffff and 0 are the same to a receiver.
            prop_assert_eq!(
                theirs.is_checksum_valid(h.source, h.destination),
                matches!(m.checksum_error, 0 | 0xffff) && { m.checksum_error == 0 || matches!(theirs.checksum(), 0 | 0xffff) }
            );
            Ok(())
        }
        Body::Icmp(_) => Err(TestCaseError::fail("ICMP in IPv6")),
        Body::Fragment { bytes, .. } | Body::Other { bytes, .. } => {
            prop_assert_eq!(rest, &bytes[..]);
            Ok(())
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn another_decoder_reads_the_same(frame in frame()) {
        let bytes = frame.encode();
        let (eth, rest) = Ethernet2Header::from_slice(&bytes).unwrap();
        prop_assert_eq!((Mac(eth.destination), Mac(eth.source)), (frame.eth.dst, frame.eth.src));
        let (mut ether_type, mut rest) = (eth.ether_type.0, rest);
        for tag in frame.eth.tags.iter() {
            let (theirs, behind) = SingleVlanHeader::from_slice(rest).unwrap();
            let dei = u16::from(theirs.drop_eligible_indicator) << 12;
            prop_assert_eq!(ether_type, tag.protocol.ethertype());
            prop_assert_eq!(u16::from(theirs.pcp.value()) << 13 | dei | theirs.vlan_id.value(), tag.tci);
            (ether_type, rest) = (theirs.ether_type.0, behind);
        }
        prop_assert_eq!(ether_type, frame.net.ethertype());
        match &frame.net {
            Net::Arp(a) => {
                let theirs = ArpPacket::from_slice(rest).unwrap().try_eth_ipv4().unwrap();
                prop_assert_eq!((theirs.operation.0, theirs.sender_mac, theirs.target_mac), (a.op.code(), a.sender_mac.0, a.target_mac.0));
                prop_assert_eq!((theirs.sender_ipv4, theirs.target_ipv4), (a.sender.octets(), a.target.octets()));
            }
            Net::Ipv4(p) => check_ipv4(p, rest)?,
            Net::Ipv6(p) => check_ipv6(p, rest)?,
            Net::Other { payload, .. } => prop_assert_eq!(rest, &payload[..]),
        }
    }
}
