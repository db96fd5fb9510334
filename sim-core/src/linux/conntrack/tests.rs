//! Flows, clashes and mappings.
#![allow(clippy::unwrap_used, reason = "tests")]
use super::tcp::{Kind, State};
use super::tcp_state::{Next, TRANSITIONS};
use super::*;
use crate::linux::op::ConntrackFilter;
use crate::linux::{IfIndex, RowId, Time};
use crate::packet::{Ipv4Addr, L4, Protocol, Tuple};
use proptest::prelude::*;
use std::time::Duration;

type Table = Conntrack<Ipv4Addr>;
const T0: Time = Time(5_000_000_000);

fn at(seconds: u64) -> Time {
    T0 + Duration::from_secs(seconds)
}

fn ip(n: u32) -> Ipv4Addr {
    Ipv4Addr::from(n)
}

fn tuple(protocol: Protocol, src: (Ipv4Addr, u16), dst: (Ipv4Addr, u16)) -> Tuple<Ipv4Addr> {
    Tuple { src: src.0, dst: dst.0, protocol, l4: L4::Ports { src: src.1, dst: dst.1 } }
}

fn udp(sport: u16, last: u8) -> Tuple<Ipv4Addr> {
    tuple(Protocol::UDP, (Ipv4Addr::new(10, 0, 0, last), sport), (Ipv4Addr::new(10, 0, 1, 1), 53))
}

fn create(t: &mut Table, tuple: Tuple<Ipv4Addr>, now: Time) -> CtId {
    let id = t.create(tuple, tuple.inverted().unwrap(), now, 0).unwrap();
    t.get_mut(id).unwrap().refresh(30, now);
    id
}

fn confirmed(t: &mut Table, tuple: Tuple<Ipv4Addr>, now: Time) -> CtId {
    let id = create(t, tuple, now);
    assert_eq!(t.confirm(id, now), Confirm::Done);
    id
}

/// Draws the numbers of `list` again and again.
fn draws(list: &[u16]) -> impl FnMut() -> u16 + use<'_> {
    let mut all = list.iter().copied().cycle();
    move || all.next().unwrap_or(0)
}

#[test]
fn an_unconfirmed_flow_is_not_found() {
    let mut t = Table::default();
    let id = create(&mut t, udp(1, 1), T0);
    assert_eq!(t.find(&udp(1, 1), T0), None);
    assert_eq!(t.list(T0), Vec::<String>::new());
    assert_eq!(t.confirm(id, T0), Confirm::Done);
    assert_eq!(t.find(&udp(1, 1), T0), Some((id, Dir::Original)));
    assert_eq!(t.find(&udp(1, 1).inverted().unwrap(), T0), Some((id, Dir::Reply)));
}

#[test]
fn expiry_is_met_not_waited_for() {
    let mut t = Table::default();
    let id = confirmed(&mut t, udp(1, 1), T0);
    assert!(t.find(&udp(1, 1), at(29)).is_some());
    assert_eq!(t.list(at(30)).len(), 0);
    assert_eq!(t.len(), 1);
    assert_eq!(t.find(&udp(1, 1), at(30)), None);
    assert_eq!(t.len(), 0);
    // who still holds it can read it, for a while
    assert!(t.get(id).unwrap().status.has(CtStatus::DYING));
    create(&mut t, udp(2, 1), at(45));
    assert!(t.get(id).is_none());
}

#[test]
fn lifetime_counts_from_confirmation() {
    let mut t = Table::default();
    let id = create(&mut t, udp(1, 1), T0);
    t.confirm(id, at(3));
    assert_eq!(t.get(id).unwrap().expires, at(33));
}

#[test]
fn numbers_are_not_used_twice() {
    let mut t = Table::default();
    let mut seen = std::collections::BTreeSet::new();
    for i in 0..6_000u64 {
        let now = at(i * 20);
        let id = confirmed(&mut t, udp(7, 7), now);
        assert!(seen.insert(id));
        t.kill(id, now);
    }
    assert!(t.is_empty() && seen.len() == 6_000);
    // places are used again, though
    assert!(seen.iter().map(|id| id.0 & 0xff_ffff).max().unwrap() < 2_000);
}

