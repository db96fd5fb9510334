//! Fields by name and the difference of two versions of a frame.

use super::quote::{packet, tcp};
use super::strategy::frame;
use crate::packet::*;
use proptest::prelude::*;

fn syn() -> Frame {
    let options = TcpOptionSet { mss: Some(1460), window_scale: Some(7), ..Default::default() }.build();
    Frame {
        eth: Ethernet::new(Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 2])),
        net: Net::Ipv4(packet(Body::Tcp(Tcp { options, ..tcp("hi") }))),
    }
}

fn text(frame: &Frame) -> Vec<String> {
    let line = |v: &HeaderView| {
        let fields: Vec<_> = v.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{}: {}", v.name, fields.join(" "))
    };
    frame.fields().iter().chain(&frame.quoted().map(Quoted::headers).unwrap_or_default()).map(line).collect()
}

fn changes(before: &Frame, after: &Frame) -> Vec<String> {
    Frame::diff(before, after).iter().map(ToString::to_string).collect()
}

/// The frame with its error's quote rewritten, or its addresses.
fn nat(frame: &Frame, change: impl Fn(&mut Ipv4Packet)) -> Frame {
    let mut after = frame.clone();
    change(after.ipv4_mut().unwrap());
    after
}

#[test]
fn every_header_is_told() {
    assert_eq!(
        text(&syn()),
        [
            "eth: dst=02:00:00:00:00:01 src=02:00:00:00:00:02 type=0x0800",
            "ipv4: src=10.244.0.2 dst=10.96.0.10 ttl=64 id=7238 df=1 mf=0 offset=0 tos=0x0000 len=50 protocol=tcp checksum=0x0921",
            "tcp: sport=40000 dport=80 seq=1 ack=0 flags=S window=64240 mss=1460 wscale=7 options=mss 1460,nop,wscale 7 checksum=0x6ecb len=2 payload=\"hi\"",
        ]
    );
    let arp = Arp {
        op: ArpOp::Reply,
        sender_mac: Mac::BROADCAST,
        sender: Ipv4Addr::LOCALHOST,
        target_mac: Mac::ZERO,
        target: Ipv4Addr::BROADCAST,
    };
    let arp = Frame { eth: Ethernet::default(), net: Net::Arp(arp) };
    assert_eq!(
        text(&arp)[1],
        "arp: op=reply sender_mac=ff:ff:ff:ff:ff:ff sender=127.0.0.1 target_mac=00:00:00:00:00:00 target=255.255.255.255"
    );
}

#[test]
fn a_quote_is_told_as_far_as_it_goes() {
    let offender = syn();
    let told = |limit| {
        let quoted = Quoted::of(offender.ipv4().unwrap(), limit);
        let error = Icmp::new(IcmpKind::Unreachable { code: 4, mtu: 1400, quoted });
        Frame { eth: Ethernet::default(), net: Net::Ipv4(packet(Body::Icmp(error))) }
    };
    let lines = text(&told(576));
    assert!(lines[2].starts_with("icmp: type=3 code=4 mtu=1400 checksum="), "{}", lines[2]);
    assert_eq!(lines[3], text(&offender)[1]);
    assert_eq!(
        lines[4],
        "tcp: sport=40000 dport=80 seq=1 ack=0 flags=S window=64240 mss=1460 wscale=7 options=mss 1460,nop,wscale 7 checksum=0x6ecb"
    );
    assert_eq!(text(&told(28 + 28))[4], "tcp: sport=40000 dport=80 seq=1");
    assert_eq!(text(&told(28 + 24)).len(), 4);
    assert_eq!(text(&told(28 + 10)).len(), 3);
    assert_eq!(told(576).field("quoted.tcp.dport"), Some(FieldValue::Number(80)));
    assert_eq!(told(56).field("quoted.tcp.flags"), None);
}

