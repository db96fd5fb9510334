//! Recordings made by hand: every kind of step, and every way in which a change can stand beside its step.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::engine::{Run, World};
use crate::linux::conntrack::{CtId, CtStatus};
use crate::linux::fib::RouteType;
use crate::linux::ipvs::{ConnId, Forward};
use crate::linux::neighbour::NudState;
use crate::linux::netfilter::{Hook, NfFamily, TableKind};
use crate::linux::socket::tcp::TcpState;
use crate::linux::{Errno, FlowId, IfIndex, NetnsId, PacketId, PktType, RowId, SocketId, Time, VersionId};
use crate::packet::{Body, Bytes, Ethernet, Frame, Ipv4Addr, Ipv4Header, Ipv4Packet, Mac, Net, Udp};
use crate::trace::evidence::{Addr32, CtCode, FdbVerdict, NeighAction, RemoteHit, RuleAt, TimerKind, Tunnel, Verdict};
use crate::trace::{Change, DropReason, Evidence, Recording, Step, StepId, Tracer};

/// One of each kind.
fn samples() -> Vec<Evidence> {
    let addr = Addr32::from(Ipv4Addr::new(10, 244, 1, 3));
    let (ct, mac, id, row) = (CtCode { info: 3, tracked: true, status: CtStatus::CONFIRMED }, Mac([2, 0, 0, 0, 0, 1]), CtId(1), RowId(9));
    vec![
        Evidence::Receive { pkttype: PktType::Host, copy_of: PacketId::NONE, len: 33 },
        Evidence::Transmit { len: 33 },
        Evidence::SocketSend { socket: SocketId(1), len: 5 },
        Evidence::Deliver { socket: SocketId(1), len: 5 },
        Evidence::SocketError { socket: SocketId(1), errno: Errno::EHOSTUNREACH },
        Evidence::TcpState { socket: SocketId(1), from: TcpState::SynSent, to: TcpState::Established },
        Evidence::PolicyRule { pref: 100, row, mark: 1 },
        Evidence::RouteLookup {
            input: true,
            dst: addr,
            row: RowId::NONE,
            kind: RouteType::Unreachable,
            oif: 0,
            next_hop: addr,
            src: Addr32(0),
        },
        Evidence::NeighbourLookup { addr, state: NudState::Reachable, after: NudState::Reachable, action: NeighAction::Sent, mac },
        Evidence::NeighbourUpdate { addr, from: NudState::Incomplete, to: NudState::Reachable, mac },
        Evidence::Hook { family: NfFamily::Ip, hook: Hook::Forward, iif: 1, oif: 1, after: VersionId::NONE, ct, mark: 1 },
        Evidence::Rule { table: TableKind::Filter, chain: 2, at: RuleAt::Policy, verdict: Verdict::Drop, row, mark: 1, ct },
        Evidence::StatefulMatch { row, at: 0, matched: true, value: 7 },
        Evidence::ConntrackLookup { id: Some(id), created: true, ct },
        Evidence::ConntrackConfirm { id },
        Evidence::NatBind { id, row, source: true, addr, port: 80 },
        Evidence::NatRewrite { id, source: true },
        Evidence::IpvsSchedule { service: row, dest: row, weight: 1, active: 2, inactive: 3, usable: 2 },
        Evidence::IpvsConn { id: ConnId(1), dest: row, created: true, reply: false, from: 0, to: 3 },
        Evidence::IpvsForward { id: ConnId(1), forward: Forward::Masq, local: false, addr, port: 8080 },
        Evidence::FdbLearn { mac, port: 1, new: true },
        Evidence::FdbLookup { mac, verdict: FdbVerdict::Flood },
        Evidence::RemoteLookup { mac, hit: RemoteHit::Default, remote: addr, count: 2 },
        Evidence::RemoteLearn { mac, remote: addr, new: true },
        Evidence::Encap { tunnel: Tunnel::Vxlan, id: 42, src: addr, dst: addr, sport: 40_000, dport: 8472 },
        Evidence::Decap { tunnel: Tunnel::Vxlan, id: 42, src: addr, device: 1 },
        Evidence::VlanFilter { ingress: true, vid: 10, verdict: crate::trace::evidence::VlanVerdict::Pvid },
        Evidence::TtlDecrement { from: 64, to: 63 },
        Evidence::Fragment { mtu: 1400, parts: 2 },
        Evidence::Defrag { offset: 0, parts: 2 },
        Evidence::IcmpError { kind: 3, code: 1, packet: PacketId(2) },
        Evidence::ArpInput { verdict: crate::trace::evidence::ArpVerdict::Local, target: addr },
        Evidence::Timer { timer: TimerKind::Neighbour },
        Evidence::Drop { reason: DropReason::NoSocket },
    ]
}

