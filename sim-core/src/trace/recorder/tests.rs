//! A recorder keeps what a recording keeps, whatever it is told.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::linux::conntrack::{CtId, CtStatus};
use crate::linux::{Errno, IfIndex, RowId, SocketId};
use crate::packet::{Arp, ArpOp, Ethernet, Ipv4Addr, Mac, Net};
use crate::trace::evidence::{Addr32, FdbVerdict, RuleAt, TimerKind};
use crate::trace::{DropReason, Keep};
use proptest::prelude::*;
use proptest::sample::select;

/// A call of the tracer.
#[derive(Clone, Debug)]
enum Call {
    Step(Step),
    Packet([u32; 4]),
    Change(VersionId, Change),
    RuleVerdict(u32, Verdict),
    HookLeft(u32, VersionId, CtCode),
    HookEnded(u32, CtCode),
    Delta(NetnsId, StateDelta),
    Config(NetnsId),
    Event(Time, FlowId),
}

/// Small numbers, so that things repeat, and all others.
fn number() -> impl Strategy<Value = u32> + Clone {
    prop_oneof![4 => 0..6u32, 1 => any::<u32>(), 1 => Just(u32::MAX), 1 => 0xfffe..0x1_0002u32]
}

fn one<T: Code + std::fmt::Debug>() -> impl Strategy<Value = T> {
    select(T::ALL.to_vec())
}

fn mac() -> impl Strategy<Value = Mac> {
    any::<[u8; 6]>().prop_map(Mac)
}

fn ct() -> impl Strategy<Value = CtCode> {
    let any_ct = (any::<u8>(), any::<bool>(), any::<u16>());
    prop_oneof![
        any::<bool>().prop_map(|tracked| CtCode { tracked, ..CtCode::default() }),
        any_ct.prop_map(|(info, tracked, status)| CtCode { info, tracked, status: CtStatus(status) }),
    ]
}

fn rule_at() -> impl Strategy<Value = RuleAt> {
    prop_oneof![any::<u32>().prop_map(RuleAt::Rule), Just(RuleAt::Policy), Just(RuleAt::End)]
}

fn fdb() -> impl Strategy<Value = FdbVerdict> {
    let port = number().prop_map(|n| FdbVerdict::Port(IfIndex(n)));
    prop_oneof![Just(FdbVerdict::Local), port, Just(FdbVerdict::Flood), Just(FdbVerdict::Nowhere)]
}