#[test]
fn paths() {
    let f = syn();
    assert_eq!(f.field("ipv4.ttl"), Some(FieldValue::Number(64)));
    assert_eq!(f.field("ipv4.src"), Some(FieldValue::Addr(IpAddr::V4(Ipv4Addr::new(10, 244, 0, 2)))));
    assert_eq!(f.field("ipv4.df"), Some(FieldValue::Flag(true)));
    assert_eq!(f.field("tcp.flags"), Some(FieldValue::Text("S".into())));
    assert_eq!(f.field("eth.type"), Some(FieldValue::Hex(0x0800)));
    for none in ["ttl", "udp.sport", "ipv6.src", "ipv4.", "ipv4.nope", "quoted.ipv4.src", "quoted", ".", ""] {
        assert_eq!(f.field(none), None, "{none}");
    }
}

#[test]
fn a_hop_changes_ttl_checksum_and_macs() {
    let before = syn();
    let mut after = nat(&before, |p| p.header.ttl -= 1);
    after.eth.dst = Mac([2, 0, 0, 0, 0, 9]);
    assert_eq!(
        changes(&before, &after),
        ["eth.dst 02:00:00:00:00:01 -> 02:00:00:00:00:09", "ipv4.ttl 64 -> 63", "ipv4.checksum 0x0921 -> 0x0a21"]
    );
    assert_eq!(changes(&before, &before), Vec::<String>::new());
}

#[test]
fn nat_changes_both_checksums() {
    let before = syn();
    let after = nat(&before, |p| {
        p.header.dst = Ipv4Addr::new(10, 244, 1, 3);
        if let Body::Tcp(t) = &mut p.body {
            t.dst_port = 8080;
        }
    });
    let fields: Vec<_> = Frame::diff(&before, &after).into_iter().map(|c| c.field).collect();
    assert_eq!(fields, ["ipv4.dst", "ipv4.checksum", "tcp.dport", "tcp.checksum"]);
}

#[test]
fn nat_of_an_error_shows_in_the_quote() {
    let quoted = Quoted::of(syn().ipv4().unwrap(), 576);
    let error = Icmp::new(IcmpKind::TimeExceeded { code: 0, quoted });
    let before = Frame { eth: Ethernet::default(), net: Net::Ipv4(packet(Body::Icmp(error))) };
    let after = nat(&before, |p| {
        if let Body::Icmp(m) = &mut p.body {
            m.quoted_mut().unwrap().set_src_port(41000);
        }
    });
    // The quote's own checksum makes up for the port, so the error's stays.
    assert_eq!(changes(&before, &after), ["quoted.tcp.sport 40000 -> 41000", "quoted.tcp.checksum 0x6ecb -> 0x6ae3"]);
}

#[test]
fn a_field_of_one_side_only() {
    let before = syn();
    let after = nat(&before, |p| {
        if let Body::Tcp(t) = &mut p.body {
            t.options = TcpOptionSet { mss: Some(1410), ..Default::default() }.build();
        }
    });
    let told = changes(&before, &after);
    assert!(told.contains(&"tcp.mss 1460 -> 1410".to_owned()) && told.contains(&"tcp.wscale 7 -> -".to_owned()), "{told:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Nothing that changes the bytes goes untold.
    #[test]
    fn equal_frames_and_only_they_have_no_difference(a in frame(), b in frame(), at in any::<prop::sample::Index>(), flip in 1..=255u8) {
        prop_assert!(Frame::diff(&a, &a).is_empty());
        prop_assert_eq!(Frame::diff(&a, &b).is_empty(), a == b);
        let mut bytes = a.encode();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(c) = Frame::decode(&bytes) {
            prop_assert_eq!(Frame::diff(&a, &c).is_empty(), a == c, "{:?}\n{:?}", a, c);
        }
    }

    #[test]
    fn every_field_is_found_by_its_path(a in frame()) {
        for view in a.fields() {
            for (name, value) in &view.fields {
                let path = format!("{}.{name}", view.name);
                prop_assert_eq!(a.field(&path), Some(value.clone()), "{}", path);
            }
        }
        let _ = a.summary();
    }
}