fn udp() -> Frame {
    let header = Ipv4Header {
        tos: 0,
        id: 0,
        dont_fragment: true,
        more_fragments: false,
        fragment_offset: 0,
        ttl: 64,
        src: Ipv4Addr::new(10, 244, 0, 2),
        dst: Ipv4Addr::new(10, 96, 0, 10),
        checksum_error: 0,
    };
    let body = Body::Udp(Udp { src_port: 41000, dst_port: 53, no_checksum: false, checksum_error: 0, payload: Bytes::from("hello") });
    Frame { eth: Ethernet::default(), net: Net::Ipv4(Ipv4Packet { header, body }) }
}

struct Hand(Recording);

impl Hand {
    fn new() -> (Hand, VersionId) {
        let mut r = Recording::default();
        r.packet(PacketId(1), PacketId::NONE, PacketId::NONE, FlowId::NONE);
        let v = r.change(VersionId::NONE, Change::Whole(Box::new(udp())));
        (Hand(r), v)
    }

    fn step(&mut self, version: VersionId, evidence: Evidence) {
        self.0.step(Step { at: Time(5), netns: NetnsId(0), dev: IfIndex(1), packet: PacketId(1), version, evidence });
    }

    fn run(self) -> Run {
        let mut world = World::new(0);
        world.add_host("node-a");
        Run { start: world.clone(), end: world, recording: self.0, flows: Vec::new(), storm: None }
    }
}

#[test]
fn every_kind_has_words_a_name_and_a_place_in_the_document() {
    let (mut hand, v) = Hand::new();
    for e in samples() {
        hand.step(v, e);
    }
    let run = hand.run();
    let report = Report::new(&run);
    let mut seen = Vec::new();
    for view in report.steps() {
        let w = words::of(&report, &view);
        assert!(!w.what.is_empty(), "{} has no words", view.kind.name());
        assert!(!view.kernel.is_empty() && !view.layer.is_empty());
        let doc = json::step(&report, &view, Detail::All);
        assert_eq!(doc["kind"], view.kind.name());
        for key in doc["evidence"].as_object().unwrap().keys() {
            assert!(view.kind.fields().contains(&key.as_str()), "{} has `{key}`", view.kind.name());
        }
        assert_eq!(Kind::by_name(&view.kind.name().replace('-', "_")), Some(view.kind));
        seen.push(view.kind);
    }
    assert_eq!(seen, Kind::ALL, "one sample of each kind, in their order");
}

/// The fields that each step changed.
fn changes(hand: Hand) -> Vec<Vec<String>> {
    let run = hand.run();
    let report = Report::new(&run);
    report
        .steps()
        .map(|v| v.changed.iter().filter(|c| !c.follows()).map(|c| format!("{} {} -> {}", c.field, c.from, c.to)).collect())
        .collect()
}

fn ttl() -> Evidence {
    Evidence::TtlDecrement { from: 64, to: 63 }
}

fn hook() -> Evidence {
    Evidence::Hook { family: NfFamily::Ip, hook: Hook::Prerouting, iif: 1, oif: 0, after: VersionId(3), ct: CtCode::default(), mark: 0 }
}

