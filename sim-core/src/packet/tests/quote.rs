//! Quoted packets and tuples.

use super::strategy::frame;
use crate::packet::*;
use proptest::prelude::*;

const SRC: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 2);
const DST: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);

pub(super) fn packet(body: Body) -> Ipv4Packet {
    let header = Ipv4Header {
        tos: 0,
        id: 0x1c46,
        dont_fragment: true,
        more_fragments: false,
        fragment_offset: 0,
        ttl: 64,
        src: SRC,
        dst: DST,
        checksum_error: 0,
    };
    Ipv4Packet { header, body }
}

pub(super) fn tcp(payload: &str) -> Tcp {
    Tcp {
        src_port: 40000,
        dst_port: 80,
        seq: 1,
        ack: 0,
        flags: TcpFlags::SYN,
        window: 64240,
        urgent: 0,
        checksum_error: 0,
        options: TcpOptions(None),
        payload: payload.into(),
    }
}

fn echo(id: u16) -> Body {
    Body::Icmp(Icmp::new(IcmpKind::EchoRequest { id, seq: 1, payload: Bytes::filled(0x61, 33) }))
}

#[test]
fn a_quote_fills_the_error_and_no_more() {
    let big = packet(Body::Udp(Udp::new(1, 2, Bytes::filled(7, 1000))));
    assert_eq!(Quoted::of(&big, 576).0.len(), 576 - 28);
    assert_eq!(Quoted::of(&big, 10_000).0[..], big.encode()[..]);
    assert_eq!(Quoted::of(&big, 3), Quoted::default());
    let q = Quoted::of(&big, 20 + 8 + 28);
    assert_eq!((q.total_len(), q.ttl(), q.protocol(), q.ports()), (Some(1028), Some(64), Some(Protocol::UDP), Some((1, 2))));
    assert_eq!((q.header(), q.tuple()), (Some(big.header), Tuple::<Ipv4Addr>::of(&big)));
    let six = Ipv6Header { traffic_class: 0, flow_label: 0, hop_limit: 64, src: Ipv6Addr::LOCALHOST, dst: Ipv6Addr::UNSPECIFIED };
    let six = Ipv6Packet { header: six, body: Body::Udp(Udp::new(1, 2, Bytes::filled(7, 2000))) };
    let q = Quoted::of_v6(&six, 1280);
    assert_eq!((q.0.len(), q.header_v6(), q.tuple_v6()), (1232, Some((six.header, Protocol::UDP, 2008)), Tuple::<Ipv6Addr>::of(&six)));
    assert_eq!(q.tuple(), None);
}

#[test]
fn a_quote_says_only_what_it_reaches() {
    let whole = Quoted::of(&packet(Body::Tcp(tcp(""))), 576);
    for n in 0..whole.0.len() {
        let mut q = Quoted(whole.0[..n].into());
        assert_eq!(q.tuple().is_some(), n >= 24, "{n}");
        assert_eq!(q.header().is_some(), n >= 20, "{n}");
        assert_eq!(q.set_src(DST), n >= 20, "{n}");
        assert_eq!(q.set_dst_port(1), n >= 24, "{n}");
        assert!(!q.set_icmp_id(1));
        assert_eq!(q.0.len(), n);
    }
    let mut options = whole.0.to_vec();
    options[0] = 0x46;
    options.splice(20..20, [1, 1, 1, 0]);
    let mut q = Quoted(options.into());
    assert_eq!((q.ports(), q.set_src_port(7), q.ports()), (Some((40000, 80)), true, Some((7, 80))));
    let mut late = whole.0.to_vec();
    late[7] = 1; // offset 8
    assert_eq!(Quoted(late.into()).tuple(), None);
    let mut first = whole.0.to_vec();
    first[6] = 0x20; // MF: the ports are there
    assert!(Quoted(first.into()).tuple().is_some());
}

