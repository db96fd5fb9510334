//! Fragments as a real kernel takes them: the cases were sent to Linux 6.18, once through a router that tracks connections.

use super::lab::Lab;
use crate::linux::{FlowId, IfIndex};
use crate::packet::{Body, Bytes, Ipv4Addr, Ipv4Header, Ipv4Packet, Net, Protocol};
use crate::trace::NoTrace;

const FROM: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 9);
const TO: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 9);
const DEV: IfIndex = IfIndex(1);

/// Offset, bytes of data, more fragments, DF, ECN.
type Part = (u16, usize, bool, bool, u8);

fn packet(id: u16, (offset, len, more, df, tos): Part) -> Ipv4Packet {
    let header = Ipv4Header {
        tos,
        id,
        dont_fragment: df,
        more_fragments: more,
        fragment_offset: offset,
        ttl: 64,
        src: FROM,
        dst: TO,
        checksum_error: 0,
    };
    Ipv4Packet { header, body: Body::Fragment { protocol: Protocol(253), bytes: Bytes::filled(7, len) } }
}

/// What the whole is, as text: bytes of data, DF, ECN, and the sizes of the parts; empty if there is none.
fn whole(lab: &mut Lab<NoTrace>, id: u16, parts: &[Part]) -> String {
    let mut found = String::new();
    for part in parts {
        let out = lab.with(|w| {
            let mut skb = w.new_skb(Net::Ipv4(packet(id, *part)), FlowId::NONE);
            skb.iif = DEV;
            w.ip_defrag(skb, DEV, true)
        });
        if let Some(skb) = out {
            let p = skb.frame.ipv4().unwrap();
            assert!(!p.is_fragment());
            let df = if p.header.dont_fragment { " df" } else { "" };
            found = format!("{}{df} ecn {} of {:?} max {}", p.body.len(), p.header.tos & 3, skb.frag_sizes.unwrap(), skb.frag_max);
        }
    }
    found
}

#[test]
fn are_put_together_as_the_kernel_does() {
    let cases: &[(&[Part], &str)] = &[
        (&[(0, 800, true, false, 0), (800, 104, true, false, 0), (904, 400, false, false, 0)], "1304 ecn 0 of [800, 104, 400] max 820"),
        // in any order
        (&[(904, 400, false, false, 0), (800, 104, true, false, 0), (0, 800, true, false, 0)], "1304 ecn 0 of [800, 104, 400] max 820"),
        // DF of the largest counts
        (&[(0, 800, true, true, 0), (800, 104, false, true, 0)], "904 df ecn 0 of [800, 104] max 820"),
        (&[(0, 800, true, false, 0), (800, 104, false, true, 0)], "904 ecn 0 of [800, 104] max 820"),
        // an overlap ends all; a repetition only itself
        (&[(0, 800, true, false, 0), (400, 800, true, false, 0), (1200, 80, false, false, 0), (800, 400, true, false, 0)], ""),
        (&[(0, 800, true, false, 0), (0, 800, true, false, 0), (800, 80, false, false, 0)], "880 ecn 0 of [800, 80] max 820"),
        (
            &[(0, 400, true, false, 0), (400, 400, true, false, 0), (0, 800, true, false, 0), (800, 80, false, false, 0)],
            "880 ecn 0 of [400, 400, 80] max 420",
        ),
        (&[(400, 400, true, false, 0), (0, 400, true, false, 0), (0, 800, true, false, 0), (800, 80, false, false, 0)], ""),
        // what is more than a multiple of 8 is cut off, of all but the last
        (&[(0, 804, true, false, 0), (800, 81, false, false, 0)], "881 ecn 0 of [800, 81] max 824"),
        (&[(0, 800, true, false, 1), (800, 80, false, false, 3)], "880 ecn 3 of [800, 80] max 820"),
        (&[(0, 800, true, false, 0), (800, 80, false, false, 3)], ""),
        // two ends
        (&[(8, 80, false, false, 0), (8, 96, false, false, 0), (0, 8, true, false, 0)], ""),
        (&[(8, 80, false, false, 0), (88, 80, true, false, 0), (0, 8, true, false, 0)], ""),
        // longer than a packet can be
        (&[(0, 65_512, true, false, 0), (65_512, 16, false, false, 0)], ""),
    ];
    let mut lab = Lab::router(NoTrace);
    for (id, (parts, want)) in (1..).zip(cases) {
        assert_eq!(whole(&mut lab, id, parts), *want, "{parts:?}");
    }
}

#[test]
fn wait_no_longer_than_their_memory_and_distance_allow() {
    let (first, last): (Part, Part) = ((0, 800, true, false, 0), (800, 80, false, false, 0));
    let mut lab = Lab::router(NoTrace);
    assert_eq!(whole(&mut lab, 1, &[first]), "");
    for id in 2..66 {
        assert_eq!(whole(&mut lab, id, &[first]), "");
    }
    assert_eq!(whole(&mut lab, 2, &[last]), "880 ecn 0 of [800, 80] max 820", "64 others between");
    assert_eq!(whole(&mut lab, 1, &[last]), "", "more than that");
    let taken = lab.ns.fragments.mem;
    assert!(taken > 0);
    std::sync::Arc::make_mut(&mut lab.ns.config_mut().sysctl).ipfrag_high_thresh = taken - 1;
    assert_eq!(whole(&mut lab, 100, &[first, last]), "", "no room for a new one");
    assert_eq!(whole(&mut lab, 60, &[last]), "880 ecn 0 of [800, 80] max 820", "but for those that have begun");
    for number in 0..200 {
        lab.with(|w| w.fragments_expired(number));
    }
    assert_eq!(lab.ns.fragments.mem, 0);
}
