//! Representable frames of every kind, for the property tests.

use crate::packet::*;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

pub(super) fn bytes(max: usize) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..=max).prop_map(Bytes::from)
}

/// Mostly right checksums.
fn error() -> impl Strategy<Value = u16> {
    prop_oneof![3 => Just(0), 1 => any::<u16>()]
}

fn mac() -> impl Strategy<Value = Mac> {
    any::<[u8; 6]>().prop_map(Mac)
}

fn v4() -> impl Strategy<Value = Ipv4Addr> {
    any::<[u8; 4]>().prop_map(Ipv4Addr::from)
}

fn v6() -> impl Strategy<Value = Ipv6Addr> {
    any::<[u8; 16]>().prop_map(Ipv6Addr::from)
}

fn arp() -> impl Strategy<Value = Arp> {
    (any::<bool>(), mac(), v4(), mac(), v4()).prop_map(|(request, sender_mac, sender, target_mac, target)| Arp {
        op: if request { ArpOp::Request } else { ArpOp::Reply },
        sender_mac,
        sender,
        target_mac,
        target,
    })
}

prop_compose! {
    fn tcp()(
        (src_port, dst_port, window, urgent) in any::<(u16, u16, u16, u16)>(),
        (seq, ack, flags) in any::<(u32, u32, u8)>(),
        checksum_error in error(),
        options in vec(any::<[u8; 4]>(), 0..=10),
        payload in bytes(64),
    ) -> Tcp {
        let options = TcpOptions::from(options.as_flattened());
        Tcp { src_port, dst_port, seq, ack, flags: TcpFlags(flags), window, urgent, checksum_error, options, payload }
    }
}

prop_compose! {
    fn udp()((src_port, dst_port) in any::<(u16, u16)>(), no_checksum in prop::bool::weighted(0.2), error in error(), payload in bytes(64)) -> Udp {
        Udp { src_port, dst_port, no_checksum, checksum_error: if no_checksum { 0 } else { error }, payload }
    }
}

fn quoted() -> impl Strategy<Value = Quoted> {
    bytes(60).prop_map(Quoted)
}

fn icmp() -> impl Strategy<Value = Icmp> {
    let kind = prop_oneof![
        (any::<(u16, u16)>(), bytes(40)).prop_map(|((id, seq), payload)| IcmpKind::EchoRequest { id, seq, payload }),
        (any::<(u16, u16)>(), bytes(40)).prop_map(|((id, seq), payload)| IcmpKind::EchoReply { id, seq, payload }),
        (any::<(u8, u16)>(), quoted()).prop_map(|((code, mtu), quoted)| IcmpKind::Unreachable { code, mtu, quoted }),
        (any::<u8>(), v4(), quoted()).prop_map(|(code, gateway, quoted)| IcmpKind::Redirect { code, gateway, quoted }),
        (any::<u8>(), quoted()).prop_map(|(code, quoted)| IcmpKind::TimeExceeded { code, quoted }),
        (13..=18u8, any::<(u8, [u8; 4])>(), bytes(40)).prop_map(|(kind, (code, rest), payload)| IcmpKind::Other {
            kind,
            code,
            rest,
            payload
        }),
    ];
    (kind, error()).prop_map(|(kind, checksum_error)| Icmp { kind, checksum_error })
}

fn icmpv6() -> impl Strategy<Value = Icmpv6> {
    let kind = prop_oneof![
        (any::<(u16, u16)>(), bytes(40)).prop_map(|((id, seq), payload)| Icmpv6Kind::EchoRequest { id, seq, payload }),
        (any::<(u16, u16)>(), bytes(40)).prop_map(|((id, seq), payload)| Icmpv6Kind::EchoReply { id, seq, payload }),
        (any::<u8>(), quoted()).prop_map(|(code, quoted)| Icmpv6Kind::Unreachable { code, quoted }),
        (any::<u32>(), quoted()).prop_map(|(mtu, quoted)| Icmpv6Kind::PacketTooBig { mtu, quoted }),
        (any::<u8>(), quoted()).prop_map(|(code, quoted)| Icmpv6Kind::TimeExceeded { code, quoted }),
        (v6(), bytes(16)).prop_map(|(target, options)| Icmpv6Kind::NeighbourSolicitation { target, options }),
        (any::<u8>(), v6(), bytes(16)).prop_map(|(flags, target, options)| Icmpv6Kind::NeighbourAdvertisement { flags, target, options }),
        (133..=134u8, any::<(u8, [u8; 4])>(), bytes(40)).prop_map(|(kind, (code, rest), payload)| Icmpv6Kind::Other {
            kind,
            code,
            rest,
            payload
        }),
    ];
    (kind, error()).prop_map(|(kind, checksum_error)| Icmpv6 { kind, checksum_error })
}

