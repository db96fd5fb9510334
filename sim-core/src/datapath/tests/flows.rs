//! What packets are to their flows, hook by hook.

use super::lab::Lab;
use crate::datapath::conntrack::{nf_conntrack_confirm, nf_conntrack_in, nf_ct_attach};
use crate::datapath::hook::{HookState, NfVerdict};
use crate::datapath::nat::{nf_nat_inet_fn, nf_nat_masquerade, nf_nat_setup_info};
use crate::linux::conntrack::{CtInfo, CtStatus, Manip, NatRange};
use crate::linux::device::Scope;
use crate::linux::netfilter::Hook;
use crate::linux::{FlowId, IfIndex, RowId, Skb, Source};
use crate::packet::{Body, Bytes, Icmp, IcmpKind, Ipv4Addr, Ipv4Header, Ipv4Packet, Net, Quoted, Tcp, TcpFlags, TcpOptions, Udp};
use crate::trace::{Evidence, NoTrace, Recording, StateDelta, Tracer};
use std::sync::Arc;

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 168, 0, 9);
const HOST: Ipv4Addr = Ipv4Addr::new(10, 168, 0, 2);
const POD: Ipv4Addr = Ipv4Addr::new(172, 17, 0, 2);
const IN: IfIndex = IfIndex(1);
const OUT: IfIndex = IfIndex(2);

fn packet(src: Ipv4Addr, dst: Ipv4Addr, body: Body) -> Ipv4Packet {
    let header =
        Ipv4Header { tos: 0, id: 1, dont_fragment: true, more_fragments: false, fragment_offset: 0, ttl: 64, src, dst, checksum_error: 0 };
    Ipv4Packet { header, body }
}

fn tcp(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), flags: TcpFlags, seq: u32, ack: u32, data: usize) -> Ipv4Packet {
    let tcp = Tcp {
        src_port: from.1,
        dst_port: to.1,
        seq,
        ack,
        flags,
        window: 64_240,
        urgent: 0,
        checksum_error: 0,
        options: TcpOptions(None),
        payload: Bytes::filled(1, data),
    };
    packet(from.0, to.0, Body::Tcp(tcp))
}

fn udp(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16)) -> Ipv4Packet {
    let udp = Udp { src_port: from.1, dst_port: to.1, no_checksum: false, checksum_error: 0, payload: "x".into() };
    packet(from.0, to.0, Body::Udp(udp))
}

fn unreachable(from: Ipv4Addr, to: Ipv4Addr, about: &Ipv4Packet) -> Ipv4Packet {
    let kind = IcmpKind::Unreachable { code: 3, mtu: 0, quoted: Quoted::of(about, 576) };
    packet(from, to, Body::Icmp(Icmp::new(kind)))
}

fn state(hook: Hook) -> HookState {
    match hook {
        Hook::Prerouting | Hook::Input => HookState { hook, iif: IN, oif: IfIndex::NONE },
        Hook::Output => HookState { hook, iif: IfIndex::NONE, oif: OUT },
        _ => HookState { hook, iif: IN, oif: OUT },
    }
}

/// PREROUTING with DNAT of 8080 to the pod's 80.
fn enter<T: Tracer>(lab: &mut Lab<T>, ip: Ipv4Packet) -> Box<Skb> {
    lab.with(|w| {
        let mut skb = w.new_skb(Net::Ipv4(ip), FlowId(1));
        assert_eq!(nf_conntrack_in(w, &mut skb, &state(Hook::Prerouting)), NfVerdict::Accept);
        let verdict = nf_nat_inet_fn(w, &mut skb, &state(Hook::Prerouting), |w, skb| {
            let hit = skb
                .frame
                .ipv4()
                .is_some_and(|p| p.header.dst == HOST && crate::packet::Tuple::<Ipv4Addr>::of(p).unwrap().destination().port == 8080);
            if !hit {
                return NfVerdict::Accept;
            }
            nf_nat_setup_info(w, skb, &NatRange { ports: Some((80, 80)), ..NatRange::to_addr(POD) }, Manip::Dst, RowId(5))
        });
        assert_eq!(verdict, NfVerdict::Accept);
        skb
    })
}

