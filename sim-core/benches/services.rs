//! How the cost of a packet grows with the number of Services, in kube-proxy's iptables rule shape.
//!
//! The first packet of a flow to the last of S Services passes PREROUTING, FORWARD and POSTROUTING, traced. Printed: nanoseconds a packet
//! for S = 10 to 10,000, the ratio to S = 10, and how long the rules take to load.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::float_arithmetic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark measures and prints"
)]

use sim_core::datapath::{Effects, HookState, Ids, Walk};
use sim_core::linux::netfilter::Hook;
use sim_core::linux::rng::Rng;
use sim_core::linux::{FlowId, IfIndex, Netns, NetnsId, PacketId, Source, Time};
use sim_core::packet::{Body, Bytes, Family, Ipv4Addr, Ipv4Header, Ipv4Packet, Net, Tcp, TcpFlags, TcpOptions};
use sim_core::shell::iptables::{RestoreArgs, parse_restore};
use sim_core::trace::Recorder;
use std::fmt::Write as _;
use std::time::Instant;

const PACKETS: u32 = 2000;

fn vip(i: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x0a60_0000 + i + 1)
}

/// The rules of S Services with one endpoint each; a tenth of them have a node port.
fn rules(services: u32) -> String {
    let (mut chains, mut jumps, mut ports, mut own, mut filter) =
        (String::new(), String::new(), String::new(), String::new(), String::new());
    for i in 0..services {
        let (vip, pod) = (vip(i), Ipv4Addr::from(0x0af4_0000 + i + 1));
        let _ = write!(chains, ":KUBE-SVC-{i} - [0:0]\n:KUBE-SEP-{i} - [0:0]\n");
        let _ = writeln!(
            jumps,
            "-A KUBE-SERVICES -d {vip}/32 -p tcp -m comment --comment \"ns/svc{i} cluster IP\" -m tcp --dport 80 -j KUBE-SVC-{i}"
        );
        if i % 10 == 0 {
            let _ = writeln!(
                ports,
                "-A KUBE-NODEPORTS -p tcp -m comment --comment ns/svc{i} -m tcp --dport {} -j KUBE-SVC-{i}",
                30_000 + i % 2768
            );
            let _ = writeln!(filter, "-A KUBE-SERVICES -d {}/32 -p tcp -m tcp --dport 81 -j REJECT", vip);
        }
        let _ = writeln!(
            own,
            "-A KUBE-SVC-{i} ! -s 10.244.0.0/16 -d {vip}/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ\n-A KUBE-SVC-{i} -j KUBE-SEP-{i}"
        );
        let _ = writeln!(
            own,
            "-A KUBE-SEP-{i} -s {pod}/32 -j KUBE-MARK-MASQ\n-A KUBE-SEP-{i} -p tcp -m tcp -j DNAT --to-destination {pod}:8080"
        );
    }
    format!(
        "*nat\n:PREROUTING ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n:KUBE-NODEPORTS - [0:0]\n:KUBE-MARK-MASQ - [0:0]\n\
         :KUBE-POSTROUTING - [0:0]\n{chains}-A PREROUTING -j KUBE-SERVICES\n-A POSTROUTING -j KUBE-POSTROUTING\n{jumps}\
         -A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS\n{ports}-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000\n\
         -A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN\n-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0\n{own}COMMIT\n\
         *filter\n:FORWARD ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n:KUBE-FORWARD - [0:0]\n\
         -A FORWARD -m conntrack --ctstate NEW -j KUBE-SERVICES\n-A FORWARD -j KUBE-FORWARD\n\
         -A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP\n-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT\n{filter}COMMIT\n"
    )
}

fn syn(dst: Ipv4Addr, port: u16) -> Ipv4Packet {
    let header = Ipv4Header {
        tos: 0,
        id: 1,
        dont_fragment: true,
        more_fragments: false,
        fragment_offset: 0,
        ttl: 64,
        src: Ipv4Addr::new(10, 244, 200, 2),
        dst,
        checksum_error: 0,
    };
    let body = Body::Tcp(Tcp {
        src_port: port,
        dst_port: 80,
        seq: 1,
        ack: 0,
        flags: TcpFlags::SYN,
        window: 1000,
        urgent: 0,
        checksum_error: 0,
        options: TcpOptions::default(),
        payload: Bytes::default(),
    });
    Ipv4Packet { header, body }
}

/// Nanoseconds a packet, the best of some rounds.
fn measure(ns: &Netns, services: u32) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..40 {
        let (mut ns, mut trace) = (ns.clone(), Recorder::default());
        let (mut rng, mut effects, mut ids) = (Rng::new(1), Effects::default(), Ids::default());
        let mut w = Walk {
            ns: &mut ns,
            now: Time(0),
            rng: &mut rng,
            trace: &mut trace,
            effects: &mut effects,
            ids: &mut ids,
            cause: PacketId::NONE,
            flow: FlowId::NONE,
        };
        let mut begun = Instant::now();
        for i in 0..PACKETS + 200 {
            if i == 200 {
                begun = Instant::now();
            }
            let mut skb = w.new_skb(Net::Ipv4(syn(vip(services - 1), 1024 + i as u16)), FlowId::NONE);
            for hook in [Hook::Prerouting, Hook::Forward, Hook::Postrouting] {
                let state = HookState { hook, iif: IfIndex(1), oif: IfIndex(if hook == Hook::Prerouting { 0 } else { 1 }) };
                w.nf_hook(&mut skb, &state, None);
            }
        }
        best = best.min(begun.elapsed().as_nanos() as f64 / f64::from(PACKETS));
    }
    best
}

fn main() {
    println!("services   load ms   ns/packet   ratio");
    let mut first = 0.0;
    for services in [10, 100, 1000, 10_000] {
        let text = rules(services);
        let begun = Instant::now();
        let op = parse_restore(Family::Inet, &RestoreArgs::default(), &text).unwrap();
        let mut ns = Netns::empty(NetnsId(0));
        ns.apply_xtables(Family::Inet, &op, Source::Kernel).unwrap();
        let load = begun.elapsed().as_secs_f64() * 1000.0;
        let each = measure(&ns, services);
        if services == 10 {
            first = each;
        }
        println!("{services:>8} {load:>9.1} {each:>11.0} {:>7.2}", each / first);
    }
}