#[test]
fn header_of_a_quote_with_options_knows_its_checksum() {
    // 192.0.2.1 > 192.0.2.2, UDP, options nop nop nop eol; the checksum covers them.
    let b = [0x46, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 1, 1, 1, 0, 0, 1, 0, 2, 0, 8, 0, 0];
    let right = checksum::finish(checksum::sum(0, &b[..24]));
    let mut good = b;
    good[10..12].copy_from_slice(&right.to_be_bytes());
    assert_eq!(Quoted(good[..].into()).header().unwrap().checksum_error, 0);
    good[11] ^= 4;
    assert_eq!(Quoted(good[..].into()).header().unwrap().checksum_error, 4);
}

#[test]
fn udp_without_checksum_stays_without() {
    let mut udp = Udp::new(5, 6, "x".into());
    udp.no_checksum = true;
    let mut q = Quoted::of(&packet(Body::Udp(udp)), 576);
    assert!(q.set_dst(SRC) && q.set_dst_port(9));
    let Body::Udp(u) = Ipv4Packet::decode(&q.0).unwrap().body else { panic!("no UDP") };
    assert!(u.no_checksum);
}

#[test]
fn tuples_print_as_conntrack_does() {
    let of = |body| Tuple::<Ipv4Addr>::of(&packet(body)).map(|t| (t.to_string(), t.inverted().map(|i| i.to_string())));
    let text = |a: &str, b: &str| Some((a.to_owned(), Some(b.to_owned())));
    assert_eq!(
        of(Body::Tcp(tcp(""))),
        text("src=10.244.0.2 dst=10.96.0.10 sport=40000 dport=80", "src=10.96.0.10 dst=10.244.0.2 sport=80 dport=40000")
    );
    assert_eq!(of(echo(5)), text("src=10.244.0.2 dst=10.96.0.10 type=8 code=0 id=5", "src=10.96.0.10 dst=10.244.0.2 type=0 code=0 id=5"));
    assert_eq!(
        of(Body::Other { protocol: Protocol(89), bytes: "hello".into() }),
        text("src=10.244.0.2 dst=10.96.0.10", "src=10.96.0.10 dst=10.244.0.2")
    );
    assert_eq!(of(Body::Fragment { protocol: Protocol::TCP, bytes: Bytes::filled(0, 64) }), None);
    assert_eq!(of(Body::Icmp(Icmp::new(IcmpKind::TimeExceeded { code: 0, quoted: Quoted::default() }))), None);
    // Malformed TCP is no flow; a datagram with bytes behind it is one.
    assert_eq!(of(Body::Other { protocol: Protocol::TCP, bytes: Bytes::filled(0, 19) }), None);
    assert!(of(Body::Other { protocol: Protocol::UDP, bytes: (&[0u8, 1, 0, 2, 0, 8, 0, 0, 9][..]).into() }).is_some());
}

#[test]
fn every_query_has_its_answer() {
    for (query, answer) in [(8, 0), (13, 14), (15, 16), (17, 18)] {
        let tuple = |kind| Tuple { src: SRC, dst: DST, protocol: Protocol::ICMP, l4: L4::Icmp { kind, code: 0, id: 9 } };
        let back = Tuple { src: DST, dst: SRC, ..tuple(answer) };
        assert_eq!(tuple(query).inverted(), Some(back));
        assert_eq!(back.inverted(), Some(tuple(query)));
    }
    let error = Tuple { src: SRC, dst: DST, protocol: Protocol::ICMP, l4: L4::Icmp { kind: 3, code: 0, id: 0 } };
    assert_eq!(error.inverted(), None);
}