#[test]
fn released_flows_can_be_read_and_revived() {
    let mut t = Table::default();
    let id = create(&mut t, udp(1, 1), T0);
    t.release_unconfirmed(id);
    t.release_unconfirmed(id);
    assert_eq!(t.len(), 0);
    assert!(t.view(Some(CtRef { id, info: CtInfo::RelatedReply })).info.is_some());
    // a copy of the packet that was dropped comes through
    assert_eq!(t.confirm(id, T0), Confirm::Done);
    assert_eq!((t.len(), t.list(T0).len()), (1, 1));
    create(&mut t, udp(2, 1), at(20));
    assert!(t.find(&udp(1, 1), at(20)).is_some());
}

#[test]
fn the_second_of_two_tcp_flows_with_one_tuple_clashes() {
    let mut t = Table::default();
    let a = tuple(Protocol::TCP, (ip(1), 1), (ip(2), 80));
    let (x, y) = (create(&mut t, a, T0), create(&mut t, a, T0));
    assert_eq!(t.confirm(x, T0), Confirm::Done);
    assert_eq!(t.confirm(y, T0), Confirm::Clash);
    assert_eq!(t.confirm(x, T0), Confirm::Nothing);
}

#[test]
fn udp_clashes_are_resolved() {
    let mut t = Table::default();
    // the same flow twice, and the same in reverse: merged
    let (x, y, z) = (create(&mut t, udp(1, 1), T0), create(&mut t, udp(1, 1), T0), create(&mut t, udp(1, 1).inverted().unwrap(), T0));
    t.confirm(x, T0);
    assert_eq!(t.confirm(y, T0), Confirm::Merged(x));
    assert_eq!(t.confirm(z, T0), Confirm::Merged(x));
    assert_eq!(t.len(), 1);
    // another backend was chosen for the second packet: it lives by its reply for a second, and is not listed
    let w = create(&mut t, udp(1, 1), T0);
    t.setup_nat(w, &NatRange::to_addr(ip(99)), Manip::Dst, RowId(1), T0, draws(&[0]));
    assert_eq!(t.confirm(w, T0), Confirm::Done);
    let e = t.get(w).unwrap();
    assert!(e.status.has(CtStatus::NAT_CLASH) && e.expires == at(1));
    let reply = e.tuples[1];
    assert_eq!(t.find(&reply, T0), Some((w, Dir::Reply)));
    assert_eq!(t.find(&udp(1, 1), T0), Some((x, Dir::Original)));
    assert_eq!(t.list(T0).len(), 1);
    t.kill(w, T0);
    assert_eq!(t.find(&udp(1, 1), T0), Some((x, Dir::Original)));
}

#[test]
fn a_full_table_takes_no_more_until_entries_expire() {
    let mut t = Table::default();
    for i in 0..4 {
        let a = udp(i, 1);
        let id = t.create(a, a.inverted().unwrap(), T0, 4).unwrap();
        t.get_mut(id).unwrap().refresh(30, T0);
        t.confirm(id, T0);
    }
    let a = udp(9, 1);
    assert_eq!(t.create(a, a.inverted().unwrap(), at(10), 4), None);
    assert!(t.create(a, a.inverted().unwrap(), at(30), 4).is_some());
    assert!(t.len() < 4);
}

#[test]
fn a_large_full_table_drops_what_is_not_assured() {
    let mut t = Table::default();
    let max = 40_000;
    for i in 0..max {
        let a = tuple(Protocol::UDP, (ip(i), 1), (ip(2), 2));
        let id = t.create(a, a.inverted().unwrap(), T0, max).unwrap();
        let e = t.get_mut(id).unwrap();
        e.refresh(30, T0);
        if i % 2 == 0 {
            e.status.set(CtStatus::ASSURED);
        }
        t.confirm(id, T0);
    }
    let mut got = 0;
    for i in 0..100 {
        let a = tuple(Protocol::UDP, (ip(1 << 24 | i), 1), (ip(2), 2));
        got += u32::from(t.create(a, a.inverted().unwrap(), T0, max).is_some());
    }
    assert!(got > 50, "{got}");
    assert!(t.len() <= max as usize);
    assert_eq!(t.live().filter(|e| e.status.has(CtStatus::ASSURED)).count() as u32, max / 2);
}