/// POSTROUTING without a rule.
fn leave<T: Tracer>(lab: &mut Lab<T>, skb: &mut Skb) -> NfVerdict {
    lab.with(|w| {
        let verdict = nf_nat_inet_fn(w, skb, &state(Hook::Postrouting), |_, _| NfVerdict::Accept);
        if verdict == NfVerdict::Accept { nf_conntrack_confirm(w, skb, &state(Hook::Postrouting)) } else { verdict }
    })
}

/// As a golden writes it: `established/reply assured confirmed dnat`; `-` for INVALID.
fn words<T: Tracer>(lab: &Lab<T>, skb: &Skb) -> String {
    let view = lab.ns.conntrack.view(skb.ct);
    let Some(info) = view.info else { return "-".into() };
    let state = match info {
        CtInfo::New => "new/orig",
        CtInfo::Established => "established/orig",
        CtInfo::EstablishedReply => "established/reply",
        CtInfo::Related => "related/orig",
        CtInfo::RelatedReply => "related/reply",
    };
    let names =
        [(CtStatus::ASSURED, " assured"), (CtStatus::CONFIRMED, " confirmed"), (CtStatus::SRC_NAT, " snat"), (CtStatus::DST_NAT, " dnat")];
    names.iter().filter(|(bit, _)| view.status.has(*bit)).fold(state.to_string(), |s, (_, name)| s + name)
}

fn ends(skb: &Skb) -> String {
    let t = crate::packet::Tuple::<Ipv4Addr>::of(skb.frame.ipv4().unwrap()).unwrap();
    format!("{}>{}", t.source(), t.destination())
}

const S: TcpFlags = TcpFlags::SYN;
const A: TcpFlags = TcpFlags::ACK;
const F: TcpFlags = TcpFlags::FIN;
const R: TcpFlags = TcpFlags::RST;

/// A published port, as in the golden of the same name: handshake, data both ways, close from the client.
fn published_port<T: Tracer>(lab: &mut Lab<T>) -> Vec<String> {
    let (c, v, p) = ((CLIENT, 40_000), (HOST, 8080), (POD, 80));
    let (fin, psh) = (F.with(A), TcpFlags::PSH.with(A));
    let talk = [
        tcp(c, v, S, 100, 0, 0),
        tcp(p, c, S.with(A), 500, 101, 0),
        tcp(c, v, A, 101, 501, 0),
        tcp(c, v, psh, 101, 501, 5),
        tcp(p, c, A, 501, 106, 0),
        tcp(p, c, psh, 501, 106, 8),
        tcp(c, v, A, 106, 509, 0),
        tcp(c, v, fin, 106, 509, 0),
        tcp(p, c, A, 509, 107, 0),
        tcp(p, c, fin, 509, 107, 0),
        tcp(c, v, A, 107, 510, 0),
    ];
    let mut out = Vec::new();
    for ip in talk {
        let mut skb = enter(lab, ip);
        let (ct, pre) = (words(lab, &skb), ends(&skb));
        assert_eq!(leave(lab, &mut skb), NfVerdict::Accept);
        let row = lab.rows().first().map(|r| r.split(' ').filter(|w| !w.is_empty()).nth(3).unwrap().to_string()).unwrap();
        out.push(format!("{ct} | {pre} | {} | {row}", ends(&skb)));
    }
    out
}

#[test]
fn a_published_port_from_syn_to_last_ack() {
    let want = [
        "new/orig dnat | 10.168.0.9:40000>172.17.0.2:80 | 10.168.0.9:40000>172.17.0.2:80 | SYN_SENT",
        "established/reply confirmed dnat | 172.17.0.2:80>10.168.0.9:40000 | 10.168.0.2:8080>10.168.0.9:40000 | SYN_RECV",
        "established/orig assured confirmed dnat | 10.168.0.9:40000>172.17.0.2:80 | 10.168.0.9:40000>172.17.0.2:80 | ESTABLISHED",
        "established/orig assured confirmed dnat | 10.168.0.9:40000>172.17.0.2:80 | 10.168.0.9:40000>172.17.0.2:80 | ESTABLISHED",
        "established/reply assured confirmed dnat | 172.17.0.2:80>10.168.0.9:40000 | 10.168.0.2:8080>10.168.0.9:40000 | ESTABLISHED",
        "established/reply assured confirmed dnat | 172.17.0.2:80>10.168.0.9:40000 | 10.168.0.2:8080>10.168.0.9:40000 | ESTABLISHED",
        "established/orig assured confirmed dnat | 10.168.0.9:40000>172.17.0.2:80 | 10.168.0.9:40000>172.17.0.2:80 | ESTABLISHED",
        "established/orig assured confirmed dnat | 10.168.0.9:40000>172.17.0.2:80 | 10.168.0.9:40000>172.17.0.2:80 | FIN_WAIT",
        "established/reply assured confirmed dnat | 172.17.0.2:80>10.168.0.9:40000 | 10.168.0.2:8080>10.168.0.9:40000 | CLOSE_WAIT",
        "established/reply assured confirmed dnat | 172.17.0.2:80>10.168.0.9:40000 | 10.168.0.2:8080>10.168.0.9:40000 | LAST_ACK",
        "established/orig assured confirmed dnat | 10.168.0.9:40000>172.17.0.2:80 | 10.168.0.9:40000>172.17.0.2:80 | TIME_WAIT",
    ];
    assert_eq!(published_port(&mut Lab::router(NoTrace)), want);
}