/// The packet with other addresses and ports (or identifier), made anew.
fn rewritten(mut p: Ipv4Packet, src: Ipv4Addr, dst: Ipv4Addr, a: u16, b: u16) -> Ipv4Packet {
    (p.header.src, p.header.dst) = (src, dst);
    match &mut p.body {
        Body::Tcp(t) => (t.src_port, t.dst_port) = (a, b),
        Body::Udp(u) => (u.src_port, u.dst_port) = (a, b),
        Body::Icmp(Icmp { kind: IcmpKind::EchoRequest { id, .. }, .. }) => *id = a,
        _ => {}
    }
    p
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// NAT in place gives the bytes that a new packet would have: all checksums, incremental equal to full.
    #[test]
    fn nat_of_a_quote_equals_the_packet_made_anew(
        src: [u8; 4], dst: [u8; 4], a: u16, b: u16, kind in 0..3, payload in super::strategy::bytes(30),
    ) {
        let body = match kind {
            0 => Body::Tcp(Tcp { payload, ..tcp("") }),
            1 => Body::Udp(Udp::new(1, 2, payload)),
            _ => echo(77),
        };
        let before = packet(body);
        let after = rewritten(before.clone(), src.into(), dst.into(), a, b);
        let mut q = Quoted::of(&before, 576);
        prop_assert!(q.set_src(src.into()) && q.set_dst(dst.into()));
        if kind == 2 {
            prop_assert!(q.set_icmp_id(a));
        } else {
            prop_assert!(q.set_src_port(a) && q.set_dst_port(b));
        }
        prop_assert_eq!(&q, &Quoted::of(&after, 576));
        prop_assert_eq!(q.tuple(), Tuple::<Ipv4Addr>::of(&after));
    }

    /// A quote cut behind 8 bytes of transport, as routers of old sent it: the same bytes as the cut of the new packet.
    #[test]
    fn a_cut_quote_too(src: [u8; 4], a: u16) {
        let before = packet(Body::Tcp(tcp("data")));
        let mut q = Quoted::of(&before, 56);
        prop_assert!(q.set_src(src.into()) && q.set_src_port(a));
        let after = rewritten(before, src.into(), DST, a, 80);
        prop_assert_eq!(q, Quoted::of(&after, 56));
    }

    #[test]
    fn inverting_twice_is_nothing(frame in frame()) {
        let Some(p) = frame.ipv4() else { return Ok(()) };
        if let Some(t) = Tuple::<Ipv4Addr>::of(p) {
            prop_assert_eq!(t.inverted().and_then(|i| i.inverted()), Some(t));
        }
    }

    #[test]
    fn any_quote_is_safe(b in super::strategy::bytes(64), first in prop::sample::select(&[0x45u8, 0x46, 0x4f, 0x60]), port: u16) {
        let mut b = b.to_vec();
        if let Some(f) = b.first_mut() {
            *f = first;
        }
        let mut q = Quoted(b.into());
        let n = q.0.len();
        let _ = (q.header(), q.tuple(), q.transport(), q.header_v6(), q.tuple_v6());
        let ports = q.ports();
        prop_assert_eq!(q.set_src_port(port), ports.is_some());
        prop_assert_eq!(q.ports(), ports.map(|(_, d)| (port, d)));
        q.set_dst(DST);
        q.set_icmp_id(port);
        prop_assert_eq!(q.0.len(), n);
    }

    #[test]
    fn an_updated_checksum_is_the_full_one(b in proptest::collection::vec(any::<u8>(), 4..64), at in any::<prop::sample::Index>(), new: [u8; 2]) {
        // All zeros have two checksums; headers never are.
        let mut b = b;
        b[0] |= 1;
        let at = (at.index(b.len() / 2 - 1) + 1) * 2;
        let before = checksum::finish(checksum::sum(0, &b));
        let old = [b[at], b[at + 1]];
        b[at..at + 2].copy_from_slice(&new);
        prop_assert_eq!(checksum::update(before, &old, &new), checksum::finish(checksum::sum(0, &b)));
    }

    #[test]
    fn the_sum_is_that_of_rfc_1071(b in proptest::collection::vec(any::<u8>(), 0..70), cut in 0..35usize) {
        let mut plain = 0u32;
        for pair in b.chunks(2) {
            plain += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
        }
        prop_assert_eq!(checksum::finish(checksum::sum(0, &b)), checksum::finish(plain));
        let (first, second) = b.split_at((cut * 2).min(b.len()));
        prop_assert_eq!(checksum::finish(checksum::sum(checksum::sum(0, first), second)), checksum::finish(plain));
    }
}