#[test]
fn many_flows_are_each_found_by_both_tuples() {
    let mut t = Table::default();
    let n = 200_000u32;
    let key = |i: u32| tuple(Protocol::TCP, (ip(0x0a00_0000 | (i >> 4)), 1024 + (i & 15) as u16), (ip(0x0a60_0001), 80));
    let ids: Vec<CtId> = (0..n).map(|i| confirmed(&mut t, key(i), T0)).collect();
    for i in (0..n).step_by(97) {
        assert_eq!(t.find(&key(i), T0), Some((ids[i as usize], Dir::Original)));
        assert_eq!(t.find(&key(i).inverted().unwrap(), T0), Some((ids[i as usize], Dir::Reply)));
    }
}

#[test]
fn the_transition_table_is_that_of_the_reference() {
    use State::*;
    let next = |dir: usize, kind: Kind, from: State| TRANSITIONS[dir][kind as usize][from as usize];
    let to = Next::To;
    assert_eq!(next(0, Kind::Syn, None), to(SynSent));
    assert_eq!(next(0, Kind::Syn, Established), Next::Ignore);
    assert_eq!(next(1, Kind::Syn, SynSent), to(SynSent2));
    assert_eq!(next(1, Kind::Syn, TimeWait), to(SynSent));
    assert_eq!(next(1, Kind::SynAck, SynSent), to(SynRecv));
    assert_eq!(next(1, Kind::SynAck, Established), Next::Ignore);
    assert_eq!(next(0, Kind::SynAck, SynRecv), to(SynRecv));
    assert_eq!(next(0, Kind::Ack, None), to(Established));
    assert_eq!(next(0, Kind::Ack, SynSent), Next::Invalid);
    assert_eq!(next(1, Kind::Ack, SynSent), Next::Ignore);
    assert_eq!(next(1, Kind::Ack, SynRecv), to(SynRecv));
    for dir in 0..2 {
        assert_eq!(next(dir, Kind::Fin, Established), to(FinWait));
        assert_eq!(next(dir, Kind::Ack, FinWait), to(CloseWait));
        assert_eq!(next(dir, Kind::Fin, CloseWait), to(LastAck));
        assert_eq!(next(dir, Kind::Ack, LastAck), to(TimeWait));
        for from in [SynSent, SynRecv, Established, FinWait, CloseWait, LastAck, TimeWait, Close, SynSent2] {
            assert_eq!(next(dir, Kind::Rst, from), to(Close));
            assert_eq!(next(dir, Kind::None, from), Next::Invalid);
        }
        for kind in [Kind::SynAck, Kind::Fin, Kind::Rst] {
            assert_eq!(next(dir, kind, None), Next::Invalid);
        }
    }
}

#[test]
fn rows_are_those_of_the_tool() {
    let mut t = Table::default();
    let a = Ipv4Addr::new(10, 9, 0, 1);
    let b = Ipv4Addr::new(10, 9, 0, 2);
    let raw = |p: u8| Tuple { src: a, dst: b, protocol: Protocol(p), l4: L4::None };
    let ping = Tuple { src: a, dst: b, protocol: Protocol::ICMP, l4: L4::Icmp { kind: 8, code: 0, id: 15_486 } };
    let tcp = tuple(Protocol::TCP, (a, 37_090), (b, 80));
    let id = confirmed(&mut t, tcp, T0);
    let e = t.get_mut(id).unwrap();
    e.refresh(432_000, T0);
    e.status.set(CtStatus::SEEN_REPLY);
    e.status.set(CtStatus::ASSURED);
    if let ProtoTrack::Tcp(track) = &mut e.proto {
        track.state = State::Established;
    }
    let id = confirmed(&mut t, ping, T0);
    t.get_mut(id).unwrap().status.set(CtStatus::SEEN_REPLY);
    let id = confirmed(&mut t, tuple(Protocol::UDP, (a, 44_306), (b, 9)), T0);
    t.get_mut(id).unwrap().mark = 7;
    for p in [4, 47] {
        let id = confirmed(&mut t, raw(p), T0);
        t.get_mut(id).unwrap().refresh(600, T0);
    }
    // Rows of conntrack 1.4.7 on Linux 6.18, GRE's timeout and the mark aside.
    let want = [
        "tcp      6 431999 ESTABLISHED src=10.9.0.1 dst=10.9.0.2 sport=37090 dport=80 src=10.9.0.2 dst=10.9.0.1 sport=80 dport=37090 [ASSURED] mark=0 use=1",
        "icmp     1 29 src=10.9.0.1 dst=10.9.0.2 type=8 code=0 id=15486 src=10.9.0.2 dst=10.9.0.1 type=0 code=0 id=15486 mark=0 use=1",
        "udp      17 29 src=10.9.0.1 dst=10.9.0.2 sport=44306 dport=9 [UNREPLIED] src=10.9.0.2 dst=10.9.0.1 sport=9 dport=44306 mark=7 use=1",
        "unknown  4 599 src=10.9.0.1 dst=10.9.0.2 [UNREPLIED] src=10.9.0.2 dst=10.9.0.1 mark=0 use=1",
        "gre      47 599 src=10.9.0.1 dst=10.9.0.2 srckey=0x0 dstkey=0x0 [UNREPLIED] src=10.9.0.2 dst=10.9.0.1 srckey=0x0 dstkey=0x0 mark=0 use=1",
    ];
    assert_eq!(t.list(T0 + Duration::from_millis(1)), want);
}

