//! Replays TCP segments, sane and insane, as Linux 6.18 judged them.
//!
//! The files were recorded by injecting segments into a forwarding namespace and reading, for each, what it was to
//! conntrack and what `conntrack -L` showed afterwards. A line:
//! who sent it (0 or 1), flags, sequence number, acknowledgment, window, options, bytes of data,
//! verdict (state | reply << 2 | ASSURED << 3 | SEEN_REPLY << 4; 32 INVALID), state, seconds left, U(NREPLIED) A(SSURED), originator.

use super::lab::{Lab, unhex};
use crate::datapath::conntrack::{nf_conntrack_confirm, nf_conntrack_in};
use crate::datapath::hook::HookState;
use crate::linux::conntrack::{CtInfo, CtStatus, CtView};
use crate::linux::netfilter::Hook;
use crate::linux::{FlowId, IfIndex};
use crate::packet::{Body, Bytes, Ipv4Addr, Ipv4Header, Ipv4Packet, Net, Tcp, TcpFlags, TcpOptions};
use crate::trace::NoTrace;
use std::sync::Arc;

const ENDS: [(Ipv4Addr, u16); 2] = [(Ipv4Addr::new(10, 0, 1, 2), 40_000), (Ipv4Addr::new(10, 0, 2, 2), 80)];

fn segment(words: &[&str]) -> Ipv4Packet {
    let number = |i: usize| words[i].parse::<u32>().unwrap();
    let (me, peer) = if number(0) == 0 { (ENDS[0], ENDS[1]) } else { (ENDS[1], ENDS[0]) };
    let options = if words[5] == "-" { None } else { Some(unhex(words[5]).into_boxed_slice()) };
    let tcp = Tcp {
        src_port: me.1,
        dst_port: peer.1,
        seq: number(2),
        ack: number(3),
        flags: TcpFlags(number(1) as u8),
        window: number(4) as u16,
        urgent: 0,
        checksum_error: 0,
        options: TcpOptions(options),
        payload: Bytes::filled(b'x', number(6) as usize),
    };
    let header = Ipv4Header {
        tos: 0,
        id: 0,
        dont_fragment: true,
        more_fragments: false,
        fragment_offset: 0,
        ttl: 64,
        src: me.0,
        dst: peer.0,
        checksum_error: 0,
    };
    Ipv4Packet { header, body: Body::Tcp(tcp) }
}

fn code(view: CtView) -> u32 {
    let Some(info) = view.info else { return 32 };
    let state = match info {
        CtInfo::New => 1,
        CtInfo::Established | CtInfo::EstablishedReply => 2,
        CtInfo::Related | CtInfo::RelatedReply => 3,
    };
    let bit = |on: bool, at: u32| u32::from(on) << at;
    state | bit(info.is_reply(), 2) | bit(view.status.has(CtStatus::ASSURED), 3) | bit(view.status.has(CtStatus::SEEN_REPLY), 4)
}

fn replay(text: &str, be_liberal: bool) -> usize {
    let mut lab = Lab::router(NoTrace);
    let sysctl = Arc::make_mut(&mut lab.ns.config_mut().sysctl);
    Arc::make_mut(&mut sysctl.conntrack).tcp_be_liberal = be_liberal;
    let mut compared = 0;
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        if words[0] == "run" {
            lab.next_run();
            continue;
        }
        let ip = segment(&words);
        let verdict = lab.with(|w| {
            let mut skb = w.new_skb(Net::Ipv4(ip), FlowId::NONE);
            let state = |hook| HookState { hook, iif: IfIndex(1), oif: IfIndex(2) };
            nf_conntrack_in(w, &mut skb, &state(Hook::Prerouting));
            let verdict = code(w.ns.conntrack.view(skb.ct));
            nf_conntrack_confirm(w, &mut skb, &state(Hook::Postrouting));
            verdict
        });
        assert_eq!(verdict.to_string(), words[7], "{line}");
        let entries = lab.ns.conntrack.entries(lab.now);
        match words[8..] {
            ["none"] => assert!(entries.is_empty(), "{line}"),
            [state, left, bits, from] => {
                let e = entries.first().unwrap_or_else(|| panic!("no entry: {line}"));
                assert_eq!(e.state_name(), Some(state), "{line}");
                let mine = e.expires.since(lab.now).as_secs();
                let theirs: u64 = left.parse().unwrap();
                assert!(theirs <= mine && mine <= theirs + 3, "{mine}: {line}");
                let reply = if e.status.has(CtStatus::SEEN_REPLY) { '-' } else { 'U' };
                let assured = if e.status.has(CtStatus::ASSURED) { 'A' } else { '-' };
                assert_eq!(bits, format!("{reply}{assured}"), "{line}");
                assert_eq!(from == "A", e.tuples[0].src == ENDS[0].0, "{line}");
            }
            _ => panic!("{line}"),
        }
        compared += 1;
    }
    compared
}

#[test]
fn segments_are_judged_as_by_linux() {
    assert!(replay(include_str!("data/tcp-6.18.txt"), false) > 1_000);
}

#[test]
fn liberal_judgment_is_that_of_linux_too() {
    assert!(replay(include_str!("data/tcp-liberal-6.18.txt"), true) > 300);
}