#[test]
fn a_change_goes_to_its_step_whether_told_before_or_after_it() {
    // told before the step
    let (mut h, v) = Hand::new();
    h.step(v, hook());
    let lower = h.0.change(v, Change::Ttl(63));
    h.step(lower, ttl());
    h.step(lower, Evidence::Transmit { len: 33 });
    assert_eq!(changes(h), [vec![], vec!["ipv4.ttl 64 -> 63".to_owned()], vec![]]);
    // told after it
    let (mut h, v) = Hand::new();
    h.step(v, hook());
    h.step(v, ttl());
    let lower = h.0.change(v, Change::Ttl(63));
    h.step(lower, Evidence::Transmit { len: 33 });
    assert_eq!(changes(h), [vec![], vec!["ipv4.ttl 64 -> 63".to_owned()], vec![]]);
}

#[test]
fn two_changes_between_two_steps_go_to_one_each() {
    let (mut h, v) = Hand::new();
    h.step(v, Evidence::NatRewrite { id: CtId(1), source: false });
    let there = h.0.change(v, Change::Destination(Ipv4Addr::new(10, 244, 1, 3), 5353));
    let framed = h.0.change(there, Change::Ethernet { dst: Mac([2; 6]), src: Mac([4; 6]) });
    h.step(framed, Evidence::Transmit { len: 33 });
    h.step(framed, Evidence::Drop { reason: DropReason::NoSocket });
    let all = changes(h);
    assert_eq!(all[0], ["ipv4.dst 10.96.0.10 -> 10.244.1.3", "udp.dport 53 -> 5353"]);
    assert_eq!(all[1].len(), 2, "the link header: {:?}", all[1]);
    assert!(all[2].is_empty());
}

#[test]
fn a_step_without_the_packet_at_hand_breaks_no_chain() {
    let (mut h, v) = Hand::new();
    h.step(v, hook());
    h.step(VersionId::NONE, Evidence::TcpState { socket: SocketId(1), from: TcpState::Close, to: TcpState::SynSent });
    let lower = h.0.change(v, Change::Ttl(63));
    h.step(lower, ttl());
    assert_eq!(changes(h), [vec![], vec![], vec!["ipv4.ttl 64 -> 63".to_owned()]]);
}

#[test]
fn a_hook_tells_the_packet_as_it_came_and_as_it_left() {
    let (mut h, v) = Hand::new();
    h.step(v, hook());
    let there = h.0.change(v, Change::Destination(Ipv4Addr::new(10, 244, 1, 3), 5353));
    h.step(there, Evidence::NatRewrite { id: CtId(1), source: false });
    h.0.hook_left(StepId(0), there, CtCode { info: 3, tracked: true, status: CtStatus::DST_NAT });
    let run = h.run();
    let report = Report::new(&run);
    let step = json::step(&report, &report.step(StepId(0)).unwrap(), Detail::Steps);
    insta::assert_snapshot!(step, @r#"{"n":1,"t_ns":5,"node":"node-a","netns":"node-a","dev":"lo","layer":"netfilter","kind":"hook","kernel":"ip_rcv","verdict":"ACCEPT","evidence":{"family":"ip","hook":"prerouting","iif":"lo","before":{"src":"10.244.0.2","dst":"10.96.0.10","protocol":"udp","sport":41000,"dport":53,"ttl":64},"after":{"src":"10.244.0.2","dst":"10.244.1.3","protocol":"udp","sport":41000,"dport":5353,"ttl":64},"ct":{"state":"new","dir":"orig","status":["dnat"]}},"changed":[]}"#);
}

#[test]
fn steps_and_versions_that_are_not_there_are_no_panic() {
    let (mut h, _) = Hand::new();
    for e in samples() {
        h.0.step(Step { at: Time(0), netns: NetnsId(77), dev: IfIndex(99), packet: PacketId(44), version: VersionId(1234), evidence: e });
    }
    let run = h.run();
    let report = Report::new(&run);
    for detail in [Detail::Hops, Detail::Steps, Detail::All] {
        let _ = print(&text::document(&report, &ScenarioInfo::default(), detail, None), 1, &PlainStyle);
        let _ = json::text(&report, &ScenarioInfo::default(), detail, None);
    }
    for v in report.steps() {
        let _ = (panes::why(&report, &v), panes::packet(&v), panes::table(&report, &v));
    }
    assert!(report.step(StepId(u32::MAX)).is_none());
}