#[test]
fn deleting_by_filter_and_by_device() {
    let mut t = Table::default();
    for i in 1..=4 {
        confirmed(&mut t, udp(i, i as u8), T0);
    }
    let tcp = confirmed(&mut t, tuple(Protocol::TCP, (ip(1), 1), (ip(2), 80)), T0);
    assert_eq!(t.delete(&ConntrackFilter { protocol: Some(Protocol::UDP), sport: Some(2), ..Default::default() }, T0).len(), 1);
    assert_eq!(t.delete(&ConntrackFilter { dport: Some(80), reply_dst: Some(ip(1)), ..Default::default() }, T0), [tcp]);
    assert_eq!(t.delete(&ConntrackFilter { orig_src: Some(ip(77)), ..Default::default() }, T0), []);
    let (id, other) = (t.find(&udp(1, 1), T0).unwrap().0, t.find(&udp(3, 3), T0).unwrap().0);
    for x in [id, other] {
        t.get_mut(x).unwrap().masq_dev = IfIndex(4);
    }
    assert_eq!(t.delete_masqueraded(IfIndex::NONE, Option::None, T0), []);
    assert_eq!(t.delete_masqueraded(IfIndex(4), Some(Ipv4Addr::new(10, 0, 0, 3)), T0), [other]);
    assert_eq!(t.delete_masqueraded(IfIndex(4), Option::None, T0), [id]);
    assert_eq!(t.flush(T0).len(), 1);
    assert!(t.is_empty());
}

/// A flow with its source masqueraded to `to`; returns the mapped source.
fn masquerade(t: &mut Table, a: Tuple<Ipv4Addr>, range: &NatRange<Ipv4Addr>, random: &[u16]) -> (Ipv4Addr, u16) {
    let id = create(t, a, T0);
    assert!(matches!(t.setup_nat(id, range, Manip::Src, RowId(1), T0, draws(random)), Bind::Bound { .. }));
    t.confirm(id, T0);
    let target = t.nat_target(id, Dir::Original).unwrap();
    (target.src, tuple::source_part(target.l4))
}

#[test]
fn ports_are_kept_then_searched_for_in_their_class() {
    let server = (Ipv4Addr::new(8, 8, 8, 8), 80);
    let to = ip(0x0a00_0001);
    let range = NatRange::to_addr(to);
    for (port, draw, want) in [(41_000, 5, 1_029), (600, 5, 605), (80, 5, 6), (1_023, 500, 676), (511, 600, 90), (512, 0, 600)] {
        let mut t = Table::default();
        assert_eq!(masquerade(&mut t, tuple(Protocol::TCP, (ip(100), port), server), &range, &[draw]), (to, port));
        assert_eq!(masquerade(&mut t, tuple(Protocol::TCP, (ip(101), port), server), &range, &[draw]), (to, want), "{port}");
    }
    let mut t = Table::default();
    let fully = NatRange { random_fully: true, ..range };
    assert_eq!(masquerade(&mut t, tuple(Protocol::TCP, (ip(100), 5_000), server), &fully, &[9]), (to, 1_033));
    let ranged = NatRange { ports: Some((30_000, 30_002)), ..range };
    let ports: Vec<u16> = (0..4).map(|i| masquerade(&mut t, tuple(Protocol::TCP, (ip(200 + i), 5_000), server), &ranged, &[1]).1).collect();
    assert_eq!(ports, [30_001, 30_002, 30_000, 30_000], "the fourth finds none free");
    assert_eq!(t.len(), 5);
    assert_eq!(t.list(T0).len(), 4, "and is not confirmed");
}