fn evidence() -> impl Strategy<Value = Evidence> {
    let n = number;
    let small = any::<u16>;
    let addr = || number().prop_map(Addr32);
    prop_oneof![
        (one(), n(), n()).prop_map(|(pkttype, c, len)| Evidence::Receive { pkttype, copy_of: PacketId(c), len }),
        n().prop_map(|len| Evidence::Transmit { len }),
        (n(), n()).prop_map(|(s, len)| Evidence::SocketSend { socket: SocketId(s), len }),
        (n(), n()).prop_map(|(s, len)| Evidence::Deliver { socket: SocketId(s), len }),
        n().prop_map(|s| Evidence::SocketError { socket: SocketId(s), errno: Errno::EPERM }),
        (any::<bool>(), addr(), n(), one(), small(), addr(), addr()).prop_map(|(input, dst, r, kind, oif, next_hop, src)| {
            Evidence::RouteLookup { input, dst, row: RowId(r), kind, oif, next_hop, src }
        }),
        (addr(), one(), one(), one(), mac()).prop_map(|(addr, state, after, action, mac)| Evidence::NeighbourLookup {
            addr,
            state,
            after,
            action,
            mac
        }),
        (addr(), one(), one(), mac()).prop_map(|(addr, from, to, mac)| Evidence::NeighbourUpdate { addr, from, to, mac }),
        (one(), one(), small(), small(), n(), ct(), n()).prop_map(|(family, hook, iif, oif, after, ct, mark)| Evidence::Hook {
            family,
            hook,
            iif,
            oif,
            after: VersionId(after),
            ct,
            mark
        }),
        (one(), n(), rule_at(), one(), n(), n(), ct()).prop_map(|(table, chain, at, verdict, row, mark, ct)| Evidence::Rule {
            table,
            chain,
            at,
            verdict,
            row: RowId(row),
            mark,
            ct
        }),
        (n(), any::<u16>(), any::<bool>(), n()).prop_map(|(r, at, matched, value)| Evidence::StatefulMatch {
            row: RowId(r),
            at,
            matched,
            value
        }),
        (proptest::option::of(n().prop_map(CtId)), any::<bool>(), ct()).prop_map(|(id, created, ct)| Evidence::ConntrackLookup {
            id,
            created,
            ct
        }),
        n().prop_map(|i| Evidence::ConntrackConfirm { id: CtId(i) }),
        (n(), n(), any::<bool>(), addr(), small()).prop_map(|(id, row, source, addr, port)| Evidence::NatBind {
            id: CtId(id),
            row: RowId(row),
            source,
            addr,
            port
        }),
        (n(), any::<bool>()).prop_map(|(id, source)| Evidence::NatRewrite { id: CtId(id), source }),
        (mac(), small(), any::<bool>()).prop_map(|(mac, port, new)| Evidence::FdbLearn { mac, port, new }),
        (mac(), fdb()).prop_map(|(mac, verdict)| Evidence::FdbLookup { mac, verdict }),
        (any::<u8>(), any::<u8>()).prop_map(|(from, to)| Evidence::TtlDecrement { from, to }),
        (n(), small()).prop_map(|(mtu, parts)| Evidence::Fragment { mtu, parts }),
        (any::<u8>(), any::<u8>(), n()).prop_map(|(kind, code, p)| Evidence::IcmpError { kind, code, packet: PacketId(p) }),
        Just(Evidence::Timer { timer: TimerKind::Fdb }),
        one::<DropReason>().prop_map(|reason| Evidence::Drop { reason }),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let whole = |n: u32| {
        let who = Ipv4Addr::from(n);
        let arp = Arp { op: ArpOp::Request, sender_mac: Mac::ZERO, sender: who, target_mac: Mac::ZERO, target: who };
        Change::Whole(Box::new(Frame { eth: Ethernet::default(), net: Net::Arp(arp) }))
    };
    prop_oneof![
        number().prop_map(whole),
        (mac(), mac()).prop_map(|(dst, src)| Change::Ethernet { dst, src }),
        any::<u8>().prop_map(Change::Ttl),
        (any::<u32>(), any::<u16>()).prop_map(|(a, p)| Change::Source(Ipv4Addr::from(a), p)),
        (any::<u32>(), any::<u16>()).prop_map(|(a, p)| Change::Destination(Ipv4Addr::from(a), p)),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    let n = number;
    let step = (0..4u64, n(), n(), 0..3u32, 0..5u32, evidence()).prop_map(|(at, ns, dev, packet, version, evidence)| Step {
        at: Time(at),
        netns: NetnsId(ns),
        dev: IfIndex(dev),
        packet: PacketId(packet),
        version: VersionId(version),
        evidence,
    });
    prop_oneof![
        12 => step.prop_map(Call::Step),
        4 => (0..5u32, change()).prop_map(|(v, c)| Call::Change(VersionId(v), c)),
        1 => any::<[u32; 4]>().prop_map(Call::Packet),
        1 => (0..40u32, one()).prop_map(|(s, v)| Call::RuleVerdict(s, v)),
        2 => (0..40u32, n(), ct()).prop_map(|(s, v, ct)| Call::HookLeft(s, VersionId(v), ct)),
        1 => (0..40u32, ct()).prop_map(|(s, ct)| Call::HookEnded(s, ct)),
        1 => (n(), n(), mac()).prop_map(|(ns, p, mac)| {
            Call::Delta(NetnsId(ns), StateDelta::Fdb { bridge: IfIndex(1), mac, port: IfIndex(p) })
        }),
        1 => n().prop_map(|ns| Call::Config(NetnsId(ns))),
        1 => (any::<u64>(), n()).prop_map(|(at, f)| Call::Event(Time(at), FlowId(f))),
    ]
}

/// Makes the calls; says which numbers were handed out.
fn tell<T: Tracer>(tracer: &mut T, calls: &[Call], config: &Arc<Config>) -> Vec<u32> {
    let mut numbers = Vec::new();
    for call in calls.iter().cloned() {
        match call {
            Call::Step(s) => numbers.push(tracer.step(s).0),
            Call::Packet([id, by, copy, flow]) => tracer.packet(PacketId(id), PacketId(by), PacketId(copy), FlowId(flow)),
            Call::Change(before, change) => numbers.push(tracer.change(before, change).0),
            Call::RuleVerdict(step, verdict) => tracer.rule_verdict(StepId(step), verdict),
            Call::HookLeft(step, after, ct) => tracer.hook_left(StepId(step), after, ct),
            Call::HookEnded(step, ct) => tracer.hook_ended(StepId(step), ct),
            Call::Delta(netns, delta) => tracer.delta(netns, delta),
            Call::Config(netns) => tracer.config(netns, config),
            Call::Event(at, flow) => tracer.event(at, EventKind::FlowBegan(flow)),
        }
    }
    numbers
}

fn same(calls: &[Call]) {
    let config = Arc::new(Config::default());
    let (mut wanted, mut recorder) = (Recording::default(), Recorder::default());
    let numbers = tell(&mut wanted, calls, &config);
    assert_eq!(tell(&mut recorder, calls, &config), numbers);
    let got = recorder.finish();
    for (at, (g, w)) in got.steps.iter().zip(&wanted.steps).enumerate() {
        assert_eq!(g, w, "step {at}");
    }
    assert_eq!(got.steps.len(), wanted.steps.len());
    let versions = |r: &Recording| r.versions.iter().map(|v| (v.before, v.change.clone())).collect::<Vec<_>>();
    assert_eq!(versions(&got), versions(&wanted));
    assert_eq!(got.packets, wanted.packets);
    assert_eq!(got.deltas, wanted.deltas);
    assert_eq!(got.events, wanted.events);
    let configs = |r: &Recording| r.configs.iter().map(|(s, n, c)| (*s, *n, Arc::as_ptr(c))).collect::<Vec<_>>();
    assert_eq!(configs(&got), configs(&wanted));
}

proptest! {
    #[test]
    fn a_recorder_keeps_what_a_recording_keeps(calls in proptest::collection::vec(call(), 0..60)) {
        same(&calls);
    }
}

#[test]
fn more_than_the_first_pieces_hold() {
    let step = |n: u32| {
        let evidence = Evidence::RouteLookup {
            input: n.is_multiple_of(2),
            dst: Addr32(n),
            row: RowId(n),
            kind: Code::of(u64::from(n % 8)),
            oif: n as u16,
            next_hop: Addr32(!n),
            src: Addr32(n / 3),
        };
        let (at, netns) = (Time(u64::from(n) / 5), NetnsId(n / 7));
        Call::Step(Step { at, netns, dev: IfIndex(n % 70_000), packet: PacketId(n / 4), version: VersionId(n / 2), evidence })
    };
    let calls: Vec<Call> = (0..400_000).map(step).collect();
    same(&calls);
    let mut recorder = Recorder::default();
    tell(&mut recorder, &calls[..100], &Arc::new(Config::default()));
    assert!(recorder.held() <= 256 << 10, "a short run stays small");
    tell(&mut recorder, &calls, &Arc::new(Config::default()));
    assert!(recorder.bytes_per_step() <= 64, "{}", recorder.bytes_per_step());
}
