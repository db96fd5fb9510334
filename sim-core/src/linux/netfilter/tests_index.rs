//! The index of a chain against a plain scan, on random rules and packets.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::eval::{MatchAt, MatchCx, Memory};
use super::matches::{Icmp, Mark, Match, Multiport, Statistic, Tcp, Udp};
use super::option::Masked;
use super::spec::{AddrMatch, IfMatch, ProtoMatch};
use super::testing::{echo, tcp, udp};
use super::{Chain, Hook, Rule, RuleSpec, Target};
use crate::linux::{RowId, Source};
use crate::packet::{Body, Ipv4Addr, Ipv4Packet, Prefix, Protocol, TcpFlags};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Counts per match, and keeps who was asked in which order.
#[derive(Default, PartialEq, Debug)]
struct Counting {
    counts: BTreeMap<MatchAt, u32>,
    asked: Vec<MatchAt>,
}

impl Memory for Counting {
    fn ask(&mut self, at: MatchAt, _: &Match, _: &MatchCx<'_>) -> bool {
        self.asked.push(at);
        let n = self.counts.entry(at).or_default();
        *n += 1;
        n.is_multiple_of(3)
    }
}

fn addr() -> impl Strategy<Value = AddrMatch> {
    (0u8..6, 0u8..4, any::<bool>()).prop_map(|(last, kind, not)| {
        let ip = Ipv4Addr::new(10, 0, 0, last);
        match kind {
            0 | 1 => AddrMatch::host(ip),
            2 if not => AddrMatch::host(ip).not(),
            2 => AddrMatch::prefix(Prefix::new(ip, 30)),
            _ => AddrMatch::default(),
        }
    })
}

fn matches() -> impl Strategy<Value = Vec<Match>> {
    let port = 79u16..83;
    let one = prop_oneof![
        port.clone().prop_map(|p| Match::from(Tcp::dport(p))),
        port.clone().prop_map(|p| Match::from(Udp { dport: super::option::Ports { min: p, max: p, invert: false }, ..Udp::default() })),
        port.prop_map(|p| Match::from(Tcp { dport: super::option::Ports { min: 79, max: p, invert: p == 80 }, ..Tcp::default() })),
        (0u32..3, any::<bool>()).prop_map(|(value, invert)| Match::from(Mark { mark: Masked { value, mask: 3 }, invert })),
        Just(Match::from(Statistic::nth(3, 0))),
        Just(Match::from(Statistic::random(1 << 30))),
        Just(Match::from(Icmp::default())),
        Just(Match::from(Multiport::default())),
    ];
    prop::collection::vec(one, 0..3)
}

fn rule() -> impl Strategy<Value = RuleSpec> {
    let proto = prop_oneof![
        Just(None),
        (prop_oneof![Just(Protocol::TCP), Just(Protocol::UDP), Just(Protocol::ICMP)], prop::bool::weighted(0.1))
            .prop_map(|(protocol, invert)| Some(ProtoMatch { protocol, invert }))
    ];
    let dev = prop_oneof![
        3 => Just(None),
        1 => prop_oneof![Just("eth0"), Just("eth1"), Just("eth+")].prop_map(|n| Some(IfMatch::named(n))),
    ];
    (addr(), addr(), dev, proto, matches()).prop_map(|(src, dst, iif, protocol, matches)| RuleSpec {
        src,
        dst,
        iif,
        protocol,
        matches,
        target: Target::Accept,
        ..RuleSpec::default()
    })
}

fn packet() -> impl Strategy<Value = (Ipv4Packet, u32, &'static str)> {
    (0u8..6, 0u8..6, 79u16..83, 0u8..4, 0u32..3, prop_oneof![Just("eth0"), Just("eth1"), Just("")]).prop_map(
        |(src, dst, port, kind, mark, dev)| {
            let mut p = match kind {
                0 => tcp(TcpFlags::SYN),
                1 => udp(),
                2 => echo(),
                _ => super::testing::fragment(8),
            };
            (p.header.src, p.header.dst) = (Ipv4Addr::new(10, 0, 0, src), Ipv4Addr::new(10, 0, 0, dst));
            match &mut p.body {
                Body::Tcp(t) => t.dst_port = port,
                Body::Udp(u) => u.dst_port = port,
                _ => {}
            }
            (p, mark, dev)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Verdict, rule, number of rules scanned, and every question to a memory are those of a plain scan.
    #[test]
    fn the_index_is_a_scan(rules in prop::collection::vec(rule(), 16..80), packets in prop::collection::vec(packet(), 1..20)) {
        let mut chain = Chain::new("X".into(), None, Source::Kernel);
        chain.rules = (1u32..)
            .zip(&rules)
            .map(|(n, spec)| Rule { row: RowId(n), source: Source::Kernel, spec: Arc::new(spec.clone()), to: None })
            .collect();
        let (mut indexed, mut plain) = (Counting::default(), Counting::default());
        for (p, mark, iif) in &packets {
            let cx = MatchCx { mark: *mark, iif, ..MatchCx::new(p, Hook::Forward) };
            let mut from = 0;
            loop {
                let found = chain.find(from, &cx, |r| r.eval(&cx, &mut indexed).is_ok()).map(|(i, _)| i);
                let expect = (from..chain.rules.len()).find(|i| chain.rules[*i].eval(&cx, &mut plain).is_ok());
                prop_assert_eq!(found, expect);
                match found {
                    Some(i) => from = i + 1,
                    None => break,
                }
            }
        }
        prop_assert_eq!(indexed, plain);
    }
}