#[test]
fn the_recording_tells_the_same_and_keeps_every_write() {
    let mut lab = Lab::router(Recording::default());
    assert_eq!(published_port(&mut lab), published_port(&mut Lab::router(NoTrace)));
    let again = {
        let mut lab = Lab::router(Recording::default());
        published_port(&mut lab);
        lab.trace
    };
    assert_eq!(lab.trace.steps, again.steps);
    assert_eq!(lab.trace.deltas, again.deltas);
    let steps = &lab.trace.steps;
    let count = |f: fn(&Evidence) -> bool| steps.iter().filter(|s| f(&s.evidence)).count();
    assert_eq!(count(|e| matches!(e, Evidence::ConntrackLookup { .. })), 11);
    assert_eq!(count(|e| matches!(e, Evidence::ConntrackLookup { created: true, .. })), 1);
    assert_eq!(count(|e| matches!(e, Evidence::ConntrackConfirm { .. })), 1);
    assert_eq!(count(|e| matches!(e, Evidence::NatBind { .. })), 2);
    assert_eq!(count(|e| matches!(e, Evidence::NatBind { row: RowId(5), source: false, port: 80, .. })), 1);
    assert_eq!(count(|e| matches!(e, Evidence::NatRewrite { .. })), 11);
    // the last delta is the table at the end
    let Some(StateDelta::Conntrack { entry: Some(last), id }) = lab.trace.deltas.last().map(|d| &d.delta) else { panic!() };
    assert_eq!(**last, lab.ns.conntrack.snapshot(*id).unwrap());
    assert_eq!(lab.ns.conntrack.get(*id).unwrap().source, Source::Step(0));
    // and the versions of headers lead to the packets as they are
    let mut skb = enter(&mut lab, tcp((CLIENT, 41_000), (HOST, 8080), S, 1, 0, 0));
    leave(&mut lab, &mut skb);
    assert_eq!(lab.trace.frame(skb.version).unwrap(), skb.frame);
}

#[test]
fn an_icmp_error_about_a_mapped_flow_is_translated_inside_and_out() {
    let mut lab = Lab::router(Recording::default());
    let mut skb = enter(&mut lab, udp((CLIENT, 5_000), (HOST, 8080)));
    leave(&mut lab, &mut skb);
    let about = skb.frame.ipv4().unwrap().clone();
    let mut error = enter(&mut lab, unreachable(POD, CLIENT, &about));
    assert_eq!(words(&lab, &error), "related/reply confirmed dnat");
    leave(&mut lab, &mut error);
    let ip = error.frame.ipv4().unwrap();
    assert_eq!(ip.header.src, HOST);
    let Body::Icmp(icmp) = &ip.body else { panic!() };
    let quoted = icmp.quoted().unwrap();
    assert_eq!((quoted.dst(), quoted.ports()), (Some(HOST), Some((5_000, 8080))));
    assert_eq!(Ipv4Packet::decode(&quoted.0).unwrap(), udp((CLIENT, 5_000), (HOST, 8080)), "checksums included");
    assert_eq!(lab.trace.frame(error.version).unwrap(), error.frame);
    // an error that goes elsewhere than the flow's packets is not believed
    let skb = enter(&mut lab, unreachable(POD, HOST, &about));
    assert_eq!(words(&lab, &skb), "-");
    // a redirect about a mapped flow is dropped
    let kind = IcmpKind::Redirect { code: 1, gateway: HOST, quoted: Quoted::of(&about, 576) };
    let mut redirect = enter_raw(&mut lab, packet(POD, CLIENT, Body::Icmp(Icmp::new(kind))));
    let verdict = lab.with(|w| nf_nat_inet_fn(w, &mut redirect, &state(Hook::Prerouting), |_, _| NfVerdict::Accept));
    assert_eq!(verdict, NfVerdict::Drop);
}