#[test]
fn the_search_gives_up_after_rounds_of_half_the_size() {
    let mut t = Table::default();
    let to = ip(7);
    let server = (ip(9), 80);
    // the ports 1024 to 1023 + 128 are taken by the host itself
    for port in 1_024..1_152 {
        confirmed(&mut t, tuple(Protocol::UDP, (to, port), server), T0);
    }
    let id = create(&mut t, tuple(Protocol::UDP, (ip(50), 1_024), server), T0);
    let mut asked = 0;
    t.setup_nat(id, &NatRange::to_addr(to), Manip::Src, RowId(1), T0, || {
        asked += 1;
        0
    });
    assert_eq!(asked, 5, "128, 64, 32, 16, 8");
    // UDP survives a clash of reply tuples only if it is the same flow
    assert_eq!(t.confirm(id, T0), Confirm::Clash);
}

#[test]
fn a_source_keeps_its_port_towards_another_server() {
    let mut t = Table::default();
    let to = ip(7);
    let range = NatRange::to_addr(to);
    masquerade(&mut t, tuple(Protocol::UDP, (ip(100), 4_000), (ip(9), 53)), &range, &[3]);
    assert_eq!(masquerade(&mut t, tuple(Protocol::UDP, (ip(101), 4_000), (ip(9), 53)), &range, &[3]).1, 1_027);
    // its own port would be free towards this server
    assert_eq!(masquerade(&mut t, tuple(Protocol::UDP, (ip(101), 4_000), (ip(8), 53)), &range, &[3]).1, 1_027);
    assert_eq!(masquerade(&mut t, tuple(Protocol::UDP, (ip(102), 4_000), (ip(8), 53)), &range, &[3]).1, 4_000);
}

#[test]
fn a_flow_that_nobody_maps_may_change_its_port() {
    let mut t = Table::default();
    let (client, vip, server) = (ip(100), ip(200), ip(9));
    let through = create(&mut t, tuple(Protocol::TCP, (client, 5_000), (vip, 80)), T0);
    t.setup_nat(through, &NatRange::to_addr(server), Manip::Dst, RowId(1), T0, draws(&[0]));
    let null = t.null_range(through, Manip::Src).unwrap();
    t.setup_nat(through, &null, Manip::Src, RowId::NONE, T0, draws(&[0]));
    t.confirm(through, T0);
    let direct = create(&mut t, tuple(Protocol::TCP, (client, 5_000), (server, 80)), T0);
    for manip in [Manip::Dst, Manip::Src] {
        let null = t.null_range(direct, manip).unwrap();
        t.setup_nat(direct, &null, manip, RowId::NONE, T0, draws(&[76]));
    }
    let e = t.get(direct).unwrap();
    assert_eq!(e.tuples[1], tuple(Protocol::TCP, (server, 80), (client, 1_100)));
    assert!(e.status.has(CtStatus::SRC_NAT) && !e.status.has(CtStatus::DST_NAT));
    assert_eq!(t.confirm(direct, T0), Confirm::Done);
    assert_eq!(t.setup_nat(direct, &null, Manip::Src, RowId(1), T0, draws(&[0])), Bind::TooLate);
}

#[test]
fn an_ended_connection_gives_its_port_to_a_later_one() {
    let mut t = Table::default();
    let to = ip(7);
    let range = NatRange { ports: Some((30_000, 30_000)), ..NatRange::to_addr(to) };
    let begin = |t: &mut Table, client: u32, end: u32| {
        let id = create(t, tuple(Protocol::TCP, (ip(client), 5_000), (ip(9), 80)), T0);
        if let ProtoTrack::Tcp(track) = &mut t.get_mut(id).unwrap().proto {
            track.state = State::SynSent;
            track.seen[0].end = end;
        }
        id
    };
    let range2 = NatRange { ports: Some((30_000, 30_001)), ..range };
    let old = begin(&mut t, 100, 1_000);
    t.setup_nat(old, &range, Manip::Src, RowId(1), T0, draws(&[0]));
    t.confirm(old, T0);
    let busy = begin(&mut t, 101, 1_000);
    t.setup_nat(busy, &NatRange { ports: Some((30_001, 30_001)), ..range }, Manip::Src, RowId(1), T0, draws(&[0]));
    t.confirm(busy, T0);
    if let ProtoTrack::Tcp(track) = &mut t.get_mut(old).unwrap().proto {
        track.state = State::TimeWait;
    }
    for (end, evicted) in [(900, Option::None), (1_001, Some(old))] {
        let new = begin(&mut t, 102, end);
        let Bind::Bound { evicted: gone, .. } = t.setup_nat(new, &range2, Manip::Src, RowId(1), T0, draws(&[0])) else { panic!() };
        assert_eq!(gone, evicted);
        assert_eq!(t.confirm(new, T0), if evicted.is_some() { Confirm::Done } else { Confirm::Clash });
    }
}