fn other() -> impl Strategy<Value = Body> {
    (prop::sample::select(&[0u8, 2, 4, 41, 44, 47, 50, 132, 255]), bytes(64))
        .prop_map(|(protocol, bytes)| Body::Other { protocol: Protocol(protocol), bytes })
}

prop_compose! {
    fn ipv4()(
        (tos, id, dont_fragment, ttl) in any::<(u8, u16, bool, u8)>(),
        (src, dst) in (v4(), v4()),
        checksum_error in error(),
        // A fragment's offset in units of 8 bytes, and MF.
        fragment in option::weighted(0.15, (0..0x2000u16, any::<bool>())),
        body in prop_oneof![3 => tcp().prop_map(Body::Tcp), 3 => udp().prop_map(Body::Udp), 4 => icmp().prop_map(Body::Icmp), 1 => other()],
        (protocol, bytes) in (any::<u8>(), bytes(64)),
    ) -> Ipv4Packet {
        let (fragment_offset, more_fragments) = fragment.map_or((0, false), |(o, mf)| (o * 8, mf));
        let body = if fragment_offset != 0 || more_fragments { Body::Fragment { protocol: Protocol(protocol), bytes } } else { body };
        Ipv4Packet { header: Ipv4Header { tos, id, dont_fragment, more_fragments, fragment_offset, ttl, src, dst, checksum_error }, body }
    }
}

prop_compose! {
    fn ipv6()(
        (traffic_class, hop_limit) in any::<(u8, u8)>(),
        flow_label in 0..1u32 << 20,
        (src, dst) in (v6(), v6()),
        body in prop_oneof![tcp().prop_map(Body::Tcp), udp().prop_map(Body::Udp), icmpv6().prop_map(Body::Icmpv6), other()],
    ) -> Ipv6Packet {
        Ipv6Packet { header: Ipv6Header { traffic_class, flow_label, hop_limit, src, dst }, body }
    }
}

/// A checksum error that makes the field zero cannot be told from no checksum.
fn zero_udp_field(net: &Net) -> bool {
    let (udp, pseudo) = match net {
        Net::Ipv4(Ipv4Packet { header, body: Body::Udp(udp) }) => (udp, header.pseudo()),
        Net::Ipv6(Ipv6Packet { header, body: Body::Udp(udp) }) => (udp, header.pseudo()),
        _ => return false,
    };
    !udp.no_checksum && udp.checksum(pseudo) == 0
}

/// None, one or two tags, most often none.
fn tags() -> impl Strategy<Value = VlanTags> {
    let tag = (any::<bool>(), any::<u16>())
        .prop_map(|(outer, tci)| VlanTag { protocol: if outer { VlanProtocol::Dot1ad } else { VlanProtocol::Dot1q }, tci });
    (prop_oneof![3 => Just(0usize), 1 => Just(1), 1 => Just(2)], tag.clone(), tag).prop_map(|(n, a, b)| {
        let mut tags = VlanTags::default();
        for t in [a, b].into_iter().take(n) {
            assert!(tags.push(t));
        }
        tags
    })
}

/// Any representable frame.
pub(super) fn frame() -> impl Strategy<Value = Frame> {
    let net = prop_oneof![
        1 => arp().prop_map(Net::Arp),
        5 => ipv4().prop_map(Net::Ipv4),
        3 => ipv6().prop_map(Net::Ipv6),
        1 => (prop::sample::select(&[46u16, 0x88cc, 0xffff]), bytes(64)).prop_map(|(ethertype, payload)| Net::Other { ethertype, payload }),
    ];
    let net = net.prop_filter("a UDP checksum field of zero", |net| !zero_udp_field(net));
    (mac(), mac(), tags(), net).prop_map(|(dst, src, tags, net)| Frame { eth: Ethernet { dst, src, tags }, net })
}