fn enter_raw<T: Tracer>(lab: &mut Lab<T>, ip: Ipv4Packet) -> Box<Skb> {
    lab.with(|w| {
        let mut skb = w.new_skb(Net::Ipv4(ip), FlowId(1));
        nf_conntrack_in(w, &mut skb, &state(Hook::Prerouting));
        skb
    })
}

#[test]
fn what_is_invalid() {
    let mut lab = Lab::router(NoTrace);
    let (c, v) = ((CLIENT, 1_000), (POD, 80));
    let broken = |mut ip: Ipv4Packet| {
        match &mut ip.body {
            Body::Tcp(t) => t.checksum_error = 1,
            Body::Udp(u) => u.checksum_error = 1,
            Body::Icmp(m) => m.checksum_error = 1,
            _ => {}
        }
        ip
    };
    let icmp = |kind| packet(CLIENT, POD, Body::Icmp(Icmp::new(kind)));
    let echo = |id| icmp(IcmpKind::EchoRequest { id, seq: 1, payload: Bytes::EMPTY });
    let stray = [
        tcp(c, v, S.with(A), 1, 1, 0),
        tcp(c, v, R, 1, 0, 0),
        tcp(c, v, F.with(A), 1, 1, 0),
        tcp(c, v, S.with(F), 1, 0, 0),
        tcp(c, v, TcpFlags(0), 1, 0, 0),
        broken(tcp(c, v, S, 1, 0, 0)),
        broken(udp(c, v)),
        broken(echo(1)),
        icmp(IcmpKind::EchoReply { id: 1, seq: 1, payload: Bytes::EMPTY }),
        icmp(IcmpKind::Other { kind: 19, code: 0, rest: [0; 4], payload: Bytes::EMPTY }),
        icmp(IcmpKind::Other { kind: 10, code: 0, rest: [0; 4], payload: Bytes::EMPTY }),
        unreachable(CLIENT, POD, &udp(v, (CLIENT, 9))),
        packet(CLIENT, POD, Body::Icmp(Icmp::new(IcmpKind::TimeExceeded { code: 0, quoted: Quoted::default() }))),
    ];
    for ip in stray {
        let skb = enter_raw(&mut lab, ip.clone());
        assert_eq!(words(&lab, &skb), "-", "{ip:?}");
    }
    assert!(lab.ns.conntrack.is_empty(), "nothing is left of them");
    // sent from here, a checksum is not looked at
    lab.with(|w| {
        let mut skb = w.new_skb(Net::Ipv4(broken(udp(c, v))), FlowId(1));
        nf_conntrack_in(w, &mut skb, &state(Hook::Output));
        assert!(skb.ct.is_some());
        w.release_ct(&skb);
    });
    // a stray ACK is NEW, unless flows may not be picked up in the middle
    let ack = tcp(c, v, A, 1, 1, 0);
    let skb = enter_raw(&mut lab, ack.clone());
    assert_eq!(words(&lab, &skb), "new/orig");
    lab.with(|w| w.release_ct(&skb));
    Arc::make_mut(&mut Arc::make_mut(&mut lab.ns.config_mut().sysctl).conntrack).tcp_loose = false;
    let skb = enter_raw(&mut lab, ack);
    assert_eq!(words(&lab, &skb), "-");
}

#[test]
fn udp_becomes_a_stream_two_seconds_after_its_beginning() {
    let mut lab = Lab::router(NoTrace);
    let (c, v, p) = ((CLIENT, 5_000), (HOST, 8080), (POD, 80));
    let exchange = |lab: &mut Lab<NoTrace>| {
        for ip in [udp(c, v), udp(p, c)] {
            let mut skb = enter(lab, ip);
            leave(lab, &mut skb);
        }
        let rows = lab.rows();
        let w: Vec<String> = rows[0].split_whitespace().map(String::from).collect();
        (w[2].parse::<u32>().unwrap(), rows[0].contains("ASSURED"))
    };
    assert_eq!(exchange(&mut lab), (30, false));
    assert_eq!(exchange(&mut lab), (30, false), "the same instant");
    lab.pass(2);
    assert_eq!(exchange(&mut lab), (30, false), "not after, but at two seconds");
    lab.pass(1);
    assert_eq!(exchange(&mut lab), (120, true));
    lab.pass(120);
    assert_eq!(lab.rows(), Vec::<String>::new());
    assert_eq!(exchange(&mut lab), (30, false), "a new flow");
}