#[test]
fn addresses_of_a_range_depend_on_both_ends_or_on_the_source_alone() {
    let range = NatRange { addrs: Some((ip(0xcb00_7101), ip(0xcb00_7108))), ..NatRange::to_addr(ip(0)) };
    let persistent = NatRange { persistent: true, ..range };
    let mapped = |range: &NatRange<Ipv4Addr>, src: u32, dst: u32| {
        masquerade(&mut Table::default(), tuple(Protocol::UDP, (ip(src), 1_000), (ip(dst), 53)), range, &[0]).0
    };
    let many: std::collections::BTreeSet<_> = (0..64).map(|i| mapped(&range, 0x0a00_0001, 0x0800_0000 | i)).collect();
    assert_eq!(many.len(), 8);
    let one: std::collections::BTreeSet<_> = (0..64).map(|i| mapped(&persistent, 0x0a00_0001, 0x0800_0000 | i)).collect();
    assert_eq!(one.len(), 1);
    let sources: std::collections::BTreeSet<_> = (0..64).map(|i| mapped(&persistent, 0x0a00_0000 | i, 0x0800_0000)).collect();
    assert!(sources.len() > 4 && sources.iter().all(|a| (ip(0xcb00_7101)..=ip(0xcb00_7108)).contains(a)));
}

proptest! {
    /// Whatever is mapped how: no two flows share a reply tuple, ports stay in their class, and the answer un-NATs.
    #[test]
    fn mappings_are_unique_and_invertible(
        flows in prop::collection::vec((0u32..6, prop::sample::select(vec![80u16, 500, 700, 1_000, 4_000, 4_001]), 0u32..2, 0u8..4, any::<bool>()), 1..60),
        seed in any::<u16>(),
    ) {
        let mut t = Table::default();
        let mut seed = seed;
        let mut random = || { seed = seed.wrapping_mul(25_173).wrapping_add(13_849); seed };
        for (client, port, server, how, is_udp) in flows {
            let protocol = if is_udp { Protocol::UDP } else { Protocol::TCP };
            let original = tuple(protocol, (ip(100 + client), port), (ip(200 + server), 80));
            if t.find(&original, T0).is_some() {
                continue;
            }
            let id = create(&mut t, original, T0);
            if how & 1 == 1 {
                t.setup_nat(id, &NatRange { ports: Some((8_080, 8_080)), ..NatRange::to_addr(ip(9)) }, Manip::Dst, RowId(1), T0, &mut random);
            }
            let range = if how & 2 == 2 { NatRange::to_addr(ip(7)) } else { t.null_range(id, Manip::Src).unwrap() };
            t.setup_nat(id, &range, Manip::Src, RowId(2), T0, &mut random);
            prop_assert_eq!(t.confirm(id, T0), Confirm::Done);
            let out = t.nat_target(id, Dir::Original).unwrap();
            let L4::Ports { src, .. } = out.l4 else { panic!() };
            let class = |p: u16| match p { 0..512 => 0, 512..1024 => 1, _ => 2 };
            prop_assert_eq!(class(src), class(port));
            // what answers the translated packet is found, and leaves as the answer to what the client sent
            let (found, dir) = t.find(&out.inverted().unwrap(), T0).unwrap();
            prop_assert_eq!((found, dir), (id, Dir::Reply));
            prop_assert_eq!(t.nat_target(id, Dir::Reply).unwrap(), original.inverted().unwrap());
        }
        let mut replies: Vec<_> = t.live().map(|e| e.tuples[1]).collect();
        let n = replies.len();
        replies.sort();
        replies.dedup();
        prop_assert_eq!(replies.len(), n);
    }
}
