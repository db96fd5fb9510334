//! The laws of the codecs, on random frames and on random bytes.

use super::strategy::{bytes, frame};
use crate::packet::*;
use proptest::collection::vec;
use proptest::prelude::*;

/// Bytes that get past the first checks more often than random ones: a frame with some bytes overwritten.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    (frame(), vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), bytes(24)).prop_map(|(frame, damage, tail)| {
        let mut b = frame.encode();
        for (at, value) in damage {
            let at = at.index(b.len().min(60));
            b[at] = value;
        }
        b.extend_from_slice(&tail);
        b
    })
}

/// The second law: the bytes come back, up to the end of the packet.
fn comes_back(b: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(frame) = Frame::decode(b) {
        prop_assert_eq!(&frame.encode(), &b[..frame.len()]);
        // Only behind ARP and IP may anything be dropped.
        prop_assert!(frame.len() == b.len() || !matches!(frame.net, Net::Other { .. }), "{frame:?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn decode_undoes_encode(frame in frame()) {
        let b = frame.encode();
        prop_assert_eq!(b.len(), frame.len());
        prop_assert_eq!(Frame::decode(&b), Ok(frame));
    }

    #[test]
    fn packets_alone_too(frame in frame()) {
        match frame.net {
            Net::Ipv4(p) => prop_assert_eq!(Ipv4Packet::decode(&p.encode()), Ok(p)),
            Net::Ipv6(p) => prop_assert_eq!(Ipv6Packet::decode(&p.encode()), Ok(p)),
            Net::Arp(p) => prop_assert_eq!(Arp::decode(&p.encode()), Ok(p)),
            Net::Other { .. } => {}
        }
    }

    #[test]
    fn padding_is_dropped(frame in frame(), padding in bytes(46)) {
        prop_assume!(!matches!(frame.net, Net::Other { .. }));
        let mut b = frame.encode();
        b.extend_from_slice(&padding);
        prop_assert_eq!(Frame::decode(&b), Ok(frame));
    }

    #[test]
    fn encode_undoes_decode(b in damaged()) {
        comes_back(&b)?;
    }

    #[test]
    fn any_bytes(b in vec(any::<u8>(), 0..120), ethertype in prop::sample::select(&[0x0800u16, 0x0806, 0x86dd, 0])) {
        comes_back(&b)?;
        if b.len() >= 14 {
            let mut b = b;
            b[12..14].copy_from_slice(&ethertype.to_be_bytes());
            comes_back(&b)?;
        }
    }

    #[test]
    fn a_cut_frame_is_an_error(frame in frame(), at in any::<prop::sample::Index>()) {
        let b = frame.encode();
        let cut = &b[..at.index(b.len())];
        match Frame::decode(cut) {
            Ok(f) => prop_assert!(matches!(f.net, Net::Other { .. }), "{f:?}"),
            Err(e) => prop_assert!(matches!(e.problem, decode::Problem::Short { expected, seen } if expected > seen), "{e}"),
        }
    }

    #[test]
    fn transport_codecs_never_panic(b in bytes(80)) {
        let pseudo = PseudoHeader::V4 { src: Ipv4Addr::LOCALHOST, dst: Ipv4Addr::BROADCAST };
        if let Ok(t) = Tcp::decode(&b, pseudo) {
            prop_assert_eq!(&t.encode(pseudo)[..], &b[..]);
        }
        if let Ok(t) = Udp::decode(&b, pseudo) {
            prop_assert_eq!(&t.encode(pseudo)[..], &b[..]);
        }
        if let Ok(t) = Icmp::decode(&b) {
            prop_assert_eq!(&t.encode()[..], &b[..]);
        }
        if let Ok(t) = Icmpv6::decode(&b, pseudo) {
            prop_assert_eq!(&t.encode(pseudo)[..], &b[..]);
        }
    }
}