#[test]
fn the_answer_to_a_rejected_packet_is_related_to_a_flow_that_never_was() {
    let mut lab = Lab::router(NoTrace);
    let mut skb = enter(&mut lab, udp((CLIENT, 5_000), (HOST, 8080)));
    let about = skb.frame.ipv4().unwrap().clone();
    let mut answer = lab.with(|w| {
        let mut answer = w.new_skb(Net::Ipv4(unreachable(HOST, CLIENT, &about)), FlowId(1));
        nf_ct_attach(&mut answer, &skb);
        w.release_ct(&skb);
        answer
    });
    skb.ct = None;
    assert!(lab.ns.conntrack.is_empty());
    // it may cross lo: it keeps its tie and is not looked up again
    for hook in [Hook::Output, Hook::Prerouting] {
        lab.with(|w| nf_conntrack_in(w, &mut answer, &state(hook)));
        assert_eq!(words(&lab, &answer), "related/reply dnat");
    }
    assert_eq!(leave(&mut lab, &mut answer), NfVerdict::Accept);
    assert_eq!(words(&lab, &answer), "related/reply dnat", "never confirmed");
    let Body::Icmp(icmp) = &answer.frame.ipv4().unwrap().body else { panic!() };
    assert_eq!(icmp.quoted().unwrap().dst(), Some(HOST));
}

#[test]
fn a_reset_that_answers_the_first_packet_ends_the_flow_and_is_still_translated() {
    let mut lab = Lab::router(Recording::default());
    let c = (CLIENT, 40_000);
    let mut skb = enter(&mut lab, tcp(c, (HOST, 8080), S, 1, 0, 0));
    leave(&mut lab, &mut skb);
    let mut reset = enter(&mut lab, tcp((POD, 80), c, R.with(A), 0, 2, 0));
    assert_eq!(lab.rows(), Vec::<String>::new());
    assert!(matches!(lab.trace.deltas.last().map(|d| &d.delta), Some(StateDelta::Conntrack { entry: None, .. })));
    leave(&mut lab, &mut reset);
    assert_eq!(ends(&reset), "10.168.0.2:8080>10.168.0.9:40000");
}

#[test]
fn a_closed_connection_is_opened_anew() {
    let mut lab = Lab::router(Recording::default());
    published_port(&mut lab);
    let before = lab.ns.conntrack.entries(lab.now)[0].id;
    let mut skb = enter(&mut lab, tcp((CLIENT, 40_000), (HOST, 8080), S, 9_000, 0, 0));
    assert_eq!(words(&lab, &skb), "new/orig dnat");
    leave(&mut lab, &mut skb);
    let entries = lab.ns.conntrack.entries(lab.now);
    assert_eq!((entries.len(), entries[0].state_name()), (1, Some("SYN_SENT")));
    assert_ne!(entries[0].id, before);
}

#[test]
fn the_packet_of_a_flow_that_lost_its_tuple_is_dropped() {
    let mut lab = Lab::router(NoTrace);
    let c = (CLIENT, 40_000);
    let mut first = enter_raw(&mut lab, tcp(c, (POD, 80), S, 1, 0, 0));
    let mut second = enter_raw(&mut lab, tcp(c, (POD, 80), S, 1, 0, 0));
    lab.with(|w| {
        assert_eq!(nf_conntrack_confirm(w, &mut first, &state(Hook::Postrouting)), NfVerdict::Accept);
        assert_eq!(nf_conntrack_confirm(w, &mut second, &state(Hook::Postrouting)), NfVerdict::Drop);
    });
}

#[test]
fn a_full_table_drops_the_packet() {
    let mut lab = Lab::router(NoTrace);
    Arc::make_mut(&mut Arc::make_mut(&mut lab.ns.config_mut().sysctl).conntrack).max = 1;
    let mut skb = enter(&mut lab, udp((CLIENT, 1), (POD, 53)));
    leave(&mut lab, &mut skb);
    lab.with(|w| {
        let mut skb = w.new_skb(Net::Ipv4(udp((CLIENT, 2), (POD, 53))), FlowId(1));
        assert_eq!(nf_conntrack_in(w, &mut skb, &state(Hook::Prerouting)), NfVerdict::Drop);
        let mut known = w.new_skb(Net::Ipv4(udp((CLIENT, 1), (POD, 53))), FlowId(1));
        assert_eq!(nf_conntrack_in(w, &mut known, &state(Hook::Prerouting)), NfVerdict::Accept);
    });
}

#[test]
fn masquerading_takes_a_global_primary_address_near_the_next_hop() {
    let range = NatRange { addrs: None, ports: None, random: false, random_fully: false, persistent: false };
    let a = |n| Ipv4Addr::new(192, 0, n, 1);
    let chosen = |addrs: &[(Ipv4Addr, u8, Scope, bool)], dst: Ipv4Addr| {
        let mut lab = Lab::new(NoTrace);
        lab.device(OUT.0, addrs);
        let mut skb = enter_raw(&mut lab, udp((CLIENT, 5_000), (dst, 53)));
        let verdict = lab.with(|w| nf_nat_masquerade(w, &mut skb, &state(Hook::Postrouting), &range, RowId(1)));
        let e = lab.ns.conntrack.get(skb.ct.unwrap().id).unwrap();
        (verdict == NfVerdict::Accept).then_some((e.tuples[1].dst, e.masq_dev))
    };
    let far = Ipv4Addr::new(8, 8, 8, 8);
    let near = Ipv4Addr::new(192, 0, 3, 77);
    let all = [(a(1), 24, Scope::Host, false), (a(2), 24, Scope::Universe, false), (a(3), 24, Scope::Universe, false)];
    assert_eq!(chosen(&all, far), Some((a(2), OUT)));
    assert_eq!(chosen(&all, near), Some((a(3), OUT)));
    let secondary = [(a(2), 24, Scope::Universe, false), (a(3), 24, Scope::Universe, true)];
    assert_eq!(chosen(&secondary, near), Some((a(2), OUT)));
    assert_eq!(chosen(&[(a(1), 24, Scope::Host, false)], far), None, "no address, no packet");
}

#[test]
fn a_masqueraded_flow_that_leaves_by_another_device_ends() {
    let range = NatRange { addrs: None, ports: None, random: false, random_fully: false, persistent: false };
    let mut lab = Lab::router(NoTrace);
    let flow = udp((CLIENT, 5_000), (Ipv4Addr::new(10, 0, 2, 9), 53));
    let post = |lab: &mut Lab<NoTrace>, oif: IfIndex| {
        let mut skb = enter_raw(lab, flow.clone());
        let state = HookState { hook: Hook::Postrouting, iif: IN, oif };
        lab.with(|w| match nf_nat_inet_fn(w, &mut skb, &state, |w, skb| nf_nat_masquerade(w, skb, &state, &range, RowId(1))) {
            NfVerdict::Accept => nf_conntrack_confirm(w, &mut skb, &state),
            other => other,
        })
    };
    assert_eq!(post(&mut lab, OUT), NfVerdict::Accept);
    assert_eq!(post(&mut lab, OUT), NfVerdict::Accept);
    assert_eq!(post(&mut lab, IN), NfVerdict::Drop);
    assert_eq!(lab.rows(), Vec::<String>::new());
    assert_eq!(post(&mut lab, IN), NfVerdict::Accept);
}

#[test]
fn rules_are_asked_once_for_each_end() {
    let mut lab = Lab::router(NoTrace);
    let mut asked = Vec::new();
    for _ in 0..2 {
        let mut skb = enter_raw(&mut lab, udp((CLIENT, 5_000), (POD, 53)));
        for hook in [Hook::Prerouting, Hook::Postrouting] {
            lab.with(|w| {
                nf_nat_inet_fn(w, &mut skb, &state(hook), |_, _| {
                    asked.push(hook);
                    NfVerdict::Accept
                })
            });
        }
        lab.with(|w| nf_conntrack_confirm(w, &mut skb, &state(Hook::Postrouting)));
    }
    assert_eq!(asked, [Hook::Prerouting, Hook::Postrouting]);
}
